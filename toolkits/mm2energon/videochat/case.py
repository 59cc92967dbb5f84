"""Case: one question at the desk, and all that has happened to it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from mm2energon.videochat.adapters import Adapter
from mm2energon.videochat.asking import Event, Question


class Case:
    """A question, the model that is asked, and the events so far; whoever changes it holds the desk's lock."""

    def __init__(self, question: Question, model: str, adapters: list[Adapter | None]) -> None:
        self.id = secrets.token_hex(8)
        self.question, self.model, self.adapters = question, model, adapters
        self.events: list[Event] = []
        self.stop = threading.Event()
        #: Among those that wait, as it was told last.
        self.position = 0
        self._at = datetime.now(timezone.utc)
        self._answers: dict[str | None, dict[str, Any]] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return bool(self.events) and self.events[-1].is_last

    def has_more(self, after: int) -> bool:
        """Whether there are events behind that number, or nothing will come."""
        return len(self.events) > after or self.is_over

    def add(self, kind: str, data: Mapping[str, Any]) -> None:
        """Note an event; what comes behind the last is passed over."""
        if self.is_over:
            return
        self.events.append(Event(len(self.events) + 1, kind, data))
        if kind in ("round", "token", "spans", "answer"):
            self._note(kind, data)

    def _note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Gather what each adapter said, for the history."""
        name = data.get("adapter")
        answer = self._answers.setdefault(name, {"adapter": name, "text": "", "reply": "", "rounds": []})
        rounds = answer["rounds"]
        if kind == "round":
            rounds.append({"round": data["round"], "frames": data["frames"], "spans": []})
            answer["reply"] = ""
        elif kind == "token":
            answer["reply"] += data["text"]
        elif kind == "spans":
            rounds[-1]["spans"] = data["spans"]
        else:
            answer |= {"text": data["text"], "reply": data["reply"]}

    def entry(self) -> dict[str, Any]:
        """As a JSON object; `state` is `open` while it is not over."""
        question = self.question
        last = self.events[-1] if self.is_over else None
        return {
            "id": self.id,
            "at": self._at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "who": question.who,
            "question": question.text,
            "video": question.video_name,
            "video_path": str(question.video),
            "backend": question.backend,
            "model": self.model,
            "adapters": list(question.adapters),
            "parameters": question.parameters.as_dict(),
            "state": last.kind if last is not None else "open",
            "message": last.data.get("message", "") if last is not None else "",
            "answers": list(self._answers.values()),
        }
