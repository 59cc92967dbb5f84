"""A folder of a store is one run's at a time."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from mm2energon.errors import InputError
from mm2energon.pipeline import lease
from mm2energon.pipeline.lease import LEASE, Lease, leased
from mm2energon.remote import Remote

pytest_plugins = ["stores"]


def held_by(folder, **other):
    """A lease of somebody's, with some of what it says changed."""
    (Remote(folder) / LEASE).write(b"{}")
    with leased(Remote(folder)):
        about = json.loads((Remote(folder) / LEASE).read())
    (Remote(folder) / LEASE).write(json.dumps({**about, "token": "theirs", **other}).encode())


def ended():
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_run_is_refused_while_the_first_lives_and_let_in_then(folder):
    refused = pytest.raises(InputError, match=f"^{folder}: another run writes to it now .*process {os.getpid()}")
    with leased(Remote(folder)), refused:
        Lease(Remote(folder))
    with leased(Remote(folder)):
        pass
    assert list(Remote(folder).files(deep=True)) == []


def test_a_lease_of_another_machine_is_taken_over_when_nobody_has_written_it_for_minutes(folder):
    held_by(folder, system="another", process=1, at=time.time() - 250)
    with pytest.raises(InputError, match="if it was killed, this one may begin in (49|50) seconds"):
        Lease(Remote(folder))
    held_by(folder, system="another", process=1, at=time.time() - 310)
    with leased(Remote(folder)):
        pass


def test_a_lease_of_a_process_of_this_machine_that_is_gone_is_taken_over_at_once(folder):
    held_by(folder, process=ended())
    before = (Remote(folder) / LEASE).read()
    with leased(Remote(folder)) as ours:
        ours.require()
        assert (Remote(folder) / LEASE).read() != before


def test_a_file_that_is_no_lease_is_none(folder):
    (Remote(folder) / LEASE).write(b"{")
    with leased(Remote(folder)) as ours:
        ours.require()
        assert ours._us.token.encode() in (Remote(folder) / LEASE).read()


def test_a_lease_is_written_anew_while_its_run_lives(folder, monkeypatch):
    monkeypatch.setattr(lease, "_EVERY_SECONDS", 0.01)
    with leased(Remote(folder)):
        first, until = (Remote(folder) / LEASE).read(), time.monotonic() + 60
        while (Remote(folder) / LEASE).read() == first:
            assert time.monotonic() < until, "nobody wrote it anew"
            time.sleep(0.01)


def test_who_lost_it_is_told_and_leaves_it_to_the_other(folder):
    with leased(Remote(folder)) as ours:
        ours.require()
        (Remote(folder) / LEASE).write((Remote(folder) / LEASE).read().replace(ours._us.token.encode(), b"theirs"))
        with pytest.raises(InputError, match="another run writes to it now"):
            ours.require()
    assert b"theirs" in (Remote(folder) / LEASE).read()


def test_of_several_that_come_at_the_same_moment_one_is_let_in(folder):
    held, barrier = [], threading.Barrier(6)

    def enter():
        barrier.wait()
        try:
            held.append(Lease(Remote(folder)))
        except InputError:
            return

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    held[0].leave()


def test_a_lease_that_is_being_written_anew_at_the_end_does_not_stay(s3, monkeypatch):
    monkeypatch.setattr(lease, "_EVERY_SECONDS", 0.01)
    writing, real = threading.Event(), Remote.write

    def slowly(self, data):
        writing.set()
        time.sleep(0.3)
        real(self, data)

    monkeypatch.setattr(Remote, "write", slowly)
    with leased(Remote(s3)):
        assert writing.wait(60)
    time.sleep(0.5)
    assert list(Remote(s3).files(deep=True)) == []
