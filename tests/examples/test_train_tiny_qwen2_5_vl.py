"""A tiny Qwen2.5-VL learns from shards, and the time between frames reaches its positions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from byte_tokenizer import byte_tokenizer
from load_for_qwen2_5_vl import QwenEncoder, open_split
from shards_by_hand import Chat, video_chats, write_shards
from train_tiny_qwen2_5_vl import MAX_PIXELS, tiny_model, two_videos

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    write_shards(tmp_path / "wds", [*video_chats(3), Chat("text", ("How are you?", "Well."))])
    return tmp_path / "wds"


def train(shards: Path, *, steps: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples/train_tiny_qwen2_5_vl.py"), str(shards), "--steps", str(steps)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "toolkits")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_trained_model_answers_one_question_about_two_videos_rightly(shards: Path) -> None:
    run = train(shards, steps=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("'A red square moves to the right.<|im_end|>'") == 2
    assert run.stdout.count("'A blue square moves to the left.<|im_end|>'") == 2


def test_an_untrained_model_fails(shards: Path) -> None:
    assert train(shards, steps=4).returncode == 1


def test_the_model_is_below_a_million_parameters() -> None:
    assert sum(weight.numel() for weight in tiny_model(byte_tokenizer()).parameters()) < 1_000_000


def test_the_seconds_between_frames_reach_the_positions_of_the_video(shards: Path) -> None:
    tokenizer = byte_tokenizer()
    encoder = QwenEncoder(tokenizer, max_image_pixels=MAX_PIXELS, max_frame_pixels=MAX_PIXELS)
    (sample, _, _), _ = two_videos(open_split(shards, encoder, batch_size=1, once=True), tokenizer)
    inputs = sample.model_inputs()
    del inputs["labels"], inputs["pixel_values_videos"]
    positions, _ = tiny_model(tokenizer).model.get_rope_index(**inputs)
    time = positions[0][inputs["mm_token_type_ids"] == 2].reshape(3, -1)
    # Two positions per second and one second between pairs of frames that are taken twice per second.
    assert torch.equal(time - time[0, 0], torch.tensor([[0], [2], [4]]).expand_as(time))
