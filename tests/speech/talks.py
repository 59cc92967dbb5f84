"""Recordings by construction: bursts of noise, or speech, at known times, muxed by ffmpeg as a recorder would."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from media import ffmpeg

RATE = 16_000


@dataclass(frozen=True)
class Told:
    """One audio track of a recording."""

    #: int16, 16 kHz; (samples,) or (samples, channels).
    samples: Any
    #: Seconds after the recording's start at which it begins.
    offset: float = 0.0
    language: str = ""
    title: str = ""


def bursts(times: Sequence[float], seconds: float, *, length: float = 0.2, seed: int = 0, level: float = 0.3) -> Any:
    """Silence, with noise from each of the times on: int16."""
    noise = np.random.default_rng(seed)
    samples = np.zeros(round(seconds * RATE))
    for time in times:
        first = round(time * RATE)
        samples[first : first + round(length * RATE)] = noise.uniform(-level, level, round(length * RATE))
    return np.rint(samples * 32767).astype(np.int16)


def starts(samples: Any, *, above: float = 0.02, apart: float = 0.1) -> list[float]:
    """When each burst begins, in seconds."""
    loud = np.flatnonzero(np.abs(np.asarray(samples, float)) > above * 32767)
    first = [n for n, at in enumerate(loud) if n == 0 or at - loud[n - 1] > apart * RATE]
    return [round(float(loud[n]) / RATE, 4) for n in first]


def write_wav(path: Path, samples: Any, *, rate: int = RATE) -> Path:
    """PCM, 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(samples).tobytes())
    return path


def write_talk(
    path: Path, *tracks: Told, seconds: float | None = None, codec: str = "", video: bool = True, options: Any = ()
) -> Path:
    """A recording of these tracks, with a small picture that changes ten times a second.

    Args:
        seconds: of the picture; None: as long as the longest track.
        codec: of the sound; empty: what goes with the container.
        options: of ffmpeg's output.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = codec or {".mkv": "aac", ".mka": "libopus", ".avi": "mp2", ".wav": "pcm_s16le", ".ts": "mp2"}.get(
        path.suffix, "aac"
    )
    longest = max((track.offset + len(track.samples) / RATE for track in tracks), default=1.0)
    length = longest if seconds is None else seconds
    words: list[object] = ["-f", "lavfi", "-i", f"testsrc=size=128x96:rate=10:duration={length}"] if video else []
    maps: list[object] = ["-map", "0:v"] if video else []
    for number, track in enumerate(tracks):
        source = write_wav(path.with_name(f".{path.name}.{number}.wav"), track.samples)
        words += ["-itsoffset", track.offset, "-i", source]
        maps += ["-map", f"{number + video}:a"]
        if track.language:
            maps += [f"-metadata:s:a:{number}", f"language={track.language}"]
        if track.title:
            maps += [
                f"-metadata:s:a:{number}",
                f"title={track.title}",
                f"-metadata:s:a:{number}",
                f"handler_name={track.title}",
            ]
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "20"] if video else []
    ffmpeg(*words, *maps, *encoder, "-c:a", codec, *options, path)
    for number in range(len(tracks)):
        path.with_name(f".{path.name}.{number}.wav").unlink()
    return path
