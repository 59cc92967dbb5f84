"""What a page asks for when it begins an export, and the job that it is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.pipeline.machine import usual_workers
from mm2energon.review.export_job import ExportJob, ShardsWanted
from mm2energon.review.export_records import MEDIA_FOLDER
from mm2energon.shards import metadata
from mm2energon.studio.items import Asked, Word
from mm2energon.studio.outputs import output_folder
from mm2energon.studio.state import State
from mm2energon.targets import target_named

#: Processes that open videos for an export.
_MOST_WORKERS = 4
#: The folder of the shards, below the output.
_SHARDS = "wds"
Share = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class SplitsAsked(Asked):
    """Shares of the splits."""

    train: Share = 0
    val: Share = 0
    test: Share = 0


class ExportAsked(Asked):
    """What is to be exported, and where to."""

    #: May be none where shards are wanted.
    templates: Annotated[list[Word], Field(max_length=100)]
    output: Word
    splits: SplitsAsked | None = None
    status: Literal["accepted", "rejected", "pending", "disputed", "any"] = "accepted"
    update_csv: bool = True
    check_videos: bool = True
    absolute_paths: bool = False
    shards: bool = False
    target: Word | None = None
    interval: Annotated[float, Field(ge=0.001, le=100_000, allow_inf_nan=False)] | None = None
    overwrite: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42

    def job(self, state: State) -> ExportJob:
        """As the export takes it.

        Raises:
            InputError: a target or an output that is none.
        """
        settings = state.settings
        output = output_folder(self.output, settings.output_roots, holds=self._folders(state))
        target = target_named(self.target or settings.target).name
        shards = ShardsWanted(output / _SHARDS, target, self.interval or settings.interval_seconds, self.overwrite)
        return ExportJob(
            output,
            tuple(self.templates),
            status=self.status,
            shares=None if self.splits is None else self.splits.model_dump(),
            seed=self.seed,
            checks_videos=self.check_videos,
            updates_csv=self.update_csv,
            absolute_paths=self.absolute_paths,
            overwrite=self.overwrite,
            further=settings.further,
            workers=min(_MOST_WORKERS, usual_workers()),
            shards=shards if self.shards else None,
        )

    def _folders(self, state: State) -> list[str]:
        """The folders of the output that are written to."""
        shards = [_SHARDS, f"{_SHARDS}/{STATE_FOLDER}", f"{_SHARDS}/{metadata.FOLDER}"] if self.shards else []
        return [STATE_FOLDER, *shards, *([MEDIA_FOLDER] if state.review.kind == "shards" else [])]
