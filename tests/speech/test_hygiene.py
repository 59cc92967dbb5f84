"""Hygiene: what is private is masked and counted, what is blocked is left out, and nothing else is touched."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.speech.hygiene import masked, read_blocked, without_blocked
from mm2energon.speech.private import MASKS, mask
from mm2energon.speech.utterances import Word

from speech.utterances import assistant, user


def hidden(text: str, *kinds: str) -> tuple[str, dict[str, int]]:
    counts: Counter[str] = Counter()
    (clean,) = mask([text], kinds or tuple(MASKS), counts)
    return clean, dict(counts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to john.doe@example.com.", "Write to [email]."),
        ("JOHN AT EXAMPLE DOT COM", "[email]"),
        ("it is john at example dot com please", "it is [email] please"),
        ("john dot smith at mail dot example dot co dot uk, ok", "[email], ok"),
        ("jane underscore doe at gmail dot com", "[email]"),
        ("john at gmail.com or jane@gmail dot com", "[email] or [email]"),
        ("juan arroba correo punto es", "[email]"),
        ("我的邮箱是john@example.com谢谢", "我的邮箱是[email]谢谢"),
        ("jürgen@müller.de", "[email]"),
        ("<a.b+c@d-e.org>", "<[email]>"),
    ],
)
def test_addresses_are_masked_as_written_and_as_spoken(text, expected):
    assert hidden(text) == (expected, {"email": expected.count("[email]")})


@pytest.mark.parametrize(
    "text",
    [
        "Look at example.com.",
        "We met at noon, at the dot com office.",
        "Meet me at 5.30",
        "She is good at polka dot dresses.",
        "at that point in time",
        "Follow @name.",
        "Five @ 3.50 each",
        "He works at acme dot com",
    ],
)
def test_what_only_resembles_an_address_is_left(text):
    assert hidden(text, "email") == (text, {})


@pytest.mark.parametrize(
    "number",
    [
        *("555-123-4567", "+1 (555) 123-4567", "(020) 7946 0958", "0049 170 1234567", "06 12 34 56 78", "612 345 678"),
        *("555.123.4567", "1.800.555.1234", "5551234", "13800138000", "１３８００１３８０００", "+49-30-123456"),
        *(
            "five five five one two three four",
            "five, five, five, oh one two three",
            "Double five five one two three four",
        ),
        *("null eins sieben null eins zwei drei", "seis uno dos tres cuatro cinco seis", "一三八零零一三八零零零"),
    ],
)
@pytest.mark.parametrize("around", ["Call {}, please.", "{}", "电话{}谢谢"])
def test_phone_numbers_are_masked_as_written_and_as_spoken(number, around):
    if number[0].isalpha() and number.isascii() and around.startswith("电话"):
        around = "电话 {} 谢谢"
    assert hidden(around.format(number)) == (around.format("[phone]"), {"phone": 1})


@pytest.mark.parametrize(
    "text",
    [
        *("2019-2020", "in 1999 2000 2001", "1999, 2000 and 2001", "2024-05-12", "12.05.2024", "05/12/2024"),
        *("version 10.15.7", "192.168.1.100", "3.14159265", "1,000,000", "1.234.567", "1 234 567 people", "10000000"),
        *("1 2 3 4 5 6 7 8 9", "10 9 8 7 6 5 4 3", "one two three four five six seven eight"),
        *("4111 1111 1111 1111", "from 10:30 to 11:45", "part x13800138000", "一二三四五六七"),
    ],
)
def test_years_dates_versions_counts_and_amounts_are_no_phone_numbers(text):
    assert hidden(text, "phone", "email") == (text, {})


@pytest.mark.parametrize(
    ("text", "expected", "count"),
    [
        ("I have 3 cats and 1,000.50 dollars.", "I have [number] cats and [number] dollars.", 2),
        ("At 10:30, 3/4 of 1.2.3", "At [number], [number] of [number]", 3),
        ("from 2019-2020 on", "from [number]-[number] on", 2),
        ("10.5km, the 5th, 50%, $5.", "[number]km, the [number]th, [number]%, $[number].", 4),
        ("我有3个苹果", "我有[number]个苹果", 1),
        ("H2O, MP3, v1.2, x86_64", "H2O, MP3, v1.2, x86_64", 0),
    ],
)
def test_numbers_are_masked_whole_and_those_in_names_are_left(text, expected, count):
    assert hidden(text) == (expected, {"number": count} if count else {})


def test_only_what_is_asked_for_is_masked_and_each_is_counted():
    text = "a@b.com and c@d.com, 555-123-4567, 7"
    assert hidden(text, "email") == ("[email] and [email], 555-123-4567, 7", {"email": 2})
    assert hidden(text, "number", "phone") == ("a@b.com and c@d.com, [phone], [number]", {"phone": 1, "number": 1})
    assert hidden(text) == ("[email] and [email], [phone], [number]", {"email": 2, "phone": 1, "number": 1})


@given(st.text(alphabet="a1 @.-+(五é,:'零 at dot com", max_size=60))
def test_what_was_masked_stays_so_and_is_counted(text):
    clean, counts = hidden(text)
    assert {kind: clean.count(f"[{kind}]") for kind in counts} == counts
    assert hidden(clean, "email", "number")[1] == {}


def test_long_texts_are_masked_in_one_pass():
    assert hidden("a" * 100_000)[1] == {}
    assert hidden("at dot " * 20_000)[1] == {}
    assert hidden("1.5 " * 20_000)[1] == {"number": 20_000}


def test_the_words_of_a_masked_utterance_are_gone():
    words = (Word(" a@b.com", 0.0, 1.0, 1.0),)
    counts: Counter[str] = Counter()
    one, other = masked(
        [user(0, 1, "a@b.com", words=words), user(1, 2, "fine", words=words)], ["email"], counts, pause=3
    )
    assert (one.text, one.words) == ("[email]", ())
    assert other.words == words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["My number is 555", "123", "45 67, thanks."], ["My number is [phone]", "[phone]", "[phone], thanks."]),
        (["five five five", "one two three four"], ["[phone]", "[phone]"]),
        (["jane dot doe", "at mail dot com. And 5551234"], ["[email]", "[email]. And [phone]"]),
        (["一三八零零", "一三八零零零"], ["[phone]", "[phone]"]),
        (["I have 20", "and 30"], ["I have 20", "and 30"]),
    ],
)
def test_what_is_said_in_groups_is_masked_over_the_pauses(said, expected):
    utterances = [user(2 * number, 2 * number + 1, text) for number, text in enumerate(said)]
    listener = [assistant(2 * number + 1, 2 * number + 1.2, "7") for number in range(len(said))]
    both = sorted([*utterances, *listener], key=lambda one: one.start)
    counts: Counter[str] = Counter()
    clean = masked(both, ["email", "phone"], counts, pause=3)
    assert [one.text for one in clean if one.speaker == "user"] == expected
    assert [one.text for one in clean if one.speaker == "assistant"] == ["7"] * len(said)
    assert [one.start for one in clean] == [one.start for one in both]
    assert sum(counts.values()) == len(
        {"[email]", "[phone]"} & set(" ".join(expected).replace(".", " ").replace(",", " ").split())
    )


def test_what_is_said_after_a_long_pause_is_another_number():
    counts: Counter[str] = Counter()
    clean = masked([user(0, 1, "Give me 555"), user(5, 6, "1234 of them")], ["phone"], counts, pause=3)
    assert [one.text for one in clean] == ["Give me 555", "1234 of them"]


@pytest.mark.parametrize(
    ("blocked", "text", "is_left_out"),
    [
        ("damn", "Damn it.", True),
        ("damn", "Goddamned it.", False),
        ("DAMN", "damn", True),
        ("ass", "A class of glass.", False),
        ("top secret", "It is top  secret.", True),
        ("top secret", "It is top, secret.", False),
        ("c++", "I like C++ a lot.", True),
        ("c++", "I like abc++ a lot.", False),
        ("über", "darüber", False),
        ("über", "Über uns", True),
        ("straße", "die STRASSE", True),
        ("cafe\u0301", "Das Café", True),
        ("坏话", "他说了坏话吗", True),
        ("坏", "好的", False),
        ("spam", "我不要spam了", True),
        ("a.b", "axb", False),
    ],
)
def test_a_blocked_word_is_found_whatever_its_case_at_the_edges_of_words(blocked, text, is_left_out):
    kept, left_out = without_blocked([user(0, 1, text)], [blocked])
    assert (len(kept), len(left_out)) == ((0, 1) if is_left_out else (1, 0))


def test_what_is_blocked_is_told_by_its_longest_word():
    _, (one,) = without_blocked([user(0, 1, "It is top secret.")], ["top", "top secret", "secret"])
    assert one.code == "blocked-words"
    assert "'top secret'" in one.message


def test_nothing_is_blocked_by_nothing():
    assert without_blocked([user(0, 1)], []) == ([user(0, 1)], [])
    assert without_blocked([user(0, 1)], ["", " "]) == ([user(0, 1)], [])


def test_a_file_has_a_word_or_phrase_on_each_line(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff# remarks\r\ndamn\r\n\r\n  top secret \r\n  # more\r\n".encode())
    assert read_blocked(path) == ("damn", "top secret")


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("words.txt", "none.txt"):
        with pytest.raises(InputError, match=rf"--blocked-words .*{name}: cannot be read .* expected; name one"):
            read_blocked(tmp_path / name)
