"""How MiniCPM-V cuts pictures: the whole picture once, small, and slices of it where it is large.

The rule is the one of LLaVA-UHD (arXiv 2403.11703), as MiniCPM-V publishes it: every slice, whatever its size, becomes
the same number of tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mm2energon.errors import SampleError

#: The start and the end of a picture, of a slice, of the slices together, or of a picture's number.
_MARKS = 2


@dataclass(frozen=True, slots=True)
class MiniCpmVision:
    """How one version cuts pictures."""

    #: Tokens of one slice: the queries of the resampler.
    query_tokens: int
    #: Slices of an image at most, and of a frame; its whole is not counted.
    max_slices: int = 9
    max_frame_slices: int = 1
    #: Pixels along one side of the square that a slice is meant to cover.
    slice_side: int = 448
    #: All slices of a picture together are marked (2.5); else each row of them is only a line of its own.
    marks_slices: bool = False
    #: A number stands before each image (2.6).
    numbers_images: bool = False

    def whole(self) -> MiniCpmVision:
        """The same for a training that cuts no image into slices."""
        return replace(self, max_slices=1)

    def image_tokens(self, width: int, height: int, *, number: int = 0) -> int:
        """As `Vision.image_tokens`."""
        numbered = _MARKS + len(str(number)) if self.numbers_images else 0
        return numbered + self._picture_tokens(width, height, self.max_slices)

    def video_tokens(self, frames: int, width: int, height: int, *, fps: float = 2.0) -> int:
        """As `Vision.video_tokens`; a video is its frames, one a line, without numbers."""
        if frames < 1:
            raise SampleError(f"video of {frames} frames; expected at least one", "no-frames")
        return frames * self._picture_tokens(width, height, self.max_frame_slices) + frames - 1

    def _picture_tokens(self, width: int, height: int, max_slices: int) -> int:
        columns, rows = slice_grid(width, height, slice_side=self.slice_side, max_slices=max_slices)
        of_one = self.query_tokens + _MARKS
        if not columns:
            return of_one
        line_ends = rows - 1
        return of_one + columns * rows * of_one + line_ends + (_MARKS if self.marks_slices else 0)


def slice_grid(width: int, height: int, *, slice_side: int = 448, max_slices: int = 9) -> tuple[int, int]:
    """Columns and rows of slices that a picture is cut into; 0 and 0 when it stays whole.

    About as many slices as the picture has times the pixels of a slice, or one more or fewer, in the grid whose shape
    is nearest to that of the picture.

    Raises:
        SampleError: a side is below one pixel.
    """
    if min(height, width) < 1:
        raise SampleError(f"picture of {width}x{height} pixels; expected at least 1x1", "image-too-small")
    wanted = min(math.ceil(width * height / slice_side**2), max_slices)
    if wanted <= 1:
        return 0, 0
    shape = math.log(width / height)
    counts = [count for count in (wanted - 1, wanted, wanted + 1) if 1 < count <= max_slices]
    grids = [(columns, count // columns) for count in counts for columns in range(1, count + 1) if not count % columns]
    return min(grids, key=lambda grid: abs(shape - math.log(grid[0] / grid[1])))
