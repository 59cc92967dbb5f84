#!/usr/bin/env python3
"""LLaVA annotations to ShareGPT: `image` to `images`, `video` to `videos` (the same as `mm2energon normalize`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("normalize")
