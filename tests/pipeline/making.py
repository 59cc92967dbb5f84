"""Small datasets made by code, and a reading of their shards that owes nothing to the library."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media import read_number, write_image
from mm2energon import cli
from PIL import Image

_NOBODY = 65534
IMAGES_PART, VIDEOS_PART = "jpgs", {"pai-v1": "videos", "bridge": "videos", "pai-v2": "mp4s"}


@dataclass(frozen=True)
class Stored:
    """A sample as tarfile and pickle see it in a shard."""

    split: str
    shard: str
    key: str
    text: dict[str, Any]
    images: list[bytes]
    videos: list[list[bytes]]


def chat(question: str = "What is this?", answer: str = "A picture.") -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def image_entry(*paths: str, **more: Any) -> dict[str, Any]:
    """A ShareGPT entry about images."""
    return {"conversations": chat("<image>" * len(paths) + "What is this?"), "images": list(paths), **more}


def video_entry(*paths: Any, **more: Any) -> dict[str, Any]:
    """A ShareGPT entry about videos."""
    return {"conversations": chat("<video>" * len(paths) + "What happens?"), "videos": list(paths), **more}


def text_entry(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"conversations": chat(f"How much is {number} and 1?", str(number + 1)), **more}


def write_json(path: Path, entries: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def write_images(root: Path, count: int, **options: Any) -> list[str]:
    """Numbered pictures p0.jpg, p1.jpg, ... below the root."""
    root.mkdir(parents=True, exist_ok=True)
    return [write_image(root / f"p{number}.jpg", number=number, **options).name for number in range(count)]


def write_frames(root: Path, name: str, count: int, *, fps: str | None = "2.0 ", first: int = 0, **options: Any) -> str:
    """Frames as another tool lays them out: `<name>/00001.jpg` and `<name>.json`; the path of the video, not there."""
    folder = root / name
    folder.mkdir(parents=True)
    for number in range(count):
        write_image(folder / f"{number + 1:05d}.jpg", number=first + number, **options)
    if fps is not None:
        (root / f"{name}.json").write_text(json.dumps({"fps": fps}))
    return f"{name}.mp4"


def image_dataset(root: Path, count: int) -> Path:
    """A dataset of `count` entries with an image each."""
    write_json(root / "dataset.json", [image_entry(name, id=name[:-4]) for name in write_images(root, count)])
    return root


def run_shard(root: Path, *options: object) -> int:
    """`mm2energon shard` in this process; its exit status."""
    return cli.main(["shard", "--dataset-root", str(root), "--workers", "1", *map(str, options)])


def stored(output: Path, target: str = "pai-v1") -> list[Stored]:
    """Every sample of the shards in a folder, split by split, in order."""
    found = []
    for path in sorted(output.glob("*.tar")):
        parts: dict[str, dict[str, bytes]] = {}
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, part = member.name.partition(".")
                parts.setdefault(key, {})[part] = tar.extractfile(member).read()
        for key, record in parts.items():
            images = pickle.loads(record[IMAGES_PART]) if IMAGES_PART in record else []
            videos = pickle.loads(record[VIDEOS_PART[target]]) if target in VIDEOS_PART else []
            split = path.name.split("-")[0]
            found.append(Stored(split, path.name, key, json.loads(record["json"]), images, videos))
    return found


def set_aside(output: Path) -> list[dict[str, Any]]:
    """The lines of set_aside.jsonl."""
    path = output / "set_aside.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def strict_json(data: bytes) -> Any:
    """A value as strict readers take it: UTF-8, and no NaN."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    return json.loads(data.decode("utf-8"), parse_constant=refuse)


def strict_lines(path: Path) -> list[Any]:
    """The values of JSON lines, as strict readers take them; none where there is no file."""
    return [strict_json(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def tree_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def tree_times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def shard_of(root: Path, entries: list[Any], *options: object) -> tuple[int, list[Stored]]:
    """Exit status and samples of a dataset of these entries."""
    write_json(root / "dataset.json", entries)
    status = run_shard(root, *options)
    target = str(options[options.index("--target") + 1]) if "--target" in options else "pai-v1"
    return status, stored(root / "wds", target)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Whoever runs the tests, without the right of root to read and write everything."""
    user = os.geteuid()
    os.seteuid(user or _NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def number_of(data: bytes) -> int | None:
    """The number of an encoded picture."""
    return read_number(Image.open(io.BytesIO(data)))
