"""Machine: how much of it a process may use."""

import os
import subprocess
import sys

import pytest
from mm2energon.pipeline import machine

GIB = 1 << 30


@pytest.fixture
def limits(tmp_path, monkeypatch):
    """Sets the limits of control groups: group -> file -> content; the process is in `a/b`."""
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GIB // 4096}.get)
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    (tmp_path / "own").write_text("0::/a/b\n")

    def write(groups):
        for group, files in groups.items():
            folder = tmp_path / "groups" / group
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (folder / name).write_text(content)

    return write


def test_without_limits_it_is_the_whole_machine(limits):
    limits({"a/b": {"cpu.max": "max 100000\n", "memory.max": "max\n"}})
    assert (machine.usable_cores(), machine.usable_memory_bytes(), machine.usual_workers()) == (16, 64 * GIB, 16)


def test_a_quota_of_cores_is_counted_up(limits):
    limits({"a/b": {"cpu.max": "250000 100000\n"}})
    assert machine.usable_cores() == machine.usual_workers() == 3


def test_the_tightest_of_the_groups_around_counts(limits):
    limits({"a/b": {"memory.max": f"{8 * GIB}\n", "cpu.max": "max 100000"}, "a": {"cpu.max": "400000 100000"}})
    limits({"": {"memory.max": f"{32 * GIB}"}})
    assert (machine.usable_cores(), machine.usable_memory_bytes(), machine.usual_workers()) == (4, 8 * GIB, 4)


def test_where_memory_is_short_there_are_fewer_workers_and_never_none(limits):
    limits({"a": {"memory.max": str(3 * GIB)}})
    assert machine.usual_workers() == 3
    limits({"a/b": {"memory.max": str(GIB // 2)}})
    assert machine.usual_workers() == 1


def test_limits_of_the_first_version_of_control_groups_count(limits, tmp_path):
    (tmp_path / "own").write_text("5:cpu,cpuacct:/a/b\n3:memory:/a\n0::/\n")
    limits({"cpu/a/b": {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}})
    limits({"memory": {"memory.limit_in_bytes": "9223372036854771712\n"}})
    assert (machine.usable_cores(), machine.usable_memory_bytes()) == (16, 64 * GIB)
    limits({"cpu/a": {"cpu.cfs_quota_us": "150000\n", "cpu.cfs_period_us": "50000\n"}})
    limits({"memory/a": {"memory.limit_in_bytes": f"{2 * GIB}\n"}})
    assert (machine.usable_cores(), machine.usable_memory_bytes(), machine.usual_workers()) == (3, 2 * GIB, 2)


def test_in_a_container_the_own_group_is_the_top_of_what_is_seen(limits, tmp_path):
    (tmp_path / "own").write_text("5:cpu,cpuacct:/docker/12ab\n3:memory:/docker/12ab\n")
    limits({"cpu": {"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"}})
    limits({"memory": {"memory.limit_in_bytes": f"{5 * GIB}\n"}})
    assert (machine.usable_cores(), machine.usable_memory_bytes()) == (2, 5 * GIB)


@pytest.mark.parametrize(("given", "cores"), [("3", 3), ("64", 16), ("", 16), ("0", 1)])
def test_in_a_job_of_slurm_those_of_the_job_count_where_it_is_not_held_to_them(limits, monkeypatch, given, cores):
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", given)
    assert machine.usable_cores() == cores


def test_an_affinity_counts(limits, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert machine.usable_cores() == 2


@pytest.mark.parametrize("content", ["", "nonsense", "1 2 3:/x\n"])
def test_a_system_without_control_groups_is_taken_as_it_is(limits, tmp_path, content):
    (tmp_path / "own").write_text(content)
    assert machine.usable_cores() == 16
    (tmp_path / "own").unlink()
    assert machine.usable_cores() == 16


def test_the_peak_of_memory_is_that_of_this_process_and_of_the_largest_of_its_children():
    held = bytearray(b"x" * 300_000_000)
    del held
    child = [sys.executable, "-c", "held = b'x' * 500_000_000"]
    subprocess.run(child, check=True)
    peaks = machine.peak_memory_bytes()
    assert peaks is not None
    assert peaks[0] > 300e6
    assert peaks[1] > 500e6
