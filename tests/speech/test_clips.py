"""From recordings to shards with what was seen and heard, read back by Energon; the words are from transcripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media import ffmpeg, read_number, write_clip
from mm2energon.cli import main

from speech.talks import Told, bursts, write_talk

SRT = {
    "user": [(1.0, 1.8, "What is this?"), (5.0, 5.6, "And now?")],
    "assistant": [(2.2, 3.0, "A number."), (6.0, 7.0, "Another one.")],
}


def clock(seconds: float) -> str:
    return f"00:00:{int(seconds):02d},{round(seconds % 1 * 1000):03d}"


def write_words(path: Path, lines: dict[str, Any]) -> None:
    """A transcript of each speaker beside a recording."""
    for name, cues in lines.items():
        blocks = [f"{n}\n{clock(a)} --> {clock(b)}\n{text}\n" for n, (a, b, text) in enumerate(cues, 1)]
        path.with_name(f"{path.stem}.{name}.srt").write_text("\n".join(blocks))


def write_recording(path: Path) -> Path:
    """Numbered pictures, ten a second, and bursts of noise where each speaks; transcripts beside it."""
    picture = write_clip(path.with_suffix(".picture.mp4"), frames=90, rate=10)
    voices = [Told(bursts([a for a, _, _ in SRT[name]], 9, seed=n)) for n, name in enumerate(("user", "assistant"))]
    sound = write_talk(path.with_suffix(".sound.mka"), *voices, video=False)
    ffmpeg("-i", picture, "-i", sound, "-map", "0", "-map", "1", "-c", "copy", path)
    picture.unlink()
    sound.unlink()
    write_words(path, SRT)
    return path


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A recording with transcripts."""
    return write_recording(tmp_path / "talk.mkv")


def transcribed(talk: Path, *options: object, status: int = 0) -> list[Any]:
    """The entries that become of it."""
    output = talk.parent / "data" / "chat.jsonl"
    command = ["transcribe", talk, "--engine", "transcript", "--output", output, "--workers", "1", *options]
    assert main([str(word) for word in command]) == status
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_words_of_transcripts_become_the_conversation(talk: Path) -> None:
    (entry,) = transcribed(talk)
    assert [turn["content"] for turn in entry["messages"]] == ["What is this?", "A number.", "And now?", "Another one."]
    assert [turn["start"] for turn in entry["extra"]["turns"]] == [1.0, 2.2, 5.0, 6.0]


def test_each_conversation_has_the_pictures_of_its_time(talk: Path) -> None:
    first, second = transcribed(talk, "--with-video", "--conversation-gap", "1.5")
    assert first["conversations"][0]["value"] == "<video>\nWhat is this?"
    assert second["conversations"][0]["value"] == "<video>\nAnd now?"
    for entry, begin, end in ((first, 8, 31), (second, 48, 71)):  # 0.2 s before and after the words
        with av.open(str(talk.parent / "data" / entry["videos"][0])) as clip:
            numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in clip.decode(video=0)]
            assert (numbers[0], numbers[-1]) == (begin, end)
        assert entry["extra"]["clip_start"] == begin / 10


def test_the_sound_of_a_clip_is_that_of_its_time(talk: Path) -> None:
    first, _ = transcribed(talk, "--with-video", "--conversation-gap", "1.5")
    with av.open(str(talk.parent / "data" / first["videos"][0])) as clip:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in clip.decode(audio=0)])
    loud = np.flatnonzero(np.abs(heard) > 0.05) / 16_000
    assert loud[0] == pytest.approx(0.2, abs=0.05)
    assert loud[-1] == pytest.approx(2.2 - 0.8 + 0.2, abs=0.05)


def test_frames_alone_are_those_of_the_same_stretch(talk: Path) -> None:
    first, _ = transcribed(talk, "--with-video", "--video-as", "frames", "--conversation-gap", "1.5")
    folder = (talk.parent / "data" / first["videos"][0]).with_suffix("")
    assert not folder.with_suffix(".mp4").exists()
    assert json.loads(folder.with_suffix(".json").read_text())["fps"] == "2.0"
    assert len(list(folder.glob("*.jpg"))) == 5


def test_the_users_voice_of_each_turn_is_a_file(talk: Path) -> None:
    (entry,) = transcribed(talk, "--with-audio")
    assert [turn["value"] for turn in entry["conversations"][::2]] == ["<audio>\nWhat is this?", "<audio>\nAnd now?"]
    for name in entry["audios"]:
        with av.open(str(talk.parent / "data" / name)) as voice:
            heard = np.concatenate([frame.to_ndarray()[0] for frame in voice.decode(audio=0)])
        assert np.flatnonzero(np.abs(heard) > 0.05)[0] / 16_000 == pytest.approx(0.2, abs=0.12)  # MP3 begins late
    (entry,) = transcribed(talk, "--audio-only")
    assert [turn["value"] for turn in entry["conversations"][::2]] == ["<audio>", "<audio>"]


@pytest.mark.parametrize(
    ("options", "target"),
    [
        (["--with-video"], "pai-v1"),
        (["--with-video", "--video-as", "frames"], "bridge"),
        (["--with-video", "--with-audio"], "pai-v2"),
        ([], "pai-v1"),
    ],
)
def test_a_recording_becomes_shards_that_verify(options: list[str], target: str, talk: Path) -> None:
    transcribed(talk, "--conversation-gap", "1.5", *options)
    root = talk.parent / "data"
    command = ["shard", "--dataset-root", str(root), "--json", "chat.jsonl", "--output", str(root / "wds")]
    assert main([*command, "--train-split", "1", "--val-split", "1", "--target", target]) == 0
    assert main(["verify", str(root / "wds"), "--deep"]) == 0
    assert json.loads((root / "wds" / "report.json").read_text())["read"] == 2


