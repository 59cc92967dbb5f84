"""Speech: a recording of two tracks to words, with silence left out, and the straightforward way, all of it."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Unfit

RATE = 16_000
Work = Callable[[], dict[str, Any]]


def ours(*, talk: str) -> Work:
    """As `mm2energon transcribe`: decode once, find speech, recognise that."""
    _require("pocketsphinx")
    from mm2energon.speech import engines
    from mm2energon.speech.engines.settings import Settings
    from mm2energon.speech.engines.whispers import PAD
    from mm2energon.speech.engines.windows import windows
    from mm2energon.speech.recording import Hearing, transcript_of
    from mm2energon.speech.utterances import Voice

    settings = Settings("pocketsphinx", "base")
    engines.load(settings)
    voices = (Voice("user", "user", "0"), Voice("assistant", "assistant", "1"))

    def work() -> dict[str, Any]:
        heard = transcript_of(Path(talk), Hearing(voices, settings))
        spent = {f"{step}_seconds": seconds for step, seconds in heard.spent.items()}
        words = sum(len(one.text.split()) for one in heard.utterances)
        heard_together = sum(len(windows(_spans(heard, voice.name), pad=PAD)) for voice in voices)
        return {
            **spent,
            "words": words,
            "windows": heard_together,
            "speech_seconds": sum(heard.speech.values()),
            "seconds": heard.seconds,
        }

    return work


def _spans(heard: Any, speaker: str) -> list[Any]:
    """Where a speaker speaks, as a recording's transcript says it."""
    from mm2energon.speech.utterances import Span

    return [Span(one.start, one.end) for one in heard.utterances if one.speaker == speaker]


def whole(*, talk: str) -> Work:
    """Decode each track by itself from its beginning to its end, and recognise all of it."""
    _require("pocketsphinx")
    import av
    import numpy as np
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def work() -> dict[str, Any]:
        words, decode, recognise = 0, 0.0, 0.0
        for track in range(2):
            begun = time.perf_counter()
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            with av.open(talk) as container:
                parts = [part for frame in container.decode(audio=track) for part in resampler.resample(frame)]
            samples = np.concatenate([part.to_ndarray().reshape(-1) for part in parts])
            decode += time.perf_counter() - begun
            begun = time.perf_counter()
            decoder.start_utt()
            decoder.process_raw(samples.tobytes(), full_utt=True)
            decoder.end_utt()
            words += len(decoder.hyp().hypstr.split()) if decoder.hyp() else 0
            recognise += time.perf_counter() - begun
        return {"decode_seconds": decode, "recognize_seconds": recognise, "words": words}

    return work


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise Unfit(f"{module} is not installed")
