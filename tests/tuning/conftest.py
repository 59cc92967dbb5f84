"""A tiny base model in a folder, and red and blue videos with questions about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from media import write_clip
from videochat.tiny_models import save_qwen2_5_vl

QUESTION = "Which colour?"
#: Kept small by the options that all runs of these tests share.
QUICK = [
    *("--dataset-root", "{root}", "--max-pixels", "12544", "--loaders", "0", "--workers", "1"),
    *("--learning-rate", "0.01", "--effective-batch", "4", "--batch-size", "2", "--quantize", "none"),
]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Threads of torch wait for each other, busily, where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Qwen2.5-VL with random weights."""
    return save_qwen2_5_vl(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six red and six blue videos, and the lines of VideoChat about them."""
    root = tmp_path_factory.mktemp("colours")
    lines = []
    for number in range(6):
        for name, channel in (("red", 0), ("blue", 2)):
            write_clip(root / f"{name}{number}.mp4", frames=8, rate=8, size=(112, 84), draw=solid(channel, number))
            lines.append(line(root / f"{name}{number}.mp4", name))
    write_lines(root / "lines.jsonl", lines)
    return root


def solid(channel: int, number: int) -> Any:
    """Draws one colour, a little other in each video."""

    def draw(_frame: int, size: tuple[int, int]) -> Any:
        pixels = np.full((size[1], size[0], 3), 20 + 4 * number, np.uint8)
        pixels[:, :, channel] = 220 - 6 * number
        return pixels

    return draw


def line(video: Path | str, answer: str) -> dict[str, Any]:
    """A line as the VideoChat-R1.5 interface wants it."""
    return {"video_path": str(video), "text": f"USER: {QUESTION}\nASSISTANT: {answer}"}


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def command(data: Path, base: Path, output: Path, *options: object, root: Path | None = None) -> list[str]:
    """A command line that takes seconds."""
    quick = [word.replace("{root}", str(root or data.parent)) for word in QUICK]
    return ["finetune", "--data", str(data), "--model", str(base), "--output", str(output), *quick, *map(str, options)]


def told(output: Path, name: str) -> dict[int, float]:
    """`loss` or `eval_loss` by step; the last word on each."""
    lines = [json.loads(text) for text in (output / "metrics.jsonl").read_text().splitlines()]
    return {one["step"]: one[name] for one in lines if name in one}
