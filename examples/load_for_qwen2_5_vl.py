"""Feeds Qwen2.5-VL from shards through Megatron-Energon: the training side, made to be copied.

    python examples/load_for_qwen2_5_vl.py demo_wds --processor Qwen/Qwen2.5-VL-3B-Instruct

It needs `pip install 'mm2energon[train]'`, reads shards of every target, and gives batches that
`Qwen2_5_VLForConditionalGeneration` of Hugging Face transformers takes as they are. Without `--processor`
a tokenizer of single bytes stands in, so that it runs without a network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from byte_tokenizer import byte_tokenizer
from megatron import energon
from mm2energon.shards.cooker import cook_chat
from mm2energon.shards.energon import stand_in
from mm2energon.shards.reader import read_dataset_yaml
from mm2energon.tokens import smart_resize
from PIL import Image

PATCH, MERGE, FRAMES_PER_PATCH = 14, 2, 2
FACTOR = PATCH * MERGE
MIN_PIXELS = 4 * FACTOR**2
#: OpenAI CLIP's, for values between 0 and 1.
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
#: The label of a token that is not trained.
IGNORED = -100
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
ROLES = {"human": "user", "gpt": "assistant", "system": "system"}
#: Tag -> (the token that is repeated in its place, its value in mm_token_type_ids).
TAGS = {"<image>": ("<|image_pad|>", 1), "<video>": ("<|video_pad|>", 2)}


@energon.edataclass
class EncodedChat(energon.Sample):
    """One conversation, ready for a batch; one entry of the lists per image or video."""

    input_ids: torch.Tensor
    labels: torch.Tensor
    images: list[torch.Tensor]
    image_grids: list[tuple[int, int, int]]
    videos: list[torch.Tensor]
    video_grids: list[tuple[int, int, int]]
    second_per_grid_ts: list[float]


@energon.edataclass
class QwenBatch(energon.Batch):
    """What the model takes. `pixel_values*`: float32, patches x 1176; `*_grid_thw`: media x (time, height, width)."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    #: Per token: 0 text, 1 image, 2 video; transformers 5 makes the positions from it.
    mm_token_type_ids: torch.Tensor
    pixel_values: torch.Tensor | None
    image_grid_thw: torch.Tensor | None
    pixel_values_videos: torch.Tensor | None
    video_grid_thw: torch.Tensor | None
    second_per_grid_ts: torch.Tensor | None

    def model_inputs(self) -> dict[str, torch.Tensor]:
        """The keyword arguments of the model's `forward`; absent media are left out."""
        named = {field.name: getattr(self, field.name) for field in fields(self) if not field.name.startswith("__")}
        return {name: value for name, value in named.items() if value is not None}


class QwenEncoder(energon.DefaultTaskEncoder[energon.Sample, EncodedChat, QwenBatch, QwenBatch]):
    """Energon's place for the work on samples: it runs in the loader's workers."""

    cookers = [energon.Cooker(cook_chat)]  # used for crude shards alone

    def __init__(
        self, tokenizer: Any, *, max_image_pixels: int = 1280 * FACTOR**2, max_frame_pixels: int = 768 * FACTOR**2
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.max_image_pixels = max_image_pixels
        self.max_frame_pixels = max_frame_pixels

    @energon.stateless
    def encode_sample(self, sample: energon.Sample) -> EncodedChat:
        messages, images, videos, seconds = read_chat(sample)
        encoded_images = [patchify([image], max_pixels=self.max_image_pixels) for image in images]
        encoded_videos = [patchify(frames, max_pixels=self.max_frame_pixels) for frames in videos]
        grids = {"<image>": [grid for _, grid in encoded_images], "<video>": [grid for _, grid in encoded_videos]}
        input_ids, labels = tokenize(self.tokenizer, messages, grids, where=sample.__key__)
        return EncodedChat.derive_from(
            sample,
            input_ids=torch.tensor(input_ids),
            labels=torch.tensor(labels),
            images=[patches for patches, _ in encoded_images],
            image_grids=grids["<image>"],
            videos=[patches for patches, _ in encoded_videos],
            video_grids=grids["<video>"],
            second_per_grid_ts=seconds,
        )

    @energon.stateless
    def batch(self, samples: list[EncodedChat]) -> QwenBatch:
        def pad(rows: list[torch.Tensor], value: int) -> torch.Tensor:
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)

        def join(name: str, combine: Any) -> torch.Tensor | None:
            values = [value for sample in samples for value in getattr(sample, name)]
            return combine(values) if values else None

        input_ids = pad([sample.input_ids for sample in samples], self.tokenizer.convert_tokens_to_ids("<|endoftext|>"))
        types = torch.zeros_like(input_ids)
        for token, kind in TAGS.values():
            types[input_ids == self.tokenizer.convert_tokens_to_ids(token)] = kind
        return QwenBatch.from_samples(
            samples,
            input_ids=input_ids,
            attention_mask=pad([torch.ones_like(sample.input_ids) for sample in samples], 0),
            labels=pad([sample.labels for sample in samples], IGNORED),
            mm_token_type_ids=types,
            pixel_values=join("images", torch.cat),
            image_grid_thw=join("image_grids", torch.tensor),
            pixel_values_videos=join("videos", torch.cat),
            video_grid_thw=join("video_grids", torch.tensor),
            second_per_grid_ts=join("second_per_grid_ts", torch.tensor),
        )


