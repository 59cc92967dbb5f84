"""Kept: an answer of a model becomes a sample of the dataset, with its video below the root."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from mm2energon.roots import name_from
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample, Turn
from mm2energon.storage import write_whole
from mm2energon.studio.answers import Refused
from mm2energon.studio.state import State
from mm2energon.studio.trying import Trying
from mm2energon.videochat.video_cache import CachedVideo

#: Below the root: videos that came from outside, of answers that were kept.
FOLDER = "kept_videos"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_STEM = 60


def keep_answer(state: State, trying: Trying, entry: dict[str, Any], adapter: str | None) -> int | None:
    """Keep an answer, once; the number of its sample, or None while those of the source are still counted.

    Args:
        entry: the question, as the desk tells it.

    Raises:
        Refused: there is no such answer, or its video is gone, or the root cannot be written to.
    """
    answer = next((one for one in entry["answers"] if one.get("adapter") == adapter), None)
    if answer is None or not str(answer.get("text") or "").strip():
        raise Refused(409, "there is no answer to be kept; wait until it is there", "no-answer")
    with trying.keeping:
        key = (str(entry["id"]), adapter)
        if key not in trying.kept:
            before = _kept_before(state, key)
            trying.kept[key] = _kept(state, trying, entry, adapter, str(answer["text"])) if before is None else before
        return trying.kept[key]


def _kept_before(state: State, key: tuple[str, str | None]) -> int | None:
    """The number of the sample that an answer became before this studio was started; they stand at the end."""
    review = state.review
    for number in range(review.count - 1, -1, -1):
        item = review.item(number)
        if not item.origin.startswith(f"{review.kept_path.name}:"):
            break
        try:
            about = item.entry["extra"]["answered_by"]
            if (about["ask"], about["adapter"]) == key:
                return number
        except (KeyError, TypeError):  # somebody else wrote it
            continue
    return None


def _kept(state: State, trying: Trying, entry: dict[str, Any], adapter: str | None, answer: str) -> int | None:
    try:
        path = _video_of(state, trying, entry)
        turns = (Turn("user", f"{VIDEO_TAG}\n{_plain(entry['question'])}"), Turn("assistant", _plain(answer)))
        return state.review.keep(Sample(turns, videos=(path,)), _about(entry, adapter))
    except OSError as error:
        raise Refused(409, f"{error.filename or state.root}: cannot be written ({error.strerror})", "disk") from error


def _about(entry: dict[str, Any], adapter: str | None) -> dict[str, Any]:
    """Where the answer came from, so that it can be found out when it is doubted."""
    kept = {"model": entry["model"], "backend": entry["backend"], "adapter": adapter, "asked_at": entry["at"]}
    return {"answered_by": {**kept, "ask": entry["id"], "parameters": entry["parameters"]}}


def _video_of(state: State, trying: Trying, entry: dict[str, Any]) -> str:
    """The video's path as annotations have it: that of the dataset, or a copy below the root."""
    key = Path(str(entry.get("video_path", ""))).stem
    video = trying.video(key)
    if video.source:
        source = Path(video.source).resolve()
        if source.is_file() and any(map(source.is_relative_to, [state.root, *state.settings.further])):
            return name_from(state.root, source)
    with trying.intake.cache.use(video.key) as used:
        return _copied(used, state.root)


def _copied(video: CachedVideo, root: Path) -> str:
    stem = _UNSAFE.sub("-", Path(video.name).stem).strip("-")[:_LONGEST_STEM] or "video"
    name = f"{FOLDER}/{stem}-{video.key[:12]}.mp4"
    target = root / name
    if not (target.is_file() and target.stat().st_size == video.bytes):
        with write_whole(target) as file, video.path.open("rb") as source:
            shutil.copyfileobj(source, file, 1 << 20)
    return name


def _plain(text: str) -> str:
    """A text in which nothing stands for a medium but our own tag."""
    for tag in (IMAGE_TAG, VIDEO_TAG, AUDIO_TAG):
        text = text.replace(tag, tag.strip("<>"))
    return text
