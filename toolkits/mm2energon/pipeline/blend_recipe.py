"""What a blend shall be made of: datasets with their weights, as a command line or a recipe names them.

    seed: 42
    datasets:
      - path: video_wds          # relative to the recipe, or a URL
        samples: 20000           # of train; or {train: 20000, val: 500}; or 12.5%
      - path: synthetic_wds
        samples: 10000

Each may have a `weight`, or each `repetitions`; a `range`, such as [0, 1000] or ["25%", "75%"], in the place of
`samples`; and `split_part`, such as {val: test}, where a split of the blend is another one of the dataset's.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from mm2energon.errors import InputError
from mm2energon.remote import Place, Remote, place
from mm2energon.roots import read_regular
from mm2energon.terminal import told

#: Where a range begins, and where it ends: samples, or percent of them (`25%`); `end` is the last.
Range = tuple[int | str, int | str]

_KEYS = ("path", "weight", "repetitions", "samples", "range", "split_part")
_TOP_KEYS = ("datasets", "seed")
_MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Wanted:
    """One dataset of a blend, as it is asked for."""

    root: Place
    #: How often the dataset is drawn from, beside the weights of the others.
    weight: float | None = None
    #: How often each sample comes in an epoch.
    repetitions: float | None = None
    #: Split of the blend -> samples of it that are taken, or percent of them, chosen by seed.
    samples: Mapping[str, int | str] = field(default_factory=dict)
    #: Split of the blend -> the stretch of it that is taken.
    ranges: Mapping[str, Range] = field(default_factory=dict)
    #: Split of the blend -> split of the dataset, where they differ.
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """The datasets of a blend, and the seed of its subsets."""

    datasets: tuple[Wanted, ...]
    seed: int | None = None


class _Loader(yaml.SafeLoader):
    """Refuses a mapping that says something twice: YAML would take the last, and a `-` that is missing went unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := next((key for place, key in enumerate(keys) if key in keys[:place]), None):
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} stands twice in it", node.start_mark)
        return super().construct_mapping(node, deep)


def named_dataset(text: str, *, repetitions: bool) -> Wanted:
    """What `DATASET[:WEIGHT]` of a command line says.

    Raises:
        InputError: the weight is none.
    """
    path, colon, number = text.rpartition(":")
    if not colon or number.startswith("//") or Path(text).exists():
        return Wanted(_root(text, text))
    try:
        value = _plain_number(float(number))
    except ValueError:
        raise InputError(f"{text}: {number!r} is no number; DATASET or DATASET:WEIGHT was expected") from None
    root = _root(path, text)
    wanted = Wanted(root, repetitions=value) if repetitions else Wanted(root, weight=value)
    return _checked(wanted, text)


def _root(text: str, where: str, below: Path = Path()) -> Place:
    """What a URL or a path names, which is relative to a folder."""
    try:
        found = place(text)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"{where}: {error}") from None
    return found if isinstance(found, Remote) else below / found


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        content = yaml.load(read_regular(path, most_bytes=_MOST_BYTES), _Loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"--recipe {path}: cannot be read ({told(error)}); a YAML file was expected") from error
    content = {"datasets": content} if isinstance(content, list) else content
    where = f"--recipe {path}"
    if not isinstance(content, dict) or not isinstance(content.get("datasets"), list) or not content["datasets"]:
        raise InputError(f"{where}: holds no datasets; a list of them was expected, each with its path")
    _check_keys(content, _TOP_KEYS, where)
    seed = content.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise InputError(f"{where}: seed {seed!r} is no whole number")
    datasets = (_wanted(item, path, f"{where}: dataset {number}") for number, item in enumerate(content["datasets"], 1))
    return Recipe(tuple(datasets), seed)


