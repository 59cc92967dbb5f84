"""Trainers that read LLaVA's entries, each within limits of its own.

    {"id": "7", "video": "films/7.mp4",
     "conversations": [{"from": "human", "value": "<video>\\nWhat is this?"}, {"from": "gpt", "value": "A cat."}]}

Where they are described: VideoLLaMA3, whose media are lists, in the README of DAMO-NLP-SG/VideoLLaMA3; Qwen in
qwen-vl-finetune of QwenLM/Qwen2.5-VL. Their loaders look for tags in questions, and for as many as there are media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mm2energon.formats import llava, sharegpt
from mm2energon.formats.holds import Holds, require_held
from mm2energon.formats.media import PLURALS, with_front_tag
from mm2energon.formats.pairs import ONE_VIDEO
from mm2energon.sample import Sample


@dataclass(frozen=True, slots=True)
class LlavaLike:
    """A trainer's variety of LLaVA's entries."""

    name: str
    HOLDS: Holds
    #: Media are lists under the singular key, also where there is one.
    lists: bool = False
    #: The tag of a medium that no text names is put in front.
    fronts_tags: bool = False

    def matches(self, entry: Mapping[str, Any], /) -> bool:
        """Whether an entry may be of this format: it is one of llava."""
        return llava.matches(entry)

    def load(self, entry: Mapping[str, Any], /, *, origin: str) -> Sample:
        """An entry as a Sample, as llava."""
        sample = llava.load(entry, origin=origin)
        return with_front_tag(sample) if self.fronts_tags else sample

    def dump(self, sample: Sample, /) -> dict[str, Any]:
        """A Sample as an entry.

        Raises:
            SampleError: `cannot-hold`.
        """
        require_held(sample, self.HOLDS, self.name)
        if not self.lists:
            return llava.dump(sample)
        entry = sharegpt.dump(sample)
        return {_SINGULARS.get(key, key): value for key, value in entry.items()}


_SINGULARS = {plural: singular for singular, plural in PLURALS.items()}

#: One video or images, nothing else; the trainer's own system prompt.
_ONE_KIND = Holds(videos=1, audios=0, mixed=False, frame_lists=False, system=False, alternate=True, tags="questions")

VIDEOLLAMA3 = LlavaLike("videollama3", _ONE_KIND, lists=True, fronts_tags=True)
QWEN_FINETUNE = LlavaLike(
    "qwen-finetune", Holds(audios=0, frame_lists=False, system=False, alternate=True, tags="questions")
)
#: The files of Video-ChatGPT and ShareGemini as T2Vid arranged them, and reads them (utils/preprocess/reformat_json.py
#: there): JSON lines, of which it takes the path, the tag out of the first turn, and the turns by their order.
VIDEO_CHATGPT = LlavaLike("video-chatgpt", ONE_VIDEO)
SHAREGEMINI = LlavaLike("sharegemini", ONE_VIDEO)
