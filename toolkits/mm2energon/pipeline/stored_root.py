"""Stored root: a dataset root in a store, of which `frames` has here what it reads: annotations, and one archive."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath

from mm2energon.pipeline.archives import DEPTH, is_archive_name
from mm2energon.pipeline.lease import leased
from mm2energon.pipeline.ledger import LEDGER_NAME, STATE_FOLDER, ledger_path
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.name_index import NameIndex
from mm2energon.pipeline.sources import ANNOTATION_SUFFIXES
from mm2energon.pipeline.stored_file import bring_earlier, published
from mm2energon.shards.metadata import FOLDER as METADATA_FOLDER
from mm2energon.video.places import VIDEO_SUFFIXES

#: Files that are brought at the same time.
_AT_A_TIME = 64


class StoredRoot:
    """The root, and the mirror that the run works in."""

    def __init__(self, mirror: Mirror, output: Path) -> None:
        """
        Args:
            output: where the dataset goes, in the mirror.
        """
        self.mirror = mirror
        self._output = output
        self._names = NameIndex(mirror.of.cache)

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Keep other runs from the folder of the dataset until the block ends, and look at what there is.

        Raises:
            InputError: another run writes there.
            OSError: as `look`.
        """
        with leased(self.mirror.remote_of(self._output.parent)):
            self.look()
            yield

    def look(self) -> None:
        """Go through all that there is; bring what may be annotations and what is known of them, show the archives.

        Raises:
            OSError: the store does not say, or does not give them.
        """
        self.mirror.clear()
        self._names = NameIndex(self.mirror.of.cache)
        wanted = self._wanted()
        while some := list(islice(wanted, _AT_A_TIME)):
            self.mirror.bring(some)
        bring_earlier(self.mirror, [self._output])
        beside = self.mirror.beside(self.mirror.name_of(self._output)).items()
        for name, size in beside:  # a video whose frames' rate would be written where the output goes
            if PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES:
                self.mirror.show_file(name, size)

    def exists(self, name: str) -> bool:
        """As of `There`."""
        return self._names.has_folder(name) or self.is_file(name)

    def is_file(self, name: str) -> bool:
        """As of `There`.

        Raises:
            OSError: the store does not say.
        """
        if name.startswith("/"):  # of a further root, which lies on this machine
            return Path(name).is_file()
        return self._names.has_file(name) or (self._names.is_unseen(name) and self.mirror.size_of(name) is not None)

    @contextmanager
    def archive(self, archive: Path) -> Iterator[None]:
        """Have an archive here while it is unpacked; what came out of it, and the note on it, is put there at the end.

        Raises:
            OSError: the store does not give it, or does not take that.
        """
        name = self.mirror.name_of(archive)
        self.mirror.fetch([name])
        try:
            yield
        except Exception:
            self._publish(archive)
            raise
        else:
            self._publish(archive)
        finally:
            self.mirror.let_go([name])

    def member(self, folder: Path, parts: Sequence[str], size: int) -> None:
        """Have here what lies in the place of a member of an archive: its bytes where they may be the same.

        Raises:
            OSError: the store does not give it.
        """
        name = self.mirror.name_of(folder.joinpath(*parts))
        if self.mirror.is_new(name) or (there := self.mirror.size_of(name)) is None:
            return
        if there == size:
            self.mirror.fetch([name])
        else:
            self.mirror.show_file(name, there)

    def published(self) -> AbstractContextManager[None]:
        """Publish the dataset and what lies beside it at the end of the block, which makes it."""
        return published(self.mirror, [self._output])

    def _publish(self, archive: Path) -> None:
        ledger = self.mirror.name_of(ledger_path(archive.parent))
        self.mirror.sync(lambda name: None if name == ledger else 0)
        if self.mirror.is_new(ledger):
            self.mirror.publish([ledger], keeps=True)

    def _wanted(self) -> Iterator[str]:
        """Go through all that there is; what has to be brought of it."""
        for folder, files, folders in self.mirror.remote.walk():
            path = f"{folder}/" if folder else ""
            here = _Here(files, folders)
            for name in files:
                self._names.add_file(f"{path}{name}")
            for name in folders:
                self._names.add_folder(f"{path}{name}", is_seen=name in here.looked_into)
            folders[:] = here.looked_into
            archives = here.archives if path.count("/") <= DEPTH else []
            for name in archives:
                self.mirror.show_file(f"{path}{name}", files[name])
                self.mirror.date(f"{path}{name}")
            yield from (f"{path}{name}" for name in here.annotations)
            if archives or here.annotations:
                yield f"{path}{STATE_FOLDER}/{LEDGER_NAME}"


class _Here:
    """What is told from the names of the files and folders of one folder."""

    def __init__(self, files: Collection[str], folders: Collection[str]) -> None:
        if METADATA_FOLDER in folders:  # finished shards: nothing in there is an annotation, or an archive
            self.looked_into, self.annotations, self.archives = [], [], []
            return
        videos = {PurePosixPath(name).stem for name in files if PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES}
        own = {f"{name}.frames" for name in files}
        #: Folders of frames: their videos, and what says their rate, lie beside them.
        frames = {name for name in folders if f"{name}.json" in files and (name in videos or name in own)}
        sidecars = {f"{name}.json" for name in frames}
        self.looked_into = [name for name in folders if not name.startswith(".") and name not in frames]
        shown = [name for name in files if not name.startswith(".")]
        self.annotations = [name for name in shown if _is_json(name) and name not in sidecars]
        self.archives = [name for name in shown if is_archive_name(name) and f"{name}.idx" not in files]


def _is_json(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in ANNOTATION_SUFFIXES
