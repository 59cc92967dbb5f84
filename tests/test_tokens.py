"""Visual tokens agree with transformers' own processors and with the figures that the models' makers published.

Qwen2-VL's video processor needs torchvision even to count: its videos are held to its `smart_resize` and to figures.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon.errors import REASONS, SampleError
from mm2energon.tokens import MODELS, QWEN2_VL, smart_resize
from mm2energon.tokens.idefics import IdeficsVision
from mm2energon.tokens.minicpm import MiniCpmVision, slice_grid
from mm2energon.tokens.qwen import QwenVision

side = st.integers(min_value=1, max_value=5000)
#: From a line of one pixel to a satellite's strip.
any_side = st.one_of(st.integers(1, 60), side, st.integers(5000, 40_000))
QWENS = {name: model.vision for name, model in MODELS.items() if isinstance(model.vision, QwenVision)}


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


@pytest.mark.parametrize(
    ("family", "least", "most", "patch"), [("qwen2.5-vl", 3136, 12845056, 14), ("qwen3-vl", 65536, 16777216, 16)]
)
@settings(deadline=None, max_examples=200)
@given(any_side, any_side)
def test_image_tokens_are_what_the_image_processor_makes(
    family: str, least: int, most: int, patch: int, height: int, width: int
) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": least, "longest_edge": most}, patch_size=patch)
    try:
        tokens = processor.get_number_of_image_patches(height, width) // 4
    except ValueError:
        with pytest.raises(SampleError, match="aspect ratio"):
            QWENS[family].image_patches(width, height)
    else:
        assert QWENS[family].image_patches(width, height) == tokens


def test_the_token_count_is_that_of_the_patches_of_a_real_picture() -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    picture = np.zeros((333, 517, 3), dtype=np.uint8)
    patches = Qwen2VLImageProcessorPil()(picture)["pixel_values"]
    assert replace(QWEN2_VL, image_pixels=1280 * 28 * 28).image_patches(517, 333) == len(patches) // 4


def test_a_picture_of_qwen3_vl_has_the_patches_that_its_processor_makes() -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    size = {"shortest_edge": 65536, "longest_edge": 16777216}  # of the released checkpoints
    processor = Qwen2VLImageProcessorPil(size=size, patch_size=16)
    patches = processor(np.zeros((333, 517, 3), dtype=np.uint8))["pixel_values"]
    assert QWENS["qwen3-vl"].image_patches(517, 333) == len(patches) // 4


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400), st.integers(64, 1500), st.integers(64, 1500))
def test_video_tokens_of_qwen3_vl_are_what_its_video_processor_counts(pairs: int, height: int, width: int) -> None:
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

    # Its own budget counts the pixels of all frames; qwen-vl-utils gives each an even share of 115,200 tokens a pair.
    budget = {"shortest_edge": 128 * 32 * 32, "longest_edge": 115_200 * 2 * 32 * 32}
    processor = Qwen3VLVideoProcessor(size=budget, cap_pixels_per_frame=True)
    frames = pairs * 2
    ours = QWENS["qwen3-vl"].video_patches(frames, width, height)
    theirs = processor.get_num_of_video_patches(frames, height, width) // 4
    # Theirs asks of all frames together what ours asks of each: only a picture below the least differs.
    if height * width >= 2 * 128 * 32 * 32:
        assert ours == theirs


@pytest.mark.parametrize(
    ("height", "width", "family", "tokens"),
    [
        (224, 224, "qwen2-vl", 66),  # the Qwen2-VL paper, section 2.1
        (28, 28, "qwen2.5-vl", 4 + 2),  # below the least of 56 x 56 pixels
        (1080, 1920, "qwen2.5-vl", 39 * 69 + 2),
        (1080, 1920, "qwen3-vl", 34 * 60 + 2),
        (224, 224, "qwen3-vl", 64 + 2),  # 7 x 7 tokens would be below the least of 256 x 256 pixels
        (448, 448, "minicpm-v-2.5", 98),
        (360, 640, "minicpm-v-2.5", 296),
        (720, 1280, "minicpm-v-2.5", 689),
        (1080, 1920, "minicpm-v-2.5", 885),
        (448, 448, "minicpm-v-2.6", 66 + 3),  # the number of the picture is marked, and a token
        (1080, 1920, "minicpm-v-2.6", 66 + 3 + 8 * 66 + 1),
        (720, 1280, "idefics3", 2227),
        (448, 448, "idefics3", 2912),
    ],
)
def test_images_of_well_known_sizes(height: int, width: int, family: str, tokens: int) -> None:
    assert MODELS[family].vision.image_tokens(width, height) == tokens


def test_a_huge_image_stays_within_the_most_that_its_family_takes() -> None:
    for vision in QWENS.values():
        tokens = vision.image_patches(20_000, 20_000)
        assert 0.98 * vision.image_range[1] <= tokens <= vision.image_range[1]


def test_the_training_s_own_limit_bounds_an_image_even_below_the_least_of_its_family() -> None:
    assert replace(QWEN2_VL, image_pixels=28 * 28).image_patches(1000, 1000) == 1


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
    assert QWENS[family].video_patches(frames, width, height) == tokens


@pytest.mark.parametrize("frames", [2, 100, 300, 768, 2000])
def test_the_frames_of_a_long_video_get_an_even_share_of_the_budget(frames: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as theirs

    share = max(min(768 * 28**2, 128_000 * 28**2 * 0.9 / frames * 2), int(128 * 28**2 * 1.05))
    height, width = theirs(720, 1280, factor=28, min_pixels=128 * 28**2, max_pixels=int(share))
    assert QWEN2_VL.video_patches(frames, 1280, 720) == frames // 2 * (height // 28) * (width // 28)


def test_a_video_is_marked_once_and_of_qwen3_vl_every_two_frames_with_their_time() -> None:
    assert QWEN2_VL.video_tokens(8, 448, 448) == QWEN2_VL.video_patches(8, 448, 448) + 2
    qwen3 = QWENS["qwen3-vl"]
    # <0.2 seconds>, <1.2 seconds>, ..., <10.2 seconds>: of each the marks < . > and the word, and its digits.
    times = 10 * (3 + 3) + (3 + 4)
    assert qwen3.video_tokens(22, 512, 512, fps=2.0) == qwen3.video_patches(22, 512, 512) + 11 * 2 + times


@pytest.mark.parametrize(("indices", "fps"), [(list(range(9)), 2.0), ([0, 1], 0.5), (list(range(30)), 1.0)])
def test_the_times_of_qwen3_vl_are_those_of_its_processor(indices: list[int], fps: float) -> None:
    from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor

    times = Qwen3VLProcessor._calculate_timestamps(None, list(indices), fps)
    assert QWENS["qwen3-vl"]._patch_times(len(indices), fps) == times


@settings(deadline=None, max_examples=200)
@given(any_side, any_side)
def test_the_slices_of_minicpm_v_are_those_that_transformers_cuts(width: int, height: int) -> None:
    from transformers.models.minicpmv4_6.image_processing_pil_minicpmv4_6 import MiniCPMV4_6ImageProcessorPil

    grid = MiniCPMV4_6ImageProcessorPil().get_sliced_grid((height, width), 9, 448)  # the rule has not changed since 2.5
    assert slice_grid(width, height) == ((0, 0) if grid is None else (grid[1], grid[0]))


def test_frames_of_minicpm_v_are_cut_as_it_is_trained_and_recommended() -> None:
    older, newer = MODELS["minicpm-v-2.5"].vision, MODELS["minicpm-v-2.6"].vision
    assert older.video_tokens(10, 1920, 1080) == 10 * 98 + 9  # one a line, none sliced
    assert newer.video_tokens(10, 448, 448) == 10 * 66 + 9
    assert newer.video_tokens(10, 1920, 1080) == 10 * 3 * 66 + 9  # two slices at most


def test_the_pictures_of_a_sample_are_numbered_by_minicpm_v_2_6() -> None:
    vision = MODELS["minicpm-v-2.6"].vision
    assert [vision.image_tokens(448, 448, number=number) for number in (0, 9, 10, 100)] == [69, 69, 70, 71]


@settings(deadline=None, max_examples=12)
@given(st.integers(2, 700), st.integers(2, 700))
def test_the_tiles_of_idefics3_are_those_that_its_processor_cuts(width: int, height: int) -> None:
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    processor = Idefics3ImageProcessorPil(do_normalize=False, do_rescale=False)
    made = processor(np.zeros((height, width, 3), dtype=np.uint8), return_row_col_info=True)
    columns, rows = made["cols"][0][0], made["rows"][0][0]
    assert MODELS["idefics3"].vision.image_tokens(width, height) == 172 + rows * (171 * columns + 1)


@settings(deadline=None, max_examples=300)
@given(any_side, any_side)
def test_the_tiles_of_any_shape_are_those_of_the_sizes_that_its_processor_brings_it_to(width: int, height: int) -> None:
    from transformers.models.idefics3.image_processing_pil_idefics3 import get_resize_output_image_size

    brought = get_resize_output_image_size(np.broadcast_to(np.uint8(0), (3, height, width)), 1456)
    rows, columns = (-(-side // 364) for side in brought)
    assert MODELS["idefics3"].vision.image_tokens(width, height) == 172 + rows * (171 * columns + 1)


#: A token each: a control token, line breaks that follow one another, and of a time its marks, its digits and its word.
_TOKENS = re.compile(r"<[|a-z_-][^>]*>|<(?=\d)|\d|\.| seconds|>|\n+")


@pytest.mark.parametrize("size", [(1280, 720), (500, 500), (90, 1400), (3000, 40)])
def test_what_the_processor_of_idefics3_writes_for_a_picture_has_as_many_tokens(size: tuple[int, int]) -> None:
    from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

    vision = MODELS["idefics3"].vision
    assert isinstance(vision, IdeficsVision)
    columns, rows = vision.tile_grid(*size)
    texts = SimpleNamespace(
        fake_image_token="<fake_token_around_image>",
        image_token="<image>",
        global_image_tag="<global-img>",
        image_seq_len=169,
    )
    written = Idefics3Processor.replace_image_token(texts, {"rows": [[rows]], "cols": [[columns]]}, 0)
    assert vision.image_tokens(*size) == len(_TOKENS.findall(written))


@pytest.mark.parametrize(("frames", "fps"), [(22, 2.0), (7, 1.0), (4, 0.1)])
def test_what_the_processor_of_qwen3_vl_writes_for_a_video_has_as_many_tokens(frames: int, fps: float) -> None:
    from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor

    texts = SimpleNamespace(
        video_processor=SimpleNamespace(merge_size=2, temporal_patch_size=2),
        video_token="<|video_pad|>",
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
        _calculate_timestamps=partial(Qwen3VLProcessor._calculate_timestamps, None),
    )
    grid = np.array([[-(-frames // 2), 32, 32]])  # patches of 16 pixels: a frame of 512 x 512
    metadata = SimpleNamespace(fps=fps, frames_indices=list(range(frames)))
    written = Qwen3VLProcessor.replace_video_token(texts, {"video_grid_thw": grid, "video_metadata": [metadata]}, 0)
    assert QWENS["qwen3-vl"].video_tokens(frames, 512, 512, fps=fps) == len(_TOKENS.findall(written))


@pytest.mark.parametrize(("name", "tokens"), [("minicpm-v-2.5", 98), ("minicpm-v-2.6", 69), ("idefics3", 172)])
def test_a_training_that_splits_no_image_counts_it_as_a_frame(name: str, tokens: int) -> None:
    vision = MODELS[name].vision
    assert isinstance(vision, (MiniCpmVision, IdeficsVision))
    assert vision.whole().image_tokens(1920, 1080) == tokens


def test_a_frame_of_idefics3_is_not_split() -> None:
    assert MODELS["idefics3"].vision.video_tokens(65, 1920, 1080) == 65 * 172


def test_an_aspect_ratio_of_exactly_200_is_taken() -> None:
    assert QWEN2_VL.image_patches(5600, 28) == 200
    with pytest.raises(SampleError) as refusal:
        QWEN2_VL.image_patches(5601, 28)
    assert refusal.value.code == "image-aspect"
    assert "5601x28" in str(refusal.value)


@pytest.mark.parametrize("name", MODELS)
def test_a_picture_without_pixels_and_a_video_without_frames_are_refused_by_a_known_code(name: str) -> None:
    vision = MODELS[name].vision
    with pytest.raises(SampleError) as no_pixels:
        vision.image_tokens(0, 10)
    with pytest.raises(SampleError) as no_frames:
        vision.video_tokens(0, 100, 100)
    assert {no_pixels.value.code, no_frames.value.code} <= set(REASONS)


def test_the_training_s_own_limit_of_a_frame_is_in_the_place_of_all_others_above() -> None:
    vision = replace(QWEN2_VL, frame_pixels=1280 * 28 * 28)  # as Pai-Megatron-Patch gives each frame
    assert vision.video_patches(8, 1280, 720) == 4 * 26 * 46
    assert vision.video_patches(768, 1280, 720) == 384 * 26 * 46


@pytest.mark.parametrize("name", MODELS)
def test_more_frames_never_cost_fewer_tokens_than_half_as_many(name: str) -> None:
    vision = MODELS[name].vision
    costs = [vision.video_tokens(frames, 1280, 720) for frames in (2, 8, 64, 256)]
    assert costs == sorted(costs) and costs[0] > 0


def test_a_training_that_takes_fewer_tokens_of_an_image_is_another_row() -> None:
    assert replace(QWEN2_VL, image_range=(4, 1280)).image_tokens(4000, 4000) <= 1280 + 2
