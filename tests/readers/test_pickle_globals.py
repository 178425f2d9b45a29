"""Pickles told by their opcodes: which globals they name, whatever they do to hide them, and never loaded."""

from __future__ import annotations

import builtins
import collections
import datetime
import io
import os
import pickle
import pickletools
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.core.pickles import UNKNOWN, PickleContent
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.pickle_globals import MAX_GLOBALS, MAX_HELD, read_pickles
from dxwatchd.readers.pickle_opcodes import MAX_NAME, OutOfStepsError, Steps, operations
from tests.readers.judging import Counting
from tests.readers.pickle_making import WEIGHTS_GLOBALS, Running, legacy, state_dict

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
SYSTEM = b"cposix\nsystem\n(S'true'\ntR."


def read(data: bytes, steps: int = 100_000) -> PickleContent | None:
    """What is said of these bytes."""
    return read_pickles(io.BytesIO(data), 0, len(data), Steps(steps))


def globals_of(data: bytes) -> tuple[str, ...]:
    """The globals of a whole pickle."""
    found = read(data)
    assert found is not None
    assert found.complete, found.problem
    return found.globals


class Named:
    """An object of a class of its own, with one inside."""

    def __init__(self) -> None:
        self.inner = datetime.timedelta(1)


class Nested:
    """Calls a function with what another function gave."""

    def __reduce__(self) -> Any:
        return builtins.eval, ("1", {"inner": Running()})


class TestNames:
    """What is found in true pickles."""

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_of_objects(self, protocol: int) -> None:
        """Classes of all protocols, also those that copyreg rebuilds."""
        found = globals_of(pickle.dumps([Named(), collections.OrderedDict(a=1)], protocol))
        assert {f"{__name__}.Named", "datetime.timedelta", "collections.OrderedDict"} <= set(found)

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_of_what_runs_code(self, protocol: int) -> None:
        """Functions with arguments, one inside the other."""
        found = globals_of(pickle.dumps(Nested(), protocol))
        module = "__builtin__" if protocol < 3 else "builtins"
        assert found == (f"{module}.eval", f"{os.system.__module__}.system")

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_each_once_and_sorted(self, protocol: int) -> None:
        """A name that the memo gives again is not another one."""
        data = pickle.dumps([os.system, eval, os.system, collections.Counter("a")] * 50, protocol)
        found = globals_of(data)
        assert list(found) == sorted(set(found))
        assert len(found) >= 3

    @pytest.mark.parametrize("protocol", range(2, 6))
    def test_of_weights(self, protocol: int) -> None:
        """A dict of tensors needs torch's own few."""
        assert globals_of(state_dict("a", "b", protocol=protocol)) == WEIGHTS_GLOBALS

    @pytest.mark.oracle
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_as_the_unpickler_finds_them(self, protocol: int) -> None:
        """What the standard library's unpickler asks for when it loads the same."""
        asked: set[str] = set()

        class Watching(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                asked.add(f"{module}.{name}")
                return super().find_class(module, name)

        things = [Named(), collections.OrderedDict(a=1), collections.deque([1]), frozenset({2}), slice, len]
        data = pickle.dumps([things, things], protocol)
        Watching(io.BytesIO(data)).load()
        renamed = {
            name.replace("__builtin__.", "builtins.").replace("copy_reg.", "copyreg.") for name in asked
        }
        ours = {
            name.replace("__builtin__.", "builtins.")
            .replace("copy_reg.", "copyreg.")
            .replace(".xrange", ".range")
            for name in globals_of(data)
        }
        assert ours == renamed

    plain = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=900),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=30,
    )

    @given(plain, st.integers(4, pickle.HIGHEST_PROTOCOL))
    def test_plain_objects_name_none(self, thing: object, protocol: int) -> None:
        """Numbers, texts, bytes, lists and dicts of any depth import nothing."""
        assert globals_of(pickle.dumps(thing, protocol)) == ()

    @given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
    def test_the_operations_are_those_of_pickletools(self, thing: object, protocol: int) -> None:
        """The same opcodes at the same places as `genops` gives them, and the end is the pickle's."""
        data = pickle.dumps(thing, protocol)
        ours = list(operations(io.BytesIO(data + b"more"), 0, len(data), Steps(10**6)))
        theirs = [(opcode.name, position) for opcode, _, position in pickletools.genops(data)]
        assert [operation.opcode.name for operation in ours] == [name for name, _ in theirs]
        starts = [0, *(operation.end for operation in ours)]
        assert starts[:-1] == [position for _, position in theirs]
        assert starts[-1] == len(data)


