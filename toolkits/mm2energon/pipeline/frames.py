"""Frames: LLaVA-style folders to one ShareGPT `dataset.json`, with the frames of its videos beside them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, MediaError, SampleError
from mm2energon.formats.turns import read_role
from mm2energon.jsonio import Entry, read_entries
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.archives import unpack_all
from mm2energon.pipeline.extract import extract_all
from mm2energon.pipeline.frames_job import FramesJob, FramesReport
from mm2energon.pipeline.ledger import made_by, noted, write_output
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.place import check_no_sidecar, check_place, keeps_what_is_there, kept_as
from mm2energon.pipeline.rebase import rebase
from mm2energon.pipeline.retry import Joining, folder_of, read_set_aside
from mm2energon.pipeline.sources import NO_ANNOTATIONS, find_annotations
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.writing import write_each
from mm2energon.sample import VIDEO_TAG
from mm2energon.storage import remove_leftovers


def build_frame_dataset(job: FramesJob, *, progress: ProgressMaker = silent) -> FramesReport:
    """Unpack, merge, extract, and write the dataset; entries whose video fails are set aside.

    Raises:
        InputError: the root is no folder, there are no annotations below it, or the output would replace what is not
            ours.
    """
    if not job.root.is_dir():
        raise InputError(f"--dataset-root {job.root}: no such folder")
    if not job.video_token.strip():
        raise InputError("--video-token: is empty; what stands for the video in the text was expected, such as <image>")
    with contextlib.nullcontext() if job.stored is None else job.stored.looked_at():
        check_place(job.output, job.root)
        with alone_on(job.output, option="--output-json"):
            remove_leftovers(job.root, deep=True)
            return _build_alone(job, progress)


def _build_alone(job: FramesJob, progress: ProgressMaker) -> FramesReport:
    report = FramesReport()
    with report.watch.time("unpack"):
        report.archives = list(unpack_all(job.root, bringing=job.stored)) if job.unpack else []
    files_unpacked = any(archive.files for archive in report.archives)
    if job.stored is not None and files_unpacked:
        job.stored.look()  # what came out of them may hold annotations
    before = standing(job.output)
    with contextlib.nullcontext() if job.stored is None else job.stored.published():
        _build(job, report, progress)
    is_new = report.extracted or report.moved or files_unpacked
    report.already_done = not is_new and was_left_alone(job.output, before)
    return report


def _build(job: FramesJob, report: FramesReport, progress: ProgressMaker) -> None:
    if job.retry is not None:
        _build_again(job, job.retry, report, progress)
        return
    with report.watch.time("annotations"):
        found = find_annotations(job.root, output=job.output)
    report.annotations, report.ignored, report.unread = found.annotations, found.ignored, found.unread
    if not report.annotations:
        raise _no_annotations(job.root, report.ignored)
    keeps = keeps_what_is_there(job.output, found, job.root)
    failures = _extract(job, report, progress)
    _move_away(job, report, failures, keeps=keeps)
    sources = [job.root / name for name in report.annotations]
    with report.watch.time("annotations"), _account(job, sources) as account:
        about = made_by("frames", job.output, sources=sources, root=job.root)
        _write(job, report, failures, account, progress, about=about)
        account.facts = report.facts()
    account.require_written(job.root, earlier=job.output)
    report.account = account.as_dict()


def _build_again(job: FramesJob, retry: Path, report: FramesReport, progress: ProgressMaker) -> None:
    """Extract what entries of an account need, and let them join the output."""
    joining = Joining(job.output, retry)
    if job.output.exists() and noted(job.output) is None:
        raise InputError(
            f"--output-json {job.output}: was not written by mm2energon (or was changed since); the output that the "
            "entries of --retry were set aside for was expected"
        )
    failures = _extract(job, report, progress)
    about = joining.about(made_by("frames", job.output, sources=[retry], root=job.root))
    with report.watch.time("annotations"), _account(job, []) as account:
        _write(job, report, failures, account, progress, about=about, joining=joining)
        account.facts = report.facts()
    account.require_written(retry, earlier=job.output)
    report.account = account.as_dict()


def _account(job: FramesJob, sources: list[Path]) -> contextlib.AbstractContextManager[Account]:
    options = {} if job.extraction is None else asdict(job.extraction.options)
    about = {"video_token": job.video_token, "frames": options}
    return open_account(job.output, command="frames", options=about, sources=sources)


def _no_annotations(root: Path, ignored: dict[str, str]) -> InputError:
    odd = [f"{name} ({why})" for name, why in ignored.items() if why != NO_ANNOTATIONS]
    passed_over = f"; passed over: {', '.join(odd[:3])}" if odd else ""
    return InputError(
        f"{root}: no annotation file (.json or .jsonl with conversations) below it; "
        f"give the folder of the dataset as --dataset-root{passed_over}"
    )


def _extract(job: FramesJob, report: FramesReport, progress: ProgressMaker) -> dict[str, SampleError]:
    """Extract every video that an entry names; the errors by video."""
    failures: dict[str, SampleError] = {}
    with report.watch.time("annotations"):
        videos = dict.fromkeys(
            video for merged in _merged(job, report.annotations) if merged is not None for video in _videos(merged)
        )
    check_no_sidecar(job.output, (job.root / video for video in videos))
    if job.extraction is None:
        return failures
    mirror = None if job.stored is None else job.stored.mirror
    for one in extract_all(job.root, videos, job.extraction, mirror=mirror, progress=progress):
        report.videos += 1
        report.frames += one.frames
        report.watch.add_all(one.spent)
        if one.error is not None:
            failures[one.video] = one.error
        elif one.spent:
            report.extracted += 1
        if one.partial is not None:
            report.videos_partial[one.video] = one.partial
    report.videos_failed = len(failures)
    return failures


def _move_away(job: FramesJob, report: FramesReport, failures: dict[str, SampleError], *, keeps: bool) -> None:
    """Give an input that stands where the output goes a name of its own, when something is about to be written.

    So is a dataset of an earlier run, which is written in place, when an entry of it would be lost by that.
    """
    name = job.output.relative_to(job.root).as_posix()
    if name not in report.annotations:
        return
    merged = _merged(job, report.annotations)
    sound = Counter(one is not None and _fault(one, failures, "") is None for one in merged)
    if sound[True] and (keeps or sound[False]):
        report.moved = kept_as(job.output).name
        job.output.rename(job.output.with_name(report.moved))
        moved = job.output.with_name(report.moved).relative_to(job.root).as_posix()
        report.annotations[report.annotations.index(name)] = moved


def _write(
    job: FramesJob,
    report: FramesReport,
    failures: dict[str, SampleError],
    account: Account,
    progress: ProgressMaker,
    *,
    about: Mapping[str, Any],
    joining: Joining | None = None,
) -> None:
    def make(entry: Entry) -> dict[str, Any]:
        merged = _merge(entry, job)
        if fault := _fault(merged, failures, entry.origin):
            raise fault
        return merged

    bar = progress("entries", None)
    with write_output(job.output, about=about) as out:
        for entry, is_written in write_each(_entries(job, report.annotations), make, out, account, joining):
            bar.update(1)
            if is_written:
                report.formats[formats.detect(entry.value, origin=entry.origin)] += 1
    bar.close()


def _entries(job: FramesJob, names: list[str]) -> Iterator[Entry]:
    """All entries; read anew each time, so that memory stays flat."""
    sources = (read_entries(job.root / name, name=name) for name in names)
    packed = chain.from_iterable(sources) if job.retry is None else read_set_aside(job.retry)
    return chain.from_iterable(map(formats.unwrap, packed))


def _merged(job: FramesJob, names: list[str]) -> Iterator[dict[str, Any] | None]:
    """What each entry becomes; None where it cannot."""
    for entry in _entries(job, names):
        try:
            yield _merge(entry, job) if entry.error is None else None
        except SampleError:
            yield None


def _merge(entry: Entry, job: FramesJob) -> dict[str, Any]:
    folder = folder_of(entry.origin)
    merged = formats.to_sharegpt(entry.value, origin=entry.origin)
    merged = rebase(merged, folder, job.root, origin=entry.origin, further=job.further, there=job.stored)
    return _with_video_tags(merged, job.video_token)


def _with_video_tags(entry: dict[str, Any], token: str) -> dict[str, Any]:
    """The entry with the token that stands for its videos replaced in the user's turns; with images, it stays."""
    if not entry.get("videos") or entry.get("images") or token == VIDEO_TAG:
        return entry
    turns = entry["conversations"]
    if sum(_text(turn).count(VIDEO_TAG) for turn in turns if _is_asked(turn)) == len(entry["videos"]):
        return entry  # the tags are right as they are
    return {**entry, "conversations": [_replaced(turn, token) if _is_asked(turn) else turn for turn in turns]}


def _replaced(turn: dict[str, Any], token: str) -> dict[str, Any]:
    return {**turn, _text_key(turn): _text(turn).replace(token, VIDEO_TAG)}


def _is_asked(turn: dict[str, Any]) -> bool:
    return read_role(turn, origin="") == "user"


def _text_key(turn: dict[str, Any]) -> str:
    return "content" if turn.get("value") is None else "value"


def _text(turn: dict[str, Any]) -> str:
    return str(turn[_text_key(turn)])


def _videos(entry: dict[str, Any]) -> list[str]:
    """The videos to extract; a list of frames needs none."""
    return [video for video in entry.get("videos") or [] if isinstance(video, str)]


def _fault(merged: dict[str, Any], failures: dict[str, SampleError], origin: str) -> SampleError | None:
    """Why an entry has to be set aside for its videos; None when they are all right."""
    for video in _videos(merged):
        if video in failures:
            error = failures[video]
            return MediaError(f"{origin}: {error}", error.code)
    return None
