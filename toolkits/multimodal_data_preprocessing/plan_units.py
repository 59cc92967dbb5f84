#!/usr/bin/env python3
"""Plan the units of work of a command, for any number of tasks (the same as `mm2energon plan`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("plan")
