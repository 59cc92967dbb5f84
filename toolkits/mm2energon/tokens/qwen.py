"""How Qwen2-VL, Qwen2.5-VL and Qwen3-VL cut pictures and videos into tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mm2energon.errors import SampleError

#: The aspect ratio above which Qwen's processors refuse a picture.
MAX_ASPECT_RATIO = 200
#: `<|vision_start|>` and `<|vision_end|>`.
_MARKS = 2
#: `<`, `.`, ` seconds` and `>` of a time; of its digits, each is a token, and the point of `0.5` is counted with them.
_TIME_TOKENS = 3


@dataclass(frozen=True, slots=True)
class QwenVision:
    """How a Qwen-VL family cuts pictures: every `factor` x `factor` pixels become one token.

    Images: `preprocessor_config.json` of the released checkpoints. Videos: the defaults of qwen-vl-utils 0.0.14.
    """

    #: Pixels along one side of a token: patch size times merge size.
    factor: int
    #: Fewest and most tokens of an image.
    image_range: tuple[int, int]
    #: Fewest and most tokens of one pair of frames.
    frame_range: tuple[int, int] = (128, 768)
    #: Tokens that all frames of one video may take together: 90 % of a context of 128,000.
    video_budget_tokens: int = 115_200
    #: Frames that share one temporal patch.
    temporal_patch_frames: int = 2
    #: The training's own limits of pixels for one image and one frame; None: those above.
    image_pixels: int | None = None
    frame_pixels: int | None = None
    #: The time of each temporal patch stands in the text before it, and each is marked by itself.
    writes_times: bool = False

    def image_tokens(self, width: int, height: int, *, number: int = 0) -> int:
        """As `Vision.image_tokens`."""
        return self.image_patches(width, height) + _MARKS

    def video_tokens(self, frames: int, width: int, height: int, *, fps: float = 2.0) -> int:
        """As `Vision.video_tokens`; of an odd number of frames the last is taken twice, as transformers does."""
        patches = self.video_patches(frames, width, height)
        if not self.writes_times:
            return patches + _MARKS
        return patches + sum(_MARKS + _time_tokens(seconds) for seconds in self._patch_times(frames, fps))

    def image_patches(self, width: int, height: int) -> int:
        """The tokens of one image alone, without what marks its start and its end.

        Args:
            width: Of the file, in pixels, after its orientation tag.
            height: The same.

        Raises:
            SampleError: `smart_resize` refuses the size.
        """
        fewest, most = self.image_range
        return self._patches_of_one_grid(width, height, fewest=fewest, most=most, max_pixels=self.image_pixels)

    def video_patches(self, frames: int, width: int, height: int) -> int:
        """The tokens of the frames of one video alone; by default, those of a long video have fewer pixels each.

        Args:
            frames: Frames that are extracted.
            width: Of one frame, in pixels.
            height: The same.

        Raises:
            SampleError: There is no frame, or `smart_resize` refuses the size.
        """
        if frames < 1:
            raise SampleError(f"video of {frames} frames; expected at least one", "no-frames")
        grids = math.ceil(frames / self.temporal_patch_frames)
        fewest, most = self.frame_range
        # The video's budget bounds the sum over the grids, but no frame shrinks below (nearly) the minimum.
        share = max(min(most, self.video_budget_tokens / grids), fewest * 1.05)
        return grids * self._patches_of_one_grid(width, height, fewest=fewest, most=share, max_pixels=self.frame_pixels)

    def _patches_of_one_grid(self, width: int, height: int, *, fewest: int, most: float, max_pixels: int | None) -> int:
        """The tokens of one picture that is brought between two areas."""
        token_pixels = self.factor**2
        most_pixels = int(most * token_pixels) if max_pixels is None else max_pixels
        fewest_pixels = min(fewest * token_pixels, most_pixels)
        size = smart_resize(height, width, factor=self.factor, min_pixels=fewest_pixels, max_pixels=most_pixels)
        return size[0] * size[1] // token_pixels

    def _patch_times(self, frames: int, fps: float) -> list[float]:
        """The time of each temporal patch: the middle between its first and its last frame."""
        step, last = self.temporal_patch_frames, frames - 1
        return [(first + min(first + step - 1, last)) / 2 / fps for first in range(0, frames, step)]


def _time_tokens(seconds: float) -> int:
    """The tokens of `<0.5 seconds>`."""
    return len(f"{seconds:.1f}") + _TIME_TOKENS


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
