#!/usr/bin/env python3
"""Reviewed samples to the files that trainers read (the same as `mm2energon export`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("export")
