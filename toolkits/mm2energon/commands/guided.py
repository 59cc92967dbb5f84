"""Guided: `mm2energon transcribe -i` asks for what it needs, question by question, and shows the command."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mm2energon.commands.transcribe_options import add_arguments
from mm2energon.errors import InputError, MediaError
from mm2energon.pipeline.ledger import noted
from mm2energon.speech.engines import ENGINES
from mm2energon.speech.listing import list_tracks
from mm2energon.speech.recordings import Recording, find_recordings
from mm2energon.speech.tracks import Track, choose, open_recording, tracks_of
from mm2energon.terminal import shown

Answer = TypeVar("Answer")

#: Models that are offered, and what each takes: parameters, memory on a GPU.
_MODELS = (
    "tiny (39 M, 1 GB), base (74 M, 1 GB), small (244 M, 2 GB), medium (769 M, 5 GB), large-v3 (1550 M, 10 GB), turbo"
)
#: Engine -> the module that it is.
_MODULES = {"faster-whisper": "faster_whisper", "whisper": "whisper", "pocketsphinx": "pocketsphinx"}
#: What is asked for, or asks.
_ASKED = (
    *("video_path", "interactive", "output", "with_video"),
    *("user_track", "assistant_track", "user_channel", "engine", "model", "language"),
)


def ask(arguments: argparse.Namespace) -> list[str]:
    """Ask for recordings, tracks, engine and output, and put the answers into the arguments; the command, as words.

    Raises:
        InputError: the answers end too early.
    """
    _say("Recorded conversations to ChatML. Enter takes what stands in [brackets]; Ctrl-C ends.")
    given = list(arguments.video_path)
    recordings = find_recordings(given) if given else []
    if recordings:
        _require_voices(recordings[0].path)
    else:
        given, recordings = _until_right("Recording, folder or pattern: ", "", _recordings)
    tracks = _show(recordings[0])
    words = given + _ask_tracks(arguments, tracks, recordings[0].path)
    words += _ask_engine(arguments)
    arguments.output = _until_right(
        f"Write the conversations to [{arguments.output}]: ", str(arguments.output), _output
    )
    words += ["--output", str(arguments.output)]
    arguments.with_video = _until_right("Cut the video of each conversation, too? [y/N]: ", "n", _yes)
    words += ["--with-video"] if arguments.with_video else []
    arguments.video_path = given
    words += _given(arguments)
    for line in ("", "This is the command:", f"  {shlex.join(['mm2energon', 'transcribe', *words])}", ""):
        _say(line)
    return words


def _given(arguments: argparse.Namespace) -> list[str]:
    """The options that stood beside -i, and are not asked for."""
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    words: list[str] = []
    for action in parser._actions:
        value = getattr(arguments, action.dest)
        if action.dest in _ASKED or value == action.default:
            continue
        if value is True:
            words.append(action.option_strings[-1])
            continue
        values = value if isinstance(value, list) else [",".join(value) if isinstance(value, tuple) else value]
        words += [word for one in values for word in (action.option_strings[-1], str(one))]
    return words


def _show(recording: Recording) -> list[Track]:
    _say("")
    for line in list_tracks(recording.path):
        _say(line)
    _say("")
    with open_recording(recording.path) as container:
        return tracks_of(container)


def _ask_tracks(arguments: argparse.Namespace, tracks: list[Track], path: Path) -> list[str]:
    def track(text: str) -> str:
        choose(tracks, text, path=path)
        return text

    if len(tracks) == 1:
        return _ask_channel(arguments)
    arguments.user_track = _until_right("Which track is the user? [0]: ", "0", track)
    chosen = choose(tracks, arguments.user_track, path=path)
    usual = next(other.index for other in tracks if other != chosen)

    def other(text: str) -> str:
        if choose(tracks, text, path=path) == chosen:
            raise InputError(f"{text}: is the user's track; another one was expected")
        return text

    arguments.assistant_track = _until_right(f"Which track is the assistant? [{usual}]: ", str(usual), other)
    return ["--user-track", arguments.user_track, "--assistant-track", arguments.assistant_track]


def _ask_channel(arguments: argparse.Namespace) -> list[str]:
    _say("One track: a speaker on each channel?")
    arguments.user_channel = _until_right("Which channel is the user? left or right [left]: ", "left", _channel)
    return ["--user-channel", arguments.user_channel]


def _ask_engine(arguments: argparse.Namespace) -> list[str]:
    installed = [name for name, module in _MODULES.items() if importlib.util.find_spec(module) is not None]
    if not installed:
        raise InputError("no speech engine is installed; run: pip install 'mm2energon[speech]'")
    for name in installed:
        _say(f"  {name}: {ENGINES[name].summary}")
    usual = arguments.engine if arguments.engine in installed else installed[0]
    arguments.engine = _until_right(f"Which engine? [{usual}]: ", usual, _one_of(installed))
    words = ["--engine", arguments.engine]
    if arguments.engine == "pocketsphinx":
        return words
    _say(f"  {_MODELS}, or a folder")
    arguments.model = _until_right(f"Which model? [{arguments.model}]: ", arguments.model, _model)
    language = _until_right("Which language, such as en or zh? [the engine tells it]: ", "", _language)
    arguments.language = language or None
    return [*words, "--model", arguments.model, *(["--language", language] if language else [])]


def _until_right(question: str, usual: str, check: Callable[[str], Answer]) -> Answer:
    """Ask until the answer is one; what is wrong with the others is said."""
    while True:
        try:
            text = input(question).strip() or usual
        except KeyboardInterrupt:
            _say("")  # what is said of it begins a line of its own
            raise
        except EOFError as error:
            _say("")
            raise InputError("-i: the answers ended before all was asked; a terminal was expected") from error
        try:
            return check(text)
        except (InputError, MediaError) as error:
            _say(f"  {error}")


def _recordings(text: str) -> tuple[list[str], list[Recording]]:
    if not text:
        raise InputError("a path was expected, such as talk.mp4 or talks/")
    given = [text] if Path(text).expanduser().exists() else shlex.split(text)
    given = [str(Path(one).expanduser()) for one in given]
    found = find_recordings(given)
    _require_voices(found[0].path)
    return given, found


def _require_voices(path: Path) -> None:
    """Refuse a recording that cannot have a voice on each of two tracks or channels.

    Raises:
        InputError, MediaError: it is such, or cannot be read.
    """
    with open_recording(path) as container:
        tracks = tracks_of(container)
    if not tracks:
        raise InputError(f"{path}: has no audio track; a recording with the voices was expected")
    if len(tracks) == 1 and tracks[0].channels < 2:  # noqa: PLR2004 - a channel for each speaker
        raise InputError(f"{path}: has one track of one channel; a track or a channel for each speaker was expected")


def _channel(text: str) -> str:
    return _one_of(["left", "right"])(text)


def _one_of(names: list[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in names:
            raise InputError(f"{text}: one of {', '.join(names)} was expected")
        return text

    return check


def _model(text: str) -> str:
    if "/" in text and not text.count("/") == 1 and not Path(text).expanduser().exists():
        raise InputError(f"{text}: no such folder; the name of a model, or the folder of one, was expected")
    return str(Path(text).expanduser()) if text.startswith("~") else text


def _language(text: str) -> str:
    if text and not (text.isalpha() and text.isascii() and 2 <= len(text) <= 3):
        raise InputError(f"{text}: a code of two or three letters was expected, such as en, zh or yue")
    return text.lower()


def _output(text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_dir():
        raise InputError(f"{path}: is a folder; the name of a file was expected, such as output.jsonl")
    if path.exists() and noted(path) is None:
        raise InputError(f"{path}: exists, and was not written by mm2energon; another name was expected")
    return path


def _yes(text: str) -> bool:
    if text.casefold() not in ("y", "yes", "n", "no"):
        raise InputError(f"{text}: y or n was expected")
    return text.casefold().startswith("y")


def _say(line: str) -> None:
    print(shown(line), flush=True)
