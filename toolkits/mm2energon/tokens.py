"""What pictures and videos cost in visual tokens, from their sizes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mm2energon.errors import SampleError

#: The aspect ratio above which Qwen's processors refuse a picture.
MAX_ASPECT_RATIO = 200


@dataclass(frozen=True, slots=True)
class QwenVision:
    """How a Qwen-VL family cuts pictures: every `factor` x `factor` pixels become one token.

    Images: `preprocessor_config.json` of the released checkpoints. Videos: the defaults of qwen-vl-utils 0.0.14.
    """

    #: Pixels along one side of a token: patch size times merge size.
    factor: int
    #: Fewest and most tokens of an image.
    image_tokens: tuple[int, int]
    #: Fewest and most tokens of one pair of frames.
    frame_tokens: tuple[int, int] = (128, 768)
    #: Tokens that all frames of one video may take together: 90 % of a context of 128,000.
    video_budget_tokens: int = 115_200
    #: Frames that share one temporal patch.
    temporal_patch_frames: int = 2


#: Name of a model family -> how it cuts pictures.
FAMILIES: dict[str, QwenVision] = {
    "qwen2-vl": QwenVision(factor=28, image_tokens=(4, 16_384)),
    "qwen2.5-vl": QwenVision(factor=28, image_tokens=(4, 16_384)),
    "qwen3-vl": QwenVision(factor=32, image_tokens=(64, 16_384)),
}


def smart_resize(height: int, width: int, *, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """The size (height, width) to which Qwen's processors bring a picture before they cut it into patches.

    Both sides become multiples of `factor`, the area lies between `min_pixels` and `max_pixels` where the
    factor allows, and the aspect ratio stays as near as that permits. The rule is the one of `smart_resize`
    in Hugging Face transformers and qwen-vl-utils.

    Raises:
        SampleError: A side is below one pixel, or one side is more than 200 times the other.
    """
    if min(height, width) < 1:
        raise SampleError(f"picture of {width}x{height} pixels; expected at least 1x1", "image-too-small")
    aspect_ratio = max(height, width) / min(height, width)
    if aspect_ratio > MAX_ASPECT_RATIO:
        raise SampleError(
            f"picture of {width}x{height} pixels: aspect ratio {aspect_ratio:.1f}; "
            f"expected at most {MAX_ASPECT_RATIO}; crop it or leave it out",
            "image-aspect",
        )
    area = round(height / factor) * round(width / factor) * factor**2
    if area > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        cells = [math.floor(side / shrink / factor) for side in (height, width)]
    elif area < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        cells = [math.ceil(side * grow / factor) for side in (height, width)]
    else:
        cells = [round(side / factor) for side in (height, width)]
    return max(1, cells[0]) * factor, max(1, cells[1]) * factor


def image_tokens(height: int, width: int, *, family: str = "qwen2.5-vl", max_pixels: int | None = None) -> int:
    """The visual tokens of one image, without the two that mark where it starts and ends.

    Args:
        height: Of the file, in pixels, after its orientation tag.
        width: The same.
        family: A name of `FAMILIES`.
        max_pixels: The training's own limit; by default that of the released checkpoints.

    Raises:
        SampleError: `smart_resize` refuses the size.
    """
    vision = FAMILIES[family]
    fewest, most = vision.image_tokens
    return _tokens_of_one_grid(height, width, vision=vision, min_tokens=fewest, max_pixels=max_pixels, max_tokens=most)


def video_tokens(
    frames: int, height: int, width: int, *, family: str = "qwen2.5-vl", max_pixels: int | None = None
) -> int:
    """The visual tokens of one video; what Qwen3-VL writes between the frames (`<0.2 seconds>`) is text.

    Args:
        frames: Frames that are extracted; of an odd number the last is taken twice, as transformers does.
        height: Of one frame, in pixels.
        width: The same.
        family: A name of `FAMILIES`.
        max_pixels: The training's own limit for one frame; by default that of qwen-vl-utils, which gives
            the frames of a long video fewer pixels each.

    Raises:
        SampleError: There is no frame, or `smart_resize` refuses the size.
    """
    if frames < 1:
        raise SampleError(f"video of {frames} frames; expected at least one", "no-frames")
    vision = FAMILIES[family]
    grids = math.ceil(frames / vision.temporal_patch_frames)
    fewest, most = vision.frame_tokens
    # The video's budget bounds the sum over the grids, but no frame shrinks below (nearly) the minimum.
    share = max(min(most, vision.video_budget_tokens / grids), fewest * 1.05)
    tokens = _tokens_of_one_grid(
        height, width, vision=vision, min_tokens=fewest, max_pixels=max_pixels, max_tokens=share
    )
    return grids * tokens


def _tokens_of_one_grid(
    height: int, width: int, *, vision: QwenVision, min_tokens: int, max_pixels: int | None, max_tokens: float
) -> int:
    """The tokens of one picture that is brought between two areas."""
    token_pixels = vision.factor**2
    most_pixels = int(max_tokens * token_pixels) if max_pixels is None else max_pixels
    fewest_pixels = min(min_tokens * token_pixels, most_pixels)
    size = smart_resize(height, width, factor=vision.factor, min_pixels=fewest_pixels, max_pixels=most_pixels)
    return size[0] * size[1] // token_pixels
