"""Verify: read every shard back, with webdataset and with Energon's own loader, and name the place of each fault."""

from __future__ import annotations

import importlib
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from mm2energon.errors import InputError, SampleError, ToolkitError
from mm2energon.formats.turns import read_turns
from mm2energon.jsonio import loads
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.rules import Facts, VideoFacts, check
from mm2energon.sample import Sample
from mm2energon.shards import reader
from mm2energon.shards.index import SampleRow
from mm2energon.shards.keys import valid_key
from mm2energon.shards.pickles import load_nested_bytes
from mm2energon.shards.reader import DatasetIndex
from mm2energon.targets import TARGETS, Target


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong, and where."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass
class Verified:
    """What was read, and what was wrong."""

    target: str = ""
    #: Split -> samples that webdataset read, and that Energon's loader read.
    by_webdataset: dict[str, int] = field(default_factory=dict)
    by_energon: dict[str, int] = field(default_factory=dict)
    images: int = 0
    videos: int = 0
    frames: int = 0
    faults: list[Fault] = field(default_factory=list)

    def fault(self, place: str, what: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(place, what))


def verify(root: Path, *, energon: bool = True, workers: int = 0, progress: ProgressMaker = silent) -> Verified:
    """Check a finished dataset.

    Args:
        energon: read it with Energon's loader too (needs the extra `energon`).
        workers: processes for Energon's loader.

    Raises:
        InputError: there is no dataset.
        DependencyError: the extra is missing.
    """
    index = reader.read_index(root)
    target = target_of(root, index)
    result = Verified(target=target.name)
    _check_files(root, index, result)
    keys = _check_shards(root, index, target, result, progress)
    _check_rows(root, index, keys, result)
    if energon:
        _check_energon(root, index, keys, result, workers=workers, progress=progress)
    return result


def target_of(root: Path, index: DatasetIndex) -> Target:
    """The target that a dataset was written for: by its manifest, else by its dataset.yaml.

    Raises:
        InputError: no target has such a dataset.yaml.
    """
    yaml = reader.read_dataset_yaml(root)
    by_name = TARGETS.get(str(index.manifest.get("target")))
    for target in [by_name, *TARGETS.values()]:
        if target and all(target.dataset_yaml[key] == yaml.get(key) for key in ("__module__", "__class__")):
            return target
    if by_name is not None:
        return by_name
    raise InputError(f"{root}: its dataset.yaml names {yaml.get('__class__')}, which no target of ours has")


def _check_files(root: Path, index: DatasetIndex, result: Verified) -> None:
    """Each shard in one split, each file counted, nothing missing and nothing left over."""
    split_of: dict[str, str] = {}
    for split, names in index.splits.items():
        for name in names:
            if name in split_of:
                result.fault(name, f"is in two splits, {split_of[name]} and {split}")
            split_of[name] = split
    for name in sorted(set(index.counts) ^ set(split_of)):
        result.fault(name, "is not in split.yaml" if name in index.counts else "is not in .info.json")
    for path in sorted(root.glob("*.tar")):
        if path.name not in split_of:
            result.fault(path.name, "is a tar that belongs to no split")


def _check_shards(
    root: Path, index: DatasetIndex, target: Target, result: Verified, progress: ProgressMaker
) -> dict[str, list[str]]:
    """Read every shard with webdataset; the keys by shard."""
    keys: dict[str, list[str]] = {}
    seen: set[str] = set()
    bar = progress("samples, webdataset", sum(index.counts.values()))
    for split, names in index.splits.items():
        result.by_webdataset[split] = 0
        for name in dict.fromkeys(names):
            keys[name] = []
            try:
                for key, record in reader.read_shard(root / name):
                    place = f"{name}/{key}"
                    if not valid_key(key) or key in seen:
                        result.fault(place, "key occurs twice" if key in seen else "is no valid key")
                    seen.add(key)
                    keys[name].append(key)
                    _check_record(place, record, target, result)
                    result.by_webdataset[split] += 1
                    bar.update(1)
                _check_offsets(root / name, index.counts.get(name), len(keys[name]), result)
            except InputError as error:
                result.fault(name, str(error))
    bar.close()
    return keys


def _check_offsets(path: Path, counted: int | None, found: int, result: Verified) -> None:
    if counted != found:
        result.fault(path.name, f"{found} samples, .info.json says {counted}: Energon would hide or miss some")
    offsets = reader.read_offsets(path)
    if len(offsets) != found + 1:
        result.fault(
            f"{path.name}.idx", f"{len(offsets)} offsets for {found} samples; one more than samples was expected"
        )
    if offsets and offsets[-1] > path.stat().st_size:
        result.fault(f"{path.name}.idx", "ends behind the end of the tar")


def _check_record(place: str, record: Mapping[str, bytes], target: Target, result: Verified) -> None:
    try:
        sample, facts, text = _read_record(place, record, target, result)
        seconds = text.get("second_per_grid_ts", [])
        if len(seconds) != len(sample.videos) or not all(_positive(value) for value in seconds):
            result.fault(place, f"second_per_grid_ts is {seconds} for {len(sample.videos)} videos")
        check(sample, facts, target.rules)
    except SampleError as error:
        result.fault(place, str(error).removeprefix(f"{place}: "))
    except (ValueError, KeyError, TypeError) as error:
        result.fault(place, f"cannot be read ({type(error).__name__}: {error})")


