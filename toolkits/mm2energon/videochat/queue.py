"""Queue: the desk where questions are asked, one after another, whoever asks them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, ToolkitError
from mm2energon.videochat.adapters import Adapter, find_adapters, require_base
from mm2energon.videochat.asking import Event, Parameters, Question
from mm2energon.videochat.backends import BACKENDS, Backend, Chat, Setup, require_model
from mm2energon.videochat.case import Case
from mm2energon.videochat.frames import FrameProcess, FrameReader, Unwanted
from mm2energon.videochat.history import History
from mm2energon.videochat.perception import Task, perceive
from mm2energon.videochat.waiting import Waiting

_log = logging.getLogger(__name__)

#: Questions whose events are kept once they are over, and these events: a page may come back.
_MOST_OVER, _MOST_EVENTS = 100, 200_000
#: Seconds that the last one has to end.
_GRACE_SECONDS = 10.0


class Desk:
    """Takes questions from several people and asks them of a model, one at a time, in a thread of its own.

    What goes wrong with one question, a crash or a
    lack of memory, ends that one alone. The model that was asked last stays open.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        history: Path | None = None,
        backends: Mapping[str, Backend] = BACKENDS,
        frames: FrameProcess | None = None,
    ) -> None:
        """
        Args:
            history: the file of questions that are over; None keeps none on disk.
            frames: reads videos, and is closed with the desk; None: one of its own.
        """
        self.setup, self._backends = setup, backends
        self._history = History(history)
        self._changed = threading.Condition()
        self._cases: OrderedDict[str, Case] = OrderedDict()
        self._waiting = Waiting()
        self._is_closed = False
        self._frames = frames or FrameProcess()
        self._open: tuple[str, str, Chat] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True, name="desk")
        self._thread.start()

    def offers(self) -> dict[str, Any]:
        """What can be asked for, as a JSON object: backends, adapters, defaults."""
        rows = []
        for row in self._backends.values():
            ready = row.ready(self.setup)
            names = row.models(self.setup) if ready.ok else []
            about = {"name": row.name, "title": row.title, "ready": ready.ok, "message": ready.message}
            takes = {"adapters": row.takes_adapters, "any_name": row.takes_any_name}
            rows.append({**about, "models": names, **takes})
        adapters = [
            {"name": one.name, "base": one.base, "ready": one.ready, "message": one.message}
            for one in find_adapters(self.setup.adapters)
        ]
        return {"backends": rows, "adapters": adapters, "defaults": Parameters().as_dict()}

    def ask(self, question: Question) -> str:
        """Queue a question; its id.

        Raises:
            InputError: the back end, model or adapter is unknown or not ready, or too many questions wait already.
        """
        backend = self._backends.get(question.backend)
        if backend is None:
            raise InputError(f"backend {question.backend}: is none; expected one of {', '.join(self._backends)}")
        if not (ready := backend.ready(self.setup)).ok:
            raise InputError(f"{backend.title}: {ready.message}")
        model = require_model(backend, question.model, self.setup)
        case = Case(question.named(), model, self._adapters(question, backend, model))
        with self._changed:
            if self._is_closed:
                raise InputError("question: the studio is closing; start it again")
            self._waiting.add(case)
            self._cases[case.id] = case
            self._waiting.tell_places()
            self._changed.notify_all()
        return case.id

    def events(self, id: str, after: int = 0, *, wait_seconds: float | None = None) -> Iterator[Event | None]:
        """The events of a question whose number is above `after`, as they come, up to the last.

        Args:
            wait_seconds: give None each time that nothing has come for so long.

        Raises:
            KeyError: there is no such question.
        """
        return self._events(self._cases[id], max(after, 0), wait_seconds)

    def _events(self, case: Case, after: int, wait_seconds: float | None) -> Iterator[Event | None]:
        while True:
            with self._changed:
                come = self._changed.wait_for(partial(case.has_more, after), wait_seconds)
                new = case.events[after:]
                is_over = case.is_over
            if not come:
                yield None
            yield from new
            after += len(new)
            if is_over:
                return

    def cancel(self, id: str) -> bool:
        """Stop a question, also one that waits; False when it is over already.

        Raises:
            KeyError: there is no such question.
        """
        case = self._cases[id]
        case.stop.set()
        return self._end(case, "cancelled")

    def entry(self, id: str) -> dict[str, Any] | None:
        """A question, as `history` has it, also one that is not over; None where there is none of that id."""
        with self._changed:
            if id in self._cases:
                return self._cases[id].entry()
        return self._history.find(id)

    def history(self) -> list[dict[str, Any]]:
        """The questions under way, and then those that are over, the latest first, as JSON objects.

        They have id, at, who, question, video, video_path, backend, model, adapters, parameters, state (open, done,
        failed, cancelled), message, and answers [{adapter, text, reply, rounds [{round, frames, spans}]}].
        """
        over = self._history.entries()
        known = {entry["id"] for entry in over}
        with self._changed:
            others = [case.entry() for case in reversed(self._cases.values()) if case.id not in known]
        return [*others, *over]

    def close(self) -> None:
        """Stop all, and let go of the model."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for case in list(self._cases.values()):
            case.stop.set()
            self._end(case, "cancelled")
        self._thread.join(_GRACE_SECONDS)

    def _adapters(self, question: Question, backend: Backend, model: str) -> list[Adapter | None]:
        """The adapters that are asked for, by the folders as they are now; another model's is told at once."""
        known = {one.name: one for one in find_adapters(self.setup.adapters)}
        chosen: list[Adapter | None] = []
        for name in question.adapters:
            if name is not None and not backend.takes_adapters:
                raise InputError(f"adapter {name}: {backend.title} takes none; expected none; choose transformers")
            if name is not None and name not in known:
                raise InputError(
                    f"adapter {name}: is not in {self.setup.adapters or 'any folder'}; expected one of "
                    f"{', '.join(known) or 'none'}; choose one, or put it there"
                )
            adapter = known[name] if name is not None else None
            if adapter is not None:
                require_base(adapter, model, Path(model))
            chosen.append(adapter)
        return chosen

    def _forget_oldest(self) -> None:
        """Let go of events that nobody will ask for."""
        over = [id for id, one in self._cases.items() if one.is_over]
        events = sum(len(self._cases[id].events) for id in over)
        for number, id in enumerate(over[:-1]):
            if len(over) - number <= _MOST_OVER and events <= _MOST_EVENTS:
                return
            events -= len(self._cases.pop(id).events)

    def _work(self) -> None:
        """The thread: one question after another."""
        while (case := self._next()) is not None:
            kind, message = "done", ""
            try:
                self._answer(case)
            except Unwanted:
                kind = "cancelled"
            except ToolkitError as error:
                kind, message = "failed", str(error)
            except Exception as error:  # noqa: BLE001 (whatever a model does, the next question is asked)
                _log.exception("question %s", case.id)
                kind, message = "failed", f"the model stopped: {type(error).__name__}: {_first_line(error)}"
            self._end(case, kind, message)
            self._clear_up()
        self._frames.close()
        self._shut()

    def _next(self) -> Case | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._waiting)
            if self._is_closed:
                return None
            case = self._waiting.take()
            self._waiting.tell_places()
            return case

    def _answer(self, case: Case) -> None:
        chat = self._chat(case)
        question = case.question
        reader = FrameReader(question.video, self._frames)
        shown = reader.shown()
        for adapter in case.adapters:
            task = Task(question.text, question.parameters, reader, shown, adapter)
            name = adapter.name if adapter is not None else None
            for kind, data in perceive(task, chat, case.stop.is_set):
                self._happened(case, kind, {**data, "adapter": name})

    def _chat(self, case: Case) -> Chat:
        """The model, opened where another is."""
        name = case.question.backend
        if self._open is not None and self._open[:2] == (name, case.model) and self._open[2].is_sound:
            return self._open[2]
        self._shut()
        chat = self._backends[name].open(case.model, self.setup, self._loading(case))
        self._open = (name, case.model, chat)
        return chat

    def _loading(self, case: Case) -> Callable[[str], None]:
        """What tells a question how its model is opened; what is said again is no news, but the moment to stop."""
        said = ""

        def tell(message: str) -> None:
            nonlocal said
            if case.stop.is_set():
                raise Unwanted
            if message != said:
                said = message
                self._happened(case, "loading", {"message": message})

        return tell

    def _shut(self) -> None:
        if self._open is not None:
            chat, self._open = self._open[2], None
            chat.close()

    def _clear_up(self) -> None:
        """Let the model give back what the question took."""
        try:
            if self._open is not None:
                self._open[2].forget()
        except Exception:  # noqa: BLE001 (it is asked for nothing any more)
            _log.exception("clearing up")

    def _happened(self, case: Case, kind: str, data: dict[str, Any]) -> None:
        if case.stop.is_set():
            raise Unwanted
        with self._changed:
            case.add(kind, data)
            self._changed.notify_all()

    def _end(self, case: Case, kind: str, message: str = "") -> bool:
        """Note the end of a question; False where it was over."""
        with self._changed:
            if case.is_over:
                return False
            self._waiting.drop(case)
            message = message.replace(str(case.question.video), case.question.video_name)
            case.add(kind, {"message": message} if kind == "failed" else {})
            self._waiting.tell_places()
            self._forget_oldest()
            self._changed.notify_all()
        try:
            self._history.add(case.entry())
        except OSError:
            _log.exception("history")
        return True


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
