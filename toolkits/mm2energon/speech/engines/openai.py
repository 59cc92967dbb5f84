"""OpenAI's Whisper, by torch (https://github.com/openai/whisper)."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.speech.engines.places import (
    broken,
    cache_of,
    device_of,
    gpu_errors,
    local,
    missing,
    require_compute_type,
    unknown_name,
)
from mm2energon.speech.engines.settings import Recognized, Settings
from mm2energon.speech.engines.whispers import PAD, Heard, language_of, recognized, tell_languages, word_at
from mm2energon.speech.engines.windows import Window, windows
from mm2energon.speech.sound import Sound
from mm2energon.speech.utterances import Span

#: Seconds after which a server that does not answer is given up.
_PATIENCE = 20.0
_EXPECTED = "a .pt file as OpenAI publishes them (dims, model_state_dict)"


def load(settings: Settings) -> OpenaiWhisper:
    """The model: a `.pt` file, that file in a folder, or by its name from ~/.cache/whisper, or OpenAI's server.

    Raises:
        DependencyError: openai-whisper is missing.
        InputError: the model is not here and cannot be had, or device, compute type or language do not go with it.
    """
    try:
        import torch
        import whisper
    except ImportError as error:
        raise missing_extra("openai-whisper", "speech") from error
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    device, index = device_of(
        settings.device, gpus, needs="openai-whisper needs a build of torch with CUDA (https://pytorch.org)"
    )
    known = {"default", "auto", "float32", *(["float16"] if device == "cuda" else [])}
    require_compute_type(settings.compute_type, known, device=device)
    place = _file(settings.model)
    if place is None and settings.model not in whisper.available_models():
        raise unknown_name(settings.model, whisper.available_models())
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with _impatient():
        model = _loaded(str(place or settings.model), f"cuda:{index}" if device == "cuda" else "cpu")
    return OpenaiWhisper(model, settings)


def _loaded(name: str, device: str) -> Any:
    import whisper

    try:
        with gpu_errors(name):
            return whisper.load_model(name, device=device)
    except InputError:
        raise
    except OSError as error:
        raise missing(name, error, where=_where(name)) from error
    except Exception as error:  # noqa: BLE001 (torch raises what its reader of pickles does)
        raise broken(name, error, expected=_EXPECTED) from error


def _file(name: str) -> Path | None:
    path = local(name)
    if path is None or path.is_file():
        return path
    files = sorted(path.glob("*.pt"))
    if len(files) != 1:
        hint = "; --engine faster-whisper takes this folder" if (path / "model.bin").is_file() else "; name the file"
        raise InputError(f"--model {name}: holds {len(files)} files .pt; one was expected: {_EXPECTED}{hint}")
    return files[0]


def _where(name: str) -> str:
    from whisper import _MODELS  # names -> where they lie; there is no public way to ask

    url = _MODELS.get(name, "")
    return (
        f"fetch {url} where there is a network, and put it into {cache_of('whisper')}, or give the file as --model"
        if url
        else f"{_EXPECTED} was expected"
    )


@contextmanager
def _impatient() -> Iterator[None]:
    """Give a server up that does not answer: whisper waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


class OpenaiWhisper:
    """A model, which hears one window after the other."""

    def __init__(self, model: Any, settings: Settings) -> None:
        from whisper.tokenizer import LANGUAGES

        self._model = model
        self._settings = settings
        self._fp16 = model.device.type == "cuda" and settings.compute_type != "float32"
        count = model.num_languages if model.is_multilingual else 1  # English is the first
        known = dict(list(LANGUAGES.items())[:count])
        asked = settings.language or (None if model.is_multilingual else "en")
        self._language = None if asked is None else language_of(asked, known, model=settings.model)

    def languages(self, sound: Sound, spans: Sequence[Span]) -> Mapping[str, float]:
        """Language -> seconds of a voice's longest windows, where it was not given."""
        if self._language is not None:
            return {self._language: 1.0}
        with gpu_errors(self._settings.model):
            return tell_languages(self._tell, sound, spans)

    def _tell(self, piece: Any) -> Mapping[str, float]:
        import torch
        from whisper.audio import N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim

        mel = pad_or_trim(log_mel_spectrogram(piece, self._model.dims.n_mels, padding=N_SAMPLES), N_FRAMES)
        kind = torch.float16 if self._fp16 else torch.float32
        found: Mapping[str, float] = self._model.detect_language(mel.to(self._model.device).to(kind))[1]
        return found

    def recognize(self, sound: Sound, spans: Sequence[Span], language: str | None) -> Iterator[Recognized]:
        """What is said in each span."""
        for window in windows(spans, pad=PAD):
            with gpu_errors(self._settings.model):
                heard = self._hear(sound, window, language)
            yield from recognized(window, heard)

    def _hear(self, sound: Sound, window: Window, language: str | None) -> list[Heard]:
        import whisper

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a processor where there is a GPU, kernels that Triton cannot make
            found = whisper.transcribe(
                self._model,
                window.sound(sound),
                language=language,
                word_timestamps=True,
                condition_on_previous_text=False,
                fp16=self._fp16,
            )
        return [_heard(segment) for segment in found["segments"]]


def _heard(segment: dict[str, Any]) -> Heard:
    words = tuple(
        word_at(word["word"], word["start"], word["end"], word["probability"]) for word in segment.get("words", ())
    )
    return Heard(words, segment["no_speech_prob"], segment["avg_logprob"], segment["compression_ratio"])
