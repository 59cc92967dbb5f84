"""How a checkpoint sees is read from its folder, whatever generation of files lies there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import InputError, SampleError
from mm2energon.tokens import MODELS
from mm2energon.videochat.qwen_vision import FrameSizing, QwenVision, read_vision

#: The parts of the released config.json and preprocessor_config.json files that are read.
QWEN2_5 = {
    "model_type": "qwen2_5_vl",
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_config": {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2},
}
QWEN3 = {
    "model_type": "qwen3_vl",
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_config": {"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2},
}
QWEN2_IMAGES = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
QWEN3_IMAGES = {
    "size": {"longest_edge": 16777216, "shortest_edge": 65536},
    "patch_size": 16,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def save(folder: Path, **files: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_a_released_qwen2_5_vl_sees_as_its_files_say(tmp_path: Path) -> None:
    vision = read_vision(save(tmp_path, config=QWEN2_5, preprocessor_config=QWEN2_IMAGES))
    assert (vision.family, vision.factor, vision.frames_per_patch, vision.writes_times) == ("qwen2_5_vl", 28, 2, False)
    assert vision.image_pixels == (3136, 12845056)
    assert vision.frame_pixels == (128 * 28 * 28, 768 * 28 * 28)
    assert vision.mean[0] == 0.48145466


def test_a_released_qwen3_vl_sees_as_its_files_say(tmp_path: Path) -> None:
    videos = {"size": {"longest_edge": 25165824, "shortest_edge": 4096}}
    vision = read_vision(
        save(tmp_path, config=QWEN3, preprocessor_config=QWEN3_IMAGES, video_preprocessor_config=videos)
    )
    assert (vision.family, vision.factor, vision.writes_times) == ("qwen3_vl", 32, True)
    assert vision.image_pixels == (65536, 16777216)
    assert vision.video_tokens == 12_288
    assert vision.mean == vision.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("config", "name"), [(QWEN2_5, "qwen2.5-vl"), (QWEN3, "qwen3-vl")])
@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (100, 60), (3840, 2160)])
@pytest.mark.parametrize("frames", [2, 33, 400])
def test_sizes_are_those_that_the_estimates_count_by(
    tmp_path: Path, config: dict[str, Any], name: str, size: tuple[int, int], frames: int
) -> None:
    vision = read_vision(save(tmp_path, config=config))
    counted = MODELS[name].vision
    width, height = vision.image_size(*size)
    assert width * height // vision.factor**2 == counted.image_patches(*size)
    width, height = FrameSizing(vision, frames)(*size)
    assert -(-frames // 2) * width * height // vision.factor**2 == counted.video_patches(frames, *size)


def test_the_files_of_transformers_5_are_read(tmp_path: Path) -> None:
    both = {"image_processor": {**QWEN2_IMAGES, "max_pixels": 50176}, "video_processor": {"max_pixels": 40000}}
    vision = read_vision(save(tmp_path, config=QWEN2_5, processor_config=both))
    assert vision.image_pixels == (3136, 50176)
    assert vision.frame_pixels == (40000, 40000)


def test_a_checkpoint_whose_images_are_small_has_small_frames(tmp_path: Path) -> None:
    vision = read_vision(save(tmp_path, config=QWEN2_5, preprocessor_config={"max_pixels": 112 * 84}))
    assert vision.frame_size(1920, 1080, frames=100) == (112, 56)


def test_less_can_be_asked_for(tmp_path: Path) -> None:
    vision = read_vision(save(tmp_path, config=QWEN2_5))
    less = vision.limited(max_pixels=112 * 112, video_tokens=1000)
    assert less.image_size(640, 640) == less.frame_size(640, 640, frames=4) == (112, 112)
    assert less.video_tokens == 1000
    assert vision.limited() == vision
    assert vision.limited(max_pixels=1).image_size(640, 640) == (28, 28)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no config.json"),
        ({"config": {"model_type": "llama"}}, "a model of type 'llama'; expected one of qwen2_vl"),
        ({"config": [1]}, "no JSON object"),
        ({"config": {"model_type": "qwen2_vl"}}, "lacks 'image_token_id'"),
        ({"config": QWEN2_5, "preprocessor_config": {"image_mean": 3}}, "its configuration lacks"),
    ],
)
def test_another_model_is_told(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_vision(save(tmp_path, **files))


def test_a_configuration_that_was_cut_off_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": ')
    with pytest.raises(InputError, match="cannot be read"):
        read_vision(tmp_path)


def test_a_very_long_picture_is_told(models: dict[str, Path]) -> None:
    vision: QwenVision = read_vision(models["qwen2_5_vl"])
    with pytest.raises(SampleError, match="aspect ratio"):
        vision.image_size(10_000, 10)
