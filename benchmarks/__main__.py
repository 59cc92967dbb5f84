"""`python -m benchmarks` makes the data, runs the suites, and writes results.json and the tables.

python -m benchmarks [--suite frames --suite shards ...] [--keep] [--quick] [--repeats 5] [--media DIR] [--data DIR]
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import report
from benchmarks.measure import ROOT, environment
from benchmarks.results import Results, save
from benchmarks.scale import SCALES, Setting
from benchmarks.suites import SUITES

HERE = Path(__file__).resolve().parent
#: Videos of the reader's own are measured from this length on.
SHORTEST_SECONDS = 5.0
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm")


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse()
    scale = SCALES["quick" if arguments.quick else arguments.scale]
    media = () if arguments.quick else tuple(videos(arguments.media))
    data = (arguments.data / scale.name).resolve()
    data.mkdir(parents=True, exist_ok=True)
    setting = Setting(scale, data, arguments.repeats or scale.repeats, media, say)
    compileall.compile_dir(ROOT / "toolkits", quiet=1)  # or the first run of ours pays for it
    results = Results()
    begun = time.monotonic()
    failed = [name for name in arguments.suite or SUITES if not run_suite(name, setting, results)]
    shutil.rmtree(data / "scratch", ignore_errors=True)
    if not results.figures:  # what the file holds is worth more
        sys.exit(f"failed: {', '.join(failed)}")
    output = data / "incomplete.json" if failed and not arguments.keep else arguments.output
    seconds = time.monotonic() - begun
    done = [name for name in arguments.suite or SUITES if name not in failed]
    save(output, results, suites=done, scale=scale.name, repeats=setting.repeats, seconds=seconds)
    say(f"{output}: {len(results.figures)} figures, {seconds / 60:.0f} minutes")
    if output == report.RESULTS:
        report.main()
    else:
        sys.stdout.write(report.page(report.load(output)))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def run_suite(name: str, setting: Setting, results: Results) -> bool:
    """Run one suite; whether it came to its end. What it found before it failed is kept, and the others go on."""
    parts, run = SUITES[name]
    for part in parts:
        make(part, setting)
    try:
        run(setting, results)
    except RuntimeError as error:
        say(f"{name}: {error}")
        return False
    return True


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure mm2energon beside others.")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="only this one; may be repeated")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="put the figures of these suites into results.json, in place of earlier ones",
    )
    parser.add_argument("--scale", choices=list(SCALES), default="full", help="how much data (full)")
    parser.add_argument("--quick", action="store_true", help="the same as --scale quick, without --media")
    parser.add_argument("--repeats", type=int, help="runs of each contender (as the scale says: 5)")
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared/media", help="more videos to measure")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where the data is made and kept")
    parser.add_argument("--output", type=Path, help="the results (results.json of this folder after a full run)")
    arguments = parser.parse_args()
    whole = arguments.scale == "full" and not arguments.quick and (arguments.keep or not arguments.suite)
    arguments.output = arguments.output or (report.RESULTS if whole else arguments.data / "some.json")
    return arguments


def videos(folder: Path) -> list[Path]:
    """The videos in a folder, which need not be there; those of a moment would measure the opening of files."""
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    return [path for path in found if seconds_of(path) >= SHORTEST_SECONDS]


def seconds_of(video: Path) -> float:
    """How long ffprobe says that a video is."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(video)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(said)


def make(part: str, setting: Setting) -> None:
    """Make a part of the data, in a process of its own, so that this one stays small."""
    if not (setting.data / f"{part}.made").is_file():
        say(f"making {part}")
    command = [sys.executable, "-m", "benchmarks.making", part, setting.scale.name, str(setting.data)]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True)


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
