"""Unshard: the samples of finished shards as entries again, their pictures and sounds as files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

from braceexpand import braceexpand

from mm2energon.errors import InputError, SampleError
from mm2energon.formats import sharegpt
from mm2energon.jsonio import Entry, dumps
from mm2energon.pipeline.convert_media import ending_of, write_medium
from mm2energon.pipeline.record_content import Content, read_content
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.verify_metadata import layout_of, target_of
from mm2energon.roots import name_from
from mm2energon.sample import Sample, Video
from mm2energon.shards.reader import read_index, read_shard
from mm2energon.storage import write_whole
from mm2energon.video.bundle import bundle, can_bundle
from mm2energon.video.places import frame_name


def are_shards(source: Path) -> bool:
    """Whether a source is a folder of finished shards."""
    return (source / ".nv-meta").is_dir()


def read_shards(
    source: Path, how: Reshaping, *, whole_videos: bool = False, stored: StoredDataset | None = None
) -> Iterator[Entry]:
    """The samples of shards as ShareGPT entries, whose origins are `train-shard-000000.tar/key`.

    A video becomes the list of its frames, which lie in a folder with an fps json beside it. What `split.yaml` excludes
    is no part of the dataset.

    Args:
        whole_videos: a video becomes a file instead, where its frames can be one and their rate is known.
        stored: the dataset, where it lies in a store, and `source` is a mirror of it.

    Raises:
        InputError: the folder holds no finished dataset, or a shard is damaged.
    """
    index = read_index(source, takes_older=True)
    layout = layout_of(index, target_of(source, index))
    grid = grid_of(index.manifest)
    excluded = frozenset(_expanded(index.excluded))
    if stored is not None:
        stored.show_shards(index.counts)
    for name in dict.fromkeys(_expanded(chain.from_iterable(index.splits.values()))):
        if name in excluded:
            continue
        with nullcontext() if stored is None else stored.whole(name):
            for key, record in _all_of(source / name, index.counts.get(name, 0)):
                origin = f"{name}/{key}"
                if origin in excluded:
                    continue
                try:
                    content = read_content(record, layout)
                except SampleError as error:
                    yield Entry(origin, None, SampleError(f"{origin}: {error}", error.code))
                else:
                    sample = to_sample(content, how, frames_in_a_grid=grid, whole_videos=whole_videos)
                    yield Entry(origin, sharegpt.dump(sample))


def _all_of(shard: Path, counted: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples of a shard, which has as many as are counted, or more: a tar that ends too soon may look whole."""
    found = 0
    for found, sample in enumerate(read_shard(shard), start=1):  # noqa: B007 (counted)
        yield sample
    if found < counted:
        raise InputError(f"{shard}: {found} samples; {counted} were expected, by .info.json; see mm2energon verify")


def _expanded(names: Iterable[str]) -> Iterator[str]:
    """Names of which some stand for a range, as `energon prepare` may write them: `train-{000000..000003}.tar`."""
    return chain.from_iterable(map(braceexpand, names))


def _options(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    options = manifest.get("options")
    return options if isinstance(options, Mapping) else {}


def to_sample(content: Content, how: Reshaping, *, frames_in_a_grid: int, whole_videos: bool) -> Sample:
    """What a record holds as a sample, whose media are written to files.

    Args:
        frames_in_a_grid: as `grid_of` says of its dataset.
        whole_videos: as of `read_shards`.
    """
    write = _write_whole if whole_videos else _write_video
    seconds = content.text.get("second_per_grid_ts")
    grids = (
        seconds if isinstance(seconds, list) and len(seconds) == len(content.videos) else [None] * len(content.videos)
    )
    extra = content.text.get("extra")
    return Sample(
        turns=content.turns,
        images=tuple(write_medium(image, ending_of(image) or "jpg", how) for image in content.images),
        videos=tuple(
            write(frames, frames_in_a_grid / grid if _is_positive(grid) else None, how)
            for frames, grid in zip(content.videos, grids, strict=True)
        ),
        audios=tuple(write_medium(audio, ending_of(audio) or "bin", how) for audio in content.audios),
        id=content.text.get("id"),
        extra=extra if isinstance(extra, Mapping) else {},
    )


def grid_of(manifest: Mapping[str, Any]) -> int:
    """Frames that `second_per_grid_ts` is about in a dataset: 2, as the model means it, or 1, as Pai writes it."""
    return 1 if _options(manifest).get("second_per_grid_ts") == "pai" else 2


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _digest(frames: list[bytes]) -> str:
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(len(frame).to_bytes(8, "little") + frame)
    return digest.hexdigest()[:32]


def _write_whole(frames: list[bytes], fps: float | None, how: Reshaping) -> Video:
    """Write a video as a file of the frames as they are; as its frames, where it cannot be one."""
    if fps is None or not can_bundle(frames, fps):
        return _write_video(frames, fps, how)
    path = how.media_folder / f"{_digest(frames)}.mp4"
    data = BytesIO()
    bundle(data, frames, fps=fps)
    if not path.is_file() or path.read_bytes() != data.getvalue():
        with write_whole(path) as file:
            file.write(data.getvalue())
    return name_from(how.root, path)


def _write_video(frames: list[bytes], fps: float | None, how: Reshaping) -> tuple[str, ...]:
    """Write the frames of a video into a folder named by their content, and their rate beside it, where it is known."""
    folder = how.media_folder / _digest(frames)
    paths = []
    for number, frame in enumerate(frames, start=1):
        path = folder / Path(frame_name(number, len(frames))).with_suffix(f".{ending_of(frame) or 'jpg'}")
        if not path.is_file() or path.stat().st_size != len(frame):
            with write_whole(path) as file:
                file.write(frame)
        paths.append(name_from(how.root, path))
    if fps is not None:
        _write_rate(folder.with_name(f"{folder.name}.json"), dumps({"fps": str(round(fps, 6))}))
    return tuple(paths)


def _write_rate(path: Path, text: bytes) -> None:
    if not path.is_file() or path.read_bytes() != text:
        with write_whole(path) as file:
            file.write(text)
