"""Pictures become a video file as they are, where a file can hold them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import av
import pytest
from media import write_image
from mm2energon.video.bundle import bundle, can_bundle


def pictures(folder: Path, *endings: str) -> list[bytes]:
    return [write_image(folder / f"{n}.{ending}", number=n).read_bytes() for n, ending in enumerate(endings)]


@pytest.mark.parametrize("fps", [0.001, 1 / 3, 29.97, 1000])
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_file_holds_the_pictures_as_they_are_at_their_times(tmp_path: Path, ending: str, fps: float) -> None:
    frames = pictures(tmp_path, ending, ending, ending)
    assert can_bundle(frames, fps)
    files = [BytesIO(), BytesIO()]
    for file in files:
        bundle(file, frames, fps=fps)
    assert files[0].getvalue() == files[1].getvalue()
    with av.open(BytesIO(files[0].getvalue())) as video:
        packets = [packet for packet in video.demux(video=0) if packet.size]
        assert [bytes(packet) for packet in packets] == frames
        times = [float(packet.pts * packet.time_base) for packet in packets]
    assert times == pytest.approx([0, 1 / fps, 2 / fps], rel=1e-4)


@pytest.mark.parametrize("fps", [1e-9, 0, -1, 1e9, float("inf"), float("nan")])
def test_a_rate_that_no_clock_can_say_is_refused(tmp_path: Path, fps: float) -> None:
    assert not can_bundle(pictures(tmp_path, "jpg"), fps)


def test_what_is_no_row_of_like_pictures_is_refused(tmp_path: Path) -> None:
    large = write_image(tmp_path / "large.jpg", number=1, size=(200, 100)).read_bytes()
    (jpeg,) = pictures(tmp_path, "jpg")
    for frames in (
        [],
        pictures(tmp_path, "jpg", "png"),
        [jpeg, large],
        [b"\xff\xd8\xff"],
        [jpeg, jpeg[:9]],
        [b"GIF89a"],
    ):
        assert not can_bundle(frames, 2)
