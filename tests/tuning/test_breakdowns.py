"""What breaks in the middle of a training is told with what to do; nothing half or useless is left as a result."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from mm2energon import cli
from mm2energon.errors import InputError
from mm2energon.tuning.breakdowns import require_number, told_what_to_do, written_or_removed
from mm2energon.tuning.folders import checkpoints
from mm2energon.tuning.job import settings_of
from mm2energon.tuning.status import read_status
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tuning.conftest import command, told


def changed(base: Path, folder: Path, value: float) -> Path:
    """A copy of the base with one matrix of one value, in files of the same sizes."""
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    name = next(one for one in weights if one.endswith("mlp.down_proj.weight") and "visual" not in one)
    weights[name][:] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_loss_that_is_no_number_ends_the_run_and_no_adapter_is_made(
    videos: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, output = changed(base, tmp_path / "lost", float("nan")), tmp_path / "out"
    assert cli.main(command(videos / "lines.jsonl", lost, output, "--steps", 3, "--save-every", 1)) == 1
    assert "step 1: loss is nan" in capsys.readouterr().err
    status = read_status(output)
    assert status is not None and status.state == "failed" and "--learning-rate" in status.message
    assert not checkpoints(output) and not (output / "final_checkpoint").exists() and told(output, "loss") == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_gradients_that_are_no_numbers_end_it_before_their_checkpoint(value: float) -> None:
    with pytest.raises(InputError, match="step 7: grad_norm is .* below 0.0001"):
        require_number("grad_norm", value, step=7, settings=settings_of({}))


def test_other_weights_in_the_folder_of_the_base_make_another_run(
    videos: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, output = tmp_path / "tiny", tmp_path / "out"
    shutil.copytree(base, model)
    words = command(videos / "lines.jsonl", model, output, "--steps", 1)
    assert cli.main(words) == 0
    shutil.rmtree(model)
    changed(base, model, 0.5)
    assert cli.main(words) == 1
    assert "holds another run (other weights of the base model)" in capsys.readouterr().err
    shutil.rmtree(model)
    shutil.copytree(base, model, copy_function=shutil.copyfile)
    assert cli.main(words) == 0


@pytest.mark.parametrize(
    "error", [RuntimeError("unexpected pos 64 vs 12"), SafetensorError("No space left"), OSError(28, "No space left")]
)
def test_a_checkpoint_that_cannot_be_written_leaves_its_room(error: Exception, tmp_path: Path) -> None:
    place = tmp_path / ".checkpoint-2.unfinished"
    place.mkdir()
    (place / "optimizer.pt").write_bytes(b"half")
    with pytest.raises((InputError, OSError), match="make room|No space left"), written_or_removed(place):
        raise error
    assert not place.exists()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore"), "--batch-size"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."), "--shm-size"),
    ],
)
def test_what_memory_lacks_is_told_with_what_helps(error: Exception, expected: str) -> None:
    with pytest.raises(InputError, match=expected), told_what_to_do():
        raise error


def test_what_a_process_that_reads_ahead_says_comes_without_its_trace() -> None:
    def read(_number: int) -> None:
        raise InputError("wds: nothing can be learnt from; look at it")

    loader: Any = torch.utils.data.DataLoader([0], num_workers=1, collate_fn=read, multiprocessing_context="fork")
    with pytest.raises(InputError) as told, told_what_to_do():
        next(iter(loader))
    assert str(told.value) == "wds: nothing can be learnt from; look at it"
