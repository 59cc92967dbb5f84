"""One shard of a survey: what is said and shown in the samples that are read of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, SampleError
from mm2energon.pipeline.prepare import visual_tokens
from mm2energon.pipeline.record_content import Content, digest, read_content
from mm2energon.pipeline.stored_shards import InStore, Pieces, shard_brought
from mm2energon.pipeline.survey_cards import Card, card_of
from mm2energon.pipeline.survey_pictures import Looked, look_at_picture
from mm2energon.pipeline.survey_read import read_places
from mm2energon.rules import Facts, VideoFacts, check
from mm2energon.targets import TARGETS, Target
from mm2energon.terminal import known
from mm2energon.tokens import MODELS, load_tokenizer, text_tokens

#: A word: letters and digits in a row, or one character of a script that is written without spaces.
_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    "|[^\\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+(?:['’-][^\\W_]+)*"
)
_TAG = re.compile("<(?:image|video|audio)>")
#: Punctuation at the end of a text that makes no other of it.
_ENDS = " .?!:;…。？！：；؟؛।"
#: Letters of a text by which it is counted.
_COUNTED_LETTERS = 300
#: Keys of an entry that name where it came from.
_SOURCE_KEYS = ("source", "data_source", "dataset", "dataset_name")
#: A character that stands where a text could not be decoded.
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class SurveyLook:
    """What is to be looked at of a shard: a unit of work."""

    root: Path
    name: str
    split: str
    #: Samples that the shard has, and the places of those that are read.
    count: int
    places: Sequence[int]
    #: Those of them that are shown.
    shown: frozenset[int]
    layout: str
    target: str
    model: str
    #: Folder or file of the model's tokenizer; None: tokens of text are estimated.
    tokenizer: Path | None = None
    #: `second_per_grid_ts` times the frames a second.
    frames_of_grid: float = 2.0
    #: Odd numbers of frames are no fault.
    takes_odd: bool = False
    #: Where the shard lies, if that is no folder that `root` could be.
    in_store: InStore | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class VideoSeen:
    """What is known of a video."""

    frames: int
    #: Frames a second of those that were extracted; None when the record does not say.
    fps: float | None
    #: The first frame, the one in the middle, and the last.
    looked: tuple[Looked, ...]
    #: Of all its frames.
    digest: bytes


@dataclass(slots=True)
class SampleSeen:
    """What is known of a sample."""

    place: int
    key: str = ""
    size_bytes: int = 0
    turns: int = 0
    #: Words of each turn of a kind.
    questions: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    #: The first question and the first answer, normalised.
    asked: str = ""
    answered: str = ""
    #: Of all that is said and shown; of samples that are the same it is the same.
    digest: bytes = b""
    images: list[Looked] = field(default_factory=list)
    #: Which of the sample's images these are; one that cannot be decoded is none of them.
    image_numbers: list[int] = field(default_factory=list)
    videos: list[VideoSeen] = field(default_factory=list)
    #: How many there are, those that cannot be decoded included.
    image_count: int = 0
    video_count: int = 0
    #: (digest, bytes) of each audio file.
    audios: list[tuple[bytes, int]] = field(default_factory=list)
    #: None: there is a picture that cannot be measured.
    visual_tokens: int | None = None
    #: None: its text cannot be counted.
    text_tokens: int | None = None
    source: str = ""
    #: (reason code, what) of what is wrong.
    faults: list[tuple[str, str]] = field(default_factory=list)
    is_read: bool = True
    card: Card | None = None


def survey_shard(look: SurveyLook) -> list[SampleSeen]:
    """What is known of the samples that are read of a shard; of one that breaks off, of those before."""
    found = []
    with shard_brought(look.in_store, look.root, look.name) as (root, pieces):
        try:
            for seen in _samples(look, root / look.name, pieces):
                found.append(seen)
        except InputError as error:
            place = look.places[len(found)] if len(found) < len(look.places) else look.count
            found.append(SampleSeen(place, is_read=False, faults=[("bad-part", known(str(error)))]))
    return found


def _samples(look: SurveyLook, path: Path, pieces: Pieces | None) -> Iterator[SampleSeen]:
    layout = TARGETS[look.layout]
    template, tokenizer = MODELS[look.model].template, load_tokenizer(look.tokenizer) if look.tokenizer else None
    for place, key, record, size in read_places(path, look.places, count=look.count, pieces=pieces):
        seen = SampleSeen(place, key, size)
        try:
            if isinstance(record, SampleError):
                raise record
            content = read_content(record, layout)
        except SampleError as error:
            seen.is_read = False
            seen.faults.append((error.code, str(error)))
        else:
            _look_at(content, look, seen)
            try:
                seen.text_tokens = text_tokens(content.turns, template, tokenizer)
            except SampleError as error:
                seen.faults.append((error.code, str(error)))
            if place in look.shown:
                seen.card = card_of(content)
        yield seen


def _look_at(content: Content, look: SurveyLook, seen: SampleSeen) -> None:
    _look_at_text(content, seen)
    seen.image_count, seen.video_count = len(content.images), len(content.videos)
    seen.audios = [(digest([audio]), len(audio)) for audio in content.audios]
    for number, data in enumerate(content.images):
        found = _looked(data, f"image {number}", seen)
        seen.images += found
        seen.image_numbers += [number] * len(found)
    seconds = content.text.get("second_per_grid_ts")
    for number, frames in enumerate(content.videos):
        some = {0, len(frames) // 2, len(frames) - 1} if frames else set()
        looked = [one for at in sorted(some) for one in _looked(frames[at], f"video {number}, frame {at + 1}", seen)]
        grid = seconds[number] if isinstance(seconds, list) and number < len(seconds) else None
        seen.videos.append(VideoSeen(len(frames), _fps(grid, look), tuple(looked), digest(frames)))
    media = [one.digest for one in seen.images] + [one.digest for one in seen.videos]
    said = [turn.role + "\0" + normalised(turn.text) for turn in content.turns]
    seen.digest = digest([*media, *(one.encode("utf-8", "surrogatepass") for one in said), *content.audios])
    if all(code != "unreadable-image" for code, _ in seen.faults):
        _measure(content, look, seen)


def _look_at_text(content: Content, seen: SampleSeen) -> None:
    seen.turns = len(content.turns)
    for turn in content.turns:
        words = len(_WORD.findall(_TAG.sub(" ", turn.text)))
        if turn.role == "user":
            seen.questions.append(words)
            seen.asked = seen.asked or normalised(turn.text)[:_COUNTED_LETTERS]
        elif turn.role == "assistant":
            seen.answers.append(words)
            seen.answered = seen.answered or normalised(turn.text)[:_COUNTED_LETTERS]
    if any(_REPLACEMENT in turn.text for turn in content.turns):
        seen.faults.append(("replaced-characters", "its text holds U+FFFD"))
    seen.source = _source(content.text)


def normalised(text: str) -> str:
    """A text without its tags, in small letters, with one space between words and no punctuation at its end."""
    return " ".join(_TAG.sub(" ", text).casefold().split()).rstrip(_ENDS)


def _source(text: Mapping[str, Any]) -> str:
    extra = text.get("extra")
    found = [extra.get(name) for name in _SOURCE_KEYS] if isinstance(extra, dict) else []
    return next((name[:_COUNTED_LETTERS] for name in found if isinstance(name, str) and name), "")


def _looked(data: bytes, place: str, seen: SampleSeen) -> list[Looked]:
    try:
        return [look_at_picture(data)]
    except ValueError as error:
        seen.faults.append(("unreadable-image", f"{place}: cannot be decoded ({error})"))
        return []


def _fps(grid: Any, look: SurveyLook) -> float | None:
    if isinstance(grid, bool) or not isinstance(grid, int | float) or not 1e-6 < grid < 1e6:
        return None
    return look.frames_of_grid / grid


def _measure(content: Content, look: SurveyLook, seen: SampleSeen) -> None:
    """Tokens, and what the reader would drop."""
    target = TARGETS[look.target]
    pictures = tuple((one.width, one.height) for one in seen.images)
    videos = tuple(_video_facts(video) for video in seen.videos)
    try:
        seen.visual_tokens = _visual_tokens(seen, look.model)
    except SampleError as error:
        seen.faults.append((error.code, f"{look.model}: {error}"))
    if target.cuts_odd_frame and not look.takes_odd and any(video.frames % 2 for video in videos):
        seen.faults.append(("odd-frames", "a video has an odd number of frames; the reader cuts the last"))
    sample = content.sample(origin="its text")
    try:
        check(sample, Facts(pictures, videos, _tokens_of(target, pictures, videos)), target.rules)
    except SampleError as error:
        seen.faults.append((error.code, str(error)))


def _visual_tokens(seen: SampleSeen, model: str) -> int:
    """What the pictures of a sample cost a model.

    Raises:
        SampleError: it takes no picture of that shape.
    """
    vision = MODELS[model].vision
    tokens = sum(vision.image_tokens(one.width, one.height, number=place) for place, one in enumerate(seen.images))
    for video in seen.videos:
        facts = _video_facts(video)
        tokens += vision.video_tokens(facts.frames, facts.width, facts.height, fps=video.fps or 2.0)
    return tokens


def _tokens_of(target: Target, pictures: tuple[tuple[int, int], ...], videos: tuple[VideoFacts, ...]) -> int:
    return visual_tokens(pictures, videos) if target.rules.max_visual_tokens else 0


def _video_facts(video: VideoSeen) -> VideoFacts:
    sizes = {(one.width, one.height) for one in video.looked}
    first = video.looked[0] if video.looked else None
    return VideoFacts(video.frames, *((first.width, first.height) if first else (0, 0)), same_sizes=len(sizes) <= 1)
