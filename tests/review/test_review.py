"""A dataset is opened, looked at and decided on by several people and processes; nothing that was answered is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import InputError
from mm2energon.pipeline.sources import annotation_files_in, find_annotations
from mm2energon.review import entries as entries_module
from mm2energon.review import views as views_module
from mm2energon.review.model import STATUSES, Filter, Past
from mm2energon.review.review import Review, open_review
from mm2energon.sample import Sample, Turn

WORDS = ["red", "green", "blue", "cat", "dog", "house", "tree", "river", "Straße"]


def entry(number: int, **more: Any) -> dict[str, Any]:
    turns = [
        {"from": "human", "value": f"<image>\nWhat is {number}? {WORDS[number % 9]}"},
        {"from": "gpt", "value": f"It is   {WORDS[number % 7]}.\n{'more ' * (number % 5)}"},
    ]
    return {"id": number, "images": [f"p/{number}.jpg"], "conversations": turns, "category": f"c{number % 3}", **more}


def write(path: Path, *entries: Any) -> Path:
    """JSON lines, or an array, by the name."""
    lines = [json.dumps(one) for one in entries]
    path.write_text("\n".join(lines) + "\n" if path.suffix == ".jsonl" else "[" + ",\n".join(lines) + "]")
    return path


@pytest.fixture(params=["a.json", "a.jsonl"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / request.param, *map(entry, range(30)))


@pytest.fixture
def review(source: Path) -> Iterator[Review]:
    with open_review(source) as found:
        yield found


def chosen(review: Review, sort: str = "number", **wanted: Any) -> list[int]:
    return review.select(Filter(**wanted), sort).numbers.tolist()


def statuses(review: Review) -> list[str]:
    rows = review.rows(review.select(), 0, review.count)
    return [row.status for row in rows]


def edit_of(review: Review, number: int, answer: str) -> Sample:
    sample = review.item(number).sample
    assert sample is not None
    return replace(sample, turns=(*sample.turns[:-1], Turn("assistant", answer)))


def test_rows_say_what_entries_are(review: Review, source: Path) -> None:
    assert (review.count, review.total, review.is_indexed, review.problem) == (30, 30, True, None)
    assert (review.name, review.kind, review.root) == (source.name, "json", source.parent)
    row = review.rows(review.select(), 3, 1)[0]
    assert row.origin == (f"{source.name}[3]" if source.suffix == ".json" else f"{source.name}:4")
    assert (row.number, row.status, row.category, row.turns) == (3, "pending", "c0", 2)
    assert (row.question, row.answer) == ("What is 3? cat", "It is cat. more more more")
    assert (row.media, row.warnings) == ({"image": 1, "video": 0, "audio": 0}, ("missing-media",))
    assert row.identity.endswith(".0")
    assert len(row.identity) == 18


def test_an_item_is_its_sample_and_all_that_was_done_to_it(review: Review) -> None:
    review.decide([3], "reject", reviewer="anna", reason="too  short")
    review.decide([3], "edit", reviewer="anna", sample=edit_of(review, 3, "A cat."))
    item = review.item(3, "anna")
    assert item.sample is not None
    assert item.original is not None
    assert (item.sample.turns[1].text, item.original.turns[1].text[:9]) == ("A cat.", "It is   c")
    assert replace(item.sample, turns=()) == replace(item.original, turns=())
    assert (item.status, item.edited, item.category, item.format) == ("accepted", True, "c0", "sharegpt")
    assert [past[1:] for past in item.history] == [("anna", "reject", "too short"), ("anna", "edit", "")]
    assert (item.can_undo, item.can_redo) == (True, False)
    assert (review.item(3, "bob").can_undo, review.item(3, "bob").by_reviewer) == (False, {"anna": "accepted"})
    assert item.entry == entry(3)


def test_undo_and_redo_go_back_and_forth_for_each_entry(review: Review) -> None:
    for do in ("accept", "reject", "accept"):
        review.decide([1, 2], do, reviewer="anna")
    assert review.undo(1, "anna")
    assert review.undo(1, "anna")
    assert statuses(review)[1:3] == ["accepted", "accepted"]
    assert review.redo(1, "anna")
    assert statuses(review)[1:3] == ["rejected", "accepted"]
    assert not review.undo(1, "bob")
    assert not review.redo(2, "anna")
    assert [past.do for past in review.item(1).history] == ["accept", "reject", "accept", "undo", "undo", "redo"]
    review.decide([1], "reset", reviewer="anna")
    assert not review.redo(1, "anna")
    assert statuses(review)[1] == "pending"
    assert review.undo_last("anna") == (1,)
    assert review.undo_last("anna") == (2,)


def test_the_history_has_what_each_edit_said_also_of_those_that_hold_no_more(review: Review) -> None:
    for answer in ("A", "B"):
        review.decide([2], "edit", sample=edit_of(review, 2, answer))
    review.undo(2)
    review.decide([2], "reject")
    review.decide([3], "edit", sample=replace(edit_of(review, 3, "B"), turns=review.item(2).edits[1].turns))
    item = review.item(2)
    assert [past.do for past in item.history] == ["edit", "edit", "undo", "reject"]
    assert {place: sample.turns[-1].text for place, sample in item.edits.items()} == {0: "A", 1: "B"}
    assert item.edits[1].turns[:-1] == item.original.turns[:-1] and item.edits[1].images == ("p/2.jpg",)
    assert review.item(4).edits == {}


def test_filters_choose_by_everything_that_is_told(review: Review) -> None:
    review.decide([0, 1, 2], "accept", reviewer="anna")
    review.decide([2, 3], "reject", reviewer="bob", reason="wrong")
    review.decide([4], "edit", reviewer="bob", category="new")
    assert chosen(review, status=("accepted",)) == [0, 1, 4]
    assert chosen(review, status=("disputed", "rejected")) == [2, 3]
    assert chosen(review, category=("c1",)) == [number for number in range(30) if number % 3 == 1 and number != 4]
    assert chosen(review, category=("new", "c0"), status=("accepted",)) == [0, 4]
    assert chosen(review, reviewer="bob") == [2, 3, 4]
    assert chosen(review, reasons=("wrong",)) == [2, 3]
    assert chosen(review, edited=True) == [4]
    assert chosen(review, medium=("image",), edited=False, status=("accepted",)) == [0, 1]
    assert chosen(review, medium=("none", "video")) == []
    assert chosen(review, warning=("missing-media",)) == list(range(30))
    assert chosen(review, warning=("no-answer",)) == []
    counted = review.counts(Filter(status=("accepted",)))
    assert counted["status"] == {"pending": 25, "accepted": 3, "rejected": 1, "disputed": 1}
    assert counted["category"] == {"c0": 1, "c1": 1, "new": 1}
    assert counted["reviewer"] == {"anna": 2, "bob": 1}
    assert review.counts()["reason"] == {"wrong": 2}
    with pytest.raises(InputError, match="one of pending, accepted"):
        chosen(review, status=("maybe",))
    with pytest.raises(InputError, match="sort"):
        chosen(review, "length")


def test_text_is_found_in_any_case_across_spaces_and_in_edits(review: Review) -> None:
    by_hand = [n for n in range(30) if "cat" in f"{WORDS[n % 9]} {WORDS[n % 7]}"]
    assert chosen(review, text="CAT") == by_hand
    assert chosen(review, text="strasse") == [8, 17, 26]
    assert chosen(review, text='"it is red. more"') == [n for n in range(30) if n % 7 == 0 and n % 5]
    assert chosen(review, text="what p/7.jpg") == [7]
    assert chosen(review, text="red blue") == [n for n in range(30) if {"red", "blue"} <= {WORDS[n % 9], WORDS[n % 7]}]
    assert chosen(review, text="nothing of this") == []
    assert 12 in chosen(review, text="house")
    review.decide([12], "edit", sample=edit_of(review, 12, "A GIRAFFE"))
    assert chosen(review, text="giraffe") == [12]
    assert 12 not in chosen(review, text="house")
    assert chosen(review, text="giraffe p/12.jpg c0") == [12]  # what was not edited is found as before
    review.undo(12)
    assert chosen(review, text="giraffe") == []


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("\u0130STANBUL", "istanbul"),
        ("istanbul", "\u0130stanbul"),
        ("ISPARTA", "\u0131sparta"),
        ("Cafe\u0301", "CAF\u00c9"),
        ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),
        ("\uff21\uff22\uff23", "abc"),
        ("\uff76\uff9e", "\u30ac"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("\u6771\u4eac\u30bf\u30ef\u30fc", "\u30bf\u30ef\u30fc"),
        ("\ufb01ne", "FINE"),
    ],
)
def test_text_is_found_however_its_letters_are_written(tmp_path: Path, said: str, asked: str) -> None:
    others = [
        {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": "-"}]} for text in (said, "")
    ]
    with open_review(write(tmp_path / "a.json", *others)) as review:
        assert chosen(review, text=asked) == [0]


def test_a_row_is_found_by_its_columns_and_once_edited_not_by_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("video,question,answer,notes\nv.mp4,What?,A cat.,blurred\n")
    with open_review(tmp_path / "a.csv") as review:
        assert chosen(review, text="cat blurred v.mp4") == [0]
        review.decide([0], "edit", sample=edit_of(review, 0, "A dog."))
        assert chosen(review, text="dog blurred v.mp4") == [0] and chosen(review, text="cat") == []


def test_views_stay_as_they_are_while_decisions_are_made(review: Review) -> None:
    view = review.select(Filter(status=("pending",)))
    review.decide(view, "accept")
    assert [row.status for row in review.rows(view.id, 0, 2)] == ["accepted", "accepted"]
    assert review.view(view.id) is view
    for _ in range(40):
        review.select()
    assert review.view(view.id) is None
    with pytest.raises(InputError, match="forgotten"):
        review.rows(view.id)


def test_of_views_that_hold_much_fewer_are_kept(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    views = [review.select() for _ in range(33)]
    assert [review.view(view.id) is not None for view in views] == [False] + [True] * 32
    monkeypatch.setattr(views_module, "_NUMBERS_KEPT", 15 * 30)
    views = [review.select() for _ in range(33)]
    assert [review.view(view.id) is not None for view in views] == [False] * 18 + [True] * 15
    monkeypatch.setattr(views_module, "_NUMBERS_KEPT", 10)
    views = [review.select() for _ in range(33)]
    assert [review.view(view.id) is not None for view in views] == [False] * 25 + [True] * 8


def test_views_are_sorted(review: Review) -> None:
    words = {row.number: len(f"{row.question} {row.answer}".split()) for row in review.rows(review.select())}
    assert chosen(review, "words") == sorted(range(30), key=lambda number: words[number])
    assert chosen(review, "-words") == sorted(range(30), key=lambda number: -words[number])
    assert chosen(review, "category") == sorted(range(30), key=lambda number: number % 3)
    assert chosen(review, "-number") == list(range(29, -1, -1))
    review.decide([7], "accept")
    review.decide([5], "accept")
    assert chosen(review, "-decided")[:2] == [5, 7]
    assert chosen(review, "-status")[:2] == [5, 7]
    assert len(chosen(review, "turns")) == 30


def test_decisions_stay_with_entries_when_others_come_before_them(source: Path) -> None:
    with open_review(source) as review:
        review.decide([0, 5], "accept", reviewer="anna")
        review.decide([7], "edit", sample=edit_of(review, 7, "edited"))
        review.decide([29], "reject")
    same = entry(40)
    write(source, entry(50), *map(entry, range(15)), same, same, *map(entry, range(15, 29)))
    with open_review(source) as review:
        assert [n for n, status in enumerate(statuses(review)) if status != "pending"] == [1, 6, 8]
        assert review.rows(review.select(), 8, 1)[0].answer == "edited"
        assert review.problem is not None
        assert "1 decisions are about entries that are not there any more" in review.problem
        review.decide([17], "reject")
        assert statuses(review)[16:18] == ["pending", "rejected"]
    source.rename(source.with_name("b" + source.suffix))
    (source.parent / "a.review.jsonl").rename(source.parent / "b.review.jsonl")
    with open_review(source.with_name("b" + source.suffix)) as review:
        assert statuses(review).count("rejected") == 1


def test_an_array_and_lines_of_the_same_entries_share_their_decisions(tmp_path: Path) -> None:
    with open_review(write(tmp_path / "a.json", *map(entry, range(4)))) as review:
        review.decide([2], "reject")
    with open_review(write(tmp_path / "a.jsonl", *map(entry, range(4)))) as review:
        assert statuses(review) == ["pending", "pending", "rejected", "pending"]


def test_data_of_one_name_share_a_journal_and_none_misses_the_entries_of_the_other(tmp_path: Path) -> None:
    lines, table = write(tmp_path / "a.jsonl", *map(entry, range(4))), tmp_path / "a.csv"
    table.write_text("video,question,answer\nv.mp4,What?,A cat.\nw.mp4,Who?,A dog.\n")
    journal = tmp_path / "a.review.jsonl"
    with open_review(lines) as review, open_review(table) as other:
        review.decide([0, 2], "reject")
        other.decide([1], "accept")
        assert (statuses(review), statuses(other)) == (["rejected", "pending"] * 2, ["pending", "accepted"])
        assert (review.problem, other.problem) == (None, None)
        assert [json.loads(line)["source"] for line in journal.read_text().splitlines()] == ["a.jsonl", "a.csv"]
    write(lines, entry(0))
    with open_review(lines) as review, open_review(table) as other:
        assert review.problem == f"{journal}: 1 decisions are about entries that are not there any more"
        assert other.problem is None
    lines.unlink()
    with journal.open("a") as file:
        file.write('{"do":"accept","entries":["0000000000000001.0"],"source":"../a.csv"}\n')
    with open_review(table) as other:
        assert other.problem == f"{journal}: 3 decisions are about entries that are not there any more"


def test_the_source_is_never_changed(source: Path) -> None:
    before = source.read_bytes(), source.stat().st_mtime_ns
    with open_review(source) as review:
        review.decide(review.select(), "accept")
        review.decide([1], "edit", sample=edit_of(review, 1, "x"))
        list(review.reviewed())
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before
    assert {path.name for path in source.parent.iterdir()} == {source.name, "a.review.jsonl", ".mm2energon"}


def test_what_is_exported_is_as_edited_and_in_order(review: Review) -> None:
    review.decide([9, 3, 4], "accept", reviewer="anna")
    review.decide([4], "edit", reviewer="anna", sample=edit_of(review, 4, "mended"), category="other")
    review.decide([5], "reject", reviewer="anna", reason="bad")
    found = list(review.reviewed())
    assert [(one.number, one.edited, one.category) for one in found] == [
        (3, False, "c0"),
        (4, True, "other"),
        (9, False, "c0"),
    ]
    assert found[1].sample is not None
    assert found[1].sample.turns[1].text == "mended"
    assert [(one.number, one.reason) for one in review.reviewed("rejected")] == [(5, "bad")]
    assert len(list(review.reviewed(("accepted", "rejected", "pending")))) == 30


def test_nothing_half_said_is_taken_for_a_decision(review: Review) -> None:
    sample = edit_of(review, 1, "x")
    wrong: list[tuple[Any, str, dict[str, Any]]] = [
        ([1], "love", {}),
        ([30], "accept", {}),
        ([-1], "accept", {}),
        ([1, 2], "edit", {"sample": sample}),
        ([1], "reject", {"sample": sample}),
        ([1], "edit", {}),
        ([1], "edit", {"sample": replace(sample, turns=())}),
        ([1], "edit", {"sample": replace(sample, turns=(Turn("user", "\ud800"),))}),
        ([1], "accept", {"reason": "\ud800"}),
        (["x"], "accept", {}),
    ]
    for numbers, do, more in wrong:
        with pytest.raises(InputError, match="expected|leave out"):
            review.decide(numbers, do, **more)
    assert not review.journal_path.exists()
    assert review.decide([1], "accept") == 1
    assert review.decide([1], "accept") == 0
    assert review.decide([], "accept") == 0
    assert review.decide([1], "edit", sample=review.item(1).sample) == 0
    assert len(review.journal_path.read_text().splitlines()) == 1


def test_two_who_disagree_are_settled_by_a_third(source: Path) -> None:
    with open_review(source, reviewers=("anna", "bob")) as review:
        review.decide([0, 1, 2, 3], "accept", reviewer="anna")
        review.decide([2, 3, 4], "reject", reviewer="bob")
        assert statuses(review)[:5] == ["accepted", "accepted", "disputed", "disputed", "rejected"]
        [pair] = review.agreement()
        assert (pair.reviewers, pair.count, pair.table, pair.kappa) == (("anna", "bob"), 2, ((0, 2), (0, 0)), 0.0)
        review.decide([2], "settle-reject", reviewer="eve", reason="bob is right")
        assert statuses(review)[2] == "rejected"
        review.decide([2], "accept", reviewer="bob")
        assert statuses(review)[2] == "rejected"
        assert review.item(2).reason == "bob is right"
        assert review.undo(2, "eve")
        assert statuses(review)[2] == "accepted"
        assert review.reviewers == ("anna", "bob", "eve")
        assert review.item(3).by_reviewer == {"anna": "accepted", "bob": "rejected"}


def test_of_two_different_edits_one_is_chosen_for_all_and_holds(source: Path) -> None:
    with open_review(source, reviewers=("anna", "bob")) as review:
        before = review.item(2).sample
        of_anna, of_bob = (replace(before, turns=(*before.turns[:-1], Turn("assistant", text))) for text in ("A", "B"))
        review.decide([2], "edit", reviewer="anna", sample=of_anna, category="new")
        review.decide([2], "edit", reviewer="bob", sample=of_bob, reason="typing error")
        review.decide([2], "reject", reviewer="carl", reason="wrong")
        item = review.item(2)
        assert item.status == "disputed"
        assert {name: (one.status, one.reason) for name, one in item.opinions.items()} == {
            "anna": ("accepted", ""),
            "bob": ("accepted", "typing error"),
            "carl": ("rejected", "wrong"),
        }
        assert [one.sample and one.sample.turns[-1].text for one in item.opinions.values()] == ["A", "B", None]
        assert [one.category for one in item.opinions.values()] == ["new", "c2", "c2"]
        review.decide([2], "settle-accept", reviewer="eve", sample=item.opinions["bob"].sample)
        of_all = review.item(2)
        assert (of_all.status, of_all.sample.turns[-1].text) == ("accepted", "B")
        review.decide([2], "edit", reviewer="anna", sample=replace(of_anna, turns=before.turns[:-1]))
        assert review.item(2).sample.turns == of_bob.turns


def test_shares_are_even_and_can_be_asked_for(source: Path) -> None:
    with open_review(source) as review:
        assert review.assign(["anna", "bob", "eve"], per_entry=2, seed=4) == {"anna": 20, "bob": 20, "eve": 20}
        shares = {name: chosen(review, assigned_to=name) for name in ("anna", "bob", "eve")}
        assert sorted(n for share in shares.values() for n in share) == sorted([*range(30), *range(30)])
        some = review.select(Filter(category=("c0",)))
        assert review.assign(["eve"], view=some) == {"eve": 10}
        assert review.rows(some, 0, 1)[0].assigned_to == ("eve",)
        assert len(chosen(review, assigned_to="eve")) == 10 + len([n for n in shares["eve"] if n % 3])
        with pytest.raises(InputError, match="name more reviewers"):
            review.assign(["anna"], per_entry=2)
    with open_review(source) as again:
        assert again.rows(again.select(), 0, 1)[0].assigned_to == ("eve",)


def test_an_entry_given_to_several_is_pending_until_as_many_have_decided(source: Path) -> None:
    with open_review(source) as review:
        review.decide([0], "accept", reviewer="anna")
        review.assign(["anna", "bob"], per_entry=2)  # what was decided before counts, and is held to the same
        review.decide([1], "accept", reviewer="eve")
        review.decide([2, 3], "accept", reviewer="anna")
        review.decide([2], "reject", reviewer="bob", reason="blurred")
        review.decide([3], "edit", reviewer="bob", sample=edit_of(review, 3, "B"))
        review.decide([4], "edit", reviewer="anna", sample=edit_of(review, 4, "A"), category="new")
        assert statuses(review)[:6] == ["pending", "pending", "disputed", "accepted", "pending", "pending"]
        assert [found.number for found in review.reviewed()] == [3]
        waiting = review.item(4)
        assert (waiting.by_reviewer, waiting.assigned_to) == ({"anna": "accepted"}, ("anna", "bob"))
        assert (waiting.edited, waiting.category, waiting.sample.turns[-1].text) == (True, "new", "A")
        assert review.counts(Filter(left_to="bob"))["status"] == {**dict.fromkeys(STATUSES, 0), "pending": 28}
        assert chosen(review, left_to="anna")[:4] == [1, 5, 6, 7] and chosen(review, left_to="eve") == []
        review.undo(2, "bob")
        assert statuses(review)[2] == "pending"
        review.decide([2], "accept", reviewer="eve")  # stands in
        assert statuses(review)[2] == "accepted" and 2 in chosen(review, left_to="bob")
        review.undo(2, "eve")
        review.decide([1], "settle-reject", reviewer="eve")  # nobody has to be waited for
        assert statuses(review)[1] == "rejected"
        review.assign(["anna"], view=review.select())
        assert statuses(review)[:5] == ["accepted", "rejected", "accepted", "accepted", "accepted"]
        review.assign(["anna", "bob", "eve"], per_entry=3)
        review.decide([5], "accept", reviewer="anna")
        review.decide([5], "reject", reviewer="bob")
        assert statuses(review)[5] == "pending"
        review.decide([5], "accept", reviewer="eve")
        assert statuses(review)[5] == "disputed"
    with open_review(source) as again:
        assert statuses(again)[:6] == ["pending", "rejected", "pending", "pending", "pending", "disputed"]


def test_entries_that_were_added_are_shared_out_by_themselves(source: Path) -> None:
    with open_review(source) as review:
        review.assign(["anna", "bob", "eve"], per_entry=2)
        review.decide(chosen(review, assigned_to="anna"), "accept", reviewer="anna")
        review.decide(chosen(review, assigned_to="bob"), "accept", reviewer="bob")
        before = {name: set(chosen(review, assigned_to=name)) for name in ("anna", "bob", "eve")}
        accepted = chosen(review, status=("accepted",))
    write(source, *map(entry, range(41)))
    with open_review(source) as review:
        assert review.assign(["anna", "bob", "eve"], per_entry=2, only_new=True) == {"anna": 8, "bob": 7, "eve": 7}
        after = {name: set(chosen(review, assigned_to=name)) for name in before}
        assert {name: {number for number in share if number < 30} for name, share in after.items()} == before
        assert chosen(review, status=("accepted",)) == accepted
        assert review.assign(["anna", "bob"], only_new=True) == {"anna": 0, "bob": 0}
        review.assign(["anna", "bob"], per_entry=2)  # dealt to others: what two have decided counts all the same
        assert set(accepted) <= set(chosen(review, status=("accepted",)))


def test_a_second_process_sees_what_the_first_decides(source: Path) -> None:
    with open_review(source) as one, open_review(source) as other:
        begun = other.changes(-1)
        assert (begun.numbers, begun.count, begun.is_indexed) == ((), 30, True)
        one.decide([3, 4], "accept", reviewer="anna")
        found = other.changes(begun.since)
        assert found.numbers == (3, 4)
        assert other.changes(found.since).numbers == ()
        other.decide([4], "reject", reviewer="bob")
        assert statuses(one) == statuses(other)
        assert statuses(one)[3:5] == ["accepted", "disputed"]
        assert one.undo_last("anna") == (3, 4)
        assert other.item(4).history[-1][1:] == Past("", "anna", "undo", "")[1:]


def test_decisions_of_many_threads_are_all_there(review: Review) -> None:
    def work(name: str) -> None:
        for number in range(30):
            review.decide([number], "accept", reviewer=name)
            review.rows(review.select(Filter(text="what")), number, 2)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("anna", "bob", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses(review)) == {"accepted"}
    assert review.counts()["reviewer"] == {"anna": 30, "bob": 30, "eve": 30}


DECIDING = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from mm2energon.review.review import open_review
    if __name__ == "__main__":
        with open_review(Path(sys.argv[1])) as review:
            number = 0
            while True:
                do = ("accept", "reject")[number // 30 % 2]
                review.decide([number % 30], do, reviewer="anna", reason=str(number))
                print(number, flush=True)
                number += 1
    """
)


