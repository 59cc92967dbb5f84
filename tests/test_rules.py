"""Each reader's rules refuse what its trainer would drop or cut in silence, and pass what it trains on whole.

What is expected in `TABLE` was typed from what the readers themselves did with such samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from mm2energon.errors import REASONS, SampleError
from mm2energon.rules import (
    Facts,
    VideoFacts,
    check,
    check_text,
    text_rules_hold,
)
from mm2energon.sample import Sample, Turn
from mm2energon.targets import TARGETS

ASK, ANSWER, SYSTEM = Turn("user", "What?"), Turn("assistant", "A cat."), Turn("system", "Be short.")
ORIGIN = "train.json[12]"


@dataclass(frozen=True)
class Case:
    """A sample, and how each reader takes it: a reason code, or none."""

    sample: Sample
    facts: Facts
    pai_v1: str | None
    pai_v2: str | None
    bridge: str | None
    crude: str | None


def chat(*turns: Turn, **media: Any) -> Sample:
    return Sample(turns=turns or (ASK, ANSWER), origin=ORIGIN, **media)


def asked(text: str, **media: Any) -> Sample:
    return chat(Turn("user", text), ANSWER, **media)


def picture(width: int, height: int) -> tuple[Sample, Facts]:
    return asked("<image>What?", images=("a.jpg",)), Facts([(width, height)])


def clip(frames: int, *, size: tuple[int, int] = (64, 64), **more: Any) -> tuple[Sample, Facts]:
    return asked("<video>What?", videos=("v.mp4",)), Facts(videos=[VideoFacts(frames, *size, **more)])


def pictures(tags: int, paths: int) -> tuple[Sample, Facts]:
    return asked("<image>" * tags, images=("a.jpg",) * paths), Facts([(64, 64)] * paths)


def text(*turns: Turn) -> tuple[Sample, Facts]:
    return chat(*turns), Facts()


TALL, MARKED = Turn("assistant", "See <image>."), Turn("system", "<image>")
TOKEN = Turn("user", "a <|image_pad|> b")
SILENT = Turn("assistant", " \n")
FINE = (None, None, None, None)

TABLE: dict[str, Case] = {
    "text alone": Case(*text(ASK, ANSWER), *FINE),
    "two rounds": Case(*text(ASK, ANSWER, ASK, ANSWER), *FINE),
    "image 20x20": Case(*picture(20, 20), "image-too-small", "image-too-small", None, None),
    "image 27x400": Case(*picture(27, 400), "image-too-small", "image-too-small", None, None),
    "image 28x28": Case(*picture(28, 28), None, "image-too-small", None, None),
    "image 31x32": Case(*picture(31, 32), None, "image-too-small", None, None),
    "image 32x32": Case(*picture(32, 32), *FINE),
    "image 0x0": Case(*picture(0, 0), *("image-too-small",) * 4),
    "aspect ratio 200": Case(*picture(32 * 200, 32), *FINE),
    "aspect ratio above 200": Case(*picture(32 * 200 + 1, 32), "image-aspect", "image-aspect", "image-aspect", None),
    "aspect ratio above 200, upright": Case(*picture(40, 9000), "image-aspect", "image-aspect", "image-aspect", None),
    "fewer pictures than tags": Case(*pictures(2, 1), *("tag-count",) * 4),
    "more pictures than tags": Case(*pictures(1, 2), *("tag-count",) * 4),
    "a picture without a tag": Case(*pictures(0, 1), *("tag-count",) * 4),
    "a tag without a picture": Case(*pictures(1, 0), *("tag-count",) * 4),
    "a video without a tag": Case(chat(videos=("v.mp4",)), clip(4)[1], *("tag-count",) * 4),
    "an image tag for a video": Case(asked("<image>", videos=("v.mp4",)), clip(4)[1], *("tag-count",) * 4),
    "tag in an assistant turn": Case(
        chat(ASK, TALL, images=("a.jpg",)), Facts([(64, 64)]), "tag-place", "tag-place", None, None
    ),
    "tag in a system turn": Case(
        chat(MARKED, ASK, ANSWER, images=("a.jpg",)), Facts([(64, 64)]), "tag-place", "tag-place", None, None
    ),
    "tag in the second question": Case(
        chat(ASK, ANSWER, Turn("user", "<image>"), ANSWER, images=("a.jpg",)), Facts([(64, 64)]), *FINE
    ),
    "custom system turn": Case(*text(SYSTEM, ASK, ANSWER), "system-turn", None, None, None),
    "empty system turn": Case(*text(Turn("system", ""), ASK, ANSWER), "system-turn", None, None, None),
    "the usual system turn": Case(*text(Turn("system", "You are a helpful assistant."), ASK, ANSWER), *FINE),
    "system turn in the middle": Case(
        *text(ASK, SYSTEM, ANSWER), "turn-order", "turn-order", "system-turn", None
    ),
    "system turn at the end": Case(*text(ASK, ANSWER, SYSTEM), "turn-order", "turn-order", "system-turn", None),
    "two system turns": Case(*text(SYSTEM, SYSTEM, ASK, ANSWER), "turn-order", "turn-order", "system-turn", None),
    "a system turn alone": Case(*text(SYSTEM), "turn-order", "turn-order", "no-answer", None),
    "no turns at all": Case(Sample(turns=(), origin=ORIGIN), Facts(), "turn-order", "turn-order", "no-answer", None),
    "ends with user": Case(*text(ASK, ANSWER, ASK), "turn-order", "turn-order", None, None),
    "starts with assistant": Case(*text(ANSWER, ASK, ANSWER), "turn-order", "turn-order", None, None),
    "assistant before user": Case(*text(ANSWER, ASK), "turn-order", "turn-order", None, None),
    "user, user, assistant": Case(*text(ASK, ASK, ANSWER), "turn-order", "turn-order", None, None),
    "user, assistant, assistant": Case(*text(ASK, ANSWER, ANSWER), "turn-order", "turn-order", None, None),
    "user alone": Case(*text(ASK), "turn-order", "turn-order", "no-answer", None),
    "empty question": Case(*text(Turn("user", ""), ANSWER), *FINE),
    "empty answer": Case(*text(ASK, SILENT), "no-answer", "no-answer", "no-answer", None),
    "one of two answers empty": Case(*text(ASK, SILENT, ASK, ANSWER), *FINE),
    "literal <|image_pad|>": Case(*text(TOKEN, ANSWER), "reserved-text", "reserved-text", None, None),
    "literal <|im_end|> in an answer": Case(
        *text(ASK, Turn("assistant", "<|im_end|>")), "reserved-text", "reserved-text", None, None
    ),
    "half of a surrogate pair": Case(*text(ASK, Turn("assistant", "é \ud83d")), *("not-unicode",) * 4),
    "letters beyond the first plane": Case(*text(ASK, Turn("assistant", "é 😀 图")), *FINE),
    "video of no frame": Case(*clip(0, size=(0, 0)), *("too-few-frames",) * 4),
    "video of 1 frame": Case(*clip(1), "too-few-frames", "too-few-frames", None, None),
    "video of 2 frames": Case(*clip(2), *FINE),
    "video of 60 frames": Case(*clip(60), *FINE),
    "video of 61 frames": Case(*clip(61), None, None, "too-many-frames", None),
    "frames of 28x64": Case(*clip(4, size=(28, 64)), None, "image-too-small", None, None),
    "frames of 20x20": Case(*clip(4, size=(20, 20)), "image-too-small", "image-too-small", None, None),
    "frames of an unknown size": Case(*clip(4, size=(0, 0)), *FINE),
    "frames of several sizes": Case(*clip(4, same_sizes=False), "frame-sizes", "frame-sizes", "frame-sizes", None),
    "10 images": Case(*pictures(10, 10), *FINE),
    "11 images": Case(*pictures(11, 11), None, None, "too-many-images", None),
    "16,384 visual tokens": Case(pictures(1, 1)[0], Facts([(64, 64)], visual_tokens=16_384), *FINE),
    "16,385 visual tokens": Case(
        pictures(1, 1)[0], Facts([(64, 64)], visual_tokens=16_385), None, None, "too-many-tokens", None
    ),
    "one audio file": Case(
        asked("<audio>", audios=("s.wav",)), Facts(), "audio-unsupported", None, "audio-unsupported", None
    ),
}  # fmt: skip


def reason(sample: Sample, facts: Facts, target: str) -> str | None:
    try:
        check(sample, facts, TARGETS[target].rules)
    except SampleError as error:
        found, expected, advice = str(error).removeprefix(f"{ORIGIN}: ").split("; ", maxsplit=2)
        assert str(error).startswith(f"{ORIGIN}: ") and found and advice, str(error)
        assert "expected" in expected, str(error)
        return error.code
    return None


@pytest.mark.parametrize("target", ["pai-v1", "pai-v2", "bridge", "crude"])
@pytest.mark.parametrize("case", TABLE)
def test_a_reader_gets_what_it_trains_on_and_nothing_else(case: str, target: str) -> None:
    row = TABLE[case]
    assert reason(row.sample, row.facts, target) == getattr(row, target.replace("-", "_"))


def test_what_one_reader_asks_of_texts_holds_for_another_only_where_it_asks_no_more() -> None:
    pairs = {(mine, other) for mine in TARGETS for other in TARGETS if mine != other}
    holding = {pair for pair in pairs if text_rules_hold(TARGETS[pair[0]].rules, TARGETS[pair[1]].rules)}
    assert {("pai-v1", "bridge"), ("pai-v2", "bridge")} <= holding
    assert holding.isdisjoint({("bridge", "pai-v1"), ("pai-v2", "pai-v1"), ("crude", "bridge")})
    for mine, other in holding:
        for row in TABLE.values():
            if getattr(row, mine.replace("-", "_")) is None:
                check_text(row.sample, TARGETS[other].rules)  # raises where it asks for more


def test_every_reason_of_the_table_is_explained() -> None:
    codes = {code for row in TABLE.values() for code in (row.pai_v1, row.pai_v2, row.bridge, row.crude) if code}
    assert codes <= REASONS.keys()


def test_too_few_tags_are_answered_with_the_option_that_adds_them() -> None:
    for tags, paths, advised in ((1, 2, True), (2, 1, False)):
        with pytest.raises(SampleError, match=f'{tags} <image> tags, {paths} paths in "images"') as caught:
            check(*pictures(tags, paths), TARGETS["pai-v1"].rules)
        assert ("--prepend-missing-tags" in str(caught.value)) == advised


def test_limits_may_be_set_tighter() -> None:
    rules = replace(TARGETS["pai-v1"].rules, max_images=2, max_frames=8)
    check(*pictures(2, 2), rules)
    with pytest.raises(SampleError, match="3 images"):
        check(*pictures(3, 3), rules)
    with pytest.raises(SampleError, match="9 frames"):
        check(*clip(9), rules)
