"""What hostile folders may state, fed to the card: `python -m tests.fuzz.engine --cards 10000`.

Spoiled bytes seldom get past the readers. Here documents, tensors, headers and READMEs are put together from
the keys that the card's own modules know and from the defaults of transformers' classes, with values that
nobody writes. The same seed gives the same cards.
"""

from __future__ import annotations

import ast
import functools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dxwatchd.card
from dxwatchd.card.build import build_card
from dxwatchd.card.sources import CardInputs, Identity, wanted_documents
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder, WeightFormat, WeightSet
from dxwatchd.core.pickles import UNKNOWN, PickleContent
from dxwatchd.core.readme import Section
from dxwatchd.readers.readme import read_sections
from dxwatchd.readers.safetensors import BITS, Tensor
from tests.fuzz.card_checks import look_at

INTEGERS = (
    *(-(10**40), -(2**63), -1, 0, 1, 2, 3, 7, 8, 64, 1023, 1024, 1025, 4096, 10**6, 10**9),
    *(2**31, 2**32, 2**53, 2**61, 2**62, 2**63 - 1, 2**63, 2**64, 10**40),
)
FLOATS = (0.0, -0.5, 0.5, 1.0, 1.5, 2.0**62, 2.0**63, 1e300, 1e-300, -1e300)
TEXTS = (
    *(
        "",
        " ",
        "a",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "a/b/c",
        "http://h/x",
        "https://hf.co/a/b",
        "no",
    ),
    *("\x1b[31m\x07", "\u202e\u2066abc", "\0", "a\nb", "\ud800", "é" * 90, "\U0001f600" * 150, "x" * 201),
    *("](javascript:x)<script>`", "``` \n# h", "- a: &b !!python/object", "| a | b |", "[bold]x[/]", "--x y"),
    *("full_attention", "sliding_attention", "mamba", "LLLG", "M*-E" * 8, "yarn", "a.B", "o/r--m.C", "int8"),
)
NAMES = (
    *("embed_tokens.weight", "lm_head.weight", "shared.weight", "encoder.embed_tokens.weight", "wte.weight"),
    *("layers.0.mlp.experts.0.w.weight", "layers.0.mlp.experts.0.w.weight_scale", "layers.1.q.qweight"),
    *("layers.1.q.weight", "layers.1.q.SCB", "layers.9.x.weight", "layers.1.q_blocks", "layers.1.q_scales"),
    *(
        "h.0.attn.bias",
        "rope_freqs.weight",
        "blk.0.ffn_gate_exps.weight",
        "mtp.layers.0.q.weight",
        "w.absmax",
    ),
    *(
        "layers.99999999999999999999.q.weight",
        "vision_tower.layers.0.q.weight",
        "layers.²٣.q.weight",
        "",
        ".",
    ),
)
FILES = (
    *("README.md", "a.py", "sub/b.py", "pytorch_model.bin", "x.pkl", "tokenizer.json", "trainer_state.json"),
    *("\udcff\x1b[31m.py", "a`b<c>.py", "mergekit_config.yml", "pipeline.py", "unet/U.py", ".git/x", "é/\n"),
)
PATHS = ("m", "org/m", "a/checkpoint-7", "models--o--m/snapshots/x", "\x1b]0;x\x07/é", "a/`b`|c<d>")


