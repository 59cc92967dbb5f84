"""Entries keep their decisions when an export writes edited texts into the CSV that they come from."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from mm2energon.review.csv_update import take_place
from mm2energon.review.export import export
from mm2energon.review.export_job import ExportJob
from mm2energon.review.moves import renamed
from mm2energon.review.review import open_review
from mm2energon.sample import Turn

from review.reviewing import edited, row, write_csv

SAME = "1,v.mp4,What?,c,A.,"


def standing(review):
    """Of each entry its status, whether it is edited, its question, and what was done to it."""
    review.wait()
    rows = review.rows(review.select())
    return [(one.status, one.edited, one.question, [past.do for past in _item(review, one).history]) for one in rows]


def _item(review, one):
    return review.item(one.number, "anna")


@pytest.fixture(params=["plain", "packed"])
def reviewed(request, tmp_path, monkeypatch):
    """Two rows that are the same, of which the first is edited; a rejected one; one that is edited to what they say.

    Their names stand in the journal as texts, or packed as those of many are.
    """
    if request.param == "packed":
        monkeypatch.setattr("mm2energon.review.journal._MOST_TEXTS", 0)
    path = write_csv(tmp_path / "a.csv", SAME, SAME, row(2), "1,v.mp4,Why?,c,A.,")
    with open_review(path, reviewers=["anna"]) as review:
        review.wait()
        for number, question in ((0, "What is it?"), (3, "What?")):
            sample = replace(review.item(number).sample, turns=edited(question, "A."))
            review.decide([number], "edit", reviewer="anna", sample=sample)
        review.decide([2], "reject", reviewer="anna", reason="wrong")
        yield review


EXPECTED = [
    ("accepted", True, "What is it?", ["edit"]),
    ("pending", False, "What?", []),
    ("rejected", False, "What is 2?", ["reject"]),
    ("accepted", True, "What?", ["edit"]),
]


def test_decisions_stay_with_their_rows_here_elsewhere_and_when_it_is_opened_again(reviewed, tmp_path):
    with open_review(reviewed.path, reviewers=["bert"]) as elsewhere:
        assert standing(elsewhere) == standing(reviewed) == EXPECTED
        job = ExportJob(tmp_path / "out", ("llava",), checks_videos=False)
        assert export(reviewed, job).csv.rows == 3
        with reviewed.path.open(newline="") as file:
            questions = [one["question"] for one in csv.DictReader(file)]
        assert questions == ["What is it?", "What?", "What is 2?", "What?"]
        assert standing(reviewed) == standing(elsewhere) == EXPECTED
        with open_review(reviewed.path) as again:
            assert standing(again) == EXPECTED and again.problem is None
        before = reviewed.path.read_bytes()
        assert export(elsewhere, job).csv.rows == 0 and reviewed.path.read_bytes() == before
        # Decided after the rows had other names, by somebody who was there before.
        elsewhere.decide([1], "accept", reviewer="bert")
        assert [one[0] for one in standing(reviewed)] == ["accepted", "accepted", "rejected", "accepted"]


def test_a_decision_on_a_row_that_was_changed_by_hand_is_told_of(reviewed, tmp_path):
    reviewed.path.write_text(reviewed.path.read_text().replace("What is 2?", "What is two?"))
    with open_review(reviewed.path) as again:
        exported = export(again, ExportJob(tmp_path / "out", ("legacy-qwen",), checks_videos=False))
    assert exported.samples == 2 and exported.left_out == {"pending": 2}
    assert any("1 decisions are about entries that are not there any more" in note for note in exported.advice)
    assert "not there any more" in (tmp_path / "out/export_log.txt").read_text()


def test_an_edit_of_a_row_need_not_name_its_video(reviewed, tmp_path):
    sample = reviewed.item(1).sample
    for turns in (edited("Where?", "There."), (Turn("user", "Where?"), Turn("assistant", "There."))):
        reviewed.decide([1], "edit", reviewer="anna", sample=replace(sample, turns=turns))
        assert [turn.text for turn in reviewed.item(1).sample.turns] == ["<video>\nWhere?", "There."]
    exported = export(reviewed, ExportJob(tmp_path / "out", ("legacy-qwen",), checks_videos=False))
    assert exported.records == 3 and exported.skipped == []


def test_only_entries_whose_names_change_are_renamed():
    before = np.array([7, 5, 7, 9, 7], np.uint64)
    old, new = renamed(before, {0: 5, 3: 11})
    ids = [f"{digest:016x}.{place}" for digest, place in ((7, 0), (7, 1), (9, 0), (7, 2), (5, 0))]
    assert dict(zip(old, new, strict=True)) == {
        ids[0]: f"{5:016x}.0",
        ids[4]: f"{5:016x}.1",
        ids[1]: f"{7:016x}.0",
        ids[2]: f"{11:016x}.0",
        ids[3]: f"{7:016x}.1",
    }
    assert renamed(before, {}) == ([], [])


@pytest.mark.parametrize("is_exchanged", [False, True])
def test_an_export_that_was_killed_around_the_exchange_of_the_csv_costs_no_decision(
    reviewed, tmp_path, monkeypatch, is_exchanged
):
    def killed(fresh, path):
        if is_exchanged:
            take_place(fresh, path)
        raise KeyboardInterrupt

    job = ExportJob(tmp_path / "out", ("llava",), checks_videos=False)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("mm2energon.review.export.take_place", killed)
        export(reviewed, job)
    with open_review(reviewed.path) as again:
        assert standing(again) == EXPECTED and again.problem is None
        assert export(again, job).csv.rows == (0 if is_exchanged else 3)
    with open_review(reviewed.path) as again:
        assert standing(again) == EXPECTED
    does = [json.loads(line)["do"] for line in reviewed.journal_path.read_text().splitlines()]
    assert does == ["edit", "edit", "reject", "moving", "moved"]
