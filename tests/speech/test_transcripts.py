"""Transcripts: what is written is what others read, and what others write is read; what is broken is named."""

import json
import re

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.errors import InputError, MediaError
from mm2energon.jsonio import loads
from mm2energon.speech.subtitles import write_srt, write_vtt
from mm2energon.speech.transcripts import find_transcript, read_transcript, require_meant, write_json
from mm2energon.speech.utterances import Utterance, Word

from speech.utterances import assistant, by, user

TALK = [user(0.5, 2.0012, "Hello."), by("assistant", 1.75, 3, "你好。"), by("Anna", 3605.25, 3607, "Bye.")]
WRITERS = {"srt": write_srt, "vtt": write_vtt, "json": lambda said: write_json(said, about={"language": "en"})}
#: The grammars: https://www.w3.org/TR/webvtt1/#syntax, and SubRip as its readers have it.
VTT = re.compile(
    r"WEBVTT\n(\n\d{2,}:[0-5]\d:[0-5]\d\.\d{3} --> \d{2,}:[0-5]\d:[0-5]\d\.\d{3}\n<v [^\n\r&<>]+>"
    r"([^\n\r&<]|&(amp|lt|gt);)*\n)*"
)
SRT = re.compile(r"(?:^|\n)(\d+)\n(\d\d+:\d\d:\d\d,\d{3}) --> (\d\d+:\d\d:\d\d,\d{3})\n([^\n]+)\n")


def read(tmp_path, name, text, speaker="user", others=("assistant",)):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(one.start, one.end, one.text) for one in read_transcript(path, speaker, others)]


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_another_reader_finds_what_was_written(kind):
    cues = pysubs2.SSAFile.from_string(WRITERS[kind](TALK).decode(), format_=kind)
    names = ["user: ", "assistant: ", "Anna: "] if kind == "srt" else ["", "", ""]
    assert [(cue.start, cue.end, cue.plaintext) for cue in cues] == [
        (500, 2001, names[0] + "Hello."),
        (1750, 3000, names[1] + "你好。"),
        (3_605_250, 3_607_000, names[2] + "Bye."),
    ]


ODD = [
    "two\nlines",
    "blank\n\nline",
    "a --> b",
    "00:00:01.000 --> 00:00:02.000",
    "R&D &amp; x",
    "1 < 2 > 0",
    "<i>",
    "{\\b1}x{y}",
    "42",
    "a\\Nb",
    "\r\n x \r",
]
TEXTS = st.lists(
    st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9)),
    min_size=1,
    max_size=3,
)
UTTERANCES = st.lists(
    st.builds(
        lambda start, length, text: user(start, start + length, " ".join(["x", *text])),
        st.floats(0, 400_000),
        st.floats(0, 60),
        TEXTS,
    ),
    max_size=5,
)


@given(UTTERANCES)
def test_webvtt_is_what_its_grammar_says_and_begins_in_order(said):
    text = write_vtt(said).decode()
    assert VTT.fullmatch(text)
    begins = re.findall(r"\n\n(\d+):(\d\d):(\d\d\.\d{3}) -->", text)
    assert len(begins) == len(said)
    begins = [(int(hours), int(minutes), float(seconds)) for hours, minutes, seconds in begins]
    assert begins == sorted(begins)


@given(UTTERANCES)
def test_subrip_is_numbered_cues_of_one_line_with_blank_lines_between(said):
    text = write_srt(said).decode()
    cues = list(SRT.finditer(text))
    assert "".join(cue[0] for cue in cues) == text
    assert [int(cue[1]) for cue in cues] == list(range(1, len(said) + 1))
    assert text.count("-->") == len(said)


@pytest.mark.parametrize("kind", ["vtt", "json", "srt"])
@given(said=UTTERANCES)
def test_what_was_written_is_read_back(tmp_path_factory, kind, said):
    path = tmp_path_factory.mktemp("t") / f"t.{kind}"
    path.write_bytes(WRITERS[kind](said))
    found = read_transcript(path, "user", ["assistant"])
    assert [one.start for one in found] == pytest.approx(sorted(one.start for one in said), abs=0.0006)
    if kind != "srt":  # which cannot tell its styling from the same in the text
        texts = sorted(re.sub(r"\s", "", one.text) for one in said)
        assert sorted(re.sub(r"\s", "", one.text) for one in found) == texts


