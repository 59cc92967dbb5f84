"""Small datasets made by code: pictures whose grey level tells which sample and place they belong to."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import wave
from collections.abc import Callable
from pathlib import Path

from mm2energon.shards.metadata import ShardSummary, write_metadata
from mm2energon.shards.writer import ShardWriter
from mm2energon.targets import TARGETS, dataset_yamls
from PIL import Image

#: Samples of each shard, by split; two shards differ in size so that none can be taken for another.
SHARDS = {"train": (5, 3), "val": (4,), "test": (2,)}


def picture(grey: int, kind: str = "PNG") -> bytes:
    """A picture of one grey level, 16 pixels wide and 8 high."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8), (grey, grey, grey)).save(buffer, kind)
    return buffer.getvalue()


def sound(level: int) -> bytes:
    """A tenth of a second of one level, as a wav file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(level.to_bytes(2, "little") * 800)
    return buffer.getvalue()


def pai_v1_record(number: int) -> dict[str, bytes]:
    chat = {"conversations": [{"from": "human", "value": f"question {number}"}, {"from": "gpt", "value": "a"}]}
    return {
        "jpgs": pickle.dumps([picture(number)], 4),
        "videos": pickle.dumps([[picture(number + 1), picture(number + 2)]], 4),
        "json": json.dumps(chat).encode(),
    }


def pai_v2_record(number: int) -> dict[str, bytes]:
    record = pai_v1_record(number)
    return {
        "jpgs": record["jpgs"],
        "mp4s": record["videos"],
        "mp3s": pickle.dumps([sound(number)], 4),
        "json": record["json"],
    }


def crude_record(number: int) -> dict[str, bytes]:
    chat = {
        "messages": [{"role": "user", "content": f"question {number}"}],
        "id": number,
        "images": ["image0.png"],
        "videos": [["video0.000001.png", "video0.000002.png"]],
        "audios": ["audio0.wav"],
        "second_per_grid_ts": [1],
    }
    return {
        "json": json.dumps(chat).encode(),
        "image0.png": picture(number),
        "video0.000001.png": picture(number + 1),
        "video0.000002.png": picture(number + 2),
        "audio0.wav": sound(number),
    }


RECORDS: dict[str, Callable[[int], dict[str, bytes]]] = {
    "pai-v1": pai_v1_record,
    "pai-v2": pai_v2_record,
    "bridge": pai_v1_record,
    "crude": crude_record,
}


def write_dataset(root: Path, target: str = "pai-v1") -> list[ShardSummary]:
    """Shards of all splits and their metadata; sample n has the key `%08d` % n and pictures of grey n, n+1, n+2."""
    shards: list[ShardSummary] = []
    numbers = itertools.count()
    for split, sizes in SHARDS.items():
        for place, size in enumerate(sizes):
            name = f"{split}-shard-{place:06d}.tar"
            with ShardWriter(root / name) as shard:
                for number in itertools.islice(numbers, size):
                    shard.write(f"{number:08d}", RECORDS[target](number))
            shards.append(ShardSummary(name, split, shard.rows))
    splits = {split: [shard.name for shard in shards if shard.split == split] for split in SHARDS}
    write_metadata(
        root,
        shards=shards,
        splits=splits,
        dataset_yamls=dataset_yamls(TARGETS[target]),
        manifest={"target": target},
    )
    return shards


def numbers_of(split: str) -> list[int]:
    """The numbers of the samples that `write_dataset` puts into a split."""
    before = 0
    for name, sizes in SHARDS.items():
        if name == split:
            return list(range(before, before + sum(sizes)))
        before += sum(sizes)
    return []
