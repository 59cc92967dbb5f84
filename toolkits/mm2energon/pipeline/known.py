"""Known: names that have been seen, in a temporary database, so that there may be more of them than memory holds."""

from __future__ import annotations

import sqlite3

#: What of the database is in memory, in KiB; a smaller one has no file at all.
_CACHE_KIB = 8192
#: Names that are told as known without asking the database: those of one medium mostly stand together.
_RECENT = 16_384


class Known:
    """A set of names that only grows."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a file of SQLite's own, which goes with the connection
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID")
        self._recent: set[str] = set()

    def add(self, name: str) -> bool:
        """Add a name; whether it is new."""
        if name in self._recent:
            return False
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent.add(name)
        insert = "INSERT OR IGNORE INTO names VALUES (?)"
        return self._database.execute(insert, (name.encode("utf-8", "surrogatepass"),)).rowcount == 1

    def close(self) -> None:
        """Forget all of them."""
        self._database.close()
