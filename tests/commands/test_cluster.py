"""Options of clusters: the values that they take, and those they refuse."""

import argparse

import pytest
from mm2energon import cli
from mm2energon.commands.cluster import cpus, ray_address


@pytest.mark.parametrize(
    "text", ["auto", "local", "head:6379", "10.0.0.1:6379", "[::1]:6379", "ray://head:10001", "ray://[::1]:10001"]
)
def test_an_address_of_a_ray_cluster_is_taken_as_it_is(text):
    assert ray_address(text) == text


@pytest.mark.parametrize(
    "text", ["", "head", "head:", ":6379", "head:99999", "ray://", "ray://head", "s3://a:1", "1.5"]
)
def test_what_is_no_address_of_a_ray_cluster_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="ray://HOST:10001 was expected"):
        ray_address(text)


def test_the_address_of_the_service_of_jobs_is_refused_with_what_it_is_for():
    with pytest.raises(argparse.ArgumentTypeError, match="ray job submit --address"):
        ray_address("http://head:8265")


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("0.5", 0.5), ("0.333333", 0.3333), ("0.0001", 0.0001)])
def test_cpus_are_as_many_as_ray_can_set_apart(text, number):
    assert cpus(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", "", "0.00001"])
def test_no_cpus_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="no number above 0|0.0001 or more was expected"):
        cpus(text)


@pytest.mark.parametrize(
    ("given", "executor"),
    [
        (["--ray-address", "auto"], "ray"),
        (["--executor", "slurm", "--plan", "p", "--cpus-per-unit", "1"], "ray"),
        (["--plan", "p"], "slurm"),
        (["--executor", "ray", "--array-tasks", "4"], "slurm"),
    ],
)
def test_an_option_of_another_executor_is_refused(tmp_path, monkeypatch, capsys, given, executor):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataset.json").write_text("[]")
    assert cli.main(["shard", *given]) == 1
    assert f"{given[-2]}: is of --executor {executor}, and the work runs by" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]