class Fuzz:
    """Draws what one card is made from."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def inputs(self) -> CardInputs:
        """Everything, most of it about one layout."""
        chance = self.chance
        names = chance.sample(FILES, chance.randrange(len(FILES)))
        components = tuple(chance.sample(("unet", "1_Pooling", "vae"), chance.randrange(4)))
        model = ModelFolder(
            path=chance.choice(PATHS),
            layout=chance.choice((Layout.TRANSFORMERS, Layout.TRANSFORMERS, Layout.GGUF, *Layout)),
            kind=chance.choice((Kind.MODEL, Kind.MODEL, *Kind)),
            evidence=(),
            weight_sets=self._weight_sets(),
            components=components,
            files=tuple(ModelFile(name, chance.choice((0, 1, 2**40, 2**62))) for name in sorted(names)),
        )
        every = tuple(ModelFile(name, 1) for name in _documents(components))
        wanted = wanted_documents(ModelFolder("", model.layout, model.kind, (), (), components, every))
        documents = {name: self._document(name) for name in wanted if chance.random() < 0.25}
        if chance.random() < 0.8:
            documents["config.json"] = self._config()
        gguf = model.layout is Layout.GGUF
        return CardInputs(
            model=model,
            documents=documents,
            texts={"chat_template.jinja": self.text()} if chance.random() < 0.1 else {},
            front_matter=self._front_matter(),
            readme_sections=self._sections(),
            tensors={self.text() or "w": self._tensors() for _ in range(chance.randrange(3))},
            gguf_metadata=self._metadata() if gguf else {},
            gguf_arrays={chance.choice(_words()): chance.choice((0, 1, 2**62))} if gguf else {},
            gguf_lists={f"general.{key}": (self.text(),) for key in ("tags", "languages")} if gguf else {},
            pickles={name: self._pickle() for name in names if name.endswith((".bin", ".pkl"))},
            warnings=(self.text(),),
        )

    def text(self) -> str:
        """Any text, now and then a word that a module knows."""
        return self.chance.choice(TEXTS) if self.chance.random() < 0.7 else self.chance.choice(_words())

    def value(self, depth: int = 3) -> Any:
        """Any JSON value as the reader gives it: no NaN, nothing infinite."""
        chance = self.chance
        if depth <= 0 or chance.random() < 0.6:
            return self._single()
        draw: Sequence[Callable[[], Any]] = (
            lambda: [self.value(depth - 1) for _ in range(chance.choice((0, 1, 2, 5)))],
            lambda: [self._single()] * chance.choice((3, 65, 1025)),
            lambda: {_readable(self.text()): self.value(depth - 1) for _ in range(chance.randrange(4))},
            lambda: self._keyed(depth - 1),
        )
        return chance.choice(draw)()

    def _single(self) -> Any:
        ways: Sequence[Sequence[Any]] = (
            INTEGERS,
            INTEGERS,
            FLOATS,
            (True, False, None),
            TEXTS,
            _words(),
            ([], {}),
        )
        return _readable(self.chance.choice(self.chance.choice(ways)))

    def _keyed(self, depth: int = 2) -> dict[str, Any]:
        words = _words()
        return {self.chance.choice(words): self.value(depth) for _ in range(self.chance.randrange(1, 9))}

    def _config(self) -> Any:
        chance = self.chance
        if chance.random() < 0.05:
            return self.value()
        made = {**self._of_class(), **(self._keyed() if chance.random() < 0.3 else {})}
        for key in chance.sample(sorted(made), min(len(made), chance.choice((0, 0, 1, 2)))):
            made[key] = self.value()
        kind = made.get("model_type")
        for key in chance.sample(
            _asked(kind if isinstance(kind, str) else None), chance.choice((0, 1, 3, 8))
        ):
            made[key] = self.value()
        if chance.random() < 0.2:
            made[chance.choice(("text_config", "llm_config", "decoder", "vision_config"))] = self._of_class()
        if chance.random() < 0.1:
            layers = {str(number): self._keyed(0) for number in range(chance.choice((1, 3, 70)))}
            made["per_layer_config"] = layers
        return _readable(made)

    def _of_class(self) -> dict[str, Any]:
        """A config as a class of transformers has it by default, of a model that writes or does not."""
        model_type, entry = self.chance.choice(_classes())
        ending = self.chance.choice(("ForCausalLM", "ForConditionalGeneration", "Model", "ForCTC"))
        name = str(entry["class"]).removesuffix("Config")
        stated = dict(entry["defaults"]) if self.chance.random() < 0.7 else {}
        return {"model_type": model_type, "architectures": [name + ending], "dtype": "bfloat16", **stated}

    def _document(self, name: str) -> Any:
        chance = self.chance
        if chance.random() < 0.1:
            return self.value()
        if name == "modules.json":
            kinds = (
                "sentence_transformers.models.Pooling",
                "s.Dense",
                "s.Transformer",
                "a--b.C",
                self.text(),
            )
            return [
                {"type": chance.choice(kinds), "path": chance.choice(("", "1_Pooling", self.value(0)))}
                for _ in range(chance.choice((1, 3, 40)))
            ]
        if name == "model_index.json":
            parts = {key: [self.value(0), self.value(0)] for key in ("unet", "vae", self.text())}
            return {"_class_name": self.value(1), **parts}
        return self._keyed()

    def _front_matter(self) -> dict[str, Any]:
        keys = (
            *("license", "base_model", "base_model_relation", "tags", "language", "datasets", "model-index"),
            *("authors", "doi", "pipeline_tag", "library_name", "license_name", "license_link", "version"),
        )
        if self.chance.random() < 0.4:
            return {}
        return {key: self._yaml(2) for key in self.chance.sample(keys, self.chance.randrange(len(keys)))}

    def _yaml(self, depth: int) -> Any:
        way = self.chance.random()
        if depth and way < 0.3:
            return [self._yaml(depth - 1) for _ in range(self.chance.choice((0, 1, 3, 70)))]
        if depth and way < 0.4:
            return {self.text(): self._yaml(depth - 1)}
        return _readable(self.text())

    def _sections(self) -> tuple[Section, ...]:
        if self.chance.random() < 0.5:
            return ()
        lines = (
            *(
                "# Limitations",
                "## Bias",
                "text",
                "***",
                "<b>",
                "[a](b)",
                "![](",
                "<!--",
                "-->",
                "```",
                "===",
            ),
            *("**Developed by:** x", "arxiv.org/abs/2401.00001", "doi: 10.1234/x", "| a |", ""),
        )
        drawn = (self.chance.choice((*lines, self.text())) for _ in range(self.chance.randrange(40)))
        return read_sections(list(drawn))

    def _tensors(self) -> tuple[Tensor, ...]:
        chance = self.chance
        shapes = ((), (0,), (7,), (64, 64), (2**31, 2**31), (2**62, 4), (1, 1, 8, 8), (1,) * 64, (2**63 - 1,))
        dtypes = (*BITS, "Q4_K", "MXFP4", "\x1b[0m")
        return tuple(
            Tensor(
                chance.choice(("", "model.")) + chance.choice((*NAMES, self.text())),
                chance.choice(("BF16", chance.choice(dtypes))),
                chance.choice(shapes),
                chance.choice((0, 1, 2**40, 2**63 - 1)),
            )
            for _ in range(chance.choice((1, 3, 20)))
        )

    def _metadata(self) -> dict[str, Any]:
        """A header's scalars: of any type under any key, since the format allows that."""
        chance = self.chance
        name = chance.choice(("llama", "bert", "deepseek2", self.text()))
        keys = [word for word in _words() if "." in word or "_" in word]
        made = {
            chance.choice((f"{name}.", "", "general.")) + chance.choice(keys): self._scalar()
            for _ in range(20)
        }
        return {"general.architecture": name, f"{name}.block_count": chance.choice(INTEGERS), **made}

    def _scalar(self) -> Any:
        value = self.value(0)
        return _readable(self.text()) if value is None or isinstance(value, list | dict) else value

    def _pickle(self) -> PickleContent:
        names = [self.text() + ".x" for _ in range(self.chance.choice((0, 1, 200)))]
        return PickleContent(tuple(sorted({*names, UNKNOWN})), self.chance.random() < 0.5, "It is cut off.")

    def _weight_sets(self) -> tuple[WeightSet, ...]:
        chance = self.chance
        return tuple(
            WeightSet(chance.choice(tuple(WeightFormat)), (chance.choice(FILES),), None, primary=number == 0)
            for number in range(chance.randrange(4))
        )


