"""How far recordings are heard is shown while they are, second by second, and no second twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mm2energon.speech import notes
from mm2energon.speech.notes import Note, Watch, seconds_of

from speech.talks import Told, bursts, write_talk


class Bar:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.done = 0

    def update(self, count: int, /, **_: float) -> Any:
        self.done += count

    def close(self) -> Any:
        pass


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_PAUSE", 0.0)


def test_what_workers_note_is_shown_and_the_rest_when_they_have_ended(tmp_path: Path) -> None:
    bar, one, other = Bar(), tmp_path / "one.1a.json", tmp_path / "other.2b.json"
    watch = Watch({one: 100.0, other: 50.4}, bar)
    note = Note(one)
    for share, shown in ((0.25, 25), (0.25, 25), (0.5, 50), (0.4, 50)):
        note.tell(share)
        watch.look()
        assert bar.done == shown
    watch.ended(one)
    watch.look()
    assert bar.done == 100
    watch.ended(other)
    assert bar.done == 150


def test_a_note_that_is_gone_half_written_or_somebody_elses_is_passed_over(tmp_path: Path) -> None:
    bar, place = Bar(), tmp_path / "one.json"
    watch = Watch({place: 10.0}, bar)
    (tmp_path / "one.heard").write_text("0.")
    (tmp_path / "two.heard").write_text("0.9")
    watch.look()
    (tmp_path / "one.heard").write_text("x")
    watch.look()
    assert bar.done == 0
    Note(place).remove()
    Note(place).remove()
    assert not (tmp_path / "one.heard").exists()


def test_a_place_where_nothing_can_be_noted_is_no_fault(tmp_path: Path) -> None:
    note = Note(tmp_path / "nowhere" / "one.json")
    note.tell(0.5)
    note.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_bar_counts_the_seconds_of_what_can_be_read(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.mka", Told(bursts([1], 3)), video=False)
    (tmp_path / "none.mkv").write_text("no recording")
    assert seconds_of(path) == pytest.approx(3, abs=0.1)
    assert seconds_of(tmp_path / "none.mkv") == 0
    assert seconds_of(tmp_path / "gone.mkv") == 0
