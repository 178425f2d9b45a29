"""Lists what transformers knows, for `dxwatchd/card/known_model_types.py`.

Run by hand after an update of transformers, without torch: `python -m tests.card.list_model_types`. The
names of classes are taken apart, "LlamaForCausalLM" into "Llama" and "ForCausalLM", since all of them
together would be five times as much to read.
"""

from __future__ import annotations

import importlib
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conftest import REPOSITORY

OUT = REPOSITORY / "dxwatchd" / "card" / "known_model_types.py"

_PARTS = re.compile(
    r"(.+?)((?:Text|Vision|Audio)?(?:For[A-Z]|Model|LMHead|WithLMHead|Backbone|Encoder|Decoder|Transformer"
    r"|BaseModel|DoubleHeads).*)"
)

TEMPLATE = '''"""What transformers loads with classes of its own.

Made by `python -m tests.card.list_model_types`.
Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/auto
(`CONFIG_MAPPING_NAMES`, and the `MODEL_*_MAPPING_NAMES` taken apart into families and heads)
"""

from __future__ import annotations

VERSION = "{version}"
"""Of transformers."""

_MODEL_TYPES = """
{model_types}
"""
_FAMILIES = """
{families}
"""
_HEADS = """
{heads}
"""

MODEL_TYPES = frozenset(_MODEL_TYPES.split())
"""Values of `model_type` in config.json."""
FAMILIES = frozenset(_FAMILIES.split())
"""What the names of its model classes begin with, in lower case."""
HEADS = frozenset(_HEADS.split())
"""What they end with, in lower case."""
'''


def model_types() -> set[str]:
    """Every `model_type` that `AutoConfig` takes without code from elsewhere."""
    mapping = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING_NAMES
    return set(mapping)


def class_names() -> set[str]:
    """The classes behind all `AutoModel…` classes."""
    module = importlib.import_module("transformers.models.auto.modeling_auto")
    found: set[str] = set()
    for key, mapping in vars(module).items():
        if key.startswith("MODEL_") and key.endswith("_MAPPING_NAMES"):
            found.update(_flat(mapping.values()))
    return found


def _flat(values: Iterable[str | tuple[str, ...]]) -> Iterator[str]:
    for value in values:
        yield from (value,) if isinstance(value, str) else value


def taken_apart(names: Iterable[str]) -> tuple[set[str], set[str]]:
    """Families and heads of these classes, in lower case; a name that has no known head is left out."""
    matches = [match for match in map(_PARTS.fullmatch, names) if match is not None]
    return {match[1].lower() for match in matches}, {match[2].lower() for match in matches}


def _lines(words: Iterable[str]) -> str:
    return textwrap.fill(
        " ".join(sorted(words)),
        108,
        initial_indent=" " * 4,
        subsequent_indent=" " * 4,
        break_on_hyphens=False,
        break_long_words=False,
    )


def render(version: str) -> str:
    """The whole module."""
    families, heads = taken_apart(class_names())
    return TEMPLATE.format(
        version=version,
        model_types=_lines(model_types()),
        families=_lines(families),
        heads=_lines(heads),
    )


if __name__ == "__main__":
    Path(OUT).write_text(render(importlib.import_module("transformers").__version__), encoding="utf-8")
