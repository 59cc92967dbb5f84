"""faster-whisper, its true code on a model that says a script: words, spans, batches, scores, languages."""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mm2energon.errors import InputError
from mm2energon.speech.engines import load
from mm2energon.speech.engines.settings import Recognized, Recognizer, Settings
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span

from speech.saying import placed
from speech.tiny_whisper import Script

Folder = Callable[[Script], Path]
TEXT = " Hello there, how are you?"
#: So long that no two of them go into one window.
APART = [Span(1, 16), Span(20, 36.5), Span(40, 55.3), Span(60, 80), Span(85.123, 101.456)]


def noise(seconds: float) -> Sound:
    return Sound(placed([], seconds, hiss=300))


def loaded(folder: Path, **changes: Any) -> Recognizer:
    return load(Settings(**{"engine": "faster-whisper", "model": str(folder), "threads": 1, **changes}))


def text(found: Recognized) -> str:
    return "".join(word.text for word in found.words)


def assert_words_are_inside(found: Sequence[Recognized], pad: float = 0.2) -> None:
    for one in found:
        times = [time for word in one.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert all(max(0, one.span.start - pad) - 1e-9 <= time <= one.span.end + pad + 1e-9 for time in times)


def test_each_window_has_its_own_words_whatever_the_batch(tiny_folder: Folder) -> None:
    by_size = [
        list(loaded(tiny_folder(Script()), batch_size=size).recognize(noise(105), APART, "en")) for size in (1, 2, 8)
    ]
    assert by_size[0] == by_size[1] == by_size[2]
    assert [one.span for one in by_size[0]] == APART
    assert [text(one) for one in by_size[0]] == [TEXT] * len(APART)
    assert all(one.doubt is None and one.confidence > 0.95 for one in by_size[0])
    assert_words_are_inside(by_size[0])


def test_the_words_of_a_window_are_shared_out_among_its_spans(tiny_folder: Folder) -> None:
    spans = [Span(1, 2), Span(2.5, 3.5), Span(4, 5), Span(20, 48)]
    found = list(loaded(tiny_folder(Script())).recognize(noise(50), spans, "en"))
    assert [one.span for one in found] == spans
    assert "".join(map(text, found)) == TEXT * 2  # two windows: each word is in one span, in order
    assert text(found[3]) == TEXT
    assert all(one.doubt == (None if one.words else "no-speech") for one in found)


def test_no_span_no_recognition(tiny_folder: Folder) -> None:
    engine = loaded(tiny_folder(Script()))
    assert list(engine.recognize(noise(1), [], "en")) == []
    assert engine.languages(noise(1), []) == {}


def test_the_shortest_span_is_recognised_too(tiny_folder: Folder) -> None:
    (found,) = loaded(tiny_folder(Script())).recognize(Sound(np.zeros(160, np.int16)), [Span(0, 0.01)], "en")
    assert_words_are_inside([found])


def test_scores_are_the_models(tiny_folder: Folder) -> None:
    """Three rivals, as likely as each token, leave a quarter for it."""
    (found,) = loaded(tiny_folder(Script(rivals=3))).recognize(noise(3), [Span(1, 2)], "en")
    assert found.confidence == pytest.approx(0.25, abs=0.03)
    assert found.doubt is None


def test_what_the_model_takes_for_silence_is_in_doubt(tiny_folder: Folder) -> None:
    (found,) = loaded(tiny_folder(Script(is_silence=True, rivals=7))).recognize(noise(3), [Span(1, 2)], "en")
    assert found.doubt == "no-speech"


def test_silence_that_it_is_sure_of_the_words_of_is_speech(tiny_folder: Folder) -> None:
    """As in Whisper's own transcribe: both scores have to say so."""
    (found,) = loaded(tiny_folder(Script(is_silence=True))).recognize(noise(3), [Span(1, 2)], "en")
    assert (text(found), found.doubt) == (TEXT, None)


def test_what_repeats_itself_is_heard_again_and_then_in_doubt(
    tiny_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = loaded(tiny_folder(Script(text=" la", times=16)))
    heard_again: list[float] = []
    hear_again = engine._hear_again

    def counted(piece: Any, how: Any) -> Any:
        heard_again.append(len(piece) / RATE)
        return hear_again(piece, how)

    monkeypatch.setattr(engine, "_hear_again", counted)
    found = list(engine.recognize(noise(4), [Span(1, 2)], "en"))
    assert heard_again == [pytest.approx(1.4, abs=0.001)]
    assert [(text(one), one.doubt) for one in found] == [(" la" * 16, "repetition")]
    assert_words_are_inside(found)


def test_the_language_is_told_by_the_longest_windows_and_its_seconds_add_up(tiny_folder: Folder) -> None:
    engine = loaded(tiny_folder(Script(language="de")))
    found = engine.languages(noise(105), APART)
    assert max(found, key=lambda code: found[code]) == "de"
    assert sum(found.values()) == pytest.approx(20 + 16.5 + 16.333, abs=0.01)


def test_a_language_that_is_given_is_not_told(tiny_folder: Folder) -> None:
    assert loaded(tiny_folder(Script(language="de")), language="FR").languages(noise(3), [Span(1, 2)]) == {"fr": 1.0}


def test_a_model_of_english_alone_is_asked_for_no_other(tiny_folder: Folder) -> None:
    folder = tiny_folder(Script(language=None))
    engine = loaded(folder)
    assert engine.languages(noise(3), [Span(1, 2)]) == {"en": 1.0}
    (found,) = engine.recognize(noise(3), [Span(1, 2)], "en")
    assert text(found) == TEXT
    assert loaded(folder, language="en-US").languages(noise(3), []) == {"en": 1.0}
    with pytest.raises(InputError, match=r"--language zh: --model .* knows English alone; en was expected"):
        loaded(folder, language="zh")


def test_a_language_that_whisper_lacks_is_named_with_those_that_it_knows(tiny_folder: Folder) -> None:
    with pytest.raises(InputError, match=r"--language xx: .* does not know it; expected one of af, am, ar, .*, zh"):
        loaded(tiny_folder(Script()), language="xx")


def test_cantonese_is_known_to_models_that_have_its_token_alone(tiny_folder: Folder) -> None:
    with pytest.raises(InputError, match=r"--language yue: "):
        loaded(tiny_folder(Script()), language="yue")


def test_a_gpu_that_is_not_there_is_not_used(tiny_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 0)
    with pytest.raises(InputError, match=r"--device cuda: no GPU can be used here; cpu or auto was expected"):
        loaded(tiny_folder(Script()), device="cuda")
    loaded(tiny_folder(Script()), device="auto")


def test_a_compute_type_that_the_device_lacks_is_named_with_those_that_it_has(tiny_folder: Folder) -> None:
    with pytest.raises(InputError, match=r"--compute-type flaot16: on cpu one of auto, .*float32.* was"):
        loaded(tiny_folder(Script()), compute_type="flaot16")


@pytest.mark.parametrize("compute_type", ["int8", "float32"])
def test_the_compute_types_of_a_processor_work(tiny_folder: Folder, compute_type: str) -> None:
    engine = loaded(tiny_folder(Script()), compute_type=compute_type)
    (found,) = engine.recognize(noise(3), [Span(1, 2)], "en")
    assert text(found) == TEXT


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(InputError, match=r"--model bse: no such model; expected one of .*base, .*large-v3.*turbo"):
        load(Settings("faster-whisper", "bse"))


@pytest.mark.parametrize("path", ["/nowhere/model", "./model", "~/no-such-model", "a/b/c"])
def test_a_path_that_is_not_there_is_not_looked_for_elsewhere(path: str) -> None:
    with pytest.raises(InputError, match=rf"--model {path}: no such file or folder"):
        load(Settings("faster-whisper", path))


@pytest.mark.parametrize("name", ["base", "large-v3", "somebody/their-model"])
def test_without_a_network_the_message_says_what_to_put_where_and_no_token(offline: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        load(Settings("faster-whisper", name))
    message = str(caught.value)
    repo = name if "/" in name else f"Systran/faster-whisper-{name}"
    assert f"--model {name}: is not on this machine, and could not be fetched (" in message
    assert f"hf download {repo} --local-dir {name.split('/')[-1]}; copy that folder to this machine" in message
    assert "hf_" not in message
    assert "s3cret" not in message
    assert "\n" not in message


def test_a_hub_that_says_nothing_is_given_up(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm2energon.speech.engines.fast._PATIENCE", 0.2)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:  # it takes connections, and no more
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(InputError, match=r"could not be fetched \(http://127.* does not answer within 0.2 s\)"):
            load(Settings("faster-whisper", "base"))


def cached(offline: Path, model: Path, *, files: Sequence[str]) -> None:
    """A model as the hub's library keeps it."""
    place = offline / "hub" / "models--Systran--faster-whisper-base"
    snapshot = place / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0" * 40)
    for name in files:
        (snapshot / name).symlink_to(model / name)


def test_a_model_of_the_cache_is_taken_without_a_network(offline: Path, tiny_folder: Folder) -> None:
    model = tiny_folder(Script())
    cached(offline, model, files=[path.name for path in model.iterdir()])
    (found,) = load(Settings("faster-whisper", "base")).recognize(noise(3), [Span(1, 2)], "en")
    assert text(found) == TEXT


def test_a_download_that_was_broken_off_is_no_model(offline: Path, tiny_folder: Folder) -> None:
    cached(offline, tiny_folder(Script()), files=["config.json", "tokenizer.json"])
    with pytest.raises(InputError, match=r"--model base: is not on this machine, and could not be fetched"):
        load(Settings("faster-whisper", "base"))


def copied(model: Path, folder: Path, *, without: str = "") -> Path:
    folder.mkdir()
    for path in model.iterdir():
        if path.name != without:
            (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_says_which(tiny_folder: Folder, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"no {name} in it; a folder with a model in CTranslate2's form"):
        loaded(copied(tiny_folder(Script()), tmp_path / "m", without=name))


@pytest.mark.parametrize(
    ("name", "hint"), [("model.safetensors", "ct2-transformers-converter"), ("base.pt", "--engine whisper")]
)
def test_the_model_of_another_library_is_told_by_its_files(tmp_path: Path, name: str, hint: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=hint):
        loaded(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "base.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"is a file; a folder with a model .* --engine whisper takes it"):
        loaded(tmp_path / "base.pt")


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
@pytest.mark.parametrize("content", [b"", b"nothing of the kind"])
def test_a_broken_file_of_a_model_is_no_traceback(
    tiny_folder: Folder, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = copied(tiny_folder(Script()), tmp_path / "m", without=name)
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"--model .*: cannot be loaded \(.+\); a folder with a model in "):
        loaded(folder)


def test_a_model_that_was_cut_off_is_no_traceback(tiny_folder: Folder, tmp_path: Path) -> None:
    model = tiny_folder(Script())
    folder = copied(model, tmp_path / "m", without="model.bin")
    (folder / "model.bin").write_bytes((model / "model.bin").read_bytes()[:1_000_000])
    with pytest.raises(InputError, match=r"cannot be loaded \(.+\)"):
        loaded(folder)
