"""What a Qwen-VL model takes: pictures as patches, conversations as tokens with labels on the answers alone.

It does what the processors of Hugging Face transformers do, which need torchvision, on numpy arrays. Other than those
it takes the true times of frames. ChatML and the tokens of media: chat_template.json of the released checkpoints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mm2energon.errors import SampleError
from mm2energon.sample import IMAGE_TAG, VIDEO_TAG, Turn
from mm2energon.videochat.qwen_vision import QwenVision

#: Uint8, height x width x 3, RGB.
Pixels = NDArray[np.uint8]
#: Time, height and width in patches.
Grid = tuple[int, int, int]
#: The label of a token that is not trained.
IGNORED = -100
#: Values of mm_token_type_ids: text is 0.
_IMAGE_TYPE, _VIDEO_TYPE = 1, 2
_START, _END = "<|vision_start|>", "<|vision_end|>"
_IMAGE_PAD, _VIDEO_PAD = "<|image_pad|>", "<|video_pad|>"
#: What a text may not say, as the tokenizer would take it for a command.
_RESERVED = re.compile(r"<\|(?:im_start|im_end|endoftext|vision_start|vision_end|vision_pad|image_pad|video_pad)\|>")
#: What Qwen3-VL-Thinking says before its answer (its chat_template.json).
_THOUGHTS, _THOUGHTS_END = "<think>", "</think>"
_TAGS = re.compile(f"{IMAGE_TAG}|{VIDEO_TAG}")
#: The system turn of a conversation that has none, as the families were trained.
_SYSTEM = {"qwen2_vl": "You are a helpful assistant.", "qwen2_5_vl": "You are a helpful assistant."}
#: Seconds between two patches of frames of which nothing is known: transformers' two frames a second.
_USUAL_SECONDS = 1.0


@dataclass(frozen=True)
class Film:
    """The frames of one video, all of one size, and when each is shown, in seconds from the start."""

    frames: Sequence[Pixels]
    times: Sequence[float]
    #: They have the size at which the model sees them (`QwenVision.frame_size`): a second time might change it.
    is_sized: bool = False


@dataclass(frozen=True)
class Patches:
    """A picture or video as the model takes it: float32, patches x (3 * frames * patch * patch)."""

    values: NDArray[np.float32]
    grid: Grid


@dataclass(frozen=True)
class Encoded:
    """One conversation; one entry of the lists per image or video, in the order of the tags."""

    input_ids: list[int]
    #: As long; `IGNORED` for what is not trained.
    labels: list[int]
    images: tuple[Patches, ...]
    videos: tuple[Patches, ...]
    #: Seconds from one patch of frames to the next, of each video.
    second_per_grid_ts: tuple[float, ...]


def patch_image(pixels: Pixels, vision: QwenVision) -> Patches:
    """An image, resized, normalised and cut.

    Raises:
        SampleError: `image-too-small`, `image-aspect`.
    """
    height, width = pixels.shape[:2]
    return _cut([pixels] * vision.frames_per_patch, vision.image_size(width, height), vision)


def patch_frames(frames: Sequence[Pixels], vision: QwenVision, *, is_sized: bool = False) -> Patches:
    """The frames of a video, resized, normalised and cut; where they do not fill a patch, the last is repeated.

    Args:
        is_sized: they are not to be resized.

    Raises:
        SampleError: `no-frames`, `frame-sizes`, and as above.
    """
    if not len(frames):
        raise SampleError("video of 0 frames; expected at least one; replace it", "no-frames")
    height, width = frames[0].shape[:2]
    if any(frame.shape[:2] != (height, width) for frame in frames):
        raise SampleError("the frames of a video differ in size; expected one size; extract them again", "frame-sizes")
    size = (width, height) if is_sized else vision.frame_size(width, height, frames=len(frames))
    filled = [*frames, *[frames[-1]] * (-len(frames) % vision.frames_per_patch)]
    return _cut(filled, size, vision)


def _cut(frames: Sequence[Pixels], size: tuple[int, int], vision: QwenVision) -> Patches:
    """Patches in the order of the merged tokens."""
    patch, merge, span = vision.patch, vision.merge, vision.frames_per_patch
    (width, height), time = size, len(frames) // span
    rows, columns = height // patch, width // patch
    values = np.empty((time, rows * columns, 3 * span * patch * patch), dtype=np.float32)
    for number in range(time):  # one at a time: the floats of a whole video would be there twice
        pair = np.stack([_normalized(frame, size, vision) for frame in frames[number * span : (number + 1) * span]])
        cells = pair.reshape(span, 3, rows // merge, merge, patch, columns // merge, merge, patch)
        # Patches that will be merged into one token lie together; within a patch: channel, frame, y, x.
        values[number] = cells.transpose(2, 5, 3, 6, 1, 0, 4, 7).reshape(rows * columns, -1)
    return Patches(values.reshape(time * rows * columns, -1), (time, rows, columns))


def _normalized(frame: Pixels, size: tuple[int, int], vision: QwenVision) -> NDArray[np.float32]:
    """One frame at its new size: float32, channels x height x width, of about unit variance."""
    if (frame.shape[1], frame.shape[0]) != size:
        frame = np.asarray(Image.fromarray(np.ascontiguousarray(frame)).resize(size, Image.Resampling.BICUBIC))
    mean, std = (np.asarray(values, dtype=np.float32) for values in (vision.mean, vision.std))
    scaled: NDArray[np.float32] = ((frame.astype(np.float32) / np.float32(255) - mean) / std).transpose(2, 0, 1)
    return scaled


def patch_times(times: Sequence[float], span: int) -> list[float]:
    """The time of each patch of frames: the middle between its first and its last frame."""
    last = len(times) - 1
    return [(times[at] + times[min(at + span - 1, last)]) / 2 for at in range(0, len(times), span)]


def seconds_per_patch(times: Sequence[float], span: int) -> float:
    """Seconds from one patch of frames to the next, on average: what Qwen2.5-VL calls `second_per_grid_ts`."""
    if len(times) < 2 or times[-1] <= times[0]:
        return _USUAL_SECONDS
    return span * (times[-1] - times[0]) / (len(times) - 1)


def encode_chat(
    turns: Sequence[Turn],
    *,
    images: Sequence[Pixels] = (),
    videos: Sequence[Film] = (),
    tokenizer: Any,
    vision: QwenVision,
    for_answer: bool = False,
    begin: str = "",
    origin: str = "conversation",
) -> Encoded:
    """A conversation as tokens: ChatML, each `<image>` and `<video>` tag replaced by the tokens of its medium.

    Args:
        tokenizer: of transformers, with the control tokens of Qwen-VL.
        for_answer: it ends with a user's turn, and the model is to go on.
        begin: what every reply begins with, by the checkpoint's chat template; it is given, not learnt.
        origin: for messages.

    Raises:
        SampleError: `tag-count`, `reserved-text`; and as `patch_image`, `patch_frames`.
    """
    patched = {
        IMAGE_TAG: [patch_image(pixels, vision) for pixels in images],
        VIDEO_TAG: [patch_frames(film.frames, vision, is_sized=film.is_sized) for film in videos],
    }
    _check_tags(turns, {tag: len(found) for tag, found in patched.items()}, origin)
    shown = {
        IMAGE_TAG: iter([_image_text(one.grid, vision) for one in patched[IMAGE_TAG]]),
        VIDEO_TAG: iter(
            [_video_text(one.grid, film, vision) for one, film in zip(patched[VIDEO_TAG], videos, strict=True)]
        ),
    }
    input_ids: list[int] = []
    labels: list[int] = []
    for text, is_trained in _pieces(turns, vision, for_answer=for_answer, begin=begin):
        ids = tokenizer(_TAGS.sub(lambda tag: next(shown[tag[0]]), text), add_special_tokens=False)["input_ids"]
        input_ids += ids
        labels += ids if is_trained else [IGNORED] * len(ids)
    seconds = tuple(seconds_per_patch(film.times, vision.frames_per_patch) for film in videos)
    return Encoded(input_ids, labels, tuple(patched[IMAGE_TAG]), tuple(patched[VIDEO_TAG]), seconds)


def _check_tags(turns: Sequence[Turn], media: dict[str, int], origin: str) -> None:
    for tag, count in media.items():
        if (tags := sum(turn.text.count(tag) for turn in turns)) != count:
            raise SampleError(
                f"{origin}: {tags} {tag} tags, {count} media of the kind; as many of each were expected", "tag-count"
            )
    for turn in turns:
        if found := _RESERVED.search(turn.text):
            raise SampleError(
                f"{origin}: the text holds {found[0]}; text without control tokens of the chat template was expected; "
                "take it out",
                "reserved-text",
            )


def _pieces(turns: Sequence[Turn], vision: QwenVision, *, for_answer: bool, begin: str) -> Iterator[tuple[str, bool]]:
    """The text of a conversation in ChatML, and whether it is trained: the assistant's words and what ends them."""
    system = _SYSTEM.get(vision.family)
    if system is not None and (not turns or turns[0].role != "system"):
        turns = [Turn("system", system), *turns]
    for turn in turns:
        is_answer = turn.role == "assistant"
        yield f"<|im_start|>{turn.role}\n{begin if is_answer else ''}", False
        yield f"{_behind(begin, turn.text) if is_answer else turn.text}<|im_end|>", is_answer
        yield "\n", False
    if for_answer:
        yield f"<|im_start|>assistant\n{begin}", False


