#!/usr/bin/env python3
"""End a planned command, when all its units were run (the same as `mm2energon finalize`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("finalize")
