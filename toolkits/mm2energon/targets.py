"""The TARGETS table: one row per training-side reader, what it wants of a sample and what it would lose in silence.

The facts were found by running the readers: Pai-Megatron-Patch v0.11 to v0.12.3 (`pai-v1`) and its HEAD of November
2025 (`pai-v2`), Megatron-Bridge 0.5 and later (`bridge`), and Energon 7 with the cooker of this package (`crude`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mm2energon.errors import InputError
from mm2energon.rules import Rules
from mm2energon.sample import Sample, Turn


@dataclass(frozen=True)
class Target:
    """One reader: the parts of its records, its json, its `dataset.yaml`."""

    name: str
    reader: str
    #: Part names of the pickled lists; empty when the target stores one member per picture (`crude`).
    images_part: str
    videos_part: str
    #: Part name of the pickled list of audio files; empty: none.
    audios_part: str
    #: Keys of a turn: `from` (from/value, human/gpt), `role` (role/content, user/assistant), or both.
    turn_keys: Literal["from", "role", "both"]
    dataset_yaml: Mapping[str, Any]
    rules: Rules
    #: Other targets whose reader takes the same bytes -> the field_map it needs for them.
    also: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: The reader cuts an odd last frame of a video.
    cuts_odd_frame: bool = False
    #: The reader takes every video as 2 frames a second, whatever the json says.
    takes_2_fps: bool = False
    #: What to do next; `{path}` is the folder of the shards.
    next_steps: str = ""


def _class_yaml(module: str, name: str, field_map: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"__module__": module, "__class__": name, "field_map": dict(field_map), **more}


_PAI_V1_FIELDS = {"imgs": "jpgs", "videos": "videos", "conversation": "json"}
_PAI_V2_FIELDS = {"imgs": "jpgs", "videos": "mp4s", "audios": "mp3s", "conversation": "json"}
_BRIDGE_MODULE = "megatron.bridge.data.energon.task_encoder_utils"
_PAI_RULES = Rules(
    min_side=28,
    min_frames=2,
    alternating=True,
    tags_in_user_turns_only=True,
    own_system_turn=False,
    system_text="You are a helpful assistant.",
    no_control_tokens=True,
)

TARGETS: dict[str, Target] = {
    "pai-v1": Target(
        name="pai-v1",
        reader="Pai-Megatron-Patch v0.11 to v0.12.3 (Qwen2-VL, Qwen2.5-VL)",
        images_part="jpgs",
        videos_part="videos",
        audios_part="",
        turn_keys="from",
        dataset_yaml=_class_yaml("megatron_patch.data.energon.chatml", "ChatMLWebdataset", _PAI_V1_FIELDS),
        rules=_PAI_RULES,
        also={"bridge": _PAI_V1_FIELDS},
        cuts_odd_frame=True,
        next_steps=(
            "In Pai-Megatron-Patch v0.12.3, examples/qwen2_5_vl (or qwen2_vl), with Energon 4.0 or 5.2, give\n"
            "this folder twice to run_mcore_qwen.sh, as DATASET_PATH and VALID_DATASET_PATH; it passes on:\n"
            "    --train-data-path {path} --valid-data-path {path} --dataloader-type external"
        ),
    ),
    "pai-v2": Target(
        name="pai-v2",
        reader="Pai-Megatron-Patch HEAD since November 2025 (Qwen3-VL, Qwen3-Omni)",
        images_part="jpgs",
        videos_part="mp4s",
        audios_part="mp3s",
        turn_keys="role",
        dataset_yaml=_class_yaml("megatron_patch.data.multimodal_dataset", "ChatMLWebdataset", _PAI_V2_FIELDS),
        rules=replace(_PAI_RULES, min_side=32, own_system_turn=True, system_text=None, max_audios=None),
        also={"bridge": {"imgs": "jpgs", "videos": "mp4s", "conversation": "json"}},
        cuts_odd_frame=True,
        next_steps=(
            "In Pai-Megatron-Patch HEAD, examples/qwen3_vl, with Energon 4.0 to 6.0.1, give this folder twice to\n"
            "run_mcore_qwen.sh, as DATASET_PATH and VALID_DATASET_PATH; it passes on:\n"
            "    --train-data-path {path} --valid-data-path {path} --dataloader-type external"
        ),
    ),
    "bridge": Target(
        name="bridge",
        reader="NVIDIA Megatron-Bridge 0.5 and later",
        images_part="jpgs",
        videos_part="videos",
        audios_part="",
        turn_keys="both",
        dataset_yaml=_class_yaml(_BRIDGE_MODULE, "ChatMLWebdataset", _PAI_V1_FIELDS, subflavors={}),
        rules=Rules(max_images=10, max_frames=60, max_visual_tokens=16_384),
        also={"pai-v1": _PAI_V1_FIELDS},
        takes_2_fps=True,
        next_steps=(
            "In Megatron-Bridge (0.5 or later, Energon 6.0.1 to 7.4), give this folder to a recipe with Energon data:\n"
            "    python -m torch.distributed.run --nproc_per_node=1 scripts/training/run_recipe.py \\\n"
            "        --recipe qwen3_vl_8b_peft_1gpu_h100_bf16_energon_config --step-func vlm_step \\\n"
            "        dataset.path={path}"
        ),
    ),
    "crude": Target(
        name="crude",
        reader="Energon 7 with mm2energon.shards.cooker.cook_chat",
        images_part="",
        videos_part="",
        audios_part="",
        turn_keys="role",
        dataset_yaml={"__module__": "megatron.energon", "__class__": "CrudeWebdataset"},
        rules=Rules(
            max_aspect_ratio=None, max_audios=None, same_frame_sizes=False, system_turn_first=False, wants_answer=False
        ),
        next_steps=(
            "In your training code (Energon 7):\n"
            "    from megatron.energon import Cooker, DefaultTaskEncoder, WorkerConfig, get_loader, get_train_dataset\n"
            "    from mm2energon.shards.cooker import cook_chat\n"
            "    class Encoder(DefaultTaskEncoder):\n"
            "        cookers = [Cooker(cook_chat)]\n"
            "    dataset = get_train_dataset('{path}', worker_config=WorkerConfig.default_worker_config(),\n"
            "        batch_size=1, shuffle_buffer_size=100, max_samples_per_sequence=100, task_encoder=Encoder())\n"
            "    for batch in get_loader(dataset): ..."
        ),
    ),
}


def target_named(name: str) -> Target:
    """The row of the table.

    Raises:
        InputError: there is none of that name.
    """
    try:
        return TARGETS[name]
    except KeyError:
        raise InputError(f"--target {name}: no such target; one of {', '.join(TARGETS)} was expected") from None


def dataset_yamls(target: Target, *, read_by: Target | None = None) -> dict[str, dict[str, Any]]:
    """File name -> content: `dataset.yaml`, and one `dataset.<other>.yaml` for each other reader of the same bytes.

    Args:
        target: the one that the bytes were written for.
        read_by: the one that `dataset.yaml` is for, where that is another.
    """
    files = {"dataset.yaml": dict(target.dataset_yaml)}
    for other, field_map in target.also.items():
        files[f"dataset.{other}.yaml"] = {**TARGETS[other].dataset_yaml, "field_map": dict(field_map)}
    if read_by is not None and read_by.name != target.name:
        files[f"dataset.{target.name}.yaml"] = files["dataset.yaml"]
        files["dataset.yaml"] = files.pop(f"dataset.{read_by.name}.yaml")
    return files


_FROM_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}
_TURN_WRITERS: dict[str, Callable[[Turn], dict[str, str]]] = {
    "from": lambda turn: {"from": _FROM_NAMES[turn.role], "value": turn.text},
    "role": lambda turn: {"role": turn.role, "content": turn.text},
    "both": lambda turn: {
        "from": _FROM_NAMES[turn.role],
        "value": turn.text,
        "role": turn.role,
        "content": turn.text,
    },
}


def turns_json(sample: Sample, target: Target) -> list[dict[str, str]]:
    """The turns as the target's json holds them."""
    return [_TURN_WRITERS[target.turn_keys](turn) for turn in sample.turns]
