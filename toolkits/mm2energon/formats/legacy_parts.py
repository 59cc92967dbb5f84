"""The VideoLLaMA2 and Qwen templates of the first annotation tool, which are the same: parts, the video first.

{"conversations": [{"role": "system", "content": "You are a helpful assistant."},
                   {"role": "user", "content": [
                       {"type": "video", "video": {"video_path": "films/7.mp4", "fps": 1, "max_frames": 4}},
                       {"type": "text", "text": "What is this?"}]},
                   {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mm2energon.formats import messages
from mm2energon.formats.holds import Holds
from mm2energon.formats.pairs import ONE_VIDEO, asked, with_extra
from mm2energon.sample import VIDEO_TAG, Sample, Turn

#: The system turn that the tool gives every entry.
SYSTEM = Turn("system", "You are a helpful assistant.")
#: Template of the tool -> what its files are called by.
FILE_SUFFIXES = {"legacy-videollama2": "videollama2", "legacy-llava-next": "llava_next", "legacy-qwen": "qwen"}
#: What the template says of every video.
_SAMPLING = {"fps": 1, "max_frames": 4}


@dataclass(frozen=True, slots=True)
class LegacyParts:
    """One of the two."""

    name: str
    HOLDS: Holds = replace(ONE_VIDEO, system=True)

    def matches(self, entry: Mapping[str, Any], /) -> bool:
        """Whether an entry may be of this format: a conversation in parts."""
        return messages.matches(entry)

    def load(self, entry: Mapping[str, Any], /, *, origin: str) -> Sample:
        """An entry as a Sample, as messages; a video that stands right before its question gets a line of its own."""
        sample = messages.load(entry, origin=origin)
        turns = tuple(replace(turn, text=_on_its_own(turn.text)) for turn in sample.turns)
        return replace(sample, turns=turns)

    def dump(self, sample: Sample, /) -> dict[str, Any]:
        """A Sample as an entry, under the tool's system turn where it has none.

        Raises:
            SampleError: `cannot-hold`.
        """
        held = asked(sample, name=self.name, holds=self.HOLDS)
        turns = held.turns if held.turns[0].role == "system" else (SYSTEM, *held.turns)
        first = next(place for place, turn in enumerate(turns) if turn.role == "user")
        conversations: list[dict[str, Any]] = []
        for place, turn in enumerate(turns):
            parts: list[dict[str, Any]] = [{"type": "text", "text": turn.text}]
            if place == first:
                parts.insert(0, {"type": "video", "video": {"video_path": held.videos[0], **_SAMPLING}})
            conversations.append({"role": turn.role, "content": turn.text if turn.role == "system" else parts})
        return with_extra({"conversations": conversations}, held)


def file_name(name: str, split: str = "train") -> str:
    """What the tool calls the file of one of its templates: `model_train_qwen.jsonl`; those of splits likewise."""
    return f"model_{split}_{FILE_SUFFIXES[name]}.jsonl"


def _on_its_own(text: str) -> str:
    is_joined = text.startswith(VIDEO_TAG) and text != VIDEO_TAG and not text.startswith(f"{VIDEO_TAG}\n")
    return text.replace(VIDEO_TAG, f"{VIDEO_TAG}\n", 1) if is_joined else text


VIDEOLLAMA2 = LegacyParts("legacy-videollama2")
QWEN = LegacyParts("legacy-qwen")
