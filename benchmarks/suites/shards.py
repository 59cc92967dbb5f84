"""Shards: a dataset of pictures into tars with Energon's index, beside the usual scripts, `tar` and `cat`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from benchmarks.measure import Contender, Race, Sample, ours, race, run_child, run_command
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting
from benchmarks.suites.folders import empty

#: Baseline -> (sense, target, on which numbers).
TARGETS = {
    "imread, re-encoding, ShardWriter, energon prepare": ("faster", 50.0, ("cpu",)),
    "bytes, ShardWriter, energon prepare": ("faster", 4.5, ("cpu",)),
    "tar cf": ("cost", 1.2, ("cpu", "wall")),
    "tar cf, sync": ("cost", None, ("cpu",)),
    "cat": ("cost", None, ("cpu",)),
}


def run(setting: Setting, results: Results) -> None:
    """Measure sharding, then the index alone."""
    root = setting.data / "pictures"
    files = media_files(root)
    names = setting.scratch / "names"
    names.write_text("\n".join(files))
    setting.say(f"shards: {len(files)} files")
    contenders = _contenders(root, names, setting.scratch / "out")
    contenders["cat"]()  # the files are read and as much is written once before, or the first contender pays for it
    found = race(contenders, setting.repeats)
    work = f"shard {len(files)} files, {sum((root / name).stat().st_size for name in files) / 1e9:.2f} GB"
    for row in results.add_race("shards", work, found):
        results.figures.append(_figure(work, row.baseline, row.cpu_ratio, row.wall_ratio))
    results.figures.append(_growth_of_bytes(root, files, found))
    _index(setting, results)


def media_files(root: Path) -> list[str]:
    """The images, the frames and their sidecars, as the dataset names them."""
    paths = [*root.glob("images/*.jpg"), *root.glob("videos/*/*.jpg"), *root.glob("videos/*.json")]
    return sorted(path.relative_to(root).as_posix() for path in paths)


def _figure(work: str, name: str, cpu: float, wall: float) -> Figure:
    sense, target, target_on = TARGETS[name]
    if sense == "cost":
        return Figure("shards", work, name, "cost", 1 / cpu, 1 / wall, target=target, target_on=target_on)
    return Figure("shards", work, name, "faster", cpu, wall, target=target, target_on=target_on)


def _contenders(root: Path, names: Path, output: Path) -> dict[str, Contender]:
    tar: list[str | Path] = ["tar", "cf", output / "all.tar", "-C", root, "-T", names]
    cat = f"cd {shlex.quote(str(root))} && xargs cat < {shlex.quote(str(names))} > {shlex.quote(str(output))}/all"
    return {
        "mm2energon": lambda: _mine(root, empty(output)),
        "imread, re-encoding, ShardWriter, energon prepare": lambda: _theirs("reencode", root, empty(output)),
        "bytes, ShardWriter, energon prepare": lambda: _theirs("bytes", root, empty(output)),
        "tar cf": lambda: _sized(empty(output), run_command(tar)),
        "tar cf, sync": lambda: _tar_synced(tar, empty(output)),
        "cat": lambda: _sized(empty(output), run_command(["sh", "-c", cat])),
    }


def _mine(root: Path, output: Path) -> Sample:
    options = ("--dataset-root", root, "--output", output / "wds", "--train-split", "9", "--val-split", "1")
    return _sized(output, run_command(ours("shard", *options)))


def _theirs(way: str, root: Path, output: Path) -> Sample:
    """Their script, then the index."""
    written = run_command([sys.executable, "-m", "benchmarks.baselines.shard_script", way, root, output])
    return _sized(output, written + prepare(output))


def prepare(folder: Path) -> Sample:
    """`energon prepare`, asking nothing."""
    options = ["--non-interactive", "--split-ratio", "9,1,0", "--sample-type", "CrudeWebdataset", "--no-progress"]
    return run_command([Path(sys.executable).with_name("energon"), "prepare", *options, "--num-workers", "2", folder])


def _tar_synced(tar: list[str | Path], output: Path) -> Sample:
    """tar, and its file on the disk: what ours sees to as well."""
    return _sized(output, run_command(tar) + run_command(["sync", "-d", tar[2]]))


def _sized(output: Path, sample: Sample) -> Sample:
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    return Sample(sample.cpu_seconds, sample.wall_seconds, sample.peak_mb, sample.facts | {"bytes": size})


def _growth_of_bytes(root: Path, files: list[str], found: Race) -> Figure:
    """What ours writes, to what it was given: media and text."""
    given = sum((root / name).stat().st_size for name in files) + (root / "dataset.json").stat().st_size
    written = found.samples["mm2energon"][-1].facts["bytes"]
    work, note = "size of all that is written", "index and metadata included"
    share = round(written / given, 4)
    return Figure(
        "shards", work, "the input", "value", value=share, unit="x", target=1.03, target_on=("value",), note=note
    )


def _index(setting: Setting, results: Results) -> None:
    """What the index costs for a sample: ours from the writer's offsets, theirs by reading the tars."""
    samples = max(setting.scale.growth_samples[:2])
    root, output = setting.data / "annotations" / f"text-{samples}", setting.scratch / "index"
    run_command(ours("shard", "--dataset-root", root, "--output", empty(output) / "wds"))
    scratch = setting.scratch / "fresh"

    def contender(task: str) -> Contender:
        return lambda: run_child(f"baselines.indexing:{task}", shards=output / "wds", scratch=empty(scratch))

    setting.say(f"shards: index of {samples} samples")
    contenders = {"mm2energon": contender("ours"), "energon prepare": contender("prepare")}
    try:
        found = race(contenders, setting.repeats)
        rows = results.add_race("shards", f"index of {samples} samples", found)
    except (RuntimeError, KeyError) as error:  # it looks into the library, which may have moved on
        results.left_out.append(("shards", "index", "mm2energon", str(error)[-300:]))
        return
    mine = round(found.cpu("mm2energon") / samples * 1e6, 2)
    work, against = "index of a sample", "nothing"
    if rows:
        theirs = found.cpu("energon prepare") / samples * 1e6
        against = f"energon prepare: {theirs:.0f} µs"
    results.figures.append(
        Figure("shards", work, against, "value", value=mine, unit="µs CPU", target=8.0, target_on=("value",))
    )
