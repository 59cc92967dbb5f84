"""Shards of what was transcribed: the commands that come next, to be shown, or run by `transcribe --shards`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from mm2energon.commands import Result, shard, verify
from mm2energon.errors import InputError
from mm2energon.pipeline import verify_energon
from mm2energon.pipeline.loop import ProgressMaker

#: Who reads the shards: with audio, and without.
_HEARING, _READING = "pai-v2", "pai-v1"


def next_command(arguments: argparse.Namespace, recordings: int) -> str:
    """The command that makes shards of the conversations."""
    return shlex.join(["mm2energon", "shard", *_words(arguments, recordings)])


def make_shards(arguments: argparse.Namespace, recordings: int, progress: ProgressMaker) -> Result:
    """Write the shards that `--shards` asks for, and read them back.

    Raises:
        InputError: as `mm2energon shard`.
    """
    words = [*_words(arguments, recordings), "--output", str(arguments.shards.absolute())]
    if arguments.restart or arguments.overwrite:  # never by itself: the folder may hold another dataset
        words.append("--restart")
    if arguments.workers:
        words += ["--workers", str(arguments.workers)]
    if arguments.allow_set_aside:
        words.append("--allow-set-aside")
    try:
        written = shard.run(_parsed(shard, words), progress)
    except InputError as error:
        raise InputError(f"{arguments.output} is written, its shards are not: {error}") from error
    energon = [] if verify_energon.is_installed() else ["--skip-energon"]
    read = verify.run(_parsed(verify, [str(arguments.shards), *energon]), progress)
    return Result(["", *written.lines, "", *read.lines], read.status or written.status)


def _words(arguments: argparse.Namespace, recordings: int) -> list[str]:
    words = ["--json", arguments.output.name]
    # Conversations of one recording stay in one split: of a single one, val would get nothing.
    words += ["--train-split", "9", "--val-split", "1" if recordings > 1 else "0"]
    if arguments.output.parent != Path():
        words = ["--dataset-root", str(arguments.output.parent), *words]
    target = arguments.target or (_HEARING if arguments.with_audio or arguments.audio_only else _READING)
    return words if target == _READING else [*words, "--target", target]


def _parsed(command: object, words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)
