"""Tiny Qwen-VL models with random weights in folders, as a hub would give them, and LoRA adapters for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from byte_tokenizer import byte_tokenizer
from train_tiny_qwen2_5_vl import tiny_model

#: Small pictures keep it fast: 4 x 3 tokens for two frames.
PREPROCESSOR = {"min_pixels": 56 * 56, "max_pixels": 112 * 84, "patch_size": 14}


def save_model(folder: Path, model: Any, preprocessor: dict[str, Any] = PREPROCESSOR) -> Path:
    """The folder of a model, with a tokenizer of bytes."""
    tokenizer = byte_tokenizer()
    for name in ("vision_start", "vision_end"):  # transformers 4 finds pictures by them
        setattr(model.config, f"{name}_token_id", tokenizer.convert_tokens_to_ids(f"<|{name}|>"))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def save_qwen2_5_vl(folder: Path, *, seed: int = 0) -> Path:
    """The tiny Qwen2.5-VL of the examples."""
    torch.manual_seed(seed)
    return save_model(folder, tiny_model(byte_tokenizer()))


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.1,
        **more,
    }


def save_qwen2_vl(folder: Path) -> Path:
    """A tiny Qwen2-VL."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    rope = {"rope_scaling": {"rope_type": "default", "mrope_section": [4, 4, 4]}, "rope_theta": 10_000.0}
    config = transformers.Qwen2VLConfig(
        text_config=_text(tokenizer, **rope),
        vision_config={"depth": 2, "embed_dim": 64, "hidden_size": 96, "num_heads": 4, "mlp_ratio": 2},
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    )
    return save_model(folder, transformers.Qwen2VLForConditionalGeneration(config))


def save_qwen3_vl(folder: Path) -> Path:
    """A tiny Qwen3-VL, with patches of 16 pixels."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    rope = {"rope_scaling": {"rope_type": "default", "mrope_section": [4, 4, 4]}, "rope_theta": 10_000.0}
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "out_hidden_size": 96,
        "deepstack_visual_indexes": [0],
        "num_position_embeddings": 64,
    }
    config = transformers.Qwen3VLConfig(
        text_config=_text(tokenizer, head_dim=24, **rope),
        vision_config=vision,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    )
    preprocessor = {"min_pixels": 64 * 64, "max_pixels": 128 * 96, "patch_size": 16}
    return save_model(folder, transformers.Qwen3VLForConditionalGeneration(config), preprocessor)


def save_adapter(folder: Path, model: Path, *, seed: int = 1, base: str | None = None, spread: float = 0.5) -> Path:
    """A LoRA adapter with random weights, which changes every answer.

    Args:
        base: the model that it says it was made for; by default `model`.
    """
    import peft

    loaded = transformers.AutoModelForImageTextToText.from_pretrained(model)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])
    torch.manual_seed(seed)
    wrapped = peft.get_peft_model(loaded, config)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_" in name:
                weight.normal_(0, spread)
    wrapped.save_pretrained(folder)
    path = folder / "adapter_config.json"
    about = json.loads(path.read_text())
    about["base_model_name_or_path"] = str(model) if base is None else base
    path.write_text(json.dumps(about))
    return folder
