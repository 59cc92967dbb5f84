"""`mm2energon transcribe` = video_to_chatml.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.guided import ask
from mm2energon.commands.options import accounted
from mm2energon.commands.values import count, positive, seconds
from mm2energon.errors import InputError
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers
from mm2energon.speech.bleed import Gate
from mm2energon.speech.clips import Wanted
from mm2energon.speech.engines import ENGINES
from mm2energon.speech.engines.settings import Settings
from mm2energon.speech.hygiene import Hygiene, read_blocked
from mm2energon.speech.listing import list_tracks
from mm2energon.speech.private import MASKS
from mm2energon.speech.recording import Hearing
from mm2energon.speech.recordings import Recording, find_recordings
from mm2energon.speech.transcribe import TranscribeJob, TranscribeReport, transcribe
from mm2energon.speech.turns import TurnRules
from mm2energon.speech.utterances import Side, Voice

#: Engines whose model has all cores at work by itself.
_THREADED = ("faster-whisper", "whisper")
_CHANNELS = {"left": 0, "right": 1}
#: Lines of one kind that a summary shows.
_SHOWN = 20


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
    for kind, name in (("srt", "SubRip"), ("vtt", "WebVTT"), ("json", "Whisper's JSON")):
        parser.add_argument(f"--{kind}", action="store_true", help=f"write a transcript of each recording, as {name}")
    parser.add_argument(
        "--workers", type=count, help="processes (1 with Whisper, which uses all cores; else the cores)"
    )
    parser.add_argument("--restart", action="store_true", help="recognise again what was recognised before")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that mm2energon did not write")
    parser.add_argument(
        "--allow-set-aside",
        action="store_true",
        help="exit 0, not 3, when utterances were set aside with their reasons",
    )
    parser.add_argument("--verbose", action="store_true", help="show the tracks, the steps and the times, too")


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
        "--bleed-correlation", type=_share, default=0.5, help="how alike bleed is to the other track, 0 to 1 (0.5)"
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
        "--min-confidence", type=_share, default=0.0, help="set aside what the engine is less sure of, 0 to 1 (0)"
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


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return number


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Transcribe, or show tracks."""
    if arguments.interactive:
        ask(arguments)
    recordings = find_recordings(arguments.video_path)
    if arguments.list_tracks:
        return Result([line for one in recordings for line in list_tracks(one.path)])
    report = transcribe(job_of(arguments, recordings), progress=progress)
    return accounted(_lines(arguments, report), report.account, allowed=arguments.allow_set_aside)


def job_of(arguments: argparse.Namespace, recordings: list[Recording]) -> TranscribeJob:
    """What `add_arguments` parsed.

    Raises:
        InputError: options contradict each other.
    """
    engine = arguments.engine
    settings = Settings(
        engine=engine,
        model=arguments.model,
        language=arguments.language,
        device=arguments.device,
        compute_type=arguments.compute_type,
        batch_size=arguments.batch_size,
        threads=arguments.threads,
    )
    gate = Gate(arguments.bleed_db, arguments.bleed_correlation)
    transcripts = {name: Path(path) for name, path in map(_named_file, arguments.transcript)}
    hearing = Hearing(voices(arguments), settings, gate=gate, transcripts=transcripts)
    blocked = () if arguments.blocked_words is None else read_blocked(arguments.blocked_words)
    return TranscribeJob(
        recordings=recordings,
        output=arguments.output,
        hearing=hearing,
        rules=TurnRules(
            turn_gap=arguments.turn_gap,
            overlap=arguments.overlap,
            drops_backchannels=arguments.backchannels == "drop",
            conversation_gap=arguments.conversation_gap,
            max_seconds=arguments.max_seconds,
            max_tokens=arguments.max_tokens,
            min_words=arguments.min_words,
        ),
        hygiene=Hygiene(blocked, arguments.mask),
        min_confidence=arguments.min_confidence,
        system=arguments.system,
        tokenizer=arguments.tokenizer,
        wanted=Wanted(
            root=arguments.output.parent.absolute(),
            folder=f"{arguments.output.stem}.media",
            video=arguments.video_as if arguments.with_video else None,
            audio="only" if arguments.audio_only else "beside" if arguments.with_audio else None,
            interval_seconds=arguments.time_interval,
        ),
        transcripts=[kind for kind in ("srt", "vtt", "json") if getattr(arguments, kind)],
        workers=arguments.workers or (1 if engine in _THREADED else usual_workers()),
        overwrite=arguments.overwrite,
        restart=arguments.restart,
    )


