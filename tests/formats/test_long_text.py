"""Long texts with questions: what is drawn, what is asked, and what is neither."""

import pytest
from mm2energon.errors import SampleError
from mm2energon.formats.long_text import LongText, read_long_text

PAPER = (
    "Below is a paper. Memorize the paper and answer my question after the paper.\n The paper begins. \n A cat. \n"
    " Now the paper ends. "
)
TWO = (
    "There are two papers.\n The first paper begins. \n A cat. \n Now the first paper ends. \n"
    " The second paper begins. \n A dog. \n Now the second paper ends. "
)


@pytest.mark.parametrize(
    ("entry", "read"),
    [
        ({"context": " long ", "question": " q? ", "answer": " a "}, (" long ", "q?", "a")),
        ({"instruction": "q?", "input": "long", "output": "a"}, ("long", "q?", "a")),
        ({"instruction": f"{PAPER}\nq?", "input": "", "output": "a"}, (PAPER.rstrip(), "q?", "a")),
        ({"instruction": f"{PAPER}\nq?", "input": None, "output": "a"}, (PAPER.rstrip(), "q?", "a")),
        (
            {"instruction": f"{TWO}Compare them.\nIn short.", "output": "a"},
            (TWO.rstrip(), "Compare them.\nIn short.", "a"),
        ),
        (
            {"instruction": "Below are paragraphs.\n A cat. \n Now the material ends. Question: who?", "output": "a"},
            ("Below are paragraphs.\n A cat. \n Now the material ends.", "Question: who?", "a"),
        ),
        (
            {"instruction": "Doc 1: a\nQuestion: not this\nDoc 2: b\n\nQuestion: who?\n", "output": "a"},
            ("Doc 1: a\nQuestion: not this\nDoc 2: b\n\n", "who?", "a"),
        ),
    ],
)
def test_the_context_is_told_from_the_question(entry, read):
    found = read_long_text(entry, origin="o")
    assert (found.context, found.question, found.answer) == read


def test_the_other_keys_stay():
    entry = {"context": "c", "question": "q", "answer": "a", "id": 7, "file": "x.pdf", "images": []}
    assert read_long_text(entry, origin="o") == LongText("c", "q", "a", {"id": 7, "file": "x.pdf"})


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({}, "unknown-format"),
        ({"conversations": []}, "unknown-format"),
        ({"context": "c", "question": "q"}, "bad-turn"),
        ({"context": "c", "question": 7, "answer": "a"}, "bad-turn"),
        ({"context": "c", "question": " ", "answer": "a"}, "bad-turn"),
        ({"context": "c", "question": "q", "answer": "\n"}, "no-answer"),
        ({"context": " ", "question": "q", "answer": "a"}, "no-context"),
        ({"instruction": "Name a colour.", "input": "", "output": "Red."}, "no-context"),
        ({"instruction": PAPER, "output": "no question behind it"}, "no-context"),
        ({"instruction": "q", "input": ["c"], "output": "a"}, "bad-turn"),
        ({"context": "c", "question": "<video> q", "answer": "a"}, "tag-count"),
        ({"context": "c", "question": "q", "answer": "an <image>"}, "tag-count"),
        ({"context": "c", "question": "q", "answer": "a", "image": "x.jpg"}, "tag-count"),
    ],
)
def test_what_is_no_long_text_with_a_question_has_a_reason(entry, code):
    with pytest.raises(SampleError, match="^o: ") as refused:
        read_long_text(entry, origin="o")
    assert refused.value.code == code


def test_a_tag_in_the_context_is_drawn_as_it_stands():
    assert read_long_text({"context": "<video>", "question": "q", "answer": "a"}, origin="o").context == "<video>"
