"""The table of engines: each module recognises what is said in spans of a sound."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache

from mm2energon.errors import InputError
from mm2energon.speech.engines.settings import Recognizer, Settings


@dataclass(frozen=True)
class Engine:
    """One row: where the engine lives, with `load(settings) -> Recognizer`, and what it is."""

    #: Empty where nothing is recognised.
    module: str
    summary: str


#: The engine that recognises nothing.
TRANSCRIPT = "transcript"
#: Name -> row; the first is the default.
ENGINES: dict[str, Engine] = {
    "faster-whisper": Engine("fast", "Whisper by CTranslate2: the fastest, on a processor or with CUDA"),
    "whisper": Engine("openai", "OpenAI's own Whisper, by torch"),
    "pocketsphinx": Engine("sphinx", "small and English, without a download; far less accurate"),
    TRANSCRIPT: Engine("", "no recognition: a transcript for each voice (SRT, VTT, Whisper's JSON)"),
}


@lru_cache(maxsize=1)
def load(settings: Settings) -> Recognizer:
    """The engine that is asked for, loaded once for a process: its model is large.

    Raises:
        DependencyError: its package is missing.
        InputError: its model is not here, or cannot be used so.
    """
    known = [name for name, engine in ENGINES.items() if engine.module]
    if settings.engine not in known:
        raise InputError(f"--engine {settings.engine}: recognises nothing; one of {', '.join(known)} was expected")
    recognizer: Recognizer = importlib.import_module(f"{__name__}.{ENGINES[settings.engine].module}").load(settings)
    return recognizer
