#!/usr/bin/env python3
"""Run one task's share of the units that were planned (the same as `mm2energon run`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("run")
