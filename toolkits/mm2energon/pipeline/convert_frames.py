"""Videos of a sample as images, its frames, and images as the video that they are frames of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mm2energon.errors import MediaError, SampleError
from mm2energon.formats.messages import MEDIA_OPTIONS
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.roots import inside_root, media_file, name_from
from mm2energon.sample import IMAGE_TAG, VIDEO_TAG, Sample, Turn, Video
from mm2energon.video.layout import find_frames, in_time_order
from mm2energon.video.places import is_own, load_sidecar
from mm2energon.video.sampling import middles, spread_evenly

#: Of frames that other tools made without saying their rate, as T2Vid's: images have none.
_ANY_FPS = 1.0


def as_images(sample: Sample, how: Reshaping) -> Sample:
    """Each video as frames of it, whose tags stand before the question in the place of the video's."""
    if sample.count_tags(VIDEO_TAG) != len(sample.videos) or sample.count_tags(IMAGE_TAG) != len(sample.images):
        raise SampleError(
            f"{sample.origin}: {sample.count_tags(VIDEO_TAG)} {VIDEO_TAG} tags for {len(sample.videos)} videos, "
            f"{sample.count_tags(IMAGE_TAG)} {IMAGE_TAG} tags for {len(sample.images)} images; as many were expected; "
            "mend the text",
            "tag-count",
        )
    videos, images = iter(sample.videos), iter(sample.images)
    turns, taken = [], []
    for turn in sample.turns:
        frames = [path for _ in range(turn.text.count(VIDEO_TAG)) for path in _frames(next(videos), how, sample.origin)]
        taken += [*frames, *(next(images) for _ in range(turn.text.count(IMAGE_TAG)))]
        turns.append(_with_tags(turn, [IMAGE_TAG] * len(frames)) if frames else turn)
    return replace(sample, turns=tuple(turns), images=tuple(taken), videos=())


def _with_tags(turn: Turn, tags: Sequence[str], *, instead_of: str = VIDEO_TAG) -> Turn:
    """A turn with tags before its text, each on a line of its own, in the place of those that stood in it."""
    text = turn.text.replace(instead_of, "").strip()
    extra = {key: value for key, value in (turn.extra or {}).items() if key != MEDIA_OPTIONS}  # said of what was there
    return replace(turn, text="".join(f"{tag}\n" for tag in tags) + text, extra=extra or None)


def _frames(video: Video, how: Reshaping, origin: str) -> list[str]:
    """The frames of a video that are taken."""
    if isinstance(video, tuple):
        paths = list(video)
    else:
        name = inside_root(how.root, video, origin=origin, further=how.further)
        try:
            found = find_frames(how.root / name, default_fps=_ANY_FPS)
        except MediaError as error:
            raise MediaError(f"{origin}: {error}", error.code) from error
        if found is None:
            media_file(how.root, name, origin=origin, further=how.further)
            raise MediaError(
                f"{origin}: {video!r} has no extracted frames; expected them for --frames; run mm2energon frames first",
                "no-frames",
            )
        paths = [name_from(how.root, path) for path in found.paths]
    choose = middles if how.frame_rule == "middle" else spread_evenly
    return [paths[place] for place in choose(len(paths), min(len(paths), how.frames or len(paths)))]


def joined(sample: Sample, how: Reshaping) -> Sample:
    """Images of a question that are frames, as the videos that they are of; a question with others stays as it is."""
    if sample.count_tags(IMAGE_TAG) != len(sample.images):
        return sample
    left = iter(sample.images)
    turns: list[Turn] = []
    images: list[str] = []
    videos: list[Video] = []
    for turn in sample.turns:
        named = [next(left) for _ in range(turn.text.count(IMAGE_TAG))]
        found = _videos_of(named, how, sample.origin) if turn.role == "user" else []
        videos += found
        images += [] if found else named
        turns.append(_with_tags(turn, [VIDEO_TAG] * len(found), instead_of=IMAGE_TAG) if found else turn)
    return replace(sample, turns=tuple(turns), images=tuple(images), videos=tuple(videos)) if videos else sample


def _videos_of(images: Sequence[str], how: Reshaping, origin: str) -> list[Video]:
    """The videos that images are the frames of, one after the other; none where one of them is no such frame."""
    videos: list[Video] = []
    frames_of: dict[Path, list[str]] = {}
    for stretch in _stretches(images):
        parent = stretch[0].rpartition("/")[0]
        folder = how.root / inside_root(how.root, parent or ".", origin=origin, further=how.further)
        video = source_of(folder, how) or (tuple(stretch) if len(stretch) > 1 else None)
        if video is None or frames_of.setdefault(folder, stretch) != stretch:
            return []
        videos.append(video)
    return videos


def _stretches(images: Sequence[str]) -> list[list[str]]:
    """Images in stretches of one folder and in time order."""
    stretches: list[list[str]] = []
    for image in images:
        if stretches and _follows(Path(stretches[-1][-1]), Path(image)):
            stretches[-1].append(image)
        else:
            stretches.append([image])
    return stretches


def _follows(before: Path, after: Path) -> bool:
    return before.parent == after.parent and before != after and in_time_order([after, before]) == [before, after]


def source_of(folder: Path, how: Reshaping) -> str | None:
    """The video of which a folder holds the frames; None when nothing says so."""
    sidecar = load_sidecar(folder.with_name(f"{folder.name}.json"))
    return name_from(how.root, folder.with_name(sidecar["source"])) if is_own(sidecar) else None
