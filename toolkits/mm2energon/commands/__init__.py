"""The table of commands: each module adds its arguments to a parser, runs, and says what to print."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One row: where the command lives (imported when it is used) and what `--help` says of it."""

    module: str
    #: The script of a checkout that is the same command, below `toolkits/`.
    script: str
    summary: str


_SCRIPTS = "multimodal_data_preprocessing"

#: Name -> row; `mm2energon --help` shows them in this order.
COMMANDS: dict[str, Command] = {
    "frames": Command(
        "frames",
        f"{_SCRIPTS}/build_llava_frame_dataset.py",
        "merge LLaVA-style annotations into dataset.json and extract the frames of their videos",
    ),
    "normalize": Command(
        "normalize",
        f"{_SCRIPTS}/replace_llava_image_key.py",
        "any annotation file to ShareGPT (image -> images, video -> videos)",
    ),
    "convert": Command(
        "convert",
        f"{_SCRIPTS}/convert_annotations.py",
        "an annotation file of any format to that of another trainer",
    ),
    "filter": Command(
        "filter",
        f"{_SCRIPTS}/filter_annotations.py",
        "set samples aside that a model has no room for, or take fewer frames of them",
    ),
    "text-to-frames": Command(
        "text_frames",
        f"{_SCRIPTS}/render_text_frames.py",
        "long texts with questions to folders of pictures, as T2Vid's synthetic videos",
    ),
    "mix": Command(
        "mix",
        f"{_SCRIPTS}/mix_annotations.py",
        "several annotation files as one, so many entries of each, chosen and shuffled by seed",
    ),
    "transcribe": Command(
        "transcribe",
        f"{_SCRIPTS}/video_to_chatml.py",
        "recorded conversations, a voice on each audio track, to ChatML by speech recognition",
    ),
    "shard": Command(
        "shard",
        "pretrain_data_preprocessing/convert_custom_dataset_to_wds_chatml.py",
        "write an annotation file into Energon shards with train/val/test splits",
    ),
    "verify": Command(
        "verify",
        f"{_SCRIPTS}/verify_shards.py",
        "read shards back with webdataset and Energon, and name every fault",
    ),
    "doctor": Command(
        "doctor",
        f"{_SCRIPTS}/doctor_shards.py",
        "say what is wrong with shards, also those of the original scripts; writes nothing",
    ),
    "repair": Command(
        "repair",
        f"{_SCRIPTS}/repair_shards.py",
        "write shards anew, mended, into another folder",
    ),
    "plan": Command(
        "plan",
        f"{_SCRIPTS}/plan_units.py",
        "plan the units of work of frames, shard, convert, verify or report, for any number of tasks",
    ),
    "run": Command("run", f"{_SCRIPTS}/run_units.py", "run one task's share of the units that were planned"),
    "finalize": Command(
        "finalize", f"{_SCRIPTS}/finalize_units.py", "end a planned command, when all its units were run"
    ),
    "simulate": Command(
        "simulate",
        f"{_SCRIPTS}/simulate_cluster.py",
        "what planned units would take on more nodes, from some that were run",
    ),
    "info": Command("info", f"{_SCRIPTS}/show_shards.py", "say what a folder of shards holds"),
    "report": Command(
        "report",
        f"{_SCRIPTS}/report_dataset.py",
        "a page that shows a dataset: distributions, tokens, samples, copies, warnings",
    ),
    "studio": Command(
        "studio",
        f"{_SCRIPTS}/review_dataset.py",
        "a page of this machine to review a dataset, export it, try a model on it and fine-tune it",
    ),
    "export": Command(
        "export",
        f"{_SCRIPTS}/export_templates.py",
        "reviewed samples to the files that trainers read, with a log, splits and shards",
    ),
    "finetune": Command(
        "finetune",
        f"{_SCRIPTS}/finetune_lora.py",
        "train a LoRA adapter for Qwen2-VL and its kin on annotation files or shards",
    ),
    "blend": Command(
        "blend",
        f"{_SCRIPTS}/blend_datasets.py",
        "several finished datasets as one, by weights or repetitions, for Energon",
    ),
    "retarget": Command(
        "retarget",
        f"{_SCRIPTS}/retarget_shards.py",
        "let another reader take the same shards, where their bytes allow it",
    ),
}


@dataclass(frozen=True)
class Result:
    """What a command has to say, and its exit status (0 all done, 1 failed, 3 finished with samples set aside)."""

    lines: list[str]
    status: int = 0
