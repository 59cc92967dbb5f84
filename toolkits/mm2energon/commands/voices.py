"""Voices: which speaker is on which track, as the options of `transcribe` say it."""

from __future__ import annotations

import argparse

from mm2energon.errors import InputError
from mm2energon.speech.utterances import Side, Voice

_CHANNELS = {"left": 0, "right": 1}


def voices(arguments: argparse.Namespace) -> tuple[Voice, ...]:
    """The speakers that the options name.

    Raises:
        InputError: there is none on one side, or two of one name.
    """
    if arguments.track:
        others = ("user_track", "assistant_track", "user_channel", "assistant_channel")
        if any(getattr(arguments, name) is not None for name in others):
            raise InputError("--track: names all speakers; leave --user-track, --assistant-track and channels out")
        found = tuple(map(_voice, arguments.track))
    else:
        found = _two_voices(arguments)
    names = [voice.name for voice in found]
    if len(set(names)) < len(names):
        raise InputError(f"--track: {names}; each speaker once was expected; give each a name of its own")
    if {voice.side for voice in found} != {"user", "assistant"}:
        raise InputError("--track: a speaker on each side was expected, such as --track user=0 --track assistant=1")
    return found


def _two_voices(arguments: argparse.Namespace) -> tuple[Voice, ...]:
    given = {side: getattr(arguments, f"{side}_channel") for side in ("user", "assistant")}
    channels = {side: None if text is None else _channel(text) for side, text in given.items()}
    user, assistant = channels["user"], channels["assistant"]
    if user is not None and assistant is None and arguments.assistant_track is None:
        assistant = 1 - user if user < 2 else None  # of one stereo track, the assistant has the other channel
    if assistant is not None and user is None and arguments.user_track is None:
        user = 1 - assistant if assistant < 2 else None
    one_track = user is not None and assistant is not None
    first = arguments.user_track or (arguments.assistant_track if one_track and arguments.assistant_track else "0")
    second = arguments.assistant_track or (first if one_track else "1")
    return (Voice("user", "user", first, user), Voice("assistant", "assistant", second, assistant))


def _channel(text: str) -> int:
    if text.casefold() in _CHANNELS:
        return _CHANNELS[text.casefold()]
    if text.isdecimal():
        return int(text)
    raise InputError(f"channel {text!r}: left, right, or a number from 0 was expected")


def _voice(text: str) -> Voice:
    who, equals, where = text.partition("=")
    name, _, side = who.partition(":")
    side = side or ("assistant" if name == "assistant" else "user")
    if not (name and equals and where) or side not in ("user", "assistant"):
        raise InputError(
            f"--track {text}: NAME=TRACK or NAME:SIDE=TRACK was expected, SIDE user or assistant, such as "
            "--track user=0 --track Anna:assistant=1"
        )
    track, slash, channel = where.rpartition("/")
    if not slash:
        track, channel = where, ""
    sides: dict[str, Side] = {"user": "user", "assistant": "assistant"}
    return Voice(name, sides[side], track, _channel(channel) if channel else None)
