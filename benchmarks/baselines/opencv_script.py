"""Frames of all videos below a folder, as the usual script makes them: every frame is read, in a pool of threads.

python -m benchmarks.baselines.opencv_script FOLDER INTERVAL [THREADS]
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

#: The pool of the scripts that are in use, whatever the machine.
THREADS = 32
SUFFIXES = (".mp4", ".webm", ".mkv")


def extract(video: Path, interval: float, *, single: bool) -> int:
    """Write every so many frames of a video beside it, and their rate; how many."""
    import cv2

    options = [cv2.CAP_PROP_N_THREADS, 1] if single else []
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, options)
    fps = capture.get(cv2.CAP_PROP_FPS)
    every = max(int(fps * interval), 1)
    folder = video.with_suffix("")
    folder.mkdir(exist_ok=True)
    count = kept = 0
    while True:
        found, picture = capture.read()
        if not found:
            break
        if count % every == 0:
            kept += 1
            cv2.imwrite(str(folder / f"{kept:06d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        count += 1
    capture.release()
    video.with_suffix(".json").write_text(json.dumps({"fps": str(fps / every)}))
    return kept


def main() -> None:
    """Extract all."""
    folder, interval = Path(sys.argv[1]), float(sys.argv[2])
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else THREADS
    videos = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    with ThreadPoolExecutor(threads) as pool:
        kept = sum(pool.map(lambda video: extract(video, interval, single=threads == 1), videos))
    sys.stdout.write(f"{kept} frames\n")


if __name__ == "__main__":
    main()
