"""How Idefics3 cuts pictures: into square tiles, and the whole picture once more."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mm2energon.errors import SampleError

#: Before a tile stand a mark and its place (`<row_1_col_1>`), before the whole picture a mark and `<global-img>`, and
#: a mark behind it.
_TILE_MARKS = 2
_WHOLE_MARKS = 3


@dataclass(frozen=True, slots=True)
class IdeficsVision:
    """How Idefics3-8B-Llama3 cuts pictures, by its `preprocessor_config.json`."""

    tile_tokens: int = 169
    #: Pixels along one side of a tile.
    tile_side: int = 364
    #: Pixels to which the longer side of a picture is brought, up or down.
    longest_side: int = 4 * 364
    #: Of images; frames are never split.
    splits_images: bool = True

    def whole(self) -> IdeficsVision:
        """The same for a training that splits no image into tiles."""
        return replace(self, splits_images=False)

    def image_tokens(self, width: int, height: int, *, number: int = 0) -> int:
        """As `Vision.image_tokens`; each row of tiles ends with a line break."""
        columns, rows = self.tile_grid(width, height)
        if not self.splits_images:
            return self._whole
        return self._whole + rows * (columns * (self.tile_tokens + _TILE_MARKS) + 1)

    def video_tokens(self, frames: int, width: int, height: int, *, fps: float = 2.0) -> int:
        """As `Vision.video_tokens`; a video is its frames, none of them split."""
        if frames < 1:
            raise SampleError(f"video of {frames} frames; expected at least one", "no-frames")
        return frames * self._whole

    def tile_grid(self, width: int, height: int) -> tuple[int, int]:
        """Columns and rows of tiles.

        Raises:
            SampleError: a side is below one pixel.
        """
        if min(height, width) < 1:
            raise SampleError(f"picture of {width}x{height} pixels; expected at least 1x1", "image-too-small")
        if width >= height:
            return self._tiles(self.longest_side), self._tiles(self._shorter(width / height, wide=True))
        return self._tiles(self._shorter(width / height, wide=False)), self._tiles(self.longest_side)

    @property
    def _whole(self) -> int:
        return self.tile_tokens + _WHOLE_MARKS

    def _shorter(self, aspect_ratio: float, *, wide: bool) -> int:
        """Pixels of the shorter side: brought along with the longer one, to an even number."""
        side = int(self.longest_side / aspect_ratio) if wide else int(self.longest_side * aspect_ratio)
        return max(1, side + side % 2)

    def _tiles(self, side: int) -> int:
        return math.ceil(side / self.tile_side)