class TestHiding:
    """Names that a pickle does not just write down."""

    @pytest.mark.parametrize(
        "data",
        [
            b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
            b"\x80\x04X\x05\0\0\0posixX\x06\0\0\0system\x93.",
            b"\x80\x04\x8d\x05\0\0\0\0\0\0\0posixU\x06system\x93.",
            b"\x80\x04S'posix'\nS\"system\"\n\x93.",
            b"\x80\x04Vposix\nVsystem\n\x93.",
            b"\x80\x04T\x05\0\0\0posix\x8c\x06system\x93.",
            b"\x80\x04\x8c\x06system\x94\x8c\x05posixh\x00\x93.",
            b"\x80\x04\x8c\x05posixq\x07\x8c\x06systemq\x0900h\x07h\x09\x93.",
            b"\x80\x04\x8c\x05posixr\x07\0\0\x010\x8c\x06systemp12\n0j\x07\0\0\x01g12\n\x93.",
            b"\x80\x04\x8c\x05posix\x940\x8c\x06system\x940g0\nh\x01\x93.",
            b"\x80\x04\x8c\x05posix2q\x0500h\x05\x8c\x06system\x93.",
            b"\x80\x04(\x8c\x04junk1\x8c\x05posix(NNN1\x8c\x06system\x93.",
            b"\x80\x04(l0\x8c\x05posix\x8c\x06systemN0\x93.",
            b"\x80\x04\x8c\x03foo\x94\x8c\x05posixq\x000\x8c\x06system\x94h\x00h\x01\x93.",
        ],
    )
    def test_texts_from_the_stack_and_the_memo(self, data: bytes) -> None:
        """However the two texts come to the top of the stack."""
        assert globals_of(data) == ("posix.system",)

    @pytest.mark.parametrize("protocol", [b"", b"\x80\x02"])
    @pytest.mark.parametrize(
        "data",
        [SYSTEM, b"(S'true'\niposix\nsystem\n.", b"(cposix\nsystem\nS'true'\no.", b"cposix\nsystem\n)\x81."],
    )
    def test_names_in_opcodes(self, data: bytes, protocol: bytes) -> None:
        """GLOBAL for REDUCE, OBJ and NEWOBJ, and INST, with a protocol and without one."""
        assert globals_of(protocol + data) == ("posix.system",)

    @pytest.mark.parametrize(
        "data",
        [
            b"\x80\x02\x82\x01.",
            b"\x80\x02\x83\x01\x02.",
            b"\x80\x02\x84\x01\0\0\0.",
            b"\x82\x01.",
            b"\x80\x04\x8c\x05posixN\x93.",
            b"\x80\x04NN\x93.",
            b"\x80\x04\x8c\x05posixC\x06system\x93.",
            b"\x80\x04\x8c\x05posixh\x63\x93.",
            b"\x80\x04\x8c\x05posixS'sys\\x74em'\n\x93.",
            b"\x80\x04\x8c\x05posixVsys\\u0074em\n\x93.",
            b"\x80\x04\x8c\x05posix\x8c\x02\xff\xff\x93.",
            b"\x80\x04\x8c\x05posixX\xf5\x01\0\0" + b"a" * (MAX_NAME + 1) + b"\x93.",
            b"\x80\x04\x8c\x05posix(lN\x85\x93.",
            b"\x80\x02c" + b"m" * (MAX_NAME + 1) + b"\nn\n.",
            b"\x80\x02cm\n" + b"n" * 10_000 + b"\n.",
            b"\x80\x02c\xff\nn\n.",
        ],
    )
    def test_what_cannot_be_told_is_unknown(self, data: bytes) -> None:
        """Extension codes, computed or escaped names, names that are too long or no text."""
        assert globals_of(data) == (UNKNOWN,)

    def test_persistent_ids_name_nothing(self) -> None:
        """What they stand for is the loader's, not the pickle's."""
        assert globals_of(b"\x80\x02Psomething\n0X\x01\0\0\0aQ.") == ()

    def test_after_payloads_and_frames(self) -> None:
        """Bytes that look like opcodes inside of other arguments are none, and what follows is found."""
        inside = b"cposix\nsystem\n" * 100
        data = pickle.dumps([inside, bytearray(inside), inside.decode(), os.system], 5)
        assert globals_of(data) == ("posix.system",)

    def test_names_with_dots_and_without_module(self) -> None:
        """They are told as they stand there."""
        assert globals_of(b"\x80\x04\x8c\x02os\x8c\x0cpath.expandu\x93.") == ("os.path.expandu",)
        assert globals_of(b"\x80\x02c\n\n.") == (".",)
        assert globals_of(b"\x80\x02c" + "модуль\nимя\n.".encode()) == ("модуль.имя",)


