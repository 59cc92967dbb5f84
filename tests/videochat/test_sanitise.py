"""Videos of anybody's, made anew: the same pictures at the same times, the same sound, and nothing else."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media import (
    QUARTER_CLOCKWISE,
    QUARTER_COUNTERCLOCKWISE,
    cut_by_edit_list,
    drop_first_group,
    ffmpeg,
    read_number,
    turn_display,
    write_clip,
)
from mm2energon.errors import InputError, MediaError, ToolkitError
from mm2energon.videochat.apart import Note
from mm2energon.videochat.looked_at import CONTAINERS
from mm2energon.videochat.sanitise import CopyLimits, Sanitised, Sanitising, sanitise

LIMITS = CopyLimits()


def made(source: Path, limits: CopyLimits = LIMITS) -> tuple[Sanitised, Path]:
    """The copy of a video, made in this process."""
    target = source.with_name("copy.mp4")
    return sanitise(Sanitising(source, target, "mine.mov", limits, Note(source.with_name("note")))), target


def probed(path: Path) -> dict[str, Any]:
    """What ffprobe says of a file."""
    asked = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-show_chapters", "-of", "json", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)
    return found


def times(path: Path) -> list[float]:
    """When ffprobe says each picture appears."""
    asked = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    told = subprocess.run([*asked, str(path)], check=True, capture_output=True, text=True).stdout
    return [float(line.rstrip(",")) for line in told.split()]


def numbers(path: Path) -> list[int | None]:
    """The numbers of the pictures."""
    with av.open(str(path)) as container:
        return [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def with_tone(
    video: Path, target: Path, *, begins: float, seconds: float = 2.0, rate: int = 44100, offset: float = 0.0
) -> Path:
    """The video with a track from `offset` on, silent but for a tone from `begins` to `begins` + 0.5 in it."""
    tone = f"aevalsrc='if(between(t,{begins},{begins + 0.5}),0.5*sin(2*PI*1000*t),0)':s={rate}:d={seconds}"
    ffmpeg(
        "-i", video, "-itsoffset", offset, "-f", "lavfi", "-i", tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy",
        "-c:a", "aac", "-b:a", "128k", target,
    )  # fmt: skip
    return target


def heard(path: Path) -> tuple[float, float]:
    """When the tone begins and ends, by the samples of ffmpeg on the clock of the file."""
    asked = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:a",
        "-af",
        "aresample=async=1:first_pts=0",
        "-ac",
        "1",
    ]
    raw = subprocess.run([*asked, "-ar", "8000", "-f", "s16le", "-"], check=True, capture_output=True).stdout
    loud = np.flatnonzero(np.abs(np.frombuffer(raw, np.int16)) > 3000)
    return loud[0] / 8000, loud[-1] / 8000


@pytest.mark.parametrize(
    ("name", "codec"),
    [("v.mp4", "libx264"), ("v.mkv", "libx265"), ("v.webm", "libvpx-vp9"), ("v.avi", "mpeg4"), ("v.ts", "libx264"),
     ("v.flv", "libx264"), ("v.mpg", "mpeg2video"), ("v.mkv", "libsvtav1")],
)  # fmt: skip
def test_a_copy_has_the_same_pictures_at_the_same_times(tmp_path: Path, name: str, codec: str) -> None:
    rate = 24 if codec == "mpeg2video" else 15
    source = write_clip(tmp_path / name, frames=40, rate=rate, codec=codec, b_frames=2 if codec == "libx264" else 0)
    copy, target = made(source)
    assert numbers(target) == list(range(40))
    assert times(target) == pytest.approx([number / rate for number in range(40)], abs=0.002)
    assert (copy.frames, copy.width, copy.height, copy.has_sound, copy.notes) == (40, 160, 96, False, ())
    assert copy.duration == pytest.approx(40 / rate, abs=0.002)
    assert copy.fps == pytest.approx(rate, abs=0.01)
    stream = probed(target)["streams"][0]
    assert (stream["codec_name"], stream["pix_fmt"], stream["nb_frames"]) == ("h264", "yuv420p", "40")


def test_the_file_has_no_name_in_a_player_that_it_did_not_have(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "v.mp4", frames=20, rate=10)
    _, target = made(source)
    assert target.read_bytes().index(b"moov") < target.read_bytes().index(b"mdat")


UNEVEN = [0.0, 0.04, 0.05, 0.2, 1.0, 1.033, 1.066, 2.5, 2.501, 3.0]


def test_uneven_times_stay_and_a_late_start_becomes_the_beginning(tmp_path: Path) -> None:
    for begin in (0.0, 1.5):
        source = write_clip(tmp_path / f"{begin}.mkv", frames=10, times=[begin + time for time in UNEVEN], b_frames=2)
        copy, target = made(source)
        assert numbers(target) == list(range(10))
        assert times(target) == pytest.approx(UNEVEN, abs=0.001)
        assert copy.frames == 10


def test_an_edit_list_is_obeyed(tmp_path: Path) -> None:
    source = cut_by_edit_list(write_clip(tmp_path / "v.mp4", frames=30, rate=10), Fraction(5, 10))
    _, target = made(source)
    assert numbers(target) == list(range(5, 30))
    assert times(target)[:2] == pytest.approx([0.0, 0.1], abs=0.001)


@pytest.mark.parametrize("matrix", [QUARTER_CLOCKWISE, QUARTER_COUNTERCLOCKWISE])
def test_a_turned_video_is_upright(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    source = turn_display(write_clip(tmp_path / "v.mp4", frames=3, size=(160, 96)), matrix)
    ffmpeg("-i", source, "-frames:v", "1", tmp_path / "upright.png")
    copy, target = made(source)
    assert (copy.width, copy.height) == (96, 160)
    stream = probed(target)["streams"][0]
    assert (stream["width"], stream["height"]) == (96, 160)
    assert "side_data_list" not in stream
    ffmpeg("-i", target, "-frames:v", "1", tmp_path / "copy.png")
    difference = np.abs(pixels(tmp_path / "copy.png") - pixels(tmp_path / "upright.png"))
    assert difference.mean() < 5


def pixels(path: Path) -> Any:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"), dtype=float)


@pytest.mark.parametrize(
    ("size", "expected"), [((161, 97), (160, 96)), ((33, 98), (32, 98)), ((1, 1), (2, 2)), ((1, 64), (2, 64))]
)
def test_odd_sides_lose_a_line_and_a_single_one_is_doubled(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    source = write_clip(tmp_path / "v.mkv", frames=3, size=size, codec="libx264", pix_fmt="yuv444p")
    copy, target = made(source)
    assert (copy.width, copy.height) == expected
    assert len(times(target)) == 3


def test_pixels_that_are_not_square_stay_so_also_when_the_video_is_turned_or_made_smaller(tmp_path: Path) -> None:
    source = tmp_path / "v.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=720x576:r=5:d=1,setsar=16/15", source)
    _, target = made(source)
    assert probed(target)["streams"][0]["display_aspect_ratio"] == "4:3"
    copy, target = made(source, replace(LIMITS, pixels=20_000))
    assert copy.width * copy.height <= 20_000
    stream = probed(target)["streams"][0]
    assert Fraction(*map(int, stream["display_aspect_ratio"].split(":"))) == pytest.approx(4 / 3, abs=0.01)
    _, target = made(turn_display(source, QUARTER_CLOCKWISE))
    assert probed(target)["streams"][0]["display_aspect_ratio"] == "3:4"


def test_large_pictures_are_made_smaller_and_fast_ones_fewer_and_it_is_said(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "v.mp4", frames=240, rate=240, size=(320, 192))
    copy, target = made(source, replace(LIMITS, pixels=160 * 96))
    assert (copy.width, copy.height, copy.frames, copy.fps) == (160, 96, 60, 60.0)
    assert numbers(target) == list(range(0, 240, 4))
    assert times(target) == pytest.approx([number / 60 for number in range(60)], abs=0.001)
    assert "60 of its 240 frames are used" in copy.notes[0]
    assert "made smaller, to 160x96 pixels" in copy.notes[1]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_sound_is_heard_when_it_was(tmp_path: Path, ending: str) -> None:
    clip = write_clip(tmp_path / "silent.mp4", frames=30, rate=10)
    source = with_tone(clip, tmp_path / f"v.{ending}", begins=1.2, seconds=3.0)
    copy, target = made(source)
    assert copy.has_sound
    assert heard(target) == pytest.approx((1.2, 1.7), abs=0.04)
    kinds = [stream["codec_name"] for stream in probed(target)["streams"]]
    assert kinds == ["h264", "aac"]


@pytest.mark.parametrize("offset", [0.7, -0.4])
def test_sound_that_begins_later_or_sooner_than_the_pictures_stays_where_it_was(tmp_path: Path, offset: float) -> None:
    clip = write_clip(tmp_path / "silent.mp4", frames=40, rate=10)
    source = with_tone(clip, tmp_path / "v.mkv", begins=1.0, seconds=3.0, offset=offset)
    begin = times(source)[0]
    copy, target = made(source)
    assert copy.has_sound
    expected = 1.0 + offset + (0.4 - begin if offset < 0 else 0.0)  # Matroska moves all, where something is below 0
    assert heard(target)[0] == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(("ending", "shift"), [("m4a", 0.0), ("aac", 0.0), ("ts", 0.0), ("mka", 500.0)])
def test_sound_of_a_file_of_its_own_is_heard_when_it_was(tmp_path: Path, ending: str, shift: float) -> None:
    clip = write_clip(tmp_path / f"silent.{'ts' if ending == 'ts' else 'mp4'}", frames=30, rate=10)
    both = with_tone(clip, tmp_path / f"both.{'ts' if ending == 'ts' else 'mp4'}", begins=1.2, seconds=3.0)
    sound, pictures = tmp_path / f"sound.{ending}", tmp_path / f"pictures.{'ts' if ending == 'ts' else 'mp4'}"
    ffmpeg("-copyts", "-i", both, "-map", "0:a", "-c", "copy", "-output_ts_offset", shift, sound)
    ffmpeg("-copyts", "-i", both, "-map", "0:v", "-c", "copy", pictures)
    target = tmp_path / "copy.mp4"
    copy = sanitise(Sanitising(pictures, target, "mine.mov", LIMITS, Note(tmp_path / "note"), sound))
    assert copy.has_sound
    assert heard(target) == pytest.approx((1.2, 1.7), abs=0.05)


def test_sound_of_a_file_of_its_own_that_is_none_costs_the_sound_alone(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "v.mp4", frames=10, rate=10)
    (tmp_path / "sound").write_bytes(b"\0noise" * 100)
    job = Sanitising(source, tmp_path / "copy.mp4", "mine.mov", LIMITS, Note(tmp_path / "note"), tmp_path / "sound")
    copy = sanitise(job)
    assert (copy.frames, copy.has_sound) == (10, False)


def test_a_gap_in_the_sound_is_silence_and_nothing_after_it_moves(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "silent.mp4", frames=40, rate=10)
    whole = with_tone(clip, tmp_path / "whole.mkv", begins=3.0, seconds=4.0)
    source = tmp_path / "gap.mkv"
    with av.open(str(whole)) as read, av.open(str(source), "w") as written:
        copies = {stream.index: written.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if packet.dts is not None and not (packet.stream.type == "audio" and 1 < packet.dts * packet.time_base < 2):
                packet.stream = copies[packet.stream.index]
                written.mux(packet)
    _, target = made(source)
    assert heard(target) == pytest.approx((3.0, 3.5), abs=0.05)


@pytest.mark.parametrize(("channels", "rate"), [("mono", 22050), ("5.1", 48000), ("stereo", 96000)])
def test_sound_of_any_channels_and_rate_becomes_what_players_play(tmp_path: Path, channels: str, rate: int) -> None:
    clip = write_clip(tmp_path / "silent.mp4", frames=20, rate=10)
    tone = f"sine=f=1000:r={rate}:d=2,aformat=channel_layouts={channels}"
    ffmpeg("-i", clip, "-f", "lavfi", "-i", tone, "-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "flac",
           tmp_path / "v.mkv")  # fmt: skip
    copy, target = made(tmp_path / "v.mkv")
    stream = probed(target)["streams"][1]
    assert copy.has_sound
    assert (stream["codec_name"], stream["channels"]) == ("aac", 1 if channels == "mono" else 2)
    assert int(stream["sample_rate"]) == (22050 if channels == "mono" else 48000)
    assert float(stream["duration"]) == pytest.approx(2.0, abs=0.03)


def test_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "silent.mp4", frames=10, rate=10)
    source = with_tone(clip, tmp_path / "v.mkv", begins=0.2, seconds=8.0)
    _, target = made(source)
    assert float(probed(target)["format"]["duration"]) == pytest.approx(1.0, abs=0.05)


def test_all_else_is_left_behind(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "silent.mp4", frames=20, rate=10)
    (tmp_path / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\ngeheim\n")
    (tmp_path / "meta").write_text(
        ";FFMETADATA1\ntitle=geheim\nlocation=+48-016/\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=geheim\n"
    )
    (tmp_path / "a.txt").write_text("geheim")
    ffmpeg(
        "-i", clip, "-i", tmp_path / "s.srt", "-i", tmp_path / "meta", "-map", "0", "-map", "1", "-map_metadata", "2",
        "-c:v", "copy", "-c:s", "srt", "-attach", tmp_path / "a.txt", "-metadata:s:t", "mimetype=text/plain",
        "-metadata:s:v", "title=geheim", tmp_path / "v.mkv",
    )  # fmt: skip
    _, target = made(tmp_path / "v.mkv")
    found = probed(target)
    assert [stream["codec_type"] for stream in found["streams"]] == ["video"]
    assert found["chapters"] == []
    assert b"geheim" not in target.read_bytes()
    assert "geheim" not in json.dumps(found)


def test_hdr_is_said(tmp_path: Path) -> None:
    source = tmp_path / "v.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=1", "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params",
           "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc", source)  # fmt: skip
    copy, _ = made(source)
    assert "HDR (PQ)" in copy.notes[0]


def test_of_a_file_that_was_cut_off_what_decodes_is_used_and_it_is_said(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", frames=60, rate=10, gop=10)
    source = tmp_path / "v.mkv"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    copy, target = made(source)
    assert 10 < copy.frames < 50
    assert numbers(target) == list(range(copy.frames))
    assert "it is damaged" in copy.notes[0]
    assert f"only its first {copy.duration:.2f} s are used" in copy.notes[0]


def test_a_recording_that_begins_in_the_middle_is_taken_from_its_first_picture(tmp_path: Path) -> None:
    source = drop_first_group(write_clip(tmp_path / "w.ts", frames=40, rate=10, gop=10), tmp_path / "v.ts")
    _, target = made(source)
    assert numbers(target) == list(range(10, 40))


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{secret}'\n",
    "subfile": "#EXTM3U\n#EXTINF:1,\nsubfile,,start,0,end,64,,:{secret}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{secret}"/></svg>',
    "html": "<!DOCTYPE html><video src='{secret}'></video>",
    "text": "a text\n" * 50,
    "ass": "[Script Info]\nTitle: x\n[Events]\n",
    "padded": " " * 5000 + "#EXTM3U\n{secret}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("ending", ["", ".mp4"])
def test_lists_and_texts_are_no_videos(tmp_path: Path, kind: str, ending: str) -> None:
    secret = write_clip(tmp_path / "secret.mp4", frames=5)
    source = tmp_path / f"v{ending}"
    source.write_text(PLAYLISTS[kind].format(secret=secret))
    with pytest.raises(InputError, match=r"mine\.mov: it is a text"):
        made(source)


def test_neither_is_a_list_that_hides_behind_a_byte(tmp_path: Path) -> None:
    secret = write_clip(tmp_path / "secret.mp4", frames=5)
    for kind in ("hls", "concat"):
        source = tmp_path / f"v.{kind}"
        source.write_bytes(PLAYLISTS[kind].format(secret=secret).encode() + b"\0")
        with pytest.raises(InputError, match=r"mine\.mov: it is no video that is taken"):
            made(source)


@pytest.mark.parametrize(
    "name", ["v.png", "v.jpg", "v.bmp", "v.tiff", "v.webp", "v.wav", "v.mp3", "v.zip", "v.raw", "v"]
)
def test_neither_are_pictures_sounds_archives_and_noise(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    if name in ("v.wav", "v.mp3"):
        ffmpeg("-f", "lavfi", "-i", "sine=d=1", source)
    elif name in ("v.png", "v.jpg", "v.bmp", "v.tiff", "v.webp"):
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=1", "-frames:v", "1", source)
    else:
        source.write_bytes({"v.zip": b"PK\3\4" + bytes(500), "v.raw": bytes(range(256)) * 40, "v": b""}[name])
    with pytest.raises(ToolkitError, match=r"mine\.mov: ") as refused:
        made(source)
    assert isinstance(refused.value, (InputError, MediaError))
    assert str(tmp_path) not in str(refused.value)


def test_only_containers_are_let_in_that_hold_pictures_themselves() -> None:
    known = {name for kind in av.formats_available for name in kind.split(",")}
    assert not set(CONTAINERS) - known
    assert not {"hls", "concat", "dash", "image2", "image2pipe", "sdp", "rtsp", "svg_pipe", "tty", "imf"} & set(
        CONTAINERS
    )


@pytest.mark.parametrize("begins", ["audio", "cover"])
def test_sound_alone_is_no_video(tmp_path: Path, begins: str) -> None:
    source = tmp_path / "v.mp4"
    cover: Sequence[object] = ()
    if begins == "cover":
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=1", "-frames:v", "1", tmp_path / "c.jpg")
        cover = (
            "-i",
            tmp_path / "c.jpg",
            "-map",
            "0",
            "-map",
            "1",
            "-c:v",
            "mjpeg",
            "-disposition:v:0",
            "attached_pic",
        )
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", *cover, source)
    with pytest.raises(MediaError, match=r"mine\.mov: it has no video stream"):
        made(source)


def test_what_is_beyond_the_limits_is_refused_with_the_number(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "v.mp4", frames=30, rate=10)
    with pytest.raises(InputError, match="it lasts 3 s; at most 2 s"):
        made(source, replace(LIMITS, seconds=2))
    with pytest.raises(InputError, match="it has 30 frames; at most 20"):
        made(source, replace(LIMITS, frames=20))
    with pytest.raises(InputError, match="160x96 pixels; at most 1000"):
        made(source, replace(LIMITS, source_pixels=1000))


def test_a_video_that_says_it_is_endless_is_refused(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "v.mkv", frames=3, times=[0.0, 1.0, 90_000.0])
    with pytest.raises(InputError, match="it lasts 9000"):
        made(source)


@pytest.mark.parametrize("fault", [av.error.ExternalError, av.error.BlockingIOError])
def test_an_encoder_that_fails_lacks_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[av.error.FFmpegError]
) -> None:
    def lack(*_: object) -> None:
        raise fault(1, "Resource temporarily unavailable")

    monkeypatch.setattr("mm2energon.videochat.sanitise.Film.add", lack)
    with pytest.raises(MemoryError):
        made(write_clip(tmp_path / "v.mp4", frames=3))


def test_a_size_in_the_header_is_not_believed_to_the_end_of_memory(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "v.mp4", frames=3, codec="mpeg4")
    data = bytearray(source.read_bytes())
    at = data.index(b"mp4v") + 4 + 24
    assert data[at : at + 4] == bytes([0, 160, 0, 96])
    data[at : at + 4] = (30000).to_bytes(2, "big") * 2
    source.write_bytes(data)
    try:
        copy, _ = made(source)
    except ToolkitError:
        return
    assert (copy.width, copy.height) == (160, 96)


def test_a_header_that_promises_a_billion_frames_costs_nothing(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "v.mp4", frames=3, codec="mpeg4")
    data = bytearray(source.read_bytes())
    billion = 1_000_000_000
    struct.pack_into(">II", data, data.index(b"stsz") + 8, 1, billion)  # each of one byte
    struct.pack_into(">II", data, data.index(b"stts") + 12, billion, 1)
    struct.pack_into(">I", data, data.index(b"stsc") + 16, billion)
    source.write_bytes(data)
    with pytest.raises(MediaError):
        made(source)
