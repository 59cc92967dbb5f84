"""Turns: utterances of two sides, in time, to conversations that begin with the user, alternate, and end with the
assistant; each utterance is part of one turn, or left out with its reason."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mm2energon.speech.backchannels import signs_of_listening
from mm2energon.speech.overlaps import Overlap, in_reading_order
from mm2energon.speech.scripts import count_words, joint
from mm2energon.speech.utterances import LeftOut, Side, Utterance

#: Who speaks -> on which side.
Sides = Callable[[str], Side]
#: How many tokens turns have.
TokenCount = Callable[["Sequence[SpokenTurn]"], int]


@dataclass(frozen=True, slots=True)
class TurnRules:
    """How utterances become turns and conversations; times in seconds."""

    #: A pause of one speaker below which the turn goes on.
    turn_gap: float = 3.0
    #: What becomes of an utterance that begins while the other side speaks.
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
        pieces: list[str] = []
        before: Utterance | None = None
        for one in self.utterances:
            is_new = named and (before is None or before.speaker != one.speaker)
            if before is not None:
                pieces.append("\n" if is_new else joint(before.text, one.text))
            pieces.append(f"{one.speaker}: {one.text}" if is_new else one.text)
            before = one
        return "".join(pieces)


#: A question with its answer.
Pair = tuple[SpokenTurn, SpokenTurn]


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
    tokens: TokenCount | None = None,
    unfit: Mapping[Utterance, LeftOut] = MappingProxyType({}),
) -> Built:
    """The conversations of a recording, in time.

    Args:
        tokens: how many tokens turns have, for `max_tokens`.
        unfit: utterances that were said, and are left out for what they say: what answers them answers nothing else.
    """
    built = Built()
    # Of two who begin at once it is the question that is read first: an answer before it would answer nothing.
    in_time = sorted(
        utterances, key=lambda one: (one.start, sides(one.speaker) != "user", one.end, one.speaker, one.text)
    )
    for block in _blocks(in_time, rules.conversation_gap):
        kept = _without_backchannels(block, rules, sides, built) if rules.drops_backchannels else block
        said = _turns(_ordered(kept, rules, sides, built), rules, sides)
        turns = [turn for turn in _without(unfit, said, built) if _is_long(turn, rules, built)]
        built.conversations += _cut_to_size(_alternating(turns, built), rules, tokens, built)
    return built


def _blocks(in_time: Iterable[Utterance], gap: float) -> Iterator[list[Utterance]]:
    """The utterances, apart where nobody speaks for long."""
    block: list[Utterance] = []
    end = 0.0
    for one in in_time:
        if block and one.start - end >= gap:
            yield block
            block = []
        end = one.end if not block else max(end, one.end)
        block.append(one)
    if block:
        yield block


def _without_backchannels(block: Sequence[Utterance], rules: TurnRules, sides: Sides, built: Built) -> list[Utterance]:
    signs = signs_of_listening(block, [sides(one.speaker) for one in block], pause=rules.turn_gap)
    dropped = [one for one, is_sign in zip(block, signs, strict=True) if is_sign]
    built.leave_out(dropped, "backchannel", "a sign of listening while the other side has the floor")
    return [one for one, is_sign in zip(block, signs, strict=True) if not is_sign]


def _ordered(block: Sequence[Utterance], rules: TurnRules, sides: Sides, built: Built) -> list[Utterance]:
    on_sides = [sides(one.speaker) for one in block]
    order, dropped = in_reading_order(block, on_sides, rules.overlap, pause=rules.turn_gap)
    message = "it begins while the other side speaks; --overlap drop leaves it out; interleave or hold keeps it"
    built.leave_out(dropped, "overlap", message)
    return order


def _turns(ordered: Sequence[Utterance], rules: TurnRules, sides: Sides) -> Iterator[SpokenTurn]:
    """What a side says in a row, apart where it pauses."""
    group: list[Utterance] = []
    group_side: Side = "user"
    end = 0.0
    for one in ordered:
        side = sides(one.speaker)
        if group and (side != group_side or one.start - end >= rules.turn_gap):
            yield SpokenTurn(group_side, tuple(group))
            group = []
        end = max(end, one.end) if group else one.end
        group_side = side
        group.append(one)
    if group:
        yield SpokenTurn(group_side, tuple(group))


def _without(unfit: Mapping[Utterance, LeftOut], turns: Iterable[SpokenTurn], built: Built) -> Iterator[SpokenTurn]:
    """Turns without what is unfit; those before and after one of which nothing stays are not joined."""
    for turn in turns:
        built.left_out += [unfit[one] for one in turn.utterances if one in unfit]
        if fit := tuple(one for one in turn.utterances if one not in unfit):
            yield SpokenTurn(turn.side, fit)


def _is_long(turn: SpokenTurn, rules: TurnRules, built: Built) -> bool:
    words = count_words(turn.text())
    if words >= rules.min_words:
        return True
    built.leave_out(turn.utterances, "too-short", f"its turn has {words} words; --min-words {rules.min_words}")
    return False


def _alternating(turns: Iterable[SpokenTurn], built: Built) -> list[Pair]:
    """Questions with their answers; what has none, or answers none, is left out."""
    pairs: list[Pair] = []
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
    pairs: Sequence[Pair], rules: TurnRules, tokens: TokenCount | None, built: Built
) -> Iterator[Conversation]:
    """Conversations of as many pairs as fit; a pair that does not fit by itself is left out."""
    first = 0
    while first < len(pairs):
        last = _reach(pairs, first, lambda some: _too_large(some, rules, tokens) is None)
        if last > first:
            yield Conversation(tuple(turn for pair in pairs[first:last] for turn in pair))
            first = last
            continue
        code, message = _too_large(pairs[first : first + 1], rules, tokens) or ("too-long", "")
        built.leave_out((one for turn in pairs[first] for one in turn.utterances), code, message)
        first += 1


def _reach(pairs: Sequence[Pair], first: int, fits: Callable[[Sequence[Pair]], bool]) -> int:
    """Behind the last pair that fits together with all from the first one on.

    More pairs never take less: what is tried doubles, then the edge is searched between the last two, so that the
    cost of looking at the turns does not grow by the square of their number.
    """
    good, step = first, 1
    while good < len(pairs) and fits(pairs[first : min(first + step, len(pairs))]):
        good, step = min(first + step, len(pairs)), 2 * step
    beyond = min(first + step, len(pairs))
    found = bisect_left(range(good + 1, beyond), True, key=lambda last: not fits(pairs[first:last]))
    return good + found if good < len(pairs) else good


def _too_large(pairs: Sequence[Pair], rules: TurnRules, tokens: TokenCount | None) -> tuple[str, str] | None:
    """Reason and message, where pairs do not fit one conversation."""
    if rules.max_seconds is not None:
        turns = [turn for pair in pairs for turn in pair]
        seconds = max(turn.end for turn in turns) - min(turn.start for turn in turns)
        if seconds > rules.max_seconds:
            return "too-long", f"its question and answer take {seconds:.1f} s; --max-seconds {rules.max_seconds:g}"
    if rules.max_tokens is not None and tokens is not None:
        count = tokens([turn for pair in pairs for turn in pair])
        if count > rules.max_tokens:
            return (
                "too-many-tokens",
                f"its question and answer have {count} tokens; --max-tokens {rules.max_tokens}",
            )
    return None
