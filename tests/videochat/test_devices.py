"""What a model runs on is found out, or as it is asked for; a stand-in tells what torch would of a GPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mm2energon.errors import DependencyError, InputError
from mm2energon.videochat.backends import devices
from mm2energon.videochat.backends.devices import choose_device
from mm2energon.videochat.backends.setup import Setup


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine with two GPUs and bitsandbytes."""
    machine = SimpleNamespace(count=2, bf16=True, has_bitsandbytes=True)
    monkeypatch.delenv(devices.FOUR_BIT, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: machine.count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: machine.count)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: machine.bf16)
    monkeypatch.setattr(devices, "find_spec", lambda _: object() if machine.has_bitsandbytes else None)
    return machine


def test_a_gpu_is_taken_with_weights_of_4_bits(gpus: SimpleNamespace, tmp_path: Path) -> None:
    device = choose_device(Setup(), tmp_path)
    assert (device.name, device.dtype, device.four_bit) == ("cuda:0", torch.bfloat16, True)
    assert device.told == "cuda:0, 4 bit"
    given = device.arguments()
    assert given["device_map"] == {"": "cuda:0"}
    config = given["quantization_config"]
    assert config.load_in_4bit and config.bnb_4bit_quant_type == "nf4"
    assert config.bnb_4bit_compute_dtype == torch.bfloat16


def test_weights_stay_as_they_are_without_bitsandbytes_or_where_that_is_asked_for(
    gpus: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not choose_device(Setup(four_bit=False), tmp_path).four_bit
    monkeypatch.setenv(devices.FOUR_BIT, "0")
    assert not choose_device(Setup(), tmp_path).four_bit
    assert choose_device(Setup(four_bit=True), tmp_path).four_bit
    gpus.has_bitsandbytes = False
    device = choose_device(Setup(), tmp_path)
    assert device.arguments() == {"dtype": torch.bfloat16, "device_map": {"": "cuda:0"}}
    with pytest.raises(DependencyError, match="pip install bitsandbytes"):
        choose_device(Setup(four_bit=True), tmp_path)


def test_an_older_gpu_computes_in_float16(gpus: SimpleNamespace, tmp_path: Path) -> None:
    gpus.bf16 = False
    assert choose_device(Setup(device="cuda:1"), tmp_path).dtype == torch.float16


@pytest.mark.parametrize("device", ["cuda:2", "cuda:-1", "cuda:1x", "gpu"])
def test_a_gpu_that_is_not_there_is_told(gpus: SimpleNamespace, tmp_path: Path, device: str) -> None:
    with pytest.raises(InputError, match=f"device {device}: "):
        choose_device(Setup(device=device), tmp_path)


def test_a_cpu_computes_in_float32_while_the_memory_is_there_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"0" * 1000)
    device: Any = choose_device(Setup(device="cpu"), tmp_path)
    assert (device.dtype, device.arguments(), device.moves) == (torch.float32, {"dtype": torch.float32}, False)
    monkeypatch.setattr(devices, "usable_memory_bytes", lambda: 1500)
    assert choose_device(Setup(device="cpu"), tmp_path).dtype == torch.bfloat16
