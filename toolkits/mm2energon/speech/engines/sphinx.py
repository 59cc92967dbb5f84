"""pocketsphinx: small, English, on any processor; its model comes in its wheel (https://pocketsphinx.readthedocs.io)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mm2energon.errors import InputError, missing_extra
from mm2energon.speech.engines.settings import Recognized, Settings
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span, Word

#: Seconds of silence that the decoder likes before and after speech.
_PAD = 0.2
#: Frames a second of its segmentation.
_FRAMES = 100
#: What is no word: silences, noises; and the number of a pronunciation.
_NO_WORD = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_PRONUNCIATION = re.compile(r"\(\d+\)$")


def load(settings: Settings) -> Sphinx:
    """The decoder.

    Args:
        settings: the model is a folder with an acoustic model (`mdef`, ...), a dictionary (`*.dict`) and a language
            model (`*.lm.bin`), or what the wheel brings, for any other name.

    Raises:
        DependencyError: pocketsphinx is missing.
        InputError: the model cannot be used, or the language is not its own.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise missing_extra("pocketsphinx", "speech") from error
    folder = Path(settings.model)
    if settings.language not in (None, "en") and not folder.is_dir():
        raise InputError(
            f"--language {settings.language}: pocketsphinx brings an English model; en was expected, or --model with "
            "the folder of another one, or another --engine"
        )
    files = _files(folder) if folder.is_dir() else {}
    try:
        decoder = Decoder(samprate=RATE, loglevel="FATAL", **files)
    except RuntimeError as error:
        raise InputError(
            f"--model {folder}: pocketsphinx cannot use it ({error}); one of its models was expected"
        ) from error
    return Sphinx(decoder, settings.language or "en")


def _files(folder: Path) -> dict[str, str]:
    acoustic = next((path.parent for path in sorted(folder.rglob("mdef*"))), None)
    words = next(iter(sorted(folder.rglob("*.dict"))), None)
    language = next(iter(sorted([*folder.rglob("*.lm.bin"), *folder.rglob("*.lm")])), None)
    for what, found in (("mdef", acoustic), ("*.dict", words), ("*.lm.bin", language)):
        if found is None:
            raise InputError(f"--model {folder}: no {what} in it; the folder of a pocketsphinx model was expected")
    return {"hmm": str(acoustic), "dict": str(words), "lm": str(language)}


class Sphinx:
    """A decoder, which hears one span after the other."""

    def __init__(self, decoder: Any, language: str) -> None:
        self._decoder = decoder
        self.language: str | None = language

    def recognize(self, sound: Sound, spans: Sequence[Span]) -> Iterator[Recognized]:
        """What is said in each span."""
        for span in spans:
            words = tuple(self._words(sound, span))
            score = sum(word.confidence for word in words) / len(words) if words else 0.0
            yield Recognized(span, words, score, None if words else "no-speech")

    def _words(self, sound: Sound, span: Span) -> Iterator[Word]:
        begin = max(0.0, span.start - _PAD)
        heard = np.rint(sound.piece(span, pad=_PAD) * 32768).astype(np.int16)
        self._decoder.start_utt()
        self._decoder.process_raw(heard.tobytes(), full_utt=True)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return
        for part in self._decoder.seg():
            if not _NO_WORD.fullmatch(part.word):
                text = " " + _PRONUNCIATION.sub("", part.word)
                start, end = part.start_frame / _FRAMES, (part.end_frame + 1) / _FRAMES
                yield Word(text, begin + start, begin + end, min(1.0, max(0.0, float(part.prob))))
