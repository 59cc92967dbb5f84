"""`mm2energon studio` = review_dataset.py."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from mm2energon.commands import Result
from mm2energon.commands.back_ends import add_models, add_servers, setup_of
from mm2energon.commands.options import add_further_roots, further_roots
from mm2energon.commands.values import positive, size
from mm2energon.errors import InputError, missing_extra
from mm2energon.formats import FORMATS
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.targets import TARGETS
from mm2energon.tokens import MODELS

if TYPE_CHECKING:
    from mm2energon.studio.settings import Settings

TOKEN_VARIABLE = "MM2ENERGON_STUDIO_TOKEN"
_MOST_PORT = 65_535
_MOST_TOKEN_BYTES = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("data", type=Path, help="annotation file of any format, CSV, or folder of finished shards")
    parser.add_argument("--dataset-root", type=Path, help="folder that media paths are relative to (that of the data)")
    add_further_roots(parser)
    parser.add_argument(
        "--from",
        dest="read_as",
        choices=list(FORMATS),
        metavar="F",
        help=f"format of the annotation file, where its entries do not tell it: {', '.join(FORMATS)}",
    )
    parser.add_argument(
        "--reviewer",
        action="append",
        default=[],
        metavar="NAME",
        help="who reviews; may be given several times: then entries can be assigned, and agreement is told",
    )
    parser.add_argument(
        "--category-key", default="category", metavar="KEY", help="key of an entry's category (category)"
    )
    parser.add_argument(
        "--output-root",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="folder below which may be written, too, beside that of the data and the current one; may be given "
        "several times",
    )
    _add_server(parser)
    _add_training_side(parser)
    _add_model(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    group.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1); any other needs a token")
    group.add_argument("--port", type=_port, default=8000, help="port to listen at; 0: any that is free (8000)")
    group.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name, with its port if it has one, by which a proxy is asked for it; wants a token; may be given several "
        "times",
    )
    token = group.add_mutually_exclusive_group()
    token.add_argument(
        "--token", help=f"what people log in with, 16 characters or more; others of this machine see it, unlike what "
        f"stands in {TOKEN_VARIABLE}"
    )  # fmt: skip
    token.add_argument("--token-file", type=Path, metavar="FILE", help="file that holds the token")
    group.add_argument("--no-browser", action="store_true", help="open no browser")


def _add_training_side(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training side")
    group.add_argument("--target", choices=TARGETS, default="pai-v1", help="reader whose rules warn (pai-v1)")
    group.add_argument(
        "--time-interval", type=positive, default=0.5, metavar="SECONDS", help="seconds between frames (0.5)"
    )
    group.add_argument("--tokens-of", choices=sorted(MODELS), default="qwen2.5-vl", help="whose tokens are counted")
    group.add_argument("--tokenizer", type=Path, help="folder of its tokenizer: text is counted, not estimated")


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    add_models(group)
    group.add_argument("--adapters", type=Path, metavar="FOLDER", help="folder of LoRA adapters")
    group.add_argument(
        "--max-upload", type=size, default=2 << 30, metavar="SIZE", help="size of a video from outside, at most (2G)"
    )
    group.add_argument("--cache", type=Path, metavar="FOLDER", help="where frames and videos are kept meanwhile")
    group.add_argument(
        "--cache-size", type=size, default=20 << 30, metavar="SIZE", help="what they may take together (20G)"
    )
    add_servers(parser.add_argument_group("servers that are asked"))


def run(arguments: argparse.Namespace, _progress: ProgressMaker) -> Result:
    """Serve until Ctrl-C."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise missing_extra(str(error.name), "studio") from error
    from mm2energon.studio.serve import PlainFormatter, serve

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter("%(asctime)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    with contextlib.suppress(KeyboardInterrupt):  # none comes behind it where a shell lets Ctrl-C be ignored
        serve(settings_of(arguments), listens=lambda settings: _say(settings, browser=not arguments.no_browser))
    return Result(["stopped; all decisions are saved"])


def settings_of(arguments: argparse.Namespace) -> Settings:
    """What was parsed.

    Raises:
        InputError: a folder or the file of the token is missing.
    """
    from mm2energon.studio.settings import Settings, usual_cache

    data = arguments.data.absolute()
    for option, folders in (
        ("--dataset-root", [arguments.dataset_root]),
        ("--output-root", arguments.output_root),
    ):
        for folder in folders:
            if folder is not None and not folder.is_dir():
                raise InputError(f"{option} {folder}: no such folder")
    here = Path.cwd()
    roots = [data.parent, *([] if here == Path(here.anchor) else [here]), *arguments.output_root]
    return Settings(
        data=data,
        root=None if arguments.dataset_root is None else arguments.dataset_root.resolve(),
        further=further_roots(arguments),
        reviewers=tuple(dict.fromkeys(arguments.reviewer)) or ("",),
        read_as=arguments.read_as,
        category_key=arguments.category_key,
        output_roots=tuple(dict.fromkeys(root.resolve() for root in roots)),
        host=arguments.host,
        port=arguments.port,
        names=tuple(name.lower() for name in arguments.allow_host),
        token=_token(arguments),
        target=arguments.target,
        interval_seconds=arguments.time_interval,
        tokens_model=arguments.tokens_of,
        tokenizer=arguments.tokenizer,
        backends=setup_of(arguments),
        adapters=None if arguments.adapters is None else arguments.adapters.absolute(),
        max_upload_bytes=arguments.max_upload,
        max_cache_bytes=arguments.cache_size,
        cache=(arguments.cache or usual_cache()).absolute(),
    )


def _token(arguments: argparse.Namespace) -> str | None:
    if arguments.token_file is not None:
        with arguments.token_file.open("rb") as file:
            return str(file.read(_MOST_TOKEN_BYTES).decode("utf-8", "replace").strip())
    given: str | None = arguments.token
    return given if given is not None else os.environ.get(TOKEN_VARIABLE)


def _say(settings: Settings, *, browser: bool) -> None:
    """Say where the studio is, and show it."""
    sys.stdout.write(f"the studio is at {settings.address}   (Ctrl-C stops it)\n")
    if settings.token is not None:
        sys.stdout.write("it asks for the token that it was started with\n")
    sys.stdout.flush()
    has_screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if browser and has_screen and sys.stdout.isatty():
        webbrowser.open(settings.address)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; a number from 0 to {_MOST_PORT} was expected")
    return int(text)
