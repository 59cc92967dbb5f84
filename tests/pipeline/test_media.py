"""Media: what is found on disk of a sample."""

import json
import os
import signal
import socket

import pytest
from media import write_clip, write_image
from mm2energon.errors import MediaError
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.media_reader import MediaReader
from mm2energon.pipeline.planned import PlannedMedia
from mm2energon.sample import Sample, Turn
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.sampling import Sampling

from pipeline.making import write_frames, write_images


def sample_of(**media):
    return Sample((Turn("user", "q"),), origin="here", **media)


def test_planned_media_survive_the_plan(tmp_path):
    write_images(tmp_path, 2)
    write_frames(tmp_path, "v", 3, fps="29.97")
    (tmp_path / "a.wav").write_bytes(b"sound")
    finder = MediaFinder(tmp_path, failures={})
    found = finder.find(sample_of(images=("p0.jpg",), videos=("v.mp4", ("p1.jpg", "p0.jpg")), audios=("a.wav",)))
    assert PlannedMedia.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert found.videos[0].fps == 29.97 and found.audios == (("a.wav", 5),)


def test_frames_of_our_own_are_measured_by_their_sidecar_or_one_by_one_without_it(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=21, rate=10, size=(160, 96))
    extract_frames(tmp_path / "v.mp4", FrameOptions(Sampling(interval_seconds=1.0)))
    expected = [(160, 96)] * 3
    for forget in (False, True):
        if forget:
            sidecar = json.loads((tmp_path / "v.json").read_text())
            (tmp_path / "v.json").write_text(
                json.dumps({k: v for k, v in sidecar.items() if k not in ("width", "height")})
            )
        (video,) = MediaFinder(tmp_path, failures={}).find(sample_of(videos=("v.mp4",))).videos
        assert [(frame.width, frame.height) for frame in video.frames] == expected


