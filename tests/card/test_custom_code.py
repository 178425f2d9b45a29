"""Whether a model needs its own code: what the configs name, and what the loaders have themselves."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.build import build_card
from dxwatchd.card.config.class_defaults import version
from dxwatchd.card.loading.custom_code import custom_code
from dxwatchd.card.parts import CustomCode
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import CardInputs, Identity, wanted_documents
from dxwatchd.card.values import Notes
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder
from tests.card.conftest import IDENTITY

BAICHUAN = {
    "model_type": "baichuan",
    "architectures": ["BaichuanForCausalLM"],
    "auto_map": {
        "AutoConfig": "configuration_baichuan.BaichuanConfig",
        "AutoModelForCausalLM": "modeling_baichuan.BaichuanForCausalLM",
    },
}
PHI3 = {
    "model_type": "phi3",
    "architectures": ["Phi3ForCausalLM"],
    "auto_map": {
        "AutoConfig": "configuration_phi3.Phi3Config",
        "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM",
    },
}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}


def folder(layout: Layout, files: tuple[str, ...] = (), components: tuple[str, ...] = ()) -> ModelFolder:
    """A folder of a layout with these files."""
    listed = tuple(ModelFile(name, 1) for name in files)
    return ModelFolder("p/m", layout, Kind.MODEL, (), (), components, listed)


def code(
    documents: dict[str, Any],
    *files: str,
    layout: Layout = Layout.TRANSFORMERS,
    components: tuple[str, ...] = (),
    notes: Notes | None = None,
) -> CustomCode:
    """The part of a folder with these documents and other files."""
    model = folder(layout, (*documents, *files), components)
    return custom_code(model, documents, notes or Notes())


class TestTransformers:
    """By model type, auto_map, and the names of the classes."""

    @pytest.mark.parametrize(
        ("config", "required"),
        [
            (LLAMA, False),
            (BAICHUAN, True),
            (PHI3, False),
            ({**PHI3, "model_type": "phi3_v"}, True),
            ({"model_type": "mimo"}, None),
            ({"architectures": ["LlamaForCausalLM"]}, None),
            ({"auto_map": BAICHUAN["auto_map"]}, True),
            ({"model_type": "x", "auto_map": {"AutoModel": "m.C"}}, True),
            ({"model_type": "x", "auto_map": {"AutoTokenizer": ["t.C", None]}}, None),
            ({"model_type": "x", "auto_map": {}}, None),
            ({"model_type": "x", "auto_map": {"AutoConfig": None}}, None),
            ({"model_type": "x", "auto_map": "m.C"}, None),
            ({"model_type": 7}, None),
            ({**LLAMA, "auto_map": {"AutoModel": 7}}, False),
            ([], None),
            (None, None),
        ],
    )
    def test_required(self, config: object, required: bool | None) -> None:
        """Needed where only the folder has a class; not known where nobody has one."""
        assert code({"config.json": config}).required is required

    def test_without_a_config_nothing_is_known(self) -> None:
        """And nothing is said."""
        notes = Notes()
        assert code({}, notes=notes) == CustomCode()
        assert (notes.warnings, notes.sources) == ([], {})

    @pytest.mark.parametrize(
        ("architecture", "model_type", "required"),
        [
            ("JinaBertForMaskedLM", "bert", None),
            ("Qwen2ForRewardModel", "qwen2", None),
            ("DeciLMForCausalLM", "llama", None),
            ("PhiMoEForCausalLM", "phimoe", False),
            ("Qwen2ForCausalLM", "qwen2", False),
            ("GPT2LMHeadModel", "gpt2", False),
            ("NemotronHForCausalLM", "nemotron_h", False),
        ],
    )
    def test_own_classes_under_a_known_type(
        self, architecture: str, model_type: str, required: bool | None
    ) -> None:
        """They would be loaded as something else, so only a class of its own gives a no."""
        notes = Notes()
        config = {
            "model_type": model_type,
            "architectures": [architecture],
            "auto_map": {"AutoModel": f"modeling.{architecture}"},
        }
        assert code({"config.json": config}, "modeling.py", notes=notes).required is required
        assert any(architecture in warning for warning in notes.warnings) == (required is None)

    def test_an_own_tokenizer_of_a_known_type(self) -> None:
        """Without tokenizer.json, which is read whatever the class is called, it may be needed."""
        documents = {
            "config.json": {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"]},
            "tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["t.TikTokenTokenizer", None]}},
        }
        assert code(documents).required is None
        assert code(documents, "tokenizer.json").required is False
        documents["tokenizer_config.json"] = {"auto_map": ["t.LlamaTokenizer", "t.LlamaTokenizerFast"]}
        assert code(documents).required is False

    def test_what_a_no_means_is_said(self) -> None:
        """The code is there, and is run by whoever trusts it."""
        notes = Notes()
        assert (
            code({"config.json": PHI3}, "configuration_phi3.py", "modeling_phi3.py", notes=notes).required
            is False
        )
        assert notes.warnings == [
            "The folder brings its own code, which is run only where trust_remote_code is given."
        ]
        assert notes.sources["custom_code.required"].startswith(f"default: transformers {version()} knows")
        quiet = Notes()
        code({"config.json": LLAMA}, notes=quiet)
        assert quiet.warnings == []

    def test_sources(self) -> None:
        """Each entry says from which file it is."""
        notes = Notes()
        code(
            {"config.json": BAICHUAN, "processor_config.json": {"auto_map": {"AutoProcessor": "p.P"}}},
            notes=notes,
        )
        assert notes.sources == {
            "custom_code.required": "config.json#/auto_map",
            "custom_code.auto_map.AutoConfig": "config.json#/auto_map/AutoConfig",
            "custom_code.auto_map.AutoModelForCausalLM": "config.json#/auto_map/AutoModelForCausalLM",
            "custom_code.auto_map.AutoProcessor": "processor_config.json#/auto_map/AutoProcessor",
        }


class TestReferences:
    """What the configs name, and where that is."""

    def test_all_forms(self) -> None:
        """One class, a slow and a fast one, by backend, and the tokenizers' old list."""
        found = code(
            {
                "config.json": BAICHUAN,
                "tokenizer_config.json": {"auto_map": ["t.Slow", None]},
                "preprocessor_config.json": {
                    "auto_map": {"AutoImageProcessor": {"torchvision": "i.Fast", "pil": "i.Slow"}}
                },
                "video_preprocessor_config.json": {"auto_map": {"AutoVideoProcessor": "v.V"}},
            }
        )
        assert found.auto_map == {
            "AutoConfig": ("configuration_baichuan.BaichuanConfig",),
            "AutoModelForCausalLM": ("modeling_baichuan.BaichuanForCausalLM",),
            "AutoTokenizer": ("t.Slow", None),
            "AutoImageProcessor": ("i.Fast", "i.Slow"),
            "AutoVideoProcessor": ("v.V",),
        }

    def test_files_that_disagree(self) -> None:
        """The first counts, and both are told."""
        notes = Notes()
        found = code(
            {
                "processor_config.json": {"auto_map": {"AutoProcessor": "one.P"}},
                "preprocessor_config.json": {"auto_map": {"AutoProcessor": "other.P"}},
            },
            notes=notes,
        )
        assert found.auto_map == {"AutoProcessor": ("one.P",)}
        assert notes.conflicts == [
            (
                "custom_code.auto_map.AutoProcessor",
                (("processor_config.json", "one.P"), ("preprocessor_config.json", "other.P")),
            )
        ]

    def test_code_elsewhere_and_missing_code(self) -> None:
        """What would be fetched, and what is not there."""
        notes = Notes()
        config = {
            "model_type": "x",
            "auto_map": {"AutoConfig": "org/code--configuration.C", "AutoModel": "sub.modeling.M"},
        }
        assert code({"config.json": config}, notes=notes).required is True
        assert notes.warnings == [
            "auto_map names code of org/code: trusting it fetches that and runs it.",
            "auto_map names sub.modeling.py, which is not in the folder.",
        ]
        there = Notes()
        code({"config.json": config}, "sub/modeling.py", notes=there)
        assert len(there.warnings) == 1

    def test_python_files(self) -> None:
        """All of them, sorted, whether or not anything names them."""
        notes = Notes()
        found = code({"config.json": LLAMA}, "z.py", "a/b.py", "c.pyc", "py", notes=notes)
        assert found.python_files == ("a/b.py", "z.py")
        assert found.required is False
        assert notes.sources["custom_code.python_files"] == "the names of the files"

    def test_code_that_loading_does_not_need(self) -> None:
        """It is run in other ways, which is said."""
        notes = Notes()
        config = {**LLAMA, "custom_pipelines": {"image-segmentation": {"impl": "MyPipe.RMBGPipe"}}}
        assert code({"config.json": config}, "custom_generate/generate.py", notes=notes).required is False
        assert [warning.split(" ", 1)[0] for warning in notes.warnings] == [
            "custom_generate/generate.py",
            "config.json",
        ]


