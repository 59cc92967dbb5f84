"""Media: what is found on disk of a sample."""

import json

import pytest
from media import write_clip, write_image
from mm2energon.errors import MediaError
from mm2energon.pipeline.media import MediaFinder
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
