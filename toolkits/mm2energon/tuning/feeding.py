"""Feeding: what one process of a run learns from, made of prepared samples or of shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.pipeline.output import packs_of
from mm2energon.tuning.device import Device
from mm2energon.tuning.encoding import Encoder
from mm2energon.tuning.job import TuneJob
from mm2energon.tuning.order import Order, in_turn
from mm2energon.tuning.prepare import Counts, rows_path
from mm2energon.tuning.rows import Rows, load_batches
from mm2energon.tuning.trainer import Feed, Inputs


def feed_of(
    job: TuneJob, encoder: Encoder, counts: Counts, device: Device, *, from_step: int, checkpoint: Path | None
) -> Feed:
    """The feed of this process, from the place where the run goes on.

    Args:
        checkpoint: what it goes on from; None: the beginning.

    Raises:
        InputError: the place in the shards was that of another number of processes.
    """
    if job.shards is not None:
        return _shards(job, encoder, counts, device, checkpoint)
    settings = job.settings
    order = Order(
        counts.train, settings.seed, settings.batch_size, settings.effective_batch, device.number, device.count
    )
    train, val = (
        Rows(rows_path(job.output, split), job.root, packs_of(job.output), job.further, encoder, job.output)
        for split in ("train", "val")
    )
    loading = {"workers": settings.loaders, "seed": settings.seed}
    batches = order.batches(from_step=from_step)

    def validate() -> Iterator[Inputs]:
        turn = in_turn(counts.val, batch_size=settings.batch_size, device=device.number, devices=device.count)
        return iter(load_batches(val, turn, **loading))

    return Feed(load_batches(train, batches, **loading), validate if counts.val else None)


def _shards(job: TuneJob, encoder: Encoder, counts: Counts, device: Device, checkpoint: Path | None) -> Feed:
    from mm2energon.tuning.energon import Shards

    shards = Shards(
        root=job.shards or job.root,
        encoder=encoder,
        output=job.output,
        max_frames=job.settings.max_frames,
        max_tokens=job.settings.max_tokens,
        batch_size=job.settings.batch_size,
        seed=job.settings.seed,
        loaders=job.settings.loaders,
        device=device.number,
        devices=device.count,
    )
    batches, name = shards.train(), f"energon-{device.number}.json"
    if checkpoint is not None:
        if (before := len(list(checkpoint.glob("energon-*.json")))) != device.count:
            raise InputError(
                f"{checkpoint}: holds the places of {before} processes in the shards; {device.count} are at work; run "
                "as many as before, or begin anew with --restart"
            )
        batches.restore(checkpoint / name)
    return Feed(batches, shards.val if counts.val else None, save=lambda folder: batches.save(folder / name))
