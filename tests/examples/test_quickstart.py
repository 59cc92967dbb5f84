"""`make quickstart`: the script that it runs, from an empty folder to shards that plain Python can read."""

import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

SCRIPT = Path(__file__).resolve().parents[2] / "examples/quickstart.py"


def quickstart(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--output", str(folder)]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)


def test_quickstart_makes_shards_of_all_kinds_of_samples_and_shows_them(tmp_path: Path) -> None:
    run = quickstart(tmp_path / "data")
    assert run.returncode == 0, run.stderr
    assert "no fault" in run.stdout
    shards = tmp_path / "data/wds"
    splits = yaml.safe_load((shards / ".nv-meta/split.yaml").read_text())["split_parts"]
    counts = {"image": 0, "several images": 0, "video": 0, "text": 0}
    for name in splits["train"] + splits["val"]:
        with tarfile.open(shards / name) as tar:
            parts = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        for key in {part.split(".")[0] for part in parts}:
            images = pickle.loads(parts[f"{key}.jpgs"])
            videos = pickle.loads(parts[f"{key}.videos"])
            counts["image"] += len(images) == 1
            counts["several images"] += len(images) > 1
            counts["video"] += len(videos) > 0
            counts["text"] += not images and not videos
    assert all(counts.values()), counts
    assert f"read       {sum(counts.values()):>8}" in run.stdout
    assert splits["train"]
    assert splits["val"]
    assert not splits["test"]


def test_quickstart_empties_no_folder_of_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    run = quickstart(folder)
    assert run.returncode == 1
    assert "was not made by this script" in run.stderr
    assert (folder / "thesis.txt").read_text() == "years of work"
