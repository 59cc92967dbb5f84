"""Transcripts: what was said as SRT, WebVTT or JSON, written beside the data, and read instead of recognising.

JSON is as Whisper writes it (https://github.com/openai/whisper/blob/main/whisper/utils.py), so that what reads that
reads ours, which says the speaker of each segment besides:

    {"language": "en",
     "segments": [{"start": 0.5, "end": 2.1, "text": "Hello.", "speaker": "user", "confidence": 0.93}]}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, MediaError, missing_extra
from mm2energon.jsonio import dumps, loads
from mm2energon.speech.utterances import Utterance, Word

#: Endings of transcripts that are read.
ENDINGS = (".srt", ".vtt", ".json")


def write_srt(utterances: Iterable[Utterance]) -> bytes:
    """SubRip, each line with its speaker."""
    return _subtitles(utterances, "srt", lambda one: f"{one.speaker}: {one.text}")


def write_vtt(utterances: Iterable[Utterance]) -> bytes:
    """WebVTT, each cue with its voice (https://www.w3.org/TR/webvtt1/)."""
    blocks = ["WEBVTT"]
    for one in utterances:
        text = one.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(one.start)} --> {_clock(max(one.end, one.start + 0.001))}\n<v {one.speaker}>{text}")
    return ("\n\n".join(blocks) + "\n").encode()


def write_json(utterances: Iterable[Utterance], *, about: Mapping[str, Any]) -> bytes:
    """JSON as Whisper's, with words where the engine gave them."""
    segments = [segment(one, words=True) for one in utterances]
    text = " ".join(str(one["text"]) for one in segments)
    return dumps({**about, "text": text, "segments": segments})


def segment(one: Utterance, *, words: bool = False) -> dict[str, Any]:
    """An utterance as an object; seconds to the millisecond."""
    about: dict[str, Any] = {
        "speaker": one.speaker,
        "start": round(one.start, 3),
        "end": round(one.end, 3),
        "text": one.text,
        "confidence": round(one.confidence, 3),
    }
    if words and one.words:
        about["words"] = [
            {
                "word": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "probability": round(word.confidence, 3),
            }
            for word in one.words
        ]
    return about


def _subtitles(utterances: Iterable[Utterance], kind: str, text: Callable[[Utterance], str]) -> bytes:
    blocks = []
    for number, one in enumerate(utterances, 1):
        times = f"{_clock(one.start)} --> {_clock(max(one.end, one.start + 0.001))}".replace(".", ",")
        blocks.append(f"{number}\n{times}\n{text(one)}\n")
    return "\n".join(blocks).encode()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def read_transcript(path: Path, speaker: str) -> list[Utterance]:
    """What one speaker says, in time.

    Raises:
        MediaError: `bad-transcript`, it is no transcript.
        DependencyError: pysubs2 is missing, for SRT and WebVTT.
    """
    try:
        found = _from_json(path, speaker) if path.suffix.lower() == ".json" else _from_subtitles(path, speaker)
        return sorted((one for one in found if one.text), key=lambda one: (one.start, one.end))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise MediaError(
            f"{path}: cannot be read as a transcript ({type(error).__name__}: {error}); SRT, WebVTT or Whisper's JSON "
            "was expected; mend or replace it",
            "bad-transcript",
        ) from error


def _from_subtitles(path: Path, speaker: str) -> Iterator[Utterance]:
    try:
        import pysubs2
    except ImportError as error:
        raise missing_extra("pysubs2", "speech") from error
    text = path.read_bytes().decode("utf-8-sig")
    try:
        cues = pysubs2.SSAFile.from_string(text, format_=path.suffix.lower().removeprefix("."))
    except pysubs2.exceptions.Pysubs2Error as error:
        raise ValueError(str(error)) from error
    if not len(cues) and text.strip().removeprefix("WEBVTT"):
        raise ValueError("no cue with times in it")
    for cue in cues:
        words = " ".join(cue.plaintext.split()).removeprefix(f"{speaker}: ")
        yield Utterance(speaker, cue.start / 1000, cue.end / 1000, words, 1.0)


def _from_json(path: Path, speaker: str) -> Iterator[Utterance]:
    value = loads(path.read_bytes())
    segments: Sequence[Any] = value["segments"] if isinstance(value, dict) else value
    for one in segments:
        if one.get("speaker") in (None, speaker):
            start, end = float(one["start"]), float(one["end"])
            if not (math.isfinite(start) and math.isfinite(end)):
                raise ValueError(f"a time is {start} to {end}")
            words = tuple(_word(word) for word in one.get("words") or () if "start" in word)
            yield Utterance(speaker, start, max(start, end), str(one["text"]).strip(), _confidence(one, words), words)


def _word(word: Mapping[str, Any]) -> Word:
    score = float(word.get("probability", word.get("score", 1.0)))
    return Word(str(word["word"]), float(word["start"]), float(word["end"]), score)


def _confidence(one: Mapping[str, Any], words: Sequence[Word]) -> float:
    if "confidence" in one:
        return float(one["confidence"])
    if words:
        return sum(word.confidence for word in words) / len(words)
    return math.exp(float(one["avg_logprob"])) if "avg_logprob" in one else 1.0


def find_transcript(recording: Path, speaker: str, given: Mapping[str, Path]) -> Path:
    """The transcript of a speaker: the one that is given, else `RECORDING.SPEAKER.srt` (.vtt, .json) beside it.

    Raises:
        InputError: there is none.
    """
    if speaker in given:
        return given[speaker]
    names = [recording.with_name(f"{recording.stem}.{speaker}{ending}") for ending in ENDINGS]
    for path in names:
        if path.is_file():
            return path
    raise InputError(
        f"{recording}: no transcript of {speaker!r}; {names[0].name} (.vtt, .json) beside it was expected, or "
        f"--transcript {speaker}=FILE"
    )
