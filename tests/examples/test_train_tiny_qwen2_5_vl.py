"""A tiny Qwen2.5-VL learns from shards, and the time between frames reaches its positions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import torch
from byte_tokenizer import byte_tokenizer
from load_for_qwen2_5_vl import QwenEncoder, open_split
from make_dataset import make_dataset
from shards_by_hand import video_chats, write_shards
from train_tiny_qwen2_5_vl import MAX_PIXELS, tiny_model, two_videos

ROOT = Path(__file__).parents[2]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A Python command line, with the library on the path."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "toolkits")}
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)


def test_shards_of_the_demo_dataset_train_a_model_that_tells_two_videos_apart(tmp_path: Path) -> None:
    make_dataset(tmp_path / "demo")
    root = ("--dataset-root", str(tmp_path / "demo"))
    frames = run("-m", "mm2energon", "frames", *root, "--time-interval", "0.5")
    assert frames.returncode == 0, frames.stderr
    shard = run("-m", "mm2energon", "shard", *root, "--json", "dataset.json", "--output", str(tmp_path / "wds"))
    assert shard.returncode == 0, shard.stderr

    trained = run(str(ROOT / "examples/train_tiny_qwen2_5_vl.py"), str(tmp_path / "wds"), "--steps", "200")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    answers = re.findall(r"given +'(A \w+ square moves [\w ]+\.)'", trained.stdout)
    assert len(set(answers)) == 2


def test_an_untrained_model_fails(tmp_path: Path) -> None:
    write_shards(tmp_path / "wds", video_chats(2))
    script = str(ROOT / "examples/train_tiny_qwen2_5_vl.py")
    assert run(script, str(tmp_path / "wds"), "--steps", "4").returncode == 1


def test_the_model_is_below_a_million_parameters() -> None:
    assert sum(weight.numel() for weight in tiny_model(byte_tokenizer()).parameters()) < 1_000_000


def test_the_seconds_between_frames_reach_the_positions_of_the_video(tmp_path: Path) -> None:
    write_shards(tmp_path / "wds", video_chats(2))
    tokenizer = byte_tokenizer()
    encoder = QwenEncoder(tokenizer, max_image_pixels=MAX_PIXELS, max_frame_pixels=MAX_PIXELS)
    (sample, _, _), _ = two_videos(open_split(tmp_path / "wds", encoder, batch_size=1, once=True), tokenizer)
    inputs = sample.model_inputs()
    del inputs["labels"], inputs["pixel_values_videos"]
    positions, _ = tiny_model(tokenizer).model.get_rope_index(**inputs)
    time = positions[0][inputs["mm_token_type_ids"] == 2].reshape(3, -1)
    # Two positions per second and one second between pairs of frames that are taken twice per second.
    assert torch.equal(time - time[0, 0], torch.tensor([[0], [2], [4]]).expand_as(time))
