"""What `mm2energon shard` is asked to do, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mm2energon.errors import InputError
from mm2energon.pipeline.arrange import Arrangement
from mm2energon.pipeline.budget import Counting
from mm2energon.pipeline.extract import Extraction
from mm2energon.pipeline.loop import Executor
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.mirror import Mirror
from mm2energon.remote import Place, is_there
from mm2energon.stopwatch import Stopwatch
from mm2energon.targets import Target


@dataclass(frozen=True)
class Stores:
    """The mirrors that a run works in, of folders that lie in a store."""

    root: Mirror | None = None
    output: Mirror | None = None

    @property
    def are_one(self) -> bool:
        """Whether both are of the same folder."""
        return self.root is not None and self.output is not None and self.root.of.url == self.output.of.url


@dataclass(frozen=True)
class ShardJob:
    """What `mm2energon shard` is asked to do."""

    root: Path
    #: The files whose entries are the dataset, in order; those in a store are read as streams.
    annotations: tuple[Place, ...]
    output: Path
    target: Target
    arrangement: Arrangement
    mending: Mending
    workers: int
    #: None: a video without frames is set aside.
    extraction: Extraction | None
    #: Frames that are extracted go straight into the shards, and not into files beside the videos.
    packs_frames: bool = False
    seconds_per_grid: Literal["model", "pai"] = "model"
    default_fps: float | None = None
    decode_images: bool = False
    restart: bool = False
    #: A set-aside file that is read instead of the annotations.
    retry: Path | None = None
    #: Roots, resolved, of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()
    #: How the tokens of each sample are counted, to be noted; None: nobody counts.
    counting: Counting | None = None
    max_tokens: int | None = None
    #: What writes the shards instead of workers of this machine.
    executor: Executor | None = None
    #: The plan of before is gone on with where there is one, and the input not looked at again.
    keeps_plan: bool = False
    #: What prepares the entries for the plan instead of workers of this machine.
    planner: Executor | None = None
    #: What `root` and `output` are mirrors of, where that lies in a store.
    stores: Stores = field(default_factory=Stores)

    @property
    def sources(self) -> tuple[Place, ...]:
        """The files whose entries are read."""
        return self.annotations if self.retry is None else (self.retry,)

    def options(self) -> dict[str, Any]:
        """What decides the bytes, besides the input."""
        return {
            "target": self.target.name,
            **asdict(self.arrangement),
            "ratios": {split: float(share) for split, share in self.arrangement.ratios.items()},  # 9 is 9.0
            **asdict(self.mending),
            "second_per_grid_ts": self.seconds_per_grid,
            "default_fps": self.default_fps,
            **self._tokens_options(),
        }

    def _tokens_options(self) -> dict[str, Any]:
        if self.counting is None:  # then a plan has the hash that it always had
            return {}
        return {**self.counting.options(), "max_tokens": self.max_tokens}


@dataclass
class ShardReport:
    """What `mm2energon shard` did."""

    account: dict[str, Any] = field(default_factory=dict)
    shards: int = 0
    shard_bytes: int = 0
    #: Videos that had no frames and were extracted, and those whose frames were taken as they are.
    videos_extracted: int = 0
    videos_ready: int = 0
    #: Damaged videos of which the frames before the fault were taken, and what is wrong with them.
    videos_partial: Mapping[str, str] = field(default_factory=dict)
    also_read_by: Mapping[str, int] = field(default_factory=dict)
    #: Samples that hold a video at another rate than 2 fps.
    other_rates: int = 0
    #: The output was complete already, from the same input and options.
    already_done: bool = False
    #: What the steps took, over all workers.
    watch: Stopwatch = field(default_factory=Stopwatch)

    def tell_videos(self, told: Mapping[str, Any]) -> None:
        """Take over what is told of the videos, by this run or by the one that planned the shards."""
        self.videos_extracted, self.videos_ready = told.get("extracted", 0), told.get("ready", 0)
        self.videos_partial = told.get("partial", {})


def check_job(job: ShardJob) -> None:
    """Refuse what cannot be done.

    Raises:
        InputError: a file or folder is not there, or options contradict each other.
    """
    if not job.root.is_dir():
        raise InputError(f"--dataset-root {job.root}: no such folder")
    if job.retry is not None:
        if not job.retry.is_file():
            raise InputError(f"--retry {job.retry}: no such file; the set_aside.jsonl of an earlier run was expected")
        if job.retry.resolve().is_relative_to(job.output.resolve()):
            raise InputError(
                f"--output {job.output}: holds the dataset of before; another folder was expected for the entries of "
                "--retry, such as wds-2; blend the two for training"
            )
    for path in job.annotations if job.retry is None else ():
        if not is_there(path):
            raise InputError(
                f"--json {path}: no such file; make it with mm2energon frames (videos) or mm2energon normalize"
            )
    if job.output.resolve() == job.root or job.stores.are_one:
        raise InputError(f"--output {job.output}: is the dataset root itself; another folder was expected, such as wds")
    if job.packs_frames and job.stores.output is not None and job.executor is not None:
        raise InputError(
            "--extract: keeps frames in the folder of the output until they are in shards; with executors one that "
            "all nodes see was expected, not a store; choose such an --output, or leave --extract out"
        )
    ratios = job.arrangement.ratios
    if any(share < 0 for share in ratios.values()) or not 0 < sum(ratios.values()) < float("inf"):
        shown = ", ".join(f"--{split}-split {share:g}" for split, share in ratios.items())
        raise InputError(f"{shown}: shares of 0 or more were expected, one of them above 0")
    if job.default_fps is not None and not 0 < job.default_fps < float("inf"):
        raise InputError(f"--default-fps {job.default_fps:g}: a number above 0 was expected")
