#!/usr/bin/env python3
"""Long texts to folders of pictures, T2Vid's synthetic videos (the same as `mm2energon text-to-frames`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("text-to-frames")
