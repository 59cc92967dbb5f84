"""What a fine-tuning run is asked to do, and by what it is known again when it is run once more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mm2energon.errors import InputError
from mm2energon.pipeline.machine import usable_cores
from mm2energon.pipeline.prepare import GroupBy
from mm2energon.tuning.options import BY_NAME, OPTIONS, check_value
from mm2energon.video.encode import FrameOptions
from mm2energon.video.sampling import Sampling
from mm2energon.videochat.adapters import model_name

#: Seconds between frames where nothing is said.
_INTERVAL_SECONDS = 0.5
#: Options that change what is told and kept of a run, not what it learns. (Energon deals shards to `loaders`; other
#: data has one order with any number.)
_WATCHING = ("eval_every", "save_every", "keep_checkpoints", "no_gradient_checkpointing")
#: Processes that may read ahead on any machine, and for each core of a larger one: each loads torch.
_LOADERS, _LOADERS_OF_A_CORE = 16, 2

#: So much of each file of weights is looked at, in so many places.
_SAMPLE_BYTES, _SAMPLES = 4096, 64


@dataclass(frozen=True)
class Settings:
    """The values of `OPTIONS`, which says what each means."""

    dataset_root: str
    prepend_missing_tags: bool
    val_share: float
    group_by: GroupBy
    max_tokens: int
    time_interval: float | None
    fps: float | None
    max_frames: int
    max_pixels: int
    image_pixels: int
    epochs: float
    steps: int
    batch_size: int
    effective_batch: int
    learning_rate: float
    warmup: float
    loaders: int
    weight_decay: float
    max_grad_norm: float
    seed: int
    rank: int
    alpha: int
    dropout: float
    train_vision: bool
    quantize: Literal["auto", "4bit", "none"]
    no_gradient_checkpointing: bool
    eval_every: int
    save_every: int
    keep_checkpoints: int

    def frames(self) -> FrameOptions:
        """Which frames of a video are taken, and how large they are.

        Raises:
            InputError: both an interval and a rate are given, or a value is out of range.
        """
        neither = self.time_interval is None and self.fps is None
        sampling = Sampling(
            interval_seconds=_INTERVAL_SECONDS if neither else self.time_interval,
            fps=self.fps,
            max_frames=self.max_frames,
        )
        return FrameOptions(sampling, max_pixels=self.max_pixels)


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Settings from values by name; what is not there has its default.

    Raises:
        InputError: a value is not of its option's kind.
    """
    given = {option.name: values.get(option.name) for option in OPTIONS}
    told = {
        option.name: option.default if given[option.name] is None else check_value(option, given[option.name])
        for option in OPTIONS
    }
    for name, such in (("val_share", "0.1"), ("dropout", "0.05")):
        if told[name] >= 1:  # nothing would be trained
            flag = BY_NAME[name].flag
            raise InputError(f"{flag} {told[name]:g}: a number below 1 was expected, such as {such}")
    return Settings(**told)


@dataclass(frozen=True)
class TuneJob:
    """A run: what it learns from, what it adapts, and where that goes."""

    #: Annotation files and folders of them, or one folder of shards.
    data: tuple[Path, ...]
    #: A folder, or a name of the hub.
    model: str
    output: Path
    settings: Settings
    workers: int
    #: Roots, resolved, of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()
    restart: bool = False

    @property
    def base(self) -> str:
        """What the base is called, from whatever folder."""
        return str(Path(self.model).absolute()) if Path(self.model).is_dir() else self.model

    @property
    def root(self) -> Path:
        """The dataset root."""
        return Path(self.settings.dataset_root).resolve()

    @property
    def shards(self) -> Path | None:
        """The folder of shards that it learns from; None: annotation files."""
        found = [path for path in self.data if is_shards(path)]
        return found[0] if found else None

    def asked(self) -> dict[str, Any]:
        """As `Runs.start` takes it, from whatever folder."""
        settings = {name: value for name, value in asdict(self.settings).items() if value is not None}
        settings["dataset_root"] = str(self.root)
        roots = [str(root) for root in self.further]
        return {
            "data": [str(path.absolute()) for path in self.data],
            "model": self.base,
            **settings,
            **({"allow_absolute_media": roots} if roots else {}),
        }

    def decides(self, sources: list[Path], base: Path) -> dict[str, Any]:
        """What decides what is learnt: a run with other values is another one.

        Args:
            sources: the files that are read.
            base: the folder of the model.
        """
        leaves_out = {*_WATCHING, "dataset_root"} | (set() if self.shards is not None else {"loaders"})
        settings = {name: value for name, value in asdict(self.settings).items() if name not in leaves_out}
        return {
            "model": model_name(self.model),
            "weights": _state_of_model(base),
            **settings,
            "data": [_state_of(path) for path in sources],
        }


