"""Options of a fine-tuning run: one table, from which the command line and the form of the page are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mm2energon.errors import InputError

#: What a value is: a path or text, a whole number from 1 (or 0) up, a number above 0 (or from 0 up), a share from 0 to
#: 1, one of `choices`, or yes and no.
Kind = Literal["text", "count", "count0", "positive", "number", "share", "choice", "flag"]


@dataclass(frozen=True)
class Option:
    """One option; `--learning-rate` is `learning_rate` in Python and JSON."""

    name: str
    kind: Kind
    default: Any
    help: str
    #: Heading under which `--help` and the form show it.
    group: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """How the command line calls it."""
        return f"--{self.name.replace('_', '-')}"

    def as_json(self) -> dict[str, Any]:
        """As plain values, for a form."""
        return {
            "name": self.name,
            "kind": self.kind,
            "default": self.default,
            "help": self.help,
            "group": self.group,
            "choices": list(self.choices),
        }


_DATA, _FRAMES, _TRAINING, _ADAPTER, _WATCHING = "data", "frames", "training", "adapter", "watching"

OPTIONS: tuple[Option, ...] = (
    Option("dataset_root", "text", ".", "folder that media paths are relative to", _DATA),
    Option("prepend_missing_tags", "flag", False, "put tags that the text lacks before the first question", _DATA),
    Option("val_share", "share", 0.1, "share to validate on; shards with a split val keep theirs", _DATA),
    Option(
        "group_by", "choice", "media", "what keeps samples on one side of the split", _DATA, ("media", "id", "none")
    ),
    Option("max_tokens", "count0", 0, "set samples of more tokens aside; 0: no limit", _DATA),
    Option("time_interval", "positive", None, "seconds between frames (0.5), unless --fps is given", _FRAMES),
    Option("fps", "positive", None, "frames per second, instead of an interval", _FRAMES),
    Option("max_frames", "count", 32, "of longer videos so many frames, evenly spread", _FRAMES),
    Option("max_pixels", "count", 100_352, "larger frames are made smaller (100352 is 128 tokens)", _FRAMES),
    Option("image_pixels", "count", 1_003_520, "larger images are made smaller (1003520 is 1280 tokens)", _FRAMES),
    Option("epochs", "positive", 3.0, "passes over the training samples", _TRAINING),
    Option("steps", "count0", 0, "optimizer steps, instead of epochs", _TRAINING),
    Option("batch_size", "count", 1, "samples that a device takes at a time", _TRAINING),
    Option("effective_batch", "count", 8, "samples of one optimizer step, over all devices", _TRAINING),
    Option("learning_rate", "positive", 1e-4, "highest learning rate", _TRAINING),
    Option("warmup", "share", 0.03, "share of the steps in which the rate rises; it falls as a cosine", _TRAINING),
    Option("loaders", "count0", 2, "processes of a device that read ahead; 0: it reads itself", _TRAINING),
    Option("weight_decay", "number", 0.0, "weight decay of AdamW", _TRAINING),
    Option("max_grad_norm", "positive", 1.0, "gradients are clipped to this norm", _TRAINING),
    Option("seed", "count0", 42, "decides the order, the split and the first weights", _TRAINING),
    Option("rank", "count", 16, "LoRA r", _ADAPTER),
    Option("alpha", "count", 32, "LoRA alpha", _ADAPTER),
    Option("dropout", "share", 0.05, "LoRA dropout", _ADAPTER),
    Option("train_vision", "flag", False, "adapt the vision tower, too", _ADAPTER),
    Option(
        "quantize", "choice", "auto", "4-bit nf4 weights; auto: where CUDA and bitsandbytes are there", _ADAPTER,
        ("auto", "4bit", "none"),
    ),
    Option("no_gradient_checkpointing", "flag", False, "faster, for more memory", _ADAPTER),
    Option("eval_every", "count0", 50, "steps between validations; 0: in the end alone", _WATCHING),
    Option("save_every", "count", 50, "steps between checkpoints", _WATCHING),
    Option("keep_checkpoints", "count", 2, "how many checkpoints stay", _WATCHING),
)  # fmt: skip

#: By name.
BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def check_value(option: Option, value: Any) -> Any:
    """A value of an option that came as JSON.

    Raises:
        InputError: it is not of the option's kind.
    """
    if value is None and option.default is None:
        return None
    fits, expected = _fits(option, value)
    if not fits:
        raise InputError(f"{option.flag}: {value!r} was found; {expected} was expected; mend it")
    return value


def _fits(option: Option, value: Any) -> tuple[bool, str]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    whole = is_number and value == int(value)
    if option.kind == "text":
        return isinstance(value, str) and bool(value.strip()) and "\0" not in value, "a text"
    if option.kind == "flag":
        return isinstance(value, bool), "true or false"
    if option.kind == "choice":
        return value in option.choices, f"one of {', '.join(option.choices)}"
    if option.kind in ("count", "count0"):
        least = 1 if option.kind == "count" else 0
        return whole and value >= least, f"a whole number from {least} up"
    if option.kind == "share":
        return is_number and 0 <= value <= 1, "a number from 0 to 1"
    if option.kind == "positive":
        return is_number and value > 0, "a number above 0"
    return is_number and value >= 0, "a number from 0 up"