def read_chat(sample: Any) -> tuple[list[dict[str, str]], list[Any], list[list[Any]], list[float]]:
    """The messages, images, videos (lists of frames) and seconds per temporal patch of any target's sample."""
    if hasattr(sample, "messages"):  # crude, cooked
        return sample.messages, sample.images, sample.videos, sample.second_per_grid_ts
    stored = sample.conversation
    if isinstance(stored, (str, bytes)):
        stored = json.loads(stored)
    messages = []
    for turn in stored["conversations"]:
        text = turn["content"] if "content" in turn else turn["value"]
        messages.append({"role": turn.get("role") or ROLES[turn["from"]], "content": text})
    videos = sample.videos or []
    # Without a stored value: two frames per second.
    return messages, sample.imgs or [], videos, stored.get("second_per_grid_ts") or [1.0] * len(videos)


def patchify(frames: Sequence[torch.Tensor], *, max_pixels: int) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """Resizes, normalises and cuts an image (one frame) or the frames of a video, as Qwen's processors do.

    Args:
        frames: float, 0 to 1, channels (RGB) x height x width, all of one size.
        max_pixels: Of one resized frame.

    Returns:
        The patches in the order of the merged tokens, and the grid of patches (time, height, width).
    """
    height, width = smart_resize(*frames[0].shape[-2:], factor=FACTOR, min_pixels=MIN_PIXELS, max_pixels=max_pixels)
    resized = [normalize(frame, height, width) for frame in frames]
    resized += resized[-1:] * (-len(resized) % FRAMES_PER_PATCH)
    time, rows, columns = len(resized) // FRAMES_PER_PATCH, height // PATCH, width // PATCH
    cells = np.stack(resized).reshape(
        *(time, FRAMES_PER_PATCH, 3), *(rows // MERGE, MERGE, PATCH), *(columns // MERGE, MERGE, PATCH)
    )
    # Four patches that will be merged into one token lie together; within a patch: channel, frame, y, x.
    patches = cells.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(time * rows * columns, -1)
    return torch.from_numpy(patches), (time, rows, columns)


def normalize(frame: torch.Tensor, height: int, width: int) -> np.ndarray:
    """One frame at its new size: float32, channels x height x width, of about unit variance."""
    pixels = (frame.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return ((np.asarray(picture, dtype=np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)


def tokenize(
    tokenizer: Any, messages: Sequence[dict[str, str]], grids: dict[str, list[tuple[int, int, int]]], *, where: str
) -> tuple[list[int], list[int]]:
    """Token ids and labels in ChatML; trained are the assistant's texts and the <|im_end|> behind each.

    Raises:
        ValueError: There are not as many tags in the text as media in the sample.
    """
    left = {tag: list(of_tag) for tag, of_tag in grids.items()}

    def expand(match: re.Match[str]) -> str:
        if not left[match[0]]:
            raise ValueError(f"{where}: more {match[0]} tags than media")
        time, rows, columns = left[match[0]].pop(0)
        return f"<|vision_start|>{TAGS[match[0]][0] * (time * rows * columns // MERGE**2)}<|vision_end|>"

    input_ids: list[int] = []
    labels: list[int] = []
    for message in messages if messages[0]["role"] == "system" else [SYSTEM, *messages]:
        content = re.sub("|".join(TAGS), expand, message["content"])
        trained = message["role"] == "assistant"
        pieces = [(f"<|im_start|>{message['role']}\n", False), (f"{content}<|im_end|>", trained), ("\n", False)]
        for text, is_trained in pieces:
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            input_ids += ids
            labels += ids if is_trained else [IGNORED] * len(ids)
    if any(left.values()):
        raise ValueError(f"{where}: more media than tags")
    return input_ids, labels


def load_tokenizer(name: str | None) -> Any:
    """The tokenizer in a folder or on the Hugging Face hub; without a name, one of single bytes."""
    return byte_tokenizer() if name is None else transformers.AutoTokenizer.from_pretrained(name)


def open_split(
    root: Path, encoder: QwenEncoder, *, split: str = "train", batch_size: int = 2, once: bool = False, workers: int = 0
) -> Any:
    """Batches of a split: shuffled without end, or with `once` in order and each sample once."""
    config = read_dataset_yaml(root)
    stand_in(config["__module__"], config["__class__"])  # nothing happens where the reader itself is installed
    settings = energon.WorkerConfig.default_worker_config(num_workers=workers)
    settings.global_error_handler = energon.reraise_exception  # Energon's own passes over a bad sample
    common = {"split_part": split, "worker_config": settings, "batch_size": batch_size, "task_encoder": encoder}
    if once:
        return energon.get_loader(energon.get_val_dataset(root, **common))
    shuffle = {"shuffle_buffer_size": 100, "max_samples_per_sequence": 100}
    return energon.get_loader(energon.get_train_dataset(root, **common, **shuffle))


def main() -> None:
    parser = argparse.ArgumentParser(description="Show the batches that Qwen2.5-VL would train on.")
    parser.add_argument("dataset", type=Path, metavar="DATASET_WDS", help="folder of the shards")
    parser.add_argument("--processor", metavar="PATH_OR_HUB_ID", help="where the tokenizer lies")
    parser.add_argument("--split", default="train", help="split to read (%(default)s)")
    parser.add_argument("--batches", type=int, default=2, help="batches to show (%(default)s)")
    options = parser.parse_args()
    loader = open_split(options.dataset, QwenEncoder(load_tokenizer(options.processor)), split=options.split)
    for batch in itertools.islice(loader, options.batches):
        print(f"batch of {', '.join(batch.__key__)}")
        for name, value in batch.model_inputs().items():
            print(f"    {name:22}{str(value.dtype):16}{tuple(value.shape)}")


if __name__ == "__main__":
    main()
