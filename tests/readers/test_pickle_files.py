"""Which files of a folder are pickles, by their content, and what is said of those that are not read."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.core.pickles import UNKNOWN, PickleContent
from dxwatchd.readers import pickle_files
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.pickle_files import MAX_STEPS, may_be_pickle, read_file, read_folder
from dxwatchd.readers.pickle_globals import TOO_LARGE
from dxwatchd.readers.pickle_opcodes import Steps
from tests.layouts import making
from tests.readers.judging import Counting
from tests.readers.pickle_making import WEIGHTS_GLOBALS, Running, legacy, state_dict, torch_zip

HARMFUL = f"{os.system.__module__}.system"


def read(data: bytes, name: str = "pytorch_model.bin") -> PickleContent | None:
    """What is said of a file with this content."""
    return read_file(io.BytesIO(data), len(data), name, Steps(MAX_STEPS))


def tar() -> bytes:
    """A tar archive with a pickle in it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        member = tarfile.TarInfo("model_weights.ckpt")
        member.size = 3
        made.addfile(member, io.BytesIO(b"abc"))
    return target.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        *("pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "adapter_model.bin", "a/b/model.PT"),
        *("consolidated.00.pth", "v1.ckpt", "training_args.bin", "optimizer.pt", "random_states_0.pkl"),
        *(
            "model_head.pkl",
            "x.pickle",
            "head.joblib",
            "m.nemo",
            "rust_model.ot",
            ".msc",
            ".mdl",
            ".metadata",
        ),
        *("model_best.pth.tar", "__0_0.distcp"),
    ],
)
def test_names_that_pickles_have(name: str) -> None:
    """Weights of torch, a trainer's state, scikit-learn's models, ModelScope's notes."""
    assert may_be_pickle(name)


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "m.gguf", "config.json", "pkl", "a.pkl/config.json", "x.metadata", "m.onnx", "bin"],
)
def test_names_that_they_do_not_have(name: str) -> None:
    """Those files are not opened."""
    assert not may_be_pickle(name)


class TestZip:
    """Files of torch.save since 1.6."""

    @pytest.mark.parametrize("packed", [False, True])
    def test_weights(self, packed: bool) -> None:
        """Only torch's own globals, stored as torch does and packed as others do."""
        assert read(torch_zip(state_dict("a", "b"), packed=packed)) == PickleContent(WEIGHTS_GLOBALS)

    def test_all_pickles_in_it_count(self) -> None:
        """Whatever they are called, in whatever folder, in letters of either case."""
        inside = torch_zip(state_dict("a"), pickle.dumps(eval, 4))
        assert read(inside) == PickleContent(tuple(sorted(("builtins.eval", *WEIGHTS_GLOBALS))))
        upper = torch_zip(state_dict("a", x=Running())).replace(b"data.pkl", b"DATA.pKl")
        found = read(upper)
        assert found is not None
        assert HARMFUL in found.globals

    def test_without_pickles_it_is_none(self) -> None:
        """NumPy's archives are zip files too."""
        assert read(torch_zip()) is None

    @pytest.mark.parametrize("cut", [10, 200, -1])
    def test_cut_off_it_is_told_as_not_read(self, cut: int) -> None:
        """Without its directory nothing in it is found, and that is not the same as nothing to find."""
        found = read(torch_zip(state_dict("a"))[:cut])
        assert found is not None
        assert (found.globals, found.complete) == ((), False)
        assert "directory" in found.problem

    def test_behind_other_bytes_it_is_not_one(self) -> None:
        """torch.load looks at the first bytes only: what stands before an archive is unpickled."""
        data = pickle.dumps(Running(), 2) + torch_zip(state_dict("a"))
        found = read(data)
        assert found is not None
        assert (found.globals, found.complete) == ((HARMFUL,), False)
        two = torch_zip(state_dict("a", x=Running())) + torch_zip(state_dict("a"))
        behind = read(two)
        assert behind is not None
        assert not behind.complete

    def test_a_bomb_is_bounded(self) -> None:
        """What is in the part that is read is told, and that there is more."""
        found = read(torch_zip(pickle.dumps(eval, 2)[:-1] + b"0N" * 30_000_000 + b".", packed=True))
        assert found is not None
        assert (found.globals, found.complete) == (("__builtin__.eval",), False)

    def test_a_member_that_is_no_pickle(self) -> None:
        """Its name says that it is one, so it is not passed over."""
        found = read(torch_zip(b"\0\0\0 no pickle"))
        assert found is not None
        assert not found.complete

    def test_tensors_are_not_read(self, tmp_path: Path) -> None:
        """Of a large file only the directory and the pickle."""
        path = tmp_path / "pytorch_model.bin"
        path.write_bytes(torch_zip(state_dict(*"abcd"), tensors=0))
        small = Counting(path)
        with small:
            read_file(small, path.stat().st_size, path.name, Steps(MAX_STEPS))
        path.write_bytes(large_archive())
        with Counting(path) as stream:
            found = read_file(stream, path.stat().st_size, path.name, Steps(MAX_STEPS))
            assert found == PickleContent(WEIGHTS_GLOBALS)
            assert stream.count < small.count + 150_000  # an end record is looked for in the last 64 KiB


