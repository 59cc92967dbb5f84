"""Turns: what two sides say becomes conversations that begin with the user, alternate, and lose nothing."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.errors import REASONS
from mm2energon.speech.turns import Built, TurnRules, build
from mm2energon.speech.utterances import LeftOut, Utterance

from speech.utterances import assistant, by, side_of, user

KEEP = TurnRules(drops_backchannels=False)
OVERLAPS = ["interleave", "hold", "drop"]


def built(*said: Utterance, rules: TurnRules = KEEP, **more: Any) -> Built:
    return build(said, rules, side_of, **more)  # type: ignore[arg-type]


def texts(result: Built) -> list[list[str]]:
    return [[f"{turn.side[0]}: {turn.text()}" for turn in one.turns] for one in result.conversations]


def left_out(result: Built) -> list[tuple[str, str]]:
    return [(one.utterance.text, one.code) for one in result.left_out]


def words_of(turns: Any) -> int:
    return sum(len(one.text.split()) for turn in turns for one in turn.utterances)


#: In tenths of a second, so that equal times, and lengths of nothing, are tried.
TENTHS = st.integers(0, 600).map(lambda tenths: tenths / 10)
WORDS = st.sampled_from(
    ["Is it so?", "It is.", "mhm", "yeah", "嗯", "好的", "why", "你好。", "one two three four", "..."]
)
UTTERANCES = st.lists(
    st.builds(
        lambda speaker, start, length, text: Utterance(speaker, start, start + length / 10, text, 0.5),
        st.sampled_from(["user", "assistant", "Anna"]),
        TENTHS,
        st.integers(0, 80),
        WORDS,
    ),
    max_size=25,
)
RULES = st.builds(
    TurnRules,
    turn_gap=st.sampled_from([0.0, 0.5, 3.0]),
    overlap=st.sampled_from(OVERLAPS),
    drops_backchannels=st.booleans(),
    conversation_gap=st.sampled_from([1.0, 5.0, 30.0]),
    max_seconds=st.sampled_from([None, 1.0, 10.0]),
    max_tokens=st.sampled_from([None, 3, 12]),
    min_words=st.sampled_from([1, 2]),
)


@given(UTTERANCES, RULES)
def test_every_utterance_is_in_one_turn_or_left_out_with_a_reason(said, rules):
    result = built(*said, rules=rules, tokens=words_of)
    kept = [one for talk in result.conversations for turn in talk.turns for one in turn.utterances]
    assert Counter(kept + [one.utterance for one in result.left_out]) == Counter(said)
    assert {one.code for one in result.left_out} <= REASONS.keys()
    assert all(one.message for one in result.left_out)


@given(UTTERANCES, RULES)
def test_a_conversation_begins_with_the_user_alternates_and_ends_with_the_assistant(said, rules):
    for talk in built(*said, rules=rules, tokens=words_of).conversations:
        sides = [turn.side for turn in talk.turns]
        assert sides == ["user", "assistant"] * (len(sides) // 2)
        assert sides
        for turn in talk.turns:
            assert {side_of(one.speaker) for one in turn.utterances} == {turn.side}


@given(UTTERANCES, RULES)
def test_no_conversation_is_larger_than_allowed_and_none_holds_a_silence_that_ends_it(said, rules):
    for talk in built(*said, rules=rules, tokens=words_of).conversations:
        assert rules.max_seconds is None or talk.end - talk.start <= rules.max_seconds
        assert rules.max_tokens is None or words_of(talk.turns) <= rules.max_tokens
        spans = sorted((one.start, one.end) for turn in talk.turns for one in turn.utterances)
        # Left-out speech is speech as well, also what began before: it may bridge what is a silence among the rest.
        every = sorted((one.start, one.end) for one in said if one.start <= talk.end)
        end = spans[0][1]
        for first, last in every:
            assert first - end < rules.conversation_gap or first < spans[0][0]
            end = max(end, last)


@given(UTTERANCES, RULES, st.randoms(use_true_random=False))
def test_the_order_in_which_utterances_are_given_does_not_matter(said, rules, chance):
    shuffled = list(said)
    chance.shuffle(shuffled)
    first, second = (built(*ones, rules=rules, tokens=words_of) for ones in (said, shuffled))
    assert first.conversations == second.conversations
    assert Counter(first.left_out) == Counter(second.left_out)


@given(UTTERANCES, RULES)
def test_a_pause_within_a_turn_is_below_the_gap(said, rules):
    for talk in built(*said, rules=rules, tokens=words_of).conversations:
        for turn in talk.turns:
            end = turn.utterances[0].end
            for one in turn.utterances:
                assert one is turn.utterances[0] or one.start - end < rules.turn_gap
                end = max(end, one.end)


@given(UTTERANCES, RULES)
def test_each_policy_keeps_the_order_that_it_promises(said, rules):
    for talk in built(*said, rules=rules, tokens=words_of).conversations:
        order = [one for turn in talk.turns for one in turn.utterances]
        own = {side: [one.start for one in order if side_of(one.speaker) == side] for side in ("user", "assistant")}
        assert all(starts == sorted(starts) for starts in own.values())
        if rules.overlap != "hold":
            assert [one.start for one in order] == sorted(one.start for one in order)
        for number, one in enumerate(order):
            earlier = [
                other
                for other in order[number + 1 :]
                if other.start < one.start and side_of(other.speaker) != side_of(one.speaker)
            ]
            # What is held began while the other side, whose words come before it now, was speaking.
            for held in earlier:
                assert any(
                    other.start <= held.start < other.end
                    for other in said
                    if side_of(other.speaker) == side_of(one.speaker)
                )


@given(UTTERANCES, RULES)
def test_drop_keeps_nothing_that_begins_while_the_other_side_speaks(said, rules):
    for talk in built(*said, rules=replace(rules, overlap="drop")).conversations:
        order = [one for turn in talk.turns for one in turn.utterances]
        for before, after in zip(order, order[1:], strict=False):
            if side_of(before.speaker) != side_of(after.speaker):
                assert after.start >= before.end - 0.15 - 1e-9


def test_question_and_answer_are_a_conversation():
    result = built(user(0.5, 1.5), assistant(2, 3))
    assert texts(result) == [["u: What is it?", "a: It is tea."]]
    assert (result.conversations[0].start, result.conversations[0].end) == (0.5, 3)


def test_one_speaker_goes_on_after_a_pause_below_the_gap_and_not_from_it_on():
    said = [user(0, 1, "I wonder"), user(3.9, 5, "what it is."), assistant(5.5, 6)]
    assert texts(built(*said)) == [["u: I wonder what it is.", "a: It is tea."]]
    result = built(*said, rules=replace(KEEP, turn_gap=2.9))
    assert texts(result) == [["u: what it is.", "a: It is tea."]]
    assert left_out(result) == [("I wonder", "unanswered")]


def test_what_the_assistant_says_first_and_the_user_says_last_is_left_out():
    result = built(assistant(0, 1, "Welcome."), user(2, 3), assistant(4, 5), user(6, 7, "Thanks."))
    assert texts(result) == [["u: What is it?", "a: It is tea."]]
    assert left_out(result) == [("Welcome.", "unprompted"), ("Thanks.", "unanswered")]


@pytest.mark.parametrize(("one", "code"), [(user, "unanswered"), (assistant, "unprompted")])
def test_where_one_side_is_silent_there_is_no_conversation(one, code):
    result = built(one(0, 1, "A."), one(2, 3, "B."), one(10, 11, "C."))
    assert not result.conversations
    assert left_out(result) == [("A.", code), ("B.", code), ("C.", code)]


def test_nothing_said_is_no_conversation():
    assert built() == Built()


#: The assistant barges in at 4 s; the user goes on, ends at 7 s, and is answered.
BARGE_IN = (user(0, 5, "Tell me"), assistant(4, 5.8, "Gladly."), user(5.4, 7, "of tea."), assistant(8, 9, "It is hot."))


@pytest.mark.parametrize(
    ("overlap", "expected", "dropped"),
    [
        ("interleave", ["u: Tell me", "a: Gladly.", "u: of tea.", "a: It is hot."], []),
        ("hold", ["u: Tell me of tea.", "a: Gladly. It is hot."], []),
        ("drop", ["u: Tell me of tea.", "a: It is hot."], [("Gladly.", "overlap")]),
    ],
)
def test_barge_in(overlap, expected, dropped):
    result = built(*BARGE_IN, rules=replace(KEEP, overlap=overlap))
    assert texts(result) == [expected]
    assert left_out(result) == dropped


def test_who_is_held_has_the_floor_when_the_other_side_has_paused_for_long():
    said = [user(0, 5, "A?"), assistant(3, 20, "B."), user(10, 12, "C?"), assistant(21, 22, "D.")]
    assert texts(built(*said, rules=replace(KEEP, overlap="hold"))) == [["u: A?", "a: B.", "u: C?", "a: D."]]


def test_who_was_held_speaks_until_the_own_end_while_the_other_is_held():
    said = [
        user(0, 5, "A?"),
        assistant(3, 20, "B."),
        user(10, 18, "C?"),
        assistant(15, 22, "D."),
        assistant(23, 24, "E."),
    ]
    assert texts(built(*said, rules=replace(KEEP, overlap="hold"))) == [["u: A?", "a: B. D.", "u: C?", "a: E."]]


def test_of_two_on_one_side_who_speak_at_once_the_last_to_end_ends_the_turn():
    said = [user(0, 10, "A"), by("Anna", 2, 3, "B"), assistant(8, 9, "C."), user(12, 13, "D?"), assistant(14, 15, "E.")]
    result = built(*said, rules=replace(KEEP, overlap="drop"))
    assert texts(result) == [["u: A B D?", "a: E."]]
    assert left_out(result) == [("C.", "overlap")]


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_ends_of_speech_that_just_touch_are_no_interruption(overlap):
    result = built(
        user(0, 2.1),
        assistant(2, 3),
        user(2.9, 4, "Hot?"),
        assistant(4, 5, "Yes."),
        rules=replace(KEEP, overlap=overlap),
    )
    assert texts(result) == [["u: What is it?", "a: It is tea.", "u: Hot?", "a: Yes."]]


@pytest.mark.parametrize("overlap", ["interleave", "hold"])
def test_of_two_who_begin_at_once_the_question_is_read_first(overlap):
    result = built(assistant(1, 2), user(1, 3), rules=replace(KEEP, overlap=overlap))
    assert texts(result) == [["u: What is it?", "a: It is tea."]]


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_utterances_of_no_length_are_utterances(overlap):
    result = built(
        user(1, 1), assistant(1, 1), user(2, 2, "B?"), assistant(2, 2, "C."), rules=replace(KEEP, overlap=overlap)
    )
    assert texts(result) == [["u: What is it?", "a: It is tea.", "u: B?", "a: C."]]


def test_a_silence_of_all_ends_a_conversation_and_speech_of_either_keeps_it():
    said = [user(0, 1), assistant(2, 20), user(49, 50), assistant(51, 52)]
    assert len(built(*said).conversations) == 1
    assert len(built(*said, rules=replace(KEEP, conversation_gap=29)).conversations) == 2
    assert texts(built(user(0, 60), assistant(1, 2), user(61, 62), assistant(63, 64)))[0][-1] == "a: It is tea."


def test_a_question_is_not_answered_across_the_silence_that_ends_a_conversation():
    result = built(user(0, 1, "A?"), assistant(31, 32, "B."))
    assert not result.conversations
    assert left_out(result) == [("A?", "unanswered"), ("B.", "unprompted")]


def test_conversations_are_cut_between_an_answer_and_the_next_question():
    said = [one for n in range(4) for one in (user(10 * n, 10 * n + 1), assistant(10 * n + 2, 10 * n + 3))]
    lengths = {
        seconds: [len(talk.turns) for talk in built(*said, rules=replace(KEEP, max_seconds=seconds)).conversations]
        for seconds in (3, 12.9, 13, 23, 33)
    }
    assert lengths == {3: [2] * 4, 12.9: [2] * 4, 13: [4, 4], 23: [6, 2], 33: [8]}


def test_a_pair_that_is_too_large_by_itself_is_left_out_and_parts_what_is_around_it():
    said = [user(0, 1, "A?"), assistant(2, 3, "B."), user(4, 5, "C?"), assistant(6, 30, "D."), user(31, 32, "E?")]
    result = built(*said, assistant(33, 34, "F."), rules=replace(KEEP, max_seconds=10))
    assert texts(result) == [["u: A?", "a: B."], ["u: E?", "a: F."]]
    assert left_out(result) == [("C?", "too-long"), ("D.", "too-long")]


def test_tokens_are_held_to_what_is_allowed():
    said = [one for n in range(6) for one in (user(3 * n, 3 * n + 1, "a b"), assistant(3 * n + 1, 3 * n + 2, "c"))]
    result = built(*said, rules=replace(KEEP, max_tokens=8), tokens=words_of)
    assert [len(talk.turns) for talk in result.conversations] == [4, 4, 4]
    none = built(*said, rules=replace(KEEP, max_tokens=2), tokens=words_of)
    assert {one.code for one in none.left_out} == {"too-many-tokens"}
    assert not none.conversations


def test_a_turn_of_too_few_words_is_left_out_and_its_question_with_it():
    said = [user(0, 1), assistant(2, 3, "Tea."), user(4, 5, "Which tea is it?"), assistant(6, 7)]
    result = built(*said, rules=replace(KEEP, min_words=2))
    assert texts(result) == [["u: Which tea is it?", "a: It is tea."]]
    assert left_out(result) == [("Tea.", "too-short"), ("What is it?", "unanswered")]


def test_mere_punctuation_is_no_answer():
    assert left_out(built(user(0, 1), assistant(2, 3, "...")))[0] == ("...", "too-short")


def test_several_on_one_side_are_told_by_name():
    result = built(user(0, 1, "Hello."), by("Anna", 1.5, 2, "Hi,"), by("Anna", 2.1, 3, "you."), assistant(4, 5))
    turn = result.conversations[0].turns[0]
    assert turn.text(named=True) == "user: Hello.\nAnna: Hi, you."
    assert turn.text() == "Hello. Hi, you."


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("今天", "天气很好。", "今天天气很好。"),
        ("今日は", "いい天気です。", "今日はいい天気です。"),
        ("오늘은", "좋아요.", "오늘은 좋아요."),
        ("สวัสดี", "ครับ", "สวัสดี ครับ"),
        ("Hello,", "you.", "Hello, you."),
        ("你好。", "Hello.", "你好。Hello."),
        ("\U00020000", "\U00020001", "\U00020000\U00020001"),
    ],
)
def test_texts_are_joined_as_their_script_is_written(first, second, together):
    assert built(user(0, 1, first), user(1.5, 2, second), assistant(3, 4)).conversations[0].turns[0].text() == together


def test_the_confidence_of_a_turn_is_the_mean_by_length():
    result = built(replace(user(0, 3), confidence=1.0), replace(user(3, 4), confidence=0.2), assistant(5, 6))
    assert result.conversations[0].turns[0].confidence == pytest.approx(0.8)


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("speakers", [["user"], ["user", "assistant"]])
def test_twenty_thousand_utterances_are_looked_at_a_few_times_each(overlap, speakers):
    chance = random.Random(7)
    looks = Counter[str]()

    def side(speaker: str) -> str:
        looks["side"] += 1
        return side_of(speaker)

    def tokens(turns: Any) -> int:
        looks["turns"] += len(turns)
        return words_of(turns)

    said = [
        by(speakers[n % len(speakers)], n, n + chance.choice([0.5, 0.9, 1.4]), chance.choice(["mhm", "It is so."]))
        for n in range(20_000)
    ]
    rules = TurnRules(overlap=overlap, max_tokens=300, max_seconds=1e6)
    result = build(said, rules, side, tokens=tokens)  # type: ignore[arg-type]
    assert sum(len(t.utterances) for c in result.conversations for t in c.turns) + len(result.left_out) == 20_000
    assert looks["side"] <= 6 * 20_000
    assert looks["turns"] <= 12 * 20_000


def test_what_answers_an_unfit_question_is_joined_to_no_other_answer():
    said = [user(0, 1), assistant(1.2, 2), user(2.2, 2.8, "A bad word?"), assistant(3, 4, "Pardon?"), user(5, 6)]
    said += [user(6.2, 7, "More bad words."), assistant(8, 9, "Well.")]
    unfit = {said[n]: LeftOut(said[n], "blocked-words", "it is") for n in (2, 5)}
    built = build(said, TurnRules(), side_of, unfit=unfit)
    (conversation,) = built.conversations
    assert [turn.utterances for turn in conversation.turns] == [(said[0],), (said[1],), (said[4],), (said[6],)]
    assert {(one.utterance, one.code) for one in built.left_out} == {
        (said[2], "blocked-words"),
        (said[3], "unprompted"),
        (said[5], "blocked-words"),
    }
