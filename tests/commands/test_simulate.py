"""`simulate`: from units that were run to a table of nodes, and the same for programs."""

import json
import re

import pytest
from mm2energon import cli
from pipeline.making import image_dataset


def command(*words):
    return cli.main([str(word) for word in words])


@pytest.fixture
def plan(tmp_path):
    """Nine shards, of which four were written."""
    root = image_dataset(tmp_path / "data", 9)
    options = ("--max-samples-per-tar", 1, "--val-split", 0)
    assert command("plan", "shard", "--dataset-root", root, *options, "--plan", tmp_path / "plan") == 0
    return tmp_path / "plan"


def test_some_units_stand_for_all_of_a_dataset_that_is_many_times_as_large(plan, tmp_path, capsys):
    for index in (0, 1):
        assert command("run", "--plan", plan, "--index", index, "--of", 4, "--workers", 1) == 0
    figures = tmp_path / "figures.json"
    words = ("simulate", "--plan", plan, "--nodes", "1,4", "--workers-per-node", 2, "--times", 100, "--json", figures)
    capsys.readouterr()
    assert command(*words) == 0
    told = capsys.readouterr().out
    assert "900 units, as 5 that were measured of 9" in told and " MB read, " in told and "held up by" in told
    [stage] = json.loads(figures.read_text())["stages"]
    assert (stage["stage"], stage["units"], stage["measured"]) == ("0-write_shard", 900, 5)
    assert stage["bytes_read"] > 0 and stage["bytes_written"] > 0 and stage["driver_seconds"] > 0
    one, four = stage["predictions"]
    assert (one["nodes"], four["nodes"]) == (1, 4)
    assert one["wall_seconds"] > four["wall_seconds"] > stage["driver_seconds"]
    run = one["wall_seconds"] - stage["driver_seconds"]
    assert stage["unit_seconds"] / 2 <= run * 1.001 and run < stage["unit_seconds"]


def test_storage_that_gives_little_holds_many_nodes_up(plan, tmp_path, capsys):
    assert command("run", "--plan", plan, "--index", 0, "--of", 1, "--workers", 1) == 0
    capsys.readouterr()
    words = ("simulate", "--plan", plan, "--times", 1000, "--nodes", 512)
    assert command(*words, "--storage-gbps", 0.0001) == 0
    assert re.search(r"storage bandwidth (9\d|100)%", capsys.readouterr().out)
    assert command(*words, "--requests-per-second", 0.1, "--share-out", "ray") == 0
    assert re.search(r"storage requests (9\d|100)%", capsys.readouterr().out)


def test_without_a_unit_that_was_run_the_way_to_one_is_told(plan, tmp_path, capsys):
    assert command("simulate", "--plan", plan) == 1
    assert f"mm2energon run --plan {plan} --index 0 --of 100" in capsys.readouterr().err
    assert command("simulate", "--plan", tmp_path / "none") == 1
    assert "holds no plan" in capsys.readouterr().err
    for wrong in ("0", "1,", "x", "1;2"):
        with pytest.raises(SystemExit):
            command("simulate", "--plan", plan, "--nodes", wrong)
