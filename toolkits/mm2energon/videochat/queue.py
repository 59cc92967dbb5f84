"""Queue: the desk where questions are asked, one after another, whoever asks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mm2energon.videochat.asking import Event, Question
from mm2energon.videochat.backends import BACKENDS, Backend, Setup


class Desk:
    """Takes questions from several people and asks them of a model, one at a time, in a thread of its own."""

    def __init__(
        self, setup: Setup, *, history: Path | None = None, backends: Mapping[str, Backend] = BACKENDS
    ) -> None:
        """Args: history: the file of questions that were answered; None keeps none on disk."""
        raise NotImplementedError

    def ask(self, question: Question) -> str:
        """Queue a question; its id.

        Raises:
            InputError: the back end, model or adapter is unknown or not ready, or too many questions wait already.
        """
        raise NotImplementedError

    def events(self, id: str, after: int = 0, *, wait_seconds: float | None = None) -> Iterator[Event | None]:
        """The events of a question whose number is above `after`, as they come, up to the last.

        Args:
            wait_seconds: give None each time that nothing has come for so long.

        Raises:
            KeyError: there is no such question.
        """
        raise NotImplementedError

    def cancel(self, id: str) -> bool:
        """Stop a question, also one that waits; False when it is over already.

        Raises:
            KeyError: there is no such question.
        """
        raise NotImplementedError

    def history(self) -> list[dict[str, Any]]:
        """The questions that are over, the latest first, as JSON objects: id, at, who, question, video, backend, model,
        parameters, state (done, failed, cancelled), message, answers [{adapter, text, reply, rounds}]."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop all, and let go of the model."""
        raise NotImplementedError
