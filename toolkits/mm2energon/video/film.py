"""Film: pictures as H.264, upright, 8 bits 4:2:0, of limited range by BT.601, as readers take what they ask not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, Any

from mm2energon.video.picture import UPRIGHT, CodedPicture, Orientation

if TYPE_CHECKING:
    from av.container import OutputContainer

#: Ticks a second of time stamps.
TICKS = 90_000
#: BT.601 as H.273 counts matrices, and limited range as FFmpeg does.
_SMPTE_170M, _LIMITED = 6, 1
#: Lines and columns of a picture, at most, as H.264 has them (level 6.2) and encoders take them.
_LONGEST_SIDE = 8192


@dataclass(frozen=True)
class FilmOptions:
    """How pictures are encoded."""

    #: x264's constant rate factor: 0 loses nothing.
    quality: int
    #: Further options of x264.
    encoder: Mapping[str, str] = field(default_factory=dict)
    #: Larger pictures are made smaller; None keeps their size.
    max_pixels: int | None = None
    #: Of the pictures as they are coded: how wide a pixel is shown, by its height.
    pixel_aspect: Fraction | None = None


class Film:
    """The stream of pictures of a file that is written."""

    def __init__(self, out: OutputContainer, rate: float, seconds: float, options: FilmOptions) -> None:
        """
        Args:
            rate: pictures a second, about.
            seconds: how long the film is: the last picture stays until then.
        """
        self._out = out
        self._options = options
        self._ends = round(seconds * TICKS)
        self._last = -1
        self._size: tuple[int, int] | None = None
        self._graphs: dict[tuple[int, int, Orientation], Any] = {}
        # The rate is no more than what the rate control goes by, and a limit to what a file may say.
        steady = Fraction(min(max(rate, 1.0), 240.0)).limit_denominator(1001)
        self._stream = out.add_stream("libx264", rate=steady, options={**options.encoder, "crf": str(options.quality)})
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        self._stream.time_base = context.time_base = Fraction(1, TICKS)
        context.colorspace, context.color_range = _SMPTE_170M, _LIMITED

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, once there is a picture."""
        return self._size or (0, 0)

    def add(self, picture: CodedPicture, seconds: float) -> None:
        """Show a picture from `seconds` after the beginning on."""
        frame = self._upright(picture)
        if self._size is None:
            self._begin(frame, picture.orientation)
        if (frame.width, frame.height) != self._size:
            frame = frame.reformat(width=self.size[0], height=self.size[1], interpolation="AREA")
        frame.pts = self._last = max(self._last + 1, round(max(0.0, seconds) * TICKS))
        frame.time_base = Fraction(1, TICKS)
        frame.pict_type = 0
        self._mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder holds back."""
        self._mux(self._stream.encode(None))

    def _begin(self, frame: Any, orientation: Orientation) -> None:
        self._size = fitted_size(frame.width, frame.height, self._options.max_pixels)
        self._stream.width, self._stream.height = self._size
        if (aspect := self._options.pixel_aspect) is not None:
            # A pixel that is made narrower is shown as much wider, so that the whole keeps its shape.
            turned = aspect if orientation[0] else 1 / aspect
            shrunk = Fraction(frame.width * self._size[1], frame.height * self._size[0])
            self._stream.codec_context.sample_aspect_ratio = (turned * shrunk).limit_denominator(1000)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if packet.pts == self._last:  # the last frame stays until the film is over
                packet.duration = max(1, self._ends - self._last)
            self._out.mux(packet)

    def _upright(self, picture: CodedPicture) -> Any:
        frame = picture.limited()
        if picture.orientation == UPRIGHT and not (frame.width % 2 or frame.height % 2):
            return frame
        key = (frame.width, frame.height, picture.orientation)
        if key not in self._graphs:
            self._graphs = {key: _graph(frame, picture.orientation)}
        self._graphs[key].push(frame)
        return self._graphs[key].pull()


def fitted_size(width: int, height: int, max_pixels: int | None) -> tuple[int, int]:
    """Even width and height of at most so many pixels, of the same shape as nearly as that allows."""
    share = min(1.0, _LONGEST_SIDE / max(width, height))
    if max_pixels is not None:
        share = min(share, sqrt(max_pixels / (width * height)))
    return _even(width * share), _even(height * share)


def _even(side: float) -> int:
    return max(2, int(side) // 2 * 2)


def _graph(frame: Any, orientation: Orientation) -> Any:
    """What turns frames, and takes a line off sides that are odd, which H.264 does not have."""
    import av

    graph = av.filter.Graph()
    chain = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, TICKS))
    ]
    even = [("crop", "trunc(iw/2)*2:trunc(ih/2)*2:0:0")]
    if min(frame.width, frame.height) == 1:  # nothing is left of one line
        even.insert(0, ("scale", "max(iw\\,2):max(ih\\,2):flags=neighbor"))
    for name, options in (*_turning(orientation), *even, ("format", "yuv420p")):
        chain.append(graph.add(name, options))
    chain.append(graph.add("buffersink"))
    graph.link_nodes(*chain).configure()
    return graph


def _turning(orientation: Orientation) -> Iterator[tuple[str, str]]:
    """The filters that do what `picture.turn` does."""
    a, b, c, d = orientation
    if not a:
        yield "transpose", "cclock_flip"  # FFmpeg's name for rows that become columns
    if (d or b) < 0:
        yield "vflip", ""
    if (a or c) < 0:
        yield "hflip", ""
