"""A file that was cut off is an error, never a shorter video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from media import ffmpeg, read_numbers, write_clip
from mm2energon.errors import MediaError
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.sampling import Sampling
from mm2energon.video.wholeness import promised_bytes

HALF_SECOND = FrameOptions(Sampling(interval_seconds=0.5))
CONTAINERS: dict[str, dict[str, Any]] = {
    "v.mkv": {"b_frames": 2},
    "v.webm": {"codec": "libvpx-vp9"},
    "v.avi": {"codec": "mpeg4"},
    "v.flv": {},
    "v.wmv": {"codec": "wmv2"},
    "v.mp4": {},
    "fragments.mp4": {},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one clip of 5 s per container; those of MP4 have their header in front."""
    folder = tmp_path_factory.mktemp("whole")
    for name, clip in CONTAINERS.items():
        write_clip(folder / name, frames=150, **clip)
    for name, flags in (("v.mp4", "+faststart"), ("fragments.mp4", "frag_keyframe+empty_moov")):
        ffmpeg("-i", folder / name, "-c", "copy", "-movflags", flags, folder / f"new-{name}")
        (folder / f"new-{name}").replace(folder / name)
    return folder


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_whole_file_is_read_to_its_end(whole: Path, name: str) -> None:
    assert read_numbers(extract_frames(whole / name, HALF_SECOND).paths) == list(range(0, 150, 15))


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_that_was_cut_off_is_an_error(whole: Path, tmp_path: Path, name: str, kept: float) -> None:
    data = (whole / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(MediaError) as caught:
        extract_frames(cut, HALF_SECOND)
    assert caught.value.code == "unreadable-video"
    assert list(tmp_path.iterdir()) == [cut]


@pytest.mark.parametrize("name", ["v.mkv", "v.webm", "v.wmv"])
def test_the_size_in_the_header_is_that_of_the_file(whole: Path, name: str) -> None:
    assert promised_bytes(whole / name) == (whole / name).stat().st_size


def test_a_live_recording_promises_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", b_frames=2)
    ffmpeg("-i", clip, "-c", "copy", "-f", "matroska", "-live", 1, tmp_path / "v.mkv")
    assert promised_bytes(tmp_path / "v.mkv") is None
    assert len(extract_frames(tmp_path / "v.mkv", HALF_SECOND).paths) == 4


@pytest.mark.parametrize("head", [b"", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3" + bytes(40), b"\x1a\x45\xdf\xa3\xff"])
def test_a_header_that_is_no_header_promises_nothing(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "v.mkv").write_bytes(head)
    assert promised_bytes(tmp_path / "v.mkv") is None


def test_sound_that_outlasts_the_picture_is_no_cut(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    for name in ("v.mp4", "v.mkv"):
        sound = ["-f", "lavfi", "-i", "sine=d=9"]
        ffmpeg("-i", clip, *sound, "-map", 0, "-map", 1, "-c:v", "copy", tmp_path / name)
        assert len(extract_frames(tmp_path / name, HALF_SECOND).paths) == 4
