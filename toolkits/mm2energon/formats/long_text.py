"""Long texts with a question about them: instruction data whose context can become pictures.

    {"context": "...", "question": "Who came in?", "answer": "The cat."}              as T2Vid arranges its data
    {"instruction": "Who came in?", "input": "...", "output": "The cat."}             Alpaca
    {"instruction": "Below is a paper. ... Now the paper ends. \\nWho came in?", "output": "The cat."}     LongAlpaca

T2Vid draws `context` and asks `question`. How it cut the instructions of LongAlpaca in two is not published; here all
up to the last `Now the ... ends.` is context, and what follows is the question. Where no such sentence stands, the
question begins with the last line that begins with `Question:` (where T2Vid's authors cut Natural Questions). Nothing
is left out but the word `Question:` itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats.media import PLURALS
from mm2energon.jsonio import type_name
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG

_OWN_KEYS = frozenset({"context", "question", "answer", "instruction", "input", "output", *PLURALS, *PLURALS.values()})
_TAGS = (IMAGE_TAG, VIDEO_TAG, AUDIO_TAG)
_MEDIA_KEYS = (*PLURALS, *PLURALS.values())
#: How LongAlpaca ends what is to be read: `Now the paper ends.`, `Now the second paper ends.`, `Now the material ends.`
_END = re.compile(r"\bNow the (?:\w+ ){1,4}ends?\.", re.IGNORECASE)
_QUESTION = re.compile(r"^[ \t]*Question:[ \t]*", re.MULTILINE)


@dataclass(frozen=True)
class LongText:
    """A long text, and what is asked and answered about it."""

    context: str
    question: str
    answer: str
    #: All other keys of the entry.
    rest: Mapping[str, Any]


def read_long_text(entry: Mapping[str, Any], *, origin: str) -> LongText:
    """An entry as a LongText.

    Raises:
        SampleError: `unknown-format`, `bad-turn`, `no-context`, `no-answer`, or `tag-count` where a text holds a tag.
    """
    if "context" in entry:
        texts = [_text(entry, key, origin) for key in ("context", "question", "answer")]
    elif "instruction" in entry:
        instruction, answer = _text(entry, "instruction", origin), _text(entry, "output", origin)
        long = _text(entry, "input", origin) if entry.get("input") else ""
        texts = [long, instruction, answer] if long.strip() else [*_cut(instruction), answer]
    else:
        keys = ", ".join(sorted(str(key)[:30] for key in entry)[:8]) or "none"
        raise SampleError(
            f'{origin}: no long text in these keys: {keys}; "context", "question" and "answer" were expected, or '
            '"instruction" and "output"; rename them',
            "unknown-format",
        )
    context, question, answer = texts
    _check(context, question, answer, origin)
    media = next((key for key in _MEDIA_KEYS if entry.get(key)), None)
    if media is not None:
        raise SampleError(
            f'{origin}: "{media}" is there, media of its own; text alone was expected; take it out', "tag-count"
        )
    rest = {key: value for key, value in entry.items() if key not in _OWN_KEYS}
    return LongText(context, question.strip(), answer.strip(), rest)


def _cut(instruction: str) -> tuple[str, str]:
    """The context and the question that an instruction holds; no context where it is not told which is which."""
    ends = [found.end() for found in _END.finditer(instruction)]
    if ends and instruction[ends[-1] :].strip():
        return instruction[: ends[-1]], instruction[ends[-1] :]
    asked = list(_QUESTION.finditer(instruction))
    if asked and not ends:
        return instruction[: asked[-1].start()], instruction[asked[-1].end() :]
    return "", instruction


def _check(context: str, question: str, answer: str, origin: str) -> None:
    if not context.strip():
        raise SampleError(
            f"{origin}: no long text apart from the question; a context was expected, or an instruction in which it "
            'ends with "Now the ... ends."; write it as "context", or take the entry out',
            "no-context",
        )
    if not question.strip():
        raise SampleError(f"{origin}: the question is empty; one was expected; write it", "bad-turn")
    if not answer.strip():
        raise SampleError(f"{origin}: the answer is empty; one was expected; write it", "no-answer")
    found = next((tag for tag in _TAGS if tag in question or tag in answer), None)
    if found is not None:
        raise SampleError(
            f"{origin}: {found} stands in the question or in the answer, where it would be taken for a medium; "
            "plain text was expected; write it otherwise",
            "tag-count",
        )


def _text(entry: Mapping[str, Any], key: str, origin: str) -> str:
    value = entry.get(key)
    if isinstance(value, str):
        return value
    found = "missing" if key not in entry else type_name(value)
    raise SampleError(f'{origin}: "{key}" is {found}; a string was expected; mend it', "bad-turn")
