"""The samples of a whole dataset, in a database on disk: which key comes twice, and what stands in two splits.

It is SQLite's own temporary file, so that the memory of verify does not grow with the dataset.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator

from mm2energon.pipeline.record_content import Digests

_TABLES = (
    "CREATE TABLE keys (key TEXT, shard TEXT, split TEXT, number TEXT)",
    "CREATE TABLE stored (place INTEGER PRIMARY KEY, key TEXT, shard TEXT, split TEXT, "
    "id BLOB, said BLOB, text BLOB, media BLOB)",
    "CREATE TABLE shared (medium BLOB, place INTEGER)",
    "CREATE TABLE by_energon (key TEXT, split TEXT)",
)
_NUMBER = re.compile(r"\d{8,}(?=-|$)")
#: Places that are told of each kind.
_TOLD = 1000

_TWICE = "SELECT shard, key FROM keys WHERE rowid NOT IN (SELECT min(rowid) FROM keys GROUP BY key) LIMIT ?"
_NUMBER_TWICE = (
    "WITH twice AS (SELECT number, min(rowid) AS first FROM keys WHERE number IS NOT NULL "
    "GROUP BY number HAVING count(DISTINCT key) > 1) "
    "SELECT b.shard, b.key, a.shard, a.key FROM twice JOIN keys AS a ON a.rowid = twice.first "
    "JOIN keys AS b ON b.number = twice.number AND b.key <> a.key LIMIT ?"
)
_IN_TWO_SPLITS = (
    "WITH twice AS (SELECT {columns}, min(place) AS first FROM stored WHERE id {how} x'' "
    "GROUP BY {columns} HAVING count(DISTINCT split) > 1) "
    "SELECT b.shard, b.key, a.shard, a.key, a.split, b.split FROM twice JOIN stored AS a ON a.place = twice.first "
    "JOIN stored AS b USING ({columns}) WHERE b.split <> a.split LIMIT ?"
)
_SAMPLE = "id, said, media"
_SHARED = (
    "SELECT s.medium, count(DISTINCT d.split), min(d.shard || '/' || d.key), max(d.shard || '/' || d.key) "
    "FROM shared AS s JOIN stored AS d USING (place) GROUP BY s.medium HAVING count(DISTINCT d.split) > 1"
)


class Catalog:
    """What is known of every sample; `close` forgets it."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("", isolation_level=None)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *_TABLES, "BEGIN"):
            self.database.execute(statement)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def add(self, shard: str, split: str, keys: Iterable[str], read: Iterable[tuple[str, Digests]]) -> None:
        """Add the samples of a shard: all by their keys, and those that were read by what they hold."""
        rows = ((key, shard, split, number[0] if (number := _NUMBER.match(key)) else None) for key in keys)
        self.database.executemany("INSERT INTO keys VALUES (?, ?, ?, ?)", rows)
        for key, seen in read:
            values = (key, shard, split, seen.id, seen.said, seen.text, seen.media)
            place = self.database.execute("INSERT INTO stored VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", values).lastrowid
            self.database.executemany("INSERT INTO shared VALUES (?, ?)", ((medium, place) for medium in seen.shared))

    def keys_twice(self, *, numbered: bool) -> Iterator[tuple[str, str]]:
        """(place, what) of each key that was there before.

        Args:
            numbered: whether the number that a key begins with is that of one sample alone.
        """
        self._index("keys", "key")
        for shard, key in self.database.execute(_TWICE, (_TOLD,)):
            yield f"{shard}/{key}", "key occurs twice"
        if not numbered:
            return
        self._index("keys", "number")
        for shard, key, before, other in self.database.execute(_NUMBER_TWICE, (_TOLD,)):
            yield f"{shard}/{key}", f"is another sample of the number of {before}/{other}"

    def in_two_splits(self, *, by_id: bool) -> Iterator[tuple[str, str]]:
        """(place, what) of each sample that stands in another split, too.

        Args:
            by_id: whether an id alone keeps samples in one split.
        """
        self._index("stored", "id, said, media")
        what, columns = ("has the id of", "id") if by_id else ("is the same sample as", _SAMPLE)
        for shard, key, before, other, split, own in self._twice(columns, how="<>"):
            yield f"{shard}/{key}", f"{what} {before}/{other}, and so stands in two splits, {split} and {own}"

    def alike_in_two_splits(self) -> tuple[int, str]:
        """How many samples without an id say and show what one of another split does, and which is the first."""
        found = list(self._twice(_SAMPLE, how="="))
        return len(found), f"{found[0][2]}/{found[0][3]} and {found[0][0]}/{found[0][1]}" if found else ""

    def media_in_two_splits(self) -> tuple[int, str]:
        """How many media, byte for byte, stand in two splits, and which samples hold the first of them."""
        self._index("shared", "medium, place")
        count, first = 0, ""
        for _, _, one, other in self.database.execute(_SHARED):
            count += 1
            first = first or f"{one} and {other}"
        return count, first

    def _twice(self, columns: str, *, how: str) -> Iterator[tuple[str, str, str, str, str, str]]:
        yield from self.database.execute(_IN_TWO_SPLITS.format(columns=columns, how=how), (_TOLD,))

    def _index(self, table: str, columns: str) -> None:
        name = f"{table}_by_{columns.replace(', ', '_')}"
        self.database.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns})")
