"""Transcripts: what was said as SRT, WebVTT or JSON, written beside the data, and read instead of recognising.

JSON is as Whisper writes it (https://github.com/openai/whisper/blob/main/whisper/utils.py), so that what reads that
reads ours, which says the speaker of each segment besides:

    {"language": "en",
     "segments": [{"start": 0.5, "end": 2.1, "text": "Hello.", "speaker": "user", "confidence": 0.93}]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, MediaError
from mm2energon.jsonio import dumps
from mm2energon.speech.scripts import joined
from mm2energon.speech.subtitles import Cue, read_srt, read_vtt
from mm2energon.speech.utterances import Utterance, Word

#: Endings of transcripts that are read.
ENDINGS = (".srt", ".vtt", ".json")


def write_json(utterances: Iterable[Utterance], *, about: Mapping[str, Any]) -> bytes:
    """JSON as Whisper's, with words where the engine gave them."""
    segments = [segment(one, words=True) for one in utterances]
    text = joined([str(one["text"]) for one in segments])
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


def read_transcript(path: Path, speaker: str, others: Collection[str] = ()) -> list[Utterance]:
    """What one speaker says, in time.

    Args:
        others: the other speakers of the recording, whose words the file may hold as well.

    Raises:
        MediaError: `bad-transcript`, it is no transcript, or not this speaker's.
    """
    try:
        said = _said_by(speaker, others, _read(path, [speaker, *others]))
        return sorted(said, key=lambda one: (one.start, one.end))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MediaError(
            f"{path}: cannot be read as the transcript of {speaker!r} ({type(error).__name__}: {error}); SRT, WebVTT "
            "or Whisper's JSON was expected; mend or replace it",
            "bad-transcript",
        ) from error


def _read(path: Path, names: Collection[str]) -> Iterable[tuple[Cue, Utterance]]:
    """The cues of a file, each with the utterance that it is, whoever says it."""
    text = _text(path.read_bytes())
    kind = path.suffix.lower()
    if kind == ".json":
        return _from_json(text)
    cues = read_vtt(text, names) if kind == ".vtt" or text.startswith("WEBVTT") else read_srt(text, names)
    return ((cue, _utterance(cue, 1.0)) for cue in cues)


def _text(data: bytes) -> str:
    """UTF-8, or UTF-16 by its mark, as Windows writes it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _said_by(speaker: str, others: Collection[str], found: Iterable[tuple[Cue, Utterance]]) -> Iterator[Utterance]:
    """The utterances of one speaker.

    A file that names nobody, or one person by whatever name, is this speaker's. A cue that names nobody is of whom the
    one before it named.
    """
    found = list(found)
    names = list(dict.fromkeys(cue.speaker for cue, _ in found if cue.speaker is not None))
    known = {speaker, *others}
    if len(names) > 1 and (strangers := [name for name in names if name not in known]) and speaker not in names:
        raise ValueError(f"it names the speakers {', '.join(strangers)}, and not {speaker}")
    only = len(names) == 1 and names[0] not in known
    who = names[0] if names else None
    for cue, said in found:
        who = cue.speaker or who
        if who is None or only or who == speaker:
            yield Utterance(speaker, said.start, said.end, said.text, said.confidence, said.words)


def _utterance(cue: Cue, confidence: float, words: tuple[Word, ...] = ()) -> Utterance:
    """A cue as an utterance; nothing is before the recording begins, or ends before it begins.

    Raises:
        ValueError: a time is no number.
    """
    if not (math.isfinite(cue.start) and math.isfinite(cue.end)):
        raise ValueError(f"{cue.text[:40]!r} has the times {cue.start} to {cue.end}; numbers were expected")
    start = max(0.0, cue.start)
    return Utterance(cue.speaker or "", start, max(start, cue.end), cue.text, confidence, words)


def _from_json(text: str) -> Iterator[tuple[Cue, Utterance]]:
    # Python's own reader: Whisper writes by it, and with it NaN for a score.
    for one in _segments(json.loads(text) if text.strip() else []):
        start, end = _times(one)
        said = joined(one["text"].splitlines())
        if said:
            words = tuple(_words(one.get("words") or ()))
            cue = Cue(start, end, said, one.get("speaker"))
            yield cue, _utterance(cue, _confidence(one, words), words)


def _segments(value: Any) -> Sequence[Mapping[str, Any]]:
    """The segments of Whisper and what writes alike, of a list of them, of transformers and of whisper.cpp."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("segments", "chunks", "transcription") if key in value), None)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError('no list of segments; {"segments": [{"start": ..., "end": ..., "text": ...}]} was expected')
    return value


def _times(one: Mapping[str, Any]) -> tuple[float, float]:
    if "offsets" in one:  # whisper.cpp, in milliseconds
        return one["offsets"]["from"] / 1000, one["offsets"]["to"] / 1000
    start, end = one["timestamp"] if "timestamp" in one else (one["start"], one["end"])
    return float(start), float(start if end is None else end)  # transformers does not know the end of a cut one


def _words(words: Iterable[Mapping[str, Any]]) -> Iterator[Word]:
    """The words that have times: whisperX has none for what it cannot align, such as digits."""
    for word in words:
        start, end = word.get("start"), word.get("end")
        if start is not None and end is not None and math.isfinite(start) and math.isfinite(end):
            score = _score(word.get("probability", word.get("score")))
            yield Word(str(word["word"]), float(start), float(end), 1.0 if score is None else score)


def _score(value: Any) -> float | None:
    """A score from 0 to 1; None where there is none."""
    return None if value is None or not math.isfinite(value) else min(1.0, max(0.0, float(value)))


def _confidence(one: Mapping[str, Any], words: Sequence[Word]) -> float:
    if (given := _score(one.get("confidence"))) is not None:
        return given
    if words:
        return sum(word.confidence for word in words) / len(words)
    # The mean logarithm of its tokens' probabilities, which is at most 0.
    logarithm = one.get("avg_logprob")
    return 1.0 if logarithm is None or not math.isfinite(logarithm) else math.exp(min(0.0, logarithm))


def require_meant(given: Mapping[str, Path], engine: str, names: Collection[str], recordings: int) -> None:
    """Refuse transcripts that would be read for what they are not, or not at all.

    Args:
        names: of the speakers.
        recordings: how many there are.

    Raises:
        InputError: they are.
    """
    if given and engine != "transcript":
        raise InputError(f"--transcript: --engine {engine} recognises what is said; --engine transcript reads instead")
    if unknown := [name for name in given if name not in names]:
        raise InputError(f"--transcript {unknown[0]}: no such speaker; one of {', '.join(names)} was expected")
    if given and recordings > 1:
        raise InputError(
            f"--transcript: is of one recording, but there are {recordings}; name the file of each "
            "RECORDING.SPEAKER.srt (.vtt, .json) beside it, or transcribe them one at a time"
        )


def find_transcript(recording: Path, speaker: str, given: Mapping[str, Path]) -> Path:
    """The transcript of a speaker: the one that is given, else `RECORDING.SPEAKER.srt` (.vtt, .json) beside it.

    Raises:
        MediaError: there is none.
    """
    if speaker in given:
        return given[speaker]
    names = [recording.with_name(f"{recording.stem}.{speaker}{ending}") for ending in ENDINGS]
    for path in names:
        if path.is_file():
            return path
    raise MediaError(
        f"{recording}: no transcript of {speaker!r}; {names[0].name} (.vtt, .json) beside it was expected, or "
        f"--transcript {speaker}=FILE",
        "bad-transcript",
    )
