"""Tests of pickled lists of pictures: other unpicklers read ours, and hostile ones do nothing."""

from __future__ import annotations

import io
import os
import pickle
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


_SHARED = pickle.dumps([inner := [b""] * 20_000] * 20_000, 4)
_LIST_IN_ITSELF = b"\x80\x04]\x94h\x00a."


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x04]\x8e" + struct.pack("<Q", 1 << 40) + b"x",
        b"\x80\x04]\x8e" + struct.pack("<Q", 1 << 63) + b"x",
        b"\x80\x04]r\xff\xff\xff\x7f.",
        b"\x80\x05]\x96" + struct.pack("<Q", 1 << 40) + b".",
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"]\x8a\xff.",
        b"\x80\x04](" + b"2" * 1000 + b"e.",
        _SHARED,
        _LIST_IN_ITSELF,
    ],
    ids=["bytes", "more bytes", "memo", "bytearray", "long", "dup", "shared lists", "a list in itself"],
)
def test_a_pickle_that_stands_for_much_more_than_it_holds_costs_no_memory(bomb):
    tracemalloc.start()
    try:
        value = None
        try:
            value = load_nested_bytes(bomb)
        except SampleError as error:
            assert error.code == "bad-part"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert value in (None, [])
    assert peak < 4 << 20


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
