"""How a Qwen-VL checkpoint sees, by the configuration in its folder: sizes of patches, limits of pixels, colours.

The files are those of Hugging Face transformers: `config.json`, and `preprocessor_config.json`,
`video_preprocessor_config.json` or `processor_config.json` beside it. What they leave out is as the released
checkpoints of the family have it; the limits of videos are the rule of qwen-vl-utils, as `tokens/qwen.py` counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.tokens import smart_resize

#: Model type in config.json -> the family whose inputs it takes.
FAMILIES = {
    "qwen2_vl": "qwen2_vl",
    "qwen2_5_vl": "qwen2_5_vl",
    "qwen3_vl": "qwen3_vl",
    "qwen3_vl_moe": "qwen3_vl",
}
#: OpenAI CLIP's colours, and those of Qwen3-VL.
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
#: Fewest and most tokens of one pair of frames, and most of a video: VIDEO_MIN_TOKEN_NUM, VIDEO_MAX_TOKEN_NUM and 90 %
#: of a context of 128,000, as in qwen-vl-utils.
_FRAME_TOKENS = (128, 768)
_VIDEO_TOKENS = 115_200
#: Tokens of an image in the released preprocessor_config.json files.
_IMAGE_TOKENS = {"qwen2_vl": (4, 16_384), "qwen2_5_vl": (4, 16_384), "qwen3_vl": (64, 16_384)}


@dataclass(frozen=True)
class QwenVision:
    """What the configuration says."""

    #: `qwen2_vl`, `qwen2_5_vl` or `qwen3_vl`.
    family: str
    #: Pixels along a side of a patch; patches along a side of a token; frames of one patch.
    patch: int
    merge: int
    frames_per_patch: int
    #: Of red, green, blue, for values between 0 and 1.
    mean: tuple[float, ...]
    std: tuple[float, ...]
    #: Fewest and most pixels of an image, and of one frame of a video.
    image_pixels: tuple[int, int]
    frame_pixels: tuple[int, int]
    #: Tokens that one video may take.
    video_tokens: int
    image_token_id: int
    video_token_id: int

    @property
    def factor(self) -> int:
        """Pixels along a side of a token."""
        return self.patch * self.merge

    @property
    def writes_times(self) -> bool:
        """Whether the time of each patch of frames stands in the text before it."""
        return self.family == "qwen3_vl"

    def limited(self, *, max_pixels: int | None = None, video_tokens: int | None = None) -> QwenVision:
        """The same with less: fewer pixels of a picture, fewer tokens of a video."""
        vision = self
        if max_pixels is not None:
            most = max(max_pixels, self.factor**2)
            image, frame = (_below(limits, most) for limits in (self.image_pixels, self.frame_pixels))
            vision = replace(vision, image_pixels=image, frame_pixels=frame)
        if video_tokens is not None:
            vision = replace(vision, video_tokens=min(video_tokens, self.video_tokens))
        return vision

    def image_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height at which the model sees an image.

        Raises:
            SampleError: `image-too-small`, `image-aspect`.
        """
        return self._size(width, height, *self.image_pixels)

    def frame_size(self, width: int, height: int, *, frames: int) -> tuple[int, int]:
        """Width and height at which the model sees the frames of a video: of a long one, each is smaller.

        Raises:
            SampleError: as above.
        """
        fewest, most = self.frame_pixels
        share = self.video_tokens / max(math.ceil(frames / self.frames_per_patch), 1) * self.factor**2
        return self._size(width, height, fewest, int(max(min(most, share), min(fewest * 1.05, most))))

    def _size(self, width: int, height: int, fewest: int, most: int) -> tuple[int, int]:
        rows, columns = smart_resize(height, width, factor=self.factor, min_pixels=min(fewest, most), max_pixels=most)
        return columns, rows


@dataclass(frozen=True)
class FrameSizing:
    """The size of the frames of one video, as what makes them smaller ahead of the model takes it."""

    vision: QwenVision
    frames: int

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the frames that have this width and height in the file."""
        return self.vision.frame_size(width, height, frames=self.frames)


def read_vision(folder: Path) -> QwenVision:
    """The configuration of a model's folder.

    Raises:
        InputError: it is no Qwen2-VL, Qwen2.5-VL or Qwen3-VL, or its configuration cannot be read.
    """
    config = _read(folder / "config.json")
    if config is None:
        raise InputError(f"{folder}: has no config.json; the folder of a model in Hugging Face's layout was expected")
    family = FAMILIES.get(str(config.get("model_type")))
    if family is None:
        raise InputError(
            f"{folder}: a model of type {config.get('model_type')!r}; expected one of {', '.join(FAMILIES)}; "
            "take a Qwen2-VL, Qwen2.5-VL or Qwen3-VL, or one made from these"
        )
    both = _read(folder / "processor_config.json") or {}
    image = _read(folder / "preprocessor_config.json") or both.get("image_processor") or {}
    video = _read(folder / "video_preprocessor_config.json") or both.get("video_processor") or {}
    try:
        return _vision(family, config, image, video)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: its configuration lacks {error}; expected that of a {family}") from error


def _vision(family: str, config: Mapping[str, Any], image: Mapping[str, Any], video: Mapping[str, Any]) -> QwenVision:
    coded = config.get("vision_config") or {}
    patch = int(coded.get("patch_size") or image.get("patch_size") or (16 if family == "qwen3_vl" else 14))
    merge = int(coded.get("spatial_merge_size") or image.get("merge_size") or 2)
    colours = _HALF if family == "qwen3_vl" else _CLIP
    token = (patch * merge) ** 2
    images = _limits(image, *(count * token for count in _IMAGE_TOKENS[family]))
    return QwenVision(
        family=family,
        patch=patch,
        merge=merge,
        frames_per_patch=int(coded.get("temporal_patch_size") or image.get("temporal_patch_size") or 2),
        mean=tuple(image.get("image_mean") or colours[0]),
        std=tuple(image.get("image_std") or colours[1]),
        image_pixels=images,
        frame_pixels=_frame_limits(family, video, images[1], token),
        video_tokens=_video_tokens(family, video, token),
        image_token_id=int(config["image_token_id"]),
        video_token_id=int(config["video_token_id"]),
    )


def _limits(about: Mapping[str, Any], fewest: int, most: int) -> tuple[int, int]:
    """Fewest and most pixels, under the names of either generation of transformers."""
    size = about.get("size") or {}
    least = about.get("min_pixels") or size.get("min_pixels") or size.get("shortest_edge") or fewest
    greatest = about.get("max_pixels") or size.get("max_pixels") or size.get("longest_edge") or most
    return _below((int(least), int(greatest)), int(greatest))


def _frame_limits(family: str, video: Mapping[str, Any], image_most: int, token: int) -> tuple[int, int]:
    """Of one frame. A checkpoint whose images are kept small has small frames, too."""
    fewest, most = (count * token for count in _FRAME_TOKENS)
    if family != "qwen3_vl":  # its sizes are those of all frames together
        fewest, most = _limits(video, fewest, most)
    return _below((fewest, most), min(most, image_most))


def _video_tokens(family: str, video: Mapping[str, Any], token: int) -> int:
    volume = (video.get("size") or {}).get("longest_edge")
    if family != "qwen3_vl" or not volume:
        return _VIDEO_TOKENS
    return max(1, min(_VIDEO_TOKENS, int(volume) // (2 * token)))


def _below(limits: tuple[int, int], most: int) -> tuple[int, int]:
    return min(limits[0], most), min(limits[1], most)


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is no such file."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); a JSON object was expected; fetch it again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: no JSON object; one was expected; fetch it again")
    return value
