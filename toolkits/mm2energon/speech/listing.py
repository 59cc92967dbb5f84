"""What `--list-tracks` shows: the audio tracks of a recording, with how loud each is."""

from __future__ import annotations

from pathlib import Path

from mm2energon.speech.bleed import level_db
from mm2energon.speech.sound import decoded
from mm2energon.speech.tracks import Track, open_recording, tracks_of
from mm2energon.speech.utterances import Voice

_HEAD = ("track", "stream", "codec", "channels", "rate", "language", "start", "seconds", "loudness", "title")


def list_tracks(path: Path) -> list[str]:
    """The lines of a table, a track each.

    Raises:
        MediaError: the recording cannot be read.
    """
    with open_recording(path) as container:
        tracks = tracks_of(container)
    if not tracks:
        return [f"{path}: no audio track"]
    playable = [track for track in tracks if track.codec]
    voices = [Voice(str(track.index), "user", str(track.index)) for track in playable]
    with decoded(path, voices) as recorded:
        levels = {name: level_db(sound) for name, sound in recorded.sounds.items()}
        lengths = {name: sound.seconds for name, sound in recorded.sounds.items()}
    rows = [_HEAD, *(_row(track, levels.get(str(track.index)), lengths.get(str(track.index))) for track in tracks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [f"{path}", *(f"  {line}" for line in lines)]


def _row(track: Track, level: float | None, seconds: float | None) -> tuple[str, ...]:
    loudness = "no decoder" if level is None else "silent" if level == float("-inf") else f"{level:.1f} dBFS"
    return (
        str(track.index),
        str(track.stream),
        track.codec or "?",
        str(track.channels or "?"),
        f"{track.rate} Hz" if track.rate else "?",
        track.language or "-",
        "-" if track.start is None else f"{track.start:.3f} s",
        "-" if seconds is None else f"{seconds:.1f}",
        loudness,
        track.title or "-",
    )
