"""What `--list-tracks` shows, against ffmpeg's own tools."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from mm2energon.cli import main
from mm2energon.speech.listing import list_tracks

from speech.talks import RATE, Told, write_talk, write_wav


def noise(level: float, *, seconds: float = 3.0) -> np.ndarray:
    """White noise of a level, in dBFS: int16."""
    samples = np.random.default_rng(1).normal(0, 32768 * 10 ** (level / 20), round(seconds * RATE))
    return np.rint(samples).astype(np.int16)


def told_by_ffmpeg(path: Path) -> list[float]:
    """The level of each channel."""
    command = ["ffmpeg", "-i", str(path), "-af", "astats=measure_overall=none", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return [float(level) for level in re.findall(r"RMS level dB: (\S+)", told)]


def test_the_loudness_of_each_channel_is_what_ffmpeg_measures(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "talk.wav", np.stack([noise(-30), noise(-17), -noise(-30)], axis=1))
    shown = [float(level) for level in re.findall(r"(\S+) dBFS", list_tracks(path)[2])]
    assert shown == pytest.approx(told_by_ffmpeg(path), abs=0.2)


def test_a_track_is_told_with_its_start_and_its_end(tmp_path: Path) -> None:
    tracks = (Told(noise(-20)), Told(noise(-200, seconds=2), offset=1.5, language="deu", title="Ben"))
    path = write_talk(tmp_path / "talk.mkv", *tracks, codec="flac")
    command = ["ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "stream=start_time", "-of", "csv=p=0"]
    probed = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True).stdout.split()
    rows = [re.split(" {2,}", line.strip()) for line in list_tracks(path)[1:]]
    first, second = (dict(zip(rows[0], row, strict=True)) for row in rows[1:])
    starts = [float(row["start"].removesuffix(" s")) for row in (first, second)]
    assert starts == pytest.approx([*map(float, probed)], abs=0.001)
    assert (first["track"], first["language"], first["seconds"]) == ("0", "-", "3.0")
    assert (second["track"], second["language"], second["seconds"]) == ("1", "deu", "3.5")
    assert (second["loudness"], second["title"]) == ("silent", "Ben")


def test_one_that_cannot_be_read_is_named_and_the_others_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "c.wav"):
        write_wav(tmp_path / name, noise(-20, seconds=0.5))
    (tmp_path / "b.wav").write_text("no sound")
    assert main(["transcribe", "--list-tracks", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert told.count("pcm_s16le") == 2
    assert "b.wav: it cannot be read" in told
