"""The history is a file of lines that stays small and survives whatever happens to it."""

from __future__ import annotations

import json
from pathlib import Path

from mm2energon.videochat.history import History


def test_the_latest_question_comes_first_also_for_the_next_studio(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.jsonl"
    history = History(path)
    for number in range(3):
        history.add({"id": str(number), "question": "wer? \N{SNOWMAN}\u2028"})
    assert [entry["id"] for entry in History(path).entries()] == ["2", "1", "0"]
    assert History(path).find("1") == {"id": "1", "question": "wer? \N{SNOWMAN}\u2028"}
    assert History(path).find("7") is None
    assert len(path.read_text().splitlines()) == 3


def test_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    history = History(path, most=5)
    for number in range(50):
        history.add({"id": str(number)})
        assert len(path.read_text().splitlines()) <= 10
    assert [entry["id"] for entry in history.entries()] == ["49", "48", "47", "46", "45"]
    assert [entry["id"] for entry in History(path, most=5).entries()] == ["49", "48", "47", "46", "45"]


def test_a_line_that_was_cut_off_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"id": "1"}\nnonsense\n[1]\n{"id": "2"}\n{"id": "3", "que')
    history = History(path)
    history.add({"id": "4"})
    assert [entry["id"] for entry in History(path).entries()] == ["4", "2", "1"]


def test_two_studios_add_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    one, other = History(path), History(path)
    one.add({"id": "1"})
    other.add({"id": "2"})
    one.add({"id": "3"})
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["1", "2", "3"]


def test_without_a_file_it_is_kept_in_memory() -> None:
    history = History(None)
    history.add({"id": "1"})
    assert history.entries() == [{"id": "1"}]


def test_what_is_very_long_loses_its_replies_and_keeps_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    History(path).add({"id": "1", "answers": [{"text": "two", "reply": "x" * (2 << 20)}]})
    assert path.stat().st_size < 1000
    assert History(path).entries()[0]["answers"] == [{"text": "two", "reply": ""}]
