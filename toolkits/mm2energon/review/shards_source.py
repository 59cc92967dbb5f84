"""Finished shards as a source, by their index: of each record its json is read, its media when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from braceexpand import braceexpand

from mm2energon.errors import SampleError
from mm2energon.formats.turns import read_turns
from mm2energon.jsonio import Entry, dumps, loads, type_name
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.record_content import Content, read_content
from mm2energon.pipeline.verify_metadata import layout_of, target_of
from mm2energon.review.model import Kind
from mm2energon.review.sources import Found, Loaded, Place, changed, opened, stamp_of
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample
from mm2energon.shards.index import SampleRow
from mm2energon.shards.metadata import FOLDER
from mm2energon.shards.reader import open_rows, read_index, read_samples

_JSON = "json"
_MOST_PARTS = 1 << 40
_NO_JSON: tuple[str, int, int] = (_JSON, 0, 0)


class ShardsSource:
    """A folder of finished shards."""

    kind: Kind = "shards"

    def __init__(self, path: Path) -> None:
        """
        Raises:
            InputError: it holds no finished dataset.
        """
        self.path = path
        self.name = path.name
        index = read_index(path, takes_older=True)
        self._layout = layout_of(index, target_of(path, index))
        excluded = frozenset(_expanded(index.excluded))
        wanted = dict.fromkeys(_expanded(chain.from_iterable(index.splits.values())))
        #: Number of a shard in the index -> its name; of those that training reads.
        self._shards = {
            number: name for number, name in enumerate(index.counts) if name in wanted and name not in excluded
        }
        self._excluded = excluded
        self.size = sum(index.counts[name] for name in self._shards.values())
        self._stamp = (stamp_of(path / FOLDER / "index.sqlite"), sorted(self._shards.items()), sorted(excluded))

    def stamp(self) -> tuple[Any, ...]:
        """As of `Source`."""
        return self._stamp

    def reached(self, place: Place) -> int:
        """As of `Source`: samples."""
        return place.inner

    def found(self) -> Iterator[Found]:
        """As of `Source`."""
        count = 0
        with open_rows(self.path) as rows:
            for number, name in self._shards.items():
                of_shard = rows.of_shard(number, most_parts=_MOST_PARTS)
                with opened(self.path / name) as shard:
                    for within, row in enumerate(of_shard):
                        count += 1
                        if f"{name}/{row.key}" in self._excluded:
                            continue
                        _, start, size = next((part for part in row.parts if part[0] == _JSON), _NO_JSON)
                        shard.seek(start)
                        place = Place(start, size, number, within, count)
                        yield Found(place, self._entry(f"{name}/{row.key}", shard.read(size), size))

    def read(self, places: Sequence[Place]) -> list[Found]:
        """As of `Source`."""
        found = []
        with open_rows(self.path) as rows:
            for place in places:
                row = rows.at(place.position, place.within)
                if row is None or place.position not in self._shards:
                    raise changed(self.path)
                name = self._shards[place.position]
                with opened(self.path / name) as shard:
                    shard.seek(place.start)
                    data = shard.read(place.length)
                found.append(Found(place, self._entry(f"{name}/{row.key}", data, place.length)))
        return found

    def _entry(self, origin: str, data: bytes, size: int) -> Entry:
        try:
            if not size or len(data) < size:
                raise ValueError("is missing, or cut off")
            value = self._whole(loads(data, max_depth=MAX_DEPTH_AROUND))
            if not isinstance(value, dict):
                raise ValueError(f"is {type_name(value)}; an object was expected")
        except ValueError as error:
            what = SampleError(f"{origin}: its json {error}; see mm2energon doctor", "bad-part")
            return Entry(origin, data.decode("utf-8", "replace"), what)
        return Entry(origin, value)

    def _whole(self, value: Any) -> Any:
        """The json of a record; of the first version of the original converter, which wrote the bare turns, as of the
        later ones: readers of its shards take both."""
        return {"conversations": value} if isinstance(value, list) and self._layout.images_part else value

    def load(self, found: Found) -> Loaded:
        """As of `Source`: media are called by their place, `train-shard-000000.tar/key/videos/0`."""
        origin, value = found.entry.origin, found.entry.value
        if found.entry.error is not None:
            return Loaded(None, found.entry.error, self._layout.name)
        try:
            turns = read_turns(
                value.get("conversations" if self._layout.images_part else "messages"), origin=f"{origin}: its json"
            )
        except SampleError as error:
            return Loaded(None, error, self._layout.name)
        text = "".join(turn.text for turn in turns)
        images, videos, audios = (
            tuple(f"{origin}/{kind}/{place}" for place in range(text.count(tag)))
            for kind, tag in (("images", IMAGE_TAG), ("videos", VIDEO_TAG), ("audios", AUDIO_TAG))
        )
        extra = value.get("extra")
        about = extra if isinstance(extra, Mapping) else {}
        return Loaded(Sample(turns, images, videos, audios, value.get("id"), about, origin), None, self._layout.name)

    def content(self, found: Found) -> bytes:
        """As of `Source`: its key, and what it says."""
        return dumps([found.entry.origin.rpartition("/")[2], found.entry.value])

    def media(self, place: Place) -> Content:
        """What a record holds.

        Raises:
            InputError: the shards are not what they were.
            SampleError: the record is not what its target says.
        """
        name = self._shards.get(place.position)
        with open_rows(self.path) as rows:
            row: SampleRow | None = rows.at(place.position, place.within)
        if row is None or name is None:
            raise changed(self.path)
        [(_, record)] = read_samples(self.path / name, [row])
        if record.get(_JSON, b"").lstrip()[:1] == b"[":
            entry = self._entry(f"{name}/{row.key}", record[_JSON], len(record[_JSON]))
            record = record if entry.error is not None else {**record, _JSON: dumps(entry.value)}
        return read_content(record, self._layout)


def _expanded(names: Any) -> Iterator[str]:
    """Names of which some stand for a range, as `energon prepare` may write them."""
    return chain.from_iterable(map(braceexpand, names))