class TestSeveral:
    """Pickles one after another."""

    @pytest.mark.parametrize("protocol", range(2, 6))
    def test_a_legacy_torch_file(self, protocol: int) -> None:
        """Five pickles and then numbers, which may begin like another pickle."""
        for numbers in (b"", b"\x80\x02" + bytes(98), b"cos\nsystem\n"):
            data = legacy(state_dict("a", protocol=protocol), numbers, protocol)
            assert globals_of(data) == WEIGHTS_GLOBALS

    def test_the_object_in_a_legacy_file_counts(self) -> None:
        """It is the fourth pickle."""
        assert "posix.system" in globals_of(legacy(state_dict("a", x=Running())))

    def test_a_false_magic_number_hides_nothing(self) -> None:
        """A first pickle that does more than state the number is no legacy file's."""
        more = pickle.dumps([0x1950A86A20F9469CFC6C], 2) + pickle.dumps(0, 2) * 5 + pickle.dumps(os.system, 2)
        assert globals_of(more) == ("posix.system",)

    def test_all_are_read(self) -> None:
        """To the end of the file, each with a memo of its own."""
        data = pickle.dumps("posix", 4) + b"\x80\x04\x8c\x03foo\x94\x8c\x01x\x93." + pickle.dumps(eval, 4)
        assert globals_of(data) == ("builtins.eval", "foo.x")

    @pytest.mark.parametrize("more", [b"\0", b"numbers", SYSTEM])
    def test_other_bytes_behind_are_told(self, more: bytes) -> None:
        """The names of the pickle itself stay, but that is not all of the file."""
        found = read(pickle.dumps(collections.Counter, 3) + more)
        assert found is not None
        assert (found.globals, found.complete) == (("collections.Counter",), False)

    def test_joblib_arrays_end_the_reading(self) -> None:
        """It writes raw numbers after the opcode that describes them; they are not taken for opcodes."""
        wrapper = b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}b"
        found = read(wrapper + b"cjunk\nthat is none\n" + bytes(80))
        assert found is not None
        assert found.globals == ("joblib.numpy_pickle.NumpyArrayWrapper",)
        assert "joblib" in found.problem


