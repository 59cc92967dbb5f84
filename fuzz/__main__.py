"""Fuzzes the readers, each in a process of its own, for a limited time; what was found lies in `.fuzz/found`.

python -m fuzz [--seconds N] [READER ...]     N seconds in all; 1 when something was found
python -m fuzz --one READER [FILE ...]        read these inputs again (as atheris: any option of libFuzzer, too)

Where atheris is not to be had (it has wheels for Python 3.11 to 3.13 on Linux), inputs are changed without guidance.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
WORK = HERE / ".fuzz"
#: Where files are written that live for one input; it is not there on every system.
_MEMORY = "/dev/shm"  # noqa: S108 (a folder of our own is made in it)
_LONGEST_SECONDS = 10
_MOST_MB = 2048


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz whatever reads bytes of others.")
    parser.add_argument("--seconds", type=int, default=600, help="how long it may take in all (600)")
    parser.add_argument("readers", nargs="*", help="some of them; all by default")
    arguments = parser.parse_args()
    names = arguments.readers or _names()
    found = 0
    for name in names:
        folder = WORK / "corpus" / name
        folder.mkdir(parents=True, exist_ok=True)
        (WORK / "found").mkdir(exist_ok=True)
        seconds = max(1, arguments.seconds // len(names))
        options = [f"-max_total_time={seconds}", f"-timeout={_LONGEST_SECONDS}", f"-rss_limit_mb={_MOST_MB}"]
        options += [f"-artifact_prefix={WORK / 'found' / name}-", "-verbosity=0", "-print_final_stats=1", str(folder)]
        print(f"{name}: {seconds} s", flush=True)
        command = [sys.executable, "-m", "fuzz", "--one", name, *options]
        with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as scratch:
            done = subprocess.run(command, cwd=HERE, env={**os.environ, "FUZZ_SCRATCH": scratch}, check=False)
        found += done.returncode != 0
    print(f"{found} of {len(names)} readers have findings: {WORK / 'found'}" if found else "nothing found")
    return min(found, 1)


def one(name: str, options: list[str]) -> int:
    """Fuzz one reader, as libFuzzer's options say."""
    if importlib.util.find_spec("atheris") is None:
        return _unguided(name, options)
    import atheris

    with atheris.instrument_imports(include=["mm2energon"]):
        from fuzz.readers import READERS
    reader = READERS[name]
    folders = [Path(option) for option in options if Path(option).is_dir()]
    for folder in folders[:1]:
        for seed in reader.seeds():
            (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)  # noqa: S324 (the name that libFuzzer gives)
    atheris.Setup([sys.argv[0], f"-max_len={reader.longest}", *options], reader.read)
    atheris.Fuzz()
    return 0


def _unguided(name: str, options: list[str]) -> int:
    """Change seeds at random, for the time that the options say."""
    from fuzz.readers import READERS

    reader, chance = READERS[name], random.Random(0)
    files = [Path(option) for option in options if Path(option).is_file()]
    for file in files:
        reader.read(file.read_bytes())
    seconds = sum(int(option.partition("=")[2]) for option in options if option.startswith("-max_total_time="))
    until, seeds = time.monotonic() + seconds, list(reader.seeds())
    while time.monotonic() < until and not files:
        data = _changed(chance, bytearray(chance.choice(seeds)))
        try:
            reader.read(data)
        except BaseException:
            path = WORK / "found" / f"{name}-{hashlib.sha1(data).hexdigest()}"  # noqa: S324
            path.write_bytes(data)
            print(f"found: {path}", file=sys.stderr)
            raise
    return 0


def _changed(chance: random.Random, data: bytearray) -> bytes:
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.randrange(8))
        with_what = chance.choice([b"", bytes([chance.randrange(256)]), bytes(data[at:end]) * 2, b"\xff" * 4, bytes(4)])
        data[at:end] = with_what
    return bytes(data)


def _names() -> list[str]:
    """The readers; their module is imported by processes of their own, which count what it does."""
    text = (HERE / "fuzz" / "readers.py").read_text(encoding="utf-8")
    table = text[text.index("READERS: dict") :]
    return [line.split('"')[1] for line in table.splitlines() if line.startswith('    "')]


if __name__ == "__main__":
    for place in (HERE, HERE / "toolkits"):
        sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE / "toolkits"), os.environ.get("PYTHONPATH", "")])
    sys.exit(one(sys.argv[2], sys.argv[3:]) if sys.argv[1:2] == ["--one"] else main())
