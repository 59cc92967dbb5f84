"""OpenAI's Whisper, by torch (https://github.com/openai/whisper)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.speech.engines.settings import Recognized, Settings
from mm2energon.speech.engines.whispers import Heard, doubt_of, model_is_missing, recognized
from mm2energon.speech.engines.windows import windows
from mm2energon.speech.sound import Sound
from mm2energon.speech.utterances import Span, Word

#: Seconds of sound around a window.
_PAD = 0.1
_WHERE = (
    "the file of a model (such as base.pt), or put that into ~/.cache/whisper: "
    "whisper.load_model('base') fetches it there where there is a network"
)


def load(settings: Settings) -> OpenaiWhisper:
    """The model: a `.pt` file, that file in a folder, or by its name from ~/.cache/whisper, or OpenAI's server.

    Raises:
        DependencyError: openai-whisper is missing.
        InputError: the model is not here, and cannot be had.
    """
    try:
        import whisper
    except ImportError as error:
        raise missing_extra("openai-whisper", "speech") from error
    device = None if settings.device == "auto" else settings.device
    try:
        model = whisper.load_model(_file(settings.model), device=device)
    except OSError as error:
        raise model_is_missing(settings.model, error, _WHERE) from error
    except (RuntimeError, KeyError, ValueError) as error:
        raise InputError(f"--model {settings.model}: {error}") from error
    if settings.threads:
        import torch

        torch.set_num_threads(settings.threads)
    return OpenaiWhisper(model, settings)


def _file(name: str) -> str:
    path = Path(name)
    if not path.is_dir():
        return name
    files = sorted(path.glob("*.pt"))
    if len(files) != 1:
        raise InputError(f"--model {name}: holds {len(files)} files .pt; one was expected; name the file")
    return os.fspath(files[0])


class OpenaiWhisper:
    """A model, which hears one window after the other."""

    def __init__(self, model: Any, settings: Settings) -> None:
        self._model = model
        self._settings = settings
        self.language = settings.language

    def recognize(self, sound: Sound, spans: Sequence[Span]) -> Iterator[Recognized]:
        """What is said in each span."""
        for group in windows(spans):
            yield from recognized(group, self._hear(sound, group))

    def _hear(self, sound: Sound, group: Sequence[Span]) -> list[Heard]:
        import whisper

        shift = max(0.0, group[0].start - _PAD)
        found = whisper.transcribe(
            self._model,
            sound.piece(Span(group[0].start, group[-1].end), pad=_PAD),
            language=self._settings.language,
            word_timestamps=True,
            condition_on_previous_text=False,
            fp16=self._model.device.type == "cuda" and self._settings.compute_type in ("default", "float16"),
        )
        self.language = str(found["language"])
        return [_heard(segment, shift) for segment in found["segments"]]


def _heard(segment: dict[str, Any], shift: float) -> Heard:
    words = tuple(
        Word(word["word"], word["start"] + shift, word["end"] + shift, float(word["probability"]))
        for word in segment.get("words", ())
    )
    return Heard(words, doubt_of(segment["no_speech_prob"], segment["avg_logprob"], segment["compression_ratio"]))
