"""What `--list-tracks` shows: the audio tracks of a recording, with how loud each is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mm2energon.speech.bleed import level_db
from mm2energon.speech.sound import Sound, decoded
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
    # Each channel by itself: a speaker may have one; and mixed, they may put each other out.
    voices = {track.index: _channels(track) for track in tracks if track.codec}
    with decoded(path, [voice for ones in voices.values() for voice in ones]) as recorded:
        sounds = {index: [recorded.sounds[one.name] for one in ones] for index, ones in voices.items()}
        rows = [_HEAD, *(_row(track, sounds.get(track.index, [])) for track in tracks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [f"{path}", *(f"  {line}" for line in lines)]


def _channels(track: Track) -> list[Voice]:
    numbers = range(track.channels) or [None]  # None: how many there are is not known before they are read
    return [Voice(f"{track.index}/{number}", "user", str(track.index), number) for number in numbers]


def _row(track: Track, channels: Sequence[Sound]) -> tuple[str, ...]:
    loudness = ", ".join(map(_loudness, channels)) or "no decoder"
    return (
        str(track.index),
        str(track.stream),
        track.codec or "?",
        str(track.channels or "?"),
        f"{track.rate} Hz" if track.rate else "?",
        track.language or "-",
        "-" if track.start is None else f"{track.start:.3f} s",
        f"{channels[0].seconds:.1f}" if channels else "-",
        loudness,
        track.title or "-",
    )


def _loudness(sound: Sound) -> str:
    level = level_db(sound)
    return "silent" if level == float("-inf") else f"{level:.1f} dBFS"
