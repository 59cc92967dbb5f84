"""The FORMATS table: one module per annotation format, each with `matches`, `load` and `dump`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mm2energon.errors import SampleError
from mm2energon.formats import llava, messages, sharegpt
from mm2energon.formats.media import PLURALS, media_list
from mm2energon.jsonio import Entry
from mm2energon.sample import Sample


class Format(Protocol):
    """What a format's module offers."""

    def matches(self, entry: Mapping[str, Any], /) -> bool:
        """Whether an entry is of this format."""

    def load(self, entry: Mapping[str, Any], /, *, origin: str) -> Sample:
        """An entry as a Sample."""

    def dump(self, sample: Sample, /) -> dict[str, Any]:
        """A Sample as an entry."""


#: In the order in which an entry is tried; the more particular format stands first.
FORMATS: dict[str, Format] = {"messages": messages, "llava": llava, "sharegpt": sharegpt}


def unwrap(entry: Entry) -> Iterator[Entry]:
    """The entry itself, or each of those that it packs in a list, with errors for what is no object."""
    if entry.error is not None or isinstance(entry.value, Mapping):
        yield entry
    elif not isinstance(entry.value, list):
        yield _failed(entry, f"a {type(entry.value).__name__}; an object was expected", "not-an-object")
    elif not entry.value:
        yield _failed(entry, "an empty list; an object was expected", "empty-entry")
    elif len(entry.value) == 1:
        yield from unwrap(Entry(entry.origin, entry.value[0]))
    else:
        for number, value in enumerate(entry.value):
            yield from unwrap(Entry(f"{entry.origin}[{number}]", value))


def detect(entry: Mapping[str, Any], *, origin: str) -> str:
    """The name of the first format that matches.

    Raises:
        SampleError: `unknown-format`.
    """
    for name, form in FORMATS.items():
        if form.matches(entry):
            return name
    keys = ", ".join(sorted(str(key)[:30] for key in entry)[:8]) or "none"
    raise SampleError(
        f'{origin}: no known annotation format has these keys: {keys}; "conversations" or "messages" was expected',
        "unknown-format",
    )


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry of any format as a Sample.

    Raises:
        SampleError: no format matches, or the entry is not what its format says.
    """
    return FORMATS[detect(entry, origin=origin)].load(entry, origin=origin)


def to_sharegpt(entry: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """An entry of any format as a ShareGPT entry.

    An entry that has `conversations` keeps everything but its media keys as it is, unknown keys of turns included.

    Raises:
        SampleError: as `load`.
    """
    name = detect(entry, origin=origin)
    sample = FORMATS[name].load(entry, origin=origin)
    if name == "messages":
        return sharegpt.dump(sample)
    kept = {key: value for key, value in entry.items() if key not in PLURALS and key not in PLURALS.values()}
    for singular, plural in PLURALS.items():
        media = media_list(entry, singular, origin=origin)
        if media or plural in entry:
            kept[plural] = media
    if sample.videos and isinstance(sample.videos[0], tuple):
        kept["videos"] = [list(video) for video in sample.videos]
    return kept


def _failed(entry: Entry, what: str, code: str) -> Entry:
    return Entry(entry.origin, entry.value, SampleError(f"{entry.origin}: {what}", code))
