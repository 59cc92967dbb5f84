#!/usr/bin/env python3
"""Say what is wrong with finished shards, also those of the original scripts (the same as `mm2energon doctor`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("doctor")
