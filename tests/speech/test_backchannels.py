"""Backchannels: what a listener says while the other one has the floor, and what is an answer all the same."""

import pytest
from mm2energon.speech.backchannels import kind_of
from mm2energon.speech.turns import TurnRules, build

from speech.utterances import assistant, side_of, user


def dropped(*said, **rules):
    result = build(said, TurnRules(**rules), side_of)
    return [one.utterance.text for one in result.left_out if one.code == "backchannel"]


def kept(*said, **rules):
    result = build(said, TurnRules(**rules), side_of)
    return [turn.text() for talk in result.conversations for turn in talk.turns]


STORY = (user(0, 4, "I went to the market."), user(5, 9, "There I bought some tea."))


@pytest.mark.parametrize(
    "sign", ["Mhm.", "mm-hmm", "Uh-huh!", "uh huh", "Yeah.", "I see.", "Okay, okay.", "嗯。", "对。", "はい。"]
)
def test_a_sign_within_what_the_other_side_says_is_none_of_the_turns(sign):
    said = (*STORY, assistant(2, 2.4, sign), assistant(10, 11))
    assert dropped(*said) == [sign]
    assert kept(*said) == ["I went to the market. There I bought some tea.", "It is tea."]


def test_a_word_that_ends_with_the_others_sentence_is_a_sign_and_one_that_ends_after_it_an_answer():
    assert dropped(user(0, 4, "Come in."), assistant(3, 4, "Yeah."), assistant(5, 6)) == ["Yeah."]
    assert not dropped(user(0, 4, "Come in."), assistant(3, 4.1, "Yeah."), assistant(5, 6))


def test_a_sign_lies_within_the_longest_that_is_said():
    said = (
        user(0, 9, "I went out to buy tea."),
        user(1, 2, "So he did."),
        assistant(5, 5.5, "Yeah."),
        assistant(10, 11),
    )
    assert dropped(*said) == ["Yeah."]


def test_all_of_them_are_kept_where_that_is_asked_for():
    said = (*STORY, assistant(2, 2.4, "Mhm."), assistant(10, 11))
    assert not dropped(*said, drops_backchannels=False)
    assert "Mhm." in kept(*said, drops_backchannels=False)


def test_a_sound_between_two_sentences_is_a_sign_where_the_turn_goes_on():
    assert dropped(*STORY, assistant(4.2, 4.6, "Mhm."), assistant(10, 11)) == ["Mhm."]
    assert dropped(*STORY, assistant(3.8, 4.4, "Mhm."), assistant(10, 11)) == ["Mhm."]


def test_a_row_of_sounds_between_two_sentences_is_one_of_signs():
    assert dropped(*STORY, assistant(4.2, 4.4, "Mhm."), assistant(4.6, 4.8, "嗯"), assistant(10, 11)) == ["Mhm.", "嗯"]


def test_a_sound_is_no_sign_where_the_pause_around_it_ends_the_turn():
    said = (user(0, 4, "I went out."), assistant(4.5, 5, "Mhm."), user(7, 9, "It rained."), assistant(10, 11))
    assert not dropped(*said)
    assert kept(*said) == ["I went out.", "Mhm.", "It rained.", "It is tea."]


@pytest.mark.parametrize("question", ["Is it hot?", 'He asked, "Why?"', "お茶ですか。", "是茶吗", "热吗？"])
def test_a_sound_that_answers_a_question_is_an_answer(question):
    said = (user(0, 2, question), assistant(2.5, 3, "Mhm."), user(3.5, 5, "Then I wait."), assistant(6, 7))
    assert not dropped(*said)
    assert kept(*said) == [question, "Mhm.", "Then I wait.", "It is tea."]


def test_a_word_between_two_sentences_is_an_answer():
    said = (*STORY, assistant(4.2, 4.8, "Yes."), assistant(10, 11))
    assert not dropped(*said)
    assert kept(*said) == ["I went to the market.", "Yes.", "There I bought some tea.", "It is tea."]


@pytest.mark.parametrize("answer", ["Mhm.", "Yes.", "Okay."])
def test_a_sign_after_the_other_side_has_finished_is_an_answer(answer):
    assert kept(user(0, 2, "Come with me."), assistant(1.9, 3, answer)) == ["Come with me.", answer]


def test_a_sound_before_more_of_ones_own_begins_an_answer():
    said = (*STORY, assistant(4.1, 4.3, "Uh."), assistant(4.4, 4.9, "Which market?"), assistant(10, 11))
    assert not dropped(*said)


def test_a_sign_within_ones_own_words_is_no_sign():
    assert not dropped(user(0, 1), assistant(2, 5, "It is tea"), assistant(3, 3.5, "yeah"))


def test_two_signs_at_once_are_signs_of_nothing():
    assert kept(user(0, 1, "Okay."), assistant(0.2, 0.9, "Yeah.")) == ["Okay.", "Yeah."]


def test_an_utterance_of_no_length_holds_no_sign():
    assert not dropped(user(1, 1, "Come."), assistant(1, 1, "Okay."))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", None),
        ("...", None),
        ("Mhm", "sound"),
        ("mhm, yeah", "word"),
        ("mhm mhm mhm", "sound"),
        ("mhm mhm mhm mhm", None),
        ("of course", "word"),
        ("of", None),
        ("yeah no", None),
        ("Right hand", None),
    ],
)
def test_what_may_be_a_sign(text, kind):
    assert kind_of(text) == kind
