"""What the metadata of a dataset says, read with all its faults, and held against the tars that are there."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from mm2energon.errors import InputError
from mm2energon.pipeline.doctor_findings import Findings
from mm2energon.pipeline.doctor_tars import FoundTar, crc32_of_row
from mm2energon.shards.metadata import FOLDER, MANIFEST, SPLITS
from mm2energon.targets import TARGETS, Target

#: Energon takes fewer than 10,000 shards; ranges beyond are no names of shards.
_MOST_SHARDS = 100_000
_ENDLESS_RANGE = re.compile(r"\{[^{}]*\d{7,}[^{}]*\}")


@dataclass
class FoundMetadata:
    """What `.nv-meta` says; None and empty where it says nothing that can be read."""

    #: Names of the tars in the folder, in the order in which they were written.
    tars: list[str] = field(default_factory=list)
    #: dataset.yaml.
    config: Mapping[str, Any] | None = None
    #: Split -> names of its shards, ranges expanded.
    splits: dict[str, list[str]] | None = None
    excluded: frozenset[str] = frozenset()
    #: Shard -> samples.
    counts: Mapping[str, Any] | None = None
    #: mm2energon.json; empty when the dataset is not ours.
    manifest: Mapping[str, Any] = field(default_factory=dict)
    #: The target that dataset.yaml names.
    target: Target | None = None
    #: Shard -> (samples, CRC-32 of their rows), by index.sqlite.
    rows: dict[str, tuple[int, int]] | None = None

    @property
    def by_split(self) -> dict[str, list[str]] | None:
        """Split -> its shards, when each tar that is there is in one split, and train is not empty; else None."""
        splits = self.splits
        if splits is None or set(splits) - set(SPLITS) or not splits.get("train"):
            return None
        listed = [name for names in splits.values() for name in names]
        return splits if sorted(listed) == sorted(self.tars) else None


def read_metadata(root: Path, findings: Findings, notes: list[str]) -> FoundMetadata:
    """What the metadata of a folder says, with findings for what is wrong with it.

    Raises:
        InputError: there is no folder, or no tar in it.
    """
    found = FoundMetadata(tars=_tars(root))
    if not (root / FOLDER).is_dir():
        findings.add("no-metadata", FOLDER)
        return found
    found.manifest = _read(root, MANIFEST) or {}
    found.config = _read(root, "dataset.yaml")
    if found.config is None:
        findings.add("no-dataset-yaml", "dataset.yaml")
    else:
        found.target = _target(found.config)
        _check_config(root, found, findings, notes)
    _read_splits(root, found, findings, notes)
    _read_counts(root, found, findings)
    _read_index(root, found, findings)
    return found


def check_counts(found: FoundMetadata, tars: Mapping[str, FoundTar], findings: Findings) -> None:
    """Hold counts and index against tars that have been read."""
    for name, tar in tars.items():
        said = None if found.counts is None else found.counts.get(name)
        if found.counts is not None and said != tar.count and not tar.broken:
            findings.add("wrong-count", f"{name}: {tar.count} samples, .info.json says {text_of(said)}")
        row = None if found.rows is None else found.rows.get(name, (0, 0))
        if row is not None and row != (tar.count, tar.rows_crc32) and not tar.broken:
            findings.add("stale-index", name)
    trained = {name for name in (found.splits or {}).get("train", []) if name in tars and name not in found.excluded}
    if found.splits is not None and not any(tars[name].count for name in trained):
        elsewhere = {split: len(names) for split, names in found.splits.items() if names}
        findings.add("empty-train", f"split.yaml: train has no samples; shards by split: {elsewhere or 'none'}")


def _tars(root: Path) -> list[str]:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; the output of shard was expected")
    next(root.iterdir(), None)  # one that may not be looked into says so
    paths = [path.relative_to(root) for path in root.rglob("*.tar") if path.is_file()]
    names = [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]
    if not names:
        raise InputError(f"{root}: holds no tars; a folder of shards was expected")
    return sorted(names, key=_as_written)


def _as_written(name: str) -> list[tuple[int, int | str]]:
    """By number, as webdataset's writer counts: 2 before 10."""
    pieces = re.split(r"(\d+)", name)
    return [(0, int(piece)) if piece.isdigit() else (1, piece) for piece in pieces]


def _read(root: Path, name: str) -> dict[str, Any] | None:
    """The mapping in a JSON or YAML file of the metadata; None when there is none.

    Raises:
        OSError: it may not be read. It is not known to be wrong then, and nobody should mend it.
    """
    path = root / FOLDER / name
    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
    return content if isinstance(content, dict) else None


def _target(config: Mapping[str, Any]) -> Target | None:
    for target in TARGETS.values():
        if all(target.dataset_yaml[key] == config.get(key) for key in ("__module__", "__class__")):
            return target
    return None


