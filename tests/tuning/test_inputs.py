"""What the model is given: the same from lines, from entries of any format and from shards, with labels on answers."""

from __future__ import annotations

import json
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mm2energon import cli
from mm2energon.pipeline.output import packs_of
from mm2energon.sample import Turn
from mm2energon.tuning import energon
from mm2energon.tuning.chats import Chat
from mm2energon.tuning.encoding import Encoder, faults
from mm2energon.tuning.energon import Shards
from mm2energon.tuning.job import TuneJob, settings_of
from mm2energon.tuning.prepare import prepare_samples, rows_path
from mm2energon.tuning.rows import Rows, load_batches

from tuning.conftest import QUESTION, command, write_lines

MAX_PIXELS = 112 * 84


@pytest.fixture(scope="module")
def encoder(base: Path) -> Encoder:
    return Encoder(base, MAX_PIXELS, MAX_PIXELS)


def rows(data: Path, output: Path, encoder: Encoder, **settings: Any) -> Rows:
    """The samples of an annotation file, prepared."""
    values = {"dataset_root": str(data.parent), "max_pixels": MAX_PIXELS, "val_share": 0, **settings}
    job = TuneJob((data,), "base", output, settings_of(values), workers=1)
    output.mkdir(exist_ok=True)
    prepare_samples(job, "x", counting=None, progress=lambda *_: _Bar())
    return Rows(rows_path(output, "train"), job.root, packs_of(output), (), encoder, output)


class _Bar:
    def update(self, *_: Any, **__: Any) -> None: ...

    def close(self) -> None: ...


def from_rows(found: Rows) -> dict[bytes, dict[str, Any]]:
    """The inputs of each sample, by what is asked and answered, and shown."""
    return by_content(found.encoder.batch([found[number]]) for number in range(len(found)))


def by_content(batches: Iterator[dict[str, Any]]) -> dict[bytes, dict[str, Any]]:
    return {
        batch["input_ids"].numpy().tobytes() + batch["pixel_values_videos"].numpy().tobytes(): batch
        for batch in batches
    }