def large_archive() -> bytes:
    """Weights of 8 MB in one tensor."""
    target = io.BytesIO(torch_zip(state_dict(*"abcd")))
    with zipfile.ZipFile(target, "a") as made:
        made.writestr("archive/data/9", bytes(8 * 2**20))
    return target.getvalue()


class TestOthers:
    """Bare pickles, and what only looks like one."""

    @pytest.mark.parametrize("protocol", range(2, 6))
    def test_legacy_torch_files(self, protocol: int) -> None:
        """Five pickles and the tensors' numbers."""
        data = legacy(state_dict("a", protocol=protocol), bytes(1000), protocol)
        assert read(data) == PickleContent(WEIGHTS_GLOBALS)

    @pytest.mark.parametrize("protocol", range(6))
    @pytest.mark.parametrize("name", ["pytorch_model.bin", ".msc", "x.pkl"])
    @pytest.mark.promise(1, "pickles that run code when they are loaded")
    def test_hostile_pickles_of_all_protocols(self, protocol: int, name: str) -> None:
        """torch.load unpickles what is no zip archive, whatever its first byte."""
        assert read(pickle.dumps(Running(), protocol), name) == PickleContent((HARMFUL,))

    @pytest.mark.parametrize("head", [b"GGUF\x03\0\0\0\x010", b"G\0\0\0\0\0\0\0{0", b"(0", b"P<html>\n0"])
    def test_hostile_pickles_that_look_like_others(self, head: bytes) -> None:
        """A mark of another format at the start does not keep a pickle from being loaded."""
        found = read(head + b"cposix\nsystem\n(S'" + b"true;" * 40 + b"'\ntR.")
        assert found == PickleContent(("posix.system",))

    def test_a_hostile_pickle_that_looks_like_a_tar(self) -> None:
        """torch.load tries both."""
        data = b"cposix\nsystem\n(S'" + b"a" * 240 + b"ustar'\ntR."
        assert data[257:262] == b"ustar"
        assert read(data) == PickleContent(("posix.system",))

    @pytest.mark.parametrize(
        "data",
        [
            making.tensors(),
            making.tensors(0, 1, note="x" * 300),
            making.gguf_file(1),
            making.ggml(),
            making.ctranslate2(),
            making.openvino()["openvino_model.bin"],
            making.keras(),
            making.onnx_model()["model.onnx"],
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 7\n",
            b"",
            bytes(10_000),
            (0x280).to_bytes(8, "little") + b"{" + bytes(0x280),
        ],
    )
    def test_other_formats_are_none(self, data: bytes) -> None:
        """Weights of other runtimes are called .bin as well, and a safetensors header may begin like one."""
        assert read(data) is None

    def test_a_tar_archive_is_told_as_not_read(self) -> None:
        """A NeMo model holds torch's pickles; they are not looked into, and that is said."""
        found = read(tar(), "m.nemo")
        assert found is not None
        assert (found.globals, found.complete) == ((), False)
        assert "tar" in found.problem

    @pytest.mark.parametrize("name", ["m.nemo", "head.joblib", "x.pkl"])
    @pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
    def test_compressed_files_are_told_as_not_read(self, name: str, pack: object) -> None:
        """NeMo and joblib compress whole files."""
        assert callable(pack)
        found = read(pack(pickle.dumps(Running())), name)
        assert found is not None
        assert not found.complete
        assert "compressed" in found.problem

    @given(
        st.binary(max_size=600), st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"PK\x03\x04" + bytes(50)])
    )
    def test_random_bytes(self, data: bytes, head: bytes) -> None:
        """An answer, always."""
        found = read(head + data)
        assert found is None or found.complete == (not found.problem)


