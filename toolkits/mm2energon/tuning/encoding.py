"""Encoding: chats to the inputs of the model, the same that it is asked with; and what cannot be encoded, noted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError, missing_extra
from mm2energon.jsonio import dumps, loads
from mm2energon.terminal import shown
from mm2energon.tuning.chats import Chat
from mm2energon.tuning.job import Settings
from mm2energon.videochat.backends.generating import begin_of
from mm2energon.videochat.qwen_inputs import IGNORED, Encoded, batch, encode_chat
from mm2energon.videochat.qwen_vision import QwenVision, read_vision

#: What could be prepared, and not be read when its turn came; one line each.
FAULTS = "set_aside_in_training.jsonl"


@dataclass(frozen=True)
class Encoder:
    """Encodes for one model; picklable, so that workers have it, too."""

    #: The model's folder.
    model: Path
    max_pixels: int
    image_pixels: int

    @classmethod
    def of(cls, model: Path, settings: Settings) -> Encoder:
        """The encoder that a run's settings ask for."""
        return cls(model, settings.max_pixels, settings.image_pixels)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return load_tokenizer(self.model)

    @cached_property
    def begin(self) -> str:
        """What every reply begins with: `<think>` of Qwen3-VL-Thinking."""
        return begin_of(self.tokenizer)

    @cached_property
    def vision(self) -> QwenVision:
        """How the model sees, within the limits of pixels."""
        vision = read_vision(self.model)
        frames = vision.limited(max_pixels=self.max_pixels).frame_pixels
        return replace(vision.limited(max_pixels=self.image_pixels), frame_pixels=frames)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is loaded anew elsewhere."""
        return {"model": self.model, "max_pixels": self.max_pixels, "image_pixels": self.image_pixels}

    def encode(self, chat: Chat) -> Encoded:
        """A chat as tokens and patches, with labels on its answers.

        Raises:
            SampleError: the model takes no such pictures or text; `no-answer` nothing of it is learnt.
        """
        encoded = encode_chat(
            chat.turns,
            images=chat.images,
            videos=chat.videos,
            tokenizer=self.tokenizer,
            vision=self.vision,
            begin=self.begin,
            origin=chat.origin,
        )
        if all(label == IGNORED for label in encoded.labels):
            raise SampleError(f"{chat.origin}: no answer; a turn of the assistant was expected", "no-answer")
        return encoded

    def batch(self, encoded: Sequence[Encoded]) -> dict[str, Any]:
        """The keyword arguments of the model."""
        return batch(encoded, vision=self.vision, pad_id=int(self.tokenizer.pad_token_id))


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model's folder."""
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise missing_extra("transformers", "train") from error
    return AutoTokenizer.from_pretrained(folder)


def note_fault(output: Path, origin: str, error: SampleError) -> None:
    """Note a sample that cannot be read now, from whatever process: one line, written at once."""
    line = dumps({"origin": origin, "reason": error.code, "message": shown(str(error))}) + b"\n"
    descriptor = os.open(output / FAULTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def faults(output: Path) -> list[Mapping[str, Any]]:
    """What has been noted, each sample once."""
    try:
        lines = (output / FAULTS).read_bytes().splitlines()
    except OSError:
        return []
    found: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        try:
            told = loads(line)
            found.setdefault(str(told["origin"]), told)
        except (ValueError, KeyError, TypeError):
            continue  # a process was killed at it
    return list(found.values())
