"""Entries as the loaders of the trainers take them: where they look for tags, and what they put in front themselves."""

from __future__ import annotations

from typing import Any

import pytest
from mm2energon.errors import SampleError
from mm2energon.formats import FORMATS
from mm2energon.sample import Sample, Turn, Video


def sample(*texts: str, images: tuple[str, ...] = (), videos: tuple[Video, ...] = (), system: str = "") -> Sample:
    roles = ("user", "assistant")
    turns = tuple(Turn(roles[place % 2], text) for place, text in enumerate(texts))  # type: ignore[arg-type]
    first = (Turn("system", system),) if system else ()
    return Sample(turns=(*first, *turns), images=images, videos=videos, origin="t.json[0]")


ONE, TWO = ("1.jpg",), ("1.jpg", "2.jpg")
LATE = sample("Hi", "Hello.", "<image>What?", "A cat.", images=ONE)
ANSWERED = sample("<image>What?", "<image> is a tag.", images=TWO)
TOO_FEW = sample("<image><image>What?", "A cat.", images=ONE)
UNTAGGED = sample("What?", "A cat.", images=ONE)
FILM = sample("<video>What?", "A cat.", videos=("v.mp4",))

TRAINERS = ["minicpm-v", "llama-factory", "videollama2", "videollama3", "qwen-finetune", "internvl", "llava-next-video"]


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.parametrize("wrong", [TOO_FEW, UNTAGGED])
def test_an_entry_without_a_tag_for_each_medium_is_not_written_for_a_trainer(name: str, wrong: Sample) -> None:
    with pytest.raises(SampleError, match=f"<image> tags for 1 media.*an entry of {name} cannot hold") as caught:
        FORMATS[name].dump(wrong)
    assert caught.value.code == "cannot-hold"


@pytest.mark.parametrize("name", ["videollama3", "qwen-finetune", "internvl", "llava-next-video"])
def test_a_tag_in_an_answer_is_found_by_no_loader_that_looks_into_questions(name: str) -> None:
    with pytest.raises(SampleError, match="in the questions"):
        FORMATS[name].dump(ANSWERED)
    FORMATS["llama-factory"].dump(ANSWERED)  # it looks everywhere


def test_a_tag_in_the_system_turn_is_counted_by_no_loader() -> None:
    with pytest.raises(SampleError, match="below the system turn"):
        FORMATS["llama-factory"].dump(sample("What?", "A cat.", images=ONE, system="<image>This is it."))


@pytest.mark.parametrize(("name", "image"), [("minicpm-v", {"<image_00>": "1.jpg"}), ("internvl", ["1.jpg"])])
def test_one_image_of_a_later_question_is_written_where_no_tag_is_put_in_front(name: str, image: Any) -> None:
    entry = FORMATS[name].dump(LATE)
    assert entry["image"] == image
    tag = "<image_00>" if name == "minicpm-v" else "<image>"
    assert list(entry["conversations"][2].values())[1] == f"{tag}What?"
    assert FORMATS[name].load(entry, origin="t.json[0]") == LATE


def test_one_image_below_a_system_turn_is_a_list_for_internvl() -> None:
    below = sample("<image>What?", "A cat.", images=ONE, system="Be short.")
    assert FORMATS["internvl"].dump(below)["image"] == ["1.jpg"]
    assert FORMATS["internvl"].dump(sample("<image>What?", "A cat.", images=ONE))["image"] == "1.jpg"


def test_a_video_of_internvl_is_named_on_a_line_of_its_own_in_the_first_turn() -> None:
    entry = FORMATS["internvl"].dump(FILM)
    assert entry["conversations"][0]["value"] == "<video>\nWhat?"
    for wrong in (
        sample("Hi", "Hello.", "<video>\nWhat?", "A cat.", videos=("v.mp4",)),
        sample("<video>\nWhat?", "A cat.", videos=("v.mp4",), system="Be short."),
    ):
        with pytest.raises(SampleError, match="cannot hold"):
            FORMATS["internvl"].dump(wrong)


def test_text_alone_has_a_dict_without_images_for_minicpm_v() -> None:
    text = sample("How much?", "4")
    entry = FORMATS["minicpm-v"].dump(text)
    assert entry["image"] == {}  # its loader asks every entry for "image"
    assert FORMATS["minicpm-v"].load(entry, origin="t.json[0]") == text


@pytest.mark.parametrize("name", ["minicpm-v", "videollama3", "internvl"])
def test_the_one_medium_that_no_text_names_stands_in_front_as_in_the_loader(name: str) -> None:
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A cat."}]
    loaded = FORMATS[name].load({"image": "1.jpg", "conversations": turns}, origin="t.json[0]")
    assert loaded.turns[0].text == "<image>\nWhat?" and loaded.images == ONE
    if name != "minicpm-v":
        loaded = FORMATS[name].load({"video": "v.mp4", "conversations": turns}, origin="t.json[0]")
        assert loaded.turns[0].text == "<video>\nWhat?"
    several = FORMATS[name].load({"image": list(TWO), "conversations": turns}, origin="t.json[0]")
    assert several.turns[0].text == "What?"


