"""Prompts: what a model is told in each round of perception, and what is read out of its replies.

The rounds and their tags are those of VideoChat-R1.5 (arXiv 2509.21100; its model card and evaluation): all rounds but
the last ask for thoughts, an answer and the stretches of the video that it rests on, in `<think>`, `<answer>` and
`<glue>`; the last asks for the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Stands in a prompt where the question goes.
QUESTION_MARK = "[QUESTION]"

SEARCH_PROMPT = """Look at the video and answer this question about it: "[QUESTION]"

First write your reasoning inside <think> </think>. Then write the answer inside <answer> </answer>. Last, inside \
<glue> </glue>, list the stretches of the video that the answer rests on, in seconds from its start, in the form \
[(start, end), (start, end)]. An example of the whole: <think>...</think><answer>...</answer><glue>[(5.2, 10.4)]</glue>
"""

ANSWER_PROMPT = """Look at the video and answer this question about it: "[QUESTION]"

First write your reasoning inside <think> </think>. Then write the answer inside <answer> </answer>. An example of the \
whole: <think>...</think><answer>...</answer>
"""

_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.IGNORECASE | re.DOTALL)
_GLUE = re.compile(r"<glue>.*?(?:</glue>|\Z)", re.IGNORECASE | re.DOTALL)


def tell_times(times: Sequence[float], *, duration: float) -> str:
    """Says when the frames are shown, for models that are not told otherwise."""
    whole, seconds = tell_time(duration), ", ".join(map(tell_time, times))
    frames = (
        f"Its {len(times)} frames here are from these seconds" if len(times) > 1 else "Its frame here is from second"
    )
    return f"The video lasts {whole} seconds. {frames}: {seconds}."


def tell_time(seconds: float) -> str:
    """A time to the hundredth, with no more digits than it needs: 0.0, 12.25."""
    text = f"{seconds:.2f}"
    return text[:-1] if text.endswith("0") else text


def fill(prompt: str, question: str) -> str:
    """The prompt with the question in it."""
    return prompt.replace(QUESTION_MARK, question.strip())


def read_answer(reply: str) -> str:
    """The answer in a reply: what stands in its last `<answer>` tags, else all but the thoughts and spans.

    A reply that was cut off, or ends in its thoughts, has what there is of it.
    """
    reply = _begun(reply)
    found: list[str] = _ANSWER.findall(_THOUGHTS.sub("", reply)) or _ANSWER.findall(reply)
    for text in reversed(found):
        if text.strip():
            return text.strip()
    return _GLUE.sub("", _THOUGHTS.sub("", reply)).strip() or reply.strip()


def _begun(reply: str) -> str:
    """The reply with the tag of its thoughts, which some chat templates put into the prompt."""
    before, end, _ = reply.partition("</think>")
    return reply if not end or "<think>" in before else f"<think>{reply}"
