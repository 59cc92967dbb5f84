"""Facets: what an entry is looked for by, found once when it is indexed."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.convert_media import with_endings
from mm2energon.review.csv_source import STATUS_WORDS, CsvSource
from mm2energon.review.model import PENDING
from mm2energon.review.sources import Found, Loaded, Source
from mm2energon.roots import media_file
from mm2energon.rules import Rules, check_text
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample
from mm2energon.video.places import VIDEO_SUFFIXES

#: Files that are remembered to be there, or not.
_REMEMBERED = 1 << 16
#: What is said of media that are not there.
MEDIA_CODES = frozenset({"missing-media", "outside-root", "media-url"})
_DIGEST_BYTES = 8
#: What casefolding makes of the two other letters i of Turkish.
_DOTTED_I, _DOTLESS_I = "i\u0307", "\u0131"
_MOST_CATEGORY_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Facets:
    """What an entry is looked for by. Digests are numbers of 64 bits; 0: there is nothing."""

    digest: int
    media: int
    question: int
    text: int
    category: str
    #: Before anybody decided here.
    status: str
    format: str
    warnings: tuple[str, ...]
    images: int
    videos: int
    audios: int
    turns: int
    question_words: int
    answer_words: int
    #: Folded, to be searched.
    searched: str


def category_of_value(value: Any) -> str:
    """The category that a value of an entry names; nothing where it names none."""
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
    return " ".join(text.split())[:_MOST_CATEGORY_CHARACTERS]


class Facetting:
    """Finds the facets of entries."""

    def __init__(self, source: Source, *, root: Path, rules: Rules, category_key: str) -> None:
        """
        Args:
            root: the folder of the media, resolved.
            rules: of the target whose warnings are wanted.
        """
        self._source, self._rules, self._category_key = source, rules, category_key
        self._root, self._media_there = root, MediaThere(root)
        self._has_files = source.kind != "shards"

    def of(self, found: Found) -> Facets:
        """The facets of an entry."""
        loaded = self._source.load(found)
        sample = loaded.sample
        category = self.category(found, sample)
        turns = () if sample is None else sample.turns
        folded = [fold(turn.text) for turn in turns]
        said = [(turn.role, without_tags(text)) for turn, text in zip(turns, folded, strict=True)]
        asked, answered = ([text for role, text in said if role == who] for who in ("user", "assistant"))
        digest = digest_of(self._source.content(found))
        return Facets(
            digest=digest,
            media=0 if sample is None else _media_digest(sample),
            question=_digest_of_text(asked[0]) if asked else 0,
            text=digest if sample is None else _digest_of_text("\0".join(f"{role}\1{text}" for role, text in said)),
            category=category,
            status=self._status(found),
            format=loaded.format,
            warnings=self._warnings(loaded),
            images=0 if sample is None else len(sample.images),
            videos=0 if sample is None else len(sample.videos),
            audios=0 if sample is None else len(sample.audios),
            turns=len(turns),
            question_words=sum(map(_words, asked)),
            answer_words=sum(map(_words, answered)),
            searched=self._searched(found, sample, category, folded),
        )

    def searched(self, found: Found, sample: Sample | None, category: str) -> str:
        """What people may look for: what is said, and its media, id, category and columns.

        Args:
            sample: as it is in its source, or as it was edited.
        """
        folded = [] if sample is None else [fold(turn.text) for turn in sample.turns]
        return self._searched(found, sample, category, folded)

    def _searched(self, found: Found, sample: Sample | None, category: str, folded: list[str]) -> str:
        if sample is None:
            value = found.entry.value
            return sought(fold(value if isinstance(value, str) else dumps(value).decode("utf-8", "replace")))
        videos = [video if isinstance(video, str) else "".join(video[:1]) for video in sample.videos]
        names = [str(name) for name in (sample.id, category) if name is not None]
        rest = [*sample.images, *videos, *sample.audios, *names, *self._further(found)]
        return sought(" ".join([*folded, fold(" ".join(rest))]))

    def _further(self, found: Found) -> list[str]:
        """What stands in columns other than those of question and answer, which an edit changes."""
        if not isinstance(self._source, CsvSource):
            return []
        said = {self._source.value(found.fields, what) for what in ("question", "answer")}
        return [value for value in found.fields.values() if value not in said]

    def missing_now(self, sample: Sample) -> tuple[str, ...]:
        """Why media of a sample cannot be used at this moment: reason codes."""
        return tuple(MediaThere(self._root).missing(sample)) if self._has_files else ()

    def category(self, found: Found, sample: Sample | None) -> str:
        """The category that an entry has of itself; nothing where it has none."""
        if isinstance(self._source, CsvSource):
            value: Any = self._source.value(found.fields, "category") or found.fields.get(self._category_key, "")
        else:
            value = _within(found.entry.value, self._category_key)
            if value is None and sample is not None:
                value = sample.extra.get(self._category_key)
        return category_of_value(value)

    def _status(self, found: Found) -> str:
        if not isinstance(self._source, CsvSource) or not found.fields:
            return PENDING
        return STATUS_WORDS.get(self._source.value(found.fields, "status").strip().casefold(), PENDING)

    def _warnings(self, loaded: Loaded) -> tuple[str, ...]:
        codes = [] if loaded.error is None else [loaded.error.code]
        if loaded.sample is not None:
            try:
                check_text(loaded.sample, self._rules)
            except SampleError as error:
                codes.append(error.code)
            if self._has_files:
                codes += self._media_there.missing(loaded.sample)
        return tuple(dict.fromkeys(codes))


def _within(value: Any, key: str) -> Any:
    """A value of an entry, or of the `extra` inside of it."""
    if not isinstance(value, Mapping):
        return None
    if key in value:
        return value[key]
    extra = value.get("extra")
    return extra.get(key) if isinstance(extra, Mapping) else None


class MediaThere:
    """Knows which media lie below a root, without opening them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, str] = {}

    def missing(self, sample: Sample) -> list[str]:
        """Why media of a sample cannot be used: reason codes, each once."""
        codes = [self.why_missing(path) for path in (*sample.images, *sample.audios)]
        for video in sample.videos:
            whole = isinstance(video, str)
            codes += [self.why_missing(path, is_video=whole) for path in ([video] if isinstance(video, str) else video)]
        return [code for code in dict.fromkeys(codes) if code]

    def why_missing(self, path: str, *, is_video: bool = False) -> str:
        """Why a medium cannot be used; empty when it is there, or, of a video, its frames are."""
        known = self._known.get(path)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[path] = self._why_missing(path, is_video=is_video)
        return known

    def _why_missing(self, path: str, *, is_video: bool) -> str:
        code = _quick_look(self._root, path)
        if code is None:
            try:
                media_file(self._root, path, origin="")
            except SampleError as error:
                code = error.code
        return "" if is_video and code == "missing-media" and self._is_elsewhere(path) else code or ""

    def _is_elsewhere(self, path: str) -> bool:
        """Whether there are the frames of a video, or a video of that name without its ending."""
        there = self._root / path
        try:
            if there.is_dir() or there.with_suffix("").is_dir():
                return True
            return there.suffix.lower() not in VIDEO_SUFFIXES and bool(with_endings(there))
        except (OSError, ValueError):
            return False


