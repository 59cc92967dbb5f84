"""Work in processes of its own: a crash or a hang costs a message, what nobody waits for is given up."""

import asyncio
import os
import threading
import time

import pytest
from mm2energon.errors import MediaError, ToolkitError
from mm2energon.pipeline.loop import Limits
from mm2energon.studio.answers import Refused
from mm2energon.studio.isolated import Isolated

from studio.steps import break_down, crash, double, hang, refuse


@pytest.fixture
def isolated():
    made = Isolated(1, Limits(seconds=60))
    yield made
    made.close()


class Asker:
    """A request whose sender may go."""

    def __init__(self, gone=False):
        self.gone = gone

    async def is_disconnected(self):
        return self.gone


def test_what_a_step_makes_comes_back_and_its_worker_lives_on(isolated):
    assert [isolated.run(double, number) for number in (1, 2)] == [2, 4]
    assert len(isolated._free) == 1


def test_an_error_and_a_crash_cost_their_item_alone(isolated):
    with pytest.raises(MediaError, match="a: no"):
        isolated.run(refuse, "a")
    with pytest.raises(MediaError, match="died"):
        isolated.run(crash, "b")
    with pytest.raises(ZeroDivisionError):
        isolated.run(break_down, "c")
    assert isolated.run(double, 4) == 8


def test_what_hangs_is_stopped_with_a_message_of_its_own(tmp_path):
    isolated = Isolated(1, Limits(seconds=0.5))
    with pytest.raises(MediaError, match="took longer than 0.5 s here") as told:
        isolated.run(hang, tmp_path / "pid")
    assert told.value.code == "video-timeout" and "--video-timeout" not in str(told.value)
    isolated.close()


def test_requests_of_one_key_share_one_piece_of_work(isolated):
    async def ask():
        return await asyncio.gather(*(isolated.answer(Asker(), double, 3, key="k") for _ in range(4)))

    assert asyncio.run(ask()) == [6] * 4
    assert isolated._jobs == {}


def test_work_is_given_up_when_nobody_waits_and_its_process_ends(isolated, tmp_path):
    path, asker = tmp_path / "pid", Asker()

    async def ask():
        task = asyncio.ensure_future(isolated.answer(asker, hang, path))
        while not (path.exists() and path.read_text()):
            await asyncio.sleep(0.05)
        asker.gone = True
        with pytest.raises(Refused):
            await task

    asyncio.run(ask())
    assert_gone(int(path.read_text()))
    assert isolated.run(double, 1) == 2


def test_closing_ends_also_what_is_under_way_and_begins_nothing_new(tmp_path):
    isolated, path = Isolated(1, Limits(seconds=60)), tmp_path / "pid"
    outcomes = []

    def run():
        try:
            isolated.run(hang, path)
        except ToolkitError as error:
            outcomes.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not (path.exists() and path.read_text()):
        time.sleep(0.05)
    isolated.close()
    thread.join(10)
    assert len(outcomes) == 1
    assert_gone(int(path.read_text()))
    with pytest.raises(ToolkitError, match="stops"):
        isolated.run(double, 1)


def assert_gone(pid):
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"{pid} still runs")
