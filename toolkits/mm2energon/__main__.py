"""`python -m mm2energon`."""

import sys

from mm2energon.cli import main

sys.exit(main())
