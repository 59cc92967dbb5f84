"""Options of the back ends by which a model is tried; what is left out comes from the environment, or is found out."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mm2energon.errors import InputError

if TYPE_CHECKING:
    from mm2energon.videochat.backends.setup import Setup

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


def add_models(group: argparse._ArgumentGroup) -> None:
    """Which models can be tried, and how those of this machine are loaded."""
    group.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME_OR_FOLDER",
        help="model to try: a folder, or a name of the hub; may be given several times, the usual one first",
    )
    group.add_argument(
        "--models",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="folder of models, all of which can be tried, or looked for by name (the current one, where no --model is "
        "given); may be given several times",
    )
    group.add_argument("--offline", action="store_true", help="fetch no model from the hub")
    group.add_argument("--device", type=_device, default="auto", help="auto, cpu, cuda, cuda:1, mps (auto)")
    group.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto", help="(auto)")
    group.add_argument(
        "--four-bit",
        action=argparse.BooleanOptionalAction,
        help="4-bit weights, nf4 (where bitsandbytes and CUDA are there)",
    )


def add_servers(group: argparse._ArgumentGroup) -> None:
    """Servers that can be asked; their keys come from the environment alone."""
    group.add_argument(
        "--openai-url",
        type=_address,
        metavar="URL",
        help="OpenAI-compatible server, such as http://127.0.0.1:8001/v1 (OPENAI_BASE_URL); its key: OPENAI_API_KEY",
    )
    group.add_argument(
        "--openai-video",
        action=argparse.BooleanOptionalAction,
        help="send it the frames as one video, which vLLM takes, not as images (OPENAI_VIDEO=1)",
    )
    group.add_argument(
        "--gemini-url", type=_address, metavar="URL", help="another address of Gemini's API; its key: GEMINI_API_KEY"
    )


def setup_of(arguments: argparse.Namespace) -> Setup:
    """What was parsed.

    Raises:
        InputError: a folder of models is missing.
    """
    from mm2energon.videochat.backends.setup import Setup

    for folder in arguments.models:
        if not folder.is_dir():
            raise InputError(f"--models {folder}: no such folder; one that holds folders of models was expected")
    return Setup(
        models=tuple(dict.fromkeys(arguments.model)),
        model_folders=tuple(folder.absolute() for folder in arguments.models) or (Path(),),
        device=arguments.device,
        dtype=arguments.dtype,
        four_bit=arguments.four_bit,
        may_download=not arguments.offline,
        openai_address=arguments.openai_url,
        openai_video=arguments.openai_video,
        gemini_address=arguments.gemini_url,
    )


def _device(text: str) -> str:
    if not _DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is none; auto, cpu, mps, cuda, or cuda:1 was expected")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]\S*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; one such as http://127.0.0.1:8001/v1 was expected")
    return text
