"""The strip shows the very frames that training sees: those beside the video, or the same ones decoded here."""

import io
import json
import os

import pytest
from media import read_number, write_clip, write_image
from mm2energon import cli
from mm2energon.errors import MediaError
from mm2energon.sample import Sample, Turn
from mm2energon.studio import decoding, strips
from mm2energon.studio.isolated import Isolated
from PIL import Image

from studio.opened import entry, opened, write_entries


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    write_clip(root / "clip.mp4", frames=31, rate=10)
    return root


def strip_of(page, number=0, index=0, **query):
    answer = page.get(f"/api/items/{number}/frames/{index}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(page, strip):
    """The numbers that are drawn on the frames, as another reader sees them."""
    pictures = [page.get(frame["url"]) for frame in strip["frames"]]
    assert {picture.headers["content-type"] for picture in pictures} <= {"image/jpeg", "image/png"}
    return [read_number(Image.open(io.BytesIO(picture.content))) for picture in pictures]


def test_a_video_without_frames_is_decoded_as_the_frames_command_does(root):
    with opened(write_entries(root / "d.json", [entry("video", "clip.mp4")])) as page:
        strip = strip_of(page)
        assert (strip["source"], strip["fps"], strip["interval"]) == ("decoded", 2.0, 0.5)
        assert [frame["time"] for frame in strip["frames"]] == [0, 0.5, 1, 1.5, 2, 2.5, 3]
        assert shown(page, strip) == [0, 5, 10, 15, 20, 25, 30]
        made = [page.get(frame["url"]).content for frame in strip["frames"]]
    assert sorted(path.name for path in root.iterdir() if not path.name.startswith(".")) == ["clip.mp4", "d.json"]
    write_entries(root / "qa.json", [entry("video", "clip.mp4")])
    assert cli.main(["frames", "--dataset-root", str(root), "--time-interval", "0.5"]) == 0
    assert [path.read_bytes() for path in sorted((root / "clip").iterdir())] == made


def test_frames_that_lie_beside_the_video_are_shown_whatever_their_interval(root):
    write_entries(root / "qa.json", [entry("video", "clip.mp4")])
    assert cli.main(["frames", "--dataset-root", str(root), "--time-interval", "1"]) == 0
    with opened(root / "dataset.json") as page:
        strip = strip_of(page)
        assert (strip["source"], strip["fps"]) == ("extracted", 1.0)
        assert shown(page, strip) == [0, 10, 20, 30]
        again = strip_of(page, interval=1)
        assert again["source"] == "extracted"
        other = strip_of(page, interval=0.2)
        assert (other["source"], shown(page, other)) == ("decoded", list(range(0, 31, 2)))


def test_frames_of_other_tools_are_shown_by_their_rate(root):
    folder = root / "other"
    folder.mkdir()
    for number in range(3):
        write_image(folder / f"frame_{number}.png", number=number)
    (root / "other.json").write_text(json.dumps({"fps": "4.0"}))
    with opened(write_entries(root / "d.json", [entry("video", "other.mp4")])) as page:
        strip = strip_of(page)
        assert (strip["source"], [frame["time"] for frame in strip["frames"]]) == ("extracted", [0, 0.25, 0.5])
        assert shown(page, strip) == [0, 1, 2]


def test_listed_frames_are_shown_in_their_order_also_those_that_browsers_do_not_show(root):
    for number in range(3):
        write_image(root / f"{number}.bmp", number=number)
    listed = [f"{number}.bmp" for number in (2, 0, 1)]
    with opened(write_entries(root / "d.json", [entry("video", listed)])) as page:
        strip = strip_of(page)
        assert (strip["source"], shown(page, strip)) == ("listed", [2, 0, 1])
        told = page.get("/api/items/0").json()["media"][0]
        assert (told["url"], told["frames_url"]) == (None, "/api/items/0/frames/0")


def test_frames_of_a_shard_come_out_of_the_tar(root):
    write_entries(root / "qa.json", [entry("video", "clip.mp4")])
    assert cli.main(["frames", "--dataset-root", str(root), "--time-interval", "0.5"]) == 0
    assert cli.main(["shard", "--dataset-root", str(root), "--target", "pai-v1"]) == 0
    with opened(root / "wds") as page:
        strip = strip_of(page)
        assert (strip["source"], strip["fps"]) == ("shard", 2.0)
        assert shown(page, strip) == [0, 5, 10, 15, 20, 25]  # pai-v1 takes an even number
        (told,) = page.get("/api/items/0").json()["media"]
        assert (told["kind"], told["url"], told["frames_url"]) == ("video", None, "/api/items/0/frames/0")
        sample = Sample((Turn("user", "<video>q"), Turn("assistant", "a")), videos=("clip.mp4",))
        (root / "wds" / "clip.mp4").write_bytes((root / "clip.mp4").read_bytes())
        kept = page.app.state.studio.review.keep(sample, {})
        assert shown(page, strip_of(page, kept)) == [0, 5, 10, 15, 20, 25, 30]  # an answer's video is a file


def test_what_the_target_makes_of_the_frames_is_said_and_what_makes_no_sense_refused(root):
    with opened(write_entries(root / "d.json", [entry("video", "clip.mp4"), entry("image")])) as page:
        assert "the last one is cut" in strip_of(page, target="pai-v1")["message"]
        assert strip_of(page, target="crude")["message"] == ""
        assert page.get("/api/items/0/frames/0?target=nobody").status_code == 400
        for interval in ("0", "-1", "nan", "inf", "x", "1e9"):
            assert page.get(f"/api/items/0/frames/0?interval={interval}").status_code == 422
        for path in ("0/frames/1", "1/frames/0", "0/frames/0/7", "0/frames/0/99999"):
            assert page.get(f"/api/items/{path}").status_code == 404


def test_a_broken_video_costs_a_message_which_is_remembered(root):
    (root / "broken.mp4").write_bytes((root / "clip.mp4").read_bytes()[:1500])
    entries = [entry("video", "broken.mp4"), entry("video", "clip.mp4")]
    with opened(write_entries(root / "d.json", entries)) as page:
        for _ in range(2):
            answer = page.get("/api/items/0/frames/0")
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable-video")
        assert len(page.app.state.studio.decoding._faults) == 1
        assert len(strip_of(page, 1)["frames"]) == 7


def test_a_video_that_took_too_long_is_tried_again_after_a_while(root, monkeypatch):
    calls, answers = [], [MediaError("clip.mp4: too long", "video-timeout"), None]

    async def answer(_isolated, _request, step, unit, **_more):
        calls.append(unit.video)
        error = answers.pop(0)
        if error is not None:
            raise error
        return step(unit)

    with opened(write_entries(root / "d.json", [entry("video", "clip.mp4")])) as page:
        monkeypatch.setattr(Isolated, "answer", answer)
        for _ in range(2):
            assert page.get("/api/items/0/frames/0").json()["error"]["code"] == "video-timeout"
        monkeypatch.setattr(decoding, "_AGAIN_SECONDS", -1.0)
        assert len(strip_of(page)["frames"]) == 7
    assert calls == ["clip.mp4"] * 2


def test_a_video_of_very_many_frames_is_refused_with_their_number(root, monkeypatch):
    monkeypatch.setattr(strips, "MOST_FRAMES", 5)
    with opened(write_entries(root / "d.json", [entry("video", "clip.mp4")])) as page:
        answer = page.get("/api/items/0/frames/0")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too-many-frames")


def test_frames_that_are_links_out_of_the_root_are_not_shown(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    for number in range(2):
        write_image(outside / f"{number}.png", number=number)
    (root / "linked").symlink_to(outside)
    (root / "linked.json").write_text('{"fps": "2.0"}')
    (root / "inner").mkdir()
    (root / "inner" / "0.png").symlink_to(outside / "0.png")
    (root / "inner.json").write_text('{"fps": "2.0"}')
    entries = [entry("video", "linked.mp4"), entry("video", "inner.mp4"), entry("video", "../outside/x.mp4")]
    with opened(write_entries(root / "d.json", entries)) as page:
        assert page.get("/api/items/0/frames/0").status_code == 403
        assert page.get(strip_of(page, 1)["frames"][0]["url"]).status_code == 403
        assert page.get("/api/items/2/frames/0").status_code == 403


def test_a_video_that_changes_is_decoded_anew(root):
    with opened(write_entries(root / "d.json", [entry("video", "clip.mp4")])) as page:
        assert shown(page, strip_of(page))[0] == 0
        write_clip(root / "clip.mp4", frames=11, rate=10, first=100)
        assert shown(page, strip_of(page)) == [100, 105, 110]


def test_the_cache_of_frames_has_a_limit_and_the_last_ones_stay(tmp_path):
    for number in range(3):
        place = tmp_path / "a" / f"{number}.jpegs"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(bytes(100))
        place.with_suffix(".json").write_text("{}")
        os.utime(place, (number, number))
    decoding.sweep(tmp_path, 150)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["2.jpegs", "2.json"]


def test_a_video_that_is_named_without_its_ending_is_that_of_the_disk(root):
    write_entries(root / "qa.json", [{"q": "What is this?", "a": "A clip.", "video_id": "clip"}])
    with opened(root / "qa.json") as page:
        (medium,) = page.get("/api/items/0").json()["media"]
        assert (medium["exists"], medium["playable"], medium["error"]) == (True, True, None)
        assert page.get(medium["url"]).content == (root / "clip.mp4").read_bytes()
        assert shown(page, strip_of(page)) == [0, 5, 10, 15, 20, 25, 30]
        assert page.get("/api/items/0/check").json()["warnings"] == []
    assert cli.main(["frames", "--dataset-root", str(root), "--time-interval", "1"]) == 0
    with opened(root / "qa.json") as page:  # now a folder of that name lies beside the video
        assert page.get("/api/items/0").json()["media"][0]["playable"] is True
        assert (strip_of(page)["source"], shown(page, strip_of(page))) == ("extracted", [0, 10, 20, 30])


def test_a_video_that_is_a_folder_of_pictures_is_shown_as_these(root):
    (root / "synthetic").mkdir()
    for number in range(3):
        write_image(root / "synthetic" / f"frame_{number}.png", number=number)
    with opened(write_entries(root / "d.json", [entry("video", "synthetic"), entry("video", "none")])) as page:
        medium, missing = (page.get(f"/api/items/{number}").json()["media"][0] for number in range(2))
        assert (medium["exists"], medium["url"], medium["message"]) == (True, None, "a folder of frames")
        assert (strip_of(page)["source"], shown(page, strip_of(page))) == ("listed", [0, 1, 2])
        assert page.get("/api/items/0/media/video/0").status_code == 404
        assert (missing["exists"], missing["error"]["code"]) == (False, "missing-media")
