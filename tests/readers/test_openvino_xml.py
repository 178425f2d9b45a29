"""OpenVINO models: the XML whole or cut, and the least size of the weights beside it."""

import contextlib
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault
from dxwatchd.readers import openvino_xml
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.openvino_xml import read_ir
from tests.readers.judging import faults_of

MB = 1024**2


def layer(data: str, kind: str = "Const", name: str = "w") -> str:
    """A layer as OpenVINO writes it."""
    return (
        f'\t\t<layer id="1" name="{name}" type="{kind}" version="opset1">\n\t\t\t{data}\n'
        '\t\t\t<output><port id="0" precision="FP32"><dim>64</dim></port></output>\n\t\t</layer>\n'
    )


def constant(offset: int, size: int) -> str:
    return layer(f'<data element_type="f32" shape="64, 64" offset="{offset}" size="{size}" />')


def model(*layers: str, end: str = "\n") -> bytes:
    """An XML file with these layers."""
    text = '<?xml version="1.0"?>\n<net name="m" version="11">\n\t<layers>\n'
    text += "".join(layers) + "\t</layers>\n\t<edges />\n\t<rt_info />\n</net>" + end
    return text.encode()


WHOLE = model(constant(0, 16_384), constant(16_384, 4), layer('<data shape="1,64" />', "Parameter"))


def data_size(data: bytes) -> int:
    """The least size that is said of the weights."""
    return read_ir(io.BytesIO(data), len(data)).data_size


fault_of = faults_of(data_size)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], 0),
        ([constant(0, 16)], 16),
        ([constant(0, 0)], 0),
        ([constant(64, 16), constant(0, 64), constant(0, 8)], 80),
        ([constant(2**62, 2**62)], 2**63),
        ([layer('<data size="5" shape="1" offset="7"/>')], 12),
        ([layer("<data offset='7' size='5'></data>")], 12),
        ([layer('<data\n\toffset = "7"\r\n size\t=\t"5"\n>x</data>')], 12),
        ([layer('<data offset="7" size="5" note="a > b /&gt; \'c\'"/>')], 12),
        ([layer('<data offset="7" size="5"/>', name="a &lt;data> b > c")], 12),
        ([layer('<data xoffset="9" offset="7" size="5" min_size="99" re:size="99"/>')], 12),
        ([layer('<data element_type="f32" shape="1"/>')], 0),
        ([layer('<data offset="7"/>'), layer('<data size="7"/>'), layer("<data/>")], 0),
        ([layer('<data offset="7" size="5"/>', kind="LRN")], 0),
        ([layer('<data offset="0.5" size="big"/>', kind="PriorBox")], 0),
        ([constant(0, 3), layer('<data offset="7" size="5"/>', kind="Parameter")], 3),
        ([layer("<body><layers>" + constant(7, 5) + "</layers></body>", kind="Loop")], 12),
        ([layer('<database offset="7" size="5"/><data-x offset="7" size="5"/>')], 0),
    ],
)
def test_the_least_size_of_the_weights(layers: list[str], expected: int) -> None:
    """The end of the constant that ends last, however the attributes are written."""
    assert data_size(model(*layers)) == expected


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\n\t ",
        b"\xef\xbb\xbf",
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n',
        b"<?xml version='1.0'?><!-- a <net> -->\n<!---->\n",
        b"<!-- " + b"x" * 60_000 + b" -->",
    ],
)
def test_what_may_stand_before_the_root_element(start: bytes) -> None:
    """A byte order mark, a declaration, comments."""
    assert data_size(start + b'<net name="m"></net>') == 0
    assert data_size(start + b"<net></net>\n \t\r\n") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"<html></html>",
        b"<!DOCTYPE net><net></net>",
        b'<!DOCTYPE net [<!ENTITY a "aaa">]><net></net>',
        b"<network></network>",
        b"<net.x></net>",
        b"text <net></net>",
        b"<Net></Net>",
        b"<?xslt ?><net></net>",
        b"\xff\xfe<\0n\0e\0t\0>\0",
        b"\0" * 100,
        b'{"net": 1}',
        b"PK\3\4",
        b"<!-- never closed " + b"x" * 70_000 + b"</net>",
        b" " * 70_000 + b"<html></net>",
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    """Another root element, a document type, another encoding."""
    assert fault_of(data) is Fault.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        '<data offset="-1" size="5"/>',
        '<data offset="" size="5"/>',
        '<data offset="0x10" size="5"/>',
        '<data offset="1.0" size="5"/>',
        '<data offset="&#49;" size="5"/>',
        '<data offset="٣" size="5"/>',
        f'<data offset="{2**63}" size="5"/>',
        '<data offset="' + "9" * 100_000 + '" size="5"/>',
        '<data offset=7 size="5"/>',
        '<data offset="7" size="5"',
        '<data offset="7" size="5',
        '<data offset="7"size="5"/>',
        '<data offset="7" size="<"/>',
    ],
)
def test_a_place_that_is_none_is_malformed(data: str) -> None:
    """Decimal digits, and no more than a file can have; attributes as XML writes them."""
    assert fault_of(model(layer(data))) is Fault.MALFORMED


