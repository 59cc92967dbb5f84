"""Frames: LLaVA-style folders to one ShareGPT `dataset.json`, with the frames of its videos beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, MediaError, SampleError
from mm2energon.jsonio import Entry, read_entries
from mm2energon.pipeline.account import Account, open_account, write_entry
from mm2energon.pipeline.archives import Unpacked, remove_leftovers, unpack_all
from mm2energon.pipeline.extract import Extraction, extract_all
from mm2energon.pipeline.ledger import is_derived, was_changed, write_output
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.sources import find_annotations, rebase
from mm2energon.sample import VIDEO_TAG


@dataclass(frozen=True)
class FramesJob:
    """What `mm2energon frames` is asked to do."""

    root: Path
    output: Path
    #: Stands for a video in the text of video samples.
    video_token: str
    #: None: only merge the annotations.
    extraction: Extraction | None
    unpack: bool = True


@dataclass
class FramesReport:
    """What `mm2energon frames` did."""

    account: dict[str, Any] = field(default_factory=dict)
    annotations: list[str] = field(default_factory=list)
    #: json files below the root that hold no annotations.
    ignored: list[str] = field(default_factory=list)
    archives: list[Unpacked] = field(default_factory=list)
    videos: int = 0
    videos_failed: int = 0
    frames: int = 0
    #: Where a dataset.json that was the user's own was kept.
    moved: str | None = None


def build_frame_dataset(job: FramesJob, *, progress: ProgressMaker = silent) -> FramesReport:
    """Unpack, merge, extract, and write the dataset; entries whose video fails are set aside.

    Raises:
        InputError: the root is no folder, or there are no annotations below it.
    """
    if not job.root.is_dir():
        raise InputError(f"--dataset-root {job.root}: no such folder")
    if not job.video_token.strip():
        raise InputError("--video-token: is empty; what stands for the video in the text was expected, such as <image>")
    report = FramesReport()
    remove_leftovers(job.root)
    report.moved = _keep_own_file(job.output, job.root)
    if job.unpack:
        report.archives = list(unpack_all(job.root))
    report.annotations, report.ignored = find_annotations(job.root)
    if not report.annotations:
        raise InputError(
            f"{job.root}: no annotation file (.json or .jsonl with conversations) below it; "
            "give the folder of the dataset as --dataset-root"
        )
    failures = _extract(job, report, progress)
    with open_account(job.output.parent) as account:
        _write(job, report, failures, account, progress)
    account.require_written(job.root)
    report.account = account.as_dict()
    return report


def _extract(job: FramesJob, report: FramesReport, progress: ProgressMaker) -> dict[str, SampleError]:
    """Extract every video that an entry names; the errors by video."""
    failures: dict[str, SampleError] = {}
    if job.extraction is None:
        return failures
    videos = dict.fromkeys(
        video
        for _, merged in _merged(job, report.annotations)
        if not isinstance(merged, SampleError)
        for video in _videos(merged)
    )
    for one in extract_all(job.root, videos, job.extraction, progress=progress):
        report.videos += 1
        report.frames += one.frames
        if one.error is not None:
            failures[one.video] = one.error
    report.videos_failed = len(failures)
    return failures


def _write(
    job: FramesJob, report: FramesReport, failures: dict[str, SampleError], account: Account, progress: ProgressMaker
) -> None:
    bar = progress("entries", None)
    with write_output(job.output, sources=[job.root / name for name in report.annotations]) as out:
        for entry, merged in _merged(job, report.annotations):
            account.read += 1
            bar.update(1)
            try:
                if isinstance(merged, SampleError):
                    raise merged
                _require_frames(merged, failures, entry.origin)
                write_entry(out, merged, origin=entry.origin)
            except SampleError as error:
                account.set_aside(entry, error)
            else:
                account.written["entries"] += 1
    bar.close()


def _merged(job: FramesJob, names: list[str]) -> Iterator[tuple[Entry, dict[str, Any] | SampleError]]:
    """Each entry with what it becomes, or why it cannot; read anew each time, so that memory stays flat."""
    for name in names:
        folder = PurePosixPath(name).parent.as_posix()
        folder = "" if folder == "." else folder
        for packed in read_entries(job.root / name, name=name):
            for entry in formats.unwrap(packed):
                yield entry, _merge(entry, folder, job)


def _merge(entry: Entry, folder: str, job: FramesJob) -> dict[str, Any] | SampleError:
    if entry.error is not None:
        return entry.error
    try:
        merged = formats.to_sharegpt(entry.value, origin=entry.origin)
        merged = rebase(merged, folder, job.root, origin=entry.origin)
    except SampleError as error:
        return error
    return _with_video_tags(merged, job.video_token)


def _with_video_tags(entry: dict[str, Any], token: str) -> dict[str, Any]:
    """The entry with the token that stands for its videos replaced; entries that have images keep their tags."""
    if not entry.get("videos") or entry.get("images") or token == VIDEO_TAG:
        return entry
    turns = entry["conversations"]
    if sum(_text(turn).count(VIDEO_TAG) for turn in turns) == len(entry["videos"]):
        return entry  # the tags are right as they are
    return {
        **entry,
        "conversations": [{**turn, _text_key(turn): _text(turn).replace(token, VIDEO_TAG)} for turn in turns],
    }


def _text_key(turn: dict[str, Any]) -> str:
    return "value" if "value" in turn else "content"


def _text(turn: dict[str, Any]) -> str:
    return str(turn[_text_key(turn)])


def _videos(entry: dict[str, Any]) -> list[str]:
    """The videos to extract; a list of frames needs none."""
    return [video for video in entry.get("videos") or [] if isinstance(video, str)]


def _require_frames(entry: dict[str, Any], failures: dict[str, SampleError], origin: str) -> None:
    for video in _videos(entry):
        if video in failures:
            error = failures[video]
            raise MediaError(f"{origin}: {error}", error.code)


def _keep_own_file(output: Path, root: Path) -> str | None:
    """Move a file that stands where the output goes, and is not ours, to a name of its own: it may be the input.

    Raises:
        InputError: that name is taken too, or the file is ours, but changed.
    """
    if not output.exists() or is_derived(output, root):
        return None
    if was_changed(output):
        raise InputError(
            f"{output}: was written by mm2energon and changed by somebody since; writing it anew would lose that; "
            "move it out of the dataset, or choose another --output-json"
        )
    kept = output.with_name(f"{output.stem}.original{output.suffix}")
    if kept.exists():
        raise InputError(
            f"{output}: was not written by mm2energon, and {kept.name} exists too; choose another --output-json"
        )
    output.rename(kept)
    return kept.name
