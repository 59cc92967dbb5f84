"""Guided: a new user answers questions, wrongly at first, and is told what the command was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mm2energon.cli import main
from speech.scripts import TEN, in_turn, talk, track
from speech.talks import write_talk, write_wav


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user types, one line after the other; then the input ends."""
    lines: list[str] = []

    def typed() -> Iterator[str]:
        while lines:
            yield lines.pop(0)

    source = typed()

    def ask(question: str) -> str:
        print(question, end="")
        answer = next(source, None)
        if answer is None:
            raise EOFError
        print(answer)
        return answer

    monkeypatch.setattr("builtins.input", ask)
    return lines


def test_a_new_user_gets_there_with_wrong_answers(
    answers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = talk(tmp_path / "my talk.mkv", in_turn(TEN[:2]))
    output = tmp_path / "out.jsonl"
    (tmp_path / "mine.txt").write_text("mine")
    mute = write_talk(tmp_path / "mute.mp4", seconds=1)
    mono = write_wav(tmp_path / "mono.wav", np.zeros(1600, np.int16))
    answers += ["", "nowhere.mkv", str(tmp_path / "mine.txt"), str(mute), str(mono), str(path)]
    answers += ["7", "0", "0", "1"]
    answers += ["siri", "pocketsphinx"]
    answers += [str(tmp_path), str(tmp_path / "mine.txt"), str(output)]
    answers += ["perhaps", "n"]
    assert main(["transcribe", "-i"]) == 0
    told = capsys.readouterr().out
    for problem in (
        "a path was expected",
        "nowhere.mkv: no such file",
        "mine.txt: it cannot be read",
        "mute.mp4: has no audio track",
        "mono.wav: has one track of one channel",
        "no track is '7'",
        "is the user's track; another one was expected",
        "siri: one of",
        "is a folder",
        "was not written by mm2energon",
        "perhaps: y or n was expected",
    ):
        assert problem in told
    command = next(line for line in told.splitlines() if line.startswith("  mm2energon transcribe"))
    assert f"'{path}' --user-track 0 --assistant-track 1 --engine pocketsphinx --output {output}" in command
    (entry,) = [json.loads(line) for line in output.read_text().splitlines()]
    assert [turn["role"] for turn in entry["messages"]] == ["user", "assistant"]


def test_enter_takes_what_is_offered(
    answers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    talk(tmp_path / "talk.mkv", in_turn(TEN[:2]))
    answers += ["", "", "", "", ""]
    more = ["--mask", "email,phone", "--turn-gap", "2.5", "--srt", "--engine", "pocketsphinx"]
    assert main(["transcribe", "talk.mkv", "-i", *more]) == 0
    assert len((tmp_path / "output.jsonl").read_text().splitlines()) == 1
    told = capsys.readouterr().out
    assert "talk.mkv --user-track 0 --assistant-track 1" in told
    assert "--turn-gap 2.5 --mask email,phone --srt" in told


def test_one_track_of_two_channels_is_asked_for_its_channels(
    answers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = np.stack([track(in_turn(TEN[:2]), one).samples for one in ("assistant", "user")], axis=1)
    path = write_wav(tmp_path / "call.wav", both)
    answers += ["middle", "right", "pocketsphinx", str(tmp_path / "out.jsonl"), ""]
    assert main(["transcribe", str(path), "-i"]) == 0
    told = capsys.readouterr().out
    assert "middle: one of left, right was expected" in told
    assert "--user-channel right" in told


def test_answers_that_end_too_early_are_told(answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "-i"]) == 1
    told = capsys.readouterr()
    assert "the answers ended before all was asked" in told.err
    assert told.out.endswith(": \n")  # what is said of it does not go on with the question
