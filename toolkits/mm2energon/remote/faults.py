"""Faults of stores, and of what speaks to them, as faults of files."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

MISSING = "no such file in the store"
NO_BUCKET = "there is no such bucket; check its name, or make it"


@contextmanager
def told(url: str, *, writes: bool = False) -> Iterator[None]:
    """Let every fault of a store, and of what speaks to it, be an OSError that names the URL, and no credentials.

    Args:
        writes: nothing that is asked for has to be there already, but the bucket.
    """
    try:
        yield
    except ImportError:
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        if writes or _is_bucket_missing(error):  # not to be taken for a folder without anything in it
            raise OSError(errno.EIO, NO_BUCKET, url) from error
        raise type(error)(errno.ENOENT, MISSING, url) from error
    except FileExistsError:
        raise
    except PermissionError as error:
        raise PermissionError(errno.EACCES, "the store does not allow it; check its credentials", url) from error
    except OSError as error:
        if error.filename is not None:
            raise  # of a file of this machine
        raise OSError(errno.EIO, _first_line(error), url) from error
    except Exception as error:
        if _is_ours(error):
            raise
        if _is_bucket_missing(error):
            raise OSError(errno.EIO, NO_BUCKET, url) from error
        raise OSError(errno.EIO, _first_line(error), url) from error


def _is_bucket_missing(error: Exception) -> bool:
    return "bucket does not exist" in str(error)


def _is_ours(error: Exception) -> bool:
    """Whether it was raised by our own code, and not by what speaks to the store, which raises ValueErrors, too."""
    frame = deque(walk_tb(error.__traceback__), maxlen=1)[0][0]
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "mm2energon"


def _first_line(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, RuntimeError) and len(error.args) > 1:  # further ones may quote a configuration, keys and all
        text = f"{error.args[0]}; check the configuration of the store"
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
