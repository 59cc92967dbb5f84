"""Frames of one video as JPEG files: ours, and what others do; each function imports, and returns the work.

All take the frames of `wanted_frames`. OpenCV and ffmpeg run as people run them, with as many decoding threads as they
choose, and OpenCV with one as well; decord and torchcodec with one. OpenCV writes quality 95; ffmpeg `-q:v 1`, whose
files are nearly as large; decord and torchcodec hand their pictures to the encoder that ours uses, at 95 and 4:2:0.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.baselines.wanted import wanted_frames
from benchmarks.measure import Unfit

Work = Callable[[], dict[str, Any]]
QUALITY = 95
#: Frames that decord and torchcodec are asked for at a time, so that memory stays flat.
BATCH = 8


def ours(*, video: str, output: str, interval: float) -> Work:
    """mm2energon; its frames appear beside the video, `output` is the folder that they are expected in."""
    import av.video.reformatter  # noqa: F401
    import simplejpeg  # noqa: F401
    from mm2energon.video.extract import FrameOptions, extract_frames
    from mm2energon.video.sampling import Sampling

    options = FrameOptions(Sampling(interval_seconds=interval), quality=QUALITY)

    def work() -> dict[str, Any]:
        extract_frames(Path(video), options)
        return written(output)

    return work


def opencv(*, video: str, output: str, interval: float) -> Work:
    """Read every frame, write the wanted ones."""
    return _opencv(video, output, interval, [])


def opencv_one_thread(*, video: str, output: str, interval: float) -> Work:
    """The same, decoding with one thread."""
    import cv2

    cv2.setNumThreads(1)
    return _opencv(video, output, interval, [cv2.CAP_PROP_N_THREADS, 1])


def _opencv(video: str, output: str, interval: float, options: list[int]) -> Work:
    import cv2

    wanted = set(wanted_frames(video, interval).ordinals)
    Path(output).mkdir(exist_ok=True)

    def work() -> dict[str, Any]:
        capture = cv2.VideoCapture(video, cv2.CAP_FFMPEG, options)
        count = kept = 0
        while True:
            found, picture = capture.read()
            if not found:
                break
            if count in wanted:
                kept += 1
                cv2.imwrite(f"{output}/{kept:06d}.jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            count += 1
        capture.release()
        if count == 0:
            raise Unfit("OpenCV cannot decode it")
        if kept != len(wanted):
            raise Unfit("OpenCV takes another video stream, or loses frames")
        return written(output)

    return work


def ffmpeg(*, video: str, output: str, interval: float) -> Work:
    """The command line tool; `round=up` makes its fps filter take the frame on the screen at each instant."""
    Path(output).mkdir(exist_ok=True)
    rate = ["-vf", f"fps=fps=1/{interval}:round=up:eof_action=pass", "-fps_mode", "passthrough"]
    reading = ["ffmpeg", "-nostdin", "-v", "error", "-i", video]
    writing = ["-an", "-sn", "-dn", *rate, "-qmin", "1", "-q:v", "1", f"{output}/%06d.jpg"]

    def work() -> dict[str, Any]:
        done = subprocess.run([*reading, *writing], check=False, capture_output=True, text=True)
        if done.returncode:
            raise Unfit(f"ffmpeg: {done.stderr.strip()[-200:]}")
        return written(output)

    return work


def decord(*, video: str, output: str, interval: float) -> Work:
    """decord, accurate, a few frames at a time."""
    try:
        from decord import DECORDError, VideoReader
    except ImportError as error:
        raise Unfit("decord is not installed") from error
    wanted = wanted_frames(video, interval).ordinals

    def work() -> dict[str, Any]:
        try:
            reader = VideoReader(video, num_threads=1)
            pictures = (picture for batch in _batches(wanted) for picture in reader.get_batch(batch).asnumpy())
            _write_rgb(output, pictures)
        except (DECORDError, RuntimeError, IndexError) as error:
            raise Unfit("decord cannot decode it") from error
        return written(output)

    return work


def torchcodec(*, video: str, output: str, interval: float) -> Work:
    """torchcodec with exact seeking, a few frames at a time."""
    try:
        import torch
        from torchcodec.decoders import VideoDecoder
    except (ImportError, OSError, RuntimeError) as error:
        raise Unfit("torchcodec is not installed, or does not load beside this torch") from error
    torch.set_num_threads(1)
    wanted = wanted_frames(video, interval).ordinals

    def work() -> dict[str, Any]:
        try:
            decoder = VideoDecoder(video, seek_mode="exact", num_ffmpeg_threads=1, dimension_order="NHWC")
            batches = (decoder.get_frames_at(indices=batch).data.numpy() for batch in _batches(wanted))
            _write_rgb(output, (picture for batch in batches for picture in batch))
        except (RuntimeError, ValueError) as error:
            raise Unfit(f"torchcodec cannot decode it ({str(error).splitlines()[0][:100]})") from error
        return written(output)

    return work


def _batches(ordinals: tuple[int, ...]) -> list[list[int]]:
    return [list(ordinals[at : at + BATCH]) for at in range(0, len(ordinals), BATCH)]


def _write_rgb(output: str, pictures: Iterable[Any]) -> None:
    import numpy as np
    import simplejpeg

    Path(output).mkdir(exist_ok=True)
    for number, picture in enumerate(pictures, start=1):
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(picture), quality=QUALITY, colorspace="RGB", colorsubsampling="420", fastdct=False
        )
        Path(f"{output}/{number:06d}.jpg").write_bytes(data)


def written(output: str) -> dict[str, Any]:
    """How many pictures lie in a folder, and how large they are together."""
    sizes = [path.stat().st_size for path in Path(output).glob("*.jpg")]
    return {"frames": len(sizes), "bytes": sum(sizes)}
