"""Conversations as entries: ChatML messages, with times and confidences beside them.

{"id": "talk-0001", "messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}],
 "extra": {"recording": "talk.mp4", "start": 0.5, "end": 3.2, "language": "en",
           "turns": [{"start": 0.5, "end": 1.1, "confidence": 0.93}, {"start": 1.6, "end": 3.2, "confidence": 0.9}]}}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mm2energon.sample import Sample, Turn
from mm2energon.speech.turns import Conversation, SpokenTurn
from mm2energon.speech.utterances import Side, Voice
from mm2energon.tokens import MODELS
from mm2energon.tokens.text import text_tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Whose template a conversation is counted in.
_MODEL = "qwen2.5-vl"


def sample_of(
    conversation: Conversation,
    *,
    name: str,
    recording: str,
    language: str | None = None,
    system: str | None = None,
    named: Collection[Side] = (),
) -> Sample:
    """A conversation as a Sample without media.

    Args:
        name: its id.
        recording: what the recording is called.
        system: a system turn that comes first.
        named: sides of which `shared_sides` says that the words need their speaker's name.
    """
    about: dict[str, Any] = {
        "recording": recording,
        "start": round(conversation.start, 3),
        "end": round(conversation.end, 3),
    }
    if language is not None:
        about["language"] = language
    about["turns"] = [_about(turn) for turn in conversation.turns]
    return Sample(turns=spoken(conversation.turns, system, named), id=name, extra={"extra": about})


def _about(turn: SpokenTurn) -> dict[str, Any]:
    about: dict[str, Any] = {"start": round(turn.start, 3), "end": round(turn.end, 3)}
    about["confidence"] = round(turn.confidence, 3)
    return about


def shared_sides(voices: Iterable[Voice]) -> frozenset[Side]:
    """Sides on which several speak: only their names tell whose words are whose, in each conversation alike."""
    counts = Counter(voice.side for voice in voices)
    return frozenset(side for side, count in counts.items() if count > 1)


def spoken(turns: Sequence[SpokenTurn], system: str | None, named: Collection[Side]) -> tuple[Turn, ...]:
    """Turns as they are trained on; on the named sides, words begin with their speaker's name."""
    first = [] if system is None else [Turn("system", system)]
    return (*first, *(Turn(turn.side, turn.text(named=turn.side in named)) for turn in turns))


def token_counter(
    system: str | None, tokenizer: Tokenizer | None, named: Collection[Side] = ()
) -> Callable[[Sequence[SpokenTurn]], int]:
    """What counts the tokens that turns have in training, in Qwen's template; an estimate without a tokenizer."""

    def count(turns: Sequence[SpokenTurn]) -> int:
        return text_tokens(spoken(turns, system, named), MODELS[_MODEL].template, tokenizer)

    return count
