"""Writes shards with nothing but tarfile, pickle and Energon's own preparation, for the tests of the training side."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from make_dataset import CLIP_SECONDS, CLIPS, Clip, draw_frame
from megatron.energon.epathlib import EPath
from megatron.energon.flavors.webdataset import BaseWebdatasetFactory
from PIL import Image

FPS = 2
SECONDS_PER_GRID = 2 / FPS
ROLE_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}
FIELDS = {"imgs": "jpgs", "videos": "videos", "conversation": "json"}
DATASET_YAMLS: dict[str, dict[str, Any]] = {
    "pai-v1": {
        "__module__": "megatron_patch.data.energon.chatml",
        "__class__": "ChatMLWebdataset",
        "field_map": FIELDS,
    },
    "bridge": {
        "__module__": "megatron.bridge.data.energon.task_encoder_utils",
        "__class__": "ChatMLWebdataset",
        "field_map": FIELDS,
        "subflavors": {},
    },
    "pai-v2": {
        "__module__": "megatron_patch.data.multimodal_dataset",
        "__class__": "ChatMLWebdataset",
        "field_map": {"imgs": "jpgs", "videos": "mp4s", "audios": "mp3s", "conversation": "json"},
    },
    "crude": {"__module__": "megatron.energon", "__class__": "CrudeWebdataset"},
}


@dataclass(frozen=True)
class Chat:
    """One sample: texts in turn, the user first; encoded pictures."""

    key: str
    texts: tuple[str, ...]
    images: tuple[bytes, ...] = ()
    videos: tuple[tuple[bytes, ...], ...] = ()


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """The bytes of a picture file; PNG keeps every pixel."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def clip_frames(clip: Clip) -> tuple[bytes, ...]:
    """Two frames per second of a demo clip."""
    return tuple(encode(draw_frame(clip, k / FPS), "JPEG") for k in range(CLIP_SECONDS * FPS))


def video_chats(count: int) -> list[Chat]:
    """Chats of one question about one demo clip each."""
    question = "<video>\nWhat happens in the video?"
    return [
        Chat(f"video{k}", (question, f"A {clip.colour} square moves {clip.direction}."), videos=(clip_frames(clip),))
        for k, clip in enumerate(CLIPS[:count])
    ]


def write_shards(root: Path, chats: list[Chat], *, target: str = "pai-v1") -> None:
    """One shard with all chats in the split train, of the layout of a target."""
    root.mkdir(parents=True)
    parts = crude_parts if target == "crude" else pickled_parts
    with tarfile.open(root / "train-shard-000000.tar", "w") as tar:
        for chat in chats:
            for name, data in parts(chat, target).items():
                member = tarfile.TarInfo(f"{chat.key}.{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    BaseWebdatasetFactory.prepare_dataset(
        EPath(root), ["train-shard-000000.tar"], split_parts_patterns=[("train", "train-.*")], workers=1
    )
    (root / ".nv-meta/dataset.yaml").write_text(yaml.safe_dump(DATASET_YAMLS[target]), encoding="utf-8")


def pickled_parts(chat: Chat, target: str) -> dict[str, bytes]:
    """The parts of every target but `crude`."""
    turns = []
    for k, text in enumerate(chat.texts):
        role = ("user", "assistant")[k % 2]
        spoken = {"from": ROLE_NAMES[role], "value": text} if target != "pai-v2" else {}
        turns.append(spoken if target == "pai-v1" else {**spoken, "role": role, "content": text})
    content = {"conversations": turns, "second_per_grid_ts": [SECONDS_PER_GRID] * len(chat.videos)}
    parts = {
        "jpgs": pickle.dumps(list(chat.images), protocol=4),
        "mp4s" if target == "pai-v2" else "videos": pickle.dumps([list(frames) for frames in chat.videos], protocol=4),
        "json": json.dumps(content).encode(),
    }
    return {**parts, "mp3s": pickle.dumps([])} if target == "pai-v2" else parts


def crude_parts(chat: Chat, target: str) -> dict[str, bytes]:
    """The parts of `crude`: one member per picture, named in the json."""
    images = {f"image{k}.{suffix(data)}": data for k, data in enumerate(chat.images)}
    videos = [
        {f"video{k}.{n:06d}.{suffix(data)}": data for n, data in enumerate(frames, 1)}
        for k, frames in enumerate(chat.videos)
    ]
    content = {
        "messages": [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(chat.texts)],
        "images": list(images),
        "videos": [list(frames) for frames in videos],
        "audios": [],
        "second_per_grid_ts": [SECONDS_PER_GRID] * len(chat.videos),
    }
    members = {"json": json.dumps(content).encode(), **images}
    for frames in videos:
        members.update(frames)
    return members


def suffix(data: bytes) -> str:
    """The usual suffix of a picture file."""
    return "png" if data.startswith(b"\x89PNG") else "jpg"
