"""The desk: several people ask, each in turn; whatever one question does, the next one is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import media
import pytest
from mm2energon.errors import InputError
from mm2energon.videochat import queue
from mm2energon.videochat.asking import Event, Parameters, Question
from mm2energon.videochat.backends import Backend, Ready, Setup
from mm2energon.videochat.case import Case
from mm2energon.videochat.frames import Bounded, FrameProcess, Unwanted
from mm2energon.videochat.perception import Asked
from mm2energon.videochat.queue import Desk

from videochat.tiny_models import save_adapter

#: Seconds after which a test that waits for something in vain fails.
PATIENCE = 60
ONCE = Parameters(iterations=1, first_prompt="[QUESTION]", next_prompt="[QUESTION]", max_new_tokens=8)


class Model:
    """Says the question back, word by word; waits before each where it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.go = threading.Event()
        self.go.set()
        self.begun: list[str] = []
        self.is_sound = True
        self.is_open = True
        self.forgotten = 0

    def reply(self, asked: Asked, stop: Callable[[], bool]) -> Iterator[str]:
        self.begun.append(asked.prompt)
        if asked.prompt == "crash":
            raise ZeroDivisionError("division by zero\nin line 3")
        if asked.prompt == "refuse":
            raise InputError(f"{asked.video}: cannot be asked")
        if asked.prompt == "spoil":
            self.is_sound = False
        if asked.prompt == "frames":
            yield str(len(asked.frames(Bounded(64))))
        for word in asked.prompt.split():
            while not self.go.wait(0.01):
                if stop():
                    raise Unwanted
            yield f"{word} "

    def forget(self) -> None:
        self.forgotten += 1

    def close(self) -> None:
        self.is_open = False


class Maker:
    """The one back end of these tests, and the models that it opened."""

    def __init__(self) -> None:
        self.opened: list[Model] = []
        self.hold = False
        row = Backend("echo", "Echo", lambda _: Ready(True, "here"), lambda _: ["a", "b"], self.open)
        off = Backend("off", "Off", lambda _: Ready(False, "install it"), lambda _: [], self.open)
        self.rows = {row.name: row, off.name: off}

    def open(self, name: str, setup: Setup, tell: Callable[[str], None]) -> Model:
        tell(f"loading {name}")
        if name == "b" and setup.dtype == "broken":
            raise InputError("model b: cannot be loaded")
        self.opened.append(Model(name))
        if self.hold:
            self.opened[-1].go.clear()
        return self.opened[-1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=30)


@pytest.fixture
def maker() -> Maker:
    return Maker()