def test_a_cut_file_is_never_whole() -> None:
    """At every byte, but for the white space at the end, which says nothing."""
    for cut in range(1, len(WHOLE) - 1):
        assert fault_of(WHOLE[:cut]) is Fault.TRUNCATED
    assert data_size(WHOLE[:-1]) == data_size(WHOLE) == 16_388
    assert fault_of(b"") is Fault.EMPTY
    marked = b"\xef\xbb\xbf <!-- a --><net></net>"
    for cut in range(1, len(marked)):
        assert fault_of(marked[:cut]) is Fault.TRUNCATED


def test_a_file_that_is_not_written_to_its_end_is_truncated() -> None:
    """Zeros where the rest should be, at the end or in the middle."""
    for cut in range(40, len(WHOLE) - 1):
        assert fault_of(WHOLE[:cut] + bytes(len(WHOLE) - cut)) is Fault.TRUNCATED
    assert fault_of(WHOLE[:100] + bytes(100) + WHOLE[200:]) is Fault.TRUNCATED


@pytest.mark.parametrize("more", [b"x", b"<net>", b"<!-- a -->", b"\0", b" " * 5000])
def test_a_file_with_something_behind_it_does_not_end(more: bytes) -> None:
    """Nothing but a little white space."""
    assert fault_of(WHOLE + more) is Fault.TRUNCATED


@pytest.mark.parametrize("shift", range(0, 260, 7))
def test_a_tag_may_lie_across_two_reads(shift: int) -> None:
    """Wherever the pieces end, the same is found."""
    filler = layer("<data/>", "Add")
    count = (MB - 4 * len(filler)) // len(filler)
    data = model("x" * shift, filler * count, constant(7, 5) * 8)
    assert len(data) > MB
    assert data_size(data) == 12


def test_a_large_file_is_read_in_pieces() -> None:
    """Some megabytes, with the largest constant in the middle."""
    parts = [constant(number, 1) for number in range(20_000)]
    data = model(*parts, constant(5 * MB, 9), *parts)
    assert len(data) > 5 * MB
    assert data_size(data) == 5 * MB + 9


def test_a_tag_without_end_is_too_large() -> None:
    """No more than a bound is ever kept."""
    assert fault_of(model(layer('<data note="' + "x" * (4 * MB) + '"/>'))) is Fault.TOO_LARGE
    assert data_size(model(layer('<data note="' + "x" * MB + '" offset="7" size="5"/>'))) == 12