def _read_record(
    place: str, record: Mapping[str, bytes], target: Target, result: Verified
) -> tuple[Sample, Facts, dict[str, Any]]:
    text = loads(record["json"])
    images, videos, audios = _media(record, text, target)
    pictures = tuple(_picture_size(data, place) for data in images)
    facts = tuple(_video_facts(video, place) for video in videos)
    result.images += len(pictures)
    result.videos += len(facts)
    result.frames += sum(video.frames for video in facts)
    if target.cuts_odd_frame and any(video.frames % 2 for video in facts):
        result.fault(place, "a video has an odd number of frames; the reader cuts the last")
    sample = Sample(
        turns=read_turns(text["conversations" if target.images_part else "messages"], origin=place),
        images=("",) * len(pictures),
        videos=("",) * len(facts),
        audios=("",) * audios,
        origin=place,
    )
    return sample, Facts(pictures, facts), text


def _media(
    record: Mapping[str, bytes], text: Mapping[str, Any], target: Target
) -> tuple[list[bytes], list[list[bytes]], int]:
    """The images, the frames of the videos, and the number of audio files of a record."""
    if not target.images_part:
        images = [record[name] for name in text["images"]]
        return images, [[record[name] for name in video] for video in text["videos"]], len(text["audios"])
    images = _nested(record[target.images_part], depth=1)
    videos = _nested(record[target.videos_part], depth=2)
    return images, videos, len(_nested(record[target.audios_part], depth=1)) if target.audios_part else 0


def _nested(data: bytes, *, depth: int) -> list[Any]:
    nested = load_nested_bytes(data)
    if any(isinstance(item, list) != (depth == 2) for item in nested):
        raise SampleError(f"a list of {'lists of ' if depth == 2 else ''}encoded pictures was expected", "bad-part")
    return nested


def _picture_size(data: bytes, place: str) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB").size
    except (OSError, ValueError, SyntaxError) as error:
        raise SampleError(f"{place}: a picture cannot be decoded ({error})", "unreadable-image") from error


def _video_facts(frames: list[bytes], place: str) -> VideoFacts:
    sizes = [_picture_size(frame, place) for frame in frames]
    width, height = sizes[0] if sizes else (0, 0)
    return VideoFacts(len(frames), width, height, same_sizes=len(set(sizes)) <= 1)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _check_rows(root: Path, index: DatasetIndex, keys: Mapping[str, list[str]], result: Verified) -> None:
    """The rows of index.sqlite name the samples that are there, at the places of the idx files."""
    by_shard: dict[str, list[SampleRow]] = {name: [] for name in index.counts}
    try:
        for name, row in reader.read_rows(root):
            by_shard[name].append(row)
    except InputError as error:
        result.fault("index.sqlite", str(error))
        return
    for name, rows in by_shard.items():
        if [row.key for row in rows] != keys.get(name, []):
            result.fault("index.sqlite", f"does not name the samples of {name} as they are")
            continue
        try:
            if [row.byte_offset for row in rows] != reader.read_offsets(root / name)[:-1]:
                result.fault(f"{name}.idx", "does not agree with index.sqlite")
        except InputError as error:
            result.fault(f"{name}.idx", str(error))


def _check_energon(
    root: Path,
    index: DatasetIndex,
    keys: Mapping[str, list[str]],
    result: Verified,
    *,
    workers: int,
    progress: ProgressMaker,
) -> None:
    """Read every split with Energon's loader: the same samples, and every field a finite tensor or a text."""
    loader: Any = importlib.import_module("mm2energon.shards.energon")  # torch is imported by those who ask for it
    for split, names in index.splits.items():
        expected = [key for name in names for key in keys.get(name, [])]
        found: list[str] = []
        bar = progress(f"samples, Energon, {split}", len(expected))
        try:
            for sample in loader.load_split(root, split, num_workers=workers):
                key = str(sample.__key__).rsplit("/", 1)[-1]
                found.append(key)
                for what in _unsound(vars(sample)):
                    result.fault(f"{split}/{key}", what)
                bar.update(1)
        except ToolkitError as error:
            result.fault(split, f"Energon's loader stops: {error}")
        except Exception as error:  # noqa: BLE001 (whatever Energon or a reader raises is the finding)
            result.fault(split, f"Energon's loader stops: {type(error).__name__}: {error}")
        bar.close()
        result.by_energon[split] = len(found)
        if sorted(found) != sorted(expected):
            lost, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
            result.fault(
                split, f"Energon reads {len(found)} samples of {len(expected)}; missing {lost[:3]}, more {more[:3]}"
            )


def _unsound(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if any(not bool(tensor.isfinite().all()) for tensor in _tensors(value)):
            yield f"{name} holds colours that are not finite"


def _tensors(value: Any) -> Iterator[Any]:
    if hasattr(value, "isfinite"):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