def _quick_look(root: Path, path: str) -> str | None:
    """As `media_file`, of a path that is plain: empty, or the reason code; None where a closer look is needed."""
    if path.startswith(("/", "~")) or ":" in path or ".." in path or not path.strip():
        return None
    try:
        is_file = stat.S_ISREG(os.lstat(os.path.join(root, path)).st_mode)  # noqa: PTH118 (there are many)
    except (FileNotFoundError, NotADirectoryError):
        return "missing-media"
    except (OSError, ValueError):
        return None
    return "" if is_file else None


def digest_of(data: bytes) -> int:
    """A number of 64 bits by which bytes are known."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest(), "big")


def fold(text: str) -> str:
    """A text as it is compared: any space is one space, and letters have no case."""
    is_spaced = text.isprintable() and "  " not in text  # most are; the only space that is printable is the plain one
    text = text.strip() if is_spaced else " ".join(text.split())
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


def sought(folded: str) -> str:
    """A folded text as it is searched: letters of any width and form are the same, and an i whatever its dots."""
    if folded.isascii():
        return folded
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    return plain.replace(_DOTTED_I, "i").replace(_DOTLESS_I, "i")


def without_tags(text: str) -> str:
    """A folded text without the tags of media."""
    if "<" not in text:
        return text
    for tag in (IMAGE_TAG, VIDEO_TAG, AUDIO_TAG):
        text = text.replace(tag, "")
    return " ".join(text.split())


def _words(folded: str) -> int:
    return folded.count(" ") + 1 if folded else 0


def _digest_of_text(text: str) -> int:
    return digest_of(text.encode("utf-8", "surrogatepass"))


def _media_digest(sample: Sample) -> int:
    media = (sample.images, sample.videos, sample.audios)
    return _digest_of_text(repr(media)) if any(media) else 0
