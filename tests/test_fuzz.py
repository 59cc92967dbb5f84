"""What fuzzing found stays mended, and each reader that is fuzzed takes the bytes that fuzzing begins with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzz import readers
from fuzz.readers import READERS

ROOT = Path(readers.__file__).parents[1]

_OWN: dict[str, Any] = {"fps": "2.0", "source": "v.mp4", "times": [0.0], "options": {}, "version": 1, "source_bytes": 1}


def sidecar(**changed: Any) -> bytes:
    """A sidecar that passes for our own."""
    return json.dumps({**_OWN, "frame_bytes": [1], **changed}).encode()


#: Reader, and what it had not been ready for.
FOUND = [
    ("sidecars", sidecar(times=["a"])),
    ("sidecars", sidecar(times=[None])),
    ("sidecars", sidecar(times=[10**400])),
    ("sidecars", sidecar(times=[[]], frame_bytes={})),
    ("sidecars", json.dumps({"version": 1}).encode()),
]


@pytest.fixture(scope="module", autouse=True)
def _scratch() -> Iterator[None]:
    yield
    shutil.rmtree(readers.SCRATCH, ignore_errors=True)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_what_fuzzing_begins_with(name: str) -> None:
    seeds = list(READERS[name].seeds())
    assert seeds
    for seed in [b"", *seeds, *(seed[: len(seed) // 2] for seed in seeds)]:
        READERS[name].read(seed)


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found_stays_mended(name: str, data: bytes) -> None:
    READERS[name].read(data)


def test_a_finding_is_told_and_kept(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import fuzz.__main__ as driver; from fuzz import readers\n"
        "def read(data):\n"
        "    if b'z' in data: raise KeyError('found')\n"
        "readers.READERS['indexes'] = readers.Reader(read, lambda: [b'az'])\n"
        f"driver.WORK = Path({str(tmp_path)!r}); (driver.WORK / 'found').mkdir()\n"
        "sys.exit(driver._unguided('indexes', ['-max_total_time=20']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment())
    assert done.returncode == 1 and "KeyError" in done.stderr
    (kept,) = (tmp_path / "found").iterdir()
    assert b"z" in kept.read_bytes() and str(kept) in done.stderr


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'toolkits'}"}
