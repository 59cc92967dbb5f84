"""Stopwatch: what is timed is added up under its name."""

import threading
import time

from mm2energon.stopwatch import Spent, Stopwatch


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_step_is_added_up_by_the_clock_and_by_the_work():
    watch = Stopwatch()
    with watch.time("work"):
        burn(0.02)
    with watch.time("wait"):
        time.sleep(0.02)
    with watch.time("work"):
        burn(0.02)
    assert list(watch.spent) == ["work", "wait"]
    assert watch.spent["work"].cpu_seconds >= 0.04
    assert watch.spent["wait"].wall_seconds >= 0.02
    assert watch.spent["wait"].cpu_seconds < watch.spent["wait"].wall_seconds


def test_a_step_that_fails_is_timed_all_the_same():
    watch = Stopwatch()
    try:
        with watch.time("work"):
            raise ValueError
    except ValueError:
        pass
    assert list(watch.spent) == ["work"]


def test_items_pass_through_and_the_time_to_make_them_is_taken():
    def made():
        for number in range(3):
            burn(0.01)
            yield number

    watch = Stopwatch()
    taken = []
    for item in watch.each("make", made()):
        burn(0.02)
        taken.append(item)
    assert taken == [0, 1, 2]
    assert 0.03 <= watch.spent["make"].cpu_seconds < 0.06


def test_threads_add_to_one_sum():
    watch = Stopwatch()

    def work():
        for _ in range(1000):
            watch.add("work", Spent(1.0, 0.5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watch.spent["work"] == Spent(4000.0, 2000.0)
