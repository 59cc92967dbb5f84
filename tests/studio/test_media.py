"""Media are asked for by number, come from inside the roots alone, and as what they are."""

import contextlib
import io
import os
import threading
import time

import pytest
from media import read_number, write_clip, write_image
from mm2energon.roots import media_file
from mm2energon.studio.isolated import GivenUpError
from PIL import Image

from studio.opened import entry, opened, write_entries, write_media
from studio.steps import hang

#: As Python has a name that is no UTF-8.
NOT_UTF8 = os.fsdecode(b"\xff\xfe.jpg")
TURNED = "\u202egpj.4pm.mp4"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("media") / "data"
    root.mkdir()
    write_media(root)
    secret = root.parent / "secret.jpg"
    write_image(secret)
    (root / "link.jpg").symlink_to(secret)
    (root / "folder.jpg").mkdir()
    odd = root / 'né "x"\n<b>.jpg'
    write_image(odd)
    write_image(root / "b.jpg").rename(root / NOT_UTF8)
    return root


@pytest.fixture(scope="module")
def ask(root):
    """Asks for the first medium of an entry of its own."""
    wanted = {}
    names = {
        "image": ["a.jpg", "a.tiff", "a.bmp", "page.jpg", "drawn.svg", "link.jpg", "../secret.jpg", "none.jpg"]
        + [str(root.parent / "secret.jpg"), "http://127.0.0.1/a.jpg", "folder.jpg", 'né "x"\n<b>.jpg', "a\0.jpg"]
        + [NOT_UTF8, "\ud800.jpg"],
        "video": ["clip.mp4", "old.avi", "broken.mp4", "../../etc/passwd", TURNED],
        "audio": ["tone.wav", "page.jpg"],
    }
    entries = []
    for kind, paths in names.items():
        for path in paths:
            wanted[kind, path] = len(entries)
            entries.append(entry(kind, path))
    entries.append(entry("image"))
    with opened(write_entries(root / "d.json", entries)) as page:

        def ask(kind, path, method="GET", **options):
            return page.request(method, f"/api/items/{wanted[kind, path]}/media/{kind}/0", **options)

        ask.page, ask.wanted = page, wanted
        yield ask


def test_a_picture_is_sent_byte_for_byte(ask, root):
    answer = ask("image", "a.jpg")
    assert (answer.content, answer.headers["content-type"]) == ((root / "a.jpg").read_bytes(), "image/jpeg")


@pytest.mark.parametrize("name", ["a.tiff", "a.bmp"])
def test_a_picture_that_browsers_do_not_show_is_made_one_that_they_do(ask, name):
    answer = ask("image", name)
    assert answer.headers["content-type"] == "image/png"
    assert read_number(Image.open(io.BytesIO(answer.content))) == 7
    tag = answer.headers["etag"]
    assert ask("image", name, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["page.jpg", "drawn.svg"])
def test_what_a_browser_could_run_is_never_sent_as_a_picture(ask, name):
    answer = ask("image", name)
    assert answer.status_code == 422 and "alert" not in answer.text
    assert answer.headers["content-type"] == "application/json"


def test_what_is_no_sound_is_saved_and_never_shown(ask):
    answer = ask("audio", "page.jpg")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("kind", "name", "status"),
    [("image", "link.jpg", 403), ("image", "../secret.jpg", 403), ("video", "../../etc/passwd", 403)]
    + [("image", "none.jpg", 404), ("image", "folder.jpg", 404), ("image", "a\0.jpg", 404)]
    + [("image", "http://127.0.0.1/a.jpg", 403)],
)
def test_what_lies_outside_or_is_no_file_is_refused(ask, kind, name, status):
    answer = ask(kind, name)
    assert answer.status_code == status and set(answer.json()["error"]) == {"message", "code"}
    told = ask.page.get(f"/api/items/{ask.wanted[kind, name]}").json()["media"][0]
    assert (told["exists"], told["url"]) == (False, None) and told["error"]["message"]


@pytest.mark.parametrize("address", ["media/image/0", "frames/0/0"])
def test_what_becomes_a_link_between_the_look_and_the_opening_is_refused(tmp_path, monkeypatch, address):
    root = tmp_path / "data"
    root.mkdir()
    write_image(tmp_path / "secret.jpg", number=3)

    def look_and_exchange(*given, **more):
        path = media_file(*given, **more)
        path.unlink()
        path.symlink_to(tmp_path / "secret.jpg")
        return path

    with opened(write_entries(root / "d.json", [entry("image", "a.jpg"), entry("video", ["a.jpg"])])) as page:
        for module in ("media", "strips"):
            monkeypatch.setattr(f"mm2energon.studio.{module}.media_file", look_and_exchange)
        write_image(root / "a.jpg")
        answer = page.get(f"/api/items/{int('frames' in address)}/{address}")
    assert answer.status_code in (404, 422) and "lead out of the dataset root" in answer.json()["error"]["message"]


