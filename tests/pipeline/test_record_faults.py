"""What is wrong with one record is found, at its place."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.pipeline.record_faults import RecordReader
from mm2energon.targets import TARGETS

from pipeline.planted import PLACE, found_at, one_record, pixels, text_of


def test_more_tags_than_media_are_found(tmp_path):
    one_record(tmp_path, json=text_of("<image><image>q"), jpgs=pickle.dumps([pixels()]))
    assert found_at(tmp_path, PLACE, "2 <image> tags, 1 path") is True


@pytest.mark.parametrize("seconds", [[], [1.0, 1.0], [0], [-1.0], ["1.0"], [True]])
def test_a_wrong_second_per_grid_ts_is_found(tmp_path, seconds):
    one_record(tmp_path, json=text_of("<video>q", seconds), videos=pickle.dumps([[pixels(), pixels()]]))
    assert found_at(tmp_path, PLACE, "second_per_grid_ts is") is True


def test_a_picture_that_cannot_be_decoded_is_found(tmp_path):
    one_record(tmp_path, json=text_of("<image>q"), jpgs=pickle.dumps([pixels()[:300]]))
    assert found_at(tmp_path, PLACE, "image 0: cannot be decoded") is True


def test_a_frame_that_cannot_be_decoded_is_found(tmp_path):
    one_record(tmp_path, json=text_of("<video>q", [1.0]), videos=pickle.dumps([[pixels(), b"no picture"]]))
    assert found_at(tmp_path, PLACE, "video 0, frame 2: cannot be decoded") is True


@pytest.mark.parametrize(("frames", "what"), [(1, "a video of 1 frame"), (3, "odd number of frames"), (0, "0 frame")])
def test_numbers_of_frames_that_the_reader_drops_or_cuts_are_found(tmp_path, frames, what):
    one_record(tmp_path, json=text_of("<video>q", [1.0]), videos=pickle.dumps([[pixels()] * frames]))
    assert found_at(tmp_path, PLACE, what) is True


def test_frames_of_several_sizes_are_found(tmp_path):
    frames = [pixels(), pixels((32, 32))]
    one_record(tmp_path, json=text_of("<video>q", [1.0]), videos=pickle.dumps([frames]))
    assert found_at(tmp_path, PLACE, "differ in size") is True


def test_a_picture_that_is_too_small_for_the_reader_is_found(tmp_path):
    one_record(tmp_path, json=text_of("<image>q"), jpgs=pickle.dumps([pixels((20, 20))]))
    assert found_at(tmp_path, PLACE, "20x20") is True


@pytest.mark.parametrize("content", [{"a": 1}, [1], [[b"a"], b"b"], [[b"a"]], print])
def test_a_pickle_of_something_else_than_pictures_is_found_and_not_run(tmp_path, content):
    one_record(tmp_path, jpgs=pickle.dumps(content))
    assert found_at(tmp_path, PLACE, "jpgs") is True


@pytest.mark.parametrize("part", ["jpgs", "videos", "json"])
def test_a_missing_part_is_found(tmp_path, part):
    one_record(tmp_path, **{part: None})
    assert found_at(tmp_path, PLACE, f"has no '{part}'") is True


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"conversations": 1}', b'{"second_per_grid_ts": []}', b"7"])
def test_a_json_that_is_no_conversation_is_found(tmp_path, content):
    one_record(tmp_path, json=content)
    assert found_at(tmp_path, PLACE, "") is True


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
turn = st.fixed_dictionaries({}, optional=dict.fromkeys(("from", "value", "role", "content"), values))
texts = st.fixed_dictionaries(
    {},
    optional={
        "conversations": st.lists(turn, max_size=3) | values,
        "messages": st.lists(turn, max_size=3) | values,
        "images": st.lists(st.sampled_from(["json", "jpgs"]) | values, max_size=2) | values,
        "videos": values,
        "audios": values,
        "second_per_grid_ts": values,
        "id": values,
    },
)


@given(text=texts | values, target=st.sampled_from(sorted(TARGETS)), videos=st.binary(max_size=20))
def test_whatever_a_record_holds_it_has_faults_or_content_and_nothing_is_raised(text, target, videos):
    record = {"json": json.dumps(text).encode(), "jpgs": pickle.dumps([]), "videos": videos, "mp4s": pickle.dumps([])}
    content, faults = RecordReader(TARGETS[target], TARGETS[target]).read(record)
    assert content is not None or faults


@pytest.mark.parametrize(
    "content",
    [
        b'{"conversations": ' + b"[" * 100_000,
        b'{"conversations": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"second_per_grid_ts": [' + b"9" * 5000 + b"]}",
        b'{"conversations": NaN}',
        b'\xff\xfe{"a": 1}',
        b'{"conversations": [{"from": "human", "value": "\\ud800"}, {"from": "gpt", "value": "a"}]}',
    ],
    ids=["unclosed", "deep", "huge number", "NaN", "no UTF-8", "half a pair"],
)
def test_a_hostile_json_is_a_fault(tmp_path, content):
    one_record(tmp_path, json=content)
    assert found_at(tmp_path, PLACE, "") is True


def test_a_picture_of_a_kind_that_is_handed_to_other_programs_is_not_opened(tmp_path):
    """A PostScript file, which Pillow would hand to ghostscript."""
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n%%EOF\n"
    one_record(tmp_path, json=text_of("<image>q"), jpgs=pickle.dumps([eps]))
    assert found_at(tmp_path, PLACE, "image 0: cannot be decoded (no image format that is known here") is True


def test_a_picture_of_more_pixels_than_any_reader_takes_is_not_decoded(tmp_path):
    import struct
    import zlib

    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    data += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    one_record(tmp_path, json=text_of("<image>q"), jpgs=pickle.dumps([data]))
    assert found_at(tmp_path, PLACE, "image 0: cannot be decoded") is True