@pytest.mark.parametrize("kind", ["srt", "vtt", "json"])
def test_of_a_transcript_with_all_speakers_each_has_the_own_words(tmp_path, kind):
    written = WRITERS[kind](TALK)
    assert read(tmp_path, f"t.{kind}", written, "user", ["assistant", "Anna"]) == [(0.5, 2.001, "Hello.")]
    assert read(tmp_path, f"t.{kind}", written, "assistant", ["user", "Anna"]) == [(1.75, 3.0, "你好。")]
    assert read(tmp_path, f"t.{kind}", written, "Anna", ["user", "assistant"]) == [(3605.25, 3607.0, "Bye.")]


@pytest.mark.parametrize("kind", ["srt", "vtt", "json"])
def test_who_is_silent_in_a_transcript_of_all_says_nothing(tmp_path, kind):
    assert read(tmp_path, f"t.{kind}", WRITERS[kind]([assistant(0, 1)])) == []


def test_a_cue_of_no_length_is_written_with_one_that_players_show():
    assert b"00:00:01,000 --> 00:00:01,001" in write_srt([user(1, 1)])
    assert b"00:00:00.000 --> 00:00:00.001" in write_vtt([user(-1, -1)])


def test_json_has_the_words_and_scores_of_the_engine():
    words = (Word(" Hi", 0.12345, 0.5, 0.87654),)
    value = loads(write_json([Utterance("user", 0.1, 0.6, "Hi", 0.5, words)], about={"language": "en"}))
    assert value["language"] == "en"
    assert value["text"] == "Hi"
    assert value["segments"][0]["words"] == [{"word": " Hi", "start": 0.123, "end": 0.5, "probability": 0.877}]


PLAIN = "1\n00:00:01,000 --> 00:00:02,500\nHello there.\n\n2\n00:00:03,000 --> 00:00:04,000\nBye.\n"
HEARD = [(1.0, 2.5, "Hello there."), (3.0, 4.0, "Bye.")]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("Hello there.", "<i>Hello</i>\n{\\an8}<font color=#fff>there.</font>").encode(),
        PLAIN.replace("\n\n", "\n\n\n\n").encode(),
        PLAIN.replace("\n\n", "\n").encode(),
        PLAIN.replace("Hello there.", "Hello\n\nthere.").encode(),
        PLAIN.replace("1\n00", "00").replace("2\n00", "00").encode(),
        PLAIN.replace(",", ".").encode(),
        PLAIN.replace("500\n", "500 X1:0 X2:9 Y1:0 Y2:9\n").encode(),
        PLAIN.replace("00:00:01,000", "0:0:01,0").encode(),
        PLAIN.rstrip().encode(),
        PLAIN.replace("Bye.", "Bye.\n\n3\n00:00:05,000 --> 00:00:06,000\n\n").encode(),
    ],
)
def test_subrip_is_read_as_others_write_it(tmp_path, data):
    assert read(tmp_path, "t.srt", data) == HEARD


def test_a_number_that_is_said_is_not_the_number_of_a_cue(tmp_path):
    text = PLAIN.replace("Hello there.", "How many?\n42").replace("Bye.", "42")
    assert read(tmp_path, "t.srt", text) == [(1.0, 2.5, "How many? 42"), (3.0, 4.0, "42")]
    assert [one[2] for one in read(tmp_path, "t.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHow many?\n42\n")] == [
        "How many? 42"
    ]


def test_overlapping_cues_out_of_order_are_read_in_time(tmp_path):
    text = "1\n00:00:03,000 --> 00:00:09,000\nB.\n\n2\n00:00:01,000 --> 00:00:04,000\nA.\n"
    assert read(tmp_path, "t.srt", text) == [(1.0, 4.0, "A."), (3.0, 9.0, "B.")]


def test_lines_of_a_cue_are_joined_as_their_script_is(tmp_path):
    assert read(tmp_path, "t.srt", PLAIN.replace("Hello there.", "你好\n世界"))[0][2] == "你好世界"


RICH = """WEBVTT - a title
Kind: captions

NOTE this is
no cue 00:00

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
<v.loud user><b>Hello</b> <c.yellow>there</c> &amp; <00:00:02.000>you &lt;3</v>

00:00:03.000 --> 00:00:04.000
<v assistant>Not mine.
<v user>Mine.

01:00:05.000 --> 01:00:06.000
<v user><ruby>漢<rt>かん</rt></ruby>字
"""


