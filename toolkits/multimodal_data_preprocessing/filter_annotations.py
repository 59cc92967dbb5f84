#!/usr/bin/env python3
"""Samples that a model has no room for are set aside, or given fewer frames (the same as `mm2energon filter`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("filter")
