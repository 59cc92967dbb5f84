"""Reads shards and metadata back, without Energon: the tars through the webdataset library, the indexes one by one."""

from __future__ import annotations

import json
import os
import sqlite3
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import yaml

from mm2energon.errors import InputError
from mm2energon.roots import open_regular, read_regular
from mm2energon.shards.index import PartRow, SampleRow, idx_path, unpack_offsets
from mm2energon.shards.metadata import FOLDER, MANIFEST
from mm2energon.shards.tars import DamagedTarError, members
from mm2energon.terminal import told

#: What of the manifest is asked for by name.
_MAPPINGS = ("options", "samples", "shards", "set_aside_at_last")

_NAMES = ("samples", "sample_parts")
_ROWS = (
    "SELECT s.tar_file_id, s.sample_index, s.sample_key, s.byte_offset, s.byte_size, "
    "p.part_name, p.content_byte_offset, p.content_byte_size "
    "FROM samples AS s JOIN sample_parts AS p ON p.tar_file_id = s.tar_file_id AND p.sample_index = s.sample_index"
)
_ORDER = "ORDER BY s.tar_file_id, s.sample_index, p.content_byte_offset"
_ROWS_OF_SAMPLE = f"{_ROWS} WHERE s.tar_file_id = ? AND s.sample_index = ? {_ORDER}"
_ROWS_OF_SHARD = f"{_ROWS} WHERE s.tar_file_id = ? {_ORDER} LIMIT ?"


@dataclass(frozen=True, slots=True)
class DatasetIndex:
    """What `.nv-meta` says about a dataset, without the rows."""

    #: Shard name -> number of samples; the order is that of the SQLite index.
    counts: Mapping[str, int]
    #: Split -> names of its shards.
    splits: Mapping[str, list[str]]
    #: Shards, or `shard/key`, that loading leaves out.
    excluded: list[str]
    #: The content of mm2energon.json; empty when the dataset was prepared by other means.
    manifest: Mapping[str, Any]


class _SoundPart:
    """The beginning of a file, up to where a tar in it is whole."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._file, self._left = file, end

    def read(self, size: int) -> bytes:
        """The next bytes, as of a file."""
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def read_shard(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Each sample of a tar as its key and its parts, in order, as the webdataset library sees it.

    Samples before a place where the tar is damaged are read first.

    Raises:
        InputError: the file cannot be opened, is no whole tar, or holds more than plain files.
    """
    from webdataset.tariterators import group_by_keys, tar_file_expander

    try:
        with open_regular(path) as file:
            end, damage = _sound_until(file)
            file.seek(0)
            files = tar_file_expander([{"url": str(path), "stream": _SoundPart(file, end)}] if end else [])
            for sample in group_by_keys(files, lcase=False):
                yield sample["__key__"], {part: data for part, data in sample.items() if part[:2] != "__"}
            if damage is not None:
                raise damage
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise InputError(f"{path}: {told(error)}; a whole tar was expected; write the shard again") from error


