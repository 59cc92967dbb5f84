"""A container whose units do not stand one behind the other is an error, never a shorter video; no other one is."""

from __future__ import annotations

import json
import random
import struct
import subprocess
from pathlib import Path

import av
import pytest
from media import ffmpeg, write_clip
from mm2energon.errors import MediaError
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.packets import scan_packets
from mm2energon.video.sampling import Sampling
from mm2energon.video.structure import find_damage

FRAMES = 90
TENTH = FrameOptions(Sampling(interval_seconds=0.1))

#: Codecs of a clip, and what makes its container of it; those of Matroska and WebM without checksums, but for one.
WHOLE: dict[str, tuple[str, list[object]]] = {
    "v.mkv": ("libx264", ["-write_crc32", 0]),
    "checked.mkv": ("libx264", ["-cluster_time_limit", 500]),
    "live.mkv": ("libx264", ["-live", 1]),
    "front.mkv": ("libx264", ["-cues_to_front", 1, "-reserve_index_space", 9000]),
    "short.mkv": ("libx264", ["-cluster_time_limit", 100, "-write_crc32", 0]),
    "v.webm": ("libvpx", []),
    "dash.webm": ("libvpx", ["-an", "-dash", 1]),
    "v.avi": ("mjpeg", []),
    "mpeg4.avi": ("mpeg4", ["-reserve_index_space", 2000]),
    "v.flv": ("libx264", []),
    "keys.flv": ("libx264", ["-flvflags", "add_keyframe_index"]),
    "bare.flv": ("libx264", ["-flvflags", "no_metadata+no_sequence_end+no_duration_filesize"]),
    "v.ogv": ("libtheora", []),
    "pages.ogv": ("libtheora", ["-page_duration", 1000]),
    "v.mp4": ("libx264", []),
    "front.mp4": ("libx264", ["-movflags", "faststart"]),
    "v.mov": ("libx264", []),
    "fragments.mp4": ("libx264", ["-movflags", "frag_keyframe+empty_moov"]),
    "first.mp4": ("libx264", ["-movflags", "frag_keyframe"]),
    "frames.mp4": ("libx264", ["-movflags", "frag_every_frame+empty_moov+default_base_moof"]),
    "dash.mp4": ("libx264", ["-movflags", "dash+frag_keyframe+empty_moov"]),
}

