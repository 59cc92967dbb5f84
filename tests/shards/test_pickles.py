"""Tests of pickled lists of pictures: other unpicklers read ours, and hostile ones do nothing."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
import struct
import tracemalloc

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mm2energon.errors import SampleError
from mm2energon.shards import pickles
from mm2energon.shards.pickles import load_nested_bytes

images = st.lists(st.binary(max_size=300), max_size=8)
videos = st.lists(images, max_size=5)


def dump_images(value):
    return b"".join(pickles.dump_images(value))


def dump_videos(value):
    return b"".join(pickles.dump_videos(value))


def dumped_at_once(value):
    """What Python's own pickler writes, told to remember nothing."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 4)
    pickler.fast = True
    pickler.dump(value)
    return buffer.getvalue()


class _NoNames(pickle.Unpickler):
    def find_class(self, module, name):
        raise AssertionError(f"asked for {module}.{name}")


@given(images)
def test_an_unpickler_that_knows_no_names_reads_the_images(value):
    assert _NoNames(io.BytesIO(dump_images(value))).load() == value


@given(videos)
def test_an_unpickler_that_knows_no_names_reads_the_videos(value):
    assert _NoNames(io.BytesIO(dump_videos(value))).load() == value


@pytest.mark.parametrize("count", [0, 1, 2, 20, 999, 1000, 1001, 2500])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 3000, 65_000, 65_535, 65_536, 65_537, 200_000])
def test_the_pieces_are_the_pickle_that_python_writes_at_once(count, size):
    count = min(count, 40_000_000 // max(1, size))
    value = [bytes([place % 256]) * max(0, size - place % 3) for place in range(count)]
    assert dump_images(value) == dumped_at_once(value)
    assert dump_videos([value, [], value[:1]]) == dumped_at_once([value, [], value[:1]])


@given(value=images | videos, protocol=st.sampled_from([3, 4, 5]))
def test_what_python_itself_pickled_is_read(value, protocol):
    assert load_nested_bytes(pickle.dumps(value, protocol)) == value


def test_pictures_of_every_length_of_length_are_read():
    value = [b"", b"x" * 255, b"x" * 256, b"x" * 70_000, b"x" * (1 << 20)] + [b"y"] * 3000
    assert load_nested_bytes(dump_images(value)) == value
    assert load_nested_bytes(pickle.dumps([value, value], 4)) == [value, value]


def test_equal_pictures_give_the_same_bytes_whether_or_not_they_are_one_object():
    once = b"picture" * 10
    again = bytes(bytearray(once))
    assert once is not again
    assert dump_images([once, once]) == dump_images([once, again])


class _Runs:
    def __reduce__(self):
        return (os.mkdir, (os.environ["HOSTILE"],))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path, monkeypatch, protocol):
    monkeypatch.setenv("HOSTILE", str(tmp_path / "ran"))
    hostile = pickle.dumps([b"picture", _Runs()], protocol)
    with pytest.raises(SampleError, match="a pickled list") as caught:
        load_nested_bytes(hostile)
    assert caught.value.code == "bad-part"
    assert not (tmp_path / "ran").exists()
    pickle.loads(hostile)
    assert (tmp_path / "ran").exists(), "the pickle was not hostile at all"


def opcode(name):
    """The byte of an opcode, by Python's own list of them."""
    return next(one.code for one in pickletools.opcodes if one.name == name).encode("latin-1")


