"""Languages: told once for a recording, not for each piece of it, in which a short answer may sound like any."""

from __future__ import annotations

from collections.abc import Mapping

#: Seconds and share of a voice's speech from which it has a language of its own, whatever the others speak.
_OWN_SECONDS = 10.0
_OWN_SHARE = 0.8


def choose_languages(found: Mapping[str, Mapping[str, float]]) -> tuple[str | None, dict[str, str | None]]:
    """The language of a recording, and that of each voice: the recording's, unless the voice clearly has another.

    Speakers mostly share a language, and Whisper writes down nonsense, or a translation, where it takes a voice for
    another one; an interpreter's two sides do not share it.

    Args:
        found: voice -> language -> seconds.
    """
    together: dict[str, float] = {}
    for seconds in found.values():
        for language, some in seconds.items():
            together[language] = together.get(language, 0.0) + some
    common = _most(together)
    return common, {voice: _own(seconds) or common for voice, seconds in found.items()}


def _own(seconds: Mapping[str, float]) -> str | None:
    most = _most(seconds)
    heard = sum(seconds.values())
    return most if most and heard >= _OWN_SECONDS and seconds[most] >= _OWN_SHARE * heard else None


def _most(seconds: Mapping[str, float]) -> str | None:
    """The language of most seconds; of equal ones the first by name, so that the order of voices decides nothing."""
    return min(seconds, key=lambda one: (-seconds[one], one), default=None)
