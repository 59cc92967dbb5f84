"""The BACKENDS table: where a model may be that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mm2energon.errors import InputError
from mm2energon.videochat.backends import gemini, local, openai
from mm2energon.videochat.backends.ready import Ready
from mm2energon.videochat.backends.setup import Setup
from mm2energon.videochat.perception import Asked, Stop

__all__ = ["BACKENDS", "Backend", "Chat", "Ready", "Setup", "require_model"]

#: Characters of a model's name.
_LONGEST_NAME = 300


class Chat(Protocol):
    """An open model."""

    @property
    def is_sound(self) -> bool:
        """Whether it can be asked again; else it has to be opened anew."""

    def reply(self, asked: Asked, stop: Stop) -> Iterator[str]:
        """The reply to one round, piece by piece.

        Raises:
            ToolkitError: it cannot be had; the message says why.
            Unwanted: it was stopped.
        """

    def forget(self) -> None:
        """Let go of what was kept for the rounds of one question."""

    def close(self) -> None:
        """Let go of the model."""


@dataclass(frozen=True)
class Backend:
    """One row."""

    name: str
    title: str
    #: Whether it can be asked, without asking it: quick.
    ready: Callable[[Setup], Ready]
    #: What it offers; the first is the usual one.
    models: Callable[[Setup], list[str]]
    #: Opens a model by its name; the third says what takes time.
    open: Callable[[str, Setup, Callable[[str], None]], Chat]
    #: Whether models may be asked for that it does not offer.
    takes_any_name: bool = False
    #: Whether adapters of ours can be used with it.
    takes_adapters: bool = False


#: Name -> row.
BACKENDS: dict[str, Backend] = {
    row.name: row
    for row in (
        Backend(
            "transformers",
            "This machine (transformers)",
            local.ready,
            local.models,
            local.open_model,
            takes_adapters=True,
        ),
        Backend(
            "openai",
            "OpenAI-compatible server (vLLM and others)",
            openai.ready,
            openai.models,
            openai.open_model,
            takes_any_name=True,
        ),
        Backend("gemini", "Gemini (Google)", gemini.ready, gemini.models, gemini.open_model, takes_any_name=True),
    )
}


def require_model(backend: Backend, name: str, setup: Setup) -> str:
    """The model that is asked for, or the usual one.

    Raises:
        InputError: the back end has none of that name.
    """
    known = backend.models(setup)
    if not name:
        if not known:
            raise InputError(f"model: {backend.title} offers none; expected a name; give one")
        return known[0]
    if name not in known and not backend.takes_any_name:
        raise InputError(
            f"model {name}: is not offered; expected one of {', '.join(known)}; choose one, or name it "
            "when the studio is started"
        )
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InputError("model: its name is too long, or holds control characters; expected one of the back end's")
    return name