def test_more_layers_than_the_bound_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes its time, whatever it holds."""
    monkeypatch.setattr(openvino_xml, "MAX_ELEMENTS", 6)
    assert data_size(model(*[constant(7, 5)] * 3)) == 12
    assert fault_of(model(*[constant(7, 5)] * 4)) is Fault.TOO_LARGE


def test_hostile_text_takes_little_memory() -> None:
    """Many attributes are not kept; a long tag is, to its bound."""
    data = model(layer("<data" + " a=''" * 400_000 + ' offset="7" size="5"/>'), "x" * 4 * MB)
    tracemalloc.start()
    try:
        with contextlib.suppress(ReaderError):
            data_size(data)
        assert tracemalloc.get_traced_memory()[1] < 16 * MB
    finally:
        tracemalloc.stop()


def test_a_file_beyond_the_bound_is_too_large(tmp_path: Path) -> None:
    """It is not searched."""
    path = tmp_path / "model.xml"
    path.write_bytes(b"<net>")
    with path.open("r+b") as file:
        file.truncate(openvino_xml.MAX_SIZE + 1)
        with pytest.raises(ReaderError) as caught:
            read_ir(file, openvino_xml.MAX_SIZE + 1)
    assert caught.value.fault is Fault.TOO_LARGE


def test_hostile_text_takes_no_time() -> None:
    """Nothing is tried again and again: the time is that of the length."""
    for text in (
        "<data" + " a='b'" * 200_000,
        "<data" + " " * MB + "a",
        "<data a" + " " * MB,
        "<data " + "a" * MB,
        "<data" * 100_000,
        "<" * MB,
        "<!--" * 100_000,
    ):
        with contextlib.suppress(ReaderError):
            data_size(model(text))
        with contextlib.suppress(ReaderError):
            data_size(text.encode())


def test_the_stream_may_be_anywhere_and_shrink() -> None:
    """It is read from its start; bytes that are gone meanwhile are missed."""
    stream = io.BytesIO(WHOLE)
    stream.seek(50)
    assert read_ir(stream, len(WHOLE)).data_size == 16_388
    for cut in range(len(WHOLE)):
        with pytest.raises(ReaderError) as caught:
            read_ir(io.BytesIO(WHOLE[:cut]), len(WHOLE))
        assert caught.value.fault is Fault.TRUNCATED


@given(st.binary(max_size=300))
def test_any_bytes_raise_only_reader_errors(data: bytes) -> None:
    """Alone, or within a model."""
    for raw in (data, b"<net>" + data + b"</net>", b"<net><layer type='Const'><data " + data + b"/></net>"):
        with contextlib.suppress(ReaderError):
            assert 0 <= data_size(raw) < 2**64


@given(st.data())
def test_mutated_files_raise_only_reader_errors(data: st.DataObject) -> None:
    """Changed bytes anywhere."""
    raw = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReaderError):
        assert 0 <= data_size(bytes(raw)) < 2**64


@pytest.mark.oracle
@pytest.mark.leaks_allowed("the library keeps a pool of threads")
@pytest.mark.parametrize("half", [True, False])
def test_what_the_library_writes(tmp_path: Path, half: bool) -> None:
    """The least size is the true one, names with signs of XML in them do no harm, no cut is whole."""
    library = pytest.importorskip("openvino")
    numpy, opset13 = pytest.importorskip("numpy"), library.opset13
    parameter = opset13.parameter([1, 8], numpy.float32, name='in <a/> & "b" > c')
    result = parameter
    for number in range(5):
        weight = numpy.random.default_rng(number).random((8, 8)).astype(numpy.float32)
        result = opset13.matmul(result, opset13.constant(weight, name=f"<data {number}"), False, False)
    path = tmp_path / "model.xml"
    library.save_model(library.Model([result], [parameter], "m"), path, compress_to_fp16=half)
    data = path.read_bytes()
    assert data_size(data) == path.with_suffix(".bin").stat().st_size
    for cut in range(1, len(data) - 1):
        assert fault_of(data[:cut]) is Fault.TRUNCATED
