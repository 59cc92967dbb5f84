"""The loss of a step is the mean over its tokens, however its samples are cut into batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from byte_tokenizer import byte_tokenizer
from mm2energon import cli
from videochat.tiny_models import save_qwen3_vl

from tuning.conftest import command, told, write_lines

#: The parts of a conversation in ChatML; the last one is learnt.
ASKED, ANSWERS = "<|im_start|>user\n?<|im_end|>\n<|im_start|>assistant\n", ("a", "no" * 40, "it is so", "yes")


def mean_of_tokens(model: Path, system: str) -> float:
    """The loss of the base, sample by sample, by cross entropy written out."""
    tokenizer = byte_tokenizer()
    net = transformers.AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32).eval()
    losses: list[torch.Tensor] = []
    for answer in ANSWERS:
        begin, end = (tokenizer.encode(text) for text in (system + ASKED, f"{answer}<|im_end|>"))
        with torch.no_grad():
            shares = torch.log_softmax(net(input_ids=torch.tensor([begin + end])).logits[0].double(), -1)
        losses += [-shares[place - 1, (begin + end)[place]] for place in range(len(begin), len(begin + end))]
    return float(torch.stack(losses).mean())


@pytest.mark.parametrize("family", ["qwen2.5-vl", "qwen3-vl"])
def test_each_token_of_a_step_weighs_the_same(family: str, base: Path, tmp_path: Path) -> None:
    is_third = family == "qwen3-vl"
    model = save_qwen3_vl(tmp_path / "tiny3") if is_third else base
    turns = [[{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}] for answer in ANSWERS]
    data = write_lines(tmp_path / "texts.jsonl", [{"messages": one} for one in turns])
    figures = []
    for batch_size in (1, 4):
        output = tmp_path / f"out{batch_size}"
        words = command(data, model, output, "--steps", 2, "--val-share", 0, "--dropout", 0)
        assert cli.main([*words, "--batch-size", str(batch_size)]) == 0
        figures.append([*told(output, "loss").values(), *told(output, "grad_norm").values()])
    system = "" if is_third else "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    assert figures[0] == pytest.approx(figures[1], rel=1e-3)
    assert figures[0][0] == pytest.approx(mean_of_tokens(model, system), rel=1e-5)
