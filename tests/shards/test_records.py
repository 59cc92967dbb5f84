"""Records hold the parts that each reader looks for, as a plain unpickler and a plain json reader see them."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.sample import Sample, Turn
from mm2energon.shards.records import Media, make_record
from mm2energon.shards.writer import ShardWriter
from mm2energon.targets import TARGETS
from PIL import Image

TURNS = (Turn("user", "<image><image><video><video><audio>é?"), Turn("assistant", "A cat 😀."))


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(buffer, kind)
    return buffer.getvalue()


JPEG, PNG, WEBP = picture("JPEG"), picture("PNG"), picture("WEBP")
MEDIA = Media(
    images=(JPEG, PNG),
    videos=((JPEG, WEBP, JPEG), (PNG,)),
    audios=(b"sound",),
    second_per_grid_ts=(1.0, 0.5),
)
EMPTY = Media()


def sample(**more: Any) -> Sample:
    return Sample(**{"turns": TURNS, "audios": ("sounds/a.MP3",), "id": "a/b.c", "extra": {"w": [0.5, None]}, **more})


def joined(part: bytes | list[bytes]) -> bytes:
    return part if isinstance(part, bytes) else b"".join(part)


def text_of(record: Any) -> Any:
    return json.loads(record["json"])


#: Typed from what the readers unpickle: part of images, part of videos, part of sounds.
PARTS = {"pai-v1": ("jpgs", "videos", None), "pai-v2": ("jpgs", "mp4s", "mp3s"), "bridge": ("jpgs", "videos", None)}
FROM = [{"from": "human", "value": TURNS[0].text}, {"from": "gpt", "value": TURNS[1].text}]
ROLE = [{"role": "user", "content": TURNS[0].text}, {"role": "assistant", "content": TURNS[1].text}]
KEYED = {
    "pai-v1": FROM,
    "pai-v2": ROLE,
    "bridge": [{**one, **other} for one, other in zip(FROM, ROLE, strict=True)],
}


class _Restricted(pickle.Unpickler):
    """As strict as an unpickler can be: it knows no name at all."""

    def find_class(self, module: str, name: str) -> Any:
        raise AssertionError(f"asked for {module}.{name}")


@pytest.mark.parametrize("load", [pickle.loads, lambda data: _Restricted(io.BytesIO(data)).load()])
@pytest.mark.parametrize("target", PARTS)
def test_the_pickled_parts_are_nested_lists_of_bytes(target: str, load: Any) -> None:
    images, videos, sounds = PARTS[target]
    record = make_record(sample(), MEDIA, TARGETS[target])
    assert list(record) == [part for part in (images, videos, sounds) if part] + ["json"]
    assert load(joined(record[images])) == [JPEG, PNG]
    assert load(joined(record[videos])) == [[JPEG, WEBP, JPEG], [PNG]]
    assert sounds is None or load(joined(record[sounds])) == [b"sound"]


@pytest.mark.parametrize("target", PARTS)
def test_lists_without_media_are_there_and_empty(target: str) -> None:
    record = make_record(sample(audios=()), EMPTY, TARGETS[target])
    assert [pickle.loads(joined(record[part])) for part in PARTS[target] if part] == [
        [] for part in PARTS[target] if part
    ]
    assert text_of(record)["second_per_grid_ts"] == []


@pytest.mark.parametrize("target", PARTS)
def test_the_json_holds_the_turns_the_seconds_and_where_it_came_from(target: str) -> None:
    assert text_of(make_record(sample(), MEDIA, TARGETS[target])) == {
        "conversations": KEYED[target],
        "second_per_grid_ts": [1.0, 0.5],
        "id": "a/b.c",
        "extra": {"w": [0.5, None]},
    }


def test_a_crude_record_has_one_member_a_picture_and_names_them() -> None:
    record = make_record(sample(), MEDIA, TARGETS["crude"])
    assert {name: data for name, data in record.items() if name != "json"} == {
        "image0.jpg": JPEG,
        "image1.png": PNG,
        "video0.000001.jpg": JPEG,
        "video0.000002.webp": WEBP,
        "video0.000003.jpg": JPEG,
        "video1.000001.png": PNG,
        "audio0.mp3": b"sound",
    }
    assert list(record)[-1] == "json"
    assert text_of(record) == {
        "messages": ROLE,
        "second_per_grid_ts": [1.0, 0.5],
        "images": ["image0.jpg", "image1.png"],
        "videos": [["video0.000001.jpg", "video0.000002.webp", "video0.000003.jpg"], ["video1.000001.png"]],
        "audios": ["audio0.mp3"],
        "id": "a/b.c",
        "extra": {"w": [0.5, None]},
    }


def test_frames_of_a_long_video_stand_in_the_order_of_their_names() -> None:
    frames = [JPEG + bytes([place % 256]) for place in range(1100)]
    record = make_record(sample(audios=()), Media(videos=[frames], second_per_grid_ts=[1.0]), TARGETS["crude"])
    names = text_of(record)["videos"][0]
    assert names == sorted(names)
    assert [record[name] for name in names] == frames


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("identity", [0, "", False, 1.5, ["x"], {"a": None}, 10**30, "\ud800", "../..", None])
def test_the_id_and_the_unknown_keys_are_kept_and_displace_nothing(target: str, identity: Any) -> None:
    extra = {"conversations": 1, "messages": 2, "second_per_grid_ts": 3, "images": 4, "id": 5, "json": 6}
    plain = text_of(make_record(sample(id=None, extra={}), MEDIA, TARGETS[target]))
    text = text_of(make_record(sample(id=identity, extra=extra), MEDIA, TARGETS[target]))
    assert text == {**plain, "extra": extra, **({} if identity is None else {"id": identity})}


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("a.mp3", "audio0.mp3"),
        ("a.b/c.WAV", "audio0.wav"),
        ("a.mp3 (1)", "audio0.mp3"),
        ("a.flac?download=1", "audio0.flac"),
        ("a.mp3.", "audio0.bin"),
        ("a", "audio0.bin"),
        (".mp3", "audio0.bin"),
        ("a.mp3/b", "audio0.bin"),
        ("a.ogg\n", "audio0.ogg"),
        ("a.MP३", "audio0.bin"),
        ("a.", "audio0.bin"),
        ("a.--", "audio0.bin"),
        ("a." + "x" * 300, "audio0.bin"),
        ("a.pyd", "audio0.bin"),
        ("a.pickle", "audio0.bin"),
        ("a.pth", "audio0.bin"),
        ("a.json", "audio0.bin"),
        ("a.jpg", "audio0.bin"),
    ],
)
def test_the_part_of_a_sound_is_named_by_a_known_ending_or_none(path: str, part: str) -> None:
    record = make_record(sample(audios=(path,)), Media(audios=(b"sound",)), TARGETS["crude"])
    assert record[part] == b"sound"
    assert text_of(record)["audios"] == [part]


@given(paths=st.lists(st.text(min_size=1), max_size=3), target=st.sampled_from(list(TARGETS)))
def test_whatever_the_files_are_called_a_shard_takes_the_record(
    tmp_path_factory: pytest.TempPathFactory, paths: list[str], target: str
) -> None:
    folder: Path = tmp_path_factory.mktemp("shard")
    media = Media(images=(JPEG,), videos=((PNG,),), audios=(b"sound",) * len(paths))
    record = make_record(sample(audios=tuple(paths)), media, TARGETS[target])
    with ShardWriter(folder / "a.tar") as shard:
        shard.write("00000000", record)
    assert len(shard.rows.samples) == 1
