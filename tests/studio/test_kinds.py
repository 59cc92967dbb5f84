"""What a file is comes from its bytes; what browsers do not play is said to be so."""

import io

import pytest
from media import ffmpeg, write_clip, write_image
from mm2energon.studio.kinds import HEAD_BYTES, UNKNOWN, kind_of


def told(path, medium):
    with path.open("rb") as file:
        return kind_of(file.read(HEAD_BYTES), medium, file)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif"])
def test_pictures_that_browsers_show_keep_their_type_whatever_they_are_called(tmp_path, ending):
    kind = {"jpg": "jpeg"}.get(ending, ending)
    write_image(tmp_path / f"a.{ending}").rename(tmp_path / "a.txt")
    assert (told(tmp_path / "a.txt", "image").content_type, told(tmp_path / "a.txt", "image").plays) == (
        f"image/{kind}",
        True,
    )


@pytest.mark.parametrize("ending", ["tiff", "bmp"])
def test_pictures_that_not_all_browsers_show_are_not_sent_as_they_are(tmp_path, ending):
    assert told(write_image(tmp_path / f"a.{ending}"), "image").content_type == UNKNOWN


@pytest.mark.parametrize(
    "text", ["<svg xmlns='http://www.w3.org/2000/svg'/>", "<!doctype html><script>1</script>", "%PDF-1.7", ""]
)
@pytest.mark.parametrize("medium", ["image", "video", "audio"])
def test_what_a_browser_would_run_is_nothing_that_is_known(text, medium):
    assert kind_of(text.encode(), medium, io.BytesIO(text.encode())).content_type == UNKNOWN


@pytest.mark.parametrize(
    ("name", "options", "content_type", "plays"),
    [
        ("a.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p"], "video/mp4", True),
        ("late.mov", ["-c:v", "libx264", "-pix_fmt", "yuv420p"], "video/mp4", True),
        ("a.webm", ["-c:v", "libvpx"], "video/webm", True),
        ("hevc.mp4", ["-c:v", "libx265", "-x265-params", "log-level=none"], "video/mp4", False),
        ("hvc1.mp4", ["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none"], "video/mp4", False),
        ("part2.mp4", ["-c:v", "mpeg4"], "video/mp4", False),
        ("444.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv444p"], "video/mp4", False),
        ("a.mkv", ["-c:v", "libx264"], "video/x-matroska", False),
        ("a.avi", ["-c:v", "mpeg4"], "video/x-msvideo", False),
        ("a.ts", ["-c:v", "libx264"], "video/mp2t", False),
        ("a.flv", ["-c:v", "flv"], "video/x-flv", False),
        ("a.mpg", ["-c:v", "mpeg1video", "-r", "25"], "video/mpeg", False),
    ],
)  # fmt: skip
def test_videos_are_told_by_container_and_codec(tmp_path, name, options, content_type, plays):
    source = write_clip(tmp_path / "source.mp4", frames=4, rate=25)
    ffmpeg("-i", source, *options, tmp_path / name)
    kind = told(tmp_path / name, "video")
    assert (kind.content_type, kind.plays) == (content_type, plays)
    assert bool(kind.why) is not plays


def test_an_mp4_whose_header_was_cut_off_is_said_to_be_damaged(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", frames=4)
    clip.write_bytes(clip.read_bytes()[:200])
    kind = told(clip, "video")
    assert not kind.plays and "cut off" in kind.why


@pytest.mark.parametrize("size", [0, 1, 2**32 - 1, 2**31])
def test_boxes_that_lie_about_their_size_end_the_search(size):
    data = size.to_bytes(4, "big") + b"ftyp" + bytes(64)
    assert not kind_of(data, "video", io.BytesIO(data)).plays


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.wav", "audio/wav"), ("a.mp3", "audio/mpeg"), ("a.flac", "audio/flac"), ("a.ogg", "audio/ogg")]
    + [("a.m4a", "audio/mp4"), ("a.aac", "audio/aac")],
)
def test_sounds_are_told_by_their_bytes(tmp_path, name, content_type):
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", tmp_path / name)
    assert told(tmp_path / name, "audio").content_type == content_type
