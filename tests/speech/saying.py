"""Real speech by code: Debian's flite says texts, so that each word of what is heard is known, to the sample."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
#: A woman's voice and a man's, both of 16 kHz.
VOICES = ("slt", "rms")
#: Sample value below which flite's sound is silence.
_QUIET = 200


@lru_cache(maxsize=256)
def say(text: str, voice: str = "slt") -> NDArray[np.int16]:
    """A text as 16 kHz mono, without the silence that flite puts before and after it; read-only, since it is shared.

    Raises:
        RuntimeError: flite is not installed.
    """
    if shutil.which("flite") is None:
        raise RuntimeError("flite is missing; the tests of speech need it. Debian, Ubuntu: sudo apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
            said = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    loud = np.flatnonzero(np.abs(said.astype(np.int32)) > _QUIET)
    said = said[loud[0] : loud[-1] + 1]
    said.flags.writeable = False
    return said


def placed(parts: Sequence[tuple[float, NDArray[np.int16]]], seconds: float, *, hiss: int = 3) -> NDArray[np.int16]:
    """Sounds at their seconds in one of a length, on the faint hiss (its standard deviation) of every microphone."""
    noise = np.random.default_rng(7).normal(0, hiss, round(seconds * RATE)) if hiss else np.zeros(round(seconds * RATE))
    for start, sound in parts:
        first = round(start * RATE)
        noise[first : first + len(sound)] += sound
    return np.clip(np.rint(noise), -32768, 32767).astype(np.int16)


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words that were left out, put in or taken for others: Levenshtein's distance over words."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, row = row, [number]
        for place, other in enumerate(heard, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (word != other)))
    return row[-1]


def words_of(text: str) -> list[str]:
    """The words of a text as engines are compared by: small letters, nothing but letters, digits and apostrophes."""
    kept = "".join(letter if letter.isalnum() or letter == "'" else " " for letter in text.lower())
    return kept.split()
