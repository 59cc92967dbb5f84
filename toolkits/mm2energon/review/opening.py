"""Opening: where the journal, the kept samples and the index of a source lie."""

from __future__ import annotations

import errno
import glob
import hashlib
import shutil
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.formats import FORMATS
from mm2energon.jsonio import dumps
from mm2energon.locks import LockFile
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.pipeline.sources import JOURNAL_SUFFIX, KEPT_SUFFIX
from mm2energon.review.columns import VERSION, read_about
from mm2energon.review.indexing import IndexJob
from mm2energon.review.journal import beside
from mm2energon.review.sources import Source

_FOLDER = "review"
_KEY_CHARACTERS = 16
_NAME_CHARACTERS = 80
#: What there must be room for.
_PROBE_BYTES = 256 << 10


def kept_beside(path: Path) -> Path:
    """Where samples lie that were kept from answers."""
    return beside(path, KEPT_SUFFIX)


def journal_beside(path: Path) -> Path:
    """Where the decisions on a source lie."""
    return beside(path, JOURNAL_SUFFIX)


def check_options(path: Path, read_as: str | None, reviewers: Sequence[str]) -> None:
    """Look at what was asked for.

    Raises:
        InputError: the source is not there, or an option is none.
    """
    if not path.exists():
        raise InputError(f"{path}: is not there; an annotation file, a CSV or a folder of shards was expected")
    if not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: is a pipe or a device; a file that can be read again was expected; copy it to one")
    if path.name.endswith(JOURNAL_SUFFIX):
        raise InputError(f"{path}: holds decisions; the data that they are about was expected")
    if read_as is not None and read_as not in FORMATS:
        raise InputError(f"{read_as}: no such format; one of {', '.join(FORMATS)} was expected")
    if len(set(reviewers)) < len(reviewers):
        raise InputError(f"reviewers {', '.join(reviewers)}: one is named twice; each once was expected")


def check_plain(*places: Path) -> None:
    """Look at where decisions and kept samples go: through a link they would go, and be read, anywhere.

    Raises:
        InputError: something lies there that is no plain file.
    """
    for place in places:
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(place.lstat().st_mode):
                raise InputError(
                    f"{place}: is a link, a folder, a pipe or a device; a plain file was expected, or nothing; "
                    "move it away"
                )


@dataclass(frozen=True)
class IndexPlace:
    """Where the index of a source lies."""

    folder: Path
    #: It goes when it is closed.
    is_temporary: bool = False


def index_place(job: IndexJob, source: Source) -> IndexPlace:
    """A folder for the index, which is another one when the source has changed; those of before are removed.

    Raises:
        OSError: there is no room for one anywhere.
    """
    stamp = source.stamp()
    options = [VERSION, job.path.name, stamp, str(job.root), job.category_key, job.read_as, job.target]
    key = hashlib.blake2b(dumps(options), digest_size=_KEY_CHARACTERS // 2).hexdigest()
    above = job.path.parent / STATE_FOLDER / _FOLDER
    name = job.path.name[:_NAME_CHARACTERS]
    folder = above / f"{name}-{key}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(place.is_symlink() for place in (above.parent, above, folder, *folder.iterdir())):
            raise OSError(errno.ELOOP, "a link in its place would lead elsewhere", str(folder))
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))  # a full disk has room for names
    except OSError:
        return IndexPlace(Path(tempfile.mkdtemp(prefix="mm2energon-review-")), is_temporary=True)
    for other in above.glob(f"{glob.escape(name)}-{'[0-9a-f]' * _KEY_CHARACTERS}"):
        if other != folder:
            _remove_if_old(other, list(stamp))
    return IndexPlace(folder)


def _remove_if_old(folder: Path, stamp: list[object]) -> None:
    """Remove an index of what the source was before, unless somebody is at it."""
    about = read_about(folder)
    if about is not None and about.stamp == stamp:  # with other options
        return
    with suppress(OSError):
        lock = LockFile.enter(folder / "building.lock", wait=False)
        shutil.rmtree(folder, ignore_errors=True)
        lock.leave()