class TestOtherLayouts:
    """Loaders that have other rules."""

    @pytest.mark.parametrize(
        "layout", [Layout.GGUF, Layout.WHISPER, Layout.TIMM, Layout.TENSORRT_LLM, Layout.MLC]
    )
    def test_runtimes_with_all_the_code(self, layout: Layout) -> None:
        """They look for none in the folder, whatever its configs name."""
        assert code({}, layout=layout).required is False
        assert code({"config.json": BAICHUAN}, layout=layout).required is False

    def test_nemo_is_not_known(self) -> None:
        """Its classes are named inside of the archive."""
        notes = Notes()
        assert code({}, layout=Layout.NEMO, notes=notes).required is None
        assert len(notes.warnings) == 1

    @pytest.mark.parametrize("layout", [Layout.MLX, Layout.ONNX, Layout.OPENVINO])
    def test_runtimes_with_classes_of_their_own(self, layout: Layout) -> None:
        """A yes of transformers is not theirs."""
        notes = Notes()
        assert code({"config.json": BAICHUAN}, layout=layout, notes=notes).required is None
        assert "custom_code.required" not in notes.sources
        assert code({"config.json": LLAMA}, layout=layout).required is False

    def test_mlx_with_a_model_file(self) -> None:
        """mlx-lm runs that file of the folder."""
        notes = Notes()
        config = {**LLAMA, "model_file": "model.py"}
        assert code({"config.json": config}, "model.py", layout=Layout.MLX, notes=notes).required is True
        assert "without asking" in notes.warnings[0]
        assert code({"config.json": config}, "model.py").required is False

    @pytest.mark.parametrize(
        ("library", "required"),
        [("transformers.models.whisper", False), ("transformers_modules.x.modeling", None), (None, False)],
    )
    def test_adapters(self, library: str | None, required: bool | None) -> None:
        """PEFT has the code of all; the base that it was made with may have had its own."""
        config = {"peft_type": "LORA", "auto_mapping": library and {"parent_library": library}}
        assert code({"adapter_config.json": config}, layout=Layout.PEFT).required is required

    @pytest.mark.parametrize(
        ("index", "files", "required"),
        [
            ({"_class_name": "FluxPipeline", "vae": ["diffusers", "AutoencoderKL"]}, (), False),
            (
                {"_class_name": "P", "safety_checker": ["stable_diffusion", "C"], "x": None, "y": []},
                (),
                False,
            ),
            ({"_class_name": ["pipeline", "MyPipeline"]}, ("pipeline.py",), True),
            ({"_class_name": "P", "unet": ["my_unet", "U"]}, ("unet/my_unet.py",), True),
            ({"_class_name": "P", "unet": ["my_unet", "U"]}, ("vae/my_unet.py",), False),
            ({"_class_name": "MyPipeline"}, ("pipeline.py",), None),
            ({}, (), None),
            ([], (), None),
        ],
    )
    def test_pipelines(self, index: object, files: tuple[str, ...], required: bool | None) -> None:
        """A component's library is a module of its folder only where that file is there."""
        found = code({"model_index.json": index}, *files, layout=Layout.DIFFUSERS)
        assert found.required is required

    @pytest.mark.parametrize(
        ("kinds", "files", "required", "word"),
        [
            (["sentence_transformers.models.Transformer"], (), False, ""),
            (["custom_st.Transformer"], ("custom_st.py",), True, "without trust_remote_code"),
            (["jinaai/jina-v3--custom_st.Transformer"], (), True, "jinaai/jina-v3--"),
            (["sentence_transformers.models.Transformer", "pylate.models.Dense"], (), None, "installed"),
            ([None], (), None, "no type"),
        ],
    )
    def test_sentence_transformers(
        self, kinds: list[str | None], files: tuple[str, ...], required: bool | None, word: str
    ) -> None:
        """A module that is not the library's own is the folder's, another repository's or installed."""
        notes = Notes()
        documents = {"config.json": LLAMA, "modules.json": [{"type": kind, "path": ""} for kind in kinds]}
        found = code(documents, *files, layout=Layout.SENTENCE_TRANSFORMERS, notes=notes)
        assert found.required is required
        assert word in " ".join(notes.warnings)

    def test_sentence_transformers_with_a_model_in_a_module(self) -> None:
        """The first module's folder has the config, and what that names counts."""
        documents = {
            "modules.json": [{"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"}],
            "0_Transformer/config.json": BAICHUAN,
        }
        found = code(documents, layout=Layout.SENTENCE_TRANSFORMERS, components=("0_Transformer",))
        assert found.required is True
        assert "AutoConfig" in found.auto_map


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
keyed = st.dictionaries(
    st.sampled_from(
        [
            "model_type",
            "auto_map",
            "architectures",
            "_class_name",
            "auto_mapping",
            "model_file",
            "custom_pipelines",
        ]
    )
    | st.text(),
    json_values,
    max_size=5,
)


