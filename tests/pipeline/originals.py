"""Datasets as the original scripts write them: OpenCV's pixels encoded by webdataset, Energon's own preparation.

What they do was read off the scripts of Pai-Megatron-Patch: `cv2.imread(..., IMREAD_UNCHANGED)`, which gives blue,
green and red, goes to webdataset's image encoder, which takes them for red, green and blue; frames in name order, an
odd last one cut; `second_per_grid_ts` of 1 / fps; `pretrain-%d.tar`; Energon's `prepare_dataset` with ratios of shards.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import webdataset
import yaml
from media import draw_colours
from webdataset.writer import imageencoder

from pipeline.making import chat, write_json

RATIOS = {"train": 9.0, "val": 1.0, "test": 0.0}
READERS = {"pai-v1": "megatron_patch.data.energon.chatml", "pai-v2": "megatron_patch.data.multimodal_dataset"}


def write_colours(path: Path, number: int, size: tuple[int, int] = (96, 64)) -> Path:
    """A picture of many colours, as OpenCV writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), draw_colours(number, size)[:, :, ::-1])
    return path


def write_gray(path: Path, size: tuple[int, int] = (96, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.tile(np.arange(size[0], dtype=np.uint8), (size[1], 1)))
    return path


def write_video_frames(root: Path, name: str, count: int, *, fps: str | None, first: int = 0) -> str:
    """Frames as the original script extracts them, and the video beside them (of which nothing is read)."""
    for number in range(count):
        write_colours(root / name / f"frame_{number * 15:06}.jpg", first + number)
    if fps is not None:
        (root / f"{name}.json").write_text(json.dumps({"fps": fps}))
    (root / f"{name}.mp4").write_bytes(b"video")
    return f"{name}.mp4"


def write_sources(root: Path, *, images: int = 4, videos: int = 2) -> list[dict[str, Any]]:
    """A dataset root with entries about pictures and about videos of 5 frames at 2.0 fps, without ids."""
    entries: list[dict[str, Any]] = []
    for number in range(images):
        write_colours(root / f"pictures/{number}.png", number)
        turns = chat(f"<image>What is {number}?", f"Picture {number}.")
        entries.append({"conversations": turns, "images": [f"pictures/{number}.png"]})
    for number in range(videos):
        name = write_video_frames(root, f"clips/{number}", 5, fps="2.0", first=20 + 10 * number)
        turns = chat(f"<video>What happens in {number}?", "Much.")
        entries.append({"conversations": turns, "videos": [name]})
    write_json(root / "dataset.json", entries)
    return entries


def convert(root: Path, *, samples_in_a_shard: int = 10_000, with_seconds: bool = True) -> Path:
    """`root/wds` with the tars of the original converter, without metadata.

    Args:
        with_seconds: False writes the bare list of turns, and odd frames, of its first version.
    """
    output = root / "wds"
    output.mkdir()
    pattern = str(output / "pretrain-%d.tar")
    with webdataset.ShardWriter(pattern, maxcount=samples_in_a_shard, verbose=0) as shards:
        for number, entry in enumerate(json.loads((root / "dataset.json").read_text())):
            shards.write(_record(root, number, entry, with_seconds=with_seconds))
    return output


def _record(root: Path, number: int, entry: dict[str, Any], *, with_seconds: bool) -> dict[str, Any]:
    videos, seconds = [], []
    for video in entry.get("videos", []):
        folder = root / Path(video).with_suffix("")
        sidecar = folder.with_suffix(".json")
        fps = float(json.loads(sidecar.read_text())["fps"]) if sidecar.exists() else 2.0
        frames = [_encoded(path) for path in sorted(folder.iterdir())]
        videos.append(frames[: len(frames) // 2 * 2] if with_seconds else frames)
        seconds.append(1 / fps)
    text: Any = entry["conversations"]
    if with_seconds:
        text = {"conversations": text, "second_per_grid_ts": seconds}
    return {
        "__key__": entry.get("id", str(number)),
        "jpgs": pickle.dumps([_encoded(root / image) for image in entry.get("images", [])]),
        "videos": pickle.dumps(videos),
        "json": json.dumps(text).encode(),
    }


def _encoded(path: Path) -> bytes:
    return imageencoder(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), "jpg")


def prepare(
    output: Path, *, target: str = "pai-v1", ratios: Sequence[tuple[str, float]] = tuple(RATIOS.items())
) -> Path:
    """What Energon's own preparation, as the original script calls it, and the script itself write to `.nv-meta`."""
    from megatron.energon.epathlib import EPath
    from megatron.energon.flavors import BaseWebdatasetFactory

    names = sorted(path.name for path in output.glob("*.tar"))
    BaseWebdatasetFactory.prepare_dataset(
        EPath(output), names, split_parts_ratio=list(ratios), shuffle_seed=42, workers=1
    )
    fields = {"imgs": "jpgs", "videos": "videos", "conversation": "json"}
    content = {"__class__": "ChatMLWebdataset", "__module__": READERS[target], "field_map": fields}
    (output / ".nv-meta/dataset.yaml").write_text(yaml.safe_dump(content))
    return output


def as_energon_5(output: Path) -> Path:
    """The metadata as Energon 4 and 5 leave it, which that script was written for: counts in YAML, and no index."""
    meta = output / ".nv-meta"
    counts = json.loads((meta / ".info.json").read_text())["shard_counts"]
    (meta / ".info.yaml").write_text(yaml.safe_dump({"shard_counts": counts}))
    for name in (".info.json", "index.sqlite", "index.uuid"):
        (meta / name).unlink()
    return output
