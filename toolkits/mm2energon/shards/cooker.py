"""Cooks a sample of a `crude` dataset into messages, pictures and sounds, inside Energon's own pipeline.

A record of the `crude` target is one `json` and one member per medium; the json names the members:

    {"messages": [{"role": "user", "content": "<image><video>What?"}, ...], "id": "a1", "images": ["image0.jpg"],
     "videos": [["video0.000001.jpg", "video0.000002.jpg"]], "audios": ["audio0.mp3"], "second_per_grid_ts": [1.0]}

A training-side encoder needs one line to use it:

    class ChatTaskEncoder(DefaultTaskEncoder):
        cookers = [Cooker(cook_chat)]

        @stateless
        def encode_sample(self, sample: ChatSample) -> ...:
            ...  # sample.messages, sample.images, sample.videos

    dataset = get_train_dataset(
        root, worker_config=WorkerConfig.default_worker_config(), batch_size=1, shuffle_buffer_size=100,
        max_samples_per_sequence=100, task_encoder=ChatTaskEncoder(),
    )
    for batch in get_loader(dataset): ...
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from mm2energon.errors import MediaError, SampleError, missing_extra

try:
    import numpy
    import torch
    from megatron.energon import Sample, basic_sample_keys, stateless
    from megatron.energon.edataclass import edataclass
except ModuleNotFoundError as error:
    raise missing_extra("megatron-energon", "energon") from error

from PIL import Image


@edataclass
class ChatSample(Sample):  # type: ignore[misc]
    """One conversation with its media, as the shards hold it."""

    #: `{"role": "user" | "assistant" | "system", "content": text with <image>, <video>, <audio>}`.
    messages: list[dict[str, str]]
    #: float32 in 0..1, channels x height x width, RGB; in the order of the tags.
    images: list[torch.Tensor]
    #: The frames of each video, in time order, like the images.
    videos: list[list[torch.Tensor]]
    #: Encoded sound files.
    audios: list[bytes]
    #: Of each video: seconds between the two-frame grids that the model sees.
    second_per_grid_ts: list[float]


@stateless  # type: ignore[untyped-decorator]
def cook_chat(sample: dict[str, Any]) -> ChatSample:
    """The conversation in a crude sample; its parts may be decoded by Energon, or the bytes of the shard.

    Raises:
        SampleError: `bad-part`, when the json is not of the layout above or names a part that is not there.
        MediaError: `unreadable-image`.
    """
    chat = _json_part(sample)
    try:
        return ChatSample(
            **basic_sample_keys(sample),
            messages=chat["messages"],
            images=[_picture(sample, part) for part in chat.get("images", ())],
            videos=[[_picture(sample, part) for part in frames] for frames in chat.get("videos", ())],
            audios=[_sound(sample, part) for part in chat.get("audios", ())],
            second_per_grid_ts=[float(seconds) for seconds in chat.get("second_per_grid_ts", ())],
        )
    except (KeyError, TypeError) as error:
        raise SampleError(
            f"{sample['__key__']}: {type(error).__name__} {error} in its parts; a json that names the parts beside it "
            "was expected; write the dataset again with the target `crude`",
            "bad-part",
        ) from error


def decode_image(data: bytes, *, origin: str) -> torch.Tensor:
    """A picture as Energon's own decoder gives it: float32 in 0..1, channels x height x width, RGB.

    Args:
        data: the bytes of a picture file; the kind is told from the content.
        origin: where it was found, for the message.

    Raises:
        MediaError: `unreadable-image`.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            pixels = numpy.asarray(picture.convert("RGB"), dtype=numpy.float32) / 255.0
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MediaError(f"{origin}: the picture cannot be decoded ({error})", "unreadable-image") from error
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _json_part(sample: Mapping[str, Any]) -> dict[str, Any]:
    part = sample.get("json")
    try:
        chat = json.loads(part) if isinstance(part, bytes) else part
    except ValueError as error:
        raise SampleError(f"{sample['__key__']}.json: not valid JSON ({error})", "bad-part") from error
    if not isinstance(chat, dict):
        raise SampleError(f"{sample['__key__']}.json: {type(chat).__name__}; an object was expected", "bad-part")
    return chat


def _picture(sample: Mapping[str, Any], part: str) -> torch.Tensor:
    value = sample[part]
    return decode_image(value, origin=f"{sample['__key__']}.{part}") if isinstance(value, bytes) else value


def _sound(sample: Mapping[str, Any], part: str) -> bytes:
    """The bytes of a sound file, out of Energon's lazy decoder where it was wrapped into one."""
    value = sample[part]
    if isinstance(value, bytes):
        return value
    stream = getattr(value, "stream", None)
    if not isinstance(stream, io.BytesIO):
        raise TypeError(f"{part} is a {type(value).__name__}")
    return stream.getvalue()
