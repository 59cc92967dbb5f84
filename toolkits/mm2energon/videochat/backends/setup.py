"""Setup: what the back ends of one studio are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Setup:
    """What is left out comes from the environment, or is found out."""

    #: Folders and names of the hub that `transformers` offers; the first is the usual one.
    models: tuple[str, ...] = ()
    #: Folders in which a model of the hub may lie under its name.
    model_folders: tuple[Path, ...] = (Path(),)
    #: Folder of LoRA adapters.
    adapters: Path | None = None
    #: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
    device: str = "auto"
    #: `auto`, `float32`, `bfloat16`, `float16`.
    dtype: str = "auto"
    #: 4-bit weights (nf4); None: where bitsandbytes and CUDA are there, unless MM2ENERGON_FOUR_BIT is 0.
    four_bit: bool | None = None
    #: Whether models are fetched from the hub.
    may_download: bool = True
    #: Of an OpenAI-compatible server, up to `/v1`; else OPENAI_BASE_URL.
    openai_address: str | None = None
    #: Else OPENAI_API_KEY. Never shown.
    openai_key: str | None = field(default=None, repr=False)
    #: Whether frames go to it as one video, which vLLM takes, and not as images; else where OPENAI_VIDEO is 1.
    openai_video: bool | None = None
    #: Of Gemini's API; its key is GEMINI_API_KEY of the environment alone.
    gemini_address: str | None = None
