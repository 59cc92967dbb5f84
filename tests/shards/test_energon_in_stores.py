"""Energon reads a dataset that lies in a store, over msc://, as it reads the one that lies here."""

import pytest
import torch
from megatron.energon import WorkerConfig, get_loader, get_savable_loader, get_train_dataset, get_val_dataset
from megatron.energon.epathlib import EPath
from mm2energon.shards.energon import stand_in
from mm2energon.targets import TARGETS
from pipeline.making import image_entry, run_shard, text_entry, video_entry, write_frames, write_images, write_json

pytest_plugins = ["stores"]
WORKERS = WorkerConfig(rank=0, world_size=1, num_workers=0)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A dataset of pictures, a video and text, of two splits."""
    reader = TARGETS["pai-v1"].dataset_yaml
    stand_in(reader["__module__"], reader["__class__"], always=True)
    root = tmp_path_factory.mktemp("root")
    names = write_images(root / "pictures", 4)
    entries = [image_entry(f"pictures/{name}", id=name) for name in names]
    entries += [video_entry(f"clips/{write_frames(root / 'clips', 'made', 4)}"), text_entry(), text_entry(1)]
    write_json(root / "dataset.json", entries)
    return root


def shard_to(root, output):
    options = ("--max-samples-per-tar", 2, "--train-split", 1, "--val-split", 1)
    assert run_shard(root, *options, "--output", output) == 0


def samples_of(path, split):
    """What Energon gives of a split, each sample once, by their keys."""
    dataset = get_val_dataset(path, split_part=split, worker_config=WORKERS, batch_size=None)
    return {sample.__key__: sample for sample in get_loader(dataset)}


def test_energon_reads_the_samples_of_a_store_as_those_of_this_machine(here, bucket, tmp_path):
    shard_to(here, tmp_path / "wds")
    shard_to(here, f"s3://{bucket}/wds")
    keys = set()
    for split in ("train", "val"):
        local, remote = samples_of(tmp_path / "wds", split), samples_of(EPath(f"msc://test/{bucket}/wds"), split)
        assert list(remote) == list(local)
        for key, sample in remote.items():
            assert sample.conversation == local[key].conversation
            assert len(sample.imgs) == len(local[key].imgs) and len(sample.videos) == len(local[key].videos)
            assert all(map(torch.equal, sample.imgs, local[key].imgs))
            for frames, same in zip(sample.videos, local[key].videos, strict=True):
                assert torch.equal(torch.stack(frames), torch.stack(same))
        keys |= set(remote)
    assert len(keys) == 7


def test_energon_trains_from_a_store(here, bucket):
    """Shuffled, for ever, from a place that was saved, as a training does it."""
    shard_to(here, f"msc://test/{bucket}/wds")

    def loader():
        dataset = get_train_dataset(
            EPath(f"msc://test/{bucket}/wds"),
            worker_config=WORKERS,
            batch_size=None,
            shuffle_buffer_size=4,
            max_samples_per_sequence=2,
        )
        return get_savable_loader(dataset)

    first = loader()
    given = iter(first)
    for _ in range(3):
        next(given)
    state = first.save_state_rank()
    expected = [next(given).__key__ for _ in range(5)]
    second = loader()
    second.restore_state_rank(state)
    again = iter(second)
    assert [next(again).__key__ for _ in range(5)] == expected
