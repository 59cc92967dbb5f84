"""Shards compared with what they were made from: which sample is which entry, and what is different of the two.

Both sides are known by digests, which lie in the catalog. Those that agree in everything are found first; of the
others, those that agree in something (key, id, what is said, what is shown) are one sample that was changed; what is
left is missing, or too many. Only samples that differ are read again, to say in what.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, tee
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import dumps, read_entries
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.prepare import group_names
from mm2energon.pipeline.record_content import (
    Content,
    digest,
    digest_of_id,
    digest_of_media,
    digest_of_turns,
    read_content,
)
from mm2energon.pipeline.verify_catalog import Catalog
from mm2energon.pipeline.verify_findings import Compared, Verified
from mm2energon.pipeline.verify_metadata import layout_of, target_of
from mm2energon.pipeline.verify_pictures import differences
from mm2energon.pipeline.verify_sources import SourceReader, Sources, Wanted
from mm2energon.sample import Sample, Turn
from mm2energon.shards import reader
from mm2energon.shards.index import SampleRow
from mm2energon.shards.keys import make_key
from mm2energon.shards.reader import DatasetIndex
from mm2energon.shards.tars import sample_rows
from mm2energon.targets import Target

_TABLES = (
    "CREATE TABLE wanted (place INTEGER PRIMARY KEY, origin TEXT, key TEXT, id BLOB, said BLOB, text BLOB, "
    "media BLOB, refused TEXT)",
    "CREATE TABLE pairs (stored INTEGER PRIMARY KEY, wanted INTEGER UNIQUE)",
    "CREATE TABLE grouped (name BLOB, wanted INTEGER)",
    "CREATE TABLE set_aside (origin TEXT PRIMARY KEY, reason TEXT)",
)
#: What a sample and an entry agree in, the surest first; those that hold the same several times go in their order.
_WAYS = (("key", "text", "media"), ("text", "media"), ("key", "said"), ("id", "said"), ("key",), ("media",), ("id",))
_PAIR = (
    "INSERT INTO pairs SELECT s.place, w.place FROM "
    "(SELECT place, {ways}, row_number() OVER (PARTITION BY {ways} ORDER BY key) AS n FROM stored "
    "WHERE place NOT IN (SELECT stored FROM pairs) AND {told}) AS s JOIN "
    "(SELECT place, {ways}, row_number() OVER (PARTITION BY {ways} ORDER BY place) AS n FROM wanted "
    "WHERE place NOT IN (SELECT wanted FROM pairs) AND {told}) AS w USING ({ways}, n)"
)
_SAME = (
    "FROM pairs JOIN stored AS s ON s.place = pairs.stored JOIN wanted AS w ON w.place = pairs.wanted "
    "WHERE s.text {is_same} w.text {and_or} s.media {is_same} w.media"
)
_MISSING = (
    "SELECT w.origin, a.reason FROM wanted AS w LEFT JOIN set_aside AS a USING (origin) "
    "WHERE w.refused IS NULL AND w.place NOT IN (SELECT wanted FROM pairs) ORDER BY w.place"
)
_TOO_MANY = "SELECT shard, key FROM stored WHERE place NOT IN (SELECT stored FROM pairs) ORDER BY place"
_GROUPS = (
    "SELECT min(s.shard || '/' || s.key), max(s.shard || '/' || s.key) FROM grouped AS g "
    "JOIN pairs ON pairs.wanted = g.wanted JOIN stored AS s ON s.place = pairs.stored "
    "GROUP BY g.name HAVING count(DISTINCT s.split) > 1"
)
_LETTERS = 80
#: Shards of which the rows are kept at a time.
_OPEN_SHARDS = 4


def compare_with(
    sources: Sources,
    root: Path,
    index: DatasetIndex,
    catalog: Catalog,
    result: Verified,
    *,
    workers: int,
    bring: Callable[[str], None] | None = None,
    progress: ProgressMaker,
) -> Compared:
    """Compare every sample of the catalog with the entry that it was made from; differences are faults.

    Args:
        bring: brings a shard, where they lie in a store.

    Raises:
        InputError: the sources cannot be read.
    """
    layout = layout_of(index, target_of(root, index))
    options = index.manifest.get("options", {})
    if not options:
        result.notes.append("no options are noted (mm2energon.json): compared as if shard had been given none")
    source = SourceReader(sources, root, layout=layout, options=options, workers=workers)
    compared = Compared()
    database = catalog.database
    for statement in _TABLES:
        database.execute(statement)
    _enter_set_aside(root, index, database)
    group_by = options.get("group_by", "media")
    database.execute("CREATE INDEX IF NOT EXISTS stored_by_key ON stored (key)")
    entries = _Entries(database, group_by)
    bar = progress("entries, compared", None)
    for wanted in source.wanted():
        entries.add(wanted)
        compared.set_aside += wanted.sample is None
        compared.extracted += wanted.extracted
        bar.update(1)
    bar.close()
    _pair(database)
    _tell_lost(database, result, compared)
    compared.same = database.execute(f"SELECT count(*) {_SAME.format(is_same='=', and_or='AND')}").fetchone()[0]
    _tell_different(source, _StoredReader(root, layout, bring), database, result, compared)
    for one, other in database.execute(_GROUPS):
        result.fault(
            one, f"shares what keeps samples in one split (--group-by {group_by}) with {other} of another split"
        )
    return compared


def _enter_set_aside(root: Path, index: DatasetIndex, database: sqlite3.Connection) -> None:
    """What the run that wrote the shards said it left out."""
    insert = "INSERT OR REPLACE INTO set_aside VALUES (?, ?)"
    for origin, about in index.manifest.get("set_aside_at_last", {}).items():
        database.execute(insert, (origin, str(about[0] if isinstance(about, list) and about else about)))
    for path in sorted(root.glob("set_aside*.jsonl")):
        for entry in read_entries(path):
            if entry.error is None and isinstance(entry.value, dict):
                database.execute(insert, (str(entry.value.get("origin")), str(entry.value.get("reason"))))


class _Entries:
    """Enters what is known of the entries; the numbers of keys go on where one was written."""

    def __init__(self, database: sqlite3.Connection, group_by: Any) -> None:
        self._database = database
        self._group_by = group_by
        self._number = 0

    def add(self, wanted: Wanted) -> None:
        """Enter the next entry."""
        sample, media = wanted.sample, wanted.media
        if sample is None:
            return
        said, key = digest_of_turns(sample.turns), make_key(self._number, sample.id)
        numbered = not wanted.refused or self._was_written(wanted.origin, key, said)
        self._number += numbered
        values = (
            wanted.origin,
            key if numbered else None,
            digest_of_id(sample.id),
            said,
            None if wanted.text is None else digest([dumps(dict(wanted.text))]),
            None if media is None else digest_of_media(media.images, media.videos, media.audios),
            wanted.refused or None,
        )
        place = self._database.execute("INSERT INTO wanted VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", values).lastrowid
        if wanted.prepared is not None:
            names = group_names(wanted.prepared, self._group_by)
            rows = ((digest([name.encode("utf-8", "surrogatepass")]), place) for name in names)
            self._database.executemany("INSERT INTO grouped VALUES (?, ?)", rows)

    def _was_written(self, origin: str, key: str, said: bytes) -> bool:
        """Whether an entry that cannot be used now was used then, and took a number."""
        if self._database.execute("SELECT 1 FROM set_aside WHERE origin = ?", (origin,)).fetchone():
            return False
        written = "SELECT 1 FROM stored WHERE key = ? AND said = ?"
        return self._database.execute(written, (key, said)).fetchone() is not None


def _pair(database: sqlite3.Connection) -> None:
    """Find which sample is which entry."""
    for ways in _WAYS:
        told = " AND ".join(f"{way} IS NOT NULL" for way in ways)
        if len(ways) == 1 and ways != ("key",):
            told += f" AND {ways[0]} <> x''"
        database.execute(_PAIR.format(ways=", ".join(ways), told=told))


def _tell_lost(database: sqlite3.Connection, result: Verified, compared: Compared) -> None:
    for origin, reason in database.execute(_MISSING):
        if reason is not None:
            compared.set_aside += 1
        else:
            compared.missing += 1
            result.fault(origin, "is in no shard, and was not set aside; the sample is missing")
    refused = "SELECT count(*) FROM wanted WHERE refused IS NOT NULL AND place NOT IN (SELECT wanted FROM pairs)"
    compared.set_aside += database.execute(refused).fetchone()[0]
    for shard, key in database.execute(_TOO_MANY):
        compared.too_many += 1
        result.fault(f"{shard}/{key}", "is no entry of the sources; the sample is too many")


def _tell_different(
    source: SourceReader, stored: _StoredReader, database: sqlite3.Connection, result: Verified, compared: Compared
) -> None:
    """Read the samples again that are not the same, and say in what they differ."""
    unlike = _SAME.format(is_same="IS NOT", and_or="OR")
    rows = database.execute(f"SELECT w.origin, s.shard, s.key, w.refused, s.said = w.said {unlike} ORDER BY w.place")
    ours, theirs = tee(row for row in rows if not _is_unseen(row, result, compared))
    for (_, shard, key, *_), wanted in zip(ours, source.wanted_of(row[0] for row in theirs), strict=False):
        what = list(_unlike(stored.read(shard, key), wanted, compared))
        for one in what:
            result.fault(f"{shard}/{key}", f"{one} ({wanted.origin})")
        compared.different += bool(what)
        compared.same += not what


class _StoredReader:
    """Reads samples of shards by their keys."""

    def __init__(self, root: Path, layout: Target, bring: Callable[[str], None] | None) -> None:
        self._root, self._layout, self._bring = root, layout, bring
        self._rows: dict[str, dict[str, SampleRow]] = {}

    def read(self, shard: str, key: str) -> Content:
        """What a sample holds, which was read before.

        Raises:
            InputError: it cannot be read any more.
        """
        if shard not in self._rows:
            if len(self._rows) >= _OPEN_SHARDS:
                self._rows.clear()
            if self._bring is not None:
                self._bring(shard)
            self._rows[shard] = {row.key: row for row in sample_rows(self._root / shard)[0]}
        try:
            ((_, record),) = reader.read_samples(self._root / shard, [self._rows[shard][key]])
            return read_content(record, self._layout)
        except (SampleError, KeyError) as error:
            raise InputError(f"{self._root / shard}: has changed while it was read ({error}); verify again") from error


def _is_unseen(row: Sequence[Any], result: Verified, compared: Compared) -> bool:
    """Whether the media of an entry cannot be had now, so that only what is said could be compared."""
    origin, shard, key, refused, says_the_same = row
    if refused is None:
        return False
    if says_the_same:
        compared.unseen[refused] += 1
    else:
        compared.different += 1
        result.fault(f"{shard}/{key}", f"says something else than its entry ({origin})")
    return True


def _unlike(stored: Content, wanted: Wanted, compared: Compared) -> Iterator[str]:
    """In what a sample differs from its entry."""
    if wanted.sample is None or wanted.media is None or wanted.text is None:
        yield f"its source changed while it was read ({wanted.refused})"
        return
    yield from _unlike_texts(stored, wanted.sample, wanted.text)
    media, exact = wanted.media, wanted.exact
    pictures = zip(
        chain(stored.images, *stored.videos), chain(media.images, *media.videos), chain(*exact), strict=False
    )
    compared.by_pixels += sum(not as_is and ours != theirs for ours, theirs, as_is in pictures)
    yield from differences("image", stored.images, media.images, exact[0])
    if len(stored.videos) != len(media.videos):
        yield f"{len(stored.videos)} videos, where its source has {len(media.videos)}"
        return
    for number, (ours, theirs) in enumerate(zip(stored.videos, media.videos, strict=True)):
        for what in differences("frame", ours, theirs, exact[1 + number]):
            yield f"video {number}: {what}"
    if list(stored.audios) != list(media.audios):
        yield "its audio files are not those of its source"


def _unlike_texts(stored: Content, sample: Sample, text: Mapping[str, Any]) -> Iterator[str]:
    """In what the json of a sample differs from the one that was expected."""
    said, expected = list(stored.turns), list(sample.turns)
    if said != expected:
        if len(said) != len(expected):
            yield f"has {len(said)} turns, its source {len(expected)}"
        else:
            place = next(place for place, one in enumerate(said) if one != expected[place])
            yield f"turn {place} says {_short(said[place])}, its source {_short(expected[place])}"
        return
    for name in {**text, **stored.text}:
        ours, theirs = stored.text.get(name), text.get(name)
        if dumps(ours) != dumps(theirs):
            yield f"its json has {name} {dumps(ours)[:_LETTERS]!r}, {dumps(theirs)[:_LETTERS]!r} was expected"


def _short(turn: Turn) -> str:
    return f"({turn.role}) {turn.text[:_LETTERS]!r}"
