"""One rule for what is a JSON value: the quick way says the same as the Decoder, or nothing."""

from __future__ import annotations

import json
import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon.jsonvalue import MAX_DEPTH, UNSURE, Decoder, Faulty, quick_items, quick_value


def test_values_as_deep_as_the_limit_pass_and_deeper_ones_do_not() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inner = "0" if closing == "}" else ""
        for depth, passes in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (100_000, False)):
            value = Decoder().whole(opening * depth + inner + closing * depth)
            assert isinstance(value, Faulty) == (not passes)
            assert passes or value.text == opening * depth + inner + closing * depth


def test_brackets_in_texts_are_no_depth() -> None:
    items = ["[" * 500, {"{" * 500: ["]" * 500]}, *[[]] * 500]
    assert Decoder().whole(json.dumps(items)) == items


def test_a_decoder_forgets_the_faults_of_the_value_before() -> None:
    decoder = Decoder()
    assert decoder.whole("NaN").fault == "NaN is no JSON number"
    assert decoder.whole("1") == 1


def numbers() -> list[str]:
    """Numbers that are hard to round, to hold or to write."""
    draw = random.Random(7)
    floats = [struct.unpack("<d", draw.randbytes(8))[0] for _ in range(3000)]
    found = [repr(value) for value in floats if math.isfinite(value)]
    found += [f"{value:.{draw.randint(17, 40)}e}" for value in floats if math.isfinite(value)]
    for _ in range(3000):  # next to the middle between two floats, where rounding goes wrong
        low = draw.uniform(1, 2) * 2.0 ** draw.randint(-60, 200)
        middle = (int(low * 2**80) + int(math.nextafter(low, math.inf) * 2**80)) // 2 + draw.choice([-1, 0, 1])
        found.append(f"{middle // 2**80}." + f"{middle % 2**80 * 10**30 // 2**80:030d}")
        found.append(f"{draw.choice(['', '-'])}{draw.randrange(10 ** draw.randint(1, 25))}")
    found += ["19933688932870350000"]  # 65 bits, of which some parsers keep 61
    return found + [f"{sign}{2**bits + more}" for sign in ("", "-") for bits in (53, 63, 64, 65) for more in (-1, 0, 1)]


def test_numbers_are_read_quickly_as_python_reads_them() -> None:
    texts = numbers()
    for text, value in zip(texts, quick_items(",".join(texts).encode()), strict=True):
        assert repr(value) == repr(json.loads(text)), text


@pytest.mark.parametrize(
    "text", ["7" * 1001, "-" + "7" * 1001, "7" * 5000, "1e400", "NaN", "[" * 201 + "]" * 201, "01"]
)
@pytest.mark.parametrize("before", [0, 1, 50, 99, 12345])
def test_what_the_decoder_finds_faulty_is_not_read_quickly(text: str, before: int) -> None:
    whole = f'["{"-" * before}", {text}]'.encode()
    assert isinstance(Decoder().whole(whole.decode()), Faulty)
    with pytest.raises(UNSURE):
        quick_value(whole)
    with pytest.raises(UNSURE):
        quick_items(whole)


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:\\ \n0aeE-.uNI', max_size=40).map(str.encode))
@settings(deadline=None, max_examples=1000)
def test_what_is_read_quickly_is_what_the_decoder_reads(text: bytes) -> None:
    expected = Decoder().whole(text.decode("utf-8", "surrogateescape"))
    try:
        value = quick_value(text)
    except UNSURE:
        return
    assert repr(value) == repr(expected)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
@settings(deadline=None)
def test_values_of_a_few_levels_are_read_quickly(value: object) -> None:
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert repr(quick_value(text)) == repr(value) == repr(quick_items(text + b"," + text)[1])
