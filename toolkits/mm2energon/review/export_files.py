"""The files of an export: one for each template and split, written side by side, of which none is half written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry, EntryWriter, dumps
from mm2energon.pipeline.account import Account
from mm2energon.pipeline.companions import accompany, own_companion
from mm2energon.pipeline.convert_entries import dump_as
from mm2energon.pipeline.ledger import forget, noted, write_output
from mm2energon.pipeline.splits import SPLITS
from mm2energon.review.export_job import Exported, ExportFile, ExportJob, OfVideo, Skipped
from mm2energon.review.export_select import Picked, Selection
from mm2energon.review.export_splits import as_dealt
from mm2energon.review.templates import Chosen, Template
from mm2energon.sample import Sample, Video

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Skipped samples that are kept one by one for the log; all of them are in `set_aside.jsonl`.
MOST_SKIPPED = 10_000
#: What shards are made of: the samples as ShareGPT, in one file.
ENTRIES_NAME = "reviewed.jsonl"
#: Under which (template, split) that file is written.
_ENTRIES = ("", "")


@dataclass
class Files:
    """Where the files of an export lie, and what goes into them."""

    job: ExportJob
    chosen: Chosen
    #: (template, split) -> writer, while they are written.
    writers: dict[tuple[str, str], EntryWriter] = field(default_factory=dict)

    def path(self, template: Template, split: str) -> Path:
        """Where the samples of a split go."""
        return self.job.output / template.file_name(split)

    def all_paths(self) -> list[Path]:
        """Everything that is written, but for the logs."""
        entries = [] if self.job.shards is None else [self.job.output / ENTRIES_NAME]
        return [*(path for _, _, path in self.places()), *entries]

    def places(self) -> Iterator[tuple[Template, str, Path]]:
        """All files that are written where there are samples for them."""
        for template in self.chosen.rows:
            for split in self.job.splits:
                yield template, split, self.path(template, split)


def require_free(paths: Iterable[Path], *, source: Path, overwrite: bool) -> None:
    """Refuse an export that would replace its own source, or a file that mm2energon did not write.

    Raises:
        InputError: it would.
    """
    for path in paths:
        if not path.exists():
            continue
        if not path.is_file() or path.samefile(source):
            what = "is the source itself" if path.is_file() else "is no file"
            raise InputError(f"{path}: {what}, where a file of the export belongs; choose another --output")
        if not overwrite and noted(path) is None:
            raise InputError(
                f"{path}: exists, and was not written by mm2energon (or was changed since); "
                "choose another --output, or --overwrite it"
            )


def write_files(
    files: Files,
    selection: Selection,
    split_of: NDArray[Any] | None,
    *,
    about: Mapping[str, Any],
    account: Account,
    exported: Exported,
    ready: Callable[[], None],
) -> Generator[None, None, None]:
    """Write the selected samples; nothing is yielded, once for each. All files appear when the last one is written.

    Args:
        split_of: of each sample that can be exported, its place in SPLITS; None: all are in the first split.
        about: what the ledger says of every file.
        ready: called when all is written, before anything appears.
    """
    with ExitStack() as stack:
        for template, split, path in files.places():
            files.writers[template.name, split] = stack.enter_context(
                write_output(path, about={**about, "template": template.name})
            )
        if files.job.shards is not None:
            path = files.job.output / ENTRIES_NAME
            files.writers[_ENTRIES] = stack.enter_context(write_output(path, about=about))
        dealt = 0
        for one in selection:
            account.read += 1
            split = files.job.splits[0]
            if one.error is None and split_of is not None:
                split = SPLITS[split_of[dealt]]
                dealt += 1
            try:
                records = _write(one, split, files, selection, exported)
            except SampleError as error:
                account.set_aside(Entry(one.origin, one.entry, breaks_off=one.breaks_off), error)
                _skip(exported, Skipped(one.origin, error.code, str(error)))
            else:
                account.written["entries" if split_of is None else split] += 1
                told = exported.videos.setdefault(one.medium, OfVideo())
                told.samples += 1
                told.records += records
            yield
        ready()
    for template, split, path in files.places():
        if count := files.writers[template.name, split].count:
            exported.files.append(ExportFile(path, template.name, split, count, path.stat().st_size))


def _write(one: Picked, split: str, files: Files, selection: Selection, exported: Exported) -> int:
    """Write a sample to the files of all templates that hold it; how many those are.

    Raises:
        SampleError: there is none, or the sample cannot be used.
    """
    if one.error is not None or one.sample is None:
        raise one.error or SampleError(f"{one.origin}: cannot be read", "broken-json")
    sample = _with_absolute(one.sample, selection.media.absolute) if files.job.absolute_paths else one.sample
    values: dict[tuple[str, str], dict[str, Any]] = {}
    refused: dict[str, SampleError] = {}
    for template in files.chosen.rows:
        try:
            values[template.name, split] = _dumped(sample, template)
        except SampleError as error:
            refused[template.name] = error
    records = len(values)
    if _ENTRIES in files.writers:
        values[_ENTRIES] = dump_as(as_dealt(one.sample, selection.media), "sharegpt")
    if not values:
        raise next(iter(refused.values()))
    for name, why in refused.items():
        _note_refused(exported, name, why, one, tells=not files.chosen.is_all)
    for place, value in values.items():
        files.writers[place].write(value)
    return records


def _dumped(sample: Sample, template: Template) -> dict[str, Any]:
    """A sample as an entry, without the keys that a template has no room for."""
    if template.bare:
        turns = tuple(replace(turn, extra=None) for turn in sample.turns)
        sample = replace(sample, turns=turns, id=None, extra={})
    return dump_as(sample, template.name)


def _note_refused(exported: Exported, name: str, error: SampleError, one: Picked, *, tells: bool) -> None:
    reasons = exported.not_held.setdefault(name, {})
    reasons[error.code] = reasons.get(error.code, 0) + 1
    if tells:
        _skip(exported, Skipped(one.origin, error.code, str(error), name))


def _skip(exported: Exported, skipped: Skipped) -> None:
    if len(exported.skipped) < MOST_SKIPPED:
        exported.skipped.append(skipped)


def _with_absolute(sample: Sample, absolute: Callable[[str], str]) -> Sample:
    def of(video: Video) -> Video:
        return absolute(video) if isinstance(video, str) else tuple(map(absolute, video))

    images, audios = tuple(map(absolute, sample.images)), tuple(map(absolute, sample.audios))
    return replace(sample, images=images, videos=tuple(map(of, sample.videos)), audios=audios)


def remove_stale(files: Files, exported: Exported) -> None:
    """Take away what earlier exports wrote for these templates, and this one did not: samples of `val` that are in
    `train` now would be in both."""
    written = {file.path for file in exported.files}
    for template in files.chosen.rows:
        for path in (files.path(template, split) for split in SPLITS):
            for stale in () if path in written else (path, own_companion(template.name, path)):
                if stale is not None and noted(stale) is not None:
                    stale.unlink()
                    forget(stale.parent, stale.name)


def add_companions(exported: Exported, *, root: Path) -> None:
    """Write the files by which trainers find the others."""
    found = accompany([(file.template, file.path) for file in exported.files], root=root)
    exported.companions = found.written
    exported.advice += found.advice
    if found.to_add:
        what = dumps(found.to_add).decode()
        exported.advice.append(f"a file of yours is in the place of what the trainer reads; add to it: {what}")
