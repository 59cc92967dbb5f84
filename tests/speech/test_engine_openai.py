"""OpenAI's Whisper, its true code on a model that says a script: words, spans, scores, languages."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mm2energon.errors import InputError
from mm2energon.speech import engines
from mm2energon.speech.engines import load
from mm2energon.speech.engines.settings import Recognized, Recognizer, Settings
from mm2energon.speech.sound import Sound
from mm2energon.speech.utterances import Span

from speech.saying import placed
from speech.tiny_whisper import Script

File = Callable[[Script], Path]
pytestmark = pytest.mark.usefixtures("own_threads")
TEXT = " Hello there, how are you?"


def noise(seconds: float) -> Sound:
    return Sound(placed([], seconds, hiss=300))


def loaded(path: Path, **changes: Any) -> Recognizer:
    return load(Settings(**{"engine": "whisper", "model": str(path), "threads": 1, **changes}))


def text(found: Recognized) -> str:
    return "".join(word.text for word in found.words)


def test_each_window_has_its_own_words_at_its_own_time(tiny_file: File) -> None:
    spans = [Span(1, 16), Span(20, 36.5), Span(40, 55.3), Span(60.123, 76.456)]  # no two of them go into one window
    found = list(loaded(tiny_file(Script())).recognize(noise(78), spans, "en"))
    assert [one.span for one in found] == spans
    assert [text(one) for one in found] == [TEXT] * len(spans)
    assert all(one.doubt is None and one.confidence > 0.95 for one in found)
    for one in found:
        times = [time for word in one.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert one.span.start - 0.2 - 1e-9 <= times[0] <= times[-1] <= one.span.end + 0.2 + 1e-9


def test_the_words_of_a_window_are_shared_out_among_its_spans(tiny_file: File) -> None:
    spans = [Span(1, 2), Span(2.5, 3.5), Span(4, 5)]
    found = list(loaded(tiny_file(Script())).recognize(noise(6), spans, "en"))
    assert [one.span for one in found] == spans
    assert "".join(map(text, found)) == TEXT


def test_no_span_no_recognition(tiny_file: File) -> None:
    engine = loaded(tiny_file(Script()))
    assert list(engine.recognize(noise(1), [], "en")) == []
    assert engine.languages(noise(1), []) == {}


def test_scores_are_the_models(tiny_file: File) -> None:
    """Three rivals, as likely as each token, leave a quarter for it."""
    (found,) = loaded(tiny_file(Script(rivals=3))).recognize(noise(3), [Span(1, 2)], "en")
    assert found.confidence == pytest.approx(0.25, abs=0.03)


def test_what_the_model_takes_for_silence_is_in_doubt(tiny_file: File) -> None:
    (found,) = loaded(tiny_file(Script(is_silence=True, rivals=7))).recognize(noise(3), [Span(1, 2)], "en")
    assert found.doubt == "no-speech"


def test_what_repeats_itself_is_in_doubt(tiny_file: File) -> None:
    (found,) = loaded(tiny_file(Script(text=" la", times=16))).recognize(noise(3), [Span(1, 2)], "en")
    assert (text(found), found.doubt) == (" la" * 16, "repetition")


def test_the_language_is_told_and_its_seconds_add_up(tiny_file: File) -> None:
    found = loaded(tiny_file(Script(language="de"))).languages(noise(12), [Span(1, 2), Span(5, 7.5)])
    assert max(found, key=lambda code: found[code]) == "de"
    assert sum(found.values()) == pytest.approx(3.5, abs=0.01)


def test_a_language_is_given_by_code_or_name(tiny_file: File) -> None:
    path = tiny_file(Script(language="de"))
    for language, code in (("fr", "fr"), ("French", "fr"), ("pt-BR", "pt"), ("zh_TW", "zh")):
        assert loaded(path, language=language).languages(noise(3), [Span(1, 2)]) == {code: 1.0}
    with pytest.raises(InputError, match=r"--language xx: .* does not know it; expected one of af, am, ar, .*, zh"):
        loaded(path, language="xx")
    with pytest.raises(InputError, match=r"--language yue: "):  # large-v3 knows it, this one has no token of it
        loaded(path, language="yue")


def test_a_model_of_english_alone_is_asked_for_no_other(tiny_file: File) -> None:
    path = tiny_file(Script(language=None))
    engine = loaded(path)
    assert engine.languages(noise(3), [Span(1, 2)]) == {"en": 1.0}
    (found,) = engine.recognize(noise(3), [Span(1, 2)], "en")
    assert text(found) == TEXT
    with pytest.raises(InputError, match=r"--language zh: --model .* knows English alone; en was expected"):
        loaded(path, language="zh")


def test_a_folder_with_one_model_will_do(tiny_file: File, tmp_path: Path) -> None:
    (tmp_path / "base.pt").symlink_to(tiny_file(Script()))
    loaded(tmp_path)
    engines.load.cache_clear()
    (tmp_path / "small.pt").symlink_to(tiny_file(Script()))
    with pytest.raises(InputError, match=r"holds 2 files \.pt; one was expected.*name the file"):
        loaded(tmp_path)


def test_a_folder_of_faster_whisper_is_told_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds 0 files .*--engine faster-whisper takes this folder"):
        loaded(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing of the kind", pickle.dumps({"dims": 1}, protocol=2), pickle.dumps(["x"], protocol=2)],
    ids=["empty", "text", "no weights", "a list"],
)
def test_a_broken_file_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "base.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"--model .*base\.pt: cannot be loaded \(.*\); a \.pt file as OpenAI"):
        loaded(tmp_path / "base.pt")


def test_weights_of_another_model_are_no_traceback(tmp_path: Path) -> None:
    torch.save({"state_dict": {"x": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"cannot be loaded \('dims'\)"):
        loaded(tmp_path / "other.pt")


def test_a_model_that_was_cut_off_is_no_traceback(tiny_file: File, tmp_path: Path) -> None:
    (tmp_path / "base.pt").write_bytes(tiny_file(Script()).read_bytes()[:1_000_000])
    with pytest.raises(InputError, match=r"cannot be loaded"):
        loaded(tmp_path / "base.pt")


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(InputError, match=r"--model bse: no such model; expected one of tiny\.en, .*base, .*turbo"):
        load(Settings("whisper", "bse"))


@pytest.mark.parametrize("path", ["/nowhere/base.pt", "./models", "~/no-such-model.pt", "base.pt"])
def test_a_path_that_is_not_there_is_not_looked_for_elsewhere(path: str) -> None:
    with pytest.raises(InputError, match=rf"--model {path}: no such file or folder"):
        load(Settings("whisper", path))


def test_without_a_network_the_message_says_what_to_put_where(offline: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(Settings("whisper", "base"))
    message = str(caught.value)
    assert "--model base: is not on this machine, and could not be fetched (" in message
    assert "fetch https://openaipublic.azureedge.net/main/whisper/models/" in message
    assert f"base.pt where there is a network, and put it into {offline / 'whisper'}" in message
    assert "s3cret" not in message
    assert list((offline / "whisper").iterdir()) == []  # nothing half is left, which would be taken for a model


def test_a_model_of_the_cache_is_taken_without_a_network(
    offline: Path, tiny_file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tiny_file(Script()).read_bytes()
    monkeypatch.setitem(
        __import__("whisper")._MODELS, "base", f"https://example.invalid/{hashlib.sha256(content).hexdigest()}/base.pt"
    )
    monkeypatch.setitem(__import__("whisper")._ALIGNMENT_HEADS, "base", None)
    (offline / "whisper").mkdir()
    (offline / "whisper" / "base.pt").write_bytes(content)
    (found,) = load(Settings("whisper", "base")).recognize(noise(3), [Span(1, 2)], "en")
    assert text(found) == TEXT


def test_a_gpu_that_is_not_there_is_not_used(tiny_file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=r"--device cuda: no GPU can be used here; cpu or auto was expected"):
        loaded(tiny_file(Script()), device="cuda")
    loaded(tiny_file(Script()), device="auto")


@pytest.mark.parametrize("compute_type", ["float16", "int8"])
def test_a_processor_computes_in_float32_alone(tiny_file: File, compute_type: str) -> None:
    with pytest.raises(InputError, match=rf"--compute-type {compute_type}: on cpu one of auto, default, float32 was"):
        loaded(tiny_file(Script()), compute_type=compute_type)


def test_the_threads_are_those_that_are_asked_for(tiny_file: File) -> None:
    loaded(tiny_file(Script()), threads=2)
    assert torch.get_num_threads() == 2
    loaded(tiny_file(Script()), threads=1)
    assert torch.get_num_threads() == 1
