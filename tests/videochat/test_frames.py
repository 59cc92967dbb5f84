"""Frames of a question are the very frames of the file, by their time, upright, and a bad video harms nobody."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import media
import numpy as np
import pytest
from mm2energon.errors import MediaError
from mm2energon.pipeline.loop import Limits
from mm2energon.videochat.frames import Bounded, FrameProcess, FrameReader, Unwanted


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety numbered frames of uneven times, with B frames, shown a quarter turned."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    times = [Fraction(number * 2 + number % 2, 60) for number in range(90)]
    media.write_clip(path, frames=90, times=times, b_frames=2, size=(160, 96))
    return media.turn_display(path, media.QUARTER_CLOCKWISE)


@pytest.fixture(scope="module")
def reader(clip: Path) -> Iterator[FrameReader]:
    with FrameProcess() as process:
        yield FrameReader(clip, process)


def never() -> bool:
    return False


def upright(picture: np.ndarray) -> np.ndarray:
    """The numbered picture as it was drawn."""
    return np.rot90(picture, 1)


def test_the_times_of_frames_are_those_of_the_file(reader: FrameReader) -> None:
    shown = reader.shown()
    assert shown.times == pytest.approx([(number * 2 + number % 2) / 60 for number in range(90)], abs=1e-4)
    assert shown.duration == pytest.approx(3.0, abs=0.05)


def test_the_frame_on_the_screen_at_a_time_is_read_turned_as_the_file_says(reader: FrameReader) -> None:
    shown = reader.shown()
    wanted = [0, 3, 4, 17, 50, 51, 89, *range(60, 85)]
    frames = reader.read([float(shown.times[number]) for number in sorted(wanted)], Bounded(1000), never)
    assert [frame.shape for frame in frames] == [(160, 96, 3)] * len(wanted)
    assert [media.read_number(upright(frame)) for frame in frames] == sorted(wanted)


def test_a_time_between_two_frames_has_the_one_that_is_shown_then(reader: FrameReader) -> None:
    (frame,) = reader.read([10 * 2 / 60 + 0.01], Bounded(1000), never)
    assert media.read_number(upright(frame)) == 10


def test_frames_are_made_smaller_where_they_are_read(reader: FrameReader) -> None:
    (frame,) = reader.read([0.0], Bounded(80), never)
    assert frame.shape == (80, 48, 3)
    assert frame.dtype == np.uint8


def test_colours_are_right(tmp_path: Path) -> None:
    def red(_number: int, size: tuple[int, int]) -> np.ndarray:
        return np.full((size[1], size[0], 3), (230, 20, 20), dtype=np.uint8)

    path = media.write_clip(tmp_path / "red.mp4", frames=3, draw=red)
    with FrameProcess() as process:
        (frame,) = FrameReader(path, process).read([0.0], Bounded(500), never)
    assert np.abs(frame.reshape(-1, 3).mean(axis=0) - (230, 20, 20)).max() < 8


def test_a_question_that_is_unwanted_reads_no_more(reader: FrameReader) -> None:
    with pytest.raises(Unwanted):
        reader.read([0.0], Bounded(500), lambda: True)


def test_a_broken_video_is_a_message(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video at all" * 100)
    with FrameProcess() as process, pytest.raises(MediaError, match="broken.mp4"):
        FrameReader(path, process).shown()


def test_a_missing_video_is_a_message(tmp_path: Path) -> None:
    with FrameProcess() as process, pytest.raises(MediaError, match="there is no such file"):
        FrameReader(tmp_path / "none.mp4", process).shown()


def test_a_video_that_takes_its_process_down_costs_that_question_alone(clip: Path) -> None:
    with FrameProcess() as process:
        reader = FrameReader(clip, process)
        with pytest.raises(MediaError, match="died"):
            reader.read([0.0], Crash(), never)
        (frame,) = reader.read([0.0], Bounded(1000), never)
    assert media.read_number(upright(frame)) == 0


def test_a_video_that_takes_too_long_is_given_up(clip: Path) -> None:
    with FrameProcess(Limits(seconds=0.5)) as process, pytest.raises(MediaError, match="took longer"):
        FrameReader(clip, process).read([0.0], Hang(), never)


class Crash:
    """Stands for a decoder that crashes."""

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        os.kill(os.getpid(), signal.SIGSEGV)
        return width, height


class Hang:
    """Stands for a decoder that hangs."""

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        signal.pause()
        return width, height
