"""Replies come piece by piece from a thread, and text from tokens as soon as its characters are whole."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from byte_tokenizer import byte_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.videochat.backends.generating import TextOfTokens
from mm2energon.videochat.backends.pieces import from_thread
from mm2energon.videochat.frames import Unwanted

TOKENIZER = byte_tokenizer()


def tell(text: str) -> tuple[list[str], str]:
    """The pieces of a text whose every byte is a token, and what is left."""
    made = TextOfTokens(TOKENIZER)
    pieces = [made.add(token) for token in TOKENIZER(text)["input_ids"]]
    return pieces, made.end()


def test_each_character_comes_with_its_last_byte() -> None:
    pieces, left = tell("a\N{SNOWMAN}\nb")
    assert pieces == ["a", "", "", "\N{SNOWMAN}", "\n", "b"]
    assert left == ""


WRITABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\N{REPLACEMENT CHARACTER}")


@given(st.text(alphabet=WRITABLE).filter(lambda text: "<|" not in text))  # control tokens are no text
def test_the_pieces_are_the_text(text: str) -> None:
    pieces, left = tell(text)
    assert "".join(pieces) + left == text


def test_half_a_character_comes_in_the_end() -> None:
    made = TextOfTokens(TOKENIZER)
    for token in TOKENIZER("a\N{SNOWMAN}")["input_ids"][:2]:
        made.add(token)
    assert made.end() == "\N{REPLACEMENT CHARACTER}"


def test_what_goes_wrong_on_the_thread_is_raised_behind_its_pieces() -> None:
    def work(take: Callable[[str], None], stop: Callable[[], bool]) -> None:
        take("a")
        raise ValueError("b")

    pieces = from_thread(work, lambda: False)
    assert next(pieces) == "a"
    with pytest.raises(ValueError, match="b"):
        next(pieces)


def test_work_that_is_unwanted_hears_of_it_and_is_not_waited_for() -> None:
    hears, goes = threading.Event(), threading.Event()
    unwanted = threading.Event()

    def work(take: Callable[[str], None], stop: Callable[[], bool]) -> None:
        take("a")
        goes.wait(20)
        if stop():
            hears.set()

    pieces = from_thread(work, unwanted.is_set)
    assert next(pieces) == "a"
    unwanted.set()
    with pytest.raises(Unwanted):
        next(pieces)
    goes.set()
    assert hears.wait(20)


def test_whoever_leaves_early_ends_the_work() -> None:
    hears = threading.Event()

    def work(take: Callable[[str], None], stop: Callable[[], bool]) -> None:
        take("a")
        while not stop():
            threading.Event().wait(0.01)
        hears.set()

    pieces = from_thread(work, lambda: False, wait_seconds=20)
    assert next(pieces) == "a"
    pieces.close()  # type: ignore[attr-defined]
    assert hears.is_set()
