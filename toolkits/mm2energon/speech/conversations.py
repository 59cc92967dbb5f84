"""Conversations as entries: ChatML messages, with times and confidences beside them.

{"id": "talk-0001", "messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}],
 "extra": {"recording": "talk.mp4", "start": 0.5, "end": 3.2, "language": "en",
           "turns": [{"start": 0.5, "end": 1.1, "confidence": 0.93}, {"start": 1.6, "end": 3.2, "confidence": 0.9}]}}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mm2energon.sample import Sample, Turn
from mm2energon.speech.turns import Conversation, SpokenTurn
from mm2energon.tokens import MODELS
from mm2energon.tokens.text import text_tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Speakers who need no name: their side is theirs alone.
_SIDES = frozenset({"user", "assistant"})
#: Whose template a conversation is counted in.
_MODEL = "qwen2.5-vl"


def sample_of(
    conversation: Conversation, *, name: str, recording: str, language: str | None, system: str | None
) -> Sample:
    """A conversation as a Sample without media.

    Args:
        name: its id.
        recording: what the recording is called.
        system: a system turn that comes first.
    """
    about: dict[str, Any] = {
        "recording": recording,
        "start": round(conversation.start, 3),
        "end": round(conversation.end, 3),
    }
    if language is not None:
        about["language"] = language
    about["turns"] = [_about(turn) for turn in conversation.turns]
    return Sample(turns=spoken(conversation.turns, system), id=name, extra={"extra": about})


def _about(turn: SpokenTurn) -> dict[str, Any]:
    about: dict[str, Any] = {"start": round(turn.start, 3), "end": round(turn.end, 3)}
    about["confidence"] = round(turn.confidence, 3)
    return about


def spoken(turns: Sequence[SpokenTurn], system: str | None) -> tuple[Turn, ...]:
    """Turns as they are trained on; where several speak on one side, their words begin with their names."""
    first = [] if system is None else [Turn("system", system)]
    named = {one.speaker for turn in turns for one in turn.utterances} - _SIDES
    sides = {turn.side for turn in turns if any(one.speaker in named for one in turn.utterances)}
    return (*first, *(Turn(turn.side, turn.text(named=turn.side in sides)) for turn in turns))


def token_counter(system: str | None, tokenizer: Tokenizer | None) -> Callable[[Sequence[SpokenTurn]], int]:
    """What counts the tokens that turns have in training, in Qwen's template; an estimate without a tokenizer."""

    def count(turns: Sequence[SpokenTurn]) -> int:
        return text_tokens(spoken(turns, system), MODELS[_MODEL].template, tokenizer)

    return count
