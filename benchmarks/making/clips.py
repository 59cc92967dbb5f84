"""Clips: videos that cost as much to decode as real ones do, at the bitrates of real ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.scale import Clip, Scale

#: Fast presets; H.264 keeps the B frames and references of x264's default.
ENCODERS = {
    "h264": ("libx264", "-preset", "veryfast", "-x264-params", "ref=3:bframes=3:b-adapt=1"),
    "hevc": ("libx265", "-preset", "veryfast", "-tag:v", "hvc1", "-x265-params", "log-level=error"),
    "vp9": ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "7", "-row-mt", "1", "-auto-alt-ref", "1"),
    "av1": ("libsvtav1", "-preset", "10"),
}


def make(folder: Path, scale: Scale) -> None:
    """Encode the clips, and the long ones."""
    for number, clip in enumerate((*scale.clips, *scale.long_clips)):
        encode(clip, folder / clip.file, seed=number)
        if clip.copies > 1:
            repeat(clip, folder / clip.file)


def encode(clip: Clip, path: Path, *, seed: int) -> None:
    """Encode a clip: a grained texture that pans, a fractal that grows, and a little noise that is new in each frame.

    Real videos of H.264 and HEVC that we looked at hold 42 to 57 % of pictures that no other refers to, and their
    frames take 0.2 to 0.3 bytes a pixel as JPEG: so do these, about. (Much fresh noise, or flat test pictures, give
    another mixture.)
    """
    size = f"{clip.width}x{clip.height}"
    texture = (
        f"color=gray:size={clip.width * 5 // 4}x{clip.height * 5 // 4}:rate={clip.fps},"
        f"noise=alls=60:all_seed={seed + 1},gblur=sigma=1.5,trim=end_frame=1,loop=-1:1:0,setpts=N/{clip.fps}/TB,"
        f"scroll=horizontal=0.0015:vertical=0.0004,crop={clip.width}:{clip.height}[a]"
    )
    fractal = (
        f"mandelbrot=size=320x180:rate={clip.fps}:start_x={-0.743 + seed * 1e-3},scale={size.replace('x', ':')}[b]"
    )
    mixed = f"[a][b]blend=all_mode=average,noise=alls=4:allf=t:all_seed={seed + 1},format=yuv420p"
    gop = () if clip.gop is None else ("-g", clip.gop)
    ffmpeg(
        *("-f", "lavfi", "-i", f"{texture};{fractal};{mixed}", "-t", clip.seconds),
        *("-c:v", *ENCODERS[clip.codec], "-b:v", f"{clip.bitrate}k", *gop, path),
    )


def repeat(clip: Clip, path: Path) -> None:
    """Make a long video with sound of a clip: the same packets, one copy after another."""
    once, listed = path.with_suffix(".once.mp4"), path.with_suffix(".txt")
    path.rename(once)
    listed.write_text(f"file '{once.name}'\n" * clip.copies)
    sound = f"sine=frequency=330,tremolo,volume=0.5,atrim=duration={clip.seconds * clip.copies}"
    ffmpeg(
        *("-f", "concat", "-i", listed, "-f", "lavfi", "-i", sound),
        *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", "96k", path),
    )
    once.unlink()
    listed.unlink()


def ffmpeg(*arguments: object) -> None:
    """Run ffmpeg, quietly."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
