"""Perception: a question is asked in rounds, each of which looks more closely where the one before found its answer.

The idea is that of VideoChat-R1.5 (arXiv 2509.21100; `eval_videomme.py` and `my_vision_process.py` of the repository
OpenGVLab/VideoChat-R1): every round but the last asks for an answer with the spans that it rests on, the next one
samples these denser, and what the last says counts. A round knows nothing of the texts of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mm2energon.video.picture import Pixels
from mm2energon.videochat.adapters import Adapter
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.frames import FrameReader, Shown, Sizing, Unwanted
from mm2energon.videochat.looking import Look, look_closer, look_evenly
from mm2energon.videochat.prompts import fill, read_answer
from mm2energon.videochat.spans import Span, parse_spans, tidy

#: Says that a question was cancelled.
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Asked:
    """What a model is asked in one round."""

    prompt: str
    look: Look
    #: Seconds of the video.
    duration: float
    video: Path
    parameters: Parameters
    #: Of the model; None: as it is.
    adapter: Adapter | None
    #: The frames of the look, at the size that the model wants them.
    frames: Callable[[Sizing], list[Pixels]]


class Replies(Protocol):
    """A model that replies."""

    def reply(self, asked: Asked, stop: Stop) -> Iterator[str]:
        """The reply to one round, piece by piece."""


@dataclass(frozen=True)
class Task:
    """A question about an open video, as one model and adapter answer it."""

    question: str
    parameters: Parameters
    reader: FrameReader
    shown: Shown
    adapter: Adapter | None = None


def perceive(task: Task, model: Replies, stop: Stop) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask in rounds: kinds of events and what they hold, as `asking.Event` has them; the answer is the last.

    A round that names no span, or none that was not looked at already, is followed by the last one: the rounds between
    would see the same frames again.

    Raises:
        MediaError: a frame cannot be decoded.
        Unwanted: it was stopped.
    """
    rounds, number, spans = task.parameters.iterations, 1, list[Span]()
    while True:
        is_last = number == rounds
        look = _look(task, spans)
        yield "round", {"round": number, "of": rounds, "frames": list(look.times)}
        pieces = []
        for piece in model.reply(_asked(task, look, stop, is_last=is_last), stop):
            if stop():
                raise Unwanted
            pieces.append(piece)
            yield "token", {"text": piece}
        if stop():
            raise Unwanted
        reply = "".join(pieces)
        found = tidy(parse_spans(reply), task.shown.duration)
        if found or not is_last:
            yield (
                "spans",
                {"spans": [_rounded(span) for span in found], "message": _told(found, spans, is_last=is_last)},
            )
        if is_last:
            yield "answer", {"text": read_answer(reply), "reply": reply}
            return
        number = number + 1 if found and found != spans else rounds
        spans = found or spans


def _look(task: Task, spans: list[Span]) -> Look:
    fps, budget = task.parameters.fps, task.parameters.frame_budget
    if spans:
        return look_closer(task.shown, spans, fps=fps, budget=budget)
    return look_evenly(task.shown, fps=fps, budget=budget)


def _asked(task: Task, look: Look, stop: Stop, *, is_last: bool) -> Asked:
    parameters = task.parameters
    prompt = parameters.next_prompt if is_last else parameters.first_prompt
    return Asked(
        prompt=fill(prompt, task.question),
        look=look,
        duration=task.shown.duration,
        video=task.reader.video,
        parameters=parameters,
        adapter=task.adapter,
        frames=lambda sizing: task.reader.read(look.times, sizing, stop),
    )


def _told(found: list[Span], before: list[Span], *, is_last: bool) -> str:
    if is_last or (found and found != before):
        return ""
    if found:
        return "It names the same stretches again: the last round follows."
    if before:
        return "It names no stretch of the video: the last round follows, with those named before."
    return "It names no stretch of the video: the last round follows, with frames spread evenly."


def _rounded(span: Span) -> list[float]:
    return [round(span[0], 3), round(span[1], 3)]
