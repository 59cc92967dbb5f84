"""Transcribe, from recordings to lines of ChatML, as a user runs it; voices are real, recognised by pocketsphinx."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mm2energon.cli import main

from speech.saying import placed, say, word_errors
from speech.scripts import TEN, Line, in_turn, talk, track
from speech.talks import Told, write_talk, write_wav

BY_SPHINX = ("--engine", "pocketsphinx", "--workers", "1")


def lines_of(path: Path) -> list[Any]:
    """The entries of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def turns_of(path: Path) -> list[tuple[str, str]]:
    """Role and text of each turn of all conversations."""
    return [(turn["role"], turn["content"]) for entry in lines_of(path) for turn in entry["messages"]]


def set_aside(folder: Path) -> list[Any]:
    """What the account of a folder holds."""
    path = folder / "set_aside.jsonl"
    return lines_of(path) if path.is_file() else []


def error_rate(said: list[str], heard: list[str]) -> float:
    words = sum(len(text.split()) for text in said)
    return sum(word_errors(one.split(), other.split()) for one, other in zip(said, heard, strict=True)) / words


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Line]]:
    """A recording of ten turns, of which the assistant's track begins two seconds late."""
    lines = in_turn(TEN)
    return talk(tmp_path_factory.mktemp("ten") / "talk.mp4", lines, late=2.0), lines


