"""What the models take is what transformers' own processors make, and what is trained are the answers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from byte_tokenizer import byte_tokenizer
from mm2energon.errors import SampleError
from mm2energon.sample import Turn
from mm2energon.videochat.qwen_inputs import (
    IGNORED,
    Film,
    batch,
    encode_chat,
    patch_frames,
    patch_image,
    patch_times,
    seconds_per_patch,
)
from mm2energon.videochat.qwen_vision import QwenVision, read_vision

try:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil as Processor
except ImportError:  # transformers 4
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor as Processor

FAMILIES = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]


@pytest.fixture(params=FAMILIES)
def vision(request: pytest.FixtureRequest, models: dict[str, Path]) -> QwenVision:
    return read_vision(models[request.param])


@pytest.fixture
def tokenizer() -> Any:
    return byte_tokenizer()


def noise(number: int, *, height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def processor(vision: QwenVision, pixels: tuple[int, int]) -> Processor:
    """Transformers' own, which needs no torchvision."""
    return Processor(
        min_pixels=pixels[0],
        max_pixels=pixels[1],
        patch_size=vision.patch,
        merge_size=vision.merge,
        temporal_patch_size=vision.frames_per_patch,
        image_mean=list(vision.mean),
        image_std=list(vision.std),
    )


@pytest.mark.parametrize("size", [(90, 120), (301, 77), (40, 40), (28, 500)])
def test_an_image_is_cut_as_transformers_cuts_it(vision: QwenVision, size: tuple[int, int]) -> None:
    picture = noise(1, height=size[0], width=size[1])
    expected = processor(vision, vision.image_pixels)(picture)
    patches = patch_image(picture, vision)
    assert [list(patches.grid)] == np.asarray(expected["image_grid_thw"]).tolist()
    np.testing.assert_allclose(patches.values, expected["pixel_values"], atol=2e-5)


