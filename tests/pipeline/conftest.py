"""Fixtures of the pipeline's tests."""

import shutil
import tempfile
from pathlib import Path

import pytest

from pipeline.hostile import lay_ground
from pipeline.making import image_entry, run_shard, text_entry, video_entry, write_frames, write_images, write_json
from pipeline.ray_nodes import started


@pytest.fixture
def ground(tmp_path):
    """A root among things that must stay as they are."""
    return lay_ground(tmp_path)


@pytest.fixture
def shards(tmp_path):
    """Six samples in three shards of train and one of val."""
    names = write_images(tmp_path, 4)
    video = write_frames(tmp_path, "v", 4, fps="2.0")
    entries = [*(image_entry(name) for name in names), video_entry(video), text_entry(), text_entry(1), text_entry(2)]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--max-samples-per-tar", 2, "--train-split", 3) == 0
    return tmp_path / "wds"


@pytest.fixture
def open_folder():
    """A folder that everybody may write to, in one that everybody may enter; pytest's own are the user's alone."""
    outer = Path(tempfile.mkdtemp())
    outer.chmod(0o755)
    folder = outer / "data"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777)
    shutil.rmtree(outer)


@pytest.fixture(scope="session")
def ray_nodes(store):
    """A Ray cluster of a head that runs nothing, and nodes of one and two CPUs, which find the store."""
    with started() as nodes:
        nodes.add(num_cpus=1)
        nodes.add(num_cpus=2)
        yield nodes