@pytest.mark.parametrize(
    ("media", "code"),
    [
        ({"images": ("gone.jpg",)}, "missing-media"),
        ({"images": ("..",)}, "outside-root"),
        ({"images": (".",)}, "missing-media"),
        ({"images": ("http://x/a.jpg",)}, "media-url"),
        ({"images": ("bad.jpg",)}, "unreadable-image"),
        ({"videos": (("p0.jpg", "bad.jpg"),)}, "unreadable-image"),
        ({"videos": ("bad.jpg",)}, "no-frames"),
        ({"videos": ("failed.mp4",)}, "video-timeout"),
        ({"audios": ("gone.wav",)}, "missing-media"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason_and_its_place(tmp_path, media, code):
    write_images(tmp_path, 1)
    (tmp_path / "bad.jpg").write_bytes(b"x")
    finder = MediaFinder(tmp_path, failures={"failed.mp4": MediaError("failed.mp4: too long", "video-timeout")})
    with pytest.raises(MediaError) as error:
        finder.find(sample_of(**media))
    assert error.value.code == code and str(error.value).startswith("here")


def test_a_picture_in_the_middle_that_is_damaged_is_found_when_all_are_decoded(tmp_path):
    data = write_image(tmp_path / "a.png", size=(300, 300)).read_bytes()
    (tmp_path / "a.png").write_bytes(data[:60] + bytes(40) + data[100:])
    MediaFinder(tmp_path, failures={}).find(sample_of(images=("a.png",)))
    with pytest.raises(MediaError):
        MediaFinder(tmp_path, failures={}, decode_images=True).find(sample_of(images=("a.png",)))


def test_frames_of_ours_are_decoded_too_where_every_image_is(tmp_path):
    clip = write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    extract_frames(clip, FrameOptions(Sampling(interval_seconds=0.5)))
    frame = tmp_path / "v/000002.jpg"
    frame.write_bytes(b"\xff\xd8" + bytes(frame.stat().st_size - 4) + b"\xff\xd9")
    assert MediaFinder(tmp_path, failures={}).find(sample_of(videos=("v.mp4",))).videos
    with pytest.raises(MediaError, match="000002") as error:
        MediaFinder(tmp_path, failures={}, decode_images=True).find(sample_of(videos=("v.mp4",)))
    assert error.value.code == "unreadable-image"


@pytest.fixture
def alarm():
    """An end to a test that waits for what never comes."""
    signal.alarm(20)
    yield
    signal.alarm(0)


def put_oddity(path, kind):
    """Something that is no file under the name of one."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling link":
        path.symlink_to("gone")
    elif kind == "circle of links":
        path.symlink_to(path.name)


ODDITIES = {
    "pipe": "missing-media",
    "socket": "missing-media",
    "folder": "missing-media",
    "device": "outside-root",
    "dangling link": "missing-media",
    "circle of links": "missing-media",
}


@pytest.mark.parametrize("field", ["images", "videos", "frames", "audios"])
@pytest.mark.parametrize("kind", ODDITIES)
def test_what_is_no_file_is_refused_at_once(tmp_path, alarm, kind, field):
    write_images(tmp_path, 1)
    put_oddity(tmp_path / "odd.mp4", kind)
    media = {"frames": {"videos": (("p0.jpg", "odd.mp4"),)}}.get(field, {field: ("odd.mp4",)})
    with pytest.raises(MediaError) as error:
        MediaFinder(tmp_path, failures={}).find(sample_of(**media))
    assert error.value.code == ODDITIES[kind]


@pytest.mark.parametrize("kind", ODDITIES)
def test_a_sidecar_that_is_no_file_is_no_sidecar(tmp_path, alarm, kind):
    write_frames(tmp_path, "v", 3, fps=None)
    put_oddity(tmp_path / "v.json", kind)
    with pytest.raises(MediaError) as error:
        MediaFinder(tmp_path, failures={}).find(sample_of(videos=("v.mp4",)))
    assert error.value.code == "unfinished-frames"


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_frames_find_a_place_beside_what_is_no_sidecar(tmp_path, alarm, kind):
    clip = write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    put_oddity(tmp_path / "v.json", kind)
    extract_frames(clip, FrameOptions(Sampling(interval_seconds=0.5)))
    assert (tmp_path / "v.mp4.frames.json").is_file()


def test_frames_behind_a_link_out_of_the_root_are_refused(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    write_images(root, 1)
    outside.mkdir()
    write_clip(outside / "v.mp4", frames=11, rate=10)
    extract_frames(outside / "v.mp4", FrameOptions(Sampling(interval_seconds=0.5)))
    (root / "v").symlink_to(outside / "v")
    (root / "v.json").symlink_to(outside / "v.json")
    with pytest.raises(MediaError) as error:
        MediaFinder(root, failures={}).find(sample_of(videos=("v.mp4",)))
    assert error.value.code == "outside-root"
    found = MediaFinder(root, failures={}, further=(outside,)).find(sample_of(videos=("v.mp4",)))
    assert [frame.path for frame in found.videos[0].frames] == [f"v/{n:06d}.jpg" for n in (1, 2, 3)]


def test_media_of_a_further_root_are_planned_and_read_by_their_absolute_paths(tmp_path):
    root, further = tmp_path / "root", tmp_path / "further"
    write_images(root, 1)
    write_images(further, 2)
    (further / "a.wav").write_bytes(b"sound")
    write_clip(further / "v.mp4", frames=11, rate=10)
    extract_frames(further / "v.mp4", FrameOptions(Sampling(interval_seconds=0.5)))
    (root / "link.jpg").symlink_to(further / "p1.jpg")
    sample = sample_of(
        images=(f"{further}/p1.jpg", "link.jpg", "p0.jpg"), videos=(f"{further}/v.mp4",), audios=(f"{further}/a.wav",)
    )
    with pytest.raises(MediaError):
        MediaFinder(root, failures={}).find(sample)
    found = MediaFinder(root, failures={}, further=(further,)).find(sample)
    assert [picture.path for picture in found.images] == [f"{further}/p1.jpg", f"{further}/p1.jpg", "p0.jpg"]
    planned = PlannedMedia.from_json(json.loads(json.dumps(found.as_json())))
    reader = MediaReader(root, min_side=1, pai_seconds=False, further=(further,))
    media = reader.read(planned, origin="here")
    assert media.images == [(further / "p1.jpg").read_bytes()] * 2 + [(root / "p0.jpg").read_bytes()]
    assert media.videos == [[(further / f"v/{n:06d}.jpg").read_bytes() for n in (1, 2, 3)]]
    assert media.audios == [b"sound"]
    with pytest.raises(MediaError):
        MediaReader(root, min_side=1, pai_seconds=False).read(planned, origin="here")
