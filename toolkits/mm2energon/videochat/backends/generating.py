"""Generating: the tokens of a local model as text that streams, and how it is stopped within a layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from mm2energon.videochat.frames import Unwanted
from mm2energon.videochat.perception import Stop

#: Tokens that are looked at together, at most.
_MOST_TOKENS = 64
#: What ends a reply, beside what the checkpoint says (generation_config.json).
_ENDS = ("<|im_end|>", "<|endoftext|>")
#: How a reply is begun in ChatML.
_REPLY = "<|im_start|>assistant\n"


class Streamer:
    """Takes tokens from `generate`, as transformers' streamers do, and gives their text at once."""

    def __init__(self, tokenizer: Any, take: Callable[[str], None], ends: Collection[int] = ()) -> None:
        """
        Args:
            ends: tokens that end a reply; they are no text, whether the tokenizer knows that or not.
        """
        self._text = TextOfTokens(tokenizer)
        self._take, self._ends = take, ends
        self._is_prompt = True

    def put(self, tokens: Any) -> None:
        """Take the prompt, then each token."""
        if self._is_prompt:
            self._is_prompt = False
            return
        for token in tokens.flatten().tolist():
            if token not in self._ends and (piece := self._text.add(token)):
                self._take(piece)

    def end(self) -> None:
        """Give what is left."""
        if piece := self._text.end():
            self._take(piece)


@contextmanager
def stopping(model: Any, stop: Stop) -> Iterator[None]:
    """Raise `Unwanted` at the next layer once it is stopped: the first token of a long video may take minutes."""
    from torch import nn

    def look(_layer: Any, _inputs: Any) -> None:
        if stop():
            raise Unwanted

    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    hooks = [layer.register_forward_pre_hook(look) for layers in lists for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def ends_of(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a reply."""
    own = model.generation_config.eos_token_id
    usual = (tokenizer.convert_tokens_to_ids(end) for end in _ENDS)
    known = [*usual, tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]
    return list(dict.fromkeys(token for token in known if token is not None))


def begin_of(tokenizer: Any) -> str:
    """What every reply begins with, by the checkpoint's chat template: `<think>` of Qwen3-VL-Thinking."""
    try:
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": "."}], tokenize=False, add_generation_prompt=True
        )
    except Exception:  # noqa: BLE001 (there is none, or one that wants more; a template raises what it likes)
        return ""
    return str(asked).rpartition(_REPLY)[2] if _REPLY in asked else ""


class TextOfTokens:
    """Text from tokens that come one by one: each piece as soon as its characters are whole."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        #: Tokens whose text is not known to be finished, behind some whose text was handed over: a word may be written
        #: otherwise where it begins a text.
        self._tokens: list[int] = []
        self._told = ""

    def add(self, token: int) -> str:
        """The text that this token adds; nothing while a character is not whole."""
        self._tokens.append(token)
        text = self._text()
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        new, self._told = text[len(self._told) :], text
        if len(self._tokens) >= _MOST_TOKENS:  # those of Qwen are bytes: a text may be cut between any two
            self._tokens, self._told = [], ""
        return new

    def end(self) -> str:
        """What is left of it."""
        return self._text()[len(self._told) :]

    def _text(self) -> str:
        text: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text
