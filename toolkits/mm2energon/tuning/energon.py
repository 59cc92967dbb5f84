"""Finished shards through Energon: its own loader and order, whose state goes into the checkpoints of a run.

Importing this module needs the extra `train`; nothing else of the package imports it at the top of a file.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from mm2energon.errors import InputError, SampleError, missing_extra
from mm2energon.shards.cooker import cook_chat
from mm2energon.shards.energon import stand_in_for_frameworks
from mm2energon.shards.reader import read_dataset_yaml, read_index
from mm2energon.tuning.chats import chat_of_sample
from mm2energon.tuning.encoding import FAULTS, Encoder, note_fault
from mm2energon.tuning.positions import from_json, to_json
from mm2energon.tuning.stopping import leave_signals_to_parent
from mm2energon.videochat.qwen_inputs import Encoded

try:
    import torch
    from megatron import energon
    from megatron.energon.edataclass import edataclass
except ImportError as error:
    raise missing_extra("megatron-energon>=7", "train") from error

#: Samples in a row that cannot be learnt from, behind which there is nothing to be waited for.
_MOST_FAULTS = 1000
#: Samples among which Energon shuffles, and that it reads in a row.
_SHUFFLED = 100


@edataclass
class _Encoded(energon.Sample):  # type: ignore[misc]
    """One encoded conversation on its way into a batch."""

    encoded: Any


@edataclass
class _Batch(energon.Batch):  # type: ignore[misc]
    """The keyword arguments of the model."""

    inputs: Any


class _Task(energon.DefaultTaskEncoder):  # type: ignore[misc]
    """What is done in the loader's workers."""

    cookers = (energon.Cooker(cook_chat),)
    decoder = None

    def __init__(
        self, encoder: Encoder, output: Path, *, max_frames: int, max_tokens: int, seconds_factor: float
    ) -> None:
        super().__init__()
        self._encoder, self._output = encoder, output
        self._max_frames, self._max_tokens, self._seconds_factor = max_frames, max_tokens, seconds_factor
        self._faults_in_a_row = 0

    @energon.stateless  # type: ignore[untyped-decorator]
    def encode_sample(self, sample: Any) -> _Encoded:
        """A sample of any target, encoded; where it cannot be, that is noted, and the next one comes.

        Raises:
            InputError: so many in a row cannot be encoded that none will do.
        """
        try:
            encoded: _Encoded = _Encoded.derive_from(sample, encoded=self._encode(sample))
        except SampleError as error:
            note_fault(self._output, str(sample.__key__), error)
            self._faults_in_a_row += 1
            if self._faults_in_a_row >= _MOST_FAULTS:
                raise InputError(
                    f"{self._output / FAULTS}: {_MOST_FAULTS} samples in a row cannot be learnt from; it says why of "
                    "each; look at the shards, or at --max-tokens"
                ) from error
            raise energon.SkipSample from error
        self._faults_in_a_row = 0
        return encoded

    def _encode(self, sample: Any) -> Encoded:
        chat = chat_of_sample(sample, max_frames=self._max_frames, seconds_factor=self._seconds_factor)
        encoded = self._encoder.encode(chat)
        if 0 < self._max_tokens < len(encoded.input_ids):
            raise SampleError(
                f"{chat.origin}: {len(encoded.input_ids)} tokens; at most {self._max_tokens} were expected "
                "(--max-tokens); split it, or take fewer or smaller pictures",
                "too-many-tokens",
            )
        return encoded

    @energon.stateless  # type: ignore[untyped-decorator]
    def batch(self, samples: list[_Encoded]) -> _Batch:
        """Samples as the model takes them."""
        inputs = self._encoder.batch([one.encoded for one in samples])
        batch: _Batch = _Batch.from_samples(samples, inputs=inputs)
        return batch


