"""The card's safety facts: which pickles, what they import, what of it weights do not need."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.build import build_card
from dxwatchd.card.loading.integrity import integrity
from dxwatchd.card.loading.weights_only import ALLOWED
from dxwatchd.card.parts import Integrity, PickleFile
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import CardInputs
from dxwatchd.card.values import LIST_LIMIT, Notes
from dxwatchd.core.layouts import find
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder, WeightFormat, WeightSet
from dxwatchd.core.pickles import UNKNOWN, PickleContent
from dxwatchd.scan import Scanner
from tests.card.conftest import IDENTITY
from tests.layouts import making
from tests.readers.pickle_making import WEIGHTS_GLOBALS, Running, legacy, state_dict, torch_zip
from tests.test_cardmaking import card_of

WEIGHTS = PickleContent(WEIGHTS_GLOBALS)
HARMFUL = PickleContent(("collections.OrderedDict", "posix.system"))


def model(*formats: WeightFormat) -> ModelFolder:
    """A folder with weight sets of these formats."""
    sets = tuple(WeightSet(form, (f"weights.{form.value}",)) for form in formats)
    return ModelFolder("p/m", Layout.TRANSFORMERS, Kind.MODEL, (), sets, (), ())


def part(pickles: dict[str, PickleContent], *formats: WeightFormat, notes: Notes | None = None) -> Integrity:
    """The part of a folder with these pickles."""
    return integrity(model(*formats), pickles, notes or Notes())


def test_no_pickles() -> None:
    """Nothing is said where nothing was found, and never that anything is safe."""
    notes = Notes()
    assert part({}, WeightFormat.SAFETENSORS, notes=notes) == Integrity()
    assert notes.sources == {}


def test_weights_name_what_weights_need() -> None:
    """All is listed, nothing is disallowed."""
    notes = Notes()
    found = part({"pytorch_model.bin": WEIGHTS}, WeightFormat.PYTORCH, notes=notes)
    assert found.pickle_present
    assert found.pickles == (PickleFile(name="pytorch_model.bin", globals=WEIGHTS_GLOBALS, complete=True),)
    assert (found.disallowed_globals, found.warnings) == ((), ())
    assert notes.sources == {"integrity.pickles": "derived: the opcodes of the pickles"}
    assert found.status == "pending"


def test_what_weights_do_not_need_is_told() -> None:
    """By file and for all together, with a sentence on what it means."""
    found = part({"b.bin": HARMFUL, "a.bin": WEIGHTS, "c.pt": PickleContent(("builtins.eval",))})
    assert [pickle.name for pickle in found.pickles] == ["a.bin", "b.bin", "c.pt"]
    assert [pickle.disallowed for pickle in found.pickles] == [(), ("posix.system",), ("builtins.eval",)]
    assert found.disallowed_globals == ("builtins.eval", "posix.system")
    assert found.warnings[0] == (
        "b.bin names posix.system, which no weights need: loading it runs code; "
        "do not load it without reading it."
    )


def test_a_trainers_state_is_not_called_weights() -> None:
    """It always holds more than tensors; the loader's default refuses it all the same."""
    (warning,) = part({"training_args.bin": PickleContent(("transformers.x.A",))}).warnings
    assert "which torch.load refuses by default" in warning


def test_safetensors_beside_are_pointed_to() -> None:
    """Loaders prefer them, so the pickle may go unread; without them, or for other files, it is not said."""
    beside = (WeightFormat.SAFETENSORS, WeightFormat.PYTORCH)
    assert "safetensors" in part({"pytorch_model.bin": HARMFUL}, *beside).warnings[-1]
    assert len(part({"pytorch_model.bin": WEIGHTS}, *beside).warnings) == 0
    assert len(part({"pytorch_model.bin": HARMFUL}, WeightFormat.PYTORCH).warnings) == 1
    assert len(part({"optimizer.pt": HARMFUL}, *beside).warnings) == 1


def test_not_looked_into_is_not_no_globals() -> None:
    """What could not be read to its end says so, in the part and in words."""
    found = part({"m.nemo": PickleContent(complete=False, problem="It is a tar archive.")})
    assert found.pickle_present
    assert not found.pickles[0].complete
    assert found.warnings == (
        "m.nemo was not read to its end: It is a tar archive. What else it names is not known.",
    )


def test_names_that_are_not_spelled_out() -> None:
    """They are disallowed, and many are counted rather than listed in the sentence."""
    found = part({"a.bin": PickleContent(tuple(sorted((UNKNOWN, *(f"m.f{i}" for i in range(9))))))})
    assert UNKNOWN in found.disallowed_globals
    assert "and 6 more" in found.warnings[0]
    (alone,) = part({"a.bin": PickleContent((UNKNOWN,))}).warnings
    assert "a global that it does not spell out" in alone


def test_many_warnings_are_cut_with_a_word() -> None:
    """A folder of hostile files does not fill the card with sentences; the files are all listed."""
    found = part({f"{i}.bin": HARMFUL for i in range(300)})
    assert len(found.warnings) == LIST_LIMIT
    assert found.warnings[-1] == f"{300 - LIST_LIMIT + 1} more warnings are left out."
    assert len(found.pickles) == 300