@given(
    st.sampled_from(list(Layout)),
    st.dictionaries(
        st.sampled_from(
            [
                "config.json",
                "modules.json",
                "model_index.json",
                "tokenizer_config.json",
                "adapter_config.json",
            ]
        ),
        keyed | json_values | st.lists(keyed, max_size=3),
    ),
    st.lists(st.text(min_size=1), max_size=4),
)
def test_hostile_documents(layout: Layout, documents: dict[str, Any], files: list[str]) -> None:
    """Any JSON in any place gives a card that is written and read again."""
    inputs = CardInputs(folder(layout, (*documents, *files)), documents)
    card = build_card(inputs, IDENTITY)
    assert parse(dump(card)) == card


def test_a_long_auto_map_is_bounded() -> None:
    """As many entries as nobody has do not all get into the card."""
    config = {"model_type": "x", "auto_map": {f"AutoModel{i}": f"m{i}.C" for i in range(5000)}}
    notes = Notes()
    assert len(code({"config.json": config}, notes=notes).auto_map) == 64
    assert len(notes.warnings) <= 64


def test_the_configs_that_may_name_code_are_read() -> None:
    """A card is made from all of them."""
    names = ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json")
    assert set(names) <= set(wanted_documents(folder(Layout.TRANSFORMERS, (*names, "x.json"))))


