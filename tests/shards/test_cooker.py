"""Tests of the cooker: a crude sample becomes messages, pictures and sounds, decoded by Energon or not."""

from __future__ import annotations

import io
import json

import pytest
import torch
from megatron.energon import Cooker, DefaultTaskEncoder, SampleDecoder, WorkerConfig, get_loader, get_train_dataset
from mm2energon.errors import MediaError, SampleError
from mm2energon.shards.cooker import ChatSample, cook_chat, decode_image
from PIL import Image

from .making import crude_record, numbers_of, picture, sound, write_dataset

BASE = {"__key__": "00000005", "__restore_key__": ("Webdataset", 5), "__subflavors__": {"a": 1}, "__sources__": ()}


def crude(**changes):
    return {**BASE, **crude_record(5), **changes}


def with_json(**changes):
    return crude(json=json.dumps({**json.loads(crude_record(5)["json"]), **changes}).encode())


@pytest.mark.parametrize("decode", [True, False])
def test_a_sample_is_cooked_from_decoded_and_from_raw_parts(decode):
    sample = SampleDecoder()(crude()) if decode else crude()
    cooked = cook_chat(sample)
    assert cooked.messages == [{"role": "user", "content": "question 5"}]
    assert cooked.second_per_grid_ts == [1.0]
    assert cooked.audios == [sound(5)]
    levels = [image.unique().item() * 255 for image in (*cooked.images, *cooked.videos[0])]
    assert levels == pytest.approx([5, 6, 7])


def test_the_cooked_sample_keeps_what_energon_needs_to_restore_it():
    cooked = cook_chat(crude())
    assert {name: getattr(cooked, name) for name in BASE} == BASE


def test_text_alone_is_a_sample():
    cooked = cook_chat({**BASE, "json": b'{"messages": [{"role": "user", "content": "hi"}]}'})
    assert (cooked.images, cooked.videos, cooked.audios, cooked.second_per_grid_ts) == ([], [], [], [])


@pytest.mark.parametrize(
    "sample",
    [
        {**BASE},
        crude(json=b"{"),
        crude(json=b"[]"),
        crude(json=b"{}"),
        with_json(images=["image7.png"]),
        with_json(videos=[["video0.000009.png"]]),
        with_json(videos=[None]),
        with_json(audios=["json"]) | {"json": {"messages": [], "audios": ["json"]}},
        with_json(images=3),
    ],
)
def test_a_json_that_does_not_fit_its_parts_is_refused(sample):
    with pytest.raises(SampleError, match="00000005") as caught:
        cook_chat(sample)
    assert caught.value.code == "bad-part"


def test_a_picture_that_cannot_be_decoded_is_named():
    with pytest.raises(MediaError, match=r"00000005\.image0\.png") as caught:
        cook_chat(crude(**{"image0.png": b"no picture"}))
    assert caught.value.code == "unreadable-image"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "png"), ("RGB", "jpg"), ("RGB", "webp"), ("L", "jpg"), ("CMYK", "jpg"), ("RGBA", "png"), ("P", "png")],
)
def test_pictures_are_decoded_as_energon_decodes_them(mode, kind):
    gradient = Image.linear_gradient("L").resize((17, 9))
    buffer = io.BytesIO()
    gradient.convert(mode).save(buffer, {"jpg": "JPEG"}.get(kind, kind.upper()))
    ours = decode_image(buffer.getvalue(), origin="test")
    energons = SampleDecoder()({"__key__": "a", kind: buffer.getvalue()})[kind]
    assert ours.shape == (3, 9, 17)
    assert torch.equal(ours, energons)


class ChatTaskEncoder(DefaultTaskEncoder):
    """The encoder of the module's docstring."""

    cookers = (Cooker(cook_chat),)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_training_loop_sees_every_sample_of_an_epoch(tmp_path, num_workers):
    write_dataset(tmp_path, "crude")
    dataset = get_train_dataset(
        tmp_path,
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=num_workers),
        batch_size=1,
        shuffle_buffer_size=4,
        max_samples_per_sequence=4,
        task_encoder=ChatTaskEncoder(),
        repeat=False,
    )
    batches = list(get_loader(dataset))
    assert all(isinstance(batch, ChatSample) for batch in batches)
    assert sorted(int(key) for batch in batches for key in batch.__key__) == numbers_of("train")


def test_a_cooked_sample_can_be_restored_from_its_key(tmp_path):
    write_dataset(tmp_path, "crude")
    dataset = get_train_dataset(
        tmp_path,
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
        batch_size=None,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        task_encoder=ChatTaskEncoder(),
    )
    loader = get_loader(dataset)
    sample = next(iter(loader))
    assert loader.restore_sample(sample.__restore_key__).__key__ == sample.__key__


def test_a_part_name_with_dots_is_decoded_by_energons_own_decoder():
    decoded = SampleDecoder()({"__key__": "a", "video0.000001.jpg": picture(9, "JPEG")})["video0.000001.jpg"]
    assert isinstance(decoded, torch.Tensor)