@pytest.fixture(scope="module")
def lines(videos: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> dict[bytes, dict[str, Any]]:
    return from_rows(rows(videos / "lines.jsonl", tmp_path_factory.mktemp("lines"), encoder))


def same(found: dict[bytes, dict[str, Any]], expected: dict[bytes, dict[str, Any]]) -> None:
    assert len(expected) == 12 and found.keys() == expected.keys()
    for content, batch in found.items():
        assert batch.keys() == expected[content].keys()
        assert all(torch.equal(value, expected[content][name]) for name, value in batch.items())


def test_entries_of_another_format_give_the_inputs_of_lines(
    videos: Path, encoder: Encoder, lines: dict[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    entries = [
        {
            "messages": [{"role": "user", "content": f"<video>\n{QUESTION}"}, {"role": "assistant", "content": name}],
            "videos": [f"{name}{number}.mp4"],
        }
        for name in ("red", "blue")
        for number in range(6)
    ]
    (videos / "messages.json").write_text(json.dumps(entries))
    same(from_rows(rows(videos / "messages.json", tmp_path, encoder)), lines)


@pytest.mark.parametrize("target", ["pai-v1", "pai-v2", "bridge", "crude"])
def test_shards_give_the_inputs_of_lines(
    target: str, videos: Path, encoder: Encoder, lines: dict[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    words = ["shard", "--dataset-root", str(videos), "--json", "lines.jsonl", "--output", str(tmp_path / "wds")]
    options = ["--target", target, "--extract", "--max-pixels", str(MAX_PIXELS), "--workers", "1"]
    splits = ["--train-split", "0", "--val-split", "1", "--test-split", "0"]
    assert cli.main([*words, *options, *splits]) == 0
    shards = Shards(tmp_path / "wds", encoder, tmp_path, max_frames=32, max_tokens=0, batch_size=1, seed=0, loaders=0)
    same(by_content(shards.val()), lines)


def test_shards_of_which_no_sample_can_be_learnt_end_the_run_and_samples_that_are_too_long_cost_themselves(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energon, "_MOST_FAULTS", 5)
    turns = [[{"role": "user", "content": "?"}, {"role": "assistant", "content": "a" * 10**power}] for power in (0, 2)]
    (tmp_path / "entries.json").write_text(json.dumps([{"messages": one} for one in turns]))
    words = ["shard", "--dataset-root", str(tmp_path), "--json", "entries.json", "--output", str(tmp_path / "wds")]
    assert cli.main([*words, "--target", "crude", "--workers", "1", "--train-split", "1", "--val-split", "0"]) == 0
    for most, status in ((20, 1), (120, 3)):
        output = tmp_path / f"out{most}"
        run = command(tmp_path / "wds", base, output, "--steps", 2, "--max-tokens", most)
        assert cli.main(run) == status
        assert {one["reason"] for one in faults(output)} == {"too-many-tokens"}
    assert "5 samples in a row cannot be learnt from" in capsys.readouterr().err


def test_what_shards_cannot_be_asked_for_is_refused(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wds/.nv-meta").mkdir(parents=True)
    assert cli.main(command(tmp_path / "wds", base, tmp_path / "out", "--fps", 4)) == 1
    assert "--fps: shards are read as they were written" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["pai-v2", "crude"])
def test_a_sample_of_shards_that_is_heard_is_noted_and_not_learnt_as_text(
    target: str, encoder: Encoder, tmp_path: Path
) -> None:
    with wave.open(str(tmp_path / "beep.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(bytes(16000))
    entries: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": "a beep"}], "audios": sounds}
        for asked, sounds in (("<audio>What?", ["beep.wav"]), ("What?", []))
    ]
    (tmp_path / "entries.json").write_text(json.dumps(entries))
    words = ["shard", "--dataset-root", str(tmp_path), "--json", "entries.json", "--output", str(tmp_path / "wds")]
    splits = ["--train-split", "0", "--val-split", "1", "--test-split", "0"]
    assert cli.main([*words, "--target", target, "--workers", "1", *splits]) == 0
    (read,) = Shards(
        tmp_path / "wds", encoder, tmp_path, max_frames=32, max_tokens=0, batch_size=1, seed=0, loaders=0
    ).val()
    assert "<audio>" not in encoder.tokenizer.decode(read["input_ids"][0])
    assert [one["reason"] for one in faults(tmp_path)] == ["audio-unsupported"]


def test_frames_that_lie_beside_the_videos_are_taken(
    videos: Path, encoder: Encoder, lines: dict[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    for path in videos.glob("*.mp4"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    texts = [json.loads(text) for text in (videos / "lines.jsonl").read_text().splitlines()]
    data = write_lines(tmp_path / "lines.jsonl", [{**one, "video_path": Path(one["video_path"]).name} for one in texts])
    words = ["frames", "--dataset-root", str(tmp_path), "--time-interval", "0.5", "--max-pixels", str(MAX_PIXELS)]
    convert = ["normalize", "--input-file", str(data), "--output-file", str(tmp_path / "entries.json")]
    assert cli.main([*convert]) == 0 and cli.main([*words, "--workers", "1"]) == 0
    for path in tmp_path.glob("*.mp4"):
        path.unlink()
    found = rows(data, tmp_path / "out", encoder)
    same(from_rows(found), lines)
    assert not list((tmp_path / "out").rglob("*.jpegs"))


def test_longer_videos_give_as_many_frames_as_are_asked_for_evenly_spread(
    videos: Path, encoder: Encoder, tmp_path: Path
) -> None:
    found = rows(videos / "lines.jsonl", tmp_path, encoder, fps=8, max_frames=4)
    (patches,) = found[0].videos
    assert patches.grid[0] == 2
    assert found[0].second_per_grid_ts[0] == pytest.approx(2 * (7 / 8) / 3)


def test_labels_stand_on_the_answers_and_their_ends_alone(encoder: Encoder) -> None:
    turns = (
        Turn("system", "Be short."),
        Turn("user", "<image>one?"),
        Turn("assistant", "first"),
        Turn("user", "two?"),
        Turn("assistant", "second"),
    )
    encoded = encoder.encode(Chat(turns, (np.zeros((56, 56, 3), np.uint8),), (), "x"))
    short = encoder.encode(Chat(turns[1:3], (np.zeros((56, 56, 3), np.uint8),), (), "y"))
    batch = encoder.batch([encoded, short])
    for row, expected in zip(batch["labels"], ["first<|im_end|>second<|im_end|>", "first<|im_end|>"], strict=True):
        trained = row[row != -100]
        assert encoder.tokenizer.decode(trained) == expected
    assert bool((batch["labels"][batch["attention_mask"] == 0] == -100).all())


@pytest.mark.parametrize(
    ("answer", "learnt"),
    [
        ("red", "\n</think>\n\nred<|im_end|>"),
        ("<think>\nIt shines.\n</think>\n\nred", "It shines.\n</think>\n\nred<|im_end|>"),
        ("<think>It shines.</think>red", "It shines.</think>red<|im_end|>"),
    ],
)
def test_an_answer_stands_behind_what_the_template_begins_each_reply_with(
    answer: str, learnt: str, base: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(base, tmp_path / "thinking"))
    (model / "chat_template.jinja").write_text("<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n<think>{{ '\n' }}")
    thinking = Encoder(model, MAX_PIXELS, MAX_PIXELS)
    encoded = thinking.encode(Chat((Turn("user", "?"), Turn("assistant", answer)), (), (), "x"))
    begin = "<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n<think>\n"
    assert thinking.tokenizer.decode(encoded.input_ids).endswith(f"{begin}{learnt}\n")
    assert thinking.tokenizer.decode([label for label in encoded.labels if label != -100]) == learnt


def test_a_process_that_reads_ahead_gives_the_same_batches(videos: Path, encoder: Encoder, tmp_path: Path) -> None:
    found = rows(videos / "lines.jsonl", tmp_path, encoder)
    turns = [[0, 1], [2, 3], [4]]
    here, ahead = (list(load_batches(found, turns, workers=workers, seed=0)) for workers in (0, 1))
    assert len(here) == len(ahead) == 3
    for one, other in zip(here, ahead, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
