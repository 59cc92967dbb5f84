"""Planned media: which frames of a video are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.pipeline.planned import PlannedPicture, PlannedVideo, even_frames, take_frames


def video_of(count, fps=2.0):
    return PlannedVideo(tuple(PlannedPicture(f"{n}.jpg", 64, 48, 100, True) for n in range(count)), fps)


def numbers(video):
    return [int(frame.path[:-4]) for frame in video.frames]


@given(count=st.integers(1, 300), most=st.integers(1, 64))
def test_frames_are_taken_evenly_and_the_rate_follows(count, most):
    taken = take_frames(video_of(count), most)
    places = numbers(taken)
    assert len(places) == min(count, most) and places[0] == 0
    assert places == sorted(set(places))
    if len(places) > 1:
        gaps = [after - before for before, after in zip(places, places[1:], strict=False)]
        assert places[-1] == count - 1 and max(gaps) - min(gaps) <= 1
        assert taken.fps == pytest.approx(2.0 * (len(places) - 1) / (count - 1))


def test_without_a_limit_a_video_stays_as_it_is():
    assert take_frames(video_of(5), None) == video_of(5)


@pytest.mark.parametrize(
    ("count", "how", "double", "kept"),
    [
        (4, "cut", True, [0, 1, 2, 3]),
        (3, "cut", False, [0, 1]),
        (3, "repeat", False, [0, 1, 2, 2]),
        (3, "keep", True, [0, 1, 2]),
        (1, "cut", False, [0]),
        (1, "repeat", False, [0]),
        (1, "keep", True, [0, 0]),
    ],
)
def test_an_odd_number_of_frames_is_mended_as_asked(count, how, double, kept):
    assert numbers(even_frames(video_of(count), how, double_single=double)) == kept