@pytest.mark.parametrize("one", pickletools.opcodes, ids=lambda one: one.name)
def test_no_opcode_but_those_of_lists_and_bytes_is_followed(one):
    """Each opcode there is, behind a sound list and with an argument that it may take, and a mark before it."""
    known = {"EMPTY_LIST", "MARK", "APPEND", "APPENDS", "STOP", "PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT"}
    known |= {"BINGET", "LONG_BINGET", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
    hostile = b"\x80\x04]\x94(" + one.code.encode("latin-1") + b"cos\nsystem\n" + bytes(16) + b"e."
    if one.name not in known:
        with pytest.raises(SampleError, match=f"the pickle operation {ord(one.code):#04x}; a pickled list") as caught:
            load_nested_bytes(hostile)
        assert caught.value.code == "bad-part"


def named(opcodes):
    """The bytes of opcodes by name, between which bytes stand as they are."""
    return b"".join(opcode(one) if isinstance(one, str) else one for one in opcodes)


@pytest.mark.parametrize(
    "opcodes",
    [
        [b"(", "INST", b"os\nsystem\n", "STOP"],
        [b"(", "GLOBAL", b"os\nsystem\n", "OBJ", "STOP"],
        ["GLOBAL", b"os\nsystem\n", b"]", "REDUCE", "STOP"],
        ["SHORT_BINUNICODE", b"\x02os", "SHORT_BINUNICODE", b"\x06system", "STACK_GLOBAL", "STOP"],
        [b"]", "EMPTY_DICT", "BUILD", "STOP"],
        ["EXT1", b"\x01", "STOP"],
        ["EXT2", b"\x01\x00", "STOP"],
        ["EXT4", b"\x01\x00\x00\x00", "STOP"],
        ["PERSID", b"a\n", "STOP"],
        [b"]", "BINPERSID", "STOP"],
        ["NEXT_BUFFER", "READONLY_BUFFER", "STOP"],
        ["EMPTY_TUPLE", "EMPTY_TUPLE", "NEWOBJ", "STOP"],
    ],
    ids=lambda opcodes: "-".join(one for one in opcodes if isinstance(one, str)),
)
def test_what_names_builds_or_calls_is_refused(opcodes):
    for begin in (b"", b"\x80\x04", b"\x80\x04]"):
        with pytest.raises(SampleError, match="the pickle operation"):
            load_nested_bytes(begin + named(opcodes))


_SHARED = pickle.dumps([inner := [b""] * 20_000] * 20_000, 4)
_LIST_IN_ITSELF = b"\x80\x04]\x94h\x00a."
_LARGE = pickle.dumps([b"x" * (1 << 20)], 4)[:-1]
_BOMBS = {
    "bytes": b"\x80\x04]\x8e" + struct.pack("<Q", 1 << 40) + b"x",
    "more bytes": b"\x80\x04]\x8e" + struct.pack("<Q", 1 << 63) + b"x",
    "most bytes": b"\x80\x04]\x8e" + struct.pack("<Q", (1 << 64) - 1) + b"xa.",
    "4 GB": b"\x80\x04]B" + struct.pack("<I", (1 << 32) - 1) + b"xa.",
    "memo": b"\x80\x04]r\xff\xff\xff\x7f.",
    "memo of many places": b"\x80\x04]" + b"".join(b"r" + struct.pack("<I", place) for place in range(100_000)) + b".",
    "memoize flood": b"\x80\x04]" + b"\x94" * 1_000_000 + b".",
    "references to nothing": b"\x80\x04](" + b"j\xff\xff\xff\x7f" * 200_000 + b"e.",
    "bytearray": b"\x80\x05]\x96" + struct.pack("<Q", 1 << 40) + b".",
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"].",
    "long": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"]\x8a\xff.",
    "large number": b"\x80\x04]\x8b" + struct.pack("<i", 1 << 30) + b"1a.",
    "text": b"\x80\x04]\x8d" + struct.pack("<Q", 1 << 40) + b"a.",
    "dup": b"\x80\x04](" + b"2" * 1000 + b"e.",
    "marks": b"\x80\x04]" + b"(" * 200_000 + b".",
    "nested lists": b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "nested marked lists": b"\x80\x04" + b"](" * 100_000 + b"e" * 100_000 + b".",
    "lists": b"\x80\x04](" + b"]" * 1_000_000 + b"e.",
    "shared lists": _SHARED,
    "a list in itself": _LIST_IN_ITSELF,
    "a list that holds itself often": b"\x80\x04]\x94(" + b"h\x00" * 20_000 + b"e.",
    "behind its end": b"\x80\x04].]]]",
    "a mark taken for a picture": b"\x80\x04](a.",
}


@pytest.mark.parametrize("bomb", _BOMBS.values(), ids=_BOMBS.keys())
def test_a_pickle_that_stands_for_much_more_than_it_holds_costs_no_memory(bomb):
    tracemalloc.start()
    try:
        with pytest.raises(SampleError) as caught:
            load_nested_bytes(bomb)
        assert caught.value.code == "bad-part"
        del caught
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_a_picture_repeated_by_reference_may_come_to_64_times_its_pickle_and_no_more():
    repeated = [b"x" * 4000]
    assert load_nested_bytes(pickle.dumps(repeated[:1] * 60, 4)) == repeated * 60
    with pytest.raises(SampleError, match="repeated to more than 64 times"):
        load_nested_bytes(pickle.dumps(repeated[:1] * 100, 4))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"picture",
        {"a": b"picture"},
        ("picture",),
        (b"picture",),
        ["text"],
        [b"picture", [b"picture"]],
        [[b"picture", "text"]],
        [[[b"picture"]]],
        [bytearray(b"picture")],
        [numpy.zeros(3, numpy.uint8)],
    ],
)
def test_anything_but_lists_of_bytes_is_refused(value):
    with pytest.raises(
        SampleError, match="a pickled list of bytes, or a list of lists of bytes, was expected"
    ) as caught:
        load_nested_bytes(pickle.dumps(value, 5))
    assert caught.value.code == "bad-part"


@given(st.data())
def test_a_pickle_cut_off_anywhere_is_refused(data):
    whole = dump_videos([[b"one", b"two"], [b"three" * 100]])
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(SampleError):
        load_nested_bytes(whole[:end])


@given(data=st.binary(max_size=60), place=st.integers(0, 200))
@example(data=b".", place=0)
@example(data=b"a", place=2)
def test_a_damaged_pickle_is_read_or_refused_and_nothing_else(data, place):
    whole = dump_videos([[b"one", b"two"], [b"three" * 10]])
    place = min(place, len(whole))
    try:
        value = load_nested_bytes(whole[:place] + data + whole[place + len(data) :])
    except SampleError as error:
        assert error.code == "bad-part"
    else:
        assert isinstance(value, list)


@given(
    st.lists(
        st.sampled_from([*(one.code.encode("latin-1") for one in pickletools.opcodes), b"\x80\x04"])
        | st.sampled_from([b"C\x03abc", b"h\x00", b"q\x00", b"](", b"e", b"a", b"]\x94", b"B\x02\x00\x00\x00xy"])
        | st.binary(max_size=9),
        max_size=40,
    )
)
def test_whatever_opcodes_follow_one_another_a_list_comes_out_or_our_error(opcodes):
    """And where Python itself, told to know no names, makes a list of bytes of it, that is the list."""
    data = b"".join(opcodes)
    try:
        value = load_nested_bytes(data)
    except SampleError as error:
        assert error.code == "bad-part"
    else:
        with contextlib.suppress(pickle.UnpicklingError, EOFError):  # of a frame that is shorter than what it holds
            assert _NoNames(io.BytesIO(data)).load() == value