def test_a_decision_that_was_answered_survives_kill_9(source: Path) -> None:
    for _ in range(2):
        run = subprocess.Popen([sys.executable, "-c", DECIDING, str(source)], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        answered = [int(run.stdout.readline()) for _ in range(47)]
        os.kill(run.pid, signal.SIGKILL)
        answered += [int(line) for line in run.stdout.read().split()]
        run.wait()
        with open_review(source) as review:
            reasons = {past.reason for number in range(30) for past in review.item(number).history}
            assert reasons >= {str(number) for number in answered[30:]}
            assert review.problem is None
            review.decide(review.select(), "reset", reviewer="anna")


def test_a_large_source_is_shown_while_a_process_indexes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", *map(entry, range(1500)))
    with open_review(path) as review:
        review.decide([1, 1400], "reject", reviewer="anna")
        expected = statuses(review)
        identities = [row.identity for row in review.rows(review.select(), 0, 1500)]
    monkeypatch.setitem(entries_module._SMALL, "json", 0)
    [folder] = (tmp_path / ".mm2energon/review").iterdir()
    about = json.loads((folder / "about.json").read_bytes())
    # As after kill -9: some count, others are half written.
    (folder / "about.json").write_bytes(
        json.dumps({**about, "is_complete": False, "count": 100, "text_bytes": text_end(folder, 100)}).encode()
    )
    with (folder / "digest.bin").open("ab") as file:
        file.write(b"torn")
    with open_review(path) as review, open_review(path) as other:
        seen = review.rows(review.select(), 0, 5)
        assert [row.number for row in seen] == list(range(5))
        review.decide([0], "accept", reviewer="anna")
        review.wait()
        other.wait()
        assert review.total == other.total == 1500
        assert statuses(review) == statuses(other) == ["accepted", *expected[1:]]
        assert [row.identity for row in review.rows(review.select(), 0, 1500)] == identities
        assert review.progress == 1.0
    with open_review(path) as review:
        assert review.is_indexed


def text_end(folder: Path, count: int) -> int:
    return int.from_bytes((folder / "text_end.bin").read_bytes()[8 * count - 8 : 8 * count], "little")


def test_an_index_may_be_removed_or_damaged(source: Path) -> None:
    with open_review(source) as review:
        review.decide([3], "accept")
        identities = [row.identity for row in review.rows(review.select())]
    [folder] = (source.parent / ".mm2energon/review").iterdir()
    for name in ("digest.bin", "about.json", "texts.bin"):
        (folder / name).write_bytes(b"{")
        with open_review(source) as review:
            assert [row.identity for row in review.rows(review.select())] == identities
            assert chosen(review, status=("accepted",)) == [3]
            assert len(chosen(review, text="what")) == 30


def test_an_index_that_cannot_be_finished_is_told_and_not_waited_for(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(entries_module._SMALL, "json", 0)
    with open_review(source) as review:
        process = review._state.entries._process
        assert process is not None
        process.kill()
        process.wait()
        if not review.is_indexed:  # it may have been quicker
            assert "indexing ended before all was read" in str(review.problem)
            with pytest.raises(InputError, match="ended before"):
                review.wait()
    with open_review(source) as review:
        review.wait()
        assert review.total == 30


def test_the_index_of_a_source_that_was_is_removed(source: Path) -> None:
    for count in (3, 4):
        write(source, *map(entry, range(count)))
        with open_review(source) as review:
            assert review.total == count
    assert len(list((source.parent / ".mm2energon/review").iterdir())) == 1


def test_a_source_that_changes_under_us_is_told_and_not_mistaken(review: Review, source: Path) -> None:
    write(source, *map(entry, range(1, 31)))
    with pytest.raises(InputError, match="has changed since it was opened"):
        review.item(3)
    assert review.problem is not None
    assert "stop, and start again" in review.problem


def test_media_that_were_brought_or_taken_since_are_seen(source: Path) -> None:
    for number in (2, 3):
        (source.parent / "p").mkdir(exist_ok=True)
        (source.parent / f"p/{number}.jpg").write_bytes(b"x")
    with open_review(source) as review:
        assert [row.warnings for row in review.rows(review.select(), 1, 3)] == [("missing-media",), (), ()]
    (source.parent / "p/1.jpg").write_bytes(b"x")
    (source.parent / "p/3.jpg").unlink()
    with open_review(source) as review:
        lacking = [0, *range(4, 30)]
        assert chosen(review, warning=("missing-media",)) == lacking  # of these it was looked at once more
        assert [row.warnings for row in review.rows(review.select(), 1, 3)] == [(), (), ("missing-media",)]
        assert review.item(1).warnings == ()
        assert chosen(review, warning=("missing-media",)) == sorted([3, *lacking])
        assert review.counts()["warning"] == {"missing-media": 28}


def test_where_nothing_can_be_written_the_data_is_shown(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source.parent / ".mm2energon").write_text("in the way")
    with open_review(source) as review:
        assert review.total == 30
        assert review.temporary is not None
        assert review.temporary.is_dir()
    assert not review.temporary.exists()


BROKEN = b"""{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "category": 7}
{"conversations": [{"from": "hum
{"question": "what?"}
[{"conversations": []}, 5]
{"conversations": [{"from": "human", "value": "\\ud800"}], "image": "../outside.jpg", "extra": {"category": "deep"}}
"""


def test_what_is_broken_is_shown_in_its_place_and_can_be_decided_on(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(BROKEN)
    with open_review(tmp_path / "a.jsonl") as review:
        rows = review.rows(review.select())
        assert [row.origin for row in rows] == [
            "a.jsonl:1",
            "a.jsonl:2",
            "a.jsonl:3",
            "a.jsonl:4[0]",
            "a.jsonl:4[1]",
            "a.jsonl:5",
        ]
        assert [row.question for row in rows][2:5] == ['{"question": "what?"}', '{"conversations": []}', "5"]
        codes = [review.item(row.number).error for row in rows]
        assert [code and code[0] for code in codes] == [
            None,
            "broken-json",
            "unknown-format",
            "no-turns",
            "not-an-object",
            None,
        ]
        assert rows[1].question.startswith('{"conversations": [{"from": "hum')
        assert [row.category for row in rows] == ["7", "", "", "", "", "deep"]
        assert rows[5].question == "?"
        assert "outside-root" in rows[5].warnings
        assert chosen(review, warning=("broken-json", "no-turns")) == [1, 3]
        assert chosen(review, text="what?") == [2]
        assert review.decide(review.select(), "reject") == 6
        assert [one.error and one.error[0] for one in review.reviewed("rejected")][1] == "broken-json"


def test_duplicates_are_found_by_what_they_say_and_show(tmp_path: Path) -> None:
    one, other = entry(1), entry(2)
    said = {**other, "images": one["images"]}
    again = {**one, "id": 99, "more": True}
    with open_review(write(tmp_path / "a.json", one, other, one, again, said)) as review:
        assert chosen(review, duplicates=True) == [0, 2, 3]
        assert review.alike(0).groups() == {
            "same entry": (2,),
            "same media": (2, 3, 4),
            "same question": (2, 3),
            "same text": (2, 3),
        }
        assert review.alike(1).groups() == {"same question": (4,), "same text": (4,)}
        assert [row.identity.partition(".")[2] for row in review.rows(review.select())] == ["0", "0", "1", "0", "0"]


def test_an_answer_is_kept_behind_the_entries_of_the_source(source: Path) -> None:
    sample = Sample((Turn("user", "<video>\nWho?"), Turn("assistant", "A fox.")), videos=("v.mp4",))
    with open_review(source) as review, open_review(source) as other:
        assert review.keep(sample, {"model": "m", "category": "chat"}) == 30
        assert (
            other.keep(replace(sample, turns=(*sample.turns, Turn("user", "Why?"), Turn("assistant", "So."))), {}) == 31
        )
        assert review.count == review.total == 32
        row = review.rows(review.select(Filter(text="fox")), 0, 1)[0]
        assert (row.number, row.origin, row.category) == (30, "a.kept.jsonl:1", "chat")
        kept = review.item(30).sample
        assert kept is not None
        assert replace(kept, extra={}) == replace(sample, origin="a.kept.jsonl:1")
        assert {**kept.extra["extra"], "kept": ""} == {"model": "m", "category": "chat", "kept": ""}
        review.decide([30], "accept", reviewer="anna")
        assert [one.number for one in other.reviewed()] == [30]
    with open_review(source) as again:
        assert statuses(again)[30:] == ["accepted", "pending"]


def test_what_a_review_writes_is_never_taken_for_annotations(source: Path) -> None:
    sample = Sample((Turn("user", "Who?"), Turn("assistant", "A fox.")))
    with open_review(source) as review:
        review.decide([1], "edit", sample=edit_of(review, 1, "x"))
        review.keep(sample, {})
    found = find_annotations(source.parent)
    assert (found.annotations, found.ignored) == ([source.name], {})
    assert annotation_files_in(source.parent) == ([source], [])
    theirs = write(source.with_name("b.kept.jsonl"), entry(1))
    assert annotation_files_in(source.parent)[0] == [source, theirs]


def test_a_csv_begins_with_what_its_status_column_says(tmp_path: Path) -> None:
    rows = ["1,a.mp4,What?,x,A cat.,Accepted", "2,b.mp4,Why?,y,,rejected", "3,c.mp4,Who?,,Me.,", "4,d,Q,,A,seen"]
    (tmp_path / "a.csv").write_text("\n".join(["index,video_file_path,question,category,answer,status", *rows]))
    with open_review(tmp_path / "a.csv") as review:
        assert statuses(review) == ["accepted", "rejected", "pending", "pending"]
        assert review.item(1).error is not None
        assert [one.number for one in review.reviewed()] == [0]
        review.decide([1], "edit", sample=edit_of(review, 1, "Because."))
        assert (review.item(1).error, review.item(1).status) == (None, "accepted")
        assert review.decide([0], "reset") == 1
        assert statuses(review)[:2] == ["pending", "accepted"]
        review.undo(0)
        assert statuses(review)[0] == "accepted"
        assert review.item(0).fields["index"] == "1"
        assert chosen(review, category=("x", "y")) == [0, 1]


@pytest.mark.parametrize(("name", "text"), [("a.json", ""), ("a.jsonl", "\n"), ("a.csv", ""), ("a.json", "[]")])
def test_a_source_that_holds_nothing_says_so(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with open_review(tmp_path / name) as review:
        assert (review.count, review.total) == (0, 0)
        assert review.problem == f"{tmp_path / name}: holds no entries"
        assert review.rows(review.select()) == []
        assert review.counts()["category"] == {}
        assert (review.decide(review.select(), "accept"), review.agreement()) == (0, [])


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\x1f\x8b....")
    (tmp_path / "folder").mkdir()
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/dataset_dict.json").write_text('{"splits": ["train"]}')
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    write(tmp_path / "b.json", entry(1))
    write(tmp_path / "b.review.jsonl", {"version": 1, "do": "accept", "entries": []})
    os.mkfifo(tmp_path / "pipe.json")
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("none.json", {}, "is not there"),
        ("pipe.json", {}, "is a pipe or a device"),
        ("b.review.jsonl", {}, "holds decisions"),
        ("folder", {}, "is a folder, and holds no metadata of finished shards"),
        ("rows.parquet", {}, "is Parquet or Arrow; .* mm2energon convert"),
        ("saved", {}, "is a dataset that `datasets` saved; .* mm2energon convert"),
        ("b.json", {"root": tmp_path / "none"}, "is no folder"),
        ("b.json", {"read_as": "nothing"}, "no such format"),
        ("b.json", {"reviewers": ("a", "a")}, "named twice"),
        ("b.json", {"target": "nothing"}, "no such target"),
    ]
    for name, options, said in cases:
        with pytest.raises(InputError, match=said):
            open_review(tmp_path / name, **options)
    with open_review(tmp_path / "a.json") as review:
        assert review.problem is not None
        assert "is compressed" in review.problem
        with pytest.raises(InputError, match="is compressed"):
            list(review.reviewed())
