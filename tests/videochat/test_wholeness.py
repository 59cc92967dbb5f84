"""The folder of a model that is not whole is told before the model is loaded, with the file that lacks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.backends import Setup
from mm2energon.videochat.backends.local import open_model, ready
from safetensors.torch import load_file, save_file

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def spread(folder: Path, *names: str) -> None:
    (folder / WEIGHTS).rename(folder / names[0])
    (folder / INDEX).write_text(json.dumps({"weight_map": {str(at): name for at, name in enumerate(names)}}))


@pytest.fixture
def copy(models: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(models["qwen2_5_vl"], tmp_path / "model"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda model: shutil.rmtree(model), "no such folder"),
        (lambda model: (model / "config.json").unlink(), "no config.json"),
        (lambda model: (model / "config.json").write_text('{"model_type": '), "config.json: cannot be read"),
        (lambda model: (model / "config.json").write_text('{"model_type": "llama"}'), "of type 'llama'"),
        (lambda model: (model / WEIGHTS).unlink(), f"there is no {WEIGHTS}"),
        (lambda model: (model / WEIGHTS).rename(model / "pytorch_model.bin"), "is a pickle"),
        (lambda model: os.truncate(model / WEIGHTS, 50_000), "cut off"),
        (lambda model: (model / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\n"), "cut off"),
        (lambda model: spread(model, "one.safetensors", "two.safetensors"), "there is no two.safetensors"),
        (lambda model: (model / INDEX).write_text("[]"), f"{INDEX} cannot be read"),
        (lambda model: (model / "tokenizer.json").unlink(), "there is no tokenizer.json"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_before_and_when_it_is_opened(
    spoil: Callable[[Path], object], said: str, copy: Path
) -> None:
    setup = Setup(models=(str(copy),), device="cpu")
    assert ready(setup).ok
    spoil(copy)
    state = ready(setup)
    assert not state.ok and said in state.message
    with pytest.raises(InputError, match=said):
        open_model(str(copy), setup, lambda _: None)


def test_a_model_in_several_files_is_whole(copy: Path) -> None:
    spread(copy, "one.safetensors")
    assert ready(Setup(models=(str(copy),))).ok


def test_one_broken_model_of_several_is_told_and_the_others_can_be_asked(copy: Path, tmp_path: Path) -> None:
    state = ready(Setup(models=(str(copy), str(tmp_path / "gone"))))
    assert state.ok and "gone: no such folder" in state.message


@pytest.mark.parametrize("change", ["missing", "sizes"])
def test_weights_that_do_not_fit_are_never_made_up(change: str, copy: Path) -> None:
    weights = load_file(copy / WEIGHTS)
    name = next(name for name in weights if name.endswith("layers.0.input_layernorm.weight"))
    short = weights.pop(name)[:-1].clone()
    save_file(weights if change == "missing" else {**weights, name: short}, copy / WEIGHTS, {"format": "pt"})
    with pytest.raises(InputError, match=change):
        open_model(str(copy), Setup(device="cpu"), lambda _: None)