@dataclasses.dataclass(frozen=True)
class Shards:
    """The shards of a run, as one device reads them."""

    root: Path
    encoder: Encoder
    output: Path
    max_frames: int
    #: Samples of more are noted and passed over; 0: no limit.
    max_tokens: int
    batch_size: int
    seed: int
    loaders: int
    device: int = 0
    devices: int = 1

    def train(self) -> ShardBatches:
        """Batches without end, shuffled."""
        dataset = energon.get_train_dataset(
            self.root,
            split_part="train",
            worker_config=self._workers(),
            batch_size=self.batch_size,
            shuffle_buffer_size=_SHUFFLED,
            max_samples_per_sequence=_SHUFFLED,
            task_encoder=self._task(),
        )
        loader = energon.get_savable_loader(dataset, watchdog_timeout_seconds=None)
        loader.worker_init_fn = partial(_begin_worker, loader.worker_init_fn)
        return ShardBatches(loader)

    def val(self) -> Iterator[dict[str, Any]]:
        """The batches of the split val, each sample once, by whichever device."""
        dataset = energon.get_val_dataset(
            self.root,
            split_part="val",
            worker_config=self._workers(),
            batch_size=self.batch_size,
            task_encoder=self._task(),
        )
        for batch in _undisturbed(energon.get_loader(dataset, watchdog_timeout_seconds=None)):
            yield batch.inputs

    def _task(self) -> _Task:
        config = read_dataset_yaml(self.root)
        if "__module__" in config and "__class__" in config:
            stand_in_for_frameworks(str(config["__module__"]), str(config["__class__"]))
        written = read_index(self.root).manifest.get("options", {})
        factor = 2.0 if written.get("second_per_grid_ts") == "pai" else 1.0
        limits = {"max_frames": self.max_frames, "max_tokens": self.max_tokens}
        return _Task(self.encoder, self.output, seconds_factor=factor, **limits)

    def _workers(self) -> Any:
        named = {field.name for field in dataclasses.fields(energon.WorkerConfig)}
        more = {"global_error_handler": self._note} if "global_error_handler" in named else {}
        return energon.WorkerConfig(
            rank=self.device, world_size=self.devices, num_workers=self.loaders, seed_offset=self.seed, **more
        )

    def _note(self, error: Exception, sample: Any, *_about: Any) -> None:
        """Note a sample that its reader cannot make anything of; any other fault ends the run."""
        if not isinstance(error, SampleError):
            _reraise(error)
        key = sample.get("__key__") if isinstance(sample, Mapping) else getattr(sample, "__key__", "")
        note_fault(self.output, str(key or error), error)


def _reraise(error: Exception) -> NoReturn:
    raise error


def _begin_worker(first: Callable[[int], None] | None, number: int) -> None:
    leave_signals_to_parent()  # before the rest, which takes its time
    if first is not None:
        first(number)


class ShardBatches:
    """Batches of shards, and the place that they are at."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in _undisturbed(self._loader):
            yield batch.inputs

    def save(self, path: Path) -> None:
        """Keep the place behind the last batch."""
        path.write_text(json.dumps(to_json(self._loader.save_state_rank())), encoding="utf-8")

    def restore(self, path: Path) -> None:
        """Go on from a place that was kept; before the first batch.

        Raises:
            InputError: the file is not what `save` writes.
        """
        try:
            self._loader.restore_state_rank(from_json(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, AssertionError) as error:
            raise InputError(
                f"{path}: the place in the shards cannot be restored ({error}); as many processes and --loaders as "
                "before were expected; or run with --restart"
            ) from error


def _undisturbed(loader: Any) -> Iterator[Any]:
    """What a loader gives, with the random numbers of this process left where they are, for they decide the dropout."""
    before = set(multiprocessing.active_children())
    batches: Any = None
    try:
        while True:
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*pin_memory")  # Energon asks for it without a GPU, too
                try:
                    batches = iter(loader) if batches is None else batches
                    batch = next(batches)
                except StopIteration:
                    return
            yield batch
    finally:
        if hasattr(batches, "close"):
            batches.close()
        if getattr(loader, "_iterator", None) is not None:
            loader._iterator = None  # which holds processes that are kept from pass to pass
        # They leave signals to us; at the end of this process nobody else would end them.
        for reader in set(multiprocessing.active_children()) - before:
            reader.kill()


def counts(root: Path) -> dict[str, int]:
    """Samples by split.

    Raises:
        InputError: the metadata cannot be read, or there is nothing to train on.
    """
    index = read_index(root)
    by_split = {split: sum(index.counts.get(shard, 0) for shard in shards) for split, shards in index.splits.items()}
    if not by_split.get("train"):
        raise InputError(f"{root}: its split train has no samples; shards with some were expected")
    return by_split
