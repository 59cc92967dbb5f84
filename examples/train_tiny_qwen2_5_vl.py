"""Trains a tiny Qwen2.5-VL on shards, on the CPU in about a minute, and asks it about two videos.

    python examples/train_tiny_qwen2_5_vl.py demo_wds

The model is the real architecture with random weights and less than a million parameters. It learns the split
train by heart; then it is asked one question about two videos whose answers differ. It can only be right about
both when the pictures, the tags, the labels and the order of the frames arrive as they should. The exit status
is 1 when an answer is wrong.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from load_for_qwen2_5_vl import IGNORED, TAGS, QwenBatch, QwenEncoder, load_tokenizer, open_split
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

#: Small pictures keep it fast: 4 x 3 tokens for two frames.
MAX_PIXELS = 112 * 84
#: Standard deviation of the random weights; layers this narrow learn slowly from the 0.02 of the wide ones.
INITIAL_SPREAD = 0.1
LEARNING_RATE = 2e-3


def tiny_model(tokenizer: Any) -> Qwen2_5_VLForConditionalGeneration:
    """Qwen2.5-VL with a few narrow layers."""
    token_ids = {kind: tokenizer.convert_tokens_to_ids(token) for token, kind in TAGS.values()}
    width, heads = 96, 4
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "max_position_embeddings": 4096,
        # Pairs of one head's dimensions that turn with time, height and width.
        "rope_scaling": {"rope_type": "default", "mrope_section": [4, 4, 4]},
        "rope_theta": 10_000.0,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": INITIAL_SPREAD,
    }
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "out_hidden_size": width,
        "fullatt_block_indexes": [1],
        "tokens_per_second": 2,
        "initializer_range": INITIAL_SPREAD,
    }
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=token_ids[1], video_token_id=token_ids[2]
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def train(model: Qwen2_5_VLForConditionalGeneration, batches: Iterable[QwenBatch], *, steps: int) -> list[float]:
    """The loss of every step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps, pct_start=0.1)
    losses = []
    model.train()
    for step, batch in zip(range(steps), batches, strict=False):
        loss = model(**batch.model_inputs()).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"step {step:4}  loss {losses[-1]:.3f}", flush=True)
    return losses


def two_videos(samples: Iterable[QwenBatch], tokenizer: Any) -> list[tuple[QwenBatch, str, str]]:
    """Two samples with one video each that answer the same question differently: (sample, question, answer)."""
    by_question: dict[str, dict[str, QwenBatch]] = {}
    for sample in samples:
        if sample.video_grid_thw is not None and len(sample.video_grid_thw) == 1:
            start, end = answer_start(sample), answer_end(sample)
            question = tokenizer.decode(sample.input_ids[0, :start], skip_special_tokens=True)
            answer = tokenizer.decode(sample.input_ids[0, start:end], skip_special_tokens=True)
            by_question.setdefault(question, {})[answer] = sample
    pairs = [
        (question, *sorted(answers, key=len)[-2:]) for question, answers in by_question.items() if len(answers) > 1
    ]
    if not pairs:
        sys.exit("no two videos of this split answer one question differently; give it more samples")
    question, *answers = max(pairs, key=lambda pair: len(pair[1]))  # the longest answers are the hardest
    return [(by_question[question][answer], question, answer) for answer in answers]


def answer_start(sample: QwenBatch) -> int:
    """Index of the first trained token."""
    return int((sample.labels[0] != IGNORED).nonzero()[0])


def answer_end(sample: QwenBatch) -> int:
    """Index behind the first answer's last token."""
    untrained = (sample.labels[0, answer_start(sample) :] == IGNORED).nonzero()
    return answer_start(sample) + int(untrained[0])


@torch.no_grad()
def ask(model: Qwen2_5_VLForConditionalGeneration, sample: QwenBatch, tokenizer: Any) -> str:
    """The model's own answer to the first question of a sample."""
    start = answer_start(sample)
    inputs = sample.model_inputs()
    del inputs["labels"]
    for name in ("input_ids", "attention_mask", "mm_token_type_ids"):
        inputs[name] = inputs[name][:, :start]
    if "mm_token_type_ids" not in inspect.signature(model.forward).parameters:
        del inputs["mm_token_type_ids"]  # transformers 4 does without, and refuses to generate with it
    model.eval()
    length = answer_end(sample) - start + 8
    generated = model.generate(**inputs, do_sample=False, max_new_tokens=length)
    return tokenizer.decode(generated[0, start:], skip_special_tokens=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Overfit a tiny Qwen2.5-VL and ask it about two videos.")
    parser.add_argument("dataset", type=Path, metavar="DATASET_WDS", help="folder of the shards")
    parser.add_argument("--steps", type=int, default=300, help="training steps (default: %(default)s)")
    options = parser.parse_args()

    torch.manual_seed(0)
    tokenizer = load_tokenizer(None)
    encoder = QwenEncoder(tokenizer, max_image_pixels=MAX_PIXELS, max_frame_pixels=MAX_PIXELS)
    asked = two_videos(open_split(options.dataset, encoder, batch_size=1, once=True), tokenizer)
    model = tiny_model(tokenizer)
    print(f"{sum(weight.numel() for weight in model.parameters()):,} parameters")
    losses = train(model, open_split(options.dataset, encoder, batch_size=4), steps=options.steps)
    print(f"loss {losses[0]:.3f} before, {losses[-1]:.3f} after")

    right = 0
    for sample, question, expected in asked:
        given = ask(model, sample, tokenizer)
        right += given == expected
        print(f"{sample.__key__[0]}\n  prompt    {question!r}\n  expected  {expected!r}\n  given     {given!r}")
    return 0 if right == len(asked) else 1


if __name__ == "__main__":
    sys.exit(main())
