"""What a Qwen-VL model takes: pictures as patches, conversations as tokens with labels on the answers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.sample import Turn
from mm2energon.videochat.qwen_vision import QwenVision

#: Uint8, height x width x 3, RGB.
Pixels = NDArray[np.uint8]
#: Time, height and width in patches.
Grid = tuple[int, int, int]
#: The label of a token that is not trained.
IGNORED = -100


@dataclass(frozen=True)
class Film:
    """The frames of one video, all of one size, and when each is shown, in seconds from the start."""

    frames: Sequence[Pixels]
    times: Sequence[float]


@dataclass(frozen=True)
class Patches:
    """A picture or video as the model takes it: float32, patches x (3 * frames * patch * patch)."""

    values: NDArray[np.float32]
    grid: Grid


@dataclass(frozen=True)
class Encoded:
    """One conversation; one entry of the lists per image or video, in the order of the tags."""

    input_ids: list[int]
    #: As long; `IGNORED` for what is not trained.
    labels: list[int]
    images: tuple[Patches, ...]
    videos: tuple[Patches, ...]
    #: Seconds from one patch of frames to the next, of each video.
    second_per_grid_ts: tuple[float, ...]


def patch_image(pixels: Pixels, vision: QwenVision, *, max_pixels: int | None = None) -> Patches:
    """An image, resized, normalised and cut."""
    raise NotImplementedError


def patch_frames(frames: Sequence[Pixels], vision: QwenVision, *, max_pixels: int | None = None) -> Patches:
    """The frames of a video, resized, normalised and cut; of an odd number the last is taken twice.

    Args:
        max_pixels: of one frame, where the checkpoint would allow more.
    """
    raise NotImplementedError


def encode_chat(
    turns: Sequence[Turn],
    *,
    images: Sequence[Pixels] = (),
    videos: Sequence[Film] = (),
    tokenizer: Any,
    vision: QwenVision,
    max_pixels: int | None = None,
    for_answer: bool = False,
    origin: str = "",
) -> Encoded:
    """A conversation as tokens: ChatML, each `<image>` and `<video>` tag replaced by the tokens of its medium.

    Args:
        for_answer: it ends with a user's turn, and the model is to go on.
        origin: for messages.

    Raises:
        SampleError: `tag-count`, `image-aspect`, ...
    """
    raise NotImplementedError


def batch(encoded: Sequence[Encoded], *, vision: QwenVision, pad_id: int) -> dict[str, Any]:
    """The keyword arguments of the model's `forward`: torch tensors, padded on the right; absent media are left out.

    input_ids, attention_mask, labels, mm_token_type_ids: int64, conversations x tokens; pixel_values(_videos): float32;
    image_grid_thw, video_grid_thw: int64, media x 3; second_per_grid_ts: float32 (Qwen2.5-VL).
    """
    raise NotImplementedError