def _check_config(root: Path, found: FoundMetadata, findings: Findings, notes: list[str]) -> None:
    config = found.config or {}
    for key in ("sample_loader", "part_filter"):
        if key in config and not _is_function(root, text_of(config[key])):
            findings.add("no-sample-loader", f"{key}: {text_of(config[key])}")
    if found.target is None:
        notes.append(
            f"dataset.yaml names {reader_of(config)}, which is not known "
            "here: what it reads of the parts, and drops of the samples, was not looked at"
        )
        return
    wanted, given = found.target.dataset_yaml.get("field_map"), config.get("field_map")
    if wanted is None:
        return
    if not isinstance(given, dict) or set(wanted) - set(given):
        lacking = sorted(set(wanted) - set(given if isinstance(given, dict) else ()))
        findings.add("bad-field-map", f"dataset.yaml: {found.target.name} needs {', '.join(lacking)}, too")


def reader_of(config: Mapping[str, Any]) -> str:
    """The reader that a dataset.yaml names, to be shown."""
    return text_of(config.get("__class__") or config.get("sample_type") or "no reader")


def _is_function(root: Path, named: str) -> bool:
    """Whether `file.py:function` is there, beside the yaml; nothing of it is run."""
    file, _, function = named.partition(":")
    path = root / FOLDER / file
    try:
        tree = ast.parse(path.read_text(encoding="utf-8") if path.is_file() else "")
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return function in names


def _read_splits(root: Path, found: FoundMetadata, findings: Findings, notes: list[str]) -> None:
    there = (root / FOLDER / "split.yaml").exists()
    content = _read(root, "split.yaml" if there else "split.json")  # Energon 7.4 takes either
    parts = (content or {}).get("split_parts")
    if content is None or not isinstance(parts, dict):
        findings.add("no-split-yaml", "split.yaml")
        return
    found.splits = {str(split): list(_expanded(names)) for split, names in parts.items()}
    found.excluded = frozenset(_expanded(content.get("exclude")))
    for split in SPLITS:
        if split not in found.splits:
            findings.add("missing-split", f"split.yaml: {split}")
    _check_listed(found, findings)
    if found.splits.get("train") and not found.splits.get("val") and "val" in found.splits:
        notes.append("val has no samples: training that validates stops; repair --val-split 1 deals the samples anew")


def _expanded(names: Any) -> Iterator[str]:
    """Names with their brace ranges expanded, as Energon does it."""
    from braceexpand import braceexpand

    for name in names if isinstance(names, list) else ():
        text = text_of(name)
        try:
            yield from [text] if _ENDLESS_RANGE.search(text) else islice(braceexpand(text), _MOST_SHARDS)
        except (ValueError, RecursionError):
            yield text


def text_of(value: Any) -> str:
    """A value of a yaml to be shown: aliases in it may stand for more than any memory holds."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else type(value).__name__


def _check_listed(found: FoundMetadata, findings: Findings) -> None:
    split_of: dict[str, str] = {}
    there = set(found.tars)
    for split, names in (found.splits or {}).items():
        for name in names:
            if name not in there:
                findings.add("absent-shard", f"{name}, of {split}")
            elif name in split_of:
                findings.add("shard-in-two-splits", f"{name}: {split_of[name]} and {split}")
            split_of.setdefault(name, split)
    for name in found.tars:
        if name not in split_of:
            findings.add("unlisted-shard", name)


def _read_counts(root: Path, found: FoundMetadata, findings: Findings) -> None:
    newer, older = _read(root, ".info.json"), _read(root, ".info.yaml")
    info = newer if newer is not None else older
    counts = (info or {}).get("shard_counts")
    if not isinstance(counts, dict):
        findings.add("no-counts", ".info.json")
        return
    found.counts = counts
    if newer is None:
        findings.add("no-info-json", ".info.yaml alone, as Energon before 7 writes it")


def _read_index(root: Path, found: FoundMetadata, findings: Findings) -> None:
    path = root / FOLDER / "index.sqlite"
    if not path.is_file():
        findings.add("no-index", path.name)
    elif found.counts is not None:
        try:
            found.rows = _rows(path, [str(name) for name in found.counts])
        except (sqlite3.Error, ValueError, TypeError, IndexError, OverflowError) as error:
            findings.add("stale-index", f"{path.name}: {error}", len(found.tars))
    if not (root / FOLDER / "index.uuid").is_file():
        findings.add("no-uuid", "index.uuid")


def _rows(path: Path, names: list[str]) -> dict[str, tuple[int, int]]:
    """Shard -> (samples, CRC-32 of their rows).

    Raises:
        ValueError, TypeError, IndexError, OverflowError, sqlite3.Error: it is not such an index.
    """
    rows: dict[str, tuple[int, int]] = dict.fromkeys(names, (0, 0))
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        database.execute("PRAGMA trusted_schema = OFF")
        kind = database.execute("SELECT type FROM sqlite_master WHERE name = 'samples'").fetchone()
        if kind != ("table",):
            raise ValueError("no table of samples")
        query = "SELECT tar_file_id, sample_key, byte_offset FROM samples ORDER BY tar_file_id, sample_index"
        for number, key, offset in database.execute(query):
            count, crc32 = rows[names[number]]
            rows[names[number]] = count + 1, crc32_of_row(str(key), int(offset or 0), crc32)
    return rows