@pytest.fixture(scope="module")
def written(ten: tuple[Path, list[Line]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `transcribe` makes of it."""
    output = tmp_path_factory.mktemp("out") / "chat.jsonl"
    assert main(["transcribe", str(ten[0]), "--output", str(output), *BY_SPHINX, "--srt", "--vtt", "--json"]) == 0
    return output


def test_a_recording_of_ten_turns_gives_the_ten_turns_in_order(written: Path, ten: tuple[Path, list[Line]]) -> None:
    turns = turns_of(written)
    assert [role for role, _ in turns] == ["user", "assistant"] * 5
    assert error_rate(list(TEN), [text for _, text in turns]) < 0.25
    assert len(lines_of(written)) == 1


def test_times_are_those_of_the_video(written: Path, ten: tuple[Path, list[Line]]) -> None:
    about = lines_of(written)[0]["extra"]
    assert about["recording"] == "talk.mp4"
    for turn, line in zip(about["turns"], ten[1], strict=True):
        assert turn["start"] == pytest.approx(line.start, abs=0.3)
        assert turn["end"] == pytest.approx(line.end, abs=0.3)
        assert 0 < turn["confidence"] <= 1


def test_the_account_counts_every_utterance(written: Path) -> None:
    report = json.loads((written.parent / "report.json").read_text())
    assert report["read"] == sum(report["written"].values()) + sum(report["set_aside"].values()) == 10
    assert (report["conversations"], report["turns"], report["recordings"]) == (1, 10, 1)


def test_the_entry_is_read_by_every_trainer_of_the_table(written: Path, tmp_path: Path) -> None:
    for name in ("llama-factory", "ms-swift", "sharegpt"):
        assert main(["convert", str(written), str(tmp_path / name / "out.jsonl"), "--to", name]) == 0
        assert len(lines_of(tmp_path / name / "out.jsonl")) == 1


def test_what_was_recognised_is_not_recognised_again(
    written: Path, ten: tuple[Path, list[Line]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written.read_bytes()
    monkeypatch.setattr("mm2energon.speech.engines.load", lambda _: pytest.fail("it was recognised again"))
    command = ["transcribe", str(ten[0]), "--output", str(written), *BY_SPHINX]
    assert main(command) == 0
    assert "was complete already" in capsys.readouterr().out
    assert written.read_bytes() == before
    assert main([*command, "--system", "Be kind.", "--max-seconds", "20"]) == 0
    entries = lines_of(written)
    assert len(entries) > 1
    assert all(entry["messages"][0] == {"role": "system", "content": "Be kind."} for entry in entries)
    assert all(entry["extra"]["end"] - entry["extra"]["start"] <= 20 for entry in entries)
    assert main(command) == 0
    assert written.read_bytes() == before


def test_a_stereo_track_with_a_speaker_on_each_channel(tmp_path: Path) -> None:
    lines = in_turn(TEN[:2])
    both = [track(lines, speaker).samples for speaker in ("assistant", "user")]
    path = write_wav(tmp_path / "call.wav", np.stack(both, axis=1))
    output = tmp_path / "out.jsonl"
    assert main(["transcribe", str(path), "--user-channel", "Right", "--output", str(output), *BY_SPHINX]) == 0
    assert error_rate(list(TEN[:2]), [text for _, text in turns_of(output)]) < 0.25


def test_bleed_of_one_voice_into_the_other_track_is_no_turn(tmp_path: Path) -> None:
    lines = in_turn(TEN[:4])
    user, assistant = (track(lines, speaker).samples.astype(float) for speaker in ("user", "assistant"))
    tracks = (user + assistant * 10 ** (-12 / 20), assistant + user * 10 ** (-25 / 20))
    path = write_talk(tmp_path / "talk.mkv", *(Told(np.rint(one * 0.8).astype(np.int16)) for one in tracks))
    output = tmp_path / "out.jsonl"
    assert main(["transcribe", str(path), "--output", str(output), *BY_SPHINX]) == 0
    assert [role for role, _ in turns_of(output)] == ["user", "assistant"] * 2
    assert error_rate(list(TEN[:4]), [text for _, text in turns_of(output)]) < 0.3


def test_a_barge_in_is_read_where_it_begins_or_where_the_other_has_ended(tmp_path: Path) -> None:
    ask, tell, stop, end = TEN[0], TEN[1], TEN[2], TEN[3]
    first = in_turn([ask, tell])
    barge = Line("user", stop, first[1].end - 1.0)
    answer = Line("assistant", end, barge.end + 0.7)
    path = talk(tmp_path / "talk.mkv", [*first, barge, answer])
    output = tmp_path / "out.jsonl"
    for policy, expected in (("interleave", 4), ("hold", 4), ("drop", 2)):
        status = main(
            ["transcribe", str(path), "--output", str(output), *BY_SPHINX, "--overlap", policy, "--turn-gap", "9"]
        )
        assert status == (3 if policy == "drop" else 0)
        assert [role for role, _ in turns_of(output)] == ["user", "assistant"] * (expected // 2)
    assert [one["reason"] for one in set_aside(tmp_path)] == ["overlap"]


def test_three_speakers_have_their_names(tmp_path: Path) -> None:
    lines = [Line("user", TEN[0], 0.6)]
    lines.append(Line("user", TEN[2], lines[0].end + 0.5))
    lines.append(Line("assistant", TEN[1], lines[1].end + 0.7))
    until = lines[2].end + 1
    tracks = [
        Told(placed([(one.start, say(one.text, "slt" if n < 2 else "rms"))], until)) for n, one in enumerate(lines)
    ]
    path = write_talk(tmp_path / "talk.mkv", *tracks)
    output = tmp_path / "out.jsonl"
    command = ["transcribe", str(path), "--track", "Anna=0", "--track", "Ben:user=1", "--track", "assistant=2"]
    assert main([*command, "--output", str(output), *BY_SPHINX]) == 0
    (role, asked), (other, _) = turns_of(output)
    assert (role, other) == ("user", "assistant")
    assert [line.partition(":")[0] for line in asked.splitlines()] == ["Anna", "Ben"]


def test_tracks_that_hold_one_sound_are_refused_with_both_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = track(in_turn(TEN[:2]), "user")
    path = write_talk(tmp_path / "talk.mkv", one, one)
    assert main(["transcribe", str(path), "--output", str(tmp_path / "out.jsonl"), *BY_SPHINX]) == 1
    told = capsys.readouterr().err
    assert "'user' (track 0" in told
    assert "are the same sound" in told
    assert not (tmp_path / "out.jsonl").exists()


def test_a_silent_track_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = in_turn(TEN[:2])
    silent = Told(np.zeros(len(track(lines, "user").samples), np.int16))
    path = write_talk(tmp_path / "talk.mkv", track(lines, "user"), silent)
    assert main(["transcribe", str(path), "--output", str(tmp_path / "out.jsonl"), *BY_SPHINX]) == 1
    assert "'assistant' (track 1 (aac" in (told := capsys.readouterr().err)
    assert "is silent" in told


def test_swapped_tracks_are_suspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = talk(tmp_path / "talk.mkv", in_turn(TEN[:4]))
    output = tmp_path / "out.jsonl"
    swapped = ["--user-track", "1", "--assistant-track", "0", "--allow-set-aside"]
    assert main(["transcribe", str(path), "--output", str(output), *swapped, *BY_SPHINX]) == 0
    assert "are the tracks swapped?" in capsys.readouterr().out


def test_a_wrong_track_names_those_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = talk(tmp_path / "talk.mkv", in_turn(TEN[:2]))
    assert (
        main(["transcribe", str(path), "--assistant-track", "5", "--output", str(tmp_path / "o.jsonl"), *BY_SPHINX])
        == 1
    )
    told = capsys.readouterr().err
    assert "no track is '5'; it has 0 (aac, 1 ch, 16000 Hz); 1 (aac" in told


def test_the_transcripts_beside_it_hold_all_that_was_said(written: Path) -> None:
    folder = written.parent / "chat.transcripts"
    assert sorted(path.name for path in folder.iterdir()) == ["talk.json", "talk.srt", "talk.vtt"]
    assert (folder / "talk.srt").read_text().count("-->") == 10
    assert (folder / "talk.vtt").read_text().count("<v user>") == 5
    assert len(json.loads((folder / "talk.json").read_text())["segments"]) == 10


def test_verbose_tells_tracks_steps_and_turns_as_they_are_written(
    ten: tuple[Path, list[Line]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("user", "Call 555 1234567, please."), ("assistant", "So I do.")):
        begin = 1 if name == "user" else 4
        (tmp_path / f"{name}.srt").write_text(f"1\n00:00:0{begin},000 --> 00:00:0{begin + 2},000\n{text}\n")
    transcripts = [f"--transcript={name}={tmp_path / name}.srt" for name in ("user", "assistant")]
    output = tmp_path / "out.jsonl"
    options = ["--engine", "transcript", *transcripts, "--output", str(output), "--mask", "phone"]
    assert main(["transcribe", str(ten[0]), *options]) == 0
    assert "Call" not in capsys.readouterr().out
    assert main(["transcribe", str(ten[0]), *options, "--verbose"]) == 0
    told = capsys.readouterr().out
    assert "talk.mp4: " in told
    assert "  user: track 0 (aac, 1 ch, 16000 Hz), 2.0 s of speech, 1 utterances" in told
    assert "  talk-0001: 1.00 - 6.00 s" in told
    assert [line.split() for line in told.splitlines() if "[phone]" in line] == [
        ["1.00", "-", "3.00", "user", "1.00", "Call", "[phone],", "please."]
    ]


def test_an_output_never_replaces_what_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_wav(tmp_path / "talk.wav", np.zeros((1600, 2), np.int16))
    said = tmp_path / "user.json"
    said.write_text('{"segments": []}')
    before = path.read_bytes(), said.read_bytes()
    options = ["--engine", "transcript", f"--transcript=user={said}", "--overwrite", "--output"]
    for output in (path, said, tmp_path / ".." / tmp_path.name / "talk.wav"):
        assert main(["transcribe", str(path), *options, str(output)]) == 1
        assert "is the input itself; another name was expected" in capsys.readouterr().err
    assert main(["transcribe", str(path), *options, str(tmp_path)]) == 1
    assert "is a folder; the name of a file was expected" in capsys.readouterr().err
    assert (path.read_bytes(), said.read_bytes()) == before
