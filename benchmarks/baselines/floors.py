"""Floors: libavcodec through PyAV on the packets that are needed and no others; what no extraction can be below.

From each group of pictures only the packets up to its last wanted frame are decoded; a seek passes over the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.baselines.video import QUALITY, Work, written
from benchmarks.baselines.wanted import Packet, Wanted, main_stream, wanted_frames


@dataclass(frozen=True)
class Span:
    """A run of packets that begins with a key frame."""

    key_pts: int
    #: pts of all packets that are read, in decoding order, and of those that are decoded.
    read: tuple[int, ...]
    decoded: frozenset[int]


def decode(*, video: str, output: str, interval: float) -> Work:
    """Decode what is needed, and do nothing else."""
    return _floor(video, interval, drop_spare=False, take=lambda _frame: None, facts=dict)


def decode_referenced(*, video: str, output: str, interval: float) -> Work:
    """The same without the frames that are neither wanted nor built on by others."""
    return _floor(video, interval, drop_spare=True, take=lambda _frame: None, facts=dict)


def decode_and_encode(*, video: str, output: str, interval: float) -> Work:
    """The same, and write each wanted frame as a JPEG of quality 95: no choosing, no checks, no durability."""
    import simplejpeg
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()
    Path(output).mkdir(exist_ok=True)

    def take(frame: Any) -> None:
        picture = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        data = simplejpeg.encode_jpeg(picture, quality=QUALITY, colorspace="RGB", colorsubsampling="420", fastdct=False)
        Path(f"{output}/{frame.pts:012d}.jpg").write_bytes(data)

    return _floor(video, interval, drop_spare=True, take=take, facts=lambda: written(output))


def _floor(
    video: str, interval: float, *, drop_spare: bool, take: Callable[[Any], None], facts: Callable[[], dict[str, Any]]
) -> Work:
    import av

    wanted = wanted_frames(video, interval)
    spans = plan_spans(wanted, drop_spare=drop_spare)
    pts = set(wanted.pts)

    def work() -> dict[str, Any]:
        found = []
        with av.open(video) as container:
            stream = main_stream(container)
            stream.thread_count = 1
            for span in spans:
                for frame in _decode_span(container, stream, span):
                    if frame.pts in pts:
                        found.append(frame.pts)
                        take(frame)
        if sorted(found) != sorted(pts):
            raise RuntimeError(f"{video}: {len(found)} of {len(pts)} wanted frames came out")
        return {"decoded": sum(len(span.decoded) for span in spans), "pts": sorted(found)} | facts()

    return work


def _decode_span(container: Any, stream: Any, span: Span) -> Iterator[Any]:
    container.seek(span.key_pts, stream=stream)
    left = iter(span.read)
    due = next(left)
    begun = False
    for packet in container.demux(stream):
        begun = begun or packet.pts == span.key_pts
        if not begun:
            continue
        if packet.pts != due:
            raise RuntimeError(f"a packet with pts {packet.pts} came in the place of {due}")
        if packet.pts in span.decoded:
            yield from packet.decode()
        try:
            due = next(left)
        except StopIteration:
            break
    yield from stream.codec_context.decode(None)
    stream.codec_context.flush_buffers()


def plan_spans(wanted: Wanted, *, drop_spare: bool) -> list[Span]:
    """The packets to decode: of each group up to its last wanted frame, of the one before leading pictures all."""
    groups = _groups(wanted.packets)
    pts = set(wanted.pts)
    spans: list[Span] = []
    joined: list[Packet] = []
    for place, group in enumerate(groups):
        following = groups[place + 1] if place + 1 < len(groups) else []
        leads = any(packet.pts in pts and packet.pts < following[0].pts for packet in following)
        last = max((number for number, packet in enumerate(group) if packet.pts in pts), default=-1)
        if leads:  # the next group builds on this one: both are decoded without a break
            joined += group
        elif last >= 0:
            spans.append(_span(joined + group[: last + 1], pts, drop_spare=drop_spare))
            joined = []
    return spans


def _span(packets: list[Packet], pts: set[int], *, drop_spare: bool) -> Span:
    decoded = frozenset(packet.pts for packet in packets if not (drop_spare and packet.is_spare) or packet.pts in pts)
    return Span(packets[0].pts, tuple(packet.pts for packet in packets), decoded)


def _groups(packets: tuple[Packet, ...]) -> list[list[Packet]]:
    groups: list[list[Packet]] = []
    for packet in packets:
        if packet.is_key or not groups:
            groups.append([])
        groups[-1].append(packet)
    return groups
