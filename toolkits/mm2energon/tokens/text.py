"""What the text of a conversation costs: counted by the model's own tokenizer, or estimated without one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mm2energon.errors import InputError, SampleError, missing_extra
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Role, Turn

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TAGS = (IMAGE_TAG, VIDEO_TAG, AUDIO_TAG)
_TAG = re.compile("|".join(_TAGS))
_FILE = "tokenizer.json"
#: What the templates put around a turn: one token each.
_CONTROL = re.compile(r"<\|[a-z_]+\|>|<end_of_utterance>")
#: Characters of one token, by script: ASCII; Han, kana and hangul; all others.
_ASCII_CHARACTERS, _EAST_ASIAN_CHARACTERS, _OTHER_CHARACTERS = 4.0, 1.5, 2.0
_EAST_ASIAN = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


@dataclass(frozen=True)
class Template:
    """How a model writes a conversation."""

    #: Role and text of a turn -> what stands for it.
    write: Callable[[Role, str], str]
    #: What stands before the first turn.
    begin: str = ""
    #: The system text of a conversation that has none of its own; None: none.
    system: str | None = None

    def pieces(self, turns: Iterable[Turn]) -> list[str]:
        """A conversation as it is written, without the tags, where the tokens of its media come between."""
        turns = list(turns)
        if self.system is not None and (not turns or turns[0].role != "system"):
            turns = [Turn("system", self.system), *turns]
        written = self.begin + "".join(self.write(turn.role, turn.text) for turn in turns)
        return [piece for piece in _TAG.split(written) if piece]


def chatml(role: Role, text: str) -> str:
    """A turn of ChatML (Qwen, MiniCPM-V 2.6)."""
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def llama3(role: Role, text: str) -> str:
    """A turn of Llama 3 (MiniCPM-V 2.5)."""
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n{text.strip()}<|eot_id|>"


def idefics(role: Role, text: str) -> str:
    """A turn of Idefics3."""
    space = "" if text.startswith(_TAGS) else " "
    return f"{role.capitalize()}:{space}{text}<end_of_utterance>\n"


def text_tokens(turns: Iterable[Turn], template: Template, tokenizer: Tokenizer | None) -> int:
    """The tokens of a conversation besides those of its media; an estimate without a tokenizer.

    Raises:
        SampleError: `not-unicode`.
    """
    pieces = template.pieces(turns)
    if tokenizer is None:
        return sum(map(estimate, pieces))
    return sum(len(encode(tokenizer, piece, add_special_tokens=False)) for piece in pieces)


def encode(tokenizer: Tokenizer, text: str, *, add_special_tokens: bool = True) -> list[int]:
    """The tokens of a text.

    Raises:
        SampleError: `not-unicode`.
    """
    try:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
    except TypeError as error:  # what tokenizers says of half of a surrogate pair
        raise SampleError(
            "half of a surrogate pair in its text; Unicode was expected; mend it", "not-unicode"
        ) from error
    return ids


def require_template(tokenizer: Tokenizer, template: Template, *, path: Path) -> None:
    """Refuse the tokenizer of another model.

    Raises:
        InputError: a control token of the template is no token of it.
    """
    written = template.write("user", "") + template.begin
    for control in _CONTROL.findall(written):
        if tokenizer.token_to_id(control) is None:
            raise InputError(
                f"--tokenizer {path}: {control} is no token of it, which the model's chat template writes; the model's "
                "own tokenizer was expected"
            )


def estimate(text: str) -> int:
    """About how many tokens a text has: 4 characters each, of Chinese, Japanese and Korean 1.5, of other scripts 2."""
    plain, controls = _CONTROL.subn("", text)
    if plain.isascii():
        return controls + -(-len(plain) // int(_ASCII_CHARACTERS))
    east_asian = len(_EAST_ASIAN.findall(plain))
    ascii_characters = len(plain.encode("ascii", "ignore"))
    others = len(plain) - east_asian - ascii_characters
    tokens = ascii_characters / _ASCII_CHARACTERS
    tokens += east_asian / _EAST_ASIAN_CHARACTERS + others / _OTHER_CHARACTERS
    return controls + round(tokens + 0.5)


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a model's folder, or of its `tokenizer.json`.

    Raises:
        InputError: there is none that can be read.
        DependencyError: the package `tokenizers` is missing.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise missing_extra("tokenizers", "tokens") from error
    file = tokenizer_file(path)
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 (it raises nothing more particular)
        raise InputError(
            f"--tokenizer {path}: {file.name} cannot be read ({error}); the one of a fast tokenizer was expected"
        ) from error


def tokenizer_file(path: Path) -> Path:
    """The `tokenizer.json` that a path names: itself, or in that folder.

    Raises:
        InputError: there is none.
    """
    file = path / _FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(
            f"--tokenizer {path}: no {_FILE} there; a folder with one was expected, as AutoTokenizer.from_pretrained("
            "...).save_pretrained(FOLDER) of transformers writes it"
        )
    return file
