"""What is exported: entries with their decisions as they stand at one moment, kept as lines until they are written.

Reviewers go on while an export runs. All that it needs is read once, so that files, splits and log tell of the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any

from mm2energon.errors import SampleError
from mm2energon.formats import sharegpt
from mm2energon.jsonio import dumps, loads
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.numbers import unnamed_file
from mm2energon.review.export_media import FoundMedia, media_of
from mm2energon.review.facets import category_of_value, without_tags
from mm2energon.review.model import Reviewed
from mm2energon.sample import Sample, Turn

#: What samples without any medium are told under.
NO_MEDIUM = "(no medium)"


@dataclass(frozen=True, slots=True)
class Picked:
    """One entry that is exported, or why it cannot be."""

    number: int
    origin: str
    sample: Sample | None
    error: SampleError | None = None
    #: What `set_aside.jsonl` shows of it; and whether all behind it cannot be read.
    entry: Any = None
    breaks_off: bool = False

    @property
    def medium(self) -> str:
        """What the log counts it under: its video, or its first medium."""
        if self.sample is None:
            return NO_MEDIUM
        return next((name for _, name in media_of(self.sample)), NO_MEDIUM)


@dataclass
class Selection:
    """The entries that are exported, in source order, as lines of a file without a name."""

    media: FoundMedia
    file: IO[bytes] = field(default_factory=lambda: unnamed_file(None))
    count: int = 0

    def add(self, one: Picked) -> None:
        """Add an entry."""
        sample = None if one.sample is None else _as_json(one.sample)
        error = None if one.error is None else [str(one.error), one.error.code]
        try:
            line = dumps([one.number, one.origin, sample, error, _writable(one.entry), one.breaks_off])
        except (TypeError, ValueError):
            told = f"{one.origin}: cannot be written as JSON again; mend the entry"
            line = dumps([one.number, one.origin, None, [told, "broken-json"], None, False])
        self.file.write(line + b"\n")
        self.count += 1

    def __iter__(self) -> Iterator[Picked]:
        """The entries, those with the reason why they cannot be exported whose media are known to be unusable."""
        self.file.flush()
        self.file.seek(0)
        for line in self.file:
            number, origin, sample, error, entry, breaks_off = loads(line, max_depth=MAX_DEPTH_AROUND)
            one = Picked(
                number,
                origin,
                None if sample is None else _from_json(sample, origin),
                None if error is None else SampleError(*error),
                entry,
                breaks_off,
            )
            failure = None if one.sample is None or one.error is not None else self.media.failure(one.sample)
            yield one if failure is None else replace(one, error=failure)

    def close(self) -> None:
        """Let go of the file, which is gone then."""
        self.file.close()


def select(
    reviewed: Iterable[Reviewed],
    selection: Selection,
    *,
    category_key: str = "category",
    load: Callable[[Reviewed], Sample] | None = None,
) -> Generator[None, None, None]:
    """Pick entries and find their media; nothing is yielded, once for each.

    Args:
        category_key: by which entries have their category.
        load: makes the sample of an entry, where it is more than what the review tells.
    """
    for one in reviewed:
        selection.add(_pick(one, selection.media, category_key, load))
        yield


def _pick(one: Reviewed, media: FoundMedia, category_key: str, load: Callable[[Reviewed], Sample] | None) -> Picked:
    entry = one.entry if one.sample is None or not one.edited else dict(one.fields) or sharegpt.dump(one.sample)
    try:
        if one.sample is None or (one.error is not None and not one.edited):
            raise _told(one)
        sample = one.sample if load is None else load(one)
        _require_fields(sample, one)
        sample = media.found(_with_category(sample, one, category_key))
    except SampleError as error:
        return Picked(one.number, one.origin, None, error, entry, one.breaks_off)
    return Picked(one.number, one.origin, sample, None, entry)


def _writable(entry: Any) -> Any:
    """An entry; nothing where it cannot be written as JSON again, though its sample may."""
    try:
        dumps(entry)
    except (TypeError, ValueError):
        return None
    return entry


def _with_category(sample: Sample, one: Reviewed, key: str) -> Sample:
    """A sample with the category that a reviewer gave it, where the entry has its own, or by its key."""
    if not one.edited:
        return sample
    inner = sample.extra.get("extra")
    if key not in sample.extra and isinstance(inner, Mapping) and key in inner:
        return replace(sample, extra={**sample.extra, "extra": _named(inner, one, key)})
    return replace(sample, extra=_named(sample.extra, one, key))


def _named(extra: Mapping[str, Any], one: Reviewed, key: str) -> Mapping[str, Any]:
    return extra if category_of_value(extra.get(key)) == one.category else {**extra, key: one.category}


def _told(one: Reviewed) -> SampleError:
    """Why an entry is no sample."""
    code, message = one.error or ("broken-json", "it cannot be read")
    return SampleError(message if message.startswith(one.origin) else f"{one.origin}: {message}", code)


def _require_fields(sample: Sample, one: Reviewed) -> None:
    """Refuse what nobody can learn from: a row of a CSV without its question or video, any entry without an answer.

    Raises:
        SampleError: `missing-field`, `no-answer`.
    """
    missing = []
    if one.fields and not sample.videos:
        missing.append("video_file_path")
    if one.fields and not _says(sample, "user"):
        missing.append("question")
    if one.fields and not _says(sample, "assistant"):
        missing.append("answer")
    if missing:
        what = f"{one.origin}: no {' and no '.join(missing)}; all three were expected; fill it in"
        raise SampleError(what, "missing-field")
    if not _says(sample, "assistant"):
        raise SampleError(f"{one.origin}: no assistant turn says anything; an answer was expected", "no-answer")


def _says(sample: Sample, role: str) -> bool:
    return any(turn.role == role and without_tags(turn.text).strip() for turn in sample.turns)


def _as_json(sample: Sample) -> list[Any]:
    turns = [[turn.role, turn.text, turn.extra] for turn in sample.turns]
    return [turns, sample.images, sample.videos, sample.audios, sample.id, sample.extra]


def _from_json(value: Sequence[Any], origin: str) -> Sample:
    turns, images, videos, audios, own_id, extra = value
    return Sample(
        turns=tuple(Turn(role, text, extra=more) for role, text, more in turns),
        images=tuple(images),
        videos=tuple(video if isinstance(video, str) else tuple(video) for video in videos),
        audios=tuple(audios),
        id=own_id,
        extra=extra,
        origin=origin,
    )
