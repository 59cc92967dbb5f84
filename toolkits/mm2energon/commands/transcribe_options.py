"""What `mm2energon transcribe` takes, in groups."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands.values import count, positive, seconds, share
from mm2energon.speech.engines import ENGINES
from mm2energon.speech.private import MASKS
from mm2energon.speech.turns import TurnRules
from mm2energon.targets import TARGETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "video_path", nargs="*", help="recordings, folders of them, or patterns: anything with sound that FFmpeg reads"
    )
    parser.add_argument("-i", "--interactive", action="store_true", help="ask for everything, one question at a time")
    parser.add_argument("--list-tracks", action="store_true", help="show the audio tracks of the recordings, no more")
    _add_voices(parser.add_argument_group("who speaks where"))
    parser.add_argument("--output", type=Path, default=Path("output.jsonl"), help="ChatML lines (output.jsonl)")
    _add_engine(parser.add_argument_group("recognition"))
    _add_turns(parser.add_argument_group("turns and conversations"))
    _add_hygiene(parser.add_argument_group("what is trained on"))
    _add_media(parser.add_argument_group("what is seen and heard"))
    _add_shards(parser.add_argument_group("shards, in the same command"))
    for kind, name in (("srt", "SubRip"), ("vtt", "WebVTT"), ("json", "Whisper's JSON")):
        parser.add_argument(f"--{kind}", action="store_true", help=f"write a transcript of each recording, as {name}")
    parser.add_argument(
        "--workers", type=count, help="processes (1 with Whisper, which uses all cores; else the cores)"
    )
    parser.add_argument("--restart", action="store_true", help="recognise again what was recognised before")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an output that mm2energon did not write, and shards of other conversations",
    )
    parser.add_argument(
        "--allow-set-aside",
        action="store_true",
        help="exit 0, not 3, when utterances were set aside with their reasons",
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="tell the tracks, the steps with their times, and the turns of each recording (the first 20)",
    )


def _add_voices(group: argparse._ArgumentGroup) -> None:
    track = "audio track: 0 for the first, stream:N, a language or a title"
    group.add_argument("--user-track", metavar="TRACK", help=f"the user's {track} (0)")
    group.add_argument("--assistant-track", metavar="TRACK", help="the assistant's, likewise (1)")
    for side in ("user", "assistant"):
        group.add_argument(
            f"--{side}-channel", metavar="CHANNEL", help=f"the {side}'s channel of the track: left, right, or 0, 1, ..."
        )
    group.add_argument(
        "--track",
        action="append",
        default=[],
        metavar="NAME[:SIDE]=TRACK[/CHANNEL]",
        help="a speaker and the track, instead of the options above; SIDE is user (unless NAME is assistant) or "
        "assistant; may be given several times",
    )
    group.add_argument(
        "--bleed-db", type=seconds, default=6.0, help="dB below another track, from which its sound here is bleed (6)"
    )
    group.add_argument(
        "--bleed-correlation", type=share, default=0.5, help="how alike bleed is to the other track, 0 to 1 (0.5)"
    )


def _add_engine(group: argparse._ArgumentGroup) -> None:
    rows = "; ".join(f"{name}: {engine.summary}" for name, engine in ENGINES.items())
    group.add_argument("--engine", choices=list(ENGINES), default=next(iter(ENGINES)), help=rows)
    group.add_argument(
        "--model", default="base", help="tiny, base, small, medium, large, large-v3, turbo, ... or a local one (base)"
    )
    group.add_argument("--language", help="such as en or zh (the engine tells it)")
    group.add_argument("--device", default="auto", help="cpu or cuda (what there is)")
    group.add_argument("--compute-type", default="default", help="int8, float16, ... (what the model was made for)")
    group.add_argument("--batch-size", type=count, default=8, help="windows of 30 s at the same time (8)")
    group.add_argument("--threads", type=count, default=0, help="threads of the processor (what the engine takes)")
    group.add_argument(
        "--transcript",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a speaker's transcript, with --engine transcript (RECORDING.NAME.srt, .vtt or .json beside it)",
    )
    group.add_argument(
        "--min-confidence", type=share, default=0.0, help="set aside what the engine is less sure of, 0 to 1 (0)"
    )


def _add_turns(group: argparse._ArgumentGroup) -> None:
    usual = TurnRules()
    group.add_argument(
        "--turn-gap",
        type=seconds,
        default=usual.turn_gap,
        help=f"seconds of pause below which a turn goes on ({usual.turn_gap:g})",
    )
    group.add_argument(
        "--overlap",
        choices=["interleave", "hold", "drop"],
        default=usual.overlap,
        help="what is said while the other side speaks: at its place in time, after the other is done, or not at all "
        "(interleave)",
    )
    group.add_argument(
        "--backchannels", choices=["keep", "drop"], default="drop", help='"mhm" and its like of a listener (drop)'
    )
    group.add_argument(
        "--conversation-gap",
        type=positive,
        default=usual.conversation_gap,
        help=f"seconds of silence that end a conversation ({usual.conversation_gap:g})",
    )
    group.add_argument("--max-seconds", type=positive, help="a conversation is cut before it gets longer")
    group.add_argument("--max-tokens", type=count, help="likewise, in tokens of its text")
    group.add_argument("--tokenizer", type=Path, help="folder of the model's tokenizer, for --max-tokens (an estimate)")
    group.add_argument("--system", metavar="TEXT", help="a system turn that begins each conversation")


def _add_media(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--with-video", action="store_true", help="cut each conversation out of the video, and write ShareGPT with it"
    )
    group.add_argument(
        "--video-as", choices=["clips", "frames"], default="clips", help="as a file, or the frames alone (clips)"
    )
    group.add_argument("--time-interval", type=positive, default=0.5, help="seconds between frames (0.5)")
    group.add_argument(
        "--with-audio", action="store_true", help="cut the user's voice of each turn, for readers that take audio"
    )
    group.add_argument("--audio-only", action="store_true", help="likewise, and leave the text of these turns out")


def _add_shards(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--shards",
        type=Path,
        metavar="FOLDER",
        help="write Energon shards of the conversations as well, and verify them: mm2energon shard and verify with "
        "their usual options",
    )
    group.add_argument("--target", choices=list(TARGETS), help="who reads them (pai-v1; pai-v2 where there is audio)")


def _add_hygiene(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--blocked-words", type=Path, metavar="FILE", help="set aside what says one of its lines")
    group.add_argument(
        "--mask", type=_masks, default=(), metavar="KINDS", help=f"write [email] and so on instead: {','.join(MASKS)}"
    )
    group.add_argument("--min-words", type=count, default=1, help="set aside turns of fewer words (1)")


def _masks(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    if unknown := [kind for kind in kinds if kind not in MASKS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} cannot be masked; some of {','.join(MASKS)} were expected")
    return kinds