@pytest.mark.oracle
def test_known_model_types_load_without_trust(
    families: Callable[[], Iterator[Any]], identity: Identity
) -> None:
    """What transformers refused without trust is never a no, and what it loaded is never a yes."""
    table: Counter[tuple[str, bool | None]] = Counter()
    for family in families():
        if family.expected.get("primary_config") not in family.expected["configs"]:
            continue
        said = family.expected["configs"][family.expected["primary_config"]]
        verdict = said.get("why") or said.get("status")
        required = build_card(family.inputs, identity).custom_code.required
        table[verdict, required] += 1
        if verdict == "remote-code":
            assert required is not False, family.name
        elif verdict == "ok":
            assert required is not True, family.name
    sys.stdout.write(f"\n{dict(table)}\n")
    assert table["remote-code", True] >= 18
    assert table["ok", False] >= 80


def test_every_auto_map_of_the_corpus(families: Callable[[], Iterator[Any]], identity: Identity) -> None:
    """All that a family's configs name is in its card, as it is written there."""
    compared = 0
    for family in families():
        config = family.inputs.documents.get("config.json")
        stated = config.get("auto_map") if isinstance(config, dict) else None
        if not stated:
            continue
        card = build_card(family.inputs, identity)
        for auto_class, reference in stated.items():
            assert card.custom_code.auto_map[auto_class][0] == reference, family.name
            assert card.sources[f"custom_code.auto_map.{auto_class}"].startswith("config.json#/auto_map/")
            compared += 1
    assert compared > 50
