"""Tune: a fine-tuning run from its data to its adapter; the same command again goes on where it was stopped.

    OUTPUT/final_checkpoint/    the adapter, once it is done
    OUTPUT/checkpoint-<step>/   where the run can go on
    OUTPUT/metrics.jsonl        each step and validation
    OUTPUT/status.json          how the run is
    OUTPUT/finetune.json        what was asked for, and what decides the result

The first of its processes writes them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.budget import Counting
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.storage import write_whole
from mm2energon.tuning.adapting import uses_4bit
from mm2energon.tuning.breakdowns import told_what_to_do, written_or_removed
from mm2energon.tuning.device import Device
from mm2energon.tuning.encoding import Encoder, faults
from mm2energon.tuning.finish import write_adapter
from mm2energon.tuning.folders import last_checkpoint, remove_run, unfinished
from mm2energon.tuning.holding import held_by_us, told_how_it_ends
from mm2energon.tuning.job import TuneJob, check_job, differences
from mm2energon.tuning.prepare import Counts, prepare_samples, read_prepared, sources_of
from mm2energon.tuning.status import FINAL, JOB, Metrics, tell_status
from mm2energon.tuning.stopping import Stop, Watch, asked_to_stop
from mm2energon.videochat.backends.places import find_model
from mm2energon.videochat.backends.setup import Setup

if TYPE_CHECKING:
    from mm2energon.tuning.trainer import Tuner

#: The family of a model -> its row of MODELS, by which tokens are counted.
_COUNTED_AS = {"qwen2_vl": "qwen2-vl", "qwen2_5_vl": "qwen2.5-vl", "qwen3_vl": "qwen3-vl"}


@dataclass(frozen=True)
class Tuned:
    """What became of a run."""

    device: Device
    counts: Counts
    step: int
    total: int
    #: Losses of the first and the last step of this start, and of the last validation.
    losses: tuple[float, ...] = ()
    eval_loss: float | None = None
    #: The signal that it was stopped by; 0: it is done.
    stopped_by: int = 0
    already_done: bool = False
    resumed_from: int = 0
    #: Samples that were prepared and could not be read.
    faults: int = 0


def tune(job: TuneJob, *, progress: ProgressMaker = silent, tell: Callable[[str], None] = lambda line: None) -> Tuned:
    """Train the adapter, or go on where the run was stopped.

    Args:
        tell: is called with what takes time.

    Raises:
        InputError: the data or the model cannot be used, or the output holds another run.
        DependencyError: a package of the extra is missing.
    """
    check_job(job)
    _require_packages()
    uses_4bit(job.settings)  # where it is asked for in vain, that is told before the data is prepared
    device = Device.here()
    if job.settings.effective_batch % (job.settings.batch_size * device.count):
        raise InputError(
            f"--effective-batch {job.settings.effective_batch}: is no multiple of --batch-size "
            f"{job.settings.batch_size} x {device.count} processes; make it one"
        )
    if not device.leads:
        return _Run(job, device, silent, tell).go()
    with held_by_us(job.output), told_how_it_ends(job.output):
        return _Run(job, device, progress, tell).go()


def _require_packages() -> None:
    for package in ("torch", "peft", "accelerate"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "train")
    try:
        from transformers.utils import logging
    except ImportError as error:
        raise missing_extra("transformers", "train") from error
    told: Any = logging
    told.disable_progress_bar()
    told.set_verbosity_error()


class _Run:
    """One process of a run."""

    def __init__(self, job: TuneJob, device: Device, progress: ProgressMaker, tell: Callable[[str], None]) -> None:
        self._job, self._device, self._progress = job, device, progress
        self._model = find_model(job.model, Setup(), tell)
        self._encoder = Encoder.of(self._model, job.settings)
        self._losses: list[float] = []
        self._eval_loss: float | None = None

    def go(self) -> Tuned:
        """From the data to the adapter."""
        from mm2energon.tuning.trainer import arguments

        job = self._job
        sources = [job.shards / ".nv-meta" / ".info.json"] if job.shards else sources_of(job)
        decided = job.decides([path for path in sources if path.exists()], self._model)
        fingerprint = hashlib.sha256(dumps(decided)).hexdigest()
        self._encoder.vision  # noqa: B018 - a model of another kind is told before the data is prepared
        if self._device.leads:
            self._begin(decided)
        # It is made twice, for it also makes the processes know each other, and the number of steps comes later.
        first = arguments(job.settings, job.output, steps=1, devices=self._device.count)
        with first.main_process_first(local=False):
            counts = self._prepare(fingerprint)
            if self._device.leads:
                self._replace(decided)
        total = job.settings.steps or math.ceil(job.settings.epochs * counts.train / job.settings.effective_batch)
        if (found := self._finished(total)) is not None:
            return replace(found, counts=counts)
        return self._train(counts, total)

    def _begin(self, decided: Mapping[str, Any]) -> None:
        """Note what was asked for; results of another run stay until the data is prepared.

        Raises:
            InputError: the output holds another run.
        """
        output = self._job.output
        before = _read_job(output).get("decides")
        is_other = before is not None and before != decided
        if before is None and not self._job.restart and _has_results(output):
            raise InputError(
                f"--output {output}: holds an adapter, and no {JOB} that says what it was made from; choose another "
                "folder, or --restart to replace it"
            )
        if is_other and not self._job.restart and _has_results(output):
            raise InputError(
                f"--output {output}: holds another run ({', '.join(differences(before or {}, decided))}); choose "
                "another folder, or --restart to replace it"
            )
        self._note_job(before)

    def _replace(self, decided: Mapping[str, Any]) -> None:
        """Remove what another run left, and note what decides this one."""
        output = self._job.output
        if self._job.restart or _read_job(output).get("decides") != decided:
            remove_run(output)
        self._note_job(decided)

    def _note_job(self, decided: Mapping[str, Any] | None) -> None:
        told = {"asked": self._job.asked(), **({} if decided is None else {"decides": decided})}
        with write_whole(self._job.output / JOB) as file:
            file.write(dumps(told))

    def _prepare(self, fingerprint: str) -> Counts:
        job = self._job
        if job.shards is not None:
            from mm2energon.tuning.energon import counts

            found = counts(job.shards)
            train, val = found["train"], found.get("val", 0)
            account = {"read": train + val, "written": {"train": train, "val": val}, "set_aside": {}, "lost_behind": []}
            return Counts(train, val, account)
        if not self._device.leads:
            if (known := read_prepared(job.output, fingerprint)) is None:
                raise InputError(f"{job.output}: the first process could not prepare the data, and says why")
            return known
        counting = None
        if job.settings.max_tokens:
            family = _COUNTED_AS[self._encoder.vision.family]
            counting = Counting(family, self._model, job.settings.image_pixels, job.settings.max_pixels)
        return prepare_samples(job, fingerprint, counting=counting, progress=self._progress)

    def _finished(self, total: int) -> Tuned | None:
        """What there is to say when the run was complete already."""
        final, job = self._job.output / FINAL, self._job
        if not (final / "adapter_config.json").is_file():
            return None
        if self._device.leads:
            tell_status(job.output, state="done", step=total, total=total)
        return Tuned(self._device, Counts(0, 0, {}), total, total, already_done=True)

    def _train(self, counts: Counts, total: int) -> Tuned:
        found = last_checkpoint(self._job.output)
        step, checkpoint = found if found else (0, None)
        bar = self._progress("steps", total)
        bar.update(step)
        with asked_to_stop() as stop, self._metrics() as write:

            def tell(line: Mapping[str, Any]) -> None:
                self._note(line)
                write(line)

            tuner = self._tuner(counts, total, found, Watch(tell, lambda _step: bar.update(1), stop))
            if self._device.leads:
                tell_status(self._job.output, state="running", step=step, total=total)
            if step < total:
                with told_what_to_do():
                    tuner.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
            elif checkpoint is not None:  # it was killed between its last step and the end
                tuner.load_weights(checkpoint, step=total)
            tuned = self._ended(counts, tuner.state.global_step, total, stop, resumed_from=step)
        bar.close()
        if self._device.leads:
            self._finish(tuner.model, tuned)
        return tuned

    def _tuner(self, counts: Counts, total: int, found: tuple[int, Path] | None, watch: Watch) -> Tuner:
        """The loop, with the model and the feed, at the place where the run goes on."""
        from transformers import set_seed

        from mm2energon.tuning.adapting import load_adapted
        from mm2energon.tuning.feeding import feed_of
        from mm2energon.tuning.trainer import Tuner, arguments

        job = self._job
        step, checkpoint = found if found else (0, None)
        set_seed(job.settings.seed)  # which decides the first weights of the adapters
        model = load_adapted(self._model, job.settings, name=job.base)
        made = arguments(job.settings, job.output, steps=total, devices=self._device.count)
        feed = feed_of(job, self._encoder, counts, self._device, from_step=step, checkpoint=checkpoint)
        return Tuner(model, made, feed=feed, watch=watch, settings=job.settings)

    @contextmanager
    def _metrics(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Takes lines of metrics; of the first process alone, for all say the same."""
        if not self._device.leads:
            yield lambda line: None
            return
        metrics = Metrics(self._job.output)
        try:
            yield metrics.write
        finally:
            metrics.close()

    def _note(self, line: Mapping[str, Any]) -> None:
        if "loss" in line:
            self._losses.append(float(line["loss"]))
        self._eval_loss = line.get("eval_loss", self._eval_loss)

    def _ended(self, counts: Counts, step: int, total: int, stop: Stop, *, resumed_from: int) -> Tuned:
        return Tuned(
            device=self._device,
            counts=counts,
            step=step,
            total=total,
            losses=tuple(self._losses[:1] + self._losses[-1:]),
            eval_loss=self._eval_loss,
            stopped_by=stop.number if step < total else 0,
            resumed_from=resumed_from,
            faults=len(faults(self._job.output)),
        )

    def _finish(self, model: Any, tuned: Tuned) -> None:
        """Write the adapter, and say how the run is."""
        output, state = self._job.output, "stopped"
        if not tuned.stopped_by:
            state = "done"
            facts = {
                "samples": {"train": tuned.counts.train, "val": tuned.counts.val},
                "steps": tuned.step,
                "devices": self._device.count,
                "last_loss": tuned.losses[-1] if tuned.losses else None,
                "eval_loss": tuned.eval_loss,
            }
            with written_or_removed(unfinished(output / FINAL)):
                write_adapter(output / FINAL, model, self._job, base=self._model, facts=facts)
        tell_status(output, state=state, step=tuned.step, total=tuned.total)


def _read_job(output: Path) -> Mapping[str, Any]:
    try:
        value = loads((output / JOB).read_bytes())
        return value if isinstance(value, Mapping) else {}
    except (OSError, ValueError):
        return {}


def _has_results(output: Path) -> bool:
    return (output / FINAL).exists() or last_checkpoint(output) is not None