def test_each_frame_of_a_video_is_cut_as_transformers_cuts_an_image(vision: QwenVision) -> None:
    frames = [noise(number) for number in range(4)]
    patches = patch_frames(frames, vision)
    cells = patches.values.reshape(2, -1, 3, 2, vision.patch, vision.patch)
    for number, frame in enumerate(frames):
        alone = np.asarray(processor(vision, vision.frame_pixels)(frame)["pixel_values"])
        expected = alone.reshape(-1, 3, 2, vision.patch, vision.patch)[:, :, 0]
        np.testing.assert_allclose(cells[number // 2, :, :, number % 2], expected, atol=2e-5)


def test_the_last_of_an_odd_number_of_frames_is_taken_twice(vision: QwenVision) -> None:
    frames = [noise(number) for number in range(3)]
    odd, even = patch_frames(frames, vision), patch_frames([*frames, frames[-1]], vision)
    assert odd.grid == even.grid
    assert (odd.values == even.values).all()


def test_frames_that_are_resized_ahead_are_the_same_to_the_model(vision: QwenVision) -> None:
    from PIL import Image

    frames = [noise(number, height=200, width=300) for number in range(2)]
    size = vision.frame_size(300, 200, frames=2)
    ahead = [np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in frames]
    assert (patch_frames(ahead, vision, is_sized=True).values == patch_frames(frames, vision).values).all()


@pytest.mark.parametrize(
    ("frames", "code"), [([], "no-frames"), ([noise(1), noise(2, height=80)], "frame-sizes")], ids=["none", "sizes"]
)
def test_frames_that_are_no_video_are_told(vision: QwenVision, frames: list[Any], code: str) -> None:
    with pytest.raises(SampleError) as caught:
        patch_frames(frames, vision)
    assert caught.value.code == code


def test_the_time_of_two_frames_is_the_middle_between_them() -> None:
    assert patch_times([0.0, 1.0, 5.0, 6.0, 9.0], 2) == [0.5, 5.5, 9.0]
    assert seconds_per_patch([0.0, 0.5, 1.0, 1.5], 2) == 1.0
    assert seconds_per_patch([0.0, 2.0, 3.0], 2) == 3.0
    assert seconds_per_patch([4.0], 2) == 1.0


def chat(vision: QwenVision, tokenizer: Any, **more: Any) -> Any:
    turns = [
        Turn("user", "<video>\nWhat? <image>"),
        Turn("assistant", "Red."),
        Turn("user", "And?"),
        Turn("assistant", "Bl"),
    ]
    film = Film([noise(number) for number in range(4)], [0.0, 1.0, 3.0, 4.0])
    return encode_chat(turns, images=[noise(9)], videos=[film], tokenizer=tokenizer, vision=vision, **more)


def test_trained_are_the_answers_and_what_ends_them(vision: QwenVision, tokenizer: Any) -> None:
    encoded = chat(vision, tokenizer)
    assert len(encoded.labels) == len(encoded.input_ids)
    trained = [token for token in encoded.labels if token != IGNORED]
    assert tokenizer.decode(trained) == "Red.<|im_end|>Bl<|im_end|>"
    pairs = zip(encoded.input_ids, encoded.labels, strict=True)
    assert all(label in (IGNORED, token) for token, label in pairs)


def test_a_chat_is_chatml_with_a_token_for_each_piece_of_a_picture(vision: QwenVision, tokenizer: Any) -> None:
    encoded = chat(vision, tokenizer)
    text = tokenizer.decode(encoded.input_ids)
    image, video = (one.grid[0] * one.grid[1] * one.grid[2] // 4 for one in (*encoded.images, *encoded.videos))
    system = "" if vision.writes_times else "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    if vision.writes_times:
        half = f"<|vision_start|>{'<|video_pad|>' * (video // 2)}<|vision_end|>"
        shown = f"<0.5 seconds>{half}<3.5 seconds>{half}"
    else:
        shown = f"<|vision_start|>{'<|video_pad|>' * video}<|vision_end|>"
    assert text == (
        f"{system}<|im_start|>user\n{shown}\nWhat? <|vision_start|>{'<|image_pad|>' * image}<|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\nRed.<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\nBl<|im_end|>\n"
    )


def test_a_system_turn_of_ones_own_stays(vision: QwenVision, tokenizer: Any) -> None:
    encoded = encode_chat([Turn("system", "Be brief."), Turn("user", "Hi")], tokenizer=tokenizer, vision=vision)
    assert tokenizer.decode(encoded.input_ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    )


def test_for_an_answer_the_assistant_has_the_last_word(vision: QwenVision, tokenizer: Any) -> None:
    encoded = encode_chat([Turn("user", "Hi")], tokenizer=tokenizer, vision=vision, for_answer=True)
    assert tokenizer.decode(encoded.input_ids).endswith("Hi<|im_end|>\n<|im_start|>assistant\n")
    assert set(encoded.labels) == {IGNORED}


@pytest.mark.parametrize(
    ("text", "code"),
    [("no tag", "tag-count"), ("<video> <video>", "tag-count"), ("<video> <|im_end|>", "reserved-text")],
)
def test_what_would_shift_the_media_or_the_turns_is_told(
    vision: QwenVision, tokenizer: Any, text: str, code: str
) -> None:
    film = Film([noise(1)], [0.0])
    with pytest.raises(SampleError, match=r"train.json\[3\]") as caught:
        encode_chat([Turn("user", text)], videos=[film], tokenizer=tokenizer, vision=vision, origin="train.json[3]")
    assert caught.value.code == code


@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_takes_a_batch_and_its_padding_changes_nothing(
    family: str, models: dict[str, Path], tokenizer: Any
) -> None:
    vision = read_vision(models[family])
    model = transformers.AutoModelForImageTextToText.from_pretrained(models[family]).eval()
    long, short = (
        chat(vision, tokenizer),
        encode_chat(
            [Turn("user", "<image>\nHi"), Turn("assistant", "Yes")],
            images=[noise(3)],
            tokenizer=tokenizer,
            vision=vision,
        ),
    )

    def logits(*encoded: Any) -> Any:
        inputs = batch(encoded, vision=vision, pad_id=tokenizer.pad_token_id)
        assert ("second_per_grid_ts" in inputs) == (family == "qwen2_5_vl" and encoded[0] is long)
        with torch.no_grad():
            out = model(**inputs)
        assert torch.isfinite(out.loss)
        return out.logits

    together = logits(long, short)
    torch.testing.assert_close(together[:1], logits(long), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together[1:, : len(short.input_ids)], logits(short), atol=1e-4, rtol=1e-4)


def test_qwen2_5_vl_feels_how_far_its_frames_are_apart(models: dict[str, Path], tokenizer: Any) -> None:
    vision = read_vision(models["qwen2_5_vl"])
    model = transformers.AutoModelForImageTextToText.from_pretrained(models["qwen2_5_vl"]).eval()

    def logits(seconds: float) -> Any:
        film = Film([noise(number) for number in range(6)], [number * seconds for number in range(6)])
        encoded = encode_chat([Turn("user", "<video>?")], videos=[film], tokenizer=tokenizer, vision=vision)
        inputs = batch([encoded], vision=vision, pad_id=0)
        assert inputs["second_per_grid_ts"].tolist() == pytest.approx([2 * seconds])
        with torch.no_grad():
            return model(**inputs).logits

    assert not torch.equal(logits(0.5), logits(2.0))
