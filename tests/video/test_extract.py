"""A video becomes a folder of frames: which frames, told by their own numbers, and what lies beside them."""

from __future__ import annotations

import gc
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media import (
    HALF,
    MIRRORED,
    QUARTER_CLOCKWISE,
    QUARTER_COUNTERCLOCKWISE,
    cut_by_edit_list,
    draw_number,
    drop_first_group,
    ffmpeg,
    read_numbers,
    turn_display,
    write_clip,
    write_image,
)
from mm2energon.errors import InputError, MediaError
from mm2energon.video import encode
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.layout import find_frames
from mm2energon.video.sampling import Sampling
from PIL import Image

HALF_SECOND = FrameOptions(Sampling(interval_seconds=0.5))
AT_30_FPS = [0, 15, 30, 45]
NTSC = Fraction(30_000, 1001)
OPEN_GROUPS = "open-gop=1:keyint=12:min-keyint=12:scenecut=0"


def numbers(video: Path, options: FrameOptions = HALF_SECOND) -> list[int | None]:
    return read_numbers(extract_frames(video, options).paths)


@pytest.mark.parametrize(
    ("name", "clip", "expected"),
    [
        ("24.mp4", {"rate": 24}, [0, 12, 24, 36, 48]),
        ("25.mp4", {"rate": 25, "b_frames": 2}, [0, 12, 25, 37, 50]),
        ("ntsc.mp4", {"rate": NTSC, "b_frames": 2}, [0, 14, 29, 44, 59]),
        ("ntsc.mkv", {"rate": NTSC, "b_frames": 2}, [0, 14, 29, 44, 59]),
        ("30.mp4", {"b_frames": 2}, AT_30_FPS),
        ("30.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, AT_30_FPS),
        ("30.mkv", {"b_frames": 2}, AT_30_FPS),
        ("30.flv", {"b_frames": 2}, AT_30_FPS),
        ("30.ts", {"b_frames": 2}, AT_30_FPS),
        ("30.mpg", {"codec": "mpeg2video", "b_frames": 2}, AT_30_FPS),
        ("30.wmv", {"codec": "wmv2"}, AT_30_FPS),
        ("60.mp4", {"rate": 60}, [0, 30]),
        ("60.mkv", {"rate": 60, "b_frames": 2}, [0, 30]),
        ("h264.avi", {"b_frames": 2}, AT_30_FPS),
        ("mpeg4.avi", {"codec": "mpeg4", "b_frames": 2}, AT_30_FPS),
        ("raw.h264", {"b_frames": 2, "container_format": "h264"}, AT_30_FPS),
        ("raw.hevc", {"codec": "libx265", "b_frames": 2, "container_format": "hevc"}, AT_30_FPS),
        ("hevc10.mp4", {"codec": "libx265", "b_frames": 2, "pix_fmt": "yuv420p10le"}, AT_30_FPS),
        ("vp9.webm", {"codec": "libvpx-vp9"}, AT_30_FPS),
        ("av1.mkv", {"codec": "libsvtav1"}, AT_30_FPS),
        ("25.gif", {"codec": "gif", "pix_fmt": "gray", "rate": 25}, [0, 12, 25, 37, 50]),
        ("odd.mkv", {"codec": "ffv1", "size": (161, 97)}, AT_30_FPS),
        ("one.mp4", {"frames": 1}, [0]),
    ],
)
def test_half_a_second_takes_the_frames_on_the_screen(
    tmp_path: Path, name: str, clip: dict[str, Any], expected: list[int]
) -> None:
    video = write_clip(tmp_path / name, **clip)
    frames = extract_frames(video, HALF_SECOND)
    assert read_numbers(frames.paths) == expected
    assert frames.fps == 2.0
    assert (frames.width, frames.height) == Image.open(frames.paths[0]).size == clip.get("size", (160, 96))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_variable_rate_goes_by_the_time_stamps(tmp_path: Path, suffix: str) -> None:
    times = [0, 0.1, 0.2, 0.7, 1.2, 1.25, 1.3, 3.0, 3.1, 3.3]
    video = write_clip(tmp_path / f"v{suffix}", frames=len(times), times=times, b_frames=2)
    frames = extract_frames(video, HALF_SECOND)
    assert read_numbers(frames.paths) == [0, 2, 3, 6, 7]
    assert frames.fps == pytest.approx(4 / 3, abs=1e-5)
    assert frames.times == pytest.approx([0, 0.2, 0.7, 1.3, 3.0])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_late_start_is_the_zero_of_the_instants(tmp_path: Path, suffix: str) -> None:
    video = write_clip(tmp_path / f"v{suffix}", times=[3 + Fraction(n, 30) for n in range(60)], b_frames=2)
    frames = extract_frames(video, HALF_SECOND)
    assert read_numbers(frames.paths) == AT_30_FPS
    assert frames.times == pytest.approx([0, 0.5, 1, 1.5])
    assert frames.sidecar is not None
    assert json.loads(frames.sidecar.read_text())["start_seconds"] == 3.0


def test_a_video_that_starts_after_its_sound_is_taken_from_its_own_first_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    sound = ["-f", "lavfi", "-i", "sine=d=4"]
    ffmpeg("-itsoffset", 2, "-i", clip, *sound, "-map", 0, "-map", 1, "-c:v", "copy", tmp_path / "v.mp4")
    assert numbers(tmp_path / "v.mp4") == AT_30_FPS


@pytest.mark.parametrize("frames_before", [5, 15])
def test_frames_before_an_edit_list_are_not_shown(tmp_path: Path, frames_before: int) -> None:
    video = cut_by_edit_list(write_clip(tmp_path / "v.mp4", b_frames=2), Fraction(frames_before, 30))
    assert numbers(video) == list(range(frames_before, 60, 15))


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"x264-params": OPEN_GROUPS}),
        ("libx265", {"x265-params": f"log-level=none:pools=1:bframes=3:{OPEN_GROUPS}"}),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_leading_pictures_without_their_past_are_not_shown(
    tmp_path: Path, codec: str, options: dict[str, str], suffix: str
) -> None:
    whole = write_clip(tmp_path / f"whole{suffix}", codec=codec, b_frames=3, frames=90, options=options)
    assert numbers(whole) == [0, 15, 30, 45, 60, 75]
    cut = drop_first_group(whole, tmp_path / f"cut{suffix}")
    assert numbers(cut) == [12, 27, 42, 57, 72, 87]


