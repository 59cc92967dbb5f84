"""pocketsphinx: small, English, on any processor; its model comes in its wheel (https://pocketsphinx.readthedocs.io)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mm2energon.errors import InputError, missing_extra
from mm2energon.speech.engines.places import local
from mm2energon.speech.engines.settings import Recognized, Settings
from mm2energon.speech.engines.whispers import language_of
from mm2energon.speech.engines.windows import padded
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span, Word

#: Seconds of silence that the decoder likes before and after speech.
_PAD = 0.2
#: Frames a second of its segmentation.
_FRAMES = 100
#: What is no word: silences, noises; and the number of a pronunciation.
_NO_WORD = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_PRONUNCIATION = re.compile(r"\(\d+\)$")
_EXPECTED = "the folder of a pocketsphinx model (mdef, *.dict, *.lm.bin) was expected"

_TRY = """
import sys, pocketsphinx
files = dict(one.split("=", 1) for one in sys.argv[2:])
pocketsphinx.Decoder(samprate=int(sys.argv[1]), loglevel="FATAL", **files)
"""


def load(settings: Settings) -> Sphinx:
    """The decoder.

    Args:
        settings: the model is a folder with an acoustic model (`mdef`, ...), a dictionary (`*.dict`) and a language
            model (`*.lm.bin`), or what the wheel brings, for any name.

    Raises:
        DependencyError: pocketsphinx is missing.
        InputError: the model cannot be used, or the language is not its own.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise missing_extra("pocketsphinx", "speech") from error
    if settings.device not in ("auto", "cpu"):
        raise InputError(f"--device {settings.device}: pocketsphinx runs on the processor; auto or cpu was expected")
    folder = local(settings.model)
    language = settings.language
    if folder is None:
        language = language_of(language or "en", {"en": "english"}, model="pocketsphinx's own")
    files = {} if folder is None else _usable(folder)
    return Sphinx(Decoder(samprate=RATE, loglevel="FATAL", **files), language)


def _usable(folder: Path) -> dict[str, str]:
    """The files of a model, tried by a process of its own: pocketsphinx ends the one that gives it a broken model."""
    files = _files(folder)
    told = [sys.executable, "-c", _TRY, str(RATE), *(f"{name}={path}" for name, path in files.items())]
    if subprocess.run(told, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:
        raise InputError(f"--model {folder}: pocketsphinx cannot use it; {_EXPECTED}; fetch it again")
    return files


def _files(folder: Path) -> dict[str, str]:
    acoustic = next((path.parent for path in sorted(folder.rglob("mdef*"))), None)
    words = next(iter(sorted(folder.rglob("*.dict"))), None)
    models = sorted([*folder.rglob("*.lm.bin"), *folder.rglob("*.lm")])
    language = next((path for path in models if "phone" not in path.name), None)  # that of phones knows no words
    for what, found in (("mdef", acoustic), ("*.dict", words), ("*.lm.bin", language)):
        if found is None:
            raise InputError(f"--model {folder}: no {what} in it; {_EXPECTED}")
    return {"hmm": str(acoustic), "dict": str(words), "lm": str(language)}


class Sphinx:
    """A decoder, which hears one span after the other."""

    def __init__(self, decoder: Any, language: str | None) -> None:
        self._decoder = decoder
        self._language = language

    def languages(self, sound: Sound, spans: Sequence[Span]) -> Mapping[str, float]:
        """The one that its model is of."""
        return {} if self._language is None else {self._language: 1.0}

    def recognize(self, sound: Sound, spans: Sequence[Span], language: str | None) -> Iterator[Recognized]:
        """What is said in each span."""
        for span, heard in zip(spans, padded(spans, _PAD), strict=True):
            words = tuple(self._words(sound, heard))
            score = sum(word.confidence for word in words) / len(words) if words else 0.0
            yield Recognized(span, words, score, None if words else "no-speech")

    def _words(self, sound: Sound, heard: Span) -> Iterator[Word]:
        samples = np.rint(sound.piece(heard) * 32768).astype(np.int16)
        if not len(samples):
            return
        self._decoder.reinit_feat()  # or what was heard before would have a share in what is heard now
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return
        for part in self._decoder.seg():
            if not _NO_WORD.fullmatch(part.word):
                text = " " + _PRONUNCIATION.sub("", part.word)
                start, end = part.start_frame / _FRAMES, (part.end_frame + 1) / _FRAMES
                yield Word(text, heard.start + start, heard.start + end, min(1.0, max(0.0, float(part.prob))))
