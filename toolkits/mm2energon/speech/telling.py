"""What `--verbose` tells of a recording: its tracks, the steps with their times, and its turns."""

from __future__ import annotations

from mm2energon.speech.outcome import Told
from mm2energon.speech.recording import Transcript
from mm2energon.speech.turns import Conversation

#: Letters of a turn that a line shows.
_SHOWN = 72


def told_in_full(told: Told) -> list[str]:
    """Lines about a recording; the turns say nothing that the output does not."""
    heard, name = told.heard, told.recording.name
    if told.error is not None:
        return [f"{name}: failed ({told.error})"]
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in heard.spent.items())
    lines = [f"{name}: {heard.seconds:.1f} s, language {heard.language or 'unknown'}{steps and f'; {steps}'}"]
    lines += [f"  {_voice(heard, voice, track)}" for voice, track in heard.tracks.items()]
    for conversation, clip in zip(told.built.conversations, told.clips, strict=True):
        lines += [f"  {clip.name}: {conversation.start:.2f} - {conversation.end:.2f} s", *_turns(conversation)]
    return lines


def _voice(heard: Transcript, voice: str, track: str) -> str:
    said = sum(one.speaker == voice for one in heard.utterances)
    return f"{voice}: track {track or '-'}, {heard.speech.get(voice, 0.0):.1f} s of speech, {said} utterances"


def _turns(conversation: Conversation) -> list[str]:
    lines = []
    for turn in conversation.turns:
        text = " ".join(turn.text().split())
        short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
        lines.append(f"    {turn.start:9.2f} - {turn.end:9.2f}  {turn.side:9}  {turn.confidence:.2f}  {short}")
    return lines
