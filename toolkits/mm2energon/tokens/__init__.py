"""The MODELS table: what a conversation costs a model in tokens, from sizes, numbers of frames and text alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mm2energon.tokens.idefics import IdeficsVision
from mm2energon.tokens.minicpm import MiniCpmVision
from mm2energon.tokens.qwen import QwenVision, smart_resize
from mm2energon.tokens.text import (
    Template,
    chatml,
    encode,
    estimate,
    idefics,
    llama3,
    load_tokenizer,
    require_template,
    text_tokens,
    tokenizer_file,
)

__all__ = [
    "MODELS",
    "QWEN2_VL",
    "Model",
    "Template",
    "Vision",
    "encode",
    "estimate",
    "load_tokenizer",
    "require_template",
    "smart_resize",
    "text_tokens",
    "tokenizer_file",
]


class Vision(Protocol):
    """How a model cuts pictures; what it counts are all tokens that stand for one, with the marks around them."""

    def image_tokens(self, width: int, height: int, *, number: int = 0) -> int:
        """The tokens of one image.

        Args:
            width: Of the file, in pixels, after its orientation tag.
            height: The same.
            number: Images of the sample that stand before it.

        Raises:
            SampleError: a side is below one pixel, or the model takes no picture of that shape.
        """

    def video_tokens(self, frames: int, width: int, height: int, *, fps: float = 2.0) -> int:
        """The tokens of one video.

        Args:
            frames: Frames that are extracted.
            width: Of one frame, in pixels.
            height: The same.
            fps: Of these frames; only where the model writes down their times.

        Raises:
            SampleError: as `image_tokens`; or there is no frame.
        """


@dataclass(frozen=True)
class Model:
    """One row: what the model is called where it is published, and how it counts."""

    published_as: str
    vision: Vision
    template: Template


_HELPFUL = "You are a helpful assistant."
QWEN2_VL = QwenVision(factor=28, image_range=(4, 16_384))

#: Name -> row.
MODELS: dict[str, Model] = {
    "qwen2-vl": Model("Qwen/Qwen2-VL", QWEN2_VL, Template(chatml, system=_HELPFUL)),
    "qwen2.5-vl": Model("Qwen/Qwen2.5-VL", QWEN2_VL, Template(chatml, system=_HELPFUL)),
    "qwen3-vl": Model(
        "Qwen/Qwen3-VL", QwenVision(factor=32, image_range=(64, 16_384), writes_times=True), Template(chatml)
    ),
    "minicpm-v-2.5": Model(
        "openbmb/MiniCPM-Llama3-V-2_5",
        MiniCpmVision(query_tokens=96, marks_slices=True),
        Template(llama3, begin="<|begin_of_text|>"),
    ),
    "minicpm-v-2.6": Model(
        "openbmb/MiniCPM-V-2_6",
        MiniCpmVision(query_tokens=64, max_frame_slices=2, numbers_images=True),
        Template(chatml, system=_HELPFUL),
    ),
    "idefics3": Model(
        "HuggingFaceM4/Idefics3-8B-Llama3", IdeficsVision(), Template(idefics, begin="<|begin_of_text|>")
    ),
}
