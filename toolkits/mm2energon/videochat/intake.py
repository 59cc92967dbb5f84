"""Intake: a video from outside becomes a copy in the cache, as a job that tells how far it is and can be cancelled."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mm2energon.errors import ToolkitError
from mm2energon.pipeline.loop import Limits
from mm2energon.videochat.addresses import Endpoint, parse_url
from mm2energon.videochat.apart import CancelledError, Note, run_apart
from mm2energon.videochat.download import Downloaded, DownloadLimits, download
from mm2energon.videochat.sanitise import CopyLimits, Sanitising, sanitise
from mm2energon.videochat.uploads import digest_of, shown_name
from mm2energon.videochat.video_cache import CachedVideo, VideoCache

_log = logging.getLogger(__name__)

#: Jobs that are worked on at a time; that wait or are worked on, in all and of one person; that are remembered.
_AT_A_TIME = 2
_MOST, _MOST_OF_ONE = 20, 4
_REMEMBERED = 200
_GRACE_SECONDS = 5.0

FETCHING, COPYING, WAITING = "Fetching", "Making it safe to play (it is encoded anew)", "Waiting for its turn"


class BusyError(ToolkitError):
    """There are too many jobs already."""


@dataclass
class Job:
    """A video on its way."""

    id: str
    name: str
    who: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = "waiting"
    #: What is done, and how much of it, in bytes.
    message: str = WAITING
    done: float = 0
    total: float | None = None
    video: CachedVideo | None = None
    error: str | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    #: Set once nothing more will happen.
    is_over: threading.Event = field(default_factory=threading.Event)


#: Makes what came in ready: (job, folder of its own) -> it.
_Fetch = Callable[[Job, Path], Downloaded]


class Intake:
    """Takes videos in, some at a time; all of it may be used from any thread."""

    def __init__(
        self,
        cache: VideoCache,
        *,
        downloads: DownloadLimits | None = None,
        copies: CopyLimits | None = None,
        allowed: Collection[Endpoint] = (),
    ) -> None:
        """
        Args:
            allowed: endpoints that are open though they are not public: for tests alone.
        """
        self.cache = cache
        self._downloads, self._copies = downloads or DownloadLimits(), copies or CopyLimits()
        self._allowed = frozenset(allowed)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(_AT_A_TIME)
        self._is_closed = False

    def expect(self, name: str, *, who: str) -> Job:
        """A job for a video that is on its way: it counts from now on, until it is taken or given up.

        Raises:
            BusyError: there are too many jobs already.
        """
        with self._lock:
            live = [job for job in self._jobs.values() if not job.is_over.is_set()]
            mine = sum(job.who == who for job in live)
            if self._is_closed or len(live) >= _MOST or mine >= _MOST_OF_ONE:
                raise BusyError(f"{len(live)} videos are being taken in, {mine} of them yours; wait until one is there")
            job = Job(secrets.token_hex(8), shown_name(name), who)
            self._jobs[job.id] = job
            over = [id for id, one in self._jobs.items() if one.is_over.is_set()]
            for id in over[: max(0, len(self._jobs) - _REMEMBERED)]:
                del self._jobs[id]
            return job

    def give_up(self, job: Job) -> None:
        """The video of a job did not come."""
        job.state = "cancelled"
        job.is_over.set()

    def take_url(self, url: str, *, who: str) -> Job:
        """Fetch the video that a URL leads to.

        Raises:
            InputError: the URL is none that a video may be asked for.
            BusyError: there are too many jobs already.
        """
        address = parse_url(url, allowed=self._allowed)

        def fetch(job: Job, folder: Path) -> Downloaded:
            job.message = FETCHING
            told = _telling(job)
            return download(url, folder, limits=self._downloads, told=told, stop=job.stop, allowed=self._allowed)

        return self._begin(self.expect(address.target.partition("?")[0], who=who), fetch)

    def take_file(self, job: Job, path: Path, *, held: ExitStack | None = None, ours: bool = False) -> Job:
        """Take a file of this machine for a job that was expected; the file stays as it is.

        Args:
            held: is closed when the job is over.
            ours: the file goes then, so that it is no source to be named.
        """

        def fetch(job: Job, _folder: Path) -> Downloaded:
            return Downloaded(path, job.name, path.stat().st_size)

        return self._begin(job, fetch, held, "" if ours else str(path))

    def get(self, id: str) -> Job:
        """A job.

        Raises:
            KeyError: there is none.
        """
        with self._lock:
            return self._jobs[id]

    def close(self) -> None:
        """Cancel all."""
        self._is_closed = True
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        end = time.monotonic() + _GRACE_SECONDS
        for job in jobs:
            job.is_over.wait(max(0.0, end - time.monotonic()))

    def _begin(self, job: Job, fetch: _Fetch, held: ExitStack | None = None, source: str = "") -> Job:
        work = (job, fetch, held or ExitStack(), source)
        threading.Thread(target=self._run, args=work, daemon=True, name="intake").start()
        return job

    def _run(self, job: Job, fetch: _Fetch, held: ExitStack, source: str) -> None:
        """The thread of a job: whatever becomes of it is noted in the job."""
        try:
            with held:
                self._await_turn(job)
                try:
                    job.video, job.state = self._taken_in(job, fetch, source), "done"
                finally:
                    self._turns.release()
        except CancelledError:
            job.state = "cancelled"
        except ToolkitError as error:
            job.state, job.error = "failed", str(error)
        except OSError as error:
            job.state, job.error = "failed", f"{job.name}: it could not be taken in ({error.strerror or error})"
        except Exception as error:  # noqa: BLE001 (a thread of ours: somebody waits for its end)
            _log.exception("intake of %s", job.name)
            job.state, job.error = "failed", f"{job.name}: it could not be taken in ({type(error).__name__})"
        finally:
            job.is_over.set()

    def _await_turn(self, job: Job) -> None:
        while not self._turns.acquire(timeout=0.1):
            _go_on(job)

    def _taken_in(self, job: Job, fetch: _Fetch, source: str) -> CachedVideo:
        with self.cache.work() as folder:
            _go_on(job)
            job.state = "running"
            came = fetch(job, folder)
            job.name, job.message, job.done, job.total = came.name, COPYING, 0, None
            key = self._key(came)
            found = self.cache.get(key)
            if found is not None:
                return self.cache.call(found, job.name, source)
            return self.cache.add(key, *self._copied(job, came, folder, source))

    def _copied(self, job: Job, came: Downloaded, folder: Path, source: str) -> tuple[Path, dict[str, Any]]:
        """The copy, and what is known of it."""
        target, note, tell = folder / "copy", Note(folder / "note"), _telling(job)

        def told(done: float, total: float | None) -> None:  # of seconds, as a share of the bytes
            tell(came.bytes * done / total if total else 0, came.bytes)

        limits = Limits(self._copies.work_seconds, self._copies.memory_bytes)
        wanted = Sanitising(came.path, target, job.name, self._copies, note, came.sound)
        made = run_apart(sanitise, wanted, limits=limits, note=note, told=told, stop=job.stop)
        return target, {**asdict(made), "name": job.name, "source": source, "notes": (*came.notes, *made.notes)}

    def _key(self, came: Downloaded) -> str:
        """What came in, and what is made of it: the same of both is the same copy."""
        files = [came.path] if came.sound is None else [came.path, came.sound]
        about = " ".join([*map(digest_of, files), self._copies.recipe])
        return hashlib.sha256(about.encode()).hexdigest()[:32]


def _telling(job: Job) -> Callable[[float, float | None], None]:
    def told(done: float, total: float | None) -> None:
        job.done, job.total = done, total

    return told


def _go_on(job: Job) -> None:
    """Look whether the job is still wanted.

    Raises:
        CancelledError: it is not.
    """
    if job.stop.is_set():
        raise CancelledError("it was cancelled")
