"""The command line, with workers for however little there is to shard: `python -m crash.command shard ...`."""

import sys

from mm2energon import cli
from mm2energon.pipeline import shard

if __name__ == "__main__":
    shard.BYTES_OF_A_WORKER = 1
    sys.exit(cli.main(sys.argv[1:]))
