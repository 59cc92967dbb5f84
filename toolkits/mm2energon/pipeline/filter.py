"""Filter: an annotation file without the samples that a model has no room for, or with fewer frames of theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError
from mm2energon.jsonio import Entry, read_entries
from mm2energon.pipeline.account import open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.brought import entries_brought
from mm2energon.pipeline.budget import Counting, Meter, tokenizer_digest
from mm2energon.pipeline.filter_check import BudgetCheck, Check
from mm2energon.pipeline.filter_fit import write_frames
from mm2energon.pipeline.filter_folders import PictureFolders
from mm2energon.pipeline.filter_pictures import SmallerPictures
from mm2energon.pipeline.filter_rules import PRESETS, Bounds, PresetCheck
from mm2energon.pipeline.ledger import made_by, noted, write_output
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.retry import Joining, read_set_aside
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.writing import write_each

#: The rate of frames that came without one; only the times that Qwen3-VL writes depend on it.
_USUAL_FPS = 2.0


@dataclass(frozen=True)
class FilterJob:
    """What `mm2energon filter` is asked to do."""

    source: Path
    output: Path
    #: The dataset root, resolved.
    root: Path
    #: How tokens are counted, or the name of a row of `PRESETS`.
    by: Counting | str
    bounds: Bounds
    #: Take less of a sample where that lets it in; not by a preset.
    fit: bool = False
    #: Folder of the tokenizer, for a preset.
    tokenizer: Path | None = None
    overwrite: bool = False
    #: The source is a set-aside file; its entries join those that are in the output already.
    retry: bool = False
    default_fps: float | None = None
    #: Roots, resolved, of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()
    #: What `root` is, where it stands for a folder in a store.
    root_mirror: Mirror | None = None

    def options(self) -> dict[str, Any]:
        """What decides the output, besides the input."""
        if isinstance(self.by, Counting):
            by = self.by.options()
        else:
            by = {"preset": self.by, "tokenizer": tokenizer_digest(self.tokenizer)}
        return {**by, **self.bounds.as_json(), "fit": self.fit, "default_fps": self.default_fps}


@dataclass
class Filtered:
    """What `mm2energon filter` did."""

    account: Mapping[str, Any] = field(default_factory=dict)
    #: Every byte was there as it would have been written, and nothing was.
    already_done: bool = False
    #: Samples of which fewer frames were taken, and those of which images became smaller.
    fewer_frames: int = 0
    fewer_pixels: int = 0
    #: Tokens of all samples that were written, and of the one with the most.
    tokens: int = 0
    most_tokens: int = 0
    #: The text was not counted by a tokenizer.
    estimated: bool = False

    def facts(self) -> dict[str, Any]:
        """What the report tells of them."""
        return {
            "fewer_frames": self.fewer_frames,
            "fewer_pixels": self.fewer_pixels,
            "tokens": {"sum": self.tokens, "most": self.most_tokens, "estimated": self.estimated},
        }


def root_of(source: Path, output: Path, *, retry: bool) -> Path:
    """The dataset root where none is given: the folder of the source; of a retry, the root of the run before.

    Raises:
        InputError: that lies in a store.
    """
    about = (noted(output) if retry else None) or {}
    root = about.get("root")
    if isinstance(root, str) and "://" in root:
        raise InputError(f"--dataset-root: was expected beside --retry, such as {root}")
    return output.parent / root if isinstance(root, str) else source.parent


def filter_entries(job: FilterJob, *, progress: ProgressMaker = silent) -> Filtered:
    """Write the entries of the source that are within the bounds to the output, as ShareGPT.

    Raises:
        InputError: the source or the tokenizer cannot be read, none of its entries can be written, or the output would
            replace a file that is not ours.
    """
    if not job.source.is_file() and not job.retry:
        raise InputError(f"{job.source}: no such file; an annotation file was expected")
    if not job.root.is_dir():
        raise InputError(f"--dataset-root {job.root}: no such folder")
    if job.default_fps is not None and not 0 < job.default_fps < float("inf"):
        raise InputError(f"--default-fps {job.default_fps:g}: a number above 0 was expected")
    with alone_on(job.output, option="OUT"):
        _check_output(job)
        return _filter(job, _check(job), progress)


def _check(job: FilterJob) -> Check:
    if isinstance(job.by, str):
        return PresetCheck(PRESETS[job.by], job.bounds, job.tokenizer)
    return BudgetCheck(Meter(job.by), job.bounds, fit=job.fit, list_fps=job.default_fps or _USUAL_FPS)


def _filter(job: FilterJob, check: Check, progress: ProgressMaker) -> Filtered:
    joining = Joining(job.output, job.source) if job.retry else None
    before = standing(job.output)
    taking = _Taking(job, check)
    done = taking.done
    about = made_by("filter", job.output, sources=[job.source], root=job.root)
    about = joining.about(about) if joining is not None else about
    sources = [] if job.retry else [job.source]  # the account of before may be replaced
    with (
        open_account(job.output, command="filter", options=job.options(), sources=sources) as account,
        write_output(job.output, about=about) as out,
        contextlib.closing(progress("entries", None)) as bar,
    ):
        for _ in write_each(_entries(job), taking.take, out, account, joining):
            bar.update(1)
        account.facts = done.facts()
    account.require_written(job.source, earlier=job.output)
    done.account = account.as_dict()
    done.already_done = was_left_alone(job.output, before) and not taking.smaller.written
    if not job.retry:  # the entries of before have copies, too
        taking.smaller.remove_others()
    return done


def _entries(job: FilterJob) -> Iterator[Entry]:
    packed = read_set_aside(job.source) if job.retry else read_entries(job.source)
    entries = chain.from_iterable(map(formats.unwrap, packed))
    return entries if job.root_mirror is None else entries_brought(entries, job.root_mirror)


class _Taking:
    """Takes entries one by one, and counts what becomes of them."""

    def __init__(self, job: FilterJob, check: Check) -> None:
        self._check = check
        self._finder = MediaFinder(
            job.root, further=job.further, failures={}, default_fps=job.default_fps or _USUAL_FPS
        )
        self._folders = PictureFolders(job.root, further=job.further)
        self.smaller = SmallerPictures(job.output, job.root)
        self.done = Filtered(estimated=check.estimates)

    def take(self, entry: Entry) -> dict[str, Any]:
        """An entry that could be read as it is written.

        Raises:
            SampleError: it is set aside.
        """
        sample, folders = self._folders.with_pictures(formats.load(entry.value, origin=entry.origin))
        media = self._finder.find(sample)
        taken, tokens = self._check.take(sample, media)
        written = formats.to_sharegpt(entry.value, origin=entry.origin)
        for place in folders:
            written["videos"][place] = list(sample.videos[place])
        self.done.fewer_pixels += self.smaller.put(written, media, taken, origin=entry.origin)
        self.done.fewer_frames += write_frames(written, media, taken)
        self.done.tokens += tokens
        self.done.most_tokens = max(self.done.most_tokens, tokens)
        return written


def _check_output(job: FilterJob) -> None:
    output = job.output
    if not output.exists():
        return
    if not output.is_file():
        raise InputError(f"{output}: is no file; the name of one was expected, such as filtered.json")
    if output.samefile(job.source):
        raise InputError(f"{output}: is the input itself; another name was expected")
    if not job.overwrite and noted(output) is None:
        raise InputError(
            f"{output}: exists, and was not written by mm2energon (or was changed since); "
            "choose another name, or --overwrite it"
        )
