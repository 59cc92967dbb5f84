"""The main job from beginning to end on a small dataset made by code: what `make quickstart` runs.

    python examples/quickstart.py [--output quickstart-data]

Each step is a command that a user types; this script types it, and in the end shows what lies where.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from make_dataset import make_dataset

SCRIPTS = Path(__file__).resolve().parents[1] / "toolkits"
MULTIMODAL = SCRIPTS / "multimodal_data_preprocessing"
PRETRAIN = SCRIPTS / "pretrain_data_preprocessing"


def main() -> None:
    """Make, convert, check, read back, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("quickstart-data"), help="folder to work in; emptied first")
    folder = parser.parse_args().output
    if folder.exists() and not (folder / ".mm2energon").exists() and any(folder.iterdir()):
        sys.exit(f"{folder}: is there already, and was not made by this script; give another --output")
    shutil.rmtree(folder, ignore_errors=True)

    title("A LLaVA-style dataset, made by code")
    make_dataset(folder)
    print_tree(folder)

    title("Annotations to ShareGPT, frames out of the videos")
    run(MULTIMODAL / "build_llava_frame_dataset.py", "--dataset-root", folder, "--time-interval", "0.5")

    title("Shards with splits")
    shard = (PRETRAIN / "convert_custom_dataset_to_wds_chatml.py", "--dataset-root", folder)
    run(*shard, "--train-split", "9", "--val-split", "1")

    title("Every sample read back, with webdataset and with Energon's loader")
    run(MULTIMODAL / "verify_shards.py", folder / "wds")

    title("What lies where")
    print_tree(folder / "wds")
    print_a_sample(folder / "wds")
    print("\nFrom here: README.md (your own data), examples/README.md (the training side).")


def run(script: Path, *arguments: object) -> None:
    """Run a script of the toolkit as a user would."""
    words = [str(word) for word in arguments]
    print(f"$ python {script.name} {' '.join(words)}", flush=True)
    status = subprocess.run([sys.executable, str(script), *words], check=False).returncode
    if status:
        sys.exit(status)


def title(text: str) -> None:
    """A line that says what comes next."""
    print(f"\n=== {text}", flush=True)


def print_tree(folder: Path, *, shown: int = 4) -> None:
    """The files below a folder, long folders shortened."""
    print(f"{folder}/")
    for place in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        depth = len(place.relative_to(folder).parts)
        if depth:
            print(f"{'  ' * depth}{place.name}/")
        files = sorted(path for path in place.iterdir() if path.is_file())
        for path in files[:shown] if len(files) > shown + 2 else files:
            print(f"{'  ' * (depth + 1)}{path.name:<32} {path.stat().st_size:>9} bytes")
        if len(files) > shown + 2:
            print(f"{'  ' * (depth + 1)}... and {len(files) - shown} more")


def print_a_sample(root: Path) -> None:
    """One sample with a video, as Energon's loader hands it to the training code."""
    from mm2energon.shards.energon import load_split

    samples = list(load_split(root, "train"))
    sample: Any = next((one for one in samples if one.videos), samples[0])
    print(f"\nOne of {len(samples)} train samples, as Energon's loader gives it: key {sample.__key__}")
    for turn in sample.conversation["conversations"]:
        print(f"  {turn['from']:>6}: {turn['value']!r}")
    for video, seconds in zip(sample.videos, sample.conversation["second_per_grid_ts"], strict=True):
        print(
            f"   video: {len(video)} frames of {tuple(video[0].shape)} (channels, height, width), {seconds:g} s a pair"
        )
    for image in sample.imgs:
        print(f"   image: {tuple(image.shape)} (channels, height, width)")


if __name__ == "__main__":
    main()