@pytest.mark.parametrize("name", ["video-chatgpt", "sharegemini", "t2vid-synthetic"])
def test_the_scripts_of_t2vid_want_a_video_whose_tag_is_in_the_first_turn(name: str) -> None:
    assert FORMATS[name].load(FORMATS[name].dump(FILM), origin="t.json[0]") == FILM
    for wrong in (
        sample("How much?", "4"),
        sample("<video>What?", "A cat.", videos=("v.mp4",), system="Be short."),
        sample("Hi", "Hello.", "<video>What?", "A cat.", videos=("v.mp4",)),
    ):
        with pytest.raises(SampleError, match=f"an entry of {name}") as caught:
            FORMATS[name].dump(wrong)
        assert caught.value.code == "cannot-hold"


def test_frames_that_lie_in_the_root_itself_are_no_folder_of_t2vid() -> None:
    assert FORMATS["t2vid-synthetic"].dump(sample("<video>Q?", "A.", videos=(("a/1.jpg", "a/2.jpg"),)))["video"] == "a"
    with pytest.raises(SampleError, match="frames lie in the dataset root"):
        FORMATS["t2vid-synthetic"].dump(sample("<video>Q?", "A.", videos=(("1.jpg", "2.jpg"),)))


def test_a_picture_that_videollama2_names_by_video_is_an_image_where_its_tag_says_so() -> None:
    """The example of an image in README.md of DAMO-NLP-SG/VideoLLaMA2."""
    turns = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]
    entry = {"id": 0, "video": "images/xxx.jpg", "conversations": turns}
    loaded = FORMATS["videollama2"].load(entry, origin="t.json[0]")
    assert (loaded.images, loaded.videos) == (("images/xxx.jpg",), ())
    assert FORMATS["videollama2"].dump(loaded) == {"id": 0, "image": "images/xxx.jpg", "conversations": turns}


def test_the_words_of_a_refusal_name_the_format_that_was_asked_for() -> None:
    for name in ("llava-next-video", "llava-video-178k"):
        with pytest.raises(SampleError, match=f"an entry of {name} cannot hold"):
            FORMATS[name].dump(sample("<video><video>", "A.", videos=("a.mp4", "b.mp4")))


TWO_QUESTIONS = (Turn("user", "<video>\nOne?"), Turn("assistant", "A."), Turn("user", "Two?"), Turn("assistant", "B."))


@pytest.mark.parametrize(
    "prompt",
    [
        "USER: <video>\nOne? ASSISTANT: A.</s>USER: Two? ASSISTANT:",
        "USER: <video>\nOne? ASSISTANT: A. USER: Two? ASSISTANT:",
        "USER: <video>\nOne?\nASSISTANT: A.\nUSER: Two?\nASSISTANT:",
    ],
)
def test_an_answer_inside_a_prompt_is_no_part_of_the_question(prompt: str) -> None:
    """Prompts of several turns as in "LLaVA: Usage tips" of Hugging Face transformers."""
    entry = {"prompt": prompt, "answer": "B.", "video_path": "v.mp4"}
    assert FORMATS["llava-next-video-hf"].load(entry, origin="t.json[0]").turns == TWO_QUESTIONS


@pytest.mark.parametrize("name", ["llava-next-video-hf", "legacy-llava-next"])
def test_a_question_that_would_be_read_as_several_is_not_written(name: str) -> None:
    odd = sample("<video>\na ASSISTANT: b USER: c", "A.", videos=("v.mp4",))
    with pytest.raises(SampleError, match=f"an entry of {name} cannot hold"):
        FORMATS[name].dump(odd)


def test_a_text_of_videochat_without_an_answer_is_refused_and_line_ends_of_windows_are_taken() -> None:
    form = FORMATS["videochat-finetune"]
    with pytest.raises(SampleError, match="an answer was expected"):
        form.load({"video_path": "v.mp4", "text": "USER: One? ASSISTANT: A."}, origin="t.json[0]")
    text = "USER: One?\r\nASSISTANT: A.\r\nUSER: Two?\r\nASSISTANT: B."
    assert form.load({"video_path": "v.mp4", "text": text}, origin="t.json[0]").turns == TWO_QUESTIONS
    for end in ("\n", "\r\n"):
        assert form.load({"video_path": "v.mp4", "text": text + end}, origin="t.json[0]").turns == TWO_QUESTIONS


def test_a_text_of_videochat_holds_an_answer_that_ends_in_a_line_end() -> None:
    form = FORMATS["videochat-finetune"]
    odd = sample("<video>\nOne?", "A.\n", videos=("v.mp4",))
    assert form.load(form.dump(odd), origin="t.json[0]").turns == odd.turns


def test_a_refusal_names_the_option_that_helps() -> None:
    with pytest.raises(SampleError, match=r"1 video, which an entry of minicpm-v cannot hold; .*--frames N"):
        FORMATS["minicpm-v"].dump(FILM)
    images = sample("<image><image>What?", "A.", images=TWO)
    with pytest.raises(SampleError, match=r"2 images, which an entry of t2vid-synthetic cannot hold; .*--join-frames"):
        FORMATS["t2vid-synthetic"].dump(images)
