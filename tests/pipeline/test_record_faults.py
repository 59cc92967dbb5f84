"""What is wrong with one record is found, at its place."""

import pickle

import pytest

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