def _wanted(item: Any, recipe: Path, where: str) -> Wanted:
    item = {"path": item} if isinstance(item, str) else item
    if not isinstance(item, dict) or not is_path(item.get("path")):
        raise InputError(f"{where}: has no path; the folder of finished shards was expected")
    _check_keys(item, _KEYS, where)
    wanted = Wanted(
        _root(item["path"], where, recipe.parent),
        weight=_number(item, "weight", where),
        repetitions=_number(item, "repetitions", where),
        samples=_by_split(item.get("samples"), _is_count, f"{where}: samples", "a number above 0, or 12.5%"),
        ranges=_by_split(item.get("range"), is_range, f"{where}: range", '[0, 1000], [1000, end] or ["0%", "12.5%"]'),
        parts=_by_split(item.get("split_part"), _is_name, f"{where}: split_part", "the name of a split"),
    )
    if both := sorted(set(wanted.samples) & set(wanted.ranges)):
        raise InputError(f"{where}: has samples and a range for {both[0]}; one of the two was expected")
    ranges = {split: (begin, end) for split, (begin, end) in wanted.ranges.items()}
    return _checked(replace(wanted, ranges=ranges), where)


def _checked(wanted: Wanted, where: str) -> Wanted:
    for name, number in (("weight", wanted.weight), ("repetitions", wanted.repetitions)):
        if number is not None and not 0 < number < math.inf:
            raise InputError(f"{where}: {name} {number:g}; a number above 0 was expected; leave the dataset out")
    return wanted


def _check_keys(content: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := [str(key) for key in content if key not in known]:
        raise InputError(f"{where}: {unknown[0]!r} means nothing here; {', '.join(known)} were expected")
    if empty := [str(key) for key, value in content.items() if value is None]:
        raise InputError(f"{where}: nothing stands behind {empty[0]!r}; fill it in, or leave it out")


def _number(item: Mapping[str, Any], name: str, where: str) -> float | None:
    value = item.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        return _plain_number(float(value))  # `1e3` is a text in YAML
    except (ValueError, OverflowError):
        raise InputError(f"{where}: {name} {value!r} is no number") from None


def _plain_number(value: float) -> float:
    return int(value) if math.isfinite(value) and value == int(value) else value


def _by_split(value: Any, is_right: Callable[[Any], bool], where: str, expected: str) -> dict[str, Any]:
    """A value for each split; one that names no split is for train."""
    if value is None:
        return {}
    found = value if isinstance(value, dict) else {"train": value}
    for split, one in found.items():
        if not isinstance(split, str) or not is_right(one):
            raise InputError(f"{where}: {one!r} for {split!r}; {expected} was expected")
    return found


def _is_count(value: Any) -> bool:
    return bool(_share(value)) or (isinstance(value, int) and not isinstance(value, bool) and value > 0)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_path(value: Any) -> bool:
    """Whether it is a text that may be a path."""
    try:
        return _is_name(value) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def is_range(value: Any) -> bool:
    """Whether it is [samples, samples] or [percent, percent]; `end` may stand for the last."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    if _is_place(value[0]) and (_is_place(value[1]) or value[1] == "end"):
        return bool(value[1] == "end" or value[0] < value[1])
    begin, last = _share(value[0]), _share(value[1])
    return begin is not None and last is not None and begin < last


def _is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _share(value: Any) -> float | None:
    """What `25%` is of the whole; None where it is no such thing."""
    try:
        share = float(value[:-1]) / 100 if isinstance(value, str) and value.endswith("%") else -1.0
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def count_of(wanted: int | str, total: int) -> int:
    """How many of so many samples are asked for; of percent the nearest number, and one at least."""
    return wanted if isinstance(wanted, int) else max(1, math.floor(total * float(wanted[:-1]) / 100 + 0.5))


def taken_of(wanted: Range, total: int) -> int:
    """How many of so many samples a range takes, as Energon counts them."""
    begin, end = wanted
    if isinstance(begin, int):
        return (total if end == "end" else int(end)) - begin
    first, last = float(begin[:-1]) / 100, float(str(end)[:-1]) / 100
    return int(total * last) - int(total * first)
