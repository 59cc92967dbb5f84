"""The TEMPLATES table: what reviewed samples are exported as, one row for each annotation format that is written.

Three rows are the literal templates of the first annotation tool, and keep its file names; the others are formats of
trainers, data sets and hubs, each written as its reader wants a file: JSON lines, or one array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mm2energon.errors import InputError
from mm2energon.formats.legacy_parts import FILE_SUFFIXES, file_name

#: Every template, and the three of the first annotation tool.
ALL, ALL_LEGACY = "all", "all-legacy"


@dataclass(frozen=True, slots=True)
class Template:
    """One row: a format of FORMATS, and how its file is called."""

    #: The format's name.
    name: str
    #: What people call it.
    title: str
    #: One entry a line; else one JSON array.
    lines: bool = False
    #: Entries have the keys of the format, and no others: whoever made it says so.
    bare: bool = False

    @property
    def is_legacy(self) -> bool:
        """Whether it is one of the first annotation tool."""
        return self.name in FILE_SUFFIXES

    def file_name(self, split: str) -> str:
        """What the file of a split is called; that of all samples is called as that of `train`."""
        if self.is_legacy:
            return file_name(self.name, split)
        return f"{split}_{self.name}.{'jsonl' if self.lines else 'json'}"


_ROWS = (
    Template("videollama2", "VideoLLaMA2"),
    Template("llava-next-video", "LLaVA-NeXT-Video"),
    Template("qwen-finetune", "Qwen-VL (qwen-vl-finetune)"),
    Template("videollama3", "VideoLLaMA3"),
    Template("internvl", "InternVL", lines=True),
    Template("minicpm-v", "MiniCPM-V"),
    Template("llama-factory", "LLaMA-Factory"),
    Template("ms-swift", "ms-swift", lines=True),
    Template("videochat-finetune", "VideoChat fine-tuning", lines=True, bare=True),
    Template("llava-next-video-hf", "LLaVA-NeXT-Video (transformers)", lines=True),
    Template("messages-parts", "Messages in parts (transformers, TRL)", lines=True),
    Template("messages", "Messages (OpenAI)", lines=True),
    Template("chatml-jsonl", "ChatML lines", lines=True),
    Template("sharegpt", "ShareGPT (mm2energon shard)"),
    Template("llava", "LLaVA"),
    Template("llava-video-178k", "LLaVA-Video-178K"),
    Template("video-chatgpt", "Video-ChatGPT (T2Vid)", lines=True),
    Template("video-instruct", "VideoInstruct100K"),
    Template("sharegemini", "ShareGemini (T2Vid)", lines=True),
    Template("t2vid-synthetic", "T2Vid synthetic videos"),
    Template("legacy-videollama2", "VideoLLaMA2", lines=True, bare=True),
    Template("legacy-llava-next", "LLaVA-Next-Video", lines=True, bare=True),
    Template("legacy-qwen", "Qwen-VL2-7b-hf", lines=True, bare=True),
)

#: By name, in the order in which they are offered.
TEMPLATES: dict[str, Template] = {row.name: row for row in _ROWS}


@dataclass(frozen=True)
class Chosen:
    """The templates that were asked for."""

    rows: tuple[Template, ...]
    #: What they are called together.
    title: str
    #: Every template was asked for, so that nobody expects a sample in those which cannot hold it.
    is_all: bool = False


def choose(names: Sequence[str]) -> Chosen:
    """The templates of these names, each once; `all` is every one, `all-legacy` the three of the first tool.

    Raises:
        InputError: a name is that of no template.
    """
    rows = tuple(dict.fromkeys(row for name in names for row in _named(name)))
    return Chosen(rows, _title(names, rows), is_all=ALL in names)


def _named(name: str) -> Iterable[Template]:
    if name == ALL:
        return TEMPLATES.values()
    if name == ALL_LEGACY:
        return (row for row in _ROWS if row.is_legacy)
    if name not in TEMPLATES:
        known = ", ".join([ALL, ALL_LEGACY, *TEMPLATES])
        raise InputError(f"--template {name}: no such template; one of {known} was expected")
    return (TEMPLATES[name],)


def _title(names: Sequence[str], rows: Sequence[Template]) -> str:
    if not names:
        return "None"
    if ALL in names or list(names) == [ALL_LEGACY]:
        return "All Templates"  # so the first tool called its three
    return ", ".join(f"{row.title} (legacy)" if row.is_legacy else row.title for row in rows)
