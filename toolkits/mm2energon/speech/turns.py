"""Turns: utterances of two sides, in time, to conversations that begin with the user, alternate, and end with the
assistant; each utterance is part of one turn, or left out with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mm2energon.speech.backchannels import is_backchannel
from mm2energon.speech.utterances import LeftOut, Side, Utterance

Overlap = Literal["interleave", "hold", "drop"]
#: Who speaks -> on which side.
Sides = Callable[[str], Side]

#: Seconds by which the end of one and the begin of the other may lie over each other without being an interruption:
#: the ends of speech are known no better.
_TOUCH = 0.15


@dataclass(frozen=True, slots=True)
class TurnRules:
    """How utterances become turns and conversations; times in seconds."""

    #: A pause of one speaker below which the turn goes on.
    turn_gap: float = 3.0
    #: What becomes of an utterance that begins while the other side speaks: `interleave`, its place is where it begins;
    #: `hold`, after what the other side says; `drop`, none.
    overlap: Overlap = "interleave"
    #: "mhm" and its like, while the other side speaks, are left out.
    drops_backchannels: bool = True
    #: A silence of all that ends a conversation.
    conversation_gap: float = 30.0
    max_seconds: float | None = None
    max_tokens: int | None = None
    #: Words that a turn must have.
    min_words: int = 1


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """What one side says until the other does."""

    side: Side
    utterances: tuple[Utterance, ...]

    @property
    def start(self) -> float:
        """When it begins, in seconds."""
        return min(one.start for one in self.utterances)

    @property
    def end(self) -> float:
        """When it ends."""
        return max(one.end for one in self.utterances)

    @property
    def confidence(self) -> float:
        """The mean of its utterances, by their length."""
        lengths = [max(0.01, one.end - one.start) for one in self.utterances]
        pairs = zip(self.utterances, lengths, strict=True)
        return sum(one.confidence * length for one, length in pairs) / sum(lengths)

    def text(self, *, named: bool = False) -> str:
        """What is said.

        Args:
            named: each speaker's words begin with the name, where several are on one side.
        """
        text = ""
        for number, one in enumerate(self.utterances):
            is_new = named and (number == 0 or self.utterances[number - 1].speaker != one.speaker)
            words = f"{one.speaker}: {one.text}" if is_new else one.text
            text = words if not text else text + ("\n" if is_new else joint(text, words)) + words
        return text


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of user and assistant in alternation."""

    turns: tuple[SpokenTurn, ...]

    @property
    def start(self) -> float:
        """When its first turn begins, in seconds."""
        return min(turn.start for turn in self.turns)

    @property
    def end(self) -> float:
        """When its last turn ends."""
        return max(turn.end for turn in self.turns)


@dataclass
class Built:
    """What came of the utterances of a recording."""

    conversations: list[Conversation] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def leave_out(self, utterances: Iterable[Utterance], code: str, message: str) -> None:
        """Note that utterances become no part of a conversation."""
        self.left_out += [LeftOut(one, code, message) for one in utterances]


def build(
    utterances: Iterable[Utterance],
    rules: TurnRules,
    sides: Sides,
    *,
    tokens: Callable[[Sequence[SpokenTurn]], int] | None = None,
) -> Built:
    """The conversations of a recording, in time.

    Args:
        tokens: how many tokens turns have, for `max_tokens`.
    """
    built = Built()
    for block in _blocks(utterances, rules.conversation_gap):
        kept = _without_backchannels(block, rules, sides, built) if rules.drops_backchannels else block
        ordered = _ordered(kept, rules, sides, built)
        turns = [turn for turn in _turns(ordered, rules, sides) if _is_long_enough(turn, rules, built)]
        pairs = _alternating(turns, built)
        built.conversations += _cut_to_size(pairs, rules, tokens, built)
    return built


def joint(before: str, after: str) -> str:
    """What stands between two texts of one turn: nothing where a script has no spaces."""
    return "" if _has_no_spaces(before[-1:]) or _has_no_spaces(after[:1]) else " "


def _has_no_spaces(character: str) -> bool:
    # Kana, Han, and the punctuation of both; Thai, Lao, Khmer and Burmese.
    return any(first <= character <= last for first, last in _NO_SPACES)


#: First and last character of scripts that do without spaces.
_NO_SPACES = (
    *(("\u0e00", "\u0eff"), ("\u1000", "\u109f"), ("\u1780", "\u17ff")),
    *(("\u3000", "\u30ff"), ("\u3400", "\u4dbf"), ("\u4e00", "\u9fff"), ("\uf900", "\ufaff"), ("\uff00", "\uffef")),
)


def _blocks(utterances: Iterable[Utterance], gap: float) -> Iterator[list[Utterance]]:
    """The utterances in time, apart where nobody speaks for long."""
    block: list[Utterance] = []
    end = 0.0
    for one in sorted(utterances, key=lambda one: (one.start, one.end, one.speaker)):
        if block and one.start - end >= gap:
            yield block
            block = []
        end = one.end if not block else max(end, one.end)
        block.append(one)
    if block:
        yield block


