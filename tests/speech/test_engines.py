"""The table of engines, and what they share: places of models, devices, languages of a recording, scores."""

import math
import sys
from pathlib import Path

import pytest
from mm2energon.errors import DependencyError, InputError
from mm2energon.speech.engines import ENGINES, load
from mm2energon.speech.engines.languages import choose_languages
from mm2energon.speech.engines.places import device_of, gpu_errors, local, said
from mm2energon.speech.engines.settings import Settings
from mm2energon.speech.engines.whispers import Heard, language_of, recognized, word_at
from mm2energon.speech.engines.windows import windows
from mm2energon.speech.utterances import Span

RECOGNISING = [name for name, engine in ENGINES.items() if engine.module]
MODULES = {"faster-whisper": "faster_whisper", "whisper": "whisper", "pocketsphinx": "pocketsphinx"}


def test_the_first_engine_is_the_default_and_one_recognises_nothing() -> None:
    assert list(ENGINES) == ["faster-whisper", "whisper", "pocketsphinx", "transcript"]
    assert sorted(RECOGNISING) == sorted(MODULES)


@pytest.mark.parametrize("name", RECOGNISING)
def test_an_engine_whose_package_is_missing_says_how_it_is_installed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    with pytest.raises(DependencyError, match=r"is not installed; .* run: pip install 'mm2energon\[speech\]'"):
        load(Settings(name, "base"))


@pytest.mark.parametrize("name", RECOGNISING)
@pytest.mark.parametrize("device", ["gpu", "cuda:x", "auto:1", "cpu:1", ""])
def test_a_device_that_is_none_is_said(name: str, device: str) -> None:
    with pytest.raises(InputError, match=rf"--device {device}: .*auto.* was expected"):
        load(Settings(name, "base", device=device))


@pytest.mark.parametrize("name", ["transcript", "siri"])
def test_what_is_no_engine_is_answered_with_the_engines(name: str) -> None:
    with pytest.raises(InputError, match=r"recognises nothing; one of faster-whisper, whisper, pocketsphinx was"):
        load(Settings(name, "base"))


def test_a_model_is_loaded_once() -> None:
    assert load(Settings("pocketsphinx", "base")) is load(Settings("pocketsphinx", "base"))


def test_devices_are_counted_from_0() -> None:
    def device(asked: str, gpus: int) -> tuple[str, int]:
        return device_of(asked, gpus, needs="a GPU")

    assert [device("auto", 0), device("cpu", 2), device("auto", 2)] == [("cpu", 0), ("cpu", 0), ("cuda", 0)]
    assert [device("cuda", 2), device("cuda:1", 2)] == [("cuda", 0), ("cuda", 1)]
    with pytest.raises(InputError, match=r"--device cuda:2: there are 2 GPUs, counted from 0; cuda:1 is the last"):
        device("cuda:2", 2)


def test_what_a_gpu_lacks_is_said_with_what_helps() -> None:
    with (
        pytest.raises(InputError, match=r"memory does not suffice .* smaller --model or --batch-size"),
        gpu_errors("m"),
    ):
        raise RuntimeError("CUDA failed with error out of memory")
    with pytest.raises(InputError, match=r"libcublas.so.12 .* pip install nvidia-cublas-cu12"), gpu_errors("m"):
        raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")
    with pytest.raises(RuntimeError, match="something else"), gpu_errors("m"):
        raise RuntimeError("something else")


def test_names_are_no_paths_and_a_path_begins_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    assert local("~/model") == tmp_path / "model"
    assert local("large-v3") is None
    assert local("somebody/model") is None


def test_what_is_secret_is_not_repeated() -> None:
    told = said(OSError("https://me:pw@host/x refused hf_abcdefgh, Bearer xyz\nsecond line"))
    assert told == "https://...host/x refused ..., ..."
    assert len(said(OSError("x" * 1000))) < 210


def test_speakers_share_the_language_that_most_is_spoken_in() -> None:
    """A short answer that sounds like Welsh is English all the same, if the other side speaks that."""
    common, each = choose_languages({"user": {"cy": 1.5, "en": 0.5}, "assistant": {"en": 50.0, "de": 2.0}})
    assert (common, each) == ("en", {"user": "en", "assistant": "en"})


def test_an_interpreter_has_two_languages() -> None:
    common, each = choose_languages({"user": {"zh": 28.0, "yue": 2.0}, "assistant": {"en": 55.0, "de": 5.0}})
    assert (common, each) == ("en", {"user": "zh", "assistant": "en"})


def test_a_voice_that_is_not_clear_has_no_language_of_its_own() -> None:
    _, each = choose_languages({"user": {"no": 15.0, "da": 14.0}, "assistant": {"sv": 60.0}})
    assert each == {"user": "sv", "assistant": "sv"}


def test_the_order_of_voices_and_languages_decides_nothing() -> None:
    found = {"a": {"de": 5.0, "en": 5.0}, "b": {"en": 5.0, "de": 5.0}}
    assert choose_languages(found)[0] == choose_languages(dict(reversed(found.items())))[0] == "de"


def test_where_nobody_speaks_there_is_no_language() -> None:
    assert choose_languages({"user": {}, "assistant": {}}) == (None, {"user": None, "assistant": None})


def test_languages_go_by_code_region_or_name() -> None:
    known = {"en": "english", "zh": "chinese"}
    assert [language_of(one, known, model="m") for one in ("en", "EN-us", "zh_TW", "Chinese")] == [
        "en",
        "en",
        "zh",
        "zh",
    ]
    with pytest.raises(InputError, match=r"--language klingon: --model m does not know it; expected one of en, zh"):
        language_of("klingon", known, model="m")


def heard(*words: tuple[float, float], no_speech: float = 0, log: float = 0, compression: float = 1) -> Heard:
    return Heard(tuple(word_at(" x", start, end, 0.5) for start, end in words), no_speech, log, compression)


@pytest.mark.parametrize(
    ("scores", "doubt", "again"),
    [
        ({}, None, False),
        ({"no_speech": 0.9, "log": -0.5}, None, False),
        ({"no_speech": 0.9, "log": -1.5}, "no-speech", False),
        ({"no_speech": 0.1, "log": -1.5}, None, True),
        ({"compression": 3.0}, "repetition", True),
    ],
)
def test_scores_are_judged_as_whisper_judges_them(scores: dict[str, float], doubt: str | None, again: bool) -> None:
    one = heard((0, 1), **scores)
    assert (one.doubt, one.is_worth_another_try) == (doubt, again)


def test_a_span_has_the_doubt_of_most_of_its_words() -> None:
    (window,) = windows([Span(0, 4), Span(5, 6)], pad=0.2)
    found = list(recognized(window, [heard((0, 1), (1, 2)), heard((3, 4), (5, 6), compression=9)]))
    assert [(len(one.words), one.doubt) for one in found] == [(3, None), (1, "repetition")]


def test_words_in_the_silence_that_fills_the_window_up_are_put_to_its_end() -> None:
    (window,) = windows([Span(1, 2)], pad=0.2)
    (found,) = recognized(window, [heard((-0.3, 0.7), (1.2, 28.2), (27.2, 28.7))])
    assert [(word.start, word.end) for word in found.words] == [(0.8, 1.5), (2, 2.2), (2.2, 2.2)]


def test_a_confidence_is_a_number_from_0_to_1() -> None:
    assert [word_at("x", 0, 1, sure).confidence for sure in (math.nan, -1, 0.5, 1.0001)] == [0, 0, 0.5, 1]