@given(st.dictionaries(st.text(), st.builds(PickleContent, st.lists(st.text()).map(tuple), st.booleans())))
def test_any_names_fit_the_card(pickles: dict[str, PickleContent]) -> None:
    """Whatever a pickle calls its globals, the card is written and read again."""
    inputs = CardInputs(model(), pickles=pickles)
    card = build_card(inputs, IDENTITY)
    assert parse(dump(card)) == card
    assert len(card.integrity.pickles) == len(pickles)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "collections.OrderedDict",
            "torch._utils._rebuild_tensor_v2",
            "torch.FloatStorage",
            "torch.float8_e4m3fn",
        ),
        *(
            "torch.nn.parameter.Parameter",
            "torch.BFloat16Storage",
            "torch.storage.UntypedStorage",
            "torch.Size",
        ),
        *(
            "torch.cuda.HalfStorage",
            "torch.sparse.FloatTensor",
            "torch.device",
            "torch.serialization._get_layout",
        ),
        *("torch._tensor._rebuild_from_type_v2", "__builtin__.set", "torch.uint7"),
    ],
)
def test_what_weights_need(name: str) -> None:
    """What torch's restricted unpickler takes."""
    assert name in ALLOWED


@pytest.mark.parametrize(
    "name",
    [
        *("posix.system", "builtins.eval", "__builtin__.eval", "builtins.getattr", "os.system", "torch.load"),
        *("torch.hub.load", "torch._utils._rebuild", "torch.storage._load_from_bytes", "torch.jit.load"),
        *(
            "numpy.core.multiarray._reconstruct",
            "functools.partial",
            "collections.deque",
            UNKNOWN,
            "torch.",
            ".",
        ),
        *("torch.sparse.BoolTensor", "torch.nn.modules.linear.Linear", "torch.FloatStorage.x", "torch.cuda"),
    ],
)
def test_what_they_do_not_need(name: str) -> None:
    """Near misses, and what has run code in pickles that were found in the wild."""
    assert name not in ALLOWED


class TestFolders:
    """From real files to the card."""

    def test_weights_and_a_trainers_state(self, tmp_path: Path) -> None:
        """Shards, a legacy file and what a trainer left; the digests' words stay as they were."""
        folder = tmp_path / "m"
        making.lay({"m/config.json": making.CONFIG}, tmp_path)
        (folder / "pytorch_model.bin").write_bytes(torch_zip(state_dict("a", "b")))
        (folder / "old.pt").write_bytes(legacy(state_dict("a"), bytes(100)))
        (folder / "training_args.bin").write_bytes(torch_zip(pickle.dumps(ModelFile("x", 1), 2)))
        (folder / "other.bin").write_bytes(making.ggml())
        card = card_of(tmp_path)
        listed = {pickle.name: pickle for pickle in card.integrity.pickles}
        assert set(listed) == {"pytorch_model.bin", "old.pt", "training_args.bin"}
        assert listed["pytorch_model.bin"].globals == WEIGHTS_GLOBALS
        assert listed["old.pt"].disallowed == ()
        assert "dxwatchd.core.model.ModelFile" in listed["training_args.bin"].disallowed
        assert card.sources["integrity.pickles"]
        assert card.integrity.status == "pending"

    def test_a_hostile_folder(self, tmp_path: Path) -> None:
        """It is told what loading would run, and nothing of it was."""
        folder = tmp_path / "m"
        making.lay({"m/config.json": making.CONFIG, "m/model.safetensors": making.tensors()}, tmp_path)
        mark = tmp_path / "loaded"

        class Touching:
            def __reduce__(self) -> Any:
                return os.system, (f"touch {mark}",)

        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touching(), 0))
        (folder / "adapter.pt").write_bytes(torch_zip(state_dict("a", x=Running()), packed=True))
        (folder / ".msc").write_bytes(pickle.dumps(Touching(), 4))
        card = card_of(tmp_path)
        assert card.integrity.disallowed_globals == (f"{os.system.__module__}.system",)
        assert {pickle.name for pickle in card.integrity.pickles} == {
            "pytorch_model.bin",
            "adapter.pt",
            ".msc",
        }
        assert "safetensors" in card.integrity.warnings[-1]
        assert not mark.exists()

    def test_a_link_out_of_the_root_is_not_followed(self, tmp_path: Path) -> None:
        """Somebody else's pickle is none of the folder's."""
        root = tmp_path / "root"
        making.lay({"m/config.json": making.CONFIG, "m/model.safetensors": making.tensors()}, root)
        (tmp_path / "secret.pkl").write_bytes(pickle.dumps(Running()))
        (root / "m" / "x.pkl").symlink_to(tmp_path / "secret.pkl")
        card = card_of(root)
        assert card.integrity.disallowed_globals == ()

    def test_no_recipe_of_the_corpus_has_what_is_not_there(
        self, corpus: Path, make_folder: Callable[..., Any], tmp_path: Path
    ) -> None:
        """A family's own .bin files of other formats are no pickles: GGML and git-LFS pointers."""
        for family in ("ggml-whisper-legacy", "longformer-lfs-config", "faster-whisper-small-ct2"):
            make_folder(family, tmp_path / family)
        seen = Scanner(tmp_path, (), None).look(None, lambda: False)
        models = find(seen).models
        assert len(models) == 3
        for found in models:
            assert card_of(tmp_path, found.path).integrity.pickles == ()
