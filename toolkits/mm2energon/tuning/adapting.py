"""Adapting: the base model as it lies in its folder, frozen, with LoRA layers in its projections.

LoRA: Hu et al., https://arxiv.org/abs/2106.09685; on weights of 4 bits (nf4): https://arxiv.org/abs/2305.14314.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.tuning.job import Settings

_PROJECTIONS = "q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj"
#: The names of modules of Qwen2-VL, Qwen2.5-VL and Qwen3-VL in transformers, from 4.52 on.
_LANGUAGE = rf".*\blanguage_model\b.*\.(?:{_PROJECTIONS})"
_VISION = rf".*\bvisual\.blocks\..*\.(?:qkv|proj|fc1|fc2|linear_fc1|linear_fc2|{_PROJECTIONS})"


def targets(settings: Settings) -> str:
    """Which modules are adapted: attention and MLP of the language model, with `--train-vision` of the tower, too."""
    return rf"{_LANGUAGE}|{_VISION}" if settings.train_vision else _LANGUAGE


def uses_4bit(settings: Settings) -> bool:
    """Whether the base is loaded in 4 bits.

    Raises:
        InputError: it has to be, and cannot.
    """
    import torch

    possible = torch.cuda.is_available() and importlib.util.find_spec("bitsandbytes") is not None
    if settings.quantize == "4bit" and not possible:
        lacks = "bitsandbytes" if torch.cuda.is_available() else "a CUDA device"
        raise InputError(f"--quantize 4bit: {lacks} is missing; leave it out, or run where there is one")
    return possible and settings.quantize != "none"


def uses_bf16() -> bool:
    """Whether the device computes in bfloat16."""
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())


def load_adapted(folder: Path, settings: Settings, *, name: str) -> Any:
    """The model of a folder with new adapters, which alone are trained.

    Args:
        name: what the base is called in the adapter.

    Raises:
        InputError: the folder holds no such model, or none with such layers.
        DependencyError: a package of the extra is missing.
    """
    try:
        from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    except ImportError as error:
        raise missing_extra("peft", "train") from error
    base = _load_base(folder, settings)
    checkpointing = not settings.no_gradient_checkpointing
    if uses_4bit(settings):
        prepared: Any = prepare_model_for_kbit_training
        base = prepared(
            base, use_gradient_checkpointing=checkpointing, gradient_checkpointing_kwargs={"use_reentrant": False}
        )
    elif checkpointing:
        _checkpoint_activations(base)
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets(settings),
        bias="none",
    )
    try:
        model = get_peft_model(base, adapter)
    except ValueError as error:
        raise InputError(
            f"{folder}: has no layers to adapt ({error}); a Qwen2-VL, Qwen2.5-VL or Qwen3-VL was expected"
        ) from error
    model.peft_config["default"].base_model_name_or_path = name
    return model


def _load_base(folder: Path, settings: Settings) -> Any:
    import torch

    try:
        from safetensors import SafetensorError
        from transformers import AutoModelForImageTextToText, BitsAndBytesConfig
    except ImportError as error:
        raise missing_extra("transformers", "train") from error
    dtype = torch.bfloat16 if uses_bf16() else torch.float32
    options: dict[str, Any] = {}
    if uses_4bit(settings):
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
        how: Any = BitsAndBytesConfig
        options["quantization_config"] = how(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    try:
        return AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, **options)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"--model {folder}: cannot be loaded ({error}); a whole model was expected") from error


def _checkpoint_activations(base: Any) -> None:
    """Compute activations anew in the backward pass instead of keeping them; without side effects on random numbers."""
    base.config.get_text_config().use_cache = False
    if hasattr(base, "activation_checkpointing_enable"):  # transformers 5.20 and later
        base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
