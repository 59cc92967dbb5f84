"""Notes: how far recordings are heard, written by the workers beside their transcripts, and shown by the run.

One recording may take an hour: a bar that counts recordings would stand still all that time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mm2energon.errors import MediaError
from mm2energon.pipeline.loop import Progress
from mm2energon.speech.tracks import open_recording

#: Ending of a note, in the place of that of the transcript.
SUFFIX = ".heard"
#: Seconds between two notes, and between two looks at them.
_PAUSE = 1.0


class Note:
    """Says how far one recording is."""

    def __init__(self, place: Path) -> None:
        """
        Args:
            place: of its transcript, whose folder is there.
        """
        self._path = place.with_suffix(SUFFIX)
        self._written = time.monotonic()

    def tell(self, share: float) -> None:
        """Note that so much of the recording is heard, 0 to 1; not each time, and never as a reason to fail."""
        if time.monotonic() - self._written >= _PAUSE:
            self._written = time.monotonic()
            with suppress(OSError):
                self._path.write_text(f"{share:.5f}\n", encoding="ascii")

    def remove(self) -> None:
        """Take the note away."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


class Watch:
    """Shows on a bar of seconds how far all recordings are."""

    def __init__(self, seconds: Mapping[Path, float], bar: Progress) -> None:
        """
        Args:
            seconds: place of a transcript -> how long its recording is.
        """
        self._seconds = seconds
        self._bar = bar
        self._shown: dict[Path, int] = {}
        self._lock = threading.Lock()

    def ended(self, place: Path) -> None:
        """Show a recording as heard to its end."""
        self._show(place, 1.0)

    def look(self) -> None:
        """Show what the notes say."""
        for folder in {place.parent for place in self._seconds}:
            for path in folder.glob(f"*{SUFFIX}"):
                with suppress(OSError, ValueError):  # it has just gone, or is being written
                    self._show(path.with_suffix(".json"), float(path.read_text(encoding="ascii")))

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look every second, until the block ends."""
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(_PAUSE):
                self.look()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _show(self, place: Path, share: float) -> None:
        with self._lock:
            now = round(self._seconds.get(place, 0.0) * min(1.0, share))
            more = now - self._shown.get(place, 0)
            if more > 0:
                self._shown[place] = now
                self._bar.update(more)


def seconds_of(path: Path) -> float:
    """How long a recording is, as its container says; 0 where it does not, or cannot be read."""
    try:
        with open_recording(path) as container:
            return 0.0 if container.duration is None else container.duration / 1e6
    except MediaError:
        return 0.0
