"""Shards of a ShareGPT dataset.json through webdataset's ShardWriter, in the usual way, or with the files' own bytes.

python -m benchmarks.baselines.shard_script reencode|bytes ROOT OUTPUT
"""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLES_OF_A_SHARD = 10_000


def reencoded(path: Path) -> bytes:
    """A picture read by OpenCV and written by PIL at quality 100, as webdataset's own encoder of images does it."""
    import cv2
    from PIL import Image

    picture: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    data = io.BytesIO()
    Image.fromarray(picture).save(data, format="JPEG", quality=100)
    return data.getvalue()


#: Way -> how a picture becomes bytes.
READERS: dict[str, Callable[[Path], bytes]] = {"reencode": reencoded, "bytes": Path.read_bytes}


def main() -> None:
    """Write the shards."""
    from webdataset import ShardWriter

    read, root, output = READERS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
    output.mkdir(parents=True, exist_ok=True)
    with ShardWriter(f"{output}/shard-%06d.tar", maxcount=SAMPLES_OF_A_SHARD, verbose=0) as writer:
        for number, entry in enumerate(json.loads((root / "dataset.json").read_bytes())):
            images = [read(root / path) for path in entry.get("images", [])]
            videos = [_frames(root / path) for path in entry.get("videos", [])]
            sample = {
                "__key__": f"{number:08d}",
                "jpgs": pickle.dumps(images),
                "videos": pickle.dumps([[read(frame) for frame in frames] for frames in videos]),
                "json": json.dumps({"conversations": entry["conversations"]}).encode(),
            }
            writer.write(sample)


def _frames(video: Path) -> list[Path]:
    json.loads(video.with_suffix(".json").read_bytes())
    return sorted(video.with_suffix("").iterdir())


if __name__ == "__main__":
    main()
