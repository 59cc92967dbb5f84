"""faster-whisper: Whisper by CTranslate2, several windows at a time (https://github.com/SYSTRAN/faster-whisper)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mm2energon.errors import InputError, missing_extra
from mm2energon.speech.engines.settings import Recognized, Settings
from mm2energon.speech.engines.whispers import Heard, doubt_of, model_is_missing, recognized
from mm2energon.speech.engines.windows import windows
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span, Word

#: Seconds of sound around a window.
_PAD = 0.1


def load(settings: Settings) -> FasterWhisper:
    """The model, from a folder, or by its name from the cache of the Hugging Face hub, or the hub.

    Raises:
        DependencyError: faster-whisper is missing.
        InputError: the model is not here, and cannot be had.
    """
    try:
        from faster_whisper import BatchedInferencePipeline, WhisperModel
    except ImportError as error:
        raise missing_extra("faster-whisper", "speech") from error
    how = {"device": settings.device, "compute_type": settings.compute_type, "cpu_threads": settings.threads}
    try:
        model = _from_cache_or_hub(WhisperModel, settings.model, how)
    except ValueError as error:  # a compute type that the device lacks, a name that is none
        raise InputError(f"--model {settings.model}: {error}") from error
    except (OSError, RuntimeError) as error:
        raise model_is_missing(settings.model, error, _WHERE) from error
    return FasterWhisper(model, BatchedInferencePipeline(model), settings)


_WHERE = (
    "the folder of a model in CTranslate2's form (model.bin, config.json, tokenizer.json, vocabulary.*), such as "
    "`huggingface-cli download Systran/faster-whisper-base --local-dir FOLDER` makes where there is a network"
)


def _from_cache_or_hub(kind: Any, name: str, how: dict[str, Any]) -> Any:
    if Path(name).is_dir():
        return kind(name, local_files_only=True, **how)
    try:
        return kind(name, local_files_only=True, **how)  # what is here is taken without asking the hub
    except ValueError:
        raise
    except Exception:  # noqa: BLE001 (the hub's library raises kinds of its own)
        return kind(name, **how)


class FasterWhisper:
    """A model, which hears many windows at once."""

    def __init__(self, model: Any, pipeline: Any, settings: Settings) -> None:
        self._model = model
        self._pipeline = pipeline
        self._settings = settings
        self.language = settings.language

    def recognize(self, sound: Sound, spans: Sequence[Span]) -> Iterator[Recognized]:
        """What is said in each span."""
        groups = iter(windows(spans))
        while some := list(islice(groups, max(1, self._settings.batch_size))):
            for group, heard in zip(some, self._hear(sound, some), strict=True):
                yield from recognized(group, heard)

    def _hear(self, sound: Sound, groups: Sequence[Sequence[Span]]) -> list[list[Heard]]:
        """What is heard in each window, those in doubt once more: one by one, and at rising temperatures."""
        pieces, clips, begin = [], [], 0.0
        for group in groups:
            piece = sound.piece(Span(group[0].start, group[-1].end), pad=_PAD)
            clips.append({"start": begin, "end": begin + len(piece) / RATE})
            pieces.append(piece)
            begin += len(piece) / RATE
        segments, info = self._pipeline.transcribe(
            np.concatenate(pieces),
            clip_timestamps=clips,
            batch_size=len(clips),
            **self._how(),
        )
        self.language = info.language
        heard: list[list[Heard]] = [[] for _ in groups]
        for segment in segments:
            middle = (segment.start + segment.end) / 2
            number = max(n for n, clip in enumerate(clips) if n == 0 or clip["start"] <= middle)
            shift = max(0.0, groups[number][0].start - _PAD) - clips[number]["start"]
            heard[number].append(_heard(segment, shift))
        for number, found in enumerate(heard):
            if any(one.doubt == "repetition" for one in found):
                heard[number] = self._hear_again(pieces[number], max(0.0, groups[number][0].start - _PAD))
        return heard

    def _hear_again(self, piece: Any, shift: float) -> list[Heard]:
        segments, _ = self._model.transcribe(piece, vad_filter=False, condition_on_previous_text=False, **self._how())
        return [_heard(segment, shift) for segment in segments]

    def _how(self) -> dict[str, Any]:
        return {"language": self._settings.language, "word_timestamps": True, "without_timestamps": True}


def _heard(segment: Any, shift: float) -> Heard:
    words = tuple(
        Word(word.word, word.start + shift, word.end + shift, float(word.probability)) for word in segment.words or ()
    )
    return Heard(words, doubt_of(segment.no_speech_prob, segment.avg_logprob, segment.compression_ratio))
