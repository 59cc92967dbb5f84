"""LLaVA-NeXT-Video as its port in Hugging Face transformers takes it: a prompt with roles, an answer, a video.

{"prompt": "USER: <video>\\nWhat is this? ASSISTANT:", "answer": "A cat.", "video_path": "films/7.mp4"}

A prompt that holds earlier questions with their answers is read as such ("USER: ... ASSISTANT: ...</s>USER: ...
ASSISTANT:"), and written by nobody: a trainer learns the answer alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats.pairs import ONE_PAIR, asked, pair, read_path, read_text, rest_of, with_extra
from mm2energon.sample import VIDEO_TAG, Sample, Turn

HOLDS = ONE_PAIR

#: Between two questions: an answer.
_EARLIER = re.compile(r"[ \n]ASSISTANT: ?(.*?)(?:</s>|[ \n])[ \n]?USER: ?", re.DOTALL)
_PROMPT = re.compile(r"\s*USER: ?(.*?)[ \n]?ASSISTANT:\s*", re.DOTALL)


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format."""
    return "video_path" in entry and "prompt" in entry and "answer" in entry


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample.

    Raises:
        SampleError: a field is missing or no string, or the prompt is none.
    """
    return load_prompt(entry, VIDEO_TAG, origin=origin)


def load_prompt(entry: Mapping[str, Any], tag: str, *, origin: str) -> Sample:
    """An entry whose prompt has `tag` for the video."""
    prompt = read_text(entry, "prompt", origin=origin)
    found = _PROMPT.fullmatch(prompt)
    if found is None:
        raise SampleError(
            f'{origin}: "prompt" is {prompt[:40]!r}; "USER: ... ASSISTANT:" was expected; mend it', "bad-turn"
        )
    question, *others = _EARLIER.split(found[1])
    texts = [*others, read_text(entry, "answer", origin=origin)]
    further = (Turn("assistant" if place % 2 else "user", text) for place, text in enumerate(texts[1:]))
    return Sample(
        turns=(*pair(_without(question, tag), texts[0]), *further),
        videos=(read_path(entry, "video_path", origin=origin),),
        id=entry.get("id"),
        extra=rest_of(entry, "prompt", "answer", "video_path"),
        origin=origin,
    )


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`.
    """
    return dump_prompt(sample, f"USER: {VIDEO_TAG}\n{{}} ASSISTANT:", name="llava-next-video-hf")


def dump_prompt(sample: Sample, prompt: str, *, name: str) -> dict[str, Any]:
    """An entry with the question put into `prompt`."""
    held = asked(sample, name=name)
    question, answer = (turn.text for turn in held.turns)
    if _EARLIER.search(question):
        raise SampleError(
            f"{sample.origin}: a question that says ASSISTANT: and USER: itself, which an entry of {name} cannot hold; "
            "choose another format, or change the text",
            "cannot-hold",
        )
    return with_extra({"prompt": prompt.replace("{}", question), "answer": answer, "video_path": held.videos[0]}, held)


def _without(question: str, tag: str) -> str:
    for cut in (f"{tag}\n", f"\n{tag}", tag):
        if cut in question:
            return question.replace(cut, "", 1)
    return question
