"""A file that was cut off is an error, never a shorter video."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from media import draw_number, drop_first_group, ffmpeg, read_numbers, write_clip
from mm2energon.errors import MediaError
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.sampling import Sampling
from mm2energon.video.wholeness import ends_inside, promised_bytes
from PIL import Image

HALF_SECOND = FrameOptions(Sampling(interval_seconds=0.5))
CONTAINERS: dict[str, dict[str, Any]] = {
    "v.mkv": {"b_frames": 2},
    "v.webm": {"codec": "libvpx-vp9"},
    "v.avi": {"codec": "mpeg4"},
    "v.flv": {},
    "v.wmv": {"codec": "wmv2"},
    "v.mp4": {},
    "fragments.mp4": {},
    "v.gif": {"codec": "gif", "pix_fmt": "gray", "rate": 30},
    "v.ts": {"b_frames": 2},
    "v.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "mpeg1.mpg": {"codec": "mpeg1video", "b_frames": 2},
    "v.vob": {"codec": "mpeg2video", "b_frames": 2},
    "v.h264": {"b_frames": 2, "container_format": "h264"},
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


@pytest.mark.parametrize("name", ["v.mkv", "v.webm", "v.wmv", "v.avi", "v.flv"])
def test_the_size_in_the_header_is_that_of_the_file(whole: Path, name: str) -> None:
    assert promised_bytes(whole / name) == (whole / name).stat().st_size


def test_an_flv_that_lacks_its_last_tags_alone_is_cut_off(whole: Path, tmp_path: Path) -> None:
    data = (whole / "v.flv").read_bytes()
    last_tag_bytes = int.from_bytes(data[-4:], "big") + 4
    (tmp_path / "v.flv").write_bytes(data[:-last_tag_bytes])
    with pytest.raises(MediaError, match="its header says"):
        extract_frames(tmp_path / "v.flv", HALF_SECOND)


def test_an_flv_whose_recorder_could_not_go_back_promises_nothing(whole: Path, tmp_path: Path) -> None:
    data = (whole / "v.flv").read_bytes()
    at = data.index(b"filesize") + len(b"filesize") + 1
    (tmp_path / "v.flv").write_bytes(data[:at] + bytes(8) + data[at + 8 :])
    assert promised_bytes(tmp_path / "v.flv") is None
    assert len(extract_frames(tmp_path / "v.flv", HALF_SECOND).paths) == 10


@pytest.mark.parametrize("size", [0, 2**32 - 1])
def test_an_avi_whose_recorder_could_not_go_back_promises_nothing(whole: Path, tmp_path: Path, size: int) -> None:
    data = (whole / "v.avi").read_bytes()
    (tmp_path / "v.avi").write_bytes(data[:4] + size.to_bytes(4, "little") + data[8:])
    assert promised_bytes(tmp_path / "v.avi") is None


def test_of_an_avi_of_several_pieces_the_last_one_counts(whole: Path, tmp_path: Path) -> None:
    data = (whole / "v.avi").read_bytes()
    more = b"RIFF" + (4 + 3000).to_bytes(4, "little") + b"AVIX" + bytes(3000)
    (tmp_path / "v.avi").write_bytes((data + more)[:-700])
    assert promised_bytes(tmp_path / "v.avi") == len(data) + len(more)
    with pytest.raises(MediaError, match="its header says"):
        extract_frames(tmp_path / "v.avi", HALF_SECOND)


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


@pytest.mark.parametrize(("name", "container"), [("v.gif", "gif"), ("v.ts", "mpegts"), ("v.mpg", "mpeg")])
def test_a_cut_inside_a_unit_is_found_wherever_it_is(whole: Path, tmp_path: Path, name: str, container: str) -> None:
    data = (whole / name).read_bytes()
    unit_bytes = {"mpegts": 188, "mpeg": 2048}.get(container)
    for end in range(8192, len(data), 1999):
        (tmp_path / name).write_bytes(data[:end])
        assert ends_inside(tmp_path / name, container) == (unit_bytes is None or end % unit_bytes > 0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("v.m2ts", ["-mpegts_m2ts_mode", 1]),
        ("h264.ts", ["-c:v", "copy"]),
        ("v.vob", ["-f", "vob"]),
        ("v.mpg", ["-f", "mpeg"]),
        ("dvd.mpg", ["-f", "dvd"]),
        ("svcd.mpg", ["-f", "svcd"]),
    ],
)
def test_no_whole_stream_is_called_cut(tmp_path: Path, name: str, options: list[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", rate=25, b_frames=2)
    inputs = ["-i", clip, "-f", "lavfi", "-i", "sine=d=3", "-map", 0, "-map", 1]
    codecs = ["-c:a", "mp2", "-c:v", "mpeg2video", "-q:v", 2, "-bf", 2]
    ffmpeg(*inputs, *codecs, *options, tmp_path / name)
    assert read_numbers(extract_frames(tmp_path / name, HALF_SECOND).paths) == [0, 12, 25, 37, 50]


def test_many_cuts_of_bare_hevc_are_found_and_no_whole_one_is_called_cut(tmp_path: Path) -> None:
    """The decoder keeps quiet where the last frame is patched up so well that it fits; more cannot be asked."""
    data = write_clip(
        tmp_path / "v.hevc", frames=100, codec="libx265", b_frames=2, container_format="hevc"
    ).read_bytes()
    assert read_numbers(extract_frames(tmp_path / "v.hevc", HALF_SECOND).paths) == list(range(0, 100, 15))
    found = 0
    for percent in range(40, 100, 6):
        cut = tmp_path / f"{percent}.hevc"
        cut.write_bytes(data[: len(data) * percent // 100])
        try:
            extract_frames(cut, HALF_SECOND)
        except MediaError as error:
            assert error.code == "unreadable-video"
            found += 1
    assert found > 5


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_a_bare_stream_from_the_middle_of_a_video_is_whole(tmp_path: Path, codec: str) -> None:
    leading = "log-level=none:pools=1:bframes=3:open-gop=1:keyint=12:min-keyint=12:scenecut=0"
    options = {"x265-params": leading} if codec == "libx265" else {}
    whole = write_clip(tmp_path / "whole.mkv", frames=90, codec=codec, b_frames=3, options=options)
    cut = drop_first_group(whole, tmp_path / "cut.mkv")
    container = {"libx264": "h264", "libx265": "hevc"}.get(codec, "mpeg2video")
    bare = tmp_path / f"v.{container}"
    ffmpeg("-i", cut, "-c", "copy", "-f", container, bare)
    assert extract_frames(bare, HALF_SECOND).paths


def add_bytes(data: bytes) -> bytes:
    return data + b"\0after the end"


def take_trailer(data: bytes) -> bytes:
    assert data.endswith(b"\x3b")
    return data[:-1]


@pytest.mark.parametrize("change", [bytes, add_bytes, take_trailer])
@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_no_gif_whose_pictures_are_all_there_is_called_cut(tmp_path: Path, change: Any, mode: str) -> None:
    pictures = [Image.fromarray(draw_number(number, (160, 96))).convert(mode) for number in range(4)]
    made = {"save_all": True, "append_images": pictures[1:], "duration": 500, "loop": 0, "comment": b"a cat" * 99}
    pictures[0].save(tmp_path / "v.gif", **made)
    (tmp_path / "v.gif").write_bytes(change((tmp_path / "v.gif").read_bytes()))
    assert read_numbers(extract_frames(tmp_path / "v.gif", HALF_SECOND).paths) == [0, 1, 2, 3]


@pytest.mark.parametrize("container", ["gif", "mpegts", "mpeg", "matroska"])
@pytest.mark.parametrize("data", [b"", b"G" * 9000, b"\0\0\1\xba" * 9, b"\0\0\1\xba" + bytes(9000)])
def test_of_what_is_no_such_stream_nothing_is_said_that_is_wrong(tmp_path: Path, container: str, data: bytes) -> None:
    (tmp_path / "v").write_bytes(data)
    assert isinstance(ends_inside(tmp_path / "v", container), bool)


#: Looks at the end of a file with less memory than it is long.
LIMITED = """
import pathlib, resource, sys
sys.path[:0] = sys.argv[2:]
from mm2energon.video.wholeness import ends_inside
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
video = pathlib.Path(sys.argv[1])
print(ends_inside(video, {".ts": "mpegts", ".mpg": "mpeg"}[video.suffix]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["v.ts", "v.mpg"])
@pytest.mark.parametrize("cut", [0, 77])
def test_a_file_may_be_longer_than_the_memory_of_a_worker(whole: Path, tmp_path: Path, name: str, cut: int) -> None:
    data = (whole / name).read_bytes()
    with (tmp_path / name).open("wb") as file:
        file.seek(512 << 20)
        file.write(data[: len(data) - cut])
    command = [sys.executable, "-c", LIMITED, tmp_path / name, *sys.path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == f"{cut > 0}\n", done.stderr[-600:]
