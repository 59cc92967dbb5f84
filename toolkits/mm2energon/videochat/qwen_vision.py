"""How a Qwen-VL checkpoint sees, by the configuration in its folder: sizes of patches, limits of pixels, colours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    #: Fewest and most pixels of an image, and of one frame of a video.
    image_pixels: tuple[int, int]
    frame_pixels: tuple[int, int]
    #: Tokens that one video may take.
    video_tokens: int
    image_token_id: int
    video_token_id: int


def read_vision(folder: Path) -> QwenVision:
    """The configuration of a model's folder.

    Raises:
        InputError: it is no Qwen2-VL, Qwen2.5-VL or Qwen3-VL.
    """
    raise NotImplementedError