@pytest.mark.parametrize("text", [RICH, "\ufeff" + RICH.replace("\n", "\r\n")])
def test_webvtt_is_read_with_its_voices_tags_notes_and_names(tmp_path, text):
    expected = [(1.0, 2.5, "Hello there & you <3"), (3.0, 4.0, "Mine."), (3605.0, 3606.0, "漢字")]
    assert read(tmp_path, "t.vtt", text) == expected
    assert read(tmp_path, "t.vtt", text, "assistant", ["user"]) == [(3.0, 4.0, "Not mine.")]


def test_a_file_that_names_one_person_by_another_name_is_the_speakers(tmp_path):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Esther Smith>Hi.\n\n00:03.000 --> 00:04.000\nThere.\n"
    assert [one[2] for one in read(tmp_path, "t.vtt", text)] == ["Hi.", "There."]


def test_a_cue_that_names_nobody_is_of_who_spoke_before(tmp_path):
    cues = [("<v assistant>A.", 1), ("B.", 2), ("<v user>C.", 3), ("D.", 4)]
    text = "WEBVTT\n" + "".join(f"\n00:0{n}.000 --> 00:0{n + 1}.000\n{said}\n" for said, n in cues)
    assert [one[2] for one in read(tmp_path, "t.vtt", text)] == ["C.", "D."]
    assert [one[2] for one in read(tmp_path, "t.vtt", text, "assistant", ["user"])] == ["A.", "B."]


@pytest.mark.parametrize("name", ["t.srt", "t.vtt", "t.json"])
@pytest.mark.parametrize("text", ["", "\ufeff", "\n\n"])
def test_an_empty_file_says_nothing(tmp_path, name, text):
    assert read(tmp_path, name, text) == []


def test_headers_alone_say_nothing(tmp_path):
    assert read(tmp_path, "t.vtt", "WEBVTT\n\nNOTE nothing\n") == []
    assert read(tmp_path, "t.json", '{"text": "", "segments": [], "language": "en"}') == []


