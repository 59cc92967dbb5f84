"""`python -m benchmarks.making PART SCALE FOLDER` makes one part of the data, unless it is there."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.making import annotations as texts
from benchmarks.making import clips, pictures, talks
from benchmarks.scale import SCALES

#: Part -> what makes it in an empty folder.
PARTS = {"clips": clips.make, "pictures": pictures.make, "annotations": texts.make, "talks": talks.make}


def main() -> None:
    """Make a part."""
    part, scale_name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    scale, maker = SCALES[scale_name], PARTS[part]
    source = Path(sys.modules[maker.__module__].__file__ or "").read_bytes()
    stamp = hashlib.sha256(source + repr(asdict(scale)).encode()).hexdigest()
    target, mark = folder / part, folder / f"{part}.made"
    if mark.is_file() and mark.read_text() == stamp:
        return
    mark.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    maker(target, scale)
    mark.write_text(stamp)


if __name__ == "__main__":
    main()