def test_one_command_goes_from_recordings_to_shards_that_verify(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b", "c"):
        talk.with_name(f"{name}.mkv").write_bytes(talk.read_bytes())
        write_words(talk.with_name(f"{name}.mkv"), SRT)
    wds = talk.parent / "w d s"
    talks = [talk.with_name("b.mkv"), talk.with_name("c.mkv"), "--with-video", "--with-audio", "--shards", wds]
    transcribed(talk, *talks)
    out = capsys.readouterr().out
    assert "for pai-v2" in out
    assert "no fault" in out
    assert json.loads((wds / "report.json").read_text())["written"] == {"train": 2, "val": 1}
    transcribed(talk, *talks)
    assert capsys.readouterr().out.count("was complete already") == 2
    other = [*talks[:-2], "--conversation-gap", "1.5", "--shards", wds]
    command = ["transcribe", talk, "--engine", "transcript", "--output", talk.parent / "data" / "chat.jsonl", *other]
    assert main([str(word) for word in command]) == 1  # those of other conversations stay, unless it is asked for
    assert "chat.jsonl is written, its shards are not: " in capsys.readouterr().err
    transcribed(talk, *other, "--overwrite")
    assert json.loads((wds / "report.json").read_text())["written"] == {"train": 4, "val": 2}


def test_all_conversations_of_a_single_recording_are_trained_on(talk: Path) -> None:
    wds = talk.parent / "wds"
    transcribed(talk, "--conversation-gap", "1.5", "--shards", wds, "--target", "crude")
    assert json.loads((wds / "report.json").read_text())["written"] == {"train": 2}


def test_the_same_command_again_cuts_nothing(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transcribed(talk, "--with-video", "--with-audio")
    folder = talk.parent / "data" / "chat.media"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    capsys.readouterr()
    transcribed(talk, "--with-video", "--with-audio")
    assert "was complete already" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    transcribed(talk, "--with-video", "--with-audio", "--conversation-gap", "1.5")
    assert (folder / "talk-0001.mp4").stat().st_mtime_ns != before["talk-0001.mp4"]


def test_a_recording_without_a_picture_is_set_aside_where_one_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_talk(tmp_path / "talk.mka", Told(bursts([1], 9)), Told(bursts([2], 9, seed=1)), video=False)
    write_words(path, SRT)
    command = ["transcribe", str(path), "--engine", "transcript", "--output", str(tmp_path / "chat.jsonl")]
    assert main([*command, "--with-video"]) == 1
    assert "it has no video stream" in capsys.readouterr().err
    assert main(command) == 0


def test_a_conversation_before_the_picture_begins_costs_itself_alone(talk: Path) -> None:
    late = talk.with_name("late.mkv")
    ffmpeg("-itsoffset", 4, "-i", talk, "-i", talk, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    write_words(late, SRT)
    (entry,) = transcribed(late, "--with-video", "--with-audio", "--conversation-gap", "1.5", status=3)
    assert (entry["id"], entry["conversations"][0]["value"]) == ("late-0002", "<video>\n<audio>\nAnd now?")
    lines = [json.loads(line) for line in (talk.parent / "data" / "set_aside.jsonl").read_text().splitlines()]
    assert [(line["origin"], line["reason"]) for line in lines] == [
        ("late.mkv[user 1.00-1.80]", "no-frames"),
        ("late.mkv[assistant 2.20-3.00]", "no-frames"),
    ]
    report = json.loads((talk.parent / "data" / "report.json").read_text())
    assert (report["read"], report["written"], report["conversations"]) == (4, {"utterances": 2}, 1)


def test_a_broken_recording_costs_itself_alone(tmp_path: Path) -> None:
    talks = tmp_path / "talks"
    talks.mkdir()
    write_recording(talks / "b.mkv")
    (talks / "a.mkv").write_text("no recording")
    output = tmp_path / "chat.jsonl"
    assert main(["transcribe", str(talks), "--engine", "transcript", "--output", str(output)]) == 3
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == ["b-0001"]
    (line,) = (tmp_path / "set_aside.jsonl").read_text().splitlines()
    assert (json.loads(line)["origin"], json.loads(line)["reason"]) == ("a.mkv", "unreadable-audio")


def test_a_recording_that_lacks_a_transcript_costs_itself_alone(talk: Path) -> None:
    other = talk.with_name("zwei.mkv")
    other.write_bytes(talk.read_bytes())
    output = talk.with_name("chat.jsonl")
    assert main(["transcribe", str(talk), str(other), "--engine", "transcript", "--output", str(output)]) == 3
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == ["talk-0001"]
    (line,) = (talk.with_name("set_aside.jsonl")).read_text().splitlines()
    assert (json.loads(line)["origin"], json.loads(line)["reason"]) == ("zwei.mkv", "bad-transcript")


def test_a_transcript_that_is_missing_is_asked_for(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk.with_name("talk.user.srt").rename(talk.with_name("elsewhere.srt"))
    command = ["transcribe", str(talk), "--engine", "transcript", "--output", str(talk.with_name("chat.jsonl"))]
    assert main(command) == 1
    assert "talk.user.srt (.vtt, .json) beside it was expected, or --transcript user=FILE" in capsys.readouterr().err
    assert main([*command, "--transcript", f"user={talk.with_name('elsewhere.srt')}"]) == 0