def _named_file(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise InputError(f"--transcript {text}: NAME=FILE was expected, such as user=talk.user.srt")
    return name, path


def voices(arguments: argparse.Namespace) -> tuple[Voice, ...]:
    """The speakers that the options name.

    Raises:
        InputError: there is none on one side, or two of one name.
    """
    if arguments.track:
        others = ("user_track", "assistant_track", "user_channel", "assistant_channel")
        if any(getattr(arguments, name) is not None for name in others):
            raise InputError("--track: names all speakers; leave --user-track, --assistant-track and channels out")
        found = tuple(map(_voice, arguments.track))
    else:
        found = _two_voices(arguments)
    names = [voice.name for voice in found]
    if len(set(names)) < len(names):
        raise InputError(f"--track: {names}; each speaker once was expected; give each a name of its own")
    if {voice.side for voice in found} != {"user", "assistant"}:
        raise InputError("--track: a speaker on each side was expected, such as --track user=0 --track assistant=1")
    return found


def _two_voices(arguments: argparse.Namespace) -> tuple[Voice, ...]:
    given = {side: getattr(arguments, f"{side}_channel") for side in ("user", "assistant")}
    channels = {side: None if text is None else _channel(text) for side, text in given.items()}
    user, assistant = channels["user"], channels["assistant"]
    if user is not None and assistant is None and arguments.assistant_track is None:
        assistant = 1 - user if user < 2 else None  # of one stereo track, the assistant has the other channel
    if assistant is not None and user is None and arguments.user_track is None:
        user = 1 - assistant if assistant < 2 else None
    one_track = user is not None and assistant is not None
    first = arguments.user_track or (arguments.assistant_track if one_track and arguments.assistant_track else "0")
    second = arguments.assistant_track or (first if one_track else "1")
    return (Voice("user", "user", first, user), Voice("assistant", "assistant", second, assistant))


def _channel(text: str) -> int:
    if text in _CHANNELS:
        return _CHANNELS[text]
    if text.isdecimal():
        return int(text)
    raise InputError(f"channel {text!r}: left, right, or a number from 0 was expected")


def _voice(text: str) -> Voice:
    who, equals, where = text.partition("=")
    name, _, side = who.partition(":")
    side = side or ("assistant" if name == "assistant" else "user")
    if not (name and equals and where) or side not in ("user", "assistant"):
        raise InputError(
            f"--track {text}: NAME=TRACK or NAME:SIDE=TRACK was expected, SIDE user or assistant, such as "
            "--track user=0 --track Anna:assistant=1"
        )
    track, slash, channel = where.rpartition("/")
    if not slash:
        track, channel = where, ""
    sides: dict[str, Side] = {"user": "user", "assistant": "assistant"}
    return Voice(name, sides[side], track, _channel(channel) if channel else None)


def _lines(arguments: argparse.Namespace, report: TranscribeReport) -> list[str]:
    lines = [f"{arguments.output}"]
    if report.already_done:
        lines.append("  was complete already, nothing was written")
    if report.known:
        lines.append(f"  {report.known} recordings were recognised before; --restart does it again")
    for name, warnings in list(report.warnings.items())[:_SHOWN]:
        lines += [f"  {name}: {warning}" for warning in warnings]
    if len(report.warnings) > _SHOWN:
        lines.append(f"  ... {len(report.warnings)} recordings with warnings in all")
    lines += [f"  {path}" for path in report.written[:_SHOWN]]
    lines.append(f"recordings {report.recordings:>8}   ({report.failed} failed; {_hours(report.seconds)})")
    lines.append(
        f"turns      {report.turns:>8}   (in {report.conversations} conversations; "
        f"{_hours(report.speech_seconds)} of speech)"
    )
    if report.masked:
        lines.append(f"masked     {report.masked.total():>8}   ({_counts(report.masked)})")
    if arguments.verbose and report.spent:
        lines.append("seconds    " + ", ".join(f"{step} {spent:.1f}" for step, spent in report.spent.items()))
    return lines


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items() if number)


def _hours(total: float) -> str:
    minutes, rest = divmod(round(total), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