#: In these a burst of damage makes FFmpeg pass over frames without a word.
SILENT = ["v.mkv", "v.webm", "v.avi", "v.flv", "v.ogv", "fragments.mp4"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clips, each with sound."""
    folder = tmp_path_factory.mktemp("whole")
    options = {"libtheora": ["-q:v", 7], "libvpx": ["-deadline", "realtime", "-cpu-used", 8]}
    sounds = {"libvpx": "libopus", "libtheora": "libvorbis", "mjpeg": "mp3", "mpeg4": "mp3"}
    clip = write_clip(folder / "clip.nut", frames=FRAMES, codec="ffv1", size=(320, 192))
    made: dict[str, Path] = {}
    for codec in {codec for codec, _ in WHOLE.values()}:
        made[codec] = folder / f"{codec}.nut"
        sound = ["-f", "lavfi", "-i", f"sine=d={FRAMES / 30}", "-c:a", sounds.get(codec, "aac")]
        picture = ["-c:v", codec, "-g", 12, "-threads", 1, *options.get(codec, [])]
        ffmpeg("-i", clip, *sound, *picture, made[codec])
    for name, (codec, changes) in WHOLE.items():
        ffmpeg("-i", made[codec], "-c", "copy", *changes, folder / name)
    return folder


def container_of(path: Path) -> str:
    """The format as FFmpeg says it."""
    with av.open(str(path)) as container:
        return str(container.format.name)


def positions(path: Path) -> list[int]:
    """Where ffprobe found the frames of the video."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pos", "-of", "json", path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [int(packet["pos"]) for packet in found["packets"]]


def simple_blocks(data: bytes) -> list[tuple[int, int]]:
    """The blocks of the first cluster, each with where its content begins."""
    at = data.index(b"\x1f\x43\xb6\x75") + 4
    at += 9 - data[at].bit_length()
    at += 2 + (data[at + 1] & 0x7F)  # the Timestamp
    found = []
    while data[at] == 0xA3:
        length = 9 - data[at + 1].bit_length()
        content = int.from_bytes(data[at + 1 : at + 1 + length], "big") & (1 << 7 * length) - 1
        found.append((at, at + 1 + length))
        at += 1 + length + content
    assert len(found) > 10
    return found


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """The same with other bytes at one place."""
    return data[:at] + new + data[at + len(new) :]


def packet_count(path: Path) -> int | None:
    """How many packets of the video are handed over; None where it is refused."""
    try:
        return len(scan_packets(path))
    except MediaError:
        return None


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_taken(whole: Path, name: str) -> None:
    assert find_damage(whole / name, container_of(whole / name)) is None
    assert packet_count(whole / name) == FRAMES
    assert len(extract_frames(whole / name, TENTH).paths) in (30, 31)


@pytest.mark.parametrize("width", [30, 500])
@pytest.mark.parametrize("name", SILENT)
def test_a_burst_of_damage_makes_no_video_shorter(whole: Path, tmp_path: Path, name: str, width: int) -> None:
    data = (whole / name).read_bytes()
    draw = random.Random(7)
    counts = set()
    for number in range(40):
        at = draw.randrange(len(data) - width)
        (tmp_path / name).write_bytes(changed(data, at, draw.randbytes(width) if number % 2 else bytes(width)))
        counts.add(packet_count(tmp_path / name))
    assert counts <= {None, FRAMES}


#: What begins a unit, and which of its bytes say what it is and how long: none may change unnoticed.
HEADERS: list[tuple[str, bytes, int, list[int]]] = [
    ("v.mkv", b"\x1f\x43\xb6\x75", 0, [0, 1, 2, 3, 4, 5]),
    ("short.mkv", b"\x1f\x43\xb6\x75", 0, [0, 1, 2, 3, 4, 5]),
    ("v.webm", b"\x1f\x43\xb6\x75", 0, [0, 1, 2, 3, 4, 5]),
    ("v.avi", b"00dc", 0, [0, 1, 4, 5, 6, 7]),
    ("mpeg4.avi", b"00dc", 0, [0, 1, 4, 5, 6, 7]),
    ("v.avi", b"idx1", 8, [0, 1, 16, 17, 32, 33]),
    ("v.ogv", b"OggS", 0, list(range(40))),
    ("fragments.mp4", b"moof", -4, list(range(8))),
    ("frames.mp4", b"mdat", -4, list(range(8))),
    ("fragments.mp4", b"traf", -4, list(range(8))),
    ("fragments.mp4", b"tfhd", -4, [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15]),
    ("fragments.mp4", b"trun", -4, [0, 1, 2, 3, 4, 5, 6, 7, 10, 12, 13, 14, 15]),
]


@pytest.mark.parametrize(("name", "mark", "before", "places"), HEADERS, ids=[f"{h[0]}-{h[1][:4]!r}" for h in HEADERS])
def test_a_changed_byte_in_the_header_of_a_unit_is_found(
    whole: Path, tmp_path: Path, name: str, mark: bytes, before: int, places: list[int]
) -> None:
    data = (whole / name).read_bytes()
    unit = data.index(mark, len(data) // 2) + before
    for place in places:
        (tmp_path / name).write_bytes(changed(data, unit + place, bytes([data[unit + place] ^ 0x55])))
        damage = find_damage(tmp_path / name, container_of(whole / name))
        assert damage is not None, place


@pytest.mark.parametrize("name", ["v.mp4", "front.mp4", "v.mov", "first.mp4"])
def test_a_list_of_frames_that_the_file_cannot_hold_is_damage(whole: Path, tmp_path: Path, name: str) -> None:
    data = (whole / name).read_bytes()
    sizes = data.index(b"stsz") + 12  # how many, then the size of each
    count = int.from_bytes(data[sizes : sizes + 4], "big")
    assert count >= 12
    chunks = data.index(b"stsc") + 8  # how many rows, then the chunk, the frames, and the description of each
    changes = {sizes: (count + 1).to_bytes(4, "big"), sizes + 4 + 4 * (count // 2): b"\x7f", chunks + 8: bytes(4)}
    for at, new in changes.items():
        (tmp_path / name).write_bytes(changed(data, at, new))
        damage = find_damage(tmp_path / name, container_of(whole / name))
        assert damage == (data.rindex(b"moov", 0, sizes) - 4, "a list of frames that the file cannot hold"), at


def test_a_list_that_delays_more_frames_than_there_are_is_damage(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "v.mp4", b_frames=2).read_bytes()
    assert find_damage(tmp_path / "v.mp4", "mov,mp4,m4a,3gp,3g2,mj2") is None
    (tmp_path / "v.mp4").write_bytes(changed(data, data.index(b"ctts") + 12, b"\1"))
    assert find_damage(tmp_path / "v.mp4", "mov,mp4,m4a,3gp,3g2,mj2") is not None


@pytest.mark.parametrize("name", ["v.flv", "keys.flv", "bare.flv"])
def test_a_changed_byte_in_the_header_or_behind_a_tag_is_found(whole: Path, tmp_path: Path, name: str) -> None:
    data = (whole / name).read_bytes()
    tag = positions(whole / name)[40]
    tag_bytes = 11 + int.from_bytes(data[tag + 1 : tag + 4], "big")
    for place in [0, 1, 2, 3, *range(tag_bytes, tag_bytes + 4)]:
        (tmp_path / name).write_bytes(changed(data, tag + place, bytes([data[tag + place] ^ 0x55])))
        damage = find_damage(tmp_path / name, "flv")
        assert damage is not None and damage.at <= tag, place


def test_a_changed_bit_in_any_frame_is_found_where_there_are_checksums(whole: Path, tmp_path: Path) -> None:
    for name in ("checked.mkv", "v.ogv"):
        data = (whole / name).read_bytes()
        for at in positions(whole / name)[1::20]:
            place = at + 60
            (tmp_path / name).write_bytes(changed(data, place, bytes([data[place] ^ 4])))
            damage = find_damage(tmp_path / name, container_of(whole / name))
            assert damage is not None and "checksum" in damage.why and damage.at <= place


def test_a_changed_bit_in_what_is_said_of_the_tracks_is_found(whole: Path, tmp_path: Path) -> None:
    data = (whole / "checked.mkv").read_bytes()
    listed = data.index(b"\x16\x54\xae\x6b")  # by the SeekHead
    tracks = data.index(b"\x16\x54\xae\x6b", listed + 4)
    for place in range(tracks + 12, tracks + 150, 9):
        (tmp_path / "v.mkv").write_bytes(changed(data, place, bytes([data[place] ^ 4])))
        damage = find_damage(tmp_path / "v.mkv", "matroska,webm")
        assert damage == (tracks, "a Tracks element whose checksum does not fit")


@pytest.mark.parametrize(
    ("place", "new", "why"),
    [
        (0, b"\x87", "a block of track 7, which the file does not have"),
        (3, b"\x86", "a block of several frames in track 1, which has none such"),
    ],
)
def test_a_block_that_is_not_of_its_track_is_damage(
    whole: Path, tmp_path: Path, place: int, new: bytes, why: str
) -> None:
    data = (whole / "v.webm").read_bytes()
    at, block = next((at, block) for at, block in simple_blocks(data) if data[block] == 0x81)
    (tmp_path / "v.webm").write_bytes(changed(data, block + place, new))
    assert find_damage(tmp_path / "v.webm", "matroska,webm") == (at, why)
    with pytest.raises(MediaError, match=f"its container is damaged at byte {at} .{why}") as caught:
        extract_frames(tmp_path / "v.webm", TENTH)
    assert caught.value.code == "unreadable-video"


@pytest.mark.parametrize("name", ["live.mkv", "v.ogv", "fragments.mp4", "bare.flv"])
def test_a_file_that_ends_inside_a_unit_is_damaged_though_it_promises_no_length(
    whole: Path, tmp_path: Path, name: str
) -> None:
    data = (whole / name).read_bytes()
    for at in positions(whole / name)[30::20]:
        (tmp_path / name).write_bytes(data[: at + 20])
        assert find_damage(tmp_path / name, container_of(whole / name)) is not None


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("v.mkv", bytes(100)),
        ("checked.mkv", b"TAG" + bytes(125)),
        ("v.avi", b"\0after the end"),
        ("v.flv", b"abcdefg"),
        ("v.ogv", bytes(300)),
        ("v.mp4", bytes(1000)),
        ("fragments.mp4", bytes(1000)),
        ("fragments.mp4", b"abc"),
        ("fragments.mp4", struct.pack(">I4s40x", 48, b"uuid") + struct.pack(">I4s", 8, b"free")),
        ("fragments.mp4", struct.pack(">I4sQ30x", 1, b"skip", 46) + struct.pack(">I4s90x", 0, b"wide")),
    ],
)
def test_what_lies_behind_the_end_is_no_damage(whole: Path, tmp_path: Path, name: str, more: bytes) -> None:
    (tmp_path / name).write_bytes((whole / name).read_bytes() + more)
    assert find_damage(tmp_path / name, container_of(whole / name)) is None


@pytest.mark.parametrize("name", ["v.mkv", "live.mkv", "v.flv", "v.ogv"])
def test_one_file_behind_the_other_is_no_damage(whole: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes((whole / name).read_bytes() * 2)
    assert find_damage(tmp_path / name, container_of(whole / name)) is None


def element(name: str, *content: bytes, open_end: bool = False) -> bytes:
    """An EBML element with its size in 8 bytes, or of unknown size."""
    inside = b"".join(content)
    size = 2**56 - 1 if open_end else len(inside)
    return bytes.fromhex(name) + (size | 1 << 56).to_bytes(8, "big") + inside


HEADER = element("1a45dfa3", element("4282", b"matroska"))
TRACKS = element("1654ae6b", element("ae", element("d7", b"\1"), element("9c", b"\0")))
TIME = element("e7", b"\0")
BLOCK = b"\x81\0\0\0a frame"


@pytest.mark.parametrize(
    ("cluster", "is_damaged"),
    [
        ([element("a3", BLOCK)], False),
        ([element("a0", element("a1", BLOCK), element("9b", b"\2"))], False),
        ([element("a0", element("a6", b"beside it"), element("a1", BLOCK))], False),
        ([element("ec", bytes(90)), element("a3", BLOCK)], False),
        ([element("a0", element("9b", b"\2"))], True),
        ([element("a0", element("a1", BLOCK)[:-1])], True),
        ([element("a3", BLOCK)[:-1], element("a3", BLOCK)], True),
        ([element("a3", BLOCK), element("a4", BLOCK)], True),
    ],
)
@pytest.mark.parametrize("open_cluster", [False, True])
@pytest.mark.parametrize("open_segment", [False, True])
def test_a_cluster_holds_blocks_whatever_its_size_says(
    tmp_path: Path, cluster: list[bytes], is_damaged: bool, open_cluster: bool, open_segment: bool
) -> None:
    clusters = [element("1f43b675", TIME, *cluster, open_end=open_cluster) for _ in range(2)]
    behind = element("1c53bb6b", b"any Cues")
    (tmp_path / "v.mkv").write_bytes(HEADER + element("18538067", TRACKS, *clusters, behind, open_end=open_segment))
    assert (find_damage(tmp_path / "v.mkv", "matroska,webm") is not None) == is_damaged