def _behind(begin: str, answer: str) -> str:
    """What of an answer stands behind what every reply begins with; one that lacks thoughts has empty ones."""
    mark = begin.strip()
    if mark and answer.lstrip().startswith(mark):
        return answer.lstrip().removeprefix(mark).lstrip("\n")
    is_open = begin.count(_THOUGHTS) > begin.count(_THOUGHTS_END)
    return f"\n{_THOUGHTS_END}\n\n{answer}" if is_open else answer


def _image_text(grid: Grid, vision: QwenVision) -> str:
    return f"{_START}{_IMAGE_PAD * (grid[1] * grid[2] // vision.merge**2)}{_END}"


def _video_text(grid: Grid, film: Film, vision: QwenVision) -> str:
    """The tokens of a video; Qwen3-VL has each patch of frames by itself, behind its time."""
    tokens = grid[1] * grid[2] // vision.merge**2
    if not vision.writes_times:
        return f"{_START}{_VIDEO_PAD * (grid[0] * tokens)}{_END}"
    times = patch_times(film.times, vision.frames_per_patch)
    return "".join(f"<{seconds:.1f} seconds>{_START}{_VIDEO_PAD * tokens}{_END}" for seconds in times)


def batch(encoded: Sequence[Encoded], *, vision: QwenVision, pad_id: int) -> dict[str, Any]:
    """The keyword arguments of the model's `forward`: torch tensors, padded on the right; absent media are left out.

    input_ids, attention_mask, labels, mm_token_type_ids: int64, conversations x tokens; pixel_values(_videos): float32;
    image_grid_thw, video_grid_thw: int64, media x 3; second_per_grid_ts: float32 (Qwen2.5-VL).
    """
    import torch

    def pad(rows: Sequence[Sequence[int]], value: int) -> Any:
        tensors = [torch.tensor(row, dtype=torch.int64) for row in rows]
        return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)

    input_ids = pad([one.input_ids for one in encoded], pad_id)
    mask = pad([[1] * len(one.input_ids) for one in encoded], 0)
    types = torch.zeros_like(input_ids)
    types[input_ids == vision.image_token_id] = _IMAGE_TYPE
    types[input_ids == vision.video_token_id] = _VIDEO_TYPE
    inputs = {
        "input_ids": input_ids,
        "attention_mask": mask,
        "labels": pad([one.labels for one in encoded], IGNORED),
        "mm_token_type_ids": types * mask,  # a pad token may be any
    }
    seconds = [value for one in encoded for value in one.second_per_grid_ts]
    if vision.family == "qwen2_5_vl" and seconds:
        inputs["second_per_grid_ts"] = torch.tensor(seconds, dtype=torch.float32)
    images = [one for each in encoded for one in each.images]
    videos = [one for each in encoded for one in each.videos]
    for patches, values, grids in ((images, "pixel_values", "image"), (videos, "pixel_values_videos", "video")):
        if patches:
            inputs[values] = torch.from_numpy(np.concatenate([one.values for one in patches]))
            inputs[f"{grids}_grid_thw"] = torch.tensor([one.grid for one in patches], dtype=torch.int64)
    return inputs
