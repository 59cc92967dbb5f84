#!/usr/bin/env python3
"""What planned units would take on more nodes, from some that were run (the same as `mm2energon simulate`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("simulate")
