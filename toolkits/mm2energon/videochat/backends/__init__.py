"""The BACKENDS table: where a model may be that is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Setup:
    """What the back ends of one studio are given; what is left out comes from the environment, or is found out."""

    #: Folders and names of the hub that `transformers` offers; the first is the usual one.
    models: tuple[str, ...] = ()
    #: Folders in which a model of the hub may lie under its name.
    model_folders: tuple[Path, ...] = (Path(),)
    #: Folder of LoRA adapters.
    adapters: Path | None = None
    #: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
    device: str = "auto"
    #: `auto`, `float32`, `bfloat16`, `float16`.
    dtype: str = "auto"
    #: 4-bit weights (nf4): None: where bitsandbytes and CUDA are there and the weights would not fit otherwise.
    four_bit: bool | None = None
    #: Whether models are fetched from the hub.
    may_download: bool = True
    #: Of an OpenAI-compatible server, up to `/v1`; else OPENAI_BASE_URL.
    openai_address: str | None = None
    #: Else OPENAI_API_KEY. Never shown.
    openai_key: str | None = field(default=None, repr=False)
    #: Of Gemini's API; its key is GEMINI_API_KEY of the environment alone.
    gemini_address: str | None = None


@dataclass(frozen=True)
class Ready:
    """Whether a back end can be asked, and if not, what to do."""

    ok: bool
    message: str = ""


class Chat(Protocol):
    """An open model."""

    def reply(self, asked: Any, stop: Callable[[], bool]) -> Iterator[str]:
        """The reply to one round, piece by piece."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True)
class Backend:
    """One row."""

    name: str
    title: str
    ready: Callable[[Setup], Ready]
    models: Callable[[Setup], list[str]]
    open: Callable[[str, Setup, Callable[[str], None]], Chat]


#: Name -> row.
BACKENDS: dict[str, Backend] = {}
