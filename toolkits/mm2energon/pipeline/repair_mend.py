"""Mends one sample after another: its parts for its reader, its times, and, from its source, its pictures."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mm2energon.formats.turns import TURN_KEYS
from mm2energon.jsonio import dumps
from mm2energon.pipeline.doctor import asked_for_halves, is_suspect, seconds_fault
from mm2energon.pipeline.doctor_findings import UnreadableSample
from mm2energon.pipeline.doctor_metadata import FoundMetadata
from mm2energon.pipeline.doctor_records import Chat, is_chat, read_chat
from mm2energon.pipeline.doctor_sources import Match, Sources, Undecided
from mm2energon.pipeline.doctor_tars import KNOWN_PARTS, FoundSample
from mm2energon.shards.pickles import dump_images, dump_videos
from mm2energon.shards.records import Media, Record
from mm2energon.targets import Target, turns_json

#: What a record that is made anew is no longer wrong in.
_OF_THE_LAYOUT = frozenset({"lacking-part", "unread-part", "other-turns"})
_OF_THE_SECONDS = frozenset({"no-seconds", "bad-seconds"})
_FOREIGN = re.compile(r"[^a-z0-9_-]+")
#: Beside a key of 64 letters in a name of 100.
_LONGEST_PART = 35

#: (code, message) of what stays wrong.
Left = list[tuple[str, str]]


class Mender:
    """Makes records of samples as they are found, and counts what it mended."""

    def __init__(self, target: Target, sources: Sources | None, metadata: FoundMetadata, *, keep_seconds: bool) -> None:
        """
        Args:
            metadata: what is said of the dataset.
            keep_seconds: second_per_grid_ts stays, whatever a source says.
        """
        self._target = target
        self._sources = sources
        self._metadata = metadata
        self._keep_seconds = keep_seconds
        #: Code -> samples, or pictures.
        self.mended: Counter[str] = Counter()
        #: Samples whose colours nobody told, and their pictures, which stay as they were encoded anew.
        self.untold = 0
        self.re_encoded = 0
        #: Samples whose seconds nobody judged.
        self.seconds_as_found = 0

    def mend(self, found: FoundSample, *, keep_id: bool) -> tuple[Record, Left]:
        """The record of a sample, and what stays wrong with it.

        Args:
            keep_id: enter the key into the json, since another takes its place.
        """
        if not is_chat(found, self._target):
            return as_it_is(found)
        try:
            chat = read_chat(found, self._target)
            left: Left = []
            match = self._match(found, chat, left)
            return self._record(found, chat, match, left, keep_id=keep_id), left
        except UnreadableSample as error:
            record, left = as_it_is(found)
            return record, [(error.code, str(error)), *left]
        except (TypeError, ValueError, RecursionError) as error:  # a json that cannot be written again
            record, left = as_it_is(found)
            return record, [("bad-json", f"{found}: its json cannot be written anew ({error})"), *left]

    def _match(self, found: FoundSample, chat: Chat, left: Left) -> Match | None:
        if self._sources is None or not chat.pictures:
            return None
        try:
            return self._sources.match(found.key, chat)
        except Undecided as error:
            if is_suspect(chat, self._metadata):
                left.append(("colours-untold", str(error)))
            return None

    def _record(self, found: FoundSample, chat: Chat, match: Match | None, left: Left, *, keep_id: bool) -> Record:
        mended = self._mended(chat, match)
        media = chat.media
        if match is not None:
            seconds = media if self._keep_seconds and not {"no-seconds", "bad-seconds"} & mended else match.media
            media = replace(match.media, audios=media.audios, second_per_grid_ts=seconds.second_per_grid_ts)
        elif "half-seconds" in mended:
            media = replace(media, second_per_grid_ts=[2 * seconds for seconds in media.second_per_grid_ts])
        unmended = [fault for fault in chat.faults if fault[0] not in mended]
        record = self._parts(found, media, unmended)
        text = self._text(chat, media, unmended)
        if keep_id and isinstance(text, dict):
            text.setdefault("id", found.key)
        record["json"] = dumps(text)
        self.mended.update({code: chat.re_encoded if code == "re-encoded" else 1 for code in mended})
        if match is None and is_suspect(chat, self._metadata):
            self.untold += 1
            self.re_encoded += chat.re_encoded
        self.seconds_as_found += bool(chat.media.videos) and match is None and "half-seconds" not in mended
        left += unmended
        return record

    def _mended(self, chat: Chat, match: Match | None) -> set[str]:
        """The codes of what will not be wrong any more."""
        faults = {code for code, _ in chat.faults}
        mended = faults & _OF_THE_LAYOUT
        if match is not None:
            mended |= faults & _OF_THE_SECONDS
            mended |= {"colours-swapped"} if match.colours == "swapped" else set()
            mended |= {"re-encoded"} if is_suspect(chat, self._metadata) else set()
            wrong = "" if self._keep_seconds else seconds_fault(chat, match.media.second_per_grid_ts)
            mended |= {wrong} - {""}
        elif chat.media.videos and self._holds_halves(chat) and not faults & _OF_THE_SECONDS:
            mended.add("half-seconds")
        return mended

    def _holds_halves(self, chat: Chat) -> bool:
        """Whether second_per_grid_ts is 1 / fps, and shall not be.

        Where an option asked for it, it stays, unless sources say of other samples what it should be.
        """
        asked = self._sources is not None and asked_for_halves(self._metadata)
        return (chat.by_original or asked) and not self._keep_seconds

    def _parts(self, found: FoundSample, media: Media, unmended: Left) -> Record:
        """The parts of the target, then those that no reader of ours knows."""
        target = self._target
        record: Record = {
            target.images_part: dump_images(list(media.images)),
            target.videos_part: dump_videos([list(video) for video in media.videos]),
        }
        others = {part: data for part, data in found.parts.items() if part not in KNOWN_PARTS}
        if target.audios_part:
            record[target.audios_part] = dump_images(list(media.audios))
        elif media.audios:
            others["mp3s"] = found.parts["mp3s"]
            unmended.append(("unread-part", f"{found}: mp3s; {target.name} has no place for it"))
        return {**record, **_named_safely(others)}

    def _text(self, chat: Chat, media: Media, unmended: Left) -> dict[str, Any] | list[Any]:
        """The json, with turns as the target has them; whatever else it holds stays."""
        turns = zip(turns_json(chat.sample, self._target), chat.text["conversations"], strict=True)
        conversations = [
            {**turn, **{key: value for key, value in before.items() if key not in TURN_KEYS}} for turn, before in turns
        ]
        if _OF_THE_SECONDS & {code for code, _ in unmended}:
            return conversations if chat.bare else {**chat.text, "conversations": conversations}
        seconds = {"second_per_grid_ts": list(media.second_per_grid_ts)}
        return {**chat.text, "conversations": conversations, **seconds}


def as_it_is(found: FoundSample) -> tuple[Record, Left]:
    """The record of a sample that is not touched, under part names that a shard may have."""
    record = _named_safely(found.parts)
    renamed = [(old, new) for old, new in zip(found.parts, record, strict=True) if old != new]
    left = [("odd-member", f"{found}: its part {old!r} is called {new!r} now") for old, new in renamed]
    return record, left


def group_names(found: FoundSample, chat: Chat | None) -> tuple[list[str], list[bytes]]:
    """What joins a sample to others (its media), and what gives it its place in the hashed order."""
    if chat is None:
        media: Iterable[Sequence[bytes]] = [[data] for part, data in found.parts.items() if part != "json"]
    else:
        media = [*([one] for one in (*chat.media.images, *chat.media.audios)), *chat.media.videos]
    return [_digest(pieces) for pieces in media], [found.parts.get("json", b""), found.key.encode("utf-8", "replace")]


def _digest(pieces: Sequence[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _named_safely(parts: dict[str, bytes]) -> Record:
    record: Record = {}
    for number, (part, data) in enumerate(parts.items()):
        pieces = [_FOREIGN.sub("_", piece) for piece in part.lower().split(".")]
        name = ".".join(piece for piece in pieces if piece)[:_LONGEST_PART].strip(".")
        record[name if name and not name.startswith("__") and name not in record else f"part{number}"] = data
    return record
