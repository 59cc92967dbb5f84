"""Info and retarget: what the shards hold, and who else reads them."""

import pytest
import yaml
from media import write_image
from mm2energon import cli
from mm2energon.pipeline.verify import verify
from mm2energon.targets import TARGETS

from pipeline.making import (
    chat,
    image_entry,
    run_shard,
    text_entry,
    tree_bytes,
    video_entry,
    write_frames,
    write_images,
    write_json,
)


@pytest.fixture
def root(tmp_path):
    entries = [image_entry(name) for name in write_images(tmp_path, 3)]
    write_json(tmp_path / "dataset.json", [*entries, video_entry(write_frames(tmp_path, "v", 4)), text_entry()])
    return tmp_path


def retarget(root, name):
    return cli.main(["retarget", str(root / "wds"), "--target", name])


@pytest.mark.parametrize("target", list(TARGETS))
def test_info_says_what_the_shards_hold(root, capsys, target):
    run_shard(root, "--target", target)
    capsys.readouterr()
    assert cli.main(["info", str(root / "wds")]) == 0
    out = capsys.readouterr().out
    assert f"for {target}: " in out
    assert "train         4 samples in    1 shards" in out and "val           1 samples in    1 shards" in out


@pytest.mark.parametrize("written", list(TARGETS))
def test_every_reader_that_shares_the_bytes_can_be_made_the_first_and_back(root, capsys, written):
    run_shard(root, "--target", written)
    before = tree_bytes(root / "wds")
    for other in TARGETS[written].also:
        assert retarget(root, other) == 0
        found = verify(root / "wds")
        assert (found.target, [str(fault) for fault in found.faults]) == (other, [])
        main = yaml.safe_load((root / "wds/.nv-meta/dataset.yaml").read_text())
        assert main["__module__"] == TARGETS[other].dataset_yaml["__module__"]
        capsys.readouterr()
        cli.main(["info", str(root / "wds")])
        out = capsys.readouterr().out
        assert f"also read by {written} (dataset.{written}.yaml): 0 samples" in out
        named = [line.split("(")[1].split(")")[0] for line in out.splitlines() if line.startswith("also read by")]
        assert all((root / "wds/.nv-meta" / name).is_file() for name in named)
    assert retarget(root, written) == 0
    after = tree_bytes(root / "wds")
    assert {n: b for n, b in after.items() if "mm2energon.json" not in n} == {
        n: b for n, b in before.items() if "mm2energon.json" not in n
    }


def test_a_retargeted_dataset_is_known_to_shard_as_what_it_is(root, capsys):
    run_shard(root)
    written = tree_bytes(root / "wds")
    retarget(root, "bridge")
    before = tree_bytes(root / "wds")
    assert run_shard(root) == 1
    assert "read by bridge since mm2energon retarget" in capsys.readouterr().err
    assert tree_bytes(root / "wds") == before
    assert retarget(root, "pai-v1") == 0
    assert tree_bytes(root / "wds") == written
    assert run_shard(root) == 0


@pytest.mark.parametrize(("written", "wanted"), [("pai-v1", "pai-v2"), ("pai-v1", "crude"), ("crude", "bridge")])
def test_a_reader_of_other_bytes_is_refused_with_the_reason(root, capsys, written, wanted):
    run_shard(root, "--target", written)
    before = tree_bytes(root / "wds")
    assert retarget(root, wanted) == 1
    assert f"written for {written}: its " in capsys.readouterr().err
    assert tree_bytes(root / "wds") == before


@pytest.mark.parametrize("command", [("info",), ("retarget", "--target", "bridge")])
def test_a_folder_without_a_dataset_is_an_error_of_one_line(tmp_path, capsys, command):
    assert cli.main([command[0], str(tmp_path), *command[1:]]) == 1
    assert capsys.readouterr().err.count("\n") == 1


MENDED = ("--odd-frames", "repeat", "--double-single-frames", "--enlarge-small-images", "--prepend-missing-tags")


@pytest.mark.parametrize("target", list(TARGETS))
@pytest.mark.parametrize(
    "options", [(), ("--odd-frames", "keep"), MENDED, ("--max-frames", 3), ("--system-turn", "fold")]
)
def test_whatever_shard_writes_verify_finds_sound(root, target, options):
    entries = [image_entry(name) for name in write_images(root, 3)]
    entries += [video_entry(write_frames(root, f"odd{n}", n, fps="1.5")) for n in (1, 5)]
    write_image(root / "small.png", size=(10, 12))
    entries += [image_entry("small.png"), {**image_entry("p0.jpg", "p1.jpg"), "conversations": chat()}]
    entries += [{"conversations": [{"from": "system", "value": "s"}, *chat()]}]
    write_json(root / "dataset.json", entries)
    assert run_shard(root, "--target", target, *options) in (0, 3)
    assert [str(fault) for fault in verify(root / "wds", energon=False).faults] == []
