"""Parts of a run: folders that are whole or not there, places of loaders as JSON, what of a family is adapted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from megatron.energon.rng import SystemRngState
from megatron.energon.savable_loader import SavableDataLoaderState
from megatron.energon.state import FlexState
from mm2energon import cli
from mm2energon.tuning.adapting import targets
from mm2energon.tuning.folders import checkpoints, keep_last, last_checkpoint, whole_folder
from mm2energon.tuning.job import settings_of
from mm2energon.tuning.positions import from_json, to_json
from videochat.tiny_models import save_qwen2_vl, save_qwen3_vl

from tuning.conftest import command, told


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "checkpoint-1") as place:
        (place / "weights").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == [] and last_checkpoint(tmp_path) is None
    for step in (2, 10, 9):
        with whole_folder(tmp_path / f"checkpoint-{step}") as place:
            (place / "weights").write_text(str(step))
            assert not (tmp_path / f"checkpoint-{step}").exists()
    assert [step for step, _ in checkpoints(tmp_path)] == [2, 9, 10]
    (tmp_path / "checkpoint-10/weights").write_text("")
    assert last_checkpoint(tmp_path) == (9, tmp_path / "checkpoint-9")
    keep_last(tmp_path, 1)
    assert checkpoints(tmp_path) == [(9, tmp_path / "checkpoint-9")]


def test_who_may_read_other_files_may_read_those_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    with whole_folder(tmp_path / "final_checkpoint") as place:
        (place / "weights").touch(0o600)
    assert (tmp_path / "final_checkpoint/weights").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_folder_replaces_the_one_before(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with whole_folder(tmp_path / "final_checkpoint") as place:
            (place / text).write_text(text)
    assert sorted(path.name for path in (tmp_path / "final_checkpoint").iterdir()) == ["new", "whole.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["final_checkpoint"]


def test_the_position_of_a_loader_survives_json() -> None:
    rng = SystemRngState(
        torch=torch.arange(5, dtype=torch.uint8), numpy=("MT", np.arange(3, dtype=np.uint32)), random=(1,)
    )
    inner = FlexState(rng=rng, order=[1, None, True, 0.5, "é"], data=b"\x00\xff", keys={(1, "a"): 2})
    state = SavableDataLoaderState(worker_states=[inner], next_worker_id=1, micro_batch_size=None)
    back = from_json(json.loads(json.dumps(to_json(state))))
    assert type(back) is SavableDataLoaderState and back.next_worker_id == 1
    (found,) = back.worker_states
    assert type(found) is FlexState and {**found, "rng": 0} == {**inner, "rng": 0}
    assert type(found["rng"]) is SystemRngState and torch.equal(found["rng"].torch, rng.torch)
    assert found["rng"].numpy[0] == "MT" and (found["rng"].numpy[1] == rng.numpy[1]).all()


@pytest.mark.parametrize(
    "value",
    [
        {"class": "os:system", "fields": {"command": "true"}},
        {"class": "megatron.energon.savable_loader:os", "fields": {}},
        {"class": "megatron.energon.nothing:Nothing", "fields": {}},
        {"array": ["|O", [1], ""]},
        {"unknown": 1},
    ],
)
def test_a_position_makes_nothing_but_classes_of_energon(value: object) -> None:
    with pytest.raises(ValueError):
        from_json(value)


@pytest.mark.parametrize("save", [save_qwen2_vl, save_qwen3_vl])
def test_other_families_learn_with_the_vision_tower_too(save, videos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    base = save(tmp_path / "base")
    words = command(videos / "lines.jsonl", base, tmp_path / "out", "--steps", 6, "--train-vision")
    assert cli.main([*words, "--val-share", "0.2"]) == 0
    losses = told(tmp_path / "out", "loss")
    assert losses[6] < losses[1] - 1
    model = transformers.AutoModelForImageTextToText.from_pretrained(base)
    names = [name for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)]
    adapted = [name for name in names if re.fullmatch(targets(settings_of({"train_vision": True})), name)]
    left = {name for name in names if name not in adapted}
    assert all("visual.blocks" in name or "language_model" in name for name in adapted)
    assert left and all("merger" in name or name == "lm_head" for name in left)


def test_samples_of_too_many_tokens_are_set_aside(videos: Path, base: Path, tmp_path: Path) -> None:
    words = command(videos / "lines.jsonl", base, tmp_path / "out", "--steps", 1, "--max-tokens", 20)
    assert cli.main(words) == 1
    lines = (tmp_path / "out/set_aside.jsonl").read_text().splitlines()
    assert {json.loads(line)["reason"] for line in lines} == {"too-many-tokens"} and len(lines) == 12
    assert cli.main(command(videos / "lines.jsonl", base, tmp_path / "out", "--steps", 1, "--max-tokens", 500)) == 0
