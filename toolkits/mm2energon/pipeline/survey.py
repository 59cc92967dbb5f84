"""Survey: look through finished shards, or a sample of them, and count what a person wants to know of a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, SampleError
from mm2energon.pipeline.loop import Executor, Outcome, ProgressMaker, run_each, silent
from mm2energon.pipeline.record_content import read_content
from mm2energon.pipeline.stored_shards import StoredDataset, shard_brought
from mm2energon.pipeline.survey_account import RunAccount, accounts_of, counts_in, name_of
from mm2energon.pipeline.survey_cards import Card, Shown, shown
from mm2energon.pipeline.survey_copies import Copies, Group, Where
from mm2energon.pipeline.survey_measures import MEASURES, measured
from mm2energon.pipeline.survey_numbers import Spread, Tally
from mm2energon.pipeline.survey_plan import SurveyOptions, SurveyPlan
from mm2energon.pipeline.survey_read import read_places
from mm2energon.pipeline.survey_sample import SampleSeen, SurveyLook, survey_shard
from mm2energon.pipeline.survey_wording import MOST_COMPARED, worded_alike
from mm2energon.pipeline.verify_metadata import layout_of, target_of
from mm2energon.shards import reader
from mm2energon.shards.metadata import FOLDER
from mm2energon.shards.reader import DatasetIndex
from mm2energon.targets import TARGETS, Target
from mm2energon.terminal import known
from mm2energon.tokens import MODELS, load_tokenizer, require_template

#: Places of a warning that are told, and groups of near copies that are shown.
_PLACES, _GROUPS = 12, 12
_SMALL_SIDE = 160
#: Kinds of warnings that are no reason codes, worst first -> what they mean.
WARNINGS: dict[str, str] = {
    "medium-in-two-splits": "the same image, video or audio stands in two splits: what is validated was trained on",
    "near-copy-in-two-splits": "images or videos that look nearly the same stand in two splits",
    "same-sample": "a sample stands there more than once: the same media, and the same text but for case and spaces",
    "odd-frames": "a video has an odd number of frames, and the reader cuts the last",
    "unreadable-account": "what a run set aside is not known: its report.json cannot be read",
    "replaced-characters": "the text holds U+FFFD, where characters were lost before",
}


@dataclass
class Warned:
    """What is wrong with some samples."""

    count: int = 0
    #: (where, what) of some.
    places: list[tuple[str, str]] = field(default_factory=list)

    def add(self, where: object, what: str) -> None:
        """Take one in."""
        self.count += 1
        if len(self.places) < _PLACES:
            self.places.append((str(where), what))


@dataclass
class Survey:
    """What was found."""

    name: str
    target: Target
    options: SurveyOptions
    manifest: Mapping[str, Any]
    #: Split -> (shards, samples, bytes), of the whole dataset.
    splits: dict[str, tuple[int, int, int]]
    #: Shard -> (samples, bytes), those that are not there with none.
    shards: dict[str, tuple[int, int]]
    accounts: list[RunAccount]
    #: Annotation format that entries were read as -> split -> samples, of all samples; empty where nobody noted it.
    formats: dict[str, dict[str, int]] = field(default_factory=dict)
    #: Samples that there are, that were to be read, and that could not be.
    samples: int = 0
    chosen: int = 0
    unread: int = 0
    spreads: dict[str, Spread] = field(default_factory=lambda: {name: Spread() for name in MEASURES})
    #: What samples are made of, and the sources that their entries name -> samples.
    kinds: Counter[str] = field(default_factory=Counter)
    sources: Tally[str] = field(default_factory=Tally)
    #: Width and height -> images, and frames.
    image_sizes: Tally[tuple[int, int]] = field(default_factory=Tally)
    frame_sizes: Tally[tuple[int, int]] = field(default_factory=Tally)
    #: First questions and answers, normalised -> samples.
    questions: Tally[str] = field(default_factory=Tally)
    answers: Tally[str] = field(default_factory=Tally)
    copies: Copies = field(default_factory=Copies)
    #: Groups that look nearly the same: some of them with their pictures, and how many there are.
    near: list[tuple[Group, list[Shown]]] = field(default_factory=list)
    near_count: int = 0
    #: Groups of different first questions that are worded nearly the same, with their samples, the most asked first.
    reworded: list[list[tuple[str, int]]] = field(default_factory=list)
    warnings: dict[str, Warned] = field(default_factory=dict)
    cards: list[tuple[Where, SampleSeen, Card]] = field(default_factory=list)

    def warn(self, code: str, where: object, what: str) -> None:
        """Note what is wrong, and where."""
        self.warnings.setdefault(code, Warned()).add(where, what)

    @property
    def read(self) -> int:
        """Samples that were read."""
        return self.chosen - self.unread


def survey(
    root: Path,
    options: SurveyOptions | None = None,
    *,
    workers: int = 0,
    executor: Executor | None = None,
    stored: StoredDataset | None = None,
    progress: ProgressMaker = silent,
) -> Survey:
    """Look through a finished dataset.

    Args:
        root: its folder, or a mirror of it.
        workers: processes that read shards; 0 is this one.
        executor: what reads them instead of workers of this machine.
        stored: the dataset, where it lies in a store.

    Raises:
        InputError: there is no dataset, or no such tokenizer, or it is another model's.
        DependencyError: the library of the tokenizer is missing.
    """
    options = options or SurveyOptions()
    if not (root / FOLDER).is_dir():
        raise InputError(f"{root}: {_why_none(root)}; the output of shard was expected")
    if options.tokenizer is not None:
        template = MODELS[options.model].template
        require_template(load_tokenizer(options.tokenizer), template, path=options.tokenizer)
    index = reader.read_index(root)
    target = target_of(root, index)
    if stored is not None:
        stored.show_shards(index.counts)
    accounts, unread = accounts_of(root, above=None if stored is None else stored.above)
    shards = {name: _size(root / name, index.counts.get(name, 0)) for names in index.splits.values() for name in names}
    found = Survey(
        name="/".join(root.resolve().parts[-2:] if stored is None else stored.mirror.of.url.split("/")[-2:]),
        target=target,
        options=options,
        manifest=index.manifest,
        splits=_splits(index, shards),
        shards=shards,
        accounts=accounts,
        formats=_formats(index.manifest),
    )
    for path, what in unread:
        found.warn("unreadable-account", path.name, what)
    plan = SurveyPlan(root, index, found.target, found.options, stored)
    found.samples, found.chosen = plan.samples, plan.chosen
    outcomes = run_each(survey_shard, plan.looks(), workers=workers, executor=executor)
    _look(outcomes, found, progress=progress)
    for name in plan.shards:
        if (path := root / name).is_file():
            found.spreads["shard_bytes"].add(path.stat().st_size)
    _find_copies(root, layout_of(index, target), index, found, stored)
    found.reworded = _reworded(found.questions)
    return found


def _why_none(root: Path) -> str:
    if not root.is_dir():
        return "is no folder" if root.exists() else "no such folder"
    for run in accounts_of(root)[0]:
        if run.command == "shard" and run.written == 0 and run.of == name_of(root):
            reasons = ", ".join(f"{code} {count}" for code, count in run.set_aside.items())
            return f"holds no shards: all {run.read} entries were set aside ({reasons}), see {run.file or 'its report'}"
    return "holds no shards"


def _size(path: Path, samples: int) -> tuple[int, int]:
    return samples, path.stat().st_size if path.is_file() else 0


def _splits(index: DatasetIndex, shards: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int, int]]:
    return {
        split: (len(names), sum(shards[name][0] for name in names), sum(shards[name][1] for name in names))
        for split, names in index.splits.items()
    }


def _formats(manifest: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    noted = manifest.get("formats")
    found: dict[str, dict[str, int]] = {}
    for split, counts in noted.items() if isinstance(noted, dict) else ():
        for name, count in counts_in(counts).items():
            if count:
                found.setdefault(name, {})[split] = count
    return found


def _look(outcomes: Iterator[Outcome[SurveyLook, list[SampleSeen]]], found: Survey, *, progress: ProgressMaker) -> None:
    """Take in what is known of each sample that is read."""
    bar = progress("samples", found.chosen)
    for outcome in outcomes:
        look, seen = outcome.item, outcome.result or []
        if outcome.error is not None:
            found.warn(outcome.error.code, look.name, str(outcome.error))
        for one in seen:
            _take(one, look, found)
        found.unread += len(look.places) - sum(one.is_read for one in seen)
        bar.update(len(look.places))
    bar.close()


def _take(seen: SampleSeen, look: SurveyLook, found: Survey) -> None:
    """Enter what is known of one sample."""
    where = Where(look.name, seen.place, seen.key or f"sample {seen.place}", look.split)
    for code, what in seen.faults:
        found.warn(code, where, what)
    if not seen.is_read:
        return
    for name, values in measured(seen):
        found.spreads[name].extend(values)
    found.kinds[_kind(seen)] += 1
    found.sources.add(seen.source)
    found.questions.add(seen.asked)
    found.answers.add(seen.answered)
    for image in seen.images:
        found.image_sizes.add((image.width, image.height))
    for video in seen.videos:
        for frame in video.looked[:1]:
            found.frame_sizes.add((frame.width, frame.height))
    found.copies.add(seen, look)
    if seen.card is not None:
        found.cards.append((where, replace(seen, card=None), seen.card))


def _kind(seen: SampleSeen) -> str:
    counts = {"images": seen.image_count, "videos": seen.video_count, "audio": len(seen.audios)}
    return " and ".join(name for name, count in counts.items() if count) or "text alone"


def _find_copies(root: Path, layout: Target, index: DatasetIndex, found: Survey, stored: StoredDataset | None) -> None:
    """Say what is there twice, and show what looks nearly the same."""
    for media in (found.copies.images, found.copies.videos, found.copies.audios):
        for group in media.repeated():
            if len(group.splits) > 1:
                found.warn(
                    "medium-in-two-splits", group.places[0], f"{group.count} times, {_in(group)}, also {_also(group)}"
                )
    for group in found.copies.samples.repeated():
        found.warn("same-sample", group.places[0], f"{group.count} times, {_in(group)}, also {_also(group)}")
    near = found.copies.near()
    found.near_count = len(near)
    for group in near:
        if len(group.splits) > 1:
            found.warn("near-copy-in-two-splits", group.places[0], f"{_in(group)}, also {_also(group)}")
    for group in near[:_GROUPS]:
        found.near.append((group, [_picture_at(root, layout, index, where, stored) for where in group.places]))


def _reworded(questions: Tally[str]) -> list[list[tuple[str, int]]]:
    asked = [(text, count) for text, count in questions.top(MOST_COMPARED) if text]
    groups = [[asked[place] for place in group] for group in worded_alike([text for text, _ in asked])]
    return sorted(groups, key=lambda group: -sum(count for _, count in group))


def _in(group: Group) -> str:
    return f"in {' and '.join(sorted(group.splits))}"


def _also(group: Group) -> Where:
    """Another place of it, in another split where one is known."""
    first, *others = group.places
    return next((where for where in others if where.split != first.split), others[0])


def _picture_at(root: Path, layout: Target, index: DatasetIndex, where: Where, stored: StoredDataset | None) -> Shown:
    """A small copy of an image, or of the middle frame of a video."""
    in_store = None if stored is None else stored.of_shard(where.shard)
    try:
        with shard_brought(in_store, root, where.shard) as (folder, pieces):
            path = folder / where.shard
            places = read_places(path, [where.place], count=index.counts[where.shard], pieces=pieces)
            _, _, record, _ = next(places)
        if isinstance(record, SampleError):
            raise record
        content = read_content(record, TARGETS[layout.name])
        if where.kind == "image":
            return shown(content.images[where.number], side=_SMALL_SIDE)
        frames = content.videos[where.number]
        return shown(frames[len(frames) // 2], side=_SMALL_SIDE)
    except (SampleError, InputError, LookupError) as error:
        return Shown(fault=known(str(error)))
