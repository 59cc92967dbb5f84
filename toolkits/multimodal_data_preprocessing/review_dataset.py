#!/usr/bin/env python3
"""Review a dataset in the browser, try a model on it, fine-tune it (the same as `mm2energon studio`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mm2energon.cli import run_script

if __name__ == "__main__":
    run_script("studio")