#: What others write: openai-whisper, faster-whisper's segments as they are dumped, whisperX, transformers, whisper.cpp.
OTHERS = {
    "whisper": {"text": " Hi.", "segments": [{"id": 0, "start": 1.0, "end": 2.0, "text": " Hi.", "avg_logprob": -0.5}]},
    "faster-whisper": [
        {"id": 1, "seek": 0, "start": 1.0, "end": 2.0, "text": " Hi.", "avg_logprob": -0.5, "words": None}
    ],
    "whisperX": {
        "segments": [
            {
                "start": 1.0,
                "end": 2.0,
                "text": " Hi.",
                "words": [{"word": "Hi.", "start": 1.0, "end": 2.0, "score": 0.6065}, {"word": "4"}],
            }
        ],
        "word_segments": [],
    },
    "transformers": {"text": " Hi.", "chunks": [{"timestamp": [1.0, 2.0], "text": " Hi.", "confidence": 0.6065}]},
    "whisper.cpp": {"transcription": [{"offsets": {"from": 1000, "to": 2000}, "text": " Hi.", "confidence": 0.6065}]},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_json_is_read_as_others_write_it(tmp_path, kind):
    (tmp_path / "t.json").write_text(json.dumps(OTHERS[kind]))
    (one,) = read_transcript(tmp_path / "t.json", "user")
    assert (one.speaker, one.start, one.end, one.text) == ("user", 1.0, 2.0, "Hi.")
    assert one.confidence == pytest.approx(0.6065, abs=1e-4)
    assert len(one.words) == (kind == "whisperX")


@pytest.mark.parametrize(
    "score", ['"avg_logprob": NaN', '"confidence": NaN, "words": [{"word": "x", "start": NaN, "end": 1}]', '"x": 1']
)
def test_a_score_that_is_none_speaks_for_nothing(tmp_path, score):
    (tmp_path / "t.json").write_text(f'[{{"start": 1, "end": 2, "text": "Hi.", {score}}}]')
    (one,) = read_transcript(tmp_path / "t.json", "user")
    assert (one.confidence, one.words) == (1.0, ())


def test_times_before_the_beginning_are_its_beginning(tmp_path):
    assert read(tmp_path, "t.json", '[{"start": -0.5, "end": 1, "text": "A."}]') == [(0.0, 1.0, "A.")]
    assert read(tmp_path, "t.srt", "1\n-00:00:01,000 --> 00:00:01,000\nA.\n") == [(0.0, 1.0, "A.")]


def test_what_ends_before_it_begins_has_no_length(tmp_path):
    assert read(tmp_path, "t.srt", "1\n00:00:02,000 --> 00:00:01,000\nA.\n") == [(2.0, 2.0, "A.")]
    assert read(tmp_path, "t.json", '[{"start": 2, "end": 1, "text": "A."}]') == [(2.0, 2.0, "A.")]


def test_speakers_that_another_tool_told_apart_are_named_where_none_is_meant(tmp_path):
    segments = [{"start": n, "end": n + 1, "text": "A.", "speaker": f"SPEAKER_0{n}"} for n in range(2)]
    with pytest.raises(MediaError, match="names the speakers SPEAKER_00, SPEAKER_01, and not user"):
        read(tmp_path, "t.json", json.dumps(segments))
    assert read(tmp_path, "t.json", json.dumps(segments), "SPEAKER_01") == [(1.0, 2.0, "A.")]
    assert len(read(tmp_path, "t.json", json.dumps(segments[:1]))) == 1


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("t.srt", b"Just some words.", "no line with times"),
        ("t.srt", b"1\n00:00:0x --> 00:00:02,000\nHi\n", None),
        ("t.srt", b"1\n00:00:01,000 --> oops\nHi\n", "times such as"),
        ("t.srt", b"\xff\xfa\x00\x81", "UnicodeDecodeError"),
        ("t.vtt", b"Just some words.", "no WEBVTT"),
        ("t.vtt", b"WEBVTT\n\n00:01.000 --> 2\nHi\n", "times such as"),
        ("t.json", b"{", "JSONDecodeError"),
        ("t.json", b"{}", "no list of segments"),
        ("t.json", b'{"segments": "x"}', "no list of segments"),
        ("t.json", b"[1]", "no list of segments"),
        ("t.json", b'[{"start": 0, "end": 1}]', "KeyError"),
        ("t.json", b'[{"start": 0, "end": 1, "text": null}]', "AttributeError"),
        ("t.json", b'[{"start": NaN, "end": 1, "text": "Hi."}]', "has the times nan to 1.0"),
        ("t.json", b'[{"start": 0, "end": Infinity, "text": "Hi."}]', "has the times 0.0 to inf"),
        ("t.json", b"[" * 100_000, "RecursionError"),
    ],
)
def test_what_is_no_transcript_is_named(tmp_path, name, data, what):
    with pytest.raises(MediaError, match=what) as caught:
        read(tmp_path, name, data)
    assert str(caught.value).startswith(f"{tmp_path / name}: cannot be read as the transcript of 'user'")
    assert str(caught.value).endswith("was expected; mend or replace it")
    assert caught.value.code == "bad-transcript"


def test_a_transcript_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MediaError, match="FileNotFoundError"):
        read_transcript(tmp_path / "none.srt", "user")


@pytest.mark.parametrize("ending", [".srt", ".vtt", ".json"])
def test_a_transcript_is_looked_for_beside_its_recording(tmp_path, ending):
    (tmp_path / f"talk.user{ending}").touch()
    assert find_transcript(tmp_path / "talk.mp4", "user", {}) == tmp_path / f"talk.user{ending}"
    given_one = {"user": tmp_path / "x.srt"}
    assert find_transcript(tmp_path / "talk.mp4", "user", given_one) == given_one["user"]
    with pytest.raises(MediaError, match=r"talk\.mp4: no transcript of 'assistant'; talk\.assistant\.srt"):
        find_transcript(tmp_path / "talk.mp4", "assistant", {})


@pytest.mark.parametrize(
    ("engine", "name", "recordings", "what"),
    [
        ("whisper", "user", 1, "--engine whisper recognises"),
        ("transcript", "usr", 1, "no such speaker; one of user, assistant was expected"),
        ("transcript", "user", 2, "is of one recording, but there are 2"),
    ],
)
def test_transcripts_that_would_be_read_for_what_they_are_not_are_refused(tmp_path, engine, name, recordings, what):
    require_meant({}, engine, ["user", "assistant"], recordings)
    require_meant({"user": tmp_path}, "transcript", ["user", "assistant"], 1)
    with pytest.raises(InputError, match=what):
        require_meant({name: tmp_path}, engine, ["user", "assistant"], recordings)
