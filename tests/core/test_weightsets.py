"""Which weight files belong together, and which of them are loaded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.filenames import MAX_SHARDS, index_format, numbered, weight_format
from dxwatchd.core.model import WeightFormat
from dxwatchd.core.weightsets import weight_sets
from tests.core.making import File, Tree, index, only, shards, snapshot, tensors


def sets(inside: Tree, prefix: str = "") -> list[tuple[tuple[str, ...], str | None]]:
    folder = snapshot({"m": inside}).folders["m"]
    found = weight_sets(folder, weight_format, prefix=prefix)
    assert [weights.primary for weights in found] == [True] * bool(found) + [False] * (len(found) - 1)
    return [(weights.files, weights.index) for weights in found]


def names(*numbers: int, total: int, stem: str = "model", suffix: str = "safetensors") -> tuple[str, ...]:
    return tuple(f"{stem}-{number:05d}-of-{total:05d}.{suffix}" for number in numbers)


def test_index_rules() -> None:
    """An index makes one set of all the files it names, also of those that are not there."""
    inside = {"model.safetensors.index.json": index(*names(1, 2, 3, total=3)), **shards(3, without=(2,))}
    assert sets(inside) == [(names(1, 2, 3, total=3), "model.safetensors.index.json")]


def test_index_of_a_variant() -> None:
    """Diffusers' index of a variant (`.index.fp16.json`) is an index too."""
    inside = {"unet.safetensors.index.fp16.json": index("a.fp16.safetensors", "b.fp16.safetensors")}
    assert sets(inside) == [
        (("a.fp16.safetensors", "b.fp16.safetensors"), "unet.safetensors.index.fp16.json")
    ]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("model.safetensors.index.json", WeightFormat.SAFETENSORS),
        ("pytorch_model.bin.index.json", WeightFormat.PYTORCH),
        ("diffusion_pytorch_model.safetensors.index.fp16.json", WeightFormat.SAFETENSORS),
        ("model.safetensors.index.json.bak", None),
        ("model_index.json", None),
    ],
)
def test_index_names(name: str, form: WeightFormat | None) -> None:
    """What is an index, and of which weights, is told by its name."""
    assert index_format(name) is form


@pytest.mark.parametrize(
    ("there", "promised"),
    [
        (names(1, 4, total=4), names(1, 2, 3, 4, total=4)),
        (names(0, 2, total=3), names(0, 1, 2, total=3)),
        (("model-1-of-2.safetensors",), ("model-1-of-2.safetensors", "model-2-of-2.safetensors")),
        (
            ("model-2-of-11.safetensors", "model-11-of-11.safetensors"),
            tuple(f"model-{number}-of-11.safetensors" for number in range(1, 12)),
        ),
        (
            ("model-00010-of-12.safetensors",),
            tuple(f"model-{number:05d}-of-12.safetensors" for number in range(1, 13)),
        ),
        (("m_00002-of-00002.safetensors",), ("m_00001-of-00002.safetensors", "m_00002-of-00002.safetensors")),
        (names(3, total=3, suffix="gguf"), names(1, 2, 3, total=3, suffix="gguf")),
    ],
)
def test_numbering(there: tuple[str, ...], promised: tuple[str, ...]) -> None:
    """Without an index a numbering promises every number, written as the others are."""
    (found,) = sets(dict.fromkeys(there, File()))
    assert found[0] == tuple(
        sorted(promised, key=lambda name: int(name.rpartition("-of")[0].strip("m_odel-")))
    )


@pytest.mark.parametrize(
    "name", ["model-00001-of-99999.safetensors", "model-7-of-6.safetensors", "model-1-of-0.safetensors",
             "model-٣-of-٤.safetensors", "model.safetensors", "a-00001-of-00002"]
)  # fmt: skip
def test_no_numbering(name: str) -> None:
    """A name must not promise more files than any model has, nor a number beyond its own total."""
    assert numbered(name) is None
    assert MAX_SHARDS < 99_999


@given(st.integers(1, 40), st.data())
def test_numbering_promises_all(total: int, data: st.DataObject) -> None:
    """Whichever shards are there, the set is the same full one."""
    everything = names(*range(1, total + 1), total=total)
    there = data.draw(st.lists(st.sampled_from(everything), min_size=1, unique=True))
    assert sets(dict.fromkeys(there, File())) == [(everything, None)]


@pytest.mark.parametrize(
    ("inside", "first"),
    [
        ({"pytorch_model.bin": 1, "model.safetensors": 1}, "model.safetensors"),
        ({"tf_model.h5": 1, "flax_model.msgpack": 1, "pytorch_model.bin": 1}, "pytorch_model.bin"),
        ({"consolidated.safetensors": 1, "model.safetensors": 1}, "model.safetensors"),
        ({"a.gguf": 1, "model.safetensors": 1}, "model.safetensors"),
        ({"b-Q8_0.gguf": 1, "a-Q4_K.gguf": 1}, "a-Q4_K.gguf"),
        ({"pytorch_model.bin": 1, **shards(2, without=(1,))}, "pytorch_model.bin"),
        (
            {"model.safetensors": 1, "model.safetensors.index.json": index("x-1.safetensors")},
            "model.safetensors",
        ),
        (
            {"consolidated.safetensors": 1, "model.safetensors.index.json": index(*shards(2)), **shards(2)},
            "model-00001-of-00002.safetensors",
        ),
    ],
)
def test_primary(inside: dict[str, Any], first: str) -> None:
    """First comes what is there in full, then the better format, then the usual name."""
    files = {name: File() if what == 1 else what for name, what in inside.items()}
    assert sets(files)[0][0][0] == first


def test_trainer_state_is_no_weights() -> None:
    """What a trainer leaves is not taken for the model's weights."""
    left = ("optimizer.bin", "scheduler.pt", "training_args.bin", "rng_state_0.pth", "random_states_0.pt")
    assert sets(dict.fromkeys(left, File())) == []


def test_prefix() -> None:
    """In a component the names are those relative to the model."""
    assert sets({"x.safetensors.index.json": index("x.safetensors")}, "unet/") == [
        (("unet/x.safetensors",), "unet/x.safetensors.index.json")
    ]


def test_gguf_variants_and_sidecars() -> None:
    """Each quantisation is a set, a split one is one set, a projector is none."""
    model, _ = only(
        {
            "m": {
                **dict.fromkeys(names(1, 2, total=2, stem="q8", suffix="gguf"), tensors()),
                "q4.gguf": tensors(),
                "mmproj-f16.gguf": tensors(),
            }
        }
    )
    assert [weights.files for weights in model.weight_sets] == [
        ("q4.gguf",),
        names(1, 2, total=2, stem="q8", suffix="gguf"),
    ]