def test_an_absolute_path_outside_is_refused_and_one_below_an_opened_root_is_taken(ask, root):
    outside = str(root.parent / "secret.jpg")
    assert ask("image", outside).status_code == 403
    with opened(write_entries(root / "o.json", [entry("image", outside)]), further=(root.parent.resolve(),)) as page:
        assert page.get("/api/items/0/media/image/0").status_code == 200


@pytest.mark.parametrize("index", [1, 99999, 2**31 - 1])
def test_media_that_an_entry_does_not_have_are_not_found(ask, index):
    assert ask.page.get(f"/api/items/0/media/image/{index}").status_code == 404
    assert ask.page.get("/api/items/0/media/video/0").status_code == 404
    assert ask.page.get(f"/api/items/{index + 1000}/media/image/0").status_code in (404, 422)


@pytest.mark.parametrize("path", ["image/-1", "text/0", "image/..%2f..%2fetc", "image/1e3"])
def test_what_is_no_kind_or_no_number_is_refused(ask, path):
    assert ask.page.get(f"/api/items/0/media/{path}").status_code in (404, 422)


def test_an_odd_name_goes_into_headers_safely(ask):
    told = ask("image", 'né "x"\n<b>.jpg').headers["content-disposition"]
    assert told == "inline; filename*=UTF-8''n%C3%A9%20%22x%22%0A%3Cb%3E.jpg"


def test_a_name_that_is_no_utf8_is_shown_too_and_one_that_no_file_can_have_is_refused(ask):
    answer = ask("image", NOT_UTF8)
    assert (answer.status_code, answer.headers["content-disposition"]) == (200, "inline; filename*=UTF-8''%3F%3F.jpg")
    assert told_name(ask, "image", NOT_UTF8) == r"\udcff\udcfe.jpg"
    assert ask("image", "\ud800.jpg").status_code == 404


def told_name(ask, kind, path):
    return ask.page.get(f"/api/items/{ask.wanted[kind, path]}").json()["media"][0]["name"]


def test_a_name_that_turns_its_direction_is_shown_as_it_is_written(ask):
    assert told_name(ask, "video", TURNED) == r"\u202egpj.4pm.mp4"  # which would look like 4pm.mp4.jpg
    assert told_name(ask, "image", 'né "x"\n<b>.jpg') == r'né "x"\n<b>.jpg'


def test_a_video_is_sought_in_by_ranges(ask, root):
    data = (root / "clip.mp4").read_bytes()
    answer = ask("video", "clip.mp4", headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, data[100:200], "video/mp4")
    head = ask("video", "clip.mp4", method="HEAD")
    assert (head.headers["content-length"], head.headers["accept-ranges"]) == (str(len(data)), "bytes")


def test_a_video_that_browsers_do_not_play_gets_a_copy_that_they_do(ask, tmp_path):
    number = ask.wanted["video", "old.avi"]
    told = ask.page.get(f"/api/items/{number}").json()["media"][0]
    assert not told["playable"] and "AVI" in told["message"] and told["url"] != told["original_url"]
    copy = ask.page.get(told["url"])
    assert copy.headers["content-type"] == "video/mp4"
    (tmp_path / "copy.mp4").write_bytes(copy.content)
    import av

    with av.open(str(tmp_path / "copy.mp4")) as container:
        shown = [read_number(frame.to_image()) for frame in container.decode(video=0)]
    assert shown == list(range(31))
    assert ask.page.get(told["url"], headers={"Range": "bytes=0-9"}).content == copy.content[:10]
    assert ask.page.get(told["original_url"]).headers["content-type"] == "video/x-msvideo"


def test_a_video_that_cannot_be_decoded_is_said_to_be_so(ask):
    number = ask.wanted["video", "broken.mp4"]
    answer = ask.page.get(f"/api/items/{number}/preview/0")
    assert answer.status_code == 422 and answer.json()["error"]["message"]


def test_a_file_that_changes_gets_another_tag(root):
    write_clip(root / "changing.mp4", frames=2)
    with opened(write_entries(root / "c.json", [entry("video", "changing.mp4")])) as page:
        before = page.head("/api/items/0/media/video/0").headers["etag"]
        write_clip(root / "changing.mp4", frames=3)
        assert page.head("/api/items/0/media/video/0").headers["etag"] != before


def test_while_all_decoders_hang_everything_else_is_answered(ask, root, tmp_path):
    isolated, given_up = ask.page.app.state.studio.isolated, threading.Event()

    def occupy(path):
        with contextlib.suppress(GivenUpError):
            isolated.run(hang, path, given_up)

    pids = [tmp_path / "1", tmp_path / "2"]
    threads = [threading.Thread(target=occupy, args=(path,)) for path in pids]
    for thread in threads:
        thread.start()
    while not all(path.exists() and path.read_text() for path in pids):
        time.sleep(0.05)
    assert ask("video", "clip.mp4").content == (root / "clip.mp4").read_bytes()
    assert ask.page.post("/api/items/0/decision", json={"do": "accept"}).json()["status"] == "accepted"
    given_up.set()
    for thread in threads:
        thread.join(60)
    assert ask.page.get(f"/api/items/{ask.wanted['video', 'clip.mp4']}/frames/0").status_code == 200