@functools.cache
def _words() -> tuple[str, ...]:
    """The texts in the card's modules that may be keys or words of a config."""
    found: set[str] = set()
    for path in sorted(Path(dxwatchd.card.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    keys = [word for word in found if 2 <= len(word) <= 40 and not set(word) & set(" \n{}()")]
    parts = {part for word in keys for part in word.split("/") if part}
    return tuple(sorted({*keys, *parts}))


class _Listening(dict[str, Any]):
    """A config that notes for which keys it is asked."""

    asked: set[str]

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)


@functools.cache
def _asked(model_type: Any) -> list[str]:
    """The keys that a config of this type is asked for, of a model that writes text."""
    sizes = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size")
    config = _Listening(dict.fromkeys(sizes, 8), model_type=model_type, dtype="float16")
    config["architectures"] = ["XForCausalLM"]
    config.asked = set()
    model = ModelFolder("m", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())
    identity = Identity("a", "A", "m", "m", "")
    build_card(CardInputs(model, {"config.json": config}), identity)
    return sorted(config.asked)


@functools.cache
def _classes() -> tuple[tuple[str, dict[str, Any]], ...]:
    table = json.loads((Path(dxwatchd.card.__path__[0]) / "config" / "class_defaults.json").read_bytes())
    return tuple(sorted(table["model_types"].items()))


@functools.cache
def _documents(components: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all files that may be documents, the components' too."""
    names = [word for word in _words() if word.endswith(".json")]
    return (*names, *(f"{part}/{name}" for part in components for name in names))


def _readable(value: Any) -> Any:
    """What the JSON reader makes of a value: whole characters only."""
    if isinstance(value, str):
        return value.replace("\ud800", "\ufffd")
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    return list(map(_readable, value)) if isinstance(value, list) else value


def feed_cards(count: int, seed: int) -> Iterator[str]:
    """Make `count` cards; yields what went wrong."""
    for number in range(count):
        fuzz = Fuzz(random.Random(f"{seed} card {number}"))
        inputs, path = fuzz.inputs(), fuzz.chance.choice(PATHS)
        overrides = {key: fuzz.text() for key in ("base_model", "tags", "x")} if number % 9 == 0 else {}
        try:
            look_at(inputs, Identity("a-model", "A-Model", path, path, "sha256:0", overrides=overrides))
        except BaseException as error:  # noqa: BLE001 - whatever gets out is what is looked for
            yield f"card: {error!r:.600} at --seed {seed}, card {number}"