def read_samples(path: Path, rows: Iterable[SampleRow]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Some samples of a tar, by their rows.

    Raises:
        InputError: the file cannot be read, or is shorter than the rows say.
    """
    try:
        with open_regular(path) as file:
            for row in rows:
                record = {}
                for part, begin, size in row.parts:
                    file.seek(begin)
                    record[part] = file.read(size)
                    if len(record[part]) < size:
                        raise EOFError(f"{row.key}.{part} is cut off")
                yield row.key, record
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: {told(error)}; a whole tar was expected; write the shard again") from error


def _sound_until(file: IO[bytes]) -> tuple[int, DamagedTarError | None]:
    """How far a tar is whole, and what is wrong behind that.

    Raises:
        RefusedTarError: it should not be read at all.
    """
    try:
        for _ in members(file):
            pass
    except DamagedTarError as damage:
        return damage.end, damage
    return file.seek(0, os.SEEK_END), None


def read_index(root: Path, *, takes_older: bool = False) -> DatasetIndex:
    """The counts, splits and manifest of a dataset.

    Args:
        takes_older: also where there is `.info.yaml` alone, as Energon before 7 writes it.

    Raises:
        InputError: a file is missing or is not what Energon expects.
    """
    is_older = takes_older and not (root / FOLDER / ".info.json").exists()
    info = _mapping(root, ".info.yaml" if is_older and (root / FOLDER / ".info.yaml").exists() else ".info.json")
    split = _mapping(root, "split.yaml")
    counts, parts = info.get("shard_counts"), split.get("split_parts")
    if not isinstance(counts, dict) or not isinstance(parts, dict):
        raise InputError(f"{root / FOLDER}: no shard_counts or no split_parts; `energon prepare` writes both")
    splits = {str(name): _names(root, shards or []) for name, shards in parts.items()}
    if any(isinstance(count, bool) or not isinstance(count, int) or count < 0 for count in counts.values()):
        raise InputError(f"{root / FOLDER / '.info.json'}: holds counts that are none; `energon prepare` writes it")
    manifest = _mapping(root, MANIFEST) if (root / FOLDER / MANIFEST).exists() else {}
    if not all(isinstance(manifest.get(name, {}), dict) for name in _MAPPINGS):
        raise InputError(f"{root / FOLDER / MANIFEST}: is not what mm2energon writes; write the shards again")
    _names(root, list(counts))
    return DatasetIndex(counts, splits, _names(root, split.get("exclude") or []), manifest)


def _names(root: Path, names: Any) -> list[str]:
    """Names of files below the root.

    Raises:
        InputError: they are none, or lead out of it.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{root / FOLDER}: holds what is no list of shards; `energon prepare` writes one")
    for name in names:
        if "\0" in name or "\\" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(f"{root / FOLDER}: names a shard {name!r}, which is no file below {root}; mend it")
    return names


def read_dataset_yaml(root: Path, name: str = "dataset.yaml") -> dict[str, Any]:
    """What a `dataset.yaml` tells Energon about the samples.

    Raises:
        InputError: it is missing or holds no mapping.
    """
    return _mapping(root, name)


def read_offsets(tar: Path) -> list[int]:
    """The offsets in the `.tar.idx` of a shard: one for each sample, and one for the end.

    Raises:
        InputError: it is missing, or cut off.
    """
    path = idx_path(tar)
    try:
        return unpack_offsets(read_regular(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {told(error)}; Energon cannot load the shard without it") from error


@contextmanager
def open_rows(root: Path) -> Iterator[RowReader]:
    """The rows of `index.sqlite`, to be asked for by shard.

    Raises:
        InputError: the database is missing or damaged.
    """
    path = root / FOLDER / "index.sqlite"
    if path.exists() and not path.is_file():  # SQLite would wait for a pipe
        raise InputError(f"{path}: no regular file; the index that belongs to the shards was expected")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            yield RowReader(database)
    except (sqlite3.Error, OverflowError, ValueError) as error:
        raise InputError(f"{path}: {error}; the index that belongs to the shards was expected") from error


class RowReader:
    """Reads the rows of an index; whatever sqlite3 raises is for `open_rows` to name."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("PRAGMA trusted_schema = OFF")
        kinds = dict(database.execute("SELECT name, type FROM sqlite_master WHERE name IN ('samples', 'sample_parts')"))
        if kinds != {"samples": "table", "sample_parts": "table"}:
            raise sqlite3.DatabaseError("no tables samples and sample_parts")

    def all(self) -> Iterator[tuple[int, SampleRow]]:
        """Each sample, in order, with the number of its shard."""
        return _grouped(self._database.execute(f"{_ROWS} {_ORDER}"))

    def of_shard(self, number: int, *, most_parts: int) -> list[SampleRow]:
        """The rows of one shard, in order, of so many parts at most."""
        return [row for _, row in _grouped(self._database.execute(_ROWS_OF_SHARD, (number, most_parts)))]

    def at(self, number: int, place: int) -> SampleRow | None:
        """The sample at a place of a shard; None where there is none."""
        return next((row for _, row in _grouped(self._database.execute(_ROWS_OF_SAMPLE, (number, place)))), None)

    def parts_of_shard(self, number: int) -> int:
        """How many parts the samples of one shard have."""
        asked = "SELECT count(*) FROM sample_parts WHERE tar_file_id = ?"
        found: int = self._database.execute(asked, (number,)).fetchone()[0]
        return found

    def keys_of_shard(self, number: int) -> list[str]:
        """The keys of one shard, in order."""
        asked = "SELECT sample_key FROM samples WHERE tar_file_id = ? ORDER BY sample_index"
        return [str(key) for (key,) in self._database.execute(asked, (number,))]

    def counts(self) -> tuple[int, int]:
        """How many samples and parts there are, in whatever shard."""
        counted = [self._database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _NAMES]  # noqa: S608
        return counted[0], counted[1]

    def damage(self) -> str:
        """What SQLite itself finds wrong with the file; empty when it is sound."""
        found: Any = self._database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        return "" if found == "ok" else str(found)


def read_rows(root: Path) -> Iterator[tuple[str, SampleRow]]:
    """Each sample in `index.sqlite`, in order, with the name of its shard.

    Raises:
        InputError: the database is missing, damaged, or names a shard that `.info.json` does not.
    """
    names = dict(enumerate(read_index(root).counts))
    with open_rows(root) as rows:
        for number, row in rows.all():
            if number not in names:
                raise InputError(f"{root / FOLDER / 'index.sqlite'}: has rows of a shard {number}, which is in no list")
            yield names[number], row


def _grouped(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, SampleRow]]:
    """Joined rows, one a part, as one row a sample."""
    sample: tuple[Any, ...] | None = None
    parts: list[PartRow] = []
    for *fields, name, offset, size in rows:
        if sample is not None and sample != tuple(fields):
            yield sample[0], _sample_row(sample, parts)
            parts = []
        sample = tuple(fields)
        parts.append((name, offset, size))
    if sample is not None:
        yield sample[0], _sample_row(sample, parts)


def _sample_row(fields: tuple[Any, ...], parts: list[PartRow]) -> SampleRow:
    _, _, key, byte_offset, byte_size = fields
    return SampleRow(key, byte_offset, byte_size, tuple(parts))


def _mapping(root: Path, name: str) -> dict[str, Any]:
    """The mapping in a JSON or YAML file of the folder."""
    path = root / FOLDER / name
    try:
        text = read_regular(path).decode("utf-8")
        content = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: cannot be read ({told(error)}); the metadata of finished shards were expected there"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; a mapping was expected")
    return content
