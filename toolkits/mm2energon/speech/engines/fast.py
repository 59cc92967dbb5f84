"""faster-whisper: Whisper by CTranslate2, several windows at a time (https://github.com/SYSTRAN/faster-whisper)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mm2energon.errors import InputError, missing_extra
from mm2energon.speech.engines.places import (
    broken,
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
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span

#: Seconds that a window has in the sound which the pipeline is given, the first not at its start: faster-whisper takes
#: the times of first words for right according to the silence before them, which then is the same for all windows.
_SLOT = 60
#: Seconds after which a hub that does not answer is given up.
_PATIENCE = 20.0
#: What CTranslate2's converter writes, and what faster-whisper would otherwise ask the hub for.
_FILES = ("model.bin", "config.json", "tokenizer.json")
_EXPECTED = f"a folder with a model in CTranslate2's form ({', '.join(_FILES)}, vocabulary.*)"


def load(settings: Settings) -> FasterWhisper:
    """The model, from a folder, or by its name from the cache of the Hugging Face hub, or the hub.

    Raises:
        DependencyError: faster-whisper is missing.
        InputError: the model is not here and cannot be had, or device, compute type or language do not go with it.
    """
    try:
        import ctranslate2
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise missing_extra("faster-whisper", "speech") from error
    needs = "faster-whisper needs CUDA 12 with cuBLAS and cuDNN 9 (https://github.com/SYSTRAN/faster-whisper#gpu)"
    device, index = device_of(settings.device, ctranslate2.get_cuda_device_count(), needs=needs)
    known = {"default", "auto", *ctranslate2.get_supported_compute_types(device, index)}
    require_compute_type(settings.compute_type, known, device=device)
    folder = _folder(settings.model)
    how = {"device": device, "device_index": index, "compute_type": settings.compute_type}
    try:
        with gpu_errors(settings.model):
            model = WhisperModel(str(folder), local_files_only=True, cpu_threads=settings.threads, **how)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (tokenizers raises nothing more special)
        raise broken(settings.model, error, expected=_EXPECTED) from error
    return FasterWhisper(model, settings)


def _folder(name: str) -> Path:
    """The folder of a model, fetched where it is not here."""
    from faster_whisper import available_models, download_model

    folder = local(name)
    if folder is not None:
        return _checked(folder)
    if "/" not in name and name not in available_models():
        raise unknown_name(name, available_models())
    try:
        return _complete(download_model(name, local_files_only=True))  # what is here is taken without asking the hub
    except Exception:  # noqa: BLE001 (the hub's library raises kinds of its own)
        try:
            _require_answer()
            return _complete(download_model(name))
        except Exception as error:  # noqa: BLE001
            raise missing(name, error, where=_where(name)) from error


def _require_answer() -> None:
    """Give a hub up that takes a connection and says nothing: its library waits for minutes.

    Any other fault is left to that library, which knows more of proxies and certificates.
    """
    from urllib.request import urlopen

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return
    try:
        urlopen(constants.ENDPOINT, timeout=_PATIENCE).close()
    except OSError as error:
        if isinstance(getattr(error, "reason", error), TimeoutError):
            raise TimeoutError(f"{constants.ENDPOINT} does not answer within {_PATIENCE:g} s") from error


def _complete(path: str) -> Path:
    """A folder of the cache, in which a download that was broken off may have left only some of the files."""
    if not Path(path, "model.bin").is_file():
        raise FileNotFoundError(f"{path}: no model.bin")
    return Path(path)


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        hint = "; --engine whisper takes it" if folder.suffix == ".pt" else ""
        raise InputError(f"--model {folder}: is a file; {_EXPECTED} was expected{hint}")
    lacking = [name for name in _FILES if not (folder / name).is_file()]
    if lacking:
        hint = ""
        if "model.bin" in lacking and any(folder.glob("*.safetensors")):
            hint = "; this is one of transformers: ct2-transformers-converter makes the one of the other"
        elif "model.bin" in lacking and any(folder.glob("*.pt")):
            hint = "; --engine whisper takes the .pt file in it"
        raise InputError(f"--model {folder}: no {', no '.join(lacking)} in it; {_EXPECTED} was expected{hint}")
    return folder


def _where(name: str) -> str:
    from faster_whisper.utils import _MODELS  # names -> where the hub has them; there is no public way to ask

    repo = _MODELS.get(name, name)
    return (
        f"where there is a network, run: hf download {repo} --local-dir {name.rpartition('/')[2]}; "
        "copy that folder to this machine, and give it as --model"
    )


class FasterWhisper:
    """A model, which hears many windows at once."""

    def __init__(self, model: Any, settings: Settings) -> None:
        from faster_whisper import BatchedInferencePipeline

        self._model = model
        self._pipeline = BatchedInferencePipeline(model)
        self._settings = settings
        tokens = model.hf_tokenizer
        known = [code for code in model.supported_languages if tokens.token_to_id(f"<|{code}|>") is not None]
        known = known if model.model.is_multilingual else ["en"]
        asked = settings.language if len(known) > 1 else settings.language or "en"
        self._language = None if asked is None else language_of(asked, known, model=settings.model)

    def languages(self, sound: Sound, spans: Sequence[Span]) -> Mapping[str, float]:
        """Language -> seconds of a voice's longest windows, where it was not given."""
        if self._language is not None:
            return {self._language: 1.0}
        with gpu_errors(self._settings.model):
            return tell_languages(lambda piece: dict(self._model.detect_language(piece)[2]), sound, spans)

    def recognize(self, sound: Sound, spans: Sequence[Span], language: str | None) -> Iterator[Recognized]:
        """What is said in each span."""
        waiting = iter(windows(spans, pad=PAD))
        how = {"language": language, "word_timestamps": True}
        while some := list(islice(waiting, max(1, self._settings.batch_size))):
            with gpu_errors(self._settings.model):
                found = self._hear(sound, some, how)
            for window, heard in zip(some, found, strict=True):
                yield from recognized(window, heard)

    def _hear(self, sound: Sound, some: Sequence[Window], how: Mapping[str, Any]) -> list[list[Heard]]:
        """What is heard in each window; those in doubt once more, one by one, and at rising temperatures."""
        pieces = [window.sound(sound) for window in some]
        starts = [(number + 1) * _SLOT for number in range(len(some))]
        together = np.zeros((len(some) + 1) * _SLOT * RATE, np.float32)
        for start, piece in zip(starts, pieces, strict=True):
            together[start * RATE :][: len(piece)] = piece
        clips = [
            {"start": start, "end": start + len(piece) / RATE} for start, piece in zip(starts, pieces, strict=True)
        ]
        segments, _ = self._pipeline.transcribe(together, clip_timestamps=clips, batch_size=len(clips), **how)
        heard: list[list[Heard]] = [[] for _ in some]
        for segment in segments:
            number = starts.index(round(segment.seek / self._model.frames_per_second))
            heard[number].append(_heard(segment, -starts[number]))
        for number, found in enumerate(heard):
            if any(one.is_worth_another_try for one in found):
                heard[number] = self._hear_again(pieces[number], how)
        return heard

    def _hear_again(self, piece: Any, how: Mapping[str, Any]) -> list[Heard]:
        segments, _ = self._model.transcribe(piece, condition_on_previous_text=False, **how)
        return [_heard(segment, 0.0) for segment in segments]


def _heard(segment: Any, shift: float) -> Heard:
    words = tuple(
        word_at(word.word, word.start + shift, word.end + shift, word.probability) for word in segment.words or ()
    )
    return Heard(words, segment.no_speech_prob, segment.avg_logprob, segment.compression_ratio)
