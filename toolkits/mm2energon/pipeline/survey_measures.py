"""The MEASURES table: what a survey measures, and what it is called on the page, in the terminal and in the JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mm2energon.pipeline.survey_sample import SampleSeen

#: Lengths of a context, in tokens, that a sample may exceed.
LIMITS = (4096, 8192, 16384, 32768)


@dataclass(frozen=True)
class Measure:
    """One row."""

    #: The part of the page that it belongs to.
    part: str
    title: str
    #: What the values are, and their unit where it stands behind each.
    across: str
    counted: str
    unit: str = ""
    #: What is to be known of it.
    remark: str = ""

    @property
    def one(self) -> str:
        """The noun of what is counted, of one."""
        noun, _, more = self.counted.partition(" with ")
        return f"{noun[:-1]} with {more}" if more else self.counted[:-1]


_FRAMES_REMARK = "Of the first, the middle and the last frame of each video."
_RATE_REMARK = "By the second_per_grid_ts of the records."

#: Name -> row, in the order of the page.
MEASURES: dict[str, Measure] = {
    "tokens": Measure("tokens", "Tokens of a sample", "tokens, visual and text", "samples"),
    "visual_tokens": Measure("tokens", "Visual tokens of a sample", "visual tokens", "samples with media"),
    "turns": Measure("text", "Turns of a conversation", "turns", "samples"),
    "question_words": Measure("text", "Words of a question", "words", "user turns"),
    "answer_words": Measure("text", "Words of an answer", "words", "assistant turns"),
    "images": Measure("images", "Images of a sample", "images", "samples with images"),
    "image_pixels": Measure("images", "Pixels of an image", "pixels", "images"),
    "image_aspect": Measure("images", "Aspect ratio of an image", "width / height", "images"),
    "image_bytes": Measure("images", "Bytes of an image", "size of the file", "images", "B"),
    "video_frames": Measure("videos", "Frames of a video", "extracted frames", "videos"),
    "video_seconds": Measure(
        "videos", "Duration of a video", "extracted frames / frames a second", "videos", "s", _RATE_REMARK
    ),
    "video_fps": Measure("videos", "Frames a second", "extracted frames a second", "videos", remark=_RATE_REMARK),
    "frame_pixels": Measure("videos", "Pixels of a frame", "pixels", "frames", remark=_FRAMES_REMARK),
    "frame_bytes": Measure("videos", "Bytes of a frame", "size of the file", "frames", "B", _FRAMES_REMARK),
    "audios": Measure("audio", "Audio files of a sample", "audio files", "samples with audio"),
    "audio_bytes": Measure("audio", "Bytes of an audio file", "size of the file", "audio files", "B"),
    "sample_bytes": Measure("shards", "Bytes of a sample", "size in the shard", "samples", "B"),
    "shard_bytes": Measure("shards", "Bytes of a shard", "size of the tar", "shards", "B"),
}


def measured(seen: SampleSeen) -> Iterator[tuple[str, Iterable[float]]]:
    """(name of a measure, values of it) of one sample."""
    yield "turns", [seen.turns]
    yield "question_words", seen.questions
    yield "answer_words", seen.answers
    yield "sample_bytes", [seen.size_bytes]
    if seen.image_count:
        yield "images", [seen.image_count]
    yield "image_pixels", [one.width * one.height for one in seen.images]
    yield "image_aspect", [one.width / one.height for one in seen.images]
    yield "image_bytes", [one.file_bytes for one in seen.images]
    yield "video_frames", [video.frames for video in seen.videos]
    if seen.audios:
        yield "audios", [len(seen.audios)]
    yield "audio_bytes", [size for _, size in seen.audios]
    rates = [(video.frames, video.fps) for video in seen.videos if video.fps is not None]
    yield "video_seconds", [frames / fps for frames, fps in rates]
    yield "video_fps", [round(fps, 3) for _, fps in rates]
    frames = [frame for video in seen.videos for frame in video.looked]
    yield "frame_pixels", [frame.width * frame.height for frame in frames]
    yield "frame_bytes", [frame.file_bytes for frame in frames]
    if seen.visual_tokens is None:
        return
    if seen.text_tokens is not None:
        yield "tokens", [seen.visual_tokens + seen.text_tokens]
    if seen.image_count or seen.video_count:
        yield "visual_tokens", [seen.visual_tokens]
