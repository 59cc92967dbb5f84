"""What a local model runs on: device, type of numbers, and 4-bit weights where bitsandbytes and CUDA are there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mm2energon.errors import DependencyError, InputError
from mm2energon.pipeline.machine import usable_memory_bytes
from mm2energon.videochat.backends.setup import Setup

#: Set to 0 in the environment, it keeps the weights as they are stored.
FOUR_BIT = "MM2ENERGON_FOUR_BIT"
#: Share of the memory that weights may take; frames and what is kept of them need the rest.
_SHARE = 0.75


@dataclass(frozen=True)
class Device:
    """Where the weights go, and as what."""

    #: `cpu`, `cuda:0`, `mps`.
    name: str
    #: A torch.dtype.
    dtype: Any
    four_bit: bool = False

    @property
    def told(self) -> str:
        """For people."""
        return f"{self.name}, {'4 bit' if self.four_bit else str(self.dtype).removeprefix('torch.')}"

    @property
    def moves(self) -> bool:
        """Whether the model is to be moved there once it is loaded."""
        return self.name != "cpu" and not self.name.startswith("cuda")

    def arguments(self) -> dict[str, Any]:
        """For `from_pretrained`."""
        given: dict[str, Any] = {"dtype": self.dtype}
        if self.name.startswith("cuda"):
            given["device_map"] = {"": self.name}
        if self.four_bit:
            given["quantization_config"] = four_bit_config(self.dtype)
        return given


def four_bit_config(dtype: Any) -> Any:
    """Weights of 4 bits (nf4, quantized twice), computed with as `dtype`: QLoRA, arXiv 2305.14314."""
    return import_module("transformers").BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def choose_device(setup: Setup, folder: Path) -> Device:
    """What the model in a folder runs on.

    Raises:
        InputError: there is no such device or type, or 4-bit weights are asked for and cannot be had.
        DependencyError: 4-bit weights need bitsandbytes.
    """
    import torch

    name = _device_name(setup.device, torch)
    if name.startswith("cuda"):
        usual = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return Device(name, _dtype(setup.dtype, usual, torch), _is_four_bit(setup))
    if setup.four_bit:
        raise InputError(f"4-bit weights: the device is {name}; a CUDA GPU was expected; leave them, or take one")
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    # Stored as 2 bytes a number, as a rule; a CPU computes fastest with 4 of them.
    fits = name == "cpu" and 2 * weights < usable_memory_bytes() * _SHARE
    usual = torch.float32 if fits else torch.bfloat16 if name == "cpu" else torch.float16
    return Device(name, _dtype(setup.dtype, usual, torch))


def _is_four_bit(setup: Setup) -> bool:
    has = find_spec("bitsandbytes") is not None
    if setup.four_bit and not has:
        raise DependencyError("4-bit weights: bitsandbytes is not installed; run: pip install bitsandbytes")
    if setup.four_bit is None:
        return has and os.environ.get(FOUR_BIT) != "0"
    return setup.four_bit


def _device_name(asked: str, torch: Any) -> str:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "auto":
        if gpus:
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = asked.partition(":")
    if asked in ("cpu", "mps"):
        return asked
    if kind != "cuda" or not (number or "0").isdecimal():
        raise InputError(f"device {asked}: expected auto, cpu, mps, cuda, or cuda:1 for the second GPU; give one")
    if int(number or 0) >= gpus:
        raise InputError(f"device {asked}: {gpus} GPUs can be used here; expected one of them, or cpu; give another")
    return f"cuda:{int(number or 0)}"


def _dtype(asked: str, usual: Any, torch: Any) -> Any:
    if asked == "auto":
        return usual
    if asked not in ("float32", "bfloat16", "float16"):
        raise InputError(f"dtype {asked}: expected auto, float32, bfloat16 or float16; give one")
    return getattr(torch, asked)
