"""What goes wrong when a file is opened becomes an error of ours, or a lack of memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from media import write_clip

#: Extracts frames with no more memory than the process has already, and a little.
LIMITED = """
import os, pathlib, resource, sys
sys.path[:0] = sys.argv[4].split(os.pathsep)
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.sampling import Sampling
options = FrameOptions(Sampling(fps=2), decoder=sys.argv[2])
if sys.argv[2] != "pyav":
    import av.video.reformatter
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    extract_frames(pathlib.Path(sys.argv[1]), options)
except MemoryError as error:
    print("MemoryError", error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("decoder", ["pyav", "opencv", "decord"])
def test_a_library_that_finds_no_memory_is_a_lack_of_memory_not_a_missing_library(tmp_path: Path, decoder: str) -> None:
    video = write_clip(tmp_path / "v.mp4", size=(64, 48))
    command = [sys.executable, "-c", LIMITED, video, decoder, str(24 << 20), ":".join(sys.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stdout, done.stderr[-600:]
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]
