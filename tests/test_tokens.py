"""Visual tokens agree with transformers' own arithmetic and with the figures that Qwen published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon.errors import REASONS, SampleError
from mm2energon.tokens import FAMILIES, image_tokens, smart_resize, video_tokens

side = st.integers(min_value=1, max_value=5000)


@settings(deadline=None)
@given(side, side, st.sampled_from([28, 32]), st.integers(1, 300), st.integers(0, 2000))
def test_smart_resize_is_that_of_transformers(
    height: int, width: int, factor: int, min_tokens: int, further_tokens: int
) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as theirs

    min_pixels = min_tokens * factor**2
    max_pixels = min_pixels + further_tokens * factor**2
    try:
        expected = theirs(height, width, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels)
    except ValueError:
        with pytest.raises(SampleError) as refusal:
            smart_resize(height, width, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels)
        assert refusal.value.code == "image-aspect"
    else:
        assert smart_resize(height, width, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels) == expected


@settings(deadline=None, max_examples=30)
@given(st.integers(20, 900), st.integers(20, 900))
def test_image_tokens_are_what_the_image_processor_makes(height: int, width: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": 3136, "longest_edge": 12845056})
    assert image_tokens(height, width) == processor.get_number_of_image_patches(height, width) // 4


def test_the_token_count_is_that_of_the_patches_of_a_real_picture() -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    picture = np.zeros((333, 517, 3), dtype=np.uint8)
    patches = Qwen2VLImageProcessorPil()(picture)["pixel_values"]
    assert image_tokens(333, 517, max_pixels=1280 * 28 * 28) == len(patches) // 4


@pytest.mark.parametrize(
    ("height", "width", "family", "tokens"),
    [
        (224, 224, "qwen2-vl", 64),  # the Qwen2-VL paper, section 2.1: 66 with the two markers
        (28, 28, "qwen2.5-vl", 4),  # below the least of 56 x 56 pixels
        (1080, 1920, "qwen2.5-vl", 39 * 69),
        (1080, 1920, "qwen3-vl", 34 * 60),
        (224, 224, "qwen3-vl", 64),  # 7 x 7 tokens would be below the least of 256 x 256 pixels
    ],
)
def test_images_of_well_known_sizes(height: int, width: int, family: str, tokens: int) -> None:
    assert image_tokens(height, width, family=family) == tokens


def test_a_huge_image_stays_within_the_most_that_its_family_takes() -> None:
    for family, vision in FAMILIES.items():
        tokens = image_tokens(20_000, 20_000, family=family)
        assert 0.98 * vision.image_tokens[1] <= tokens <= vision.image_tokens[1]


def test_max_pixels_bounds_an_image_even_below_the_least_of_its_family() -> None:
    assert image_tokens(1000, 1000, max_pixels=28 * 28) == 1


@pytest.mark.parametrize(
    ("frames", "height", "width", "family", "tokens"),
    [
        (8, 448, 448, "qwen2.5-vl", 4 * 16 * 16),
        (7, 448, 448, "qwen2.5-vl", 4 * 16 * 16),  # the last frame is taken twice
        (1, 448, 448, "qwen2-vl", 16 * 16),
        (8, 112, 112, "qwen2.5-vl", 4 * 12 * 12),  # grown to at least 128 tokens for a pair of frames
        (8, 1080, 1920, "qwen2.5-vl", 4 * 20 * 36),  # shrunk to at most 768
        (768, 1080, 1920, "qwen2.5-vl", 384 * 12 * 23),  # shrunk to 115,200 / 384 = 300
        (8, 512, 512, "qwen3-vl", 4 * 16 * 16),
    ],
)
def test_videos_follow_the_published_budget(frames: int, height: int, width: int, family: str, tokens: int) -> None:
    assert video_tokens(frames, height, width, family=family) == tokens


@pytest.mark.parametrize("frames", [2, 100, 300, 768, 2000])
def test_the_frames_of_a_long_video_get_an_even_share_of_the_budget(frames: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as theirs

    share = max(min(768 * 28**2, 128_000 * 28**2 * 0.9 / frames * 2), int(128 * 28**2 * 1.05))
    height, width = theirs(720, 1280, factor=28, min_pixels=128 * 28**2, max_pixels=int(share))
    assert video_tokens(frames, 720, 1280) == frames // 2 * (height // 28) * (width // 28)


def test_an_aspect_ratio_of_exactly_200_is_taken() -> None:
    assert image_tokens(28, 5600) == 200
    with pytest.raises(SampleError) as refusal:
        image_tokens(28, 5601)
    assert refusal.value.code == "image-aspect"
    assert "5601x28" in str(refusal.value)


def test_a_picture_without_pixels_and_a_video_without_frames_are_refused_by_a_known_code() -> None:
    with pytest.raises(SampleError) as no_pixels:
        image_tokens(0, 10)
    with pytest.raises(SampleError) as no_frames:
        video_tokens(0, 100, 100)
    assert {no_pixels.value.code, no_frames.value.code} <= set(REASONS)
