"""The table of commands: each module adds its arguments to a parser, runs, and says what to print."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One row: where the command lives (imported when it is used) and what `--help` says of it."""

    module: str
    summary: str


#: Name -> row; `mm2energon --help` shows them in this order.
COMMANDS: dict[str, Command] = {
    "frames": Command(
        "frames", "merge LLaVA-style annotations into dataset.json and extract the frames of their videos"
    ),
    "normalize": Command("normalize", "any annotation file to ShareGPT (image -> images, video -> videos)"),
    "shard": Command("shard", "write an annotation file into Energon shards with train/val/test splits"),
    "verify": Command("verify", "read shards back with webdataset and Energon, and name every fault"),
    "info": Command("info", "say what a folder of shards holds"),
    "retarget": Command("retarget", "let another reader take the same shards, where their bytes allow it"),
}


@dataclass(frozen=True)
class Result:
    """What a command has to say, and its exit status (0 all done, 1 failed, 3 finished with samples set aside)."""

    lines: list[str]
    status: int = 0
