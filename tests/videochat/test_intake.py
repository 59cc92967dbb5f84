"""A video from outside is taken in: as a job, once for the same content, within limits, and without a trace if not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from media import write_clip
from mm2energon.errors import InputError
from mm2energon.videochat.download import DownloadLimits
from mm2energon.videochat.intake import BusyError, Intake, Job
from mm2energon.videochat.sanitise import CopyLimits, Sanitising
from mm2energon.videochat.video_cache import VideoCache

from videochat import apart_steps
from videochat.web import Web, give, serving, stalling


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", frames=20, rate=10)


@pytest.fixture
def web(clip: Path) -> Iterator[Web]:
    with serving({"/v.mp4": give(clip.read_bytes()), "/slow.mp4": stalling(clip.read_bytes())}) as served:
        yield served


@pytest.fixture
def intake(tmp_path: Path, web: Web) -> Iterator[Intake]:
    opened = Intake(VideoCache(tmp_path / "videos", most_bytes=1 << 30), allowed=web.allowed)
    yield opened
    opened.close()


def over(job: Job) -> Job:
    assert job.is_over.wait(60)
    return job


def left(intake: Intake) -> list[Path]:
    """What lies in the cache that is no copy."""
    return list((intake.cache.folder / "work").iterdir())


def test_a_file_is_copied_and_stays_and_its_copy_knows_it(intake: Intake, clip: Path) -> None:
    before = clip.read_bytes()
    job = over(intake.take_file(intake.expect("clips/ein Film.mp4", who="a"), clip))
    assert (job.state, job.error) == ("done", None)
    video = job.video
    assert video is not None
    assert (video.name, video.frames, video.duration, video.source) == ("ein Film.mp4", 20, 2.0, str(clip))
    assert clip.read_bytes() == before
    assert left(intake) == []


def test_the_same_content_is_copied_once_whatever_it_is_called(intake: Intake, clip: Path, web: Web) -> None:
    first = over(intake.take_url(web.url("/v.mp4"), who="a")).video
    assert first is not None
    made = first.path.stat().st_ino
    second = over(intake.take_file(intake.expect("other.mov", who="b"), clip)).video
    assert second is not None
    assert (second.key, second.path.stat().st_ino) == (first.key, made)
    assert second.source == str(clip)


def test_another_recipe_makes_another_copy(intake: Intake, clip: Path) -> None:
    first = over(intake.take_file(intake.expect("v.mp4", who="a"), clip)).video
    small = Intake(intake.cache, copies=replace(CopyLimits(), pixels=5000))
    second = over(small.take_file(small.expect("v.mp4", who="a"), clip)).video
    assert first is not None and second is not None
    assert first.key != second.key
    assert second.width * second.height <= 5000


def test_what_goes_wrong_is_said_and_nothing_stays(intake: Intake, web: Web, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(b"\0noise" * 100)
    held = ExitStack()
    closed: list[bool] = []
    held.callback(closed.append, True)
    for job in (
        intake.take_file(intake.expect("noise.mp4", who="a"), noise, held=held, ours=True),
        intake.take_url(web.url("/none.mp4"), who="a"),
    ):
        assert over(job).state == "failed"
        assert job.error is not None
        assert job.name in job.error
        assert str(tmp_path) not in job.error
    assert closed == [True]
    assert left(intake) == []


def test_an_address_that_is_none_is_refused_at_once(intake: Intake) -> None:
    with pytest.raises(InputError, match="its scheme is file"):
        intake.take_url("file:///etc/passwd", who="a")
    assert over(intake.take_url("http://localhost/", who="a")).error is not None


def test_a_job_that_is_cancelled_ends_and_leaves_nothing(intake: Intake, web: Web) -> None:
    job = intake.take_url(web.url("/slow.mp4"), who="a")
    job.stop.set()
    assert over(job).state == "cancelled"
    assert (job.video, left(intake)) == (None, [])


def test_nobody_has_more_than_their_share_and_closing_ends_all(intake: Intake, web: Web) -> None:
    jobs = [intake.take_url(web.url("/slow.mp4"), who="a") for _ in range(3)]
    expected = intake.expect("v.mp4", who="a")
    for take in (lambda: intake.expect("v.mp4", who="a"), lambda: intake.take_url(web.url("/v.mp4"), who="a")):
        with pytest.raises(BusyError, match="4 of them yours"):
            take()
    intake.give_up(expected)
    intake.give_up(intake.expect("v.mp4", who="a"))
    intake.give_up(intake.expect("v.mp4", who="b"))
    intake.close()
    assert {over(job).state for job in [*jobs, expected]} == {"cancelled"}
    with pytest.raises(BusyError):
        intake.expect("v.mp4", who="b")


def greedy(_job: Sanitising) -> int:
    """In the place of what makes the copy: how much memory an encoder takes differs from one machine to the next."""
    return len(bytearray(4 << 30))


def test_a_copy_that_takes_too_much_memory_is_given_up(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mm2energon.videochat.intake.sanitise", greedy)
    intake = Intake(VideoCache(tmp_path, most_bytes=1 << 30), copies=CopyLimits(memory_bytes=1 << 30))
    job = over(intake.take_file(intake.expect("v.mp4", who="a"), clip))
    assert job.error is not None
    assert "memory" in job.error


def test_a_download_that_takes_too_long_is_given_up(tmp_path: Path, web: Web) -> None:
    cache = VideoCache(tmp_path, most_bytes=1 << 30)
    hurried = Intake(cache, downloads=DownloadLimits(seconds=0.5), allowed=web.allowed)
    job = over(hurried.take_url(web.url("/slow.mp4"), who="a"))
    assert job.error is not None
    assert "took longer than 0.5 s" in job.error


def test_a_disk_that_is_full_is_said(intake: Intake, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm2energon.videochat.intake.sanitise", apart_steps.sanitise_on_a_full_disk)
    job = over(intake.take_file(intake.expect("v.mp4", who="a"), clip))
    assert job.error == "v.mp4: it could not be taken in (File too large)"
    assert left(intake) == []
    assert list(intake.cache.folder.glob("*.mp4")) == []


def test_all_uploads_that_stall_are_waited_for_together(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr("mm2energon.videochat.intake.time.monotonic", lambda: clock[0])
    for number in range(4):
        monkeypatch.setattr(intake.expect("a.mp4", who="a").is_over, "wait", wait)
        assert len(intake._jobs) == number + 1
    intake.close()
    assert 100 < clock[0] <= 105