class TestFolder:
    """All files of a folder together."""

    def files(self, **contents: bytes) -> dict[str, PickleContent]:
        """What is said of the files of these contents."""
        named = {name.replace("_bin", ".bin"): data for name, data in contents.items()}
        return read_folder(lambda name: io.BytesIO(named[name]), named)

    def test_only_pickles_are_there(self) -> None:
        """By their names, in the order that they came in."""
        found = self.files(b_bin=torch_zip(state_dict("a")), a_bin=making.ggml(), c=pickle.dumps(eval))
        assert found == {"b.bin": PickleContent(WEIGHTS_GLOBALS)}

    def test_what_cannot_be_opened_is_there_as_not_read(self) -> None:
        """A file that nobody may read is not one without globals."""

        def refuse(name: str) -> BinaryIO:
            if name == "a.bin":
                raise ReaderError(Fault.UNREADABLE, "Not for you.")
            raise OSError(5, "gone")

        found = read_folder(refuse, ["a.bin", "b.bin"])
        assert [(content.complete, content.globals) for content in found.values()] == [(False, ())] * 2
        assert found["a.bin"].problem == "Not for you."

    def test_the_work_is_bounded_for_all_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that takes all leaves nothing for the others, and both say so."""
        monkeypatch.setattr(pickle_files, "MAX_STEPS", 1000)
        found = self.files(a_bin=b"\x80\x02" + b"N0" * 5000, b_bin=pickle.dumps(eval))
        assert [content.complete for content in found.values()] == [False, False]

    def test_the_number_of_files_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first that is one too many is there as not read."""
        monkeypatch.setattr(pickle_files, "MAX_FILES", 2)
        found = self.files(**{f"{name}_bin": pickle.dumps(eval) for name in "abcd"})
        assert [content.complete for content in found.values()] == [True, True, False]
        assert "2 files" in found["c.bin"].problem

    def test_the_names_are_bounded_for_all_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A card has no room for all that thousands of pickles may name; the rest counts as unknown."""
        monkeypatch.setattr(pickle_files, "MAX_NAMES", 400)
        found = self.files(**{f"{name}_bin": torch_zip(state_dict("a")) for name in "abcd"})
        assert [content.complete for content in found.values()] == [True, True, False]
        assert found["c.bin"].globals == (UNKNOWN,)
        assert "more than is listed" in found["c.bin"].problem

    def test_what_is_unpacked_is_paid_for(self) -> None:
        """A kilobyte may unpack to megabytes: a folder of such archives would take an hour."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(100):
                archive.writestr(f"{number}.pkl", bytes(2**20))
        begun = time.process_time()
        found = self.files(**{f"m{number}_bin": made.getvalue() for number in range(200)})
        assert time.process_time() - begun < 20
        assert not any(content.complete for content in found.values())
        assert found["m199.bin"].problem == TOO_LARGE
