"""Steps that workers of the studio are given in tests."""

import os
import signal
import time

from mm2energon.errors import MediaError


def double(item):
    return 2 * item


def refuse(item):
    raise MediaError(f"{item}: no", "unreadable-video")


def crash(_item):
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path):
    path.write_text(str(os.getpid()))
    time.sleep(600)


def break_down(_item):
    raise ZeroDivisionError