def is_shards(path: Path) -> bool:
    """Whether a folder is one of finished shards."""
    return (path / ".nv-meta").is_dir()


def check_job(job: TuneJob) -> None:
    """Refuse what cannot be done.

    Raises:
        InputError: a file or folder is not there, or options contradict each other.
    """
    for path in job.data:
        if not path.exists():
            raise InputError(f"--data {path}: no such file or folder")
        if path.suffix.lower() in (".csv", ".tsv"):
            raise InputError(
                f"--data {path}: is a table; annotations or shards were expected; make them with mm2energon export"
            )
        if path.is_file() and path.suffix.lower() in (".yaml", ".yml"):
            raise InputError(
                f"--data {path}: is a blend, or another file of settings; one folder of shards or annotations were "
                "expected; take one of its datasets, or the annotation files that they were made from"
            )
    if job.shards is not None and len(job.data) > 1:
        raise InputError(
            f"--data: {len(job.data)} places, one of them of shards; one folder of shards, or annotation files alone "
            "were expected; run once for each, or shard them together"
        )
    for name in ("time_interval", "fps", "prepend_missing_tags") if job.shards is not None else ():
        if getattr(job.settings, name):
            raise InputError(
                f"{BY_NAME[name].flag}: shards are read as they were written; leave it out, or shard the data again "
                "with it"
            )
    _check_output(job)
    if job.shards is None and not job.root.is_dir():
        raise InputError(f"--dataset-root {job.root}: no such folder")
    check_settings(job.settings)


def check_settings(settings: Settings) -> None:
    """Refuse options that contradict each other, or are more than this machine can do.

    Raises:
        InputError: they do, or are.
    """
    settings.frames()
    if settings.effective_batch % settings.batch_size:
        raise InputError(
            f"--effective-batch {settings.effective_batch}: is no multiple of --batch-size {settings.batch_size}; "
            "make it one"
        )
    most = max(_LOADERS, _LOADERS_OF_A_CORE * usable_cores())
    if settings.loaders > most:
        raise InputError(
            f"--loaders {settings.loaders}: too many processes for this machine; at most {most} were expected; a few "
            "are enough"
        )


def _check_output(job: TuneJob) -> None:
    """Refuse to write between the files of the model or the data."""
    output = job.output.resolve()
    for name, place in (("--model", Path(job.model)), *(("--data", path) for path in job.data)):
        if place.exists() and place.resolve() == output:
            raise InputError(f"--output {job.output}: is {name}; another folder was expected; choose a new one")
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {job.output}: is a file; a folder was expected; choose another")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What tells two runs apart, for a message."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    told = {"data": "other data", "weights": "other weights of the base model"}
    return [told.get(name) or f"{name} {before.get(name)}" for name in names]


def _state_of_model(folder: Path) -> str:
    """What tells the weights of a base from others of its name, wherever they are copied to: a digest of samples."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.iterdir()):
        if path.name != "config.json" and path.suffix not in (".safetensors", ".bin"):
            continue
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for place in range(0, size, max(_SAMPLE_BYTES, size // _SAMPLES)):
                file.seek(place)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _state_of(path: Path) -> list[Any]:
    """By what it is noticed that a file has changed, without reading it."""
    state = path.stat()
    return [path.name, state.st_size, state.st_mtime_ns]
