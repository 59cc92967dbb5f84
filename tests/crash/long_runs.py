"""A million entries in the memory of a few: peaks of real processes, measured by the system; run by `make crash`."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from crash.forks import TOOLKITS

ENTRIES = 1_000_000
#: What a run may take, workers and all.
MOST_BYTES = 250 << 20


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of entries without media, one in a thousand of which is none."""
    path = tmp_path_factory.mktemp("long") / "train.jsonl"
    with path.open("w") as file:
        for number in range(ENTRIES):
            answer = "It is this. " * (1 + number % 7)
            turns = f'[{{"from": "human", "value": "What is {number}?"}}, {{"from": "gpt", "value": "{answer}"}}]'
            name = "turns" if number % 1000 == 999 else "conversations"
            file.write(f'{{"id": "{number:07d}", "{name}": {turns}}}\n')
    return path


def peak_bytes(*arguments: object) -> int:
    """The most memory that a process of a command had at a time; it sets some entries aside."""
    command = [sys.executable, "-m", "mm2energon", *map(str, arguments)]
    done = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TOOLKITS)}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(done.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert isinstance(usage, resource.struct_rusage)
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize("command", ["normalize", "shard", "frames"])
def test_a_million_entries_take_no_more_memory_than_a_few(entries: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "train.jsonl").symlink_to(entries)
    arguments = {
        "normalize": ["--input-file", entries, "--output-file", tmp_path / "normal.jsonl"],
        "shard": ["--dataset-root", tmp_path, "--json", entries, "--output", tmp_path / "wds", "--workers", 1],
        "frames": ["--dataset-root", tmp_path, "--workers", 1, "--no-frames"],
    }[command]
    peak = peak_bytes(command, *arguments)
    print(f"{command}: {peak / (1 << 20):.0f} MB")
    assert peak < MOST_BYTES