def test_a_broadcast_that_was_recorded_from_the_middle_starts_at_its_first_whole_picture(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "whole.ts", frames=90, b_frames=2).read_bytes()
    (tmp_path / "v.ts").write_bytes(data[len(data) // 3 :])
    taken = numbers(tmp_path / "v.ts")
    first = taken[0]
    assert first is not None
    assert first % 12 == 0  # a key frame
    assert taken == list(range(first, 90, 15))


@pytest.mark.parametrize("second_start", [0, 5000])
def test_joined_transport_streams_go_on_where_the_clock_leaps(tmp_path: Path, second_start: int) -> None:
    first = write_clip(tmp_path / "first.ts", frames=45, b_frames=2)
    times = [second_start + Fraction(number, 30) for number in range(45)]
    second = write_clip(tmp_path / "second.ts", frames=45, first=45, b_frames=2, times=times)
    (tmp_path / "v.ts").write_bytes(first.read_bytes() + second.read_bytes())
    assert numbers(tmp_path / "v.ts") == [0, 15, 30, 45, 60, 75]


def test_frames_of_another_size_are_brought_to_that_of_the_first(tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.h264", frames=45, container_format="h264")
    large = write_clip(tmp_path / "large.h264", frames=45, first=45, size=(320, 240), container_format="h264")
    (tmp_path / "v.h264").write_bytes(small.read_bytes() + large.read_bytes())
    frames = extract_frames(tmp_path / "v.h264", HALF_SECOND)
    assert read_numbers(frames.paths) == [0, 15, 30, 45, 60, 75]
    assert {Image.open(path).size for path in frames.paths} == {(160, 96)}


@pytest.mark.parametrize(
    ("matrix", "undo"),
    [
        (QUARTER_CLOCKWISE, lambda pixels: np.rot90(pixels, 1)),
        (HALF, lambda pixels: np.rot90(pixels, 2)),
        (QUARTER_COUNTERCLOCKWISE, lambda pixels: np.rot90(pixels, 3)),
        (MIRRORED, lambda pixels: pixels[:, ::-1]),
    ],
)
def test_the_display_matrix_is_applied(tmp_path: Path, matrix: tuple[int, int, int, int], undo: Any) -> None:
    shown = (96, 160) if matrix[0] == 0 else (160, 96)
    video = write_clip(tmp_path / "v.mp4", draw=lambda number, size: undo(draw_number(number, shown)))
    frames = extract_frames(turn_display(video, matrix), HALF_SECOND)
    assert read_numbers(frames.paths) == AT_30_FPS
    assert (frames.width, frames.height) == shown


def test_the_stream_that_is_marked_as_default_is_taken(tmp_path: Path) -> None:
    one, two = write_clip(tmp_path / "one.mp4"), write_clip(tmp_path / "two.mp4", first=100, size=(320, 192))
    both = ["-i", one, "-i", two, "-map", 0, "-map", 1, "-c", "copy"]
    ffmpeg(*both, "-disposition:v:0", "default", "-disposition:v:1", "0", tmp_path / "small.mkv")
    ffmpeg(*both, tmp_path / "large.ts")
    assert numbers(tmp_path / "small.mkv") == AT_30_FPS
    assert numbers(tmp_path / "large.ts") == [100, 115, 130, 145]  # none is marked: the larger one


@pytest.mark.parametrize("disposition", ["attached_pic", "default"])
def test_a_cover_picture_is_not_taken_for_the_video(tmp_path: Path, disposition: str) -> None:
    cover = write_image(tmp_path / "cover.jpg", size=(640, 480), number=999)
    clip = write_clip(tmp_path / "clip.mp4")
    both = ["-i", cover, "-i", clip, "-map", 0, "-map", 1, "-c", "copy", "-disposition:v:0", disposition]
    ffmpeg(*both, tmp_path / "v.mp4")
    assert numbers(tmp_path / "v.mp4") == AT_30_FPS


def test_a_number_of_frames_goes_from_the_first_to_the_last(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", b_frames=2, frames=61)
    frames = extract_frames(video, FrameOptions(Sampling(num_frames=5)))
    assert read_numbers(frames.paths) == [0, 15, 30, 45, 60]
    assert frames.fps == 2.0


def test_large_frames_are_made_smaller_to_multiples_of_28(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", size=(640, 360))
    frames = extract_frames(video, FrameOptions(Sampling(fps=2), max_pixels=200 * 28 * 28 // 2))
    assert (frames.width, frames.height) == Image.open(frames.paths[0]).size == (364, 196)
    assert read_numbers(frames.paths) == AT_30_FPS


def test_the_sidecar_tells_where_the_frames_came_from(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "video1.mp4", rate=NTSC)
    frames = extract_frames(video, HALF_SECOND)
    assert [path.name for path in frames.paths] == [f"{number:06d}.jpg" for number in range(1, 6)]
    assert frames.paths[0].parent == tmp_path / "video1"
    sidecar = json.loads((tmp_path / "video1.json").read_text())
    assert sidecar["fps"] == "2.0"
    assert (sidecar["source"], sidecar["source_bytes"]) == ("video1.mp4", video.stat().st_size)
    assert sidecar["source_fps"] == pytest.approx(29.97003, abs=1e-5)
    assert sidecar["duration_seconds"] == pytest.approx(2.002)
    assert sidecar["times"] == pytest.approx([n * 1001 / 30_000 for n in (0, 14, 29, 44, 59)], abs=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["video1", "video1.json", "video1.mp4"]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    first = extract_frames(video, HALF_SECOND)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert extract_frames(video, HALF_SECOND) == first == find_frames(video)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_other_options_leave_no_stale_frame(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, FrameOptions(Sampling(fps=10)))
    frames = extract_frames(video, HALF_SECOND)
    assert sorted((tmp_path / "v").iterdir()) == list(frames.paths)
    assert read_numbers(frames.paths) == AT_30_FPS


def test_a_changed_video_is_extracted_anew(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, HALF_SECOND)
    write_clip(video, first=200)
    assert numbers(video) == [200, 215, 230, 245]


def test_decoded_frames_are_let_go_as_they_are_written(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", b_frames=2)
    gc.collect()
    gc.disable()
    try:
        extract_frames(video, FrameOptions(Sampling(fps=30)))
        kept = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert kept < 5


def test_a_video_without_a_suffix_does_not_hide_its_own_frames(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "clip", container_format="mp4")
    assert numbers(video) == AT_30_FPS
    assert (tmp_path / "clip.frames.json").is_file()


def test_a_name_may_hold_colons_percents_and_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video = Path("http:a %03d 'ü'.mp4")
    write_clip(tmp_path / "v.mp4").rename(video)
    assert numbers(video) == AT_30_FPS


def only_a_playlist(path: Path) -> None:
    write_clip(path.with_name("part.ts"))
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\npart.ts\n#EXT-X-ENDLIST\n")


def only_sound(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", path)


def only_text(path: Path) -> None:
    path.write_text("no video\n" * 100)


def no_file(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (only_sound, "no-frames"),
        (only_text, "unreadable-video"),
        (Path.touch, "unreadable-video"),
        (no_file, "missing-media"),
        (only_a_playlist, "unreadable-video"),
    ],
)
def test_what_yields_no_frame_leaves_nothing_behind(tmp_path: Path, make: Any, code: str) -> None:
    make(tmp_path / "v.mp4")
    with pytest.raises(MediaError) as caught:
        extract_frames(tmp_path / "v.mp4", HALF_SECOND)
    assert caught.value.code == code
    assert {path.name for path in tmp_path.iterdir()} <= {"v.mp4", "part.ts"}


def test_a_video_that_breaks_in_the_middle_is_an_error(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=150)
    data = bytearray(video.read_bytes())
    middle = data.index(b"mdat") + 10_000
    data[middle : middle + 1024] = bytes(range(256)) * 4
    video.write_bytes(data)
    with pytest.raises(MediaError, match="part way|damaged") as caught:
        extract_frames(video, HALF_SECOND)
    assert caught.value.code == "unreadable-video"
    assert not (tmp_path / "v.json").exists()


@pytest.mark.parametrize("values", [{"decoder": "none"}, {"quality": 0}, {"quality": 101}, {"max_pixels": 100}])
def test_an_option_out_of_range_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        FrameOptions(Sampling(fps=2), **values)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts"])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_a_video_that_is_decoded_in_stretches_gives_the_same_bytes(tmp_path: Path, name: str, threads: int) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    one = write_clip(tmp_path / "one" / name, frames=200, gop=20, b_frames=2)
    many = Path(shutil.copy2(one, tmp_path / "many"))
    options = FrameOptions(Sampling(interval_seconds=0.2))
    expected = extract_frames(one, options)
    found = extract_frames(many, options, threads=threads)
    assert read_numbers(found.paths) == list(range(0, 200, 6))
    assert [path.read_bytes() for path in found.paths] == [path.read_bytes() for path in expected.paths]
    assert found.sidecar is not None and expected.sidecar is not None
    assert found.sidecar.read_bytes() == expected.sidecar.read_bytes()


def test_a_video_whose_stretches_do_not_fit_into_memory_together_is_decoded_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=100, gop=10)
    decode = encode.DECODERS["pyav"]
    asked = []

    def short_of_memory(video: Path, index: Any, wanted: Any) -> Any:
        asked.append(len(wanted))
        if 1 < len(wanted) < 10:  # a stretch, neither the first frame alone nor all of them
            raise MemoryError
        return decode(video, index, wanted)

    monkeypatch.setitem(encode.DECODERS, "pyav", short_of_memory)
    frames = extract_frames(video, FrameOptions(Sampling(fps=3)), threads=2)
    assert read_numbers(frames.paths) == list(range(0, 100, 10))
    assert sorted(asked)[:1] + asked[-1:] == [1, 10]
