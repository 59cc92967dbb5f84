"""A journal read again gives what was written, whatever became of its end, and whoever else wrote to it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.review.book import Book, open_book
from mm2energon.review.identities import Identities
from mm2energon.review.journal import Journal, event_line, told_of_shares
from mm2energon.review.model import STATUSES

DIGESTS = np.array([5, 7, 5, 9, 2**64 - 1, 7], np.uint64)
NAMES = Identities(DIGESTS).of(np.arange(len(DIGESTS), dtype=np.int32))


def book_of(path: Path, *, known: int = len(DIGESTS)) -> Book:
    """The book of a journal about some entries, so many of which are indexed."""
    book = open_book(path)
    book.grow(Identities(DIGESTS[:known]), np.zeros(known, np.uint8))
    book.refresh()
    return book


def statuses(book: Book) -> list[str]:
    return [STATUSES[status] for status in book.standing.status]


def told(book: Book) -> list[Any]:
    """All that a book says."""
    log = book.decisions.log
    tracks = {name: (track.at.tolist(), track.tip.tolist()) for name, track in book.decisions.tracks.items()}
    columns = {name: log[name].tolist() for name in ("number", "event", "previous", "status", "edit", "category")}
    return [statuses(book), tracks, columns, [tuple(event[:3]) for event in book.decisions.events], book.lost]


def decide(book: Book, do: str, *entries: int, by: str = "anna", **more: Any) -> None:
    book.write(lambda: event_line(do, [NAMES[entry] for entry in entries], by, **more))


def test_a_decision_is_one_line_that_people_can_read(tmp_path: Path) -> None:
    book = book_of(tmp_path / "a.review.jsonl")
    decide(book, "reject", 0, 3, reason="wrong")
    decide(book, "edit", 1, by="bob", sample={"conversations": []}, category="")
    first, second = [json.loads(line) for line in (tmp_path / "a.review.jsonl").read_text().splitlines()]
    assert first.pop("at") <= second.pop("at")
    entries = ["0000000000000005.0", "0000000000000009.0"]
    assert first == {"version": 1, "reviewer": "anna", "do": "reject", "entries": entries, "reason": "wrong"}
    assert (second["sample"], second["category"]) == ({"conversations": []}, "")
    assert statuses(book) == ["rejected", "accepted", "pending", "rejected", "pending", "pending"]
    assert told(book_of(tmp_path / "a.review.jsonl")) == told(book)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["accept", "reject", "edit", "reset", "undo", "redo", "settle-reject", "unheard-of"]),
        st.sampled_from(["anna", "bob", ""]),
        st.lists(st.integers(0, len(DIGESTS) - 1), min_size=1, max_size=3, unique=True),
    ),
    max_size=8,
)


@given(events=EVENTS, cut=st.integers(0, 400), known=st.integers(0, len(DIGESTS)))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_journal_cut_anywhere_gives_what_its_whole_lines_give_and_goes_on(
    events: list[tuple[str, str, list[int]]], cut: int, known: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.review.jsonl"
    path.unlink(missing_ok=True)
    book, states, ends = book_of(path), [], [0]
    states.append(told(book))
    for do, by, entries in events:
        sample = {"conversations": [{"from": "human", "value": by}]} if do == "edit" else None
        decide(book, do, *entries, by=by, sample=sample)
        states.append(told(book))
        ends.append(path.stat().st_size)
    assert told(book_of(path)) == states[-1]
    late = book_of(path, known=known)  # the rest of the entries is indexed later
    late.grow(Identities(DIGESTS), np.zeros(len(DIGESTS), np.uint8))
    assert statuses(late) == statuses(book)
    whole = path.read_bytes() if events else b""
    size = max(0, len(whole) - cut)
    path.write_bytes(whole[:size])
    # A line that lacks its line break alone is whole.
    before = max(place for place, end in enumerate(ends) if end <= size + 1 and (end <= size or end))
    torn = book_of(path)
    assert told(torn) == states[before]
    decide(torn, "accept", 0, by="eve")
    again = book_of(path)
    assert told(again) == told(torn)
    assert again.decisions.events[-1].reviewer == "eve"
    assert path.read_bytes().startswith(whole[:size])


def test_a_torn_last_line_is_passed_over_and_the_next_is_not_glued_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a.review.jsonl"
    decide(book_of(path), "accept", 0)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    decide(book_of(path), "reject", 1)
    book = book_of(path)
    assert statuses(book)[:2] == ["accepted", "rejected"]
    assert book.journal.passed_over == 1
    assert path.read_bytes().startswith(whole + whole[: len(whole) // 2] + b"\n")


@pytest.mark.parametrize(
    "more",
    [
        '"reviewers":["a"],"to":[]',
        '"reviewers":["a"],"to":[1]',
        '"reviewers":["a"],"to":[0,0,0]',
        '"reviewers":["a"],"to":[99999999999999999999]',
        '"reviewers":[1],"to":[0,0]',
    ],
)
def test_shares_that_are_none_are_nobodys(tmp_path: Path, more: str) -> None:
    entries = ",".join(f'"{name}"' for name in NAMES[:2])
    (tmp_path / "a.review.jsonl").write_text(f'{{"do":"assign","entries":[{entries}],{more}}}\n')
    book = book_of(tmp_path / "a.review.jsonl")
    assert not any(share.any() for share in book.decisions.shares.values())


@pytest.mark.parametrize("name", ["0000000000000005.9223372036854775807", "-000000000000005.0", "5.0", "x" * 16 + ".0"])
def test_identities_that_are_none_are_those_of_no_entry(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.review.jsonl").write_text(f'{{"do":"accept","entries":["{name}"]}}\n')
    book = book_of(tmp_path / "a.review.jsonl")
    assert set(statuses(book)) == {"pending"}
    assert book.journal.passed_over == 1


@pytest.mark.parametrize(
    "line", [b"[]", b"{}", b"nonsense", b'{"do":"accept","entries":["x"]}', b"\xff\xfe", b'{"do":1,"entries":[]}']
)
def test_a_damaged_line_costs_itself_alone(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.review.jsonl"
    decide(book_of(path), "accept", 0)
    whole = path.read_bytes()
    path.write_bytes(whole + line + b"\n\n" + whole.replace(b"accept", b"reject").replace(b"5.0", b"7.0"))
    book = book_of(path)
    assert statuses(book)[:2] == ["accepted", "rejected"]
    assert book.journal.passed_over == 1


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.review.jsonl"
    path.write_text('{"version": 2, "do": "accept", "entries": []}\n')
    with pytest.raises(InputError, match="a newer mm2energon"):
        book_of(path)


def test_a_line_of_a_newer_version_is_told_each_time_and_costs_none_of_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.review.jsonl"
    book, other = book_of(path), book_of(path)
    decide(other, "accept", 0)
    decide(other, "reject", 1)
    with path.open("a") as file:
        file.write('{"version": 2, "do": "accept", "entries": []}\n')
    for _ in range(2):
        with pytest.raises(InputError, match="a newer mm2energon"):
            book.refresh()
        with pytest.raises(InputError, match="a newer mm2energon"):
            decide(book, "accept", 2)
    assert statuses(book)[:3] == ["accepted", "rejected", "pending"]
    assert len(path.read_text().splitlines()) == 3


def many(count: int) -> Identities:
    """So many entries, each content of which is there twice."""
    return Identities(np.arange(count, dtype=np.uint64) // 2 * np.uint64(0x9E3779B97F4A7C15))


def test_a_decision_on_many_entries_is_packed_and_says_what_the_names_of_all_would(tmp_path: Path) -> None:
    every, numbers = many(5000), np.arange(5000, dtype=np.int32)[::-1]
    packed, plain = tmp_path / "a.review.jsonl", tmp_path / "b.review.jsonl"
    shares = told_of_shares(numbers % 3)
    packed.write_bytes(
        event_line("reject", every.named(numbers[:4000]), "anna")
        + event_line("assign", every.named(numbers), "", reviewers=["anna", "bob", "eve"], to=shares)
        + event_line("undo", every.named(numbers[:2001]), "anna")
    )
    plain.write_bytes(
        event_line("reject", every.of(numbers[:4000]), "anna")
        + event_line("assign", every.of(numbers), "", reviewers=["anna", "bob", "eve"], to=(numbers % 3).tolist())
        + event_line("undo", every.of(numbers[:2001]), "anna")
    )
    assert packed.stat().st_size < plain.stat().st_size
    found = []
    for path in (packed, plain):
        book = open_book(path)
        book.grow(many(1000), np.zeros(1000, np.uint8))
        book.refresh()
        for count in (1001, 4000, 5000):
            book.grow(many(count), np.zeros(count, np.uint8))
        assert (book.lost, book.journal.passed_over) == (0, 0)
        found.append([statuses(book), {name: share.tolist() for name, share in book.decisions.shares.items()}])
    assert found[0] == found[1]
    assert [status == "rejected" for status in found[0][0]] == [1000 <= number < 2999 for number in range(5000)]
    assert found[0][1]["eve"] == [number % 3 == 2 for number in range(5000)]


@pytest.mark.parametrize(
    "entries",
    [
        {"count": 2, "digests": "BQAAAAAAAAA="},
        {"count": 1, "digests": "BQAAAAAAAA=="},
        {"count": 1, "digests": "no base64!"},
        {"count": 1, "digests": 5},
        {"count": 1, "digests": "BQAAAAAAAAA=", "occurrences": ""},
        {"count": 1, "digests": "BQAAAAAAAAA=", "occurrences": "/////w=="},
        {},
    ],
)
def test_what_is_packed_wrongly_is_about_nothing(tmp_path: Path, entries: dict[str, Any]) -> None:
    (tmp_path / "a.review.jsonl").write_text(json.dumps({"do": "accept", "entries": entries}) + "\n")
    book = book_of(tmp_path / "a.review.jsonl")
    assert (set(statuses(book)), book.journal.passed_over) == ({"pending"}, 1)


def test_two_books_on_one_journal_take_up_what_the_other_says_in_the_same_order(tmp_path: Path) -> None:
    one, other = book_of(tmp_path / "a.review.jsonl"), book_of(tmp_path / "a.review.jsonl")
    decide(one, "accept", 0, 1, by="anna")
    decide(other, "reject", 1, 2, by="bob")
    decide(one, "undo", 0, by="anna")
    one.refresh()
    other.refresh()
    assert told(one) == told(other)
    assert statuses(one)[:3] == ["pending", "disputed", "rejected"]


def test_a_journal_that_was_exchanged_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.review.jsonl"
    book = book_of(path)
    decide(book, "accept", 0, 1, 2)
    other = book_of(tmp_path / "b.review.jsonl")
    decide(other, "reject", 3)
    (tmp_path / "b.review.jsonl").replace(path)
    book.refresh()
    assert statuses(book) == statuses(other)
    path.unlink()
    book.refresh()
    assert set(statuses(book)) == {"pending"}


def test_what_cannot_be_saved_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.review.jsonl"
    book = book_of(path)
    decide(book, "accept", 0)
    before = path.read_bytes()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) <= 5:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(data)[: len(data) // 2])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left") as error:
        decide(book, "reject", 0)
    assert error.value.filename == str(path)
    assert path.read_bytes() == before
    assert statuses(book)[0] == statuses(book_of(path))[0] == "accepted"


def test_there_need_be_no_journal(tmp_path: Path) -> None:
    assert list(Journal(tmp_path / "none").news()) == []
    assert not (tmp_path / "none").exists()