def _without_backchannels(block: Sequence[Utterance], rules: TurnRules, sides: Sides, built: Built) -> list[Utterance]:
    by_side: dict[Side, list[Utterance]] = {"user": [], "assistant": []}
    for one in block:
        by_side[sides(one.speaker)].append(one)
    others = {"user": by_side["assistant"], "assistant": by_side["user"]}
    kept = []
    for one in block:
        if is_backchannel(one, others[sides(one.speaker)], pause=rules.turn_gap):
            built.leave_out([one], "backchannel", "a sign of listening while the other side has the floor")
        else:
            kept.append(one)
    return kept


def _ordered(block: Sequence[Utterance], rules: TurnRules, sides: Sides, built: Built) -> list[Utterance]:
    """The utterances in the order in which they are read; who speaks first has the floor."""
    if rules.overlap == "interleave":
        return list(block)
    order: list[Utterance] = []
    held: list[Utterance] = []
    floor: Side | None = None
    floor_end = 0.0
    for one in block:
        side = sides(one.speaker)
        interrupts = floor is not None and side != floor and one.start < floor_end - _TOUCH
        if interrupts and rules.overlap == "drop":
            built.leave_out([one], "overlap", "it begins while the other side speaks; --overlap drop leaves it out")
            continue
        if interrupts:
            held.append(one)
            continue
        if held and (side != floor or one.start >= max(other.end for other in held) - _TOUCH):
            order += held  # they were heard out before this one began
            held = []
        floor_end = one.end if side != floor else max(floor_end, one.end)
        floor = side
        order.append(one)
    return order + held


def _turns(ordered: Sequence[Utterance], rules: TurnRules, sides: Sides) -> Iterator[SpokenTurn]:
    """What a side says in a row, apart where it pauses."""
    group: list[Utterance] = []
    for one in ordered:
        side = sides(one.speaker)
        if group and (
            sides(group[-1].speaker) != side or one.start - max(other.end for other in group) >= rules.turn_gap
        ):
            yield SpokenTurn(sides(group[0].speaker), tuple(group))
            group = []
        group.append(one)
    if group:
        yield SpokenTurn(sides(group[0].speaker), tuple(group))


def _is_long_enough(turn: SpokenTurn, rules: TurnRules, built: Built) -> bool:
    words = count_words(turn.text())
    if words >= rules.min_words:
        return True
    built.leave_out(turn.utterances, "too-short", f"its turn has {words} words; --min-words {rules.min_words}")
    return False


def count_words(text: str) -> int:
    """Words of a text; of a script without spaces each character is one."""
    return sum(1 + sum(map(_has_no_spaces, word[1:])) for word in text.split())


def _alternating(turns: Iterable[SpokenTurn], built: Built) -> list[tuple[SpokenTurn, SpokenTurn]]:
    """Questions with their answers; what has none, or answers none, is left out."""
    pairs: list[tuple[SpokenTurn, SpokenTurn]] = []
    asked: SpokenTurn | None = None
    for turn in turns:
        if turn.side == "user":
            if asked is not None:
                built.leave_out(asked.utterances, "unanswered", _UNANSWERED)
            asked = turn
        elif asked is None:
            built.leave_out(turn.utterances, "unprompted", _UNPROMPTED)
        else:
            pairs.append((asked, turn))
            asked = None
    if asked is not None:
        built.leave_out(asked.utterances, "unanswered", _UNANSWERED)
    return pairs


_UNANSWERED = (
    "no turn of the assistant follows; a larger --turn-gap joins it with the user's next turn, if there is one"
)
_UNPROMPTED = "no turn of the user comes before it; a larger --turn-gap joins it with the assistant's turn before"


def _cut_to_size(
    pairs: Sequence[tuple[SpokenTurn, SpokenTurn]],
    rules: TurnRules,
    tokens: Callable[[Sequence[SpokenTurn]], int] | None,
    built: Built,
) -> Iterator[Conversation]:
    """Conversations of as many pairs as fit; a pair that does not fit by itself is left out."""
    turns: tuple[SpokenTurn, ...] = ()
    for pair in pairs:
        reason = _too_large(pair, rules, tokens)
        if reason is None and turns and _too_large((*turns, *pair), rules, tokens) is None:
            turns = (*turns, *pair)
            continue
        if turns:
            yield Conversation(turns)
        turns = () if reason else pair
        if reason:
            built.leave_out((one for turn in pair for one in turn.utterances), *reason)
    if turns:
        yield Conversation(turns)


def _too_large(
    turns: Sequence[SpokenTurn], rules: TurnRules, tokens: Callable[[Sequence[SpokenTurn]], int] | None
) -> tuple[str, str] | None:
    """Reason and message, where turns do not fit one conversation."""
    seconds = max(turn.end for turn in turns) - min(turn.start for turn in turns)
    if rules.max_seconds is not None and seconds > rules.max_seconds:
        return "too-long", f"its question and answer take {seconds:.1f} s; --max-seconds {rules.max_seconds:g}"
    if rules.max_tokens is not None and tokens is not None and (count := tokens(turns)) > rules.max_tokens:
        return "too-many-tokens", f"its question and answer have {count} tokens; --max-tokens {rules.max_tokens}"
    return None
