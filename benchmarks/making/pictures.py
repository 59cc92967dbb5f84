"""Pictures: a dataset of JPEG images and of videos whose frames are extracted, with its dataset.json."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from benchmarks.making.clips import encode
from benchmarks.scale import Clip, Scale

FRAMES = 20
#: Videos that are decoded; the others are copies of their frames under other names.
DECODED = 6
ANSWER = "It moves from the left to the right, and the colours behind it change as it goes. " * 3


def make(folder: Path, scale: Scale) -> None:
    """Make the images, the videos with their frames, and dataset.json."""
    entries = [_image_entry(path) for path in _make_images(folder / "images", scale.images)]
    entries += [_video_entry(path) for path in _make_videos(folder / "videos", scale.frame_videos)]
    (folder / "dataset.json").write_text(json.dumps(entries), encoding="utf-8")


def _make_images(folder: Path, count: int) -> list[str]:
    """JPEGs of 60 to 150 KB: parts of one picture, of sizes and grain that differ."""
    import numpy as np
    import simplejpeg

    folder.mkdir()
    random = np.random.default_rng(1)
    grain = random.integers(-14, 15, (1600, 2000, 3), dtype=np.int16)
    waves = np.sin(np.arange(2000)[None, :, None] / (40, 70, 110)) + np.cos(
        np.arange(1600)[:, None, None] / (60, 90, 30)
    )
    base = np.clip(127 + 55 * waves + grain, 0, 255).astype(np.uint8)
    names = []
    for number in range(count):
        width, height = 560 + 8 * int(random.integers(0, 18)), 420 + 8 * int(random.integers(0, 12))
        left, top = int(random.integers(0, 2000 - width)), int(random.integers(0, 1600 - height))
        crop = np.ascontiguousarray(base[top : top + height, left : left + width])
        quality = 88 + number % 8
        data = simplejpeg.encode_jpeg(crop, quality=quality, colorspace="RGB", colorsubsampling="420", fastdct=False)
        names.append(f"images/{number:05d}.jpg")
        (folder / f"{number:05d}.jpg").write_bytes(data)
    return names


def _make_videos(folder: Path, count: int) -> list[str]:
    """Videos of 20 frames at 1 fps, extracted by ours; all but a few are copies of the first ones."""
    from mm2energon.video.extract import FrameOptions, extract_frames
    from mm2energon.video.sampling import Sampling

    folder.mkdir()
    for number in range(min(DECODED, count)):
        video = folder / f"{number:04d}.mp4"
        encode(Clip(video.stem, "h264", 640, 360, 5, FRAMES, 160), video, seed=number)
        extract_frames(video, FrameOptions(Sampling(interval_seconds=1.0), quality=90))
    for number in range(DECODED, count):
        source, video = folder / f"{number % DECODED:04d}.mp4", folder / f"{number:04d}.mp4"
        os.link(source, video)
        shutil.copytree(source.with_suffix(""), video.with_suffix(""))
        sidecar = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
        video.with_suffix(".json").write_text(json.dumps(sidecar | {"source": video.name}) + "\n", encoding="utf-8")
    return [f"videos/{number:04d}.mp4" for number in range(count)]


def _image_entry(path: str) -> dict[str, Any]:
    return {"id": path, "images": [path], "conversations": _turns("<image>\nWhat is in the picture?")}


def _video_entry(path: str) -> dict[str, Any]:
    return {"id": path, "videos": [path], "conversations": _turns("<video>\nWhat happens?")}


def _turns(question: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": ANSWER}]
