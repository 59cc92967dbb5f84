"""An adapter trained by the command answers what the videos show; the base answers as before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mm2energon import cli
from mm2energon.videochat.adapters import Adapter, find_adapters
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.backends import Setup
from mm2energon.videochat.backends.local import open_model
from mm2energon.videochat.looking import Look
from mm2energon.videochat.perception import Asked

from tuning.conftest import QUESTION, command, solid, told


@pytest.fixture(scope="module")
def trained(videos: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run on the lines of VideoChat."""
    output = tmp_path_factory.mktemp("proof") / "lora_adapters"
    words = command(videos / "lines.jsonl", base, output, "--steps", 30, "--eval-every", 15, "--save-every", 15)
    assert cli.main([*words, "--val-share", "0.2"]) == 0
    return output


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def asked(channel: int, adapter: Adapter | None) -> Asked:
    """The question about a video of a colour that was in no training video."""

    def frames(sizing: Callable[[int, int], tuple[int, int]]) -> list[np.ndarray]:
        return [solid(channel, 2)(number, (112, 84)) + np.uint8(3) for number in range(2)]

    parameters = Parameters(max_new_tokens=8, temperature=0.0, repetition_penalty=1.0)
    return Asked(QUESTION, Look((0.0, 0.5), (False, False)), 1.0, Path("clip.mp4"), parameters, adapter, frames)


def test_an_adapter_tells_red_from_blue_and_the_base_answers_as_before(videos: Path, base: Path, trained: Path) -> None:
    before = digests(base)
    chat = open_model(str(base), Setup(device="cpu"), lambda _: None)
    inputs = chat.inputs(asked(0, None))

    def base_logits() -> Any:
        with torch.no_grad(), chat.adapters.using(None):
            return chat.model(**inputs).logits

    logits = base_logits()
    adapter = next(one for one in find_adapters(trained) if one.name == "final_checkpoint")
    answers = ["".join(chat.reply(asked(channel, adapter), lambda: False)) for channel in (0, 2)]
    assert answers == ["red", "blue"]
    assert "".join(chat.reply(asked(0, None), lambda: False)) not in ("red", "blue")
    assert torch.equal(base_logits(), logits)
    chat.close()
    assert digests(base) == before


def test_the_loss_falls_on_videos_that_were_not_trained_on(trained: Path) -> None:
    losses, evals = told(trained, "loss"), told(trained, "eval_loss")
    assert sorted(losses) == list(range(1, 31)) and sorted(evals) == [15, 30]
    assert losses[30] < 0.1 < 3 < losses[1] and evals[30] < 0.2


def test_the_finished_adapter_holds_what_a_loader_needs_and_what_it_was_made_from(trained: Path, base: Path) -> None:
    final = trained / "final_checkpoint"
    config = json.loads((final / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (16, 32, 0.05)
    assert config["base_model_name_or_path"] == str(base)
    assert {"adapter_model.safetensors", "tokenizer.json", "preprocessor_config.json", "README.md"} <= {
        path.name for path in final.iterdir()
    }
    facts = json.loads((final / "training.json").read_text())
    assert facts["samples"] == {"train": 10, "val": 2} and facts["settings"]["rank"] == 16


def test_only_attention_and_mlp_of_the_language_model_are_adapted(trained: Path) -> None:
    from safetensors import safe_open

    with safe_open(trained / "final_checkpoint/adapter_model.safetensors", "pt") as weights:
        names = list(weights.keys())
    adapted = {name.rpartition(".lora_")[0].rpartition(".")[2] for name in names}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert all("language_model" in name and "visual" not in name for name in names)


def test_the_same_command_again_trains_nothing(
    videos: Path, base: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(trained / "final_checkpoint")
    words = command(videos / "lines.jsonl", base, trained, "--steps", 30, "--val-share", "0.2")
    assert cli.main(words) == 0
    assert "was complete already" in capsys.readouterr().out
    assert digests(trained / "final_checkpoint") == before


def test_another_run_for_the_same_output_is_refused_and_changes_nothing(
    videos: Path, base: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(trained / "final_checkpoint")
    assert cli.main(command(videos / "lines.jsonl", base, trained, "--steps", 31, "--val-share", "0.2")) == 1
    assert "holds another run (steps 30)" in capsys.readouterr().err
    assert digests(trained / "final_checkpoint") == before
