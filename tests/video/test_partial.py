"""Of a damaged video the frames before the fault are those of the undamaged one, and nothing is kept unasked."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from media import ffmpeg, read_numbers, write_clip
from mm2energon.errors import MediaError
from mm2energon.video.encode import Allowance, FrameOptions
from mm2energon.video.extract import extract_frames
from mm2energon.video.layout import find_frames
from mm2energon.video.sampling import Sampling

KEEP = Allowance(keep_partial=True)
FIFTH = FrameOptions(Sampling(interval_seconds=0.2))
CLIPS: dict[str, dict[str, Any]] = {
    "v.mp4": {"b_frames": 2},
    "open.mp4": {"b_frames": 3, "options": {"x264-params": "open-gop=1:b-pyramid=normal"}},
    "fragments.mp4": {"b_frames": 2},
    "v.mkv": {"b_frames": 2},
    "hevc.ts": {"codec": "libx265", "b_frames": 3},
    "v.webm": {"codec": "libvpx-vp9"},
    "v.avi": {"codec": "mpeg4", "b_frames": 1},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "v.flv": {"b_frames": 2},
    "v.ts": {"b_frames": 2},
    "v.mpg": {"codec": "mpeg2video", "b_frames": 2},
}
HEADERS_IN_FRONT = {"v.mp4": "+faststart", "open.mp4": "+faststart", "fragments.mp4": "frag_keyframe+empty_moov"}


@dataclass(frozen=True)
class Kept:
    """Frames as they lie on the disk."""

    pictures: list[bytes]
    sidecar: dict[str, Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one clip of 5 s of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    for name, clip in CLIPS.items():
        write_clip(folder / name, frames=150, **clip)
    for name, flags in HEADERS_IN_FRONT.items():
        plain = (folder / name).rename(folder / "plain.mp4")
        ffmpeg("-i", plain, "-c", "copy", "-movflags", flags, folder / name)
        plain.unlink()
    return folder


@pytest.fixture(scope="module")
def undamaged(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kept]:
    folder = tmp_path_factory.mktemp("undamaged")
    return {name: extract(Path(shutil.copy(whole / name, folder)), None) for name in CLIPS}


def extract(video: Path, allowance: Allowance | None, options: FrameOptions = FIFTH) -> Kept:
    frames = extract_frames(video, options, allowance=allowance or Allowance())
    assert frames.sidecar is not None
    assert find_frames(video) == frames
    return Kept([path.read_bytes() for path in frames.paths], json.loads(frames.sidecar.read_text()))


def damage(data: bytes, name: str, at: float, how: str) -> bytes:
    """The bytes of a file, cut off or overwritten `at` this part of it."""
    place = int(len(data) * at)
    if how == "cut":
        return data[:place]
    fresh = random.Random(f"{name} {at}").randbytes(600) if how == "noise" else bytes(600)
    return data[:place] + fresh + data[place + 600 :]


@pytest.mark.parametrize(("how", "at"), [("cut", 0.35), ("cut", 0.8), ("noise", 0.8), ("zeros", 0.35)])
@pytest.mark.parametrize("name", CLIPS)
def test_what_is_kept_is_how_the_undamaged_video_begins(
    whole: Path, undamaged: dict[str, Kept], tmp_path: Path, name: str, at: float, how: str
) -> None:
    video = tmp_path / name
    video.write_bytes(damage((whole / name).read_bytes(), name, at, how))
    with pytest.raises(MediaError) as caught:
        extract(video, None)
    assert caught.value.code == "unreadable-video"
    assert list(tmp_path.iterdir()) == [video]
    kept, all_there = extract(video, KEEP), undamaged[name]
    count = len(kept.pictures)
    assert 1 <= count < len(all_there.pictures) == 25
    assert kept.pictures == all_there.pictures[:count]
    assert kept.sidecar["times"] == all_there.sidecar["times"][:count]
    assert kept.sidecar["fps"] == "5.0"
    assert kept.sidecar["duration_seconds"] < all_there.sidecar["duration_seconds"]
    assert kept.sidecar["partial"] in str(caught.value)


@pytest.mark.parametrize("name", CLIPS)
def test_a_whole_video_is_the_same_with_or_without(
    whole: Path, undamaged: dict[str, Kept], tmp_path: Path, name: str
) -> None:
    assert extract(Path(shutil.copy(whole / name, tmp_path)), KEEP) == undamaged[name]
    assert "partial" not in undamaged[name].sidecar


def cut_clip(folder: Path, **clip: Any) -> Path:
    video = write_clip(folder / "v.mkv", frames=150, **clip)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    return video


def test_frames_kept_in_part_are_not_made_twice_and_not_taken_by_a_run_that_does_not_ask(tmp_path: Path) -> None:
    video = cut_clip(tmp_path)
    frames = extract_frames(video, FIFTH, allowance=KEEP)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert extract_frames(video, FIFTH, allowance=KEEP) == frames
    with pytest.raises(MediaError, match="its header says"):
        extract_frames(video, FIFTH)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert frames.partial is not None


def test_a_video_that_was_mended_is_taken_whole(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", frames=150).read_bytes()
    video = cut_clip(tmp_path)
    extract_frames(video, FIFTH, allowance=KEEP)
    video.write_bytes(whole)
    frames = extract_frames(video, FIFTH, allowance=KEEP)
    assert read_numbers(frames.paths) == list(range(0, 150, 6))
    assert frames.partial is None


def test_a_number_of_frames_is_spread_over_what_is_left(tmp_path: Path) -> None:
    kept = extract(cut_clip(tmp_path), KEEP, FrameOptions(Sampling(num_frames=8)))
    assert len(kept.pictures) == 8
    assert 2.0 < kept.sidecar["times"][-1] < 5 * 2 / 3


def test_a_video_without_a_frame_before_the_fault_is_refused_as_ever(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mkv", frames=30)
    data = video.read_bytes()
    begin = data.index(b"\x1f\x43\xb6\x75")  # the first cluster (RFC 9559)
    video.write_bytes(data[: begin + 60])
    with pytest.raises(MediaError, match="its header says") as caught:
        extract_frames(video, FIFTH, allowance=KEEP)
    assert caught.value.code == "unreadable-video"
    assert list(tmp_path.iterdir()) == [video]


def test_a_file_that_is_no_video_is_refused_as_ever(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video at all" * 99)
    with pytest.raises(MediaError, match="cannot be read"):
        extract_frames(tmp_path / "v.mp4", FIFTH, allowance=KEEP)


def test_a_video_that_gives_more_frames_than_allowed_is_refused(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    with pytest.raises(MediaError, match="10 frames of it are wanted; at most 9") as caught:
        extract_frames(video, FIFTH, allowance=Allowance(max_frames=9))
    assert caught.value.code == "too-many-frames"
    assert list(tmp_path.iterdir()) == [video]
    assert len(extract_frames(video, FIFTH, allowance=Allowance(max_frames=10)).paths) == 10


def test_a_damaged_video_is_also_held_to_the_limit(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        extract_frames(cut_clip(tmp_path), FIFTH, allowance=Allowance(max_frames=3, keep_partial=True))
    assert caught.value.code == "too-many-frames"


def test_frames_larger_than_the_limit_of_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_clip(tmp_path / "v.mp4", size=(160, 96))
    monkeypatch.setattr("mm2energon.video.streams.MAX_PIXELS", 160 * 96 - 1)
    with pytest.raises(MediaError, match="160x96 pixels, where 15359 are the limit") as caught:
        extract_frames(video, FIFTH)
    assert caught.value.code == "unreadable-video"
    assert list(tmp_path.iterdir()) == [video]


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9", "libsvtav1"])
def test_frames_that_grow_on_the_way_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    """The stream says 160x96, and the pictures of its second half are larger: the size that a bomb hides."""
    suffix, head_bytes = (".ts", 0) if codec == "libx264" else (".ivf", 32)
    for name, size in (("small", (160, 96)), ("large", (640, 480))):
        write_clip(tmp_path / f"{name}{suffix}", codec=codec, size=size, frames=30)
    video = tmp_path / f"v{suffix}"
    small, large = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("small", "large"))
    video.write_bytes(small + large[head_bytes:])
    monkeypatch.setattr("mm2energon.video.streams.MAX_PIXELS", 640 * 480 - 1)
    with pytest.raises(MediaError) as caught:
        extract_frames(video, FIFTH)
    assert caught.value.code == "unreadable-video"
