"""The training-side example gives Qwen2.5-VL what transformers' own processors would give it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from byte_tokenizer import byte_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from load_for_qwen2_5_vl import QwenEncoder, open_split, patchify, tokenize
from shards_by_hand import DATASET_YAMLS, SECONDS_PER_GRID, Chat, encode, video_chats, write_shards

ROOT = Path(__file__).parents[2]
RANDOM = np.random.default_rng(0)


def picture(height: int, width: int) -> np.ndarray:
    """Noise: uint8, height x width x RGB."""
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_read(pixels: np.ndarray) -> torch.Tensor:
    """The picture as Energon's decoders give it."""
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)


CHATS = [
    *video_chats(2),
    Chat("text", ("How are you?", "Well.", "And now?", "Still well.")),
    Chat(
        "images",
        ("One <image> and one <image>: which is larger?", "The second."),
        images=(encode(picture(40, 60)), encode(picture(100, 90))),
    ),
]


@pytest.fixture(scope="module", params=list(DATASET_YAMLS))
def shards(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same chats as shards of every target that the example reads."""
    root = tmp_path_factory.mktemp("shards") / "wds"
    write_shards(root, CHATS, target=request.param)
    return root


@pytest.fixture
def encoder() -> QwenEncoder:
    return QwenEncoder(byte_tokenizer(), max_image_pixels=112 * 112, max_frame_pixels=112 * 84)


def by_key(shards: Path, encoder: QwenEncoder, **options: Any) -> dict[str, Any]:
    """Every sample of the shards as a batch of its own."""
    batches = open_split(shards, encoder, batch_size=1, once=True, **options)
    return {batch.__key__[0].split("/")[-1]: batch for batch in batches}


@settings(deadline=None, max_examples=25)
@given(st.integers(5, 300), st.integers(5, 300))
def test_an_image_becomes_the_patches_of_transformers(height: int, width: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    pixels = picture(height, width)
    max_pixels = 6 * 28 * 28
    theirs = Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": max_pixels})(pixels)
    patches, grid = patchify([as_read(pixels)], max_pixels=max_pixels)
    assert [list(grid)] == theirs["image_grid_thw"].tolist()
    np.testing.assert_allclose(patches.numpy(), theirs["pixel_values"], atol=1e-5)


def test_a_video_is_cut_into_patches_of_two_frames_in_the_order_of_the_merged_tokens() -> None:
    frames = [picture(56, 84) for _ in range(4)]  # no resizing: the sides are multiples of 28
    patches, grid = patchify([as_read(pixels) for pixels in frames], max_pixels=56 * 84)
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    expected = []
    for time in range(2):
        for top in (0, 28):
            for left in (0, 28, 56):
                for y, x in ((top, left), (top, left + 14), (top + 14, left), (top + 14, left + 14)):
                    cells = [(frames[2 * time + k][y : y + 14, x : x + 14] / 255 - mean) / std for k in range(2)]
                    channels = [cell[:, :, channel] for channel in range(3) for cell in cells]
                    expected.append(np.concatenate([channel.ravel() for channel in channels]))
    assert grid == (2, 4, 6)
    np.testing.assert_allclose(patches.numpy(), np.stack(expected), atol=1e-5)


def test_the_last_frame_of_an_odd_number_is_taken_twice() -> None:
    frames = [as_read(picture(56, 56)) for _ in range(3)]
    odd, even = (patchify(of, max_pixels=56 * 56) for of in (frames, [*frames, frames[-1]]))
    assert odd[1] == even[1] == (2, 4, 4)
    assert torch.equal(odd[0], even[0])


def test_every_target_gives_all_samples_with_as_many_pads_as_patches(shards: Path, encoder: QwenEncoder) -> None:
    samples = by_key(shards, encoder)
    assert samples.keys() == {"video0", "video1", "text", "images"}
    assert (samples["video0"].mm_token_type_ids == 2).sum() == 3 * 3 * 4  # 3 pairs of frames of 84 x 112 pixels
    assert samples["video0"].video_grid_thw.tolist() == [[3, 6, 8]]
    images = samples["images"]
    assert images.image_grid_thw.tolist() == [[1, 4, 6], [1, 8, 6]]
    assert (images.mm_token_type_ids == 1).sum() == 6 + 12
    assert len(images.pixel_values) == 4 * (6 + 12)
    assert (samples["video1"].second_per_grid_ts == SECONDS_PER_GRID).all()
    assert samples["text"].pixel_values is None
    assert samples["text"].pixel_values_videos is None


def test_the_text_is_chatml_with_the_pads_where_the_tags_stood(shards: Path, encoder: QwenEncoder) -> None:
    images = by_key(shards, encoder)["images"]
    assert encoder.tokenizer.decode(images.input_ids[0]) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nOne <|vision_start|>" + 6 * "<|image_pad|>" + "<|vision_end|> and one "
        "<|vision_start|>" + 12 * "<|image_pad|>" + "<|vision_end|>: which is larger?<|im_end|>\n"
        "<|im_start|>assistant\nThe second.<|im_end|>\n"
    )


def test_the_answers_of_all_turns_and_their_ends_are_trained_and_nothing_else(
    shards: Path, encoder: QwenEncoder
) -> None:
    sample = by_key(shards, encoder)["text"]
    trained = sample.labels != -100
    assert encoder.tokenizer.decode(sample.labels[trained]) == "Well.<|im_end|>Still well.<|im_end|>"
    assert torch.equal(sample.labels[trained], sample.input_ids[trained])


def test_a_batch_is_its_samples_padded_and_joined(tmp_path: Path, encoder: QwenEncoder) -> None:
    write_shards(tmp_path / "wds", CHATS)
    alone = [sample.model_inputs() for sample in by_key(tmp_path / "wds", encoder).values()]
    (together,) = open_split(tmp_path / "wds", encoder, batch_size=len(CHATS), once=True)
    joined = together.model_inputs()
    for k, sample in enumerate(alone):
        length = sample["input_ids"].shape[1]
        for name in ("input_ids", "labels", "attention_mask", "mm_token_type_ids"):
            assert torch.equal(joined[name][k, :length], sample[name][0])
        assert not joined["attention_mask"][k, length:].any()
        assert (joined["labels"][k, length:] == -100).all()
    for name in ("pixel_values", "image_grid_thw", "pixel_values_videos", "video_grid_thw", "second_per_grid_ts"):
        assert torch.equal(joined[name], torch.cat([sample[name] for sample in alone if name in sample]))


def test_worker_processes_give_every_sample_once(tmp_path: Path, encoder: QwenEncoder) -> None:
    write_shards(tmp_path / "wds", CHATS)
    assert by_key(tmp_path / "wds", encoder, workers=2).keys() == {chat.key for chat in CHATS}


@pytest.mark.parametrize("grids", [[], [(1, 2, 2), (1, 2, 2)]])
def test_tags_and_media_that_do_not_match_are_refused(grids: list[tuple[int, int, int]]) -> None:
    messages = [{"role": "user", "content": "<image>?"}, {"role": "assistant", "content": "Yes."}]
    with pytest.raises(ValueError, match="a0"):
        tokenize(byte_tokenizer(), messages, {"<image>": grids, "<video>": []}, where="a0")


@given(st.text())
def test_the_byte_tokenizer_gives_every_text_back(text: str) -> None:
    tokenizer = byte_tokenizer()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == len(text.encode())
    assert tokenizer.decode(ids) == text


def test_the_script_shows_batches_and_takes_a_tokenizer_from_a_folder(tmp_path: Path) -> None:
    write_shards(tmp_path / "wds", CHATS)
    byte_tokenizer().save_pretrained(tmp_path / "tokenizer")
    script = ROOT / "examples" / "load_for_qwen2_5_vl.py"
    arguments = [str(tmp_path / "wds"), "--processor", str(tmp_path / "tokenizer"), "--batches", "3"]
    run = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "toolkits")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.count("batch of") == 3
    assert run.stdout.count("input_ids") == 3
    assert "pixel_values_videos" in run.stdout
