"""Asking: what is asked of a model about a video, by which parameters, and the events that tell how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.videochat.prompts import ANSWER_PROMPT, QUESTION_MARK, SEARCH_PROMPT

#: What a number of `Parameters` may be: (fewest, most), and what the message says of it.
LIMITS: dict[str, tuple[float, float]] = {
    "iterations": (1, 10),
    "fps": (0.01, 30.0),
    "frame_budget": (2, 768),
    "max_new_tokens": (1, 16_384),
    "temperature": (0.0, 2.0),
    "top_p": (0.01, 1.0),
    "repetition_penalty": (0.5, 2.0),
}
_WHOLE = frozenset({"iterations", "frame_budget", "max_new_tokens"})
#: Characters of a question, and of a prompt, at most.
MAX_TEXT = 20_000


@dataclass(frozen=True)
class Parameters:
    """How a question is asked.

    Raises:
        InputError: a value is out of its range, or a prompt lacks `[QUESTION]`.
    """

    #: Rounds of perception: all but the last look for the stretches of the video that the question is about.
    iterations: int = 3
    #: Frames per second of the video that a round looks at, as far as the budget allows.
    fps: float = 2.0
    #: Frames that a round looks at, at most.
    frame_budget: int = 64
    max_new_tokens: int = 1024
    #: 0 takes the likeliest token each time: the same question has the same answer.
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    #: Of the rounds before the last one.
    first_prompt: str = SEARCH_PROMPT
    #: Of the last round, and of a single one.
    next_prompt: str = ANSWER_PROMPT

    def __post_init__(self) -> None:
        for name, (fewest, most) in LIMITS.items():
            value = getattr(self, name)
            if not _fits(value, fewest, most, whole=name in _WHOLE):
                kind = "a whole number" if name in _WHOLE else "a number"
                raise InputError(f"{name}: {_shown(value)}; expected {kind} from {fewest:g} to {most:g}; change it")
            if name not in _WHOLE:  # JSON of a page writes 2 for 2.0, which samplers refuse
                object.__setattr__(self, name, float(value))
        for name in ("first_prompt", "next_prompt"):
            _check_prompt(name, getattr(self, name))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Parameters:
        """The parameters of a JSON object; those that it lacks, or that are null, are the usual ones.

        Raises:
            InputError: as above; also a name that is none.
        """
        known = {one.name for one in fields(cls)}
        if strange := sorted(set(values) - known):
            raise InputError(
                f"parameters: {_shown(', '.join(strange))}; expected {', '.join(sorted(known))}; take it out"
            )
        given = {name: value for name, value in values.items() if value is not None}
        for name in set(given) & _WHOLE:  # JSON of a page writes 3 and 3.0 alike
            if isinstance(given[name], float) and given[name].is_integer():
                given[name] = int(given[name])
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Question:
    """What somebody asks.

    Raises:
        InputError: the question is empty or too long, or there is not one adapter, or two.
    """

    text: str
    video: Path
    #: A name of `BACKENDS`.
    backend: str = "transformers"
    #: A folder or name that the back end knows; empty: its first.
    model: str = ""
    #: Names of adapters, one after another on the same question; None is the model as it is.
    adapters: tuple[str | None, ...] = (None,)
    parameters: Parameters = field(default_factory=Parameters)
    #: What the video is called where people see it.
    video_name: str = ""
    #: Who asks: the queue is fair to each.
    who: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise InputError("question: it is empty; expected a text; write what you want to know")
        if len(self.text) > MAX_TEXT:
            raise InputError(f"question: {len(self.text)} characters; expected {MAX_TEXT} at most; shorten it")
        if not 1 <= len(self.adapters) <= 2 or len(set(self.adapters)) != len(self.adapters):
            raise InputError(
                f"adapters: {list(self.adapters)}; expected one, or two different ones to compare; null is none"
            )

    def named(self) -> Question:
        """The same, whose video has a name in any case."""
        return self if self.video_name else replace(self, video_name=self.video.name)


@dataclass(frozen=True)
class Event:
    """Something that happened to a question.

    Kinds, and what `data` holds beside `adapter` (a name, or None) where several answer:
    `queued` position (1: the next one); `loading` message; `round` round, of, frames (seconds); `token` text; `spans`
    spans (pairs of seconds), message; `answer` text; and, as the last, one of `done`, `failed` message, `cancelled`.
    """

    #: From 1 up.
    number: int
    kind: str
    data: Mapping[str, Any]

    @property
    def is_last(self) -> bool:
        """Whether nothing follows."""
        return self.kind in LAST_KINDS


#: Kinds of events after which nothing follows.
LAST_KINDS = ("done", "failed", "cancelled")


def _fits(value: object, fewest: float, most: float, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return False
    return fewest <= value <= most  # which what is no number is not


def _shown(value: object) -> str:
    """A value in a message, whatever it is."""
    try:
        return repr(value)[:100]
    except ValueError:  # Python writes no numbers of more than some thousand digits
        return "a number of very many digits"


def _check_prompt(name: str, prompt: object) -> None:
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError(f"{name}: {_shown(prompt)}; expected a text with {QUESTION_MARK}; write one, or leave it out")
    if QUESTION_MARK not in prompt:
        raise InputError(f"{name}: it lacks {QUESTION_MARK}; expected it where the question goes; add it")
    if len(prompt) > MAX_TEXT:
        raise InputError(f"{name}: {len(prompt)} characters; expected {MAX_TEXT} at most; shorten it")
