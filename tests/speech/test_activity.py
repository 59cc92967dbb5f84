"""Speech is found where it was put, by Silero's model and by pocketsphinx's endpointer."""

from collections.abc import Callable

import numpy as np
import pytest
from mm2energon.errors import DependencyError
from mm2energon.speech import activity
from mm2energon.speech.activity import Activity, detector, find_speech
from mm2energon.speech.sound import Sound
from mm2energon.speech.utterances import Span

from speech.saying import RATE, VOICES, placed, say

LINES = (
    "good morning how can i help you today",
    "yes",
    "what time does the train leave tomorrow morning",
    "six",
    "please open the window",
)


@pytest.fixture(params=["silero", "pocketsphinx"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two, whichever would be taken."""
    monkeypatch.setattr(activity, "detector", lambda: request.param)
    return str(request.param)


def dialogue(voice: str, *, pause: float = 1.1, hiss: int = 3) -> tuple[Sound, list[Span]]:
    parts, spans, at = [], [], 0.7
    for line in LINES:
        said = say(line, voice)
        parts.append((at, said))
        spans.append(Span(at, at + len(said) / RATE))
        at = spans[-1].end + pause
    return Sound(placed(parts, at, hiss=hiss)), spans


def assert_near(found: list[Span], expected: list[Span], seconds: float) -> None:
    assert len(found) == len(expected), (found, expected)
    for one, other in zip(found, expected, strict=True):
        assert one.start == pytest.approx(other.start, abs=seconds)
        assert one.end == pytest.approx(other.end, abs=seconds)


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("hiss", [0, 30])
def test_what_is_said_is_found_to_a_tenth_of_a_second(by: str, voice: str, hiss: int) -> None:
    sound, spans = dialogue(voice, hiss=hiss)
    assert_near(find_speech(sound), spans, 0.11)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.int16),
        np.zeros(1, np.int16),
        np.zeros(100, np.int16),
        np.zeros(5 * RATE, np.int16),
        np.random.default_rng(1).normal(0, 300, 5 * RATE).astype(np.int16),
        np.random.default_rng(1).normal(0, 3000, 5 * RATE).astype(np.int16),
        np.rint(8000 * np.sin(np.arange(5 * RATE) * 2 * np.pi * 440 / RATE)).astype(np.int16),
    ],
    ids=["nothing", "a sample", "6 ms", "silence", "noise", "loud noise", "a tone"],
)
def test_where_nobody_speaks_nothing_is_found(by: str, samples: np.ndarray) -> None:
    assert find_speech(Sound(samples)) == []


def test_speech_at_both_ends_of_the_sound_is_found(by: str) -> None:
    said = say(LINES[0], "slt")
    assert_near(find_speech(Sound(said.copy())), [Span(0, len(said) / RATE)], 0.11)


def test_what_is_muted_is_not_found(by: str) -> None:
    sound, spans = dialogue("slt")
    muted = Sound(sound.samples, muted=(Span(spans[2].start - 0.2, spans[2].end + 0.2),))
    assert_near(find_speech(muted), [*spans[:2], *spans[3:]], 0.11)


@pytest.mark.parametrize("stretch", [4.0, 5.3, 6.1, 7.7])
def test_stretches_are_joined_without_loss_or_doubling(monkeypatch: pytest.MonkeyPatch, stretch: float) -> None:
    monkeypatch.setattr(activity, "detector", lambda: "silero")
    sound, spans = dialogue("rms", pause=0.6)
    whole = find_speech(sound)
    assert_near(whole, spans, 0.11)
    monkeypatch.setattr(activity, "_STRETCH", stretch)
    assert_near(find_speech(sound), whole, 0.1)


def test_speech_that_fills_whole_stretches_is_one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "detector", lambda: "silero")
    monkeypatch.setattr(activity, "_STRETCH", 1.5)
    said = say(LINES[2] + " " + LINES[0], "slt")
    expected = [Span(1, 1 + len(said) / RATE)]
    assert_near(find_speech(Sound(placed([(1, said)], 9))), expected, 0.11)


def test_long_speech_is_cut_between_words_into_pieces_that_an_engine_takes(by: str) -> None:
    said = say(", ".join([LINES[0], LINES[2], LINES[4]] * 6), "slt")
    length = len(said) / RATE
    assert length > 30
    found = find_speech(Sound(placed([(1, said)], length + 2)), Activity(min_silence=3.0))
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    assert_near([Span(found[0].start, found[-1].end)], [Span(1, 1 + length)], 0.11)
    assert len(found) == -(-length // 28)
    assert all(5 < one.end - one.start <= 28 for one in found)
    around = [said[round((one.end - 1.05) * RATE) : round((one.end - 0.95) * RATE)].astype(float) for one in found[:-1]]
    loud = np.sqrt(np.square(said.astype(float)).mean())
    assert all(np.sqrt(np.square(piece).mean()) < loud / 10 for piece in around)


def test_one_block_of_noise_without_a_pause_is_cut_all_the_same() -> None:
    sound = Sound(np.random.default_rng(1).normal(0, 3000, 100 * RATE).astype(np.int16))
    pieces = list(activity._cut(sound, Span(0, 100), Activity()))
    assert (pieces[0].start, pieces[-1].end) == (0, 100)
    assert all(7 <= one.end - one.start <= 28 for one in pieces)
    assert [one.end for one in pieces[:-1]] == [one.start for one in pieces[1:]]


def without(*names: str) -> Callable[[str], object]:
    return lambda name: None if name in names else object()


def test_pocketsphinx_stands_in_for_silero(monkeypatch: pytest.MonkeyPatch) -> None:
    assert detector() == "silero"
    monkeypatch.setattr("importlib.util.find_spec", without("faster_whisper"))
    assert detector() == "pocketsphinx"
    monkeypatch.setattr("importlib.util.find_spec", without("faster_whisper", "pocketsphinx"))
    with pytest.raises(DependencyError, match=r"pip install 'mm2energon\[speech\]'"):
        find_speech(Sound(np.zeros(100, np.int16)))