class TestBounds:
    """Whatever the bytes are, the reading ends soon, small, and with a word."""

    @given(st.binary(max_size=400), st.sampled_from([b"", b"\x80\x02", b"\x80\x04", SYSTEM[:-1]]))
    def test_random_bytes(self, data: bytes, head: bytes) -> None:
        """Never anything but an answer; and none is ever loaded."""
        found = read(head + data)
        assert found is None or found.complete == (not found.problem)

    @given(st.data())
    def test_spoiled_pickles(self, data: st.DataObject) -> None:
        """One changed byte, anywhere."""
        raw = bytearray(pickle.dumps([Named(), Running(), "text" * 30, b"b" * 300], 2))
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        found = read(bytes(raw))
        assert found is None or len(found.globals) < 10

    @given(st.data())
    def test_cut_pickles(self, data: st.DataObject) -> None:
        """A pickle that was cut off is not complete, and keeps what was read of it."""
        raw = state_dict("a", "b", x=Running())
        cut = data.draw(st.integers(2, len(raw) - 1))
        found = read(raw[:cut])
        assert found is not None
        assert not found.complete
        assert set(found.globals) <= {*WEIGHTS_GLOBALS, "posix.system"}
        assert ("posix.system" in found.globals) == (cut >= raw.index(b"cposix\nsystem\n") + 14)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\0" * 100,
            b"N.more",
            b"{}",
            b"GGUF\x03\0\0\0\x23\x01",
            b"lmgg" + bytes(20),
            b"\x8c",
            b"\x80",
            b"\x80\x09N.",
            b"0",
            b"RRRR",
            b"version https://git-lfs.github.com/spec/v1\n",
            b"config.yaml" + bytes(500) + b"\nx\n",
        ],
    )
    def test_what_is_no_pickle(self, data: bytes) -> None:
        """Other files are not taken for one, though all bytes are opcodes somewhere."""
        assert read(data) is None

    @pytest.mark.parametrize("data", [b"N.", b"(dp0\n.", b"I01\n."])
    def test_old_protocols_have_no_mark(self, data: bytes) -> None:
        """What ends with its first pickle is one."""
        assert read(data) == PickleContent()

    @pytest.mark.parametrize(
        "data",
        [
            b"\x80\x02.",
            b"\x80\x020.",
            b"\x80\x02R.",
            b"\x80\x02t.",
            b"\x80\x02q\x01.",
            b"\x80\x02\x94.",
            b"\x80\x02pnothing\n.",
            b"\x80\x02T\xff\xff\xff\xff.",
            b"\x80\x02\xff.",
            b"\x80\x02\x80\x09N.",
            b"\x80\x02N",
            b"\x80\x02",
            b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
            b"\x80\x02\x8b\0\0\0\x80.",
            b"\x80\x02cposix",
            b"\x80\x02cposix\nsystem",
        ],
    )
    def test_broken_pickles_say_so(self, data: bytes) -> None:
        """Stack underflow, no number, negative and impossible lengths, no opcode, the end too early."""
        found = read(data)
        assert found is not None
        assert found.globals == ()
        assert found.problem.endswith(".")

    @pytest.mark.parametrize(
        ("data", "word"),
        [
            (b"\x80\x02" + b"(" * (MAX_HELD + 1), "at once"),
            (b"\x80\x02N" + b"2" * (MAX_HELD + 1), "at once"),
            (b"\x80\x04N" + b"\x94" * (MAX_HELD + 1), "remembers"),
            (b"\x80\x04" + b"N0" * 600_000, "too large"),
            (b"\x80\x02" + b"".join(b"cm\nn%d\n0" % i for i in range(MAX_GLOBALS + 1)), "different globals"),
            (b"\x80\x02V" + b"a" * 80_000_000, "too large"),
        ],
        ids=["marks", "copies", "memo", "operations", "globals", "line"],
    )
    def test_too_much(self, data: bytes, word: str) -> None:
        """Each of them ends the reading within its bound of memory."""
        stream = io.BytesIO(data)
        tracemalloc.start()
        found = read_pickles(stream, 0, len(data), Steps(1_000_000))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found is not None
        assert word in found.problem
        assert not found.complete
        assert len(found.globals) <= MAX_GLOBALS
        assert peak < 48 * 2**20

    def test_texts_that_are_kept_are_bounded(self) -> None:
        """Many different texts in the memo do not fill the memory; the last of them are then unknown."""
        texts = b"".join(b"\x8c\xc8" + b"%0200d" % i + b"\x940" for i in range(30_000))
        first, last = b"h\0h\0\x93", b"j\x2f\x75\0\0j\x2f\x75\0\0\x93"
        data = b"\x80\x04" + texts + first + last + b"."
        tracemalloc.start()
        found = read_pickles(io.BytesIO(data), 0, len(data), Steps(1_000_000))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == PickleContent((f"{0:0200}.{0:0200}", UNKNOWN))
        assert peak < 24 * 2**20

    def test_payloads_are_not_read(self, tmp_path: Path) -> None:
        """A gigabyte of numbers inside of a pickle is passed over."""
        path = tmp_path / "large.pkl"
        with path.open("wb") as file:
            file.write(b"\x80\x05\x8e" + (2**30).to_bytes(8, "little"))
            file.seek(2**30, 1)
            file.write(b"0cposix\nsystem\n.")
        with Counting(path) as stream:
            found = read_pickles(stream, 0, path.stat().st_size, Steps(1000))
            assert found == PickleContent(("posix.system",))
            assert stream.count < 1000

    def test_refusals_of_the_system_come_out(self) -> None:
        """A disk that fails is not a pickle's fault."""

        class Failing(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                raise OSError(5, "gone")

        with pytest.raises(ReaderError) as caught:
            read_pickles(Failing(b"\x80\x02N."), 0, 4, Steps(10))
        assert caught.value.fault is Fault.UNREADABLE

    def test_steps_are_shared(self) -> None:
        """What one pickle took is not there for the next."""
        steps = Steps(30)
        data = pickle.dumps([1] * 10, 2)
        first = read_pickles(io.BytesIO(data), 0, len(data), steps)
        second = read_pickles(io.BytesIO(data), 0, len(data), steps)
        assert first is not None
        assert second is not None
        assert (first.complete, second.complete) == (True, False)
        with pytest.raises(OutOfStepsError):
            list(operations(io.BytesIO(data), 0, len(data), steps))
