"""Talks: two voices in turn on two tracks, spoken by Debian's flite, with the silences that conversations have."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale import Scale

RATE = 16_000
VOICES = ("slt", "rms")
LINES = (
    "hello what can you tell me about the weather today",
    "the weather is sunny and warm with a light wind from the west",
    "what should i wear when i go for a walk in the park",
    "you should wear a light jacket and comfortable shoes",
    "how long does it take to walk around the lake",
    "it takes about two hours to walk around the lake",
    "can you give me the number of the train station",
    "the train station is open from six in the morning",
)
#: Seconds between two turns: from what is quick to what is thought over.
PAUSES = (0.3, 3.0)


def make(folder: Path, scale: Scale) -> None:
    """Write one recording, `talk.mka`: the sound of two tracks as it was spoken."""
    if shutil.which("flite") is None:
        raise RuntimeError("flite is missing, which speaks; Debian, Ubuntu: sudo apt-get install flite")
    seconds = round(scale.talk_minutes * 60)
    tracks = [np.zeros(seconds * RATE, np.int16) for _ in VOICES]
    said = {(line, voice): _say(line, voice) for line in LINES for voice in VOICES}
    source, at, number = random.Random(7), 0.5, 0
    while True:
        sound = said[LINES[number % len(LINES)], VOICES[number % 2]]
        first = round(at * RATE)
        if first + len(sound) > seconds * RATE:
            break
        tracks[number % 2][first : first + len(sound)] = sound
        at, number = at + len(sound) / RATE + source.uniform(*PAUSES), number + 1
    _write(folder / "talk.mka", tracks)


def _say(text: str, voice: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        with wave.open(str(path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def _write(path: Path, tracks: list[Any]) -> None:
    import av

    with av.open(str(path), "w") as out:
        streams = [out.add_stream("aac", rate=RATE, layout="mono") for _ in tracks]
        for first in range(0, len(tracks[0]), 1024):
            for stream, samples in zip(streams, tracks, strict=True):
                piece = np.ascontiguousarray(samples[first : first + 1024].reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE, first
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
