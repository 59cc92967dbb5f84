"""The FORMATS table: one module per annotation format, each with `matches`, `load` and `dump`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from mm2energon.errors import SampleError
from mm2energon.formats import (
    hub_like,
    internvl,
    legacy_llava_next,
    legacy_parts,
    llava,
    llava_like,
    llava_next_video_hf,
    llava_video_178k,
    messages,
    messages_parts,
    minicpm_v,
    sharegpt,
    t2vid_synthetic,
    video_instruct,
    videochat_finetune,
    videollama2,
)
from mm2energon.formats.holds import Holds
from mm2energon.formats.media import PLURALS, media_list
from mm2energon.jsonio import Entry, type_name
from mm2energon.sample import Sample


class Format(Protocol):
    """What a format's module, or row, offers."""

    @property
    def HOLDS(self) -> Holds:  # noqa: N802 - a constant of a module
        """What an entry can say at most."""

    def matches(self, entry: Mapping[str, Any], /) -> bool:
        """Whether an entry is of this format."""

    def load(self, entry: Mapping[str, Any], /, *, origin: str) -> Sample:
        """An entry as a Sample."""

    def dump(self, sample: Sample, /) -> dict[str, Any]:
        """A Sample as an entry.

        Raises:
            SampleError: `cannot-hold`, where an entry cannot say all of it.
        """


#: By name. Entries of the first ones are told from each other by their keys, and tried in that order; those of the
#: others look like one of these, and are read as such where nobody says what they are.
FORMATS: dict[str, Format] = {
    "minicpm-v": minicpm_v,
    "messages": messages,
    "llava": llava,
    "sharegpt": sharegpt,
    "video-instruct": video_instruct,
    "legacy-llava-next": legacy_llava_next,
    "llava-next-video-hf": llava_next_video_hf,
    "videochat-finetune": videochat_finetune,
    "messages-parts": messages_parts,
    "chatml-jsonl": hub_like.CHATML,
    "ms-swift": hub_like.MS_SWIFT,
    "llama-factory": hub_like.LLAMA_FACTORY,
    "llava-video-178k": llava_video_178k.LLAVA_VIDEO_178K,
    "llava-next-video": llava_video_178k.LLAVA_NEXT_VIDEO,
    "video-chatgpt": llava_like.VIDEO_CHATGPT,
    "sharegemini": llava_like.SHAREGEMINI,
    "t2vid-synthetic": t2vid_synthetic,
    "videollama2": videollama2,
    "videollama3": llava_like.VIDEOLLAMA3,
    "qwen-finetune": llava_like.QWEN_FINETUNE,
    "internvl": internvl,
    "legacy-videollama2": legacy_parts.VIDEOLLAMA2,
    "legacy-qwen": legacy_parts.QWEN,
}


#: Keys by which formats name videos.
_VIDEO_KEYS = frozenset({"video", "videos", "video_id", "video_path"})


def unwrap(entry: Entry) -> Iterable[Entry]:
    """The entry itself, or each of those that it packs in a list, with errors for what is no object."""
    if entry.error is not None or isinstance(entry.value, Mapping):
        return (entry,)
    return _unpack(entry)


def _unpack(entry: Entry) -> Iterator[Entry]:
    if not isinstance(entry.value, list) or not entry.value:
        code = "empty-entry" if entry.value == [] else "not-an-object"
        found = "an empty list" if entry.value == [] else type_name(entry.value)
        what = f"{entry.origin}: {found}; an object was expected; take it out"
        yield Entry(entry.origin, entry.value, SampleError(what, code))
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
        f'{origin}: no known annotation format has these keys: {keys}; "conversations" or "messages" was expected; '
        "rename the key",
        "unknown-format",
    )


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry of any format as a Sample.

    Raises:
        SampleError: no format matches, or the entry is not what its format says.
    """
    return FORMATS[detect(entry, origin=origin)].load(entry, origin=origin)


def may_hold_videos(entry: Mapping[str, Any]) -> bool:
    """Whether the sample of an entry can hold a video, told without loading it."""
    return not _VIDEO_KEYS.isdisjoint(entry) or messages.matches(entry)


def to_sharegpt(entry: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """An entry of any format as a ShareGPT entry.

    Keys that mean nothing to us stay, those of turns included; an entry of `conversations` keeps all but its media
    keys and lists of parts as it is.

    Raises:
        SampleError: as `load`.
    """
    name = detect(entry, origin=origin)
    sample = FORMATS[name].load(entry, origin=origin)
    if name not in ("llava", "sharegpt"):
        return sharegpt.dump(sample)
    kept = {key: value for key, value in entry.items() if key not in PLURALS and key not in PLURALS.values()}
    for singular, plural in PLURALS.items():
        media = media_list(entry, singular, origin=origin)
        if media or plural in entry:
            kept[plural] = media
    if sample.videos and isinstance(sample.videos[0], tuple):
        kept["videos"] = sharegpt.dump(sample)["videos"]
    return kept
