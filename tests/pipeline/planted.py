"""Sound shards to plant faults in, and what verify says of them."""

import io
import json
import pickle

from mm2energon.pipeline.verify import verify
from mm2energon.shards.index import ShardSummary
from mm2energon.shards.metadata import write_metadata
from mm2energon.shards.reader import read_index, read_shard
from mm2energon.shards.writer import ShardWriter
from mm2energon.targets import TARGETS, dataset_yamls
from PIL import Image

PLACE = "train-shard-000000.tar/00000000"


def faults_of(folder):
    return [str(fault) for fault in verify(folder, energon=False).faults]


def found_at(folder, place, what):
    """Whether a fault names that place and says that; all the faults otherwise."""
    faults = faults_of(folder)
    return any(fault.startswith(place) and what in fault for fault in faults) or faults


def meta(shards, name):
    return shards / ".nv-meta" / name


def edit_json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def pixels(size=(64, 48), kind="JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 90, 90)).save(buffer, kind)
    return buffer.getvalue()


def text_of(question, seconds=()):
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": "a"}]
    return json.dumps({"conversations": turns, "second_per_grid_ts": list(seconds)}).encode()


def one_record(folder, target="pai-v1", **parts):
    """A dataset of one sample whose record has these parts in the place of sound ones."""
    text = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "second_per_grid_ts": []}
    record = {"jpgs": pickle.dumps([]), "videos": pickle.dumps([]), "json": json.dumps(text).encode(), **parts}
    with ShardWriter(folder / "train-shard-000000.tar") as shard:
        shard.write("00000000", {name: data for name, data in record.items() if data is not None})
    write_metadata(
        folder,
        shards=[ShardSummary("train-shard-000000.tar", "train", shard.rows)],
        splits={"train": ["train-shard-000000.tar"]},
        dataset_yamls=dataset_yamls(TARGETS[target]),
        manifest={"target": target},
    )
    return folder


def rewrite(shards, change):
    """Write every shard of a dataset anew, with all indexes and checksums, after `change`.

    Args:
        change: takes shard, key and record; gives the (key, record) pairs that shall stand in their place.
    """
    index = read_index(shards)
    summaries, about = [], {}
    for split, names in index.splits.items():
        for name in names:
            samples = [pair for key, record in list(read_shard(shards / name)) for pair in change(name, key, record)]
            with ShardWriter(shards / name) as shard:
                for key, record in samples:
                    shard.write(key, record)
            summaries.append(ShardSummary(name, split, shard.rows))
            size = (shards / name).stat().st_size
            about[name] = {"samples": len(samples), "bytes": size, "crc32": f"{shard.crc32:08x}"}
    write_metadata(
        shards,
        shards=summaries,
        splits=index.splits,
        dataset_yamls=dataset_yamls(TARGETS[index.manifest["target"]]),
        manifest={**index.manifest, "shards": about},
    )


def swap_colours(picture):
    """The picture as a reader of BGR who writes RGB leaves it behind."""
    with Image.open(io.BytesIO(picture)) as image:
        buffer = io.BytesIO()
        Image.merge("RGB", image.convert("RGB").split()[::-1]).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def unpickled(record, part):
    return pickle.loads(record[part])
