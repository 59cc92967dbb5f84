"""pocketsphinx recognises real speech: words, times, scores; and says what is wrong with a model."""

from pathlib import Path

import pytest
from mm2energon.errors import InputError
from mm2energon.speech.activity import find_speech
from mm2energon.speech.engines import load
from mm2energon.speech.engines.settings import Settings
from mm2energon.speech.sound import Sound
from mm2energon.speech.utterances import Span

from speech.saying import RATE, VOICES, placed, say, word_errors, words_of

SCRIPT = (
    "good morning how can i help you today",
    "the weather is nice and sunny",
    "what time does the train leave tomorrow morning",
    "please open the window and close the door",
    "i would like to have a cup of coffee",
    "she was reading a book in the garden",
    "we are going to the city on monday",
    "can you tell me the way to the station",
    "my brother lives in a small house",
    "they will come back next week",
)


def settings(**changes: object) -> Settings:
    return Settings(**{"engine": "pocketsphinx", "model": "base", **changes})


def spoken(lines: tuple[str, ...], voice: str) -> tuple[Sound, list[Span]]:
    parts, spans, at = [], [], 0.5
    for line in lines:
        said = say(line, voice)
        parts.append((at, said))
        spans.append(Span(at, at + len(said) / RATE))
        at = spans[-1].end + 0.8
    return Sound(placed(parts, at)), spans


@pytest.mark.parametrize("voice", VOICES)
def test_of_ten_lines_fewer_than_a_tenth_of_the_words_are_wrong(voice: str) -> None:
    """0.039 with slt, 0.013 with rms as this was written; 0.25 is what the project asks for."""
    sound, _ = spoken(SCRIPT, voice)
    found = list(load(settings()).recognize(sound, find_speech(sound), "en"))
    assert len(found) == len(SCRIPT)
    heard = [words_of("".join(word.text for word in one.words)) for one in found]
    said = [words_of(line) for line in SCRIPT]
    errors = sum(word_errors(one, other) for one, other in zip(said, heard, strict=True))
    assert errors / sum(map(len, said)) < 0.1
    assert all(one.doubt is None and 0.3 < one.confidence <= 1 for one in found)


def test_words_are_where_they_were_said() -> None:
    """Each word is spoken by itself, so that its place is known to the sample."""
    words = ("morning", "coffee", "garden", "station")
    sound, spans = spoken(words, "slt")
    found = list(load(settings()).recognize(sound, spans, "en"))
    assert [one.words[0].text for one in found] == [f" {word}" for word in words]
    for one, span in zip(found, spans, strict=True):
        assert one.span == span
        assert one.words[0].start == pytest.approx(span.start, abs=0.3)
        assert one.words[-1].end == pytest.approx(span.end, abs=0.3)


def test_what_was_heard_before_has_no_share_in_what_is_heard() -> None:
    sound, spans = spoken(SCRIPT[:3], "slt")
    engine = load(settings())
    whole = list(engine.recognize(sound, spans, "en"))
    assert list(engine.recognize(sound, spans[2:], "en")) == whole[2:]


def test_noise_is_no_speech() -> None:
    sound = Sound(placed([], 3, hiss=30))
    (found,) = load(settings()).recognize(sound, [Span(1, 2)], "en")
    assert found.doubt == "no-speech" or found.confidence < 0.3


def test_a_span_of_no_length_and_one_past_the_end_are_no_speech() -> None:
    sound = Sound(placed([], 1))
    found = list(load(settings()).recognize(sound, [Span(0.5, 0.5), Span(5, 6)], "en"))
    assert [one.doubt for one in found] == ["no-speech", "no-speech"]


def test_its_own_model_speaks_english_alone() -> None:
    assert load(settings(language="en-GB")).languages(Sound(placed([], 1)), []) == {"en": 1.0}
    with pytest.raises(InputError, match=r"--language de: --model pocketsphinx's own knows English alone"):
        load(settings(language="de"))


def test_a_folder_without_a_model_says_what_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no mdef in it; the folder of a pocketsphinx model"):
        load(settings(model=str(tmp_path)))


def test_a_broken_model_is_named_and_not_a_traceback(tmp_path: Path) -> None:
    for name in ("mdef", "en.dict", "en.lm.bin"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"pocketsphinx cannot use it"):
        load(settings(model=str(tmp_path)))


def test_the_model_of_the_wheel_works_from_a_folder_too() -> None:
    import pocketsphinx

    sound, spans = spoken(SCRIPT[1:2], "slt")
    engine = load(settings(model=str(Path(pocketsphinx.__file__).parent / "model" / "en-us")))
    assert engine.languages(sound, spans) == {}  # nobody said what it speaks
    (found,) = engine.recognize(sound, spans, None)
    assert "".join(word.text for word in found.words) == " the weather is nice and sunny"


def test_it_has_no_use_for_a_gpu() -> None:
    with pytest.raises(InputError, match=r"--device cuda: pocketsphinx runs on the processor"):
        load(settings(device="cuda"))


def test_without_flite_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"flite is missing; .*: sudo apt-get install flite"):
        say("nobody said this before")