class Shared(FrameProcess):
    """One process for all desks of these tests, which is not closed with each."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def frames() -> Iterator[FrameProcess]:
    process = Shared()
    yield process
    FrameProcess.close(process)


@pytest.fixture
def desk(maker: Maker, tmp_path: Path, frames: FrameProcess) -> Iterator[Desk]:
    desk = Desk(Setup(), history=tmp_path / "history.jsonl", backends=maker.rows, frames=frames)
    yield desk
    desk.close()


def question(text: str, clip: Path, **more: Any) -> Question:
    return Question(**{"text": text, "video": clip, "backend": "echo", "parameters": ONCE, **more})


def await_first(desk: Desk, id: str, kind: str) -> Event:
    for event in desk.events(id, wait_seconds=PATIENCE):
        assert event is not None, f"no {kind} came"
        if event.kind == kind:
            return event
    raise AssertionError(f"{kind} never came")


def story(desk: Desk, id: str, after: int = 0) -> list[Event]:
    events = []
    for event in desk.events(id, after, wait_seconds=PATIENCE):
        assert event is not None
        events.append(event)
    return events


def last(desk: Desk, id: str) -> Event:
    return story(desk, id)[-1]


def test_a_question_is_told_from_the_queue_to_the_answer(desk: Desk, clip: Path) -> None:
    events = story(desk, desk.ask(question("what is it", clip)))
    assert [event.kind for event in events] == [
        "queued",
        "loading",
        "round",
        "token",
        "token",
        "token",
        "answer",
        "done",
    ]
    assert [event.number for event in events] == list(range(1, 9))
    assert events[0].data == {"position": 1}
    assert events[2].data == {"round": 1, "of": 1, "frames": [0.0, 0.333333, 0.633333, 0.966667], "adapter": None}
    assert events[-2].data == {"text": "what is it", "reply": "what is it ", "adapter": None}


def test_events_are_json(desk: Desk, clip: Path) -> None:
    for event in story(desk, desk.ask(question("what is it", clip))):
        assert json.loads(json.dumps(dict(event.data))) == dict(event.data)


def test_who_comes_back_gets_what_they_missed(desk: Desk, clip: Path) -> None:
    id = desk.ask(question("a b c", clip))
    whole = story(desk, id)
    for after in range(len(whole) + 2):
        assert story(desk, id, after) == whole[after:]


def test_two_people_see_the_same_question(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    id = desk.ask(question("a b c", clip))
    seen: list[list[Event]] = [[], []]
    threads = [threading.Thread(target=lambda into=into: into.extend(story(desk, id))) for into in seen]
    for thread in threads:
        thread.start()
    await_first(desk, id, "round")
    maker.opened[0].go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen[0] == seen[1]
    assert seen[0][-1].kind == "done"


def test_nothing_for_a_while_is_told_as_none(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    id = desk.ask(question("a", clip))
    number = await_first(desk, id, "round").number
    assert next(desk.events(id, number, wait_seconds=0.01)) is None
    maker.opened[0].go.set()


def test_the_queue_takes_people_in_turn_and_tells_their_places(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    first = desk.ask(question("anna 0", clip, who="anna"))
    await_first(desk, first, "round")
    anna = [desk.ask(question(f"anna {number}", clip, who="anna")) for number in (1, 2, 3)]
    ben = [desk.ask(question(f"ben {number}", clip, who="ben")) for number in (1, 2)]
    places = [[event.data["position"] for event in _so_far(desk, id) if event.kind == "queued"] for id in (*anna, *ben)]
    assert places == [[1, 2], [2, 3, 4], [3, 4, 5], [1], [3]]
    maker.opened[0].go.set()
    assert all(last(desk, id).kind == "done" for id in (*anna, *ben))
    assert maker.opened[0].begun == ["anna 0", "ben 1", "anna 1", "ben 2", "anna 2", "anna 3"]
    (cara,) = [desk.ask(question("cara", clip, who="cara"))]
    assert last(desk, cara).kind == "done"


def _so_far(desk: Desk, id: str) -> list[Event]:
    events = []
    for event in desk.events(id, wait_seconds=0.05):
        if event is None:
            break
        events.append(event)
    return events


def test_a_question_that_waits_can_be_cancelled(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    first, second, third = (desk.ask(question(text, clip)) for text in ("one", "two", "three"))
    await_first(desk, first, "round")
    assert desk.cancel(second)
    assert last(desk, second).kind == "cancelled"
    assert not desk.cancel(second)
    maker.opened[0].go.set()
    assert last(desk, third).kind == "done"
    assert maker.opened[0].begun == ["one", "three"]


def test_a_question_that_is_answered_can_be_cancelled(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    id, next_one = desk.ask(question("one two", clip)), desk.ask(question("three", clip))
    await_first(desk, id, "round")
    assert desk.cancel(id)
    assert [event.kind for event in story(desk, id)][-1] == "cancelled"
    maker.opened[0].go.set()
    assert last(desk, next_one).kind == "done"
    assert "token" not in [event.kind for event in story(desk, id)]


def test_what_had_come_of_a_cancelled_answer_is_in_the_history(clip: Path) -> None:
    case = Case(question("one", clip), "a", [None])
    for round_, word in ((1, "before"), (2, "so"), (2, "far")):
        if word != "far":
            case.add("round", {"round": round_, "of": 2, "frames": [0.0]})
        case.add("token", {"text": f"{word} "})
    case.add("cancelled", {})
    entry = case.entry()
    (answer,) = entry["answers"]
    assert (entry["state"], answer["text"], answer["reply"], len(answer["rounds"])) == ("cancelled", "", "so far ", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crash", "the model stopped: ZeroDivisionError: division by zero"),
        ("refuse", "clip.mp4: cannot be asked"),
    ],
)
def test_what_goes_wrong_with_one_question_ends_that_one_alone(desk: Desk, clip: Path, text: str, message: str) -> None:
    bad, good = desk.ask(question(text, clip)), desk.ask(question("fine", clip))
    assert last(desk, bad).kind == "failed"
    assert last(desk, bad).data == {"message": message}
    assert last(desk, good).kind == "done"


def test_a_broken_video_fails_with_its_name_and_not_its_place(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"nothing")
    event = last(desk, desk.ask(question("what?", tmp_path / "x.mp4", video_name="holiday.mp4")))
    assert event.kind == "failed"
    assert event.data["message"].startswith("holiday.mp4: ")
    assert str(tmp_path) not in event.data["message"]


def test_a_model_that_cannot_be_opened_fails_and_the_next_is_opened(
    maker: Maker, clip: Path, frames: FrameProcess
) -> None:
    desk = Desk(Setup(dtype="broken"), backends=maker.rows, frames=frames)
    assert last(desk, desk.ask(question("one", clip, model="b"))).data["message"] == "model b: cannot be loaded"
    assert last(desk, desk.ask(question("one", clip, model="a"))).kind == "done"
    desk.close()


def test_a_model_stays_open_until_another_is_asked_or_it_is_spoiled(desk: Desk, maker: Maker, clip: Path) -> None:
    for text, model in (("one", "a"), ("two", "a"), ("three", "b"), ("spoil", "b"), ("four", "b")):
        assert last(desk, desk.ask(question(text, clip, model=model))).kind == "done"
    assert [(one.name, one.begun) for one in maker.opened] == [
        ("a", ["one", "two"]),
        ("b", ["three", "spoil"]),
        ("b", ["four"]),
    ]
    assert [one.is_open for one in maker.opened] == [False, False, True]


def test_frames_are_decoded_for_the_model(desk: Desk, clip: Path) -> None:
    assert story(desk, desk.ask(question("frames", clip)))[-2].data["text"] == "4frames"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"backend": "none"}, "backend none: is none; expected one of echo, off"),
        ({"backend": "off"}, "Off: install it"),
        ({"model": "c"}, "model c: is not offered"),
        ({"adapters": ("mine",)}, "adapter mine: Echo takes none"),
    ],
)
def test_what_cannot_be_asked_is_told_before_it_waits(
    desk: Desk, clip: Path, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        desk.ask(question("what?", clip, **more))


def test_one_person_cannot_fill_the_queue(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    await_first(desk, desk.ask(question("first", clip, who="anna")), "round")
    ids = [desk.ask(question(f"{number}", clip, who="anna")) for number in range(10)]
    with pytest.raises(InputError, match="10 wait already, 10 of yours"):
        desk.ask(question("one more", clip, who="anna"))
    ids.append(desk.ask(question("ben", clip, who="ben")))
    maker.opened[0].go.set()
    assert all(last(desk, id).kind == "done" for id in ids)


def test_unknown_questions_are_told(desk: Desk) -> None:
    for ask in (desk.events, desk.cancel):
        with pytest.raises(KeyError):
            ask("nothing")
    assert desk.entry("nothing") is None


def test_the_history_has_what_was_asked_and_answered_also_later(
    desk: Desk, maker: Maker, clip: Path, tmp_path: Path
) -> None:
    done, failed = desk.ask(question("one", clip, who="anna")), desk.ask(question("crash", clip))
    assert last(desk, done).kind == "done"
    assert last(desk, failed).kind == "failed"
    desk.close()
    later = Desk(Setup(), history=tmp_path / "history.jsonl", backends=maker.rows)
    crash, one = later.history()
    assert (one["id"], one["question"], one["who"], one["state"]) == (done, "one", "anna", "done")
    assert (one["video"], one["video_path"], one["model"]) == ("clip.mp4", str(clip), "a")
    (answer,) = one["answers"]
    assert (answer["adapter"], answer["text"], len(answer["rounds"][0]["frames"])) == (None, "one", 4)
    assert (crash["state"], "division" in crash["message"]) == ("failed", True)
    assert later.entry(done) == one
    later.close()


def test_a_question_that_is_open_has_an_entry_and_stands_in_the_history(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    id = desk.ask(question("one", clip))
    await_first(desk, id, "round")
    entry = desk.entry(id)
    assert entry is not None
    assert entry["state"] == "open"
    waits = desk.ask(question("two", clip))
    assert [(one["id"], one["state"]) for one in desk.history()] == [(waits, "open"), (id, "open")]
    maker.opened[0].go.set()


def test_only_the_latest_questions_can_be_followed_and_the_history_has_the_others(
    desk: Desk, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_MOST_OVER", 2)
    ids = [desk.ask(question(f"{number}", clip)) for number in range(4)]
    assert all(last(desk, id).kind == "done" for id in reversed(ids[2:]))
    with pytest.raises(KeyError):
        desk.events(ids[0])
    entry = desk.entry(ids[0])
    assert entry is not None
    assert entry["answers"][0]["text"] == "0"


def test_closing_ends_all_and_takes_no_more(desk: Desk, maker: Maker, clip: Path) -> None:
    maker.hold = True
    ids = [desk.ask(question(text, clip)) for text in ("one", "two")]
    await_first(desk, ids[0], "round")
    desk.close()
    assert [last(desk, id).kind for id in ids] == ["cancelled", "cancelled"]
    assert not maker.opened[0].is_open
    with pytest.raises(InputError, match="closing"):
        desk.ask(question("three", clip))


def test_offers_are_what_a_page_shows(maker: Maker) -> None:
    desk = Desk(Setup(), backends=maker.rows)
    offers = json.loads(json.dumps(desk.offers()))
    assert offers["backends"][0] == {
        "name": "echo",
        "title": "Echo",
        "ready": True,
        "message": "here",
        "models": ["a", "b"],
        "adapters": False,
        "any_name": False,
    }
    assert offers["backends"][1]["models"] == []
    assert offers["adapters"] == []
    assert Parameters.read(offers["defaults"]) == Parameters()
    desk.close()


def test_two_adapters_answer_one_question_side_by_side_as_soon_as_they_are_there(
    models: dict[str, Path], clip: Path, tmp_path: Path
) -> None:
    tiny = models["qwen2_5_vl"]
    desk = Desk(Setup(models=(str(tiny),), adapters=tmp_path / "lora", device="cpu"))
    whole = Parameters(iterations=1, max_new_tokens=8, repetition_penalty=1.0)

    def answers(*adapters: str | None) -> dict[str | None, str]:
        asked = Question("what is it?", clip, adapters=adapters, parameters=whole)
        events = story(desk, desk.ask(asked))
        assert events[-1].kind == "done", events[-1]
        return {event.data["adapter"]: event.data["text"] for event in events if event.kind == "answer"}

    base = answers(None)
    with pytest.raises(InputError, match="adapter new: is not in .*expected one of none"):
        desk.ask(Question("what?", clip, adapters=("new",)))
    save_adapter(tmp_path / "lora/new", tiny)
    assert [one["name"] for one in desk.offers()["adapters"]] == ["new"]
    save_adapter(tmp_path / "lora/foreign", tiny, base="Qwen/Qwen2.5-VL-7B-Instruct")
    with pytest.raises(InputError, match="adapter foreign: was made for Qwen/Qwen2.5-VL-7B-Instruct"):
        desk.ask(Question("what?", clip, adapters=("foreign",)))
    both = answers("new", None)
    assert list(both) == ["new", None]
    assert both[None] == base[None]
    assert both["new"] != both[None]
    save_adapter(tmp_path / "lora/other", tiny, seed=5)
    assert answers("other", "new")["new"] == both["new"]
    assert answers(None) == base
    desk.close()
