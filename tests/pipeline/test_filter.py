"""Filter: what a model has no room for is set aside with its reason, or given fewer frames; the account adds up."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from media import write_image
from mm2energon import cli
from mm2energon.errors import REASONS
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from pipeline.making import (
    chat,
    image_entry,
    set_aside,
    stored,
    strict_lines,
    text_entry,
    tree_bytes,
    tree_times,
    video_entry,
    write_frames,
    write_images,
    write_json,
)
from pipeline.test_any_entry import entries, same, single
from pipeline.test_any_entry import run as run_command

#: Two frames of this size are 16 x 16 tokens of Qwen2-VL, with the marks 2 more a video.
SIDE = {"size": (448, 448)}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clips(tmp_path):
    """Videos of 4, 8 and 20 frames."""
    names = [write_frames(tmp_path, f"v{count}", count, **SIDE) for count in (4, 8, 20)]
    write_json(tmp_path / "in.json", [video_entry(name, id=name) for name in names])
    return names


def run(*options):
    return cli.main(["filter", *map(str, options)])


def kept(path):
    return json.loads(path.read_text())


def reasons(folder):
    return [line["reason"] for line in set_aside(folder)]


def test_samples_above_the_budget_are_set_aside_and_the_rest_is_as_normalize_writes_it(tmp_path, clips, capsys):
    entries = [*kept(tmp_path / "in.json"), text_entry(), {"image": "none.jpg", "conversations": chat("<image>q")}, 7]
    write_json(tmp_path / "in.json", entries)
    # 8 frames: 4 x 256 and 2 marks; the text is about 25 tokens.
    assert run("in.json", "out.json", "--model", "qwen2.5-vl", "--max-tokens", 4 * 256 + 2 + 40) == 3
    assert kept(tmp_path / "out.json") == [entries[0], entries[1], entries[3]]
    assert reasons(tmp_path) == ["too-many-tokens", "missing-media", "not-an-object"]
    report = kept(tmp_path / "report.json")
    assert report["read"] == sum(report["written"].values()) + sum(report["set_aside"].values()) == 6
    assert report["tokens"]["estimated"] is True and "estimated" in capsys.readouterr().out
    assert "tokens (2562 of pictures, about" in set_aside(tmp_path)[0]["message"]


@pytest.mark.parametrize(("model", "most", "left"), [("qwen2-vl", 2 * 256 + 40, 1), ("minicpm-v-2.5", 8 * 99 + 40, 2)])
def test_each_model_counts_in_its_own_way(tmp_path, clips, model, most, left):
    assert run("in.json", "out.json", "--model", model, "--max-tokens", most) == 3
    assert len(kept(tmp_path / "out.json")) == left


def test_the_training_s_own_limits_of_pixels_are_counted_with(tmp_path, clips):
    write_images(tmp_path, 1, **SIDE)
    write_json(tmp_path / "in.json", [*kept(tmp_path / "in.json")[:1], image_entry("p0.jpg")])
    # A quarter of the pixels, in tokens 8 x 8: the two pairs of frames, then the image.
    for option, left in (("--frame-pixels", 0), ("--image-pixels", 1)):
        limits = ("--model", "qwen2.5-vl", "--max-tokens", 2 * 64 + 2 + 40, option, 224 * 224)
        assert run("in.json", "out.json", *limits) == 3
        assert kept(tmp_path / "out.json") == [kept(tmp_path / "in.json")[left]]


def test_frames_that_are_images_cost_what_frames_cost_where_no_image_is_split(tmp_path):
    write_images(tmp_path, 3, size=(800, 600))
    write_json(tmp_path / "in.json", [image_entry("p0.jpg", "p1.jpg", "p2.jpg")])
    limits = ("--model", "minicpm-v-2.5", "--max-tokens", 3 * 98 + 40)
    assert run("in.json", "out.json", *limits) == 1
    assert run("in.json", "out.json", *limits, "--whole-images") == 0


def test_long_videos_and_long_questions_have_reasons_of_their_own(tmp_path, clips):
    entries = [*kept(tmp_path / "in.json"), {"conversations": chat("<image> one two three four"), "images": ["p0.jpg"]}]
    write_images(tmp_path, 1)
    write_json(tmp_path / "in.json", entries)
    limits = ("--max-frames", 8, "--max-question-words", 3)
    assert run("in.json", "out.json", "--model", "qwen3-vl", *limits) == 3
    assert kept(tmp_path / "out.json") == entries[:2]
    assert reasons(tmp_path) == ["too-many-frames", "long-question"]


def test_fit_takes_as_many_frames_as_there_is_room_for_evenly_spread(tmp_path, clips):
    assert run("in.json", "out.json", "--model", "qwen2.5-vl", "--max-tokens", 5 * 256 + 2 + 40, "--fit") == 0
    *whole, cut = kept(tmp_path / "out.json")
    assert whole == kept(tmp_path / "in.json")[:2]
    (frames,) = cut["videos"]
    assert len(frames) == 10 and cut["id"] == clips[2] and cut["conversations"] == video_entry("")["conversations"]
    numbers = [int(frame.removeprefix("v20/").removesuffix(".jpg")) for frame in frames]
    gaps = [after - before for before, after in zip(numbers, numbers[1:], strict=False)]
    assert (numbers[0], numbers[-1]) == (1, 20) and set(gaps) == {2, 3}
    assert kept(tmp_path / "report.json")["fewer_frames"] == 1


def test_fit_cuts_long_videos_to_the_frames_allowed(tmp_path, clips):
    assert run("in.json", "out.json", "--model", "idefics3", "--max-frames", 6, "--fit") == 0
    videos = [entry["videos"][0] for entry in kept(tmp_path / "out.json")]
    assert videos[0] == clips[0] and [len(video) for video in videos[1:]] == [6, 6]


def test_fit_sets_aside_what_two_frames_are_too_many_for(tmp_path, clips):
    write_json(tmp_path / "in.json", [*kept(tmp_path / "in.json"), text_entry()])
    assert run("in.json", "out.json", "--model", "qwen2.5-vl", "--max-tokens", 200, "--fit") == 3
    assert reasons(tmp_path) == ["too-many-tokens"] * 3 and len(kept(tmp_path / "out.json")) == 1
    assert "it is the least that --fit takes" in set_aside(tmp_path)[0]["message"]


def test_of_several_videos_each_is_cut_to_the_same_number(tmp_path, clips):
    write_json(tmp_path / "in.json", [video_entry(*clips)])
    assert run("in.json", "out.json", "--model", "qwen2.5-vl", "--max-tokens", 8 * 256 + 3 * 2 + 40, "--fit") == 0
    (entry,) = kept(tmp_path / "out.json")
    first, second, third = entry["videos"]
    assert first == clips[0] and (len(second), len(third)) == (6, 6)


def test_a_list_of_frames_and_an_image_that_stands_for_the_video_are_cut_as_well(tmp_path, clips):
    frames = [f"v20/{number:05d}.jpg" for number in range(1, 21)]
    entries = [video_entry(frames), {"video": clips[2], "conversations": chat("<image>\nWhat?")}]
    write_json(tmp_path / "in.json", entries)
    assert run("in.json", "out.json", "--model", "qwen2.5-vl", "--max-frames", 2, "--fit") == 0
    ends = [[frames[0], frames[-1]]]
    assert [entry["videos"] for entry in kept(tmp_path / "out.json")] == [ends, ends]


def test_what_fit_wrote_becomes_shards_of_these_frames(tmp_path, clips):
    assert run("in.json", "dataset.json", "--model", "qwen2.5-vl", "--max-frames", 4, "--fit") == 0
    assert cli.main(["shard", "--dataset-root", ".", "--default-fps", "1", "--val-split", "0"]) == 0
    samples = stored(tmp_path / "wds")
    assert [len(sample.videos[0]) for sample in samples] == [4, 4, 4]
    assert [sample.text["second_per_grid_ts"] for sample in samples][1:] == [[2.0], [2.0]]


def large(tmp_path, *names, size=(2000, 1000)):
    """An entry about large images: of Qwen2-VL, 71 x 36 tokens each."""
    tmp_path.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        write_image(tmp_path / name, number=number, size=size)
    return image_entry(*names)


def test_what_fit_took_of_a_fast_video_has_room_in_shards_of_the_same_limits(tmp_path):
    # Qwen3-VL writes times: of 5 frames a second those of a list, which shard takes as 2, have more digits.
    write_frames(tmp_path, "fast", 60, fps="5.0", size=(352, 384))
    write_json(tmp_path / "in.json", [video_entry("fast.mp4")])
    for most in range(3500, 3700, 20):
        limits = ("--model", "qwen3-vl", "--max-tokens", str(most))
        assert run("in.json", "out.json", *limits, "--fit") == 0
        shards = ("--json", "out.json", "--train-split", "1", "--target", "pai-v2", "--output", f"wds{most}")
        assert cli.main(["shard", *limits, *shards]) == 0


def test_fit_makes_images_smaller_that_there_is_no_room_for(tmp_path):
    entries = [large(tmp_path, "a.jpg"), {**large(tmp_path, "b.png", "small.jpg"), "id": 7}]
    write_image(tmp_path / "small.jpg", size=(280, 280))
    write_json(tmp_path / "in.json", entries)
    assert run("in.json", "out.json", "--model", "qwen2.5-vl", "--max-tokens", 1000, "--fit") == 0
    first, second = kept(tmp_path / "out.json")
    assert second["images"][1] == "small.jpg" and (second["id"], second["conversations"]) == (
        7,
        entries[1]["conversations"],
    )
    for path, form, most in ((first["images"][0], "JPEG", 1000), (second["images"][0], "PNG", 1000 - 100 - 2)):
        with Image.open(tmp_path / path) as copy:
            assert copy.format == form and path.startswith("out.pictures/")
            tokens = round(copy.width / 28) * round(copy.height / 28)
            assert 0.85 * most < tokens <= most and copy.width / copy.height == pytest.approx(2, rel=0.01)
    assert kept(tmp_path / "report.json")["fewer_pixels"] == 2
    assert cli.main(["filter", "out.json", "again.json", "--model", "qwen2.5-vl", "--max-tokens", "1000"]) == 0
    assert kept(tmp_path / "again.json") == [first, second] and not (tmp_path / "again.pictures").exists()


def test_a_smaller_copy_stands_upright(tmp_path):
    picture = Image.new("RGB", (2000, 1000))
    picture.paste("white", (0, 0, 1000, 1000))  # the left half, which is the upper one when it is turned
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    write_json(tmp_path / "in.json", [image_entry("turned.jpg")])
    assert run("in.json", "out.json", "--model", "qwen2-vl", "--max-tokens", 500, "--fit") == 0
    with Image.open(tmp_path / kept(tmp_path / "out.json")[0]["images"][0]) as copy:
        assert copy.height == pytest.approx(2 * copy.width, rel=0.02) and not copy.getexif()
        shades = [copy.convert("L").getpixel((copy.width // 2, copy.height * part // 4)) for part in (1, 3)]
        assert shades[0] > 250 and shades[1] < 5


def test_copies_are_made_once_and_those_that_nothing_refers_to_go(tmp_path, capsys):
    write_json(tmp_path / "in.json", [large(tmp_path, "a.jpg")])
    command = ("in.json", "out.json", "--model", "qwen2-vl", "--fit", "--max-tokens")
    assert run(*command, 1000) == 0
    before, (copy,) = (tree_bytes(tmp_path), tree_times(tmp_path)), (tmp_path / "out.pictures").iterdir()
    capsys.readouterr()
    assert run(*command, 1000) == 0 and (tree_bytes(tmp_path), tree_times(tmp_path)) == before
    assert "was complete already" in capsys.readouterr().out
    copy.unlink()
    assert run(*command, 1000) == 0 and tree_bytes(tmp_path) == before[0]
    assert "was complete already" not in capsys.readouterr().out
    assert run(*command, 500) == 0
    assert [path.name for path in (tmp_path / "out.pictures").iterdir()] != [copy.name]
    assert run(*command, 5000) == 0 and not (tmp_path / "out.pictures").exists()
    assert kept(tmp_path / "out.json") == kept(tmp_path / "in.json")


def test_copies_that_the_input_itself_names_stay(tmp_path):
    write_json(tmp_path / "in.json", [large(tmp_path, "a.jpg")])
    assert run("in.json", "out.json", "--model", "qwen2-vl", "--fit", "--max-tokens", 1000) == 0
    (tmp_path / "out.json").rename(tmp_path / "in.json")
    assert run("in.json", "out.json", "--model", "qwen2-vl", "--fit", "--max-tokens", 1000) == 0
    assert (tmp_path / kept(tmp_path / "out.json")[0]["images"][0]).is_file()


def test_images_that_cannot_be_made_small_enough_are_set_aside(tmp_path):
    entries = [large(tmp_path, "a.jpg"), large(tmp_path, "b.jpg", size=(200, 200))]
    write_json(tmp_path / "in.json", [*entries, text_entry()])
    for model in ("idefics3", "qwen2-vl"):  # Idefics3 brings a picture of any size to 1456 pixels
        most = 1000 if model == "idefics3" else 60
        assert run("in.json", "out.json", "--model", model, "--fit", "--max-tokens", most) == 3
        assert reasons(tmp_path) == ["too-many-tokens"] * 2 and not (tmp_path / "out.pictures").exists()


def test_copies_outside_of_the_dataset_root_are_refused(tmp_path):
    write_json(tmp_path / "data" / "in.json", [large(tmp_path / "data", "a.jpg"), text_entry()])
    assert run("data/in.json", "out.json", "--model", "qwen2-vl", "--fit", "--max-tokens", 1000) == 3
    assert reasons(tmp_path) == ["outside-root"]


def test_a_picture_that_cannot_be_decoded_has_no_copy(tmp_path):
    entry = large(tmp_path, "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[len(data) // 2 :: 7] = b"\0" * len(data[len(data) // 2 :: 7])
    data[-12:] = b"\0\0\0\0IEND\xaeB`\x82"
    (tmp_path / "a.png").write_bytes(data)
    write_json(tmp_path / "in.json", [entry, text_entry()])
    assert run("in.json", "out.json", "--model", "qwen2-vl", "--fit", "--max-tokens", 1000) == 3
    assert reasons(tmp_path) == ["unreadable-image"]


def test_a_finished_run_that_is_started_again_changes_nothing_and_says_so(tmp_path, clips, capsys):
    command = ("in.json", "out.jsonl", "--model", "qwen2.5-vl", "--max-frames", 8)
    assert run(*command) == 3
    capsys.readouterr()
    before = tree_bytes(tmp_path), tree_times(tmp_path)
    assert run(*command, "--allow-set-aside") == 0
    assert "was complete already" in capsys.readouterr().out
    assert (tree_bytes(tmp_path), tree_times(tmp_path)) == before


def synthetic(tmp_path, *, frames, question="What happens?", answer="A picture.", name="clip"):
    """A sample in the manner of T2Vid's synthetic data: pictures in a folder, and nothing else."""
    write_frames(tmp_path, name, frames, fps=None)
    return {"video": f"{name}.mp4", "conversations": chat(f"<video>\n{question}", answer)}


@pytest.fixture
def words(tmp_path):
    """A tokenizer of which every word is a token, with one more before each text."""
    tokenizer = Tokenizer(models.WordLevel({"word": 0, "[UNK]": 1, "[BEGIN]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="[BEGIN] $A", special_tokens=[("[BEGIN]", 2)])
    (tmp_path / "words").mkdir()
    tokenizer.save(str(tmp_path / "words" / "tokenizer.json"))
    return "words"


@pytest.mark.parametrize(
    ("preset", "frames", "a_frame", "most"), [("minicpm", 3, 96, 8192), ("idefics3", 2, 169, 10240)]
)
def test_a_preset_of_t2vid_counts_as_it_does(tmp_path, words, preset, frames, a_frame, most):
    # The tag, the question and the token before the text are the three besides the answer.
    room = most - frames * a_frame - 3
    entries = [
        synthetic(tmp_path, frames=frames, question="word", answer="word " * room, name="fits"),
        synthetic(tmp_path, frames=frames, question="word", answer="word " * (room + 1), name="above"),
    ]
    write_json(tmp_path / "in.json", entries)
    assert run("in.json", "out.json", "--preset", f"t2vid-{preset}", "--tokenizer", words) == 3
    assert [entry["videos"][0][0] for entry in kept(tmp_path / "out.json")] == ["fits/00001.jpg"]
    (line,) = set_aside(tmp_path)
    assert line["reason"] == "too-many-tokens" and f" {most + 1} tokens" in line["message"]


@pytest.mark.parametrize(("preset", "frames", "words"), [("minicpm", 90, 29), ("idefics3", 65, 499)])
def test_a_preset_of_t2vid_has_its_limits(tmp_path, preset, frames, words):
    # Of `<video>\nword word`, two words are parted by a space.
    entries = [
        synthetic(tmp_path, frames=frames, question=" ".join(["word"] * words), name="most"),
        synthetic(tmp_path, frames=frames + 1, name="long"),
        synthetic(tmp_path, frames=2, question=" ".join(["word"] * (words + 1)), name="wordy"),
        {**text_entry(), "images": []},
        {"video": "most.mp4", "conversations": [*chat("What?"), *chat("<video>")]},
        {"video": ["most.mp4"] * 2, "conversations": chat("<video><video>")},
    ]
    write_json(tmp_path / "in.json", entries)
    assert run("in.json", "out.json", "--preset", f"t2vid-{preset}", "--max-tokens", 12_000) == 3
    assert [entry["videos"][0][0] for entry in kept(tmp_path / "out.json")] == ["most/00001.jpg"]
    assert reasons(tmp_path) == ["too-many-frames", "long-question", "tag-count", "tag-place", "tag-count"]


def test_a_video_that_is_a_folder_of_pictures_becomes_the_list_of_them(tmp_path):
    entry = synthetic(tmp_path, frames=12, name="pages")
    folder = {**entry, "video": "pages"}
    write_json(tmp_path / "in.json", [entry, folder])
    assert run("in.json", "out.json", "--preset", "t2vid-minicpm") == 0
    pictures = [f"pages/{number:05d}.jpg" for number in range(1, 13)]
    assert [entry["videos"] for entry in kept(tmp_path / "out.json")] == [[pictures], [pictures]]
    assert cli.main(["shard", "--json", "out.json", "--train-split", "1"]) == 0
    # With a rate of their own, or the video, they are frames of it.
    write_json(tmp_path / "pages.json", {"fps": "1.0"})
    write_json(tmp_path / "in.json", [entry])
    assert run("in.json", "rated.json", "--preset", "t2vid-minicpm") == 0
    assert kept(tmp_path / "rated.json")[0]["videos"] == ["pages.mp4"]


def test_text_that_is_no_unicode_is_set_aside_where_it_is_counted(tmp_path, words):
    (tmp_path / "in.json").write_text(
        json.dumps([{**synthetic(tmp_path, frames=2), "conversations": chat("<video>\ud800")}, video_entry("clip.mp4")])
    )
    assert run("in.json", "out.json", "--preset", "t2vid-minicpm", "--tokenizer", words) == 3
    assert reasons(tmp_path) == ["not-unicode"]


def test_what_a_preset_sets_aside_is_told_what_helps_with_it(tmp_path):
    write_json(tmp_path / "in.json", [synthetic(tmp_path, frames=91), text_entry()])
    assert run("in.json", "out.json", "--preset", "t2vid-minicpm") == 1
    assert "take fewer with --model and --fit" in set_aside(tmp_path)[0]["message"]


def test_a_limit_stands_in_the_place_of_a_preset_s_own(tmp_path):
    write_json(tmp_path / "in.json", [synthetic(tmp_path, frames=2, question="word " * 400)])
    assert run("in.json", "out.json", "--preset", "t2vid-minicpm") == 1
    assert run("in.json", "out.json", "--preset", "t2vid-minicpm", "--max-question-words", 499) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "qwen2-vl"), "a limit was expected"),
        (("--preset", "t2vid-minicpm", "--fit"), "--fit: "),
        (("--preset", "t2vid-minicpm", "--frame-pixels", 9), "--frame-pixels: "),
        (("--model", "idefics3", "--max-tokens", 9, "--image-pixels", 9), "--image-pixels: idefics3 "),
        (("--model", "qwen3-vl", "--max-tokens", 9, "--whole-images"), "--whole-images: qwen3-vl "),
        (("--model", "qwen2-vl", "--max-tokens", 9, "--tokenizer", "nowhere"), "--tokenizer nowhere: "),
        (("--model", "qwen2-vl", "--max-tokens", 9, "--dataset-root", "nowhere"), "--dataset-root "),
        (("--model", "qwen2-vl", "--max-tokens", 9, "--default-fps", 0), "--default-fps 0: "),
        (("--model", "qwen2-vl", "--max-tokens", 1), "none of its 3 entries"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_writes_nothing(tmp_path, clips, options, said, capsys):
    assert run("in.json", "out.json", *options) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "out.json").exists()


def test_a_file_of_the_user_and_the_input_itself_are_not_replaced(tmp_path, clips, capsys):
    own = write_json(tmp_path / "own.json", [1]).read_bytes()
    command = ("--model", "qwen2-vl", "--max-frames", 99)
    assert run("in.json", "own.json", *command) == 1 and (tmp_path / "own.json").read_bytes() == own
    assert run("in.json", "in.json", *command) == 1 and "is the input itself" in capsys.readouterr().err
    assert run("in.json", "own.json", *command, "--overwrite") == 0


def test_a_video_without_frames_is_set_aside(tmp_path, clips):
    (tmp_path / "new.mp4").write_bytes(b"video")
    write_json(tmp_path / "in.json", [video_entry("new.mp4"), video_entry(clips[0])])
    assert run("in.json", "out.json", "--model", "qwen2-vl", "--max-frames", 99) == 3
    assert reasons(tmp_path) == ["no-frames"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
@given(values=entries)
def test_any_value_is_written_or_set_aside_as_it_was(tmp_path_factory, values):
    values = json.loads(json.dumps(values))  # the two halves of a pair become one character
    root = tmp_path_factory.mktemp("any")
    write_images(root, 2)
    write_frames(root, "v", 4)
    source, output = write_json(root / "any.json", values), root / "out" / "d.jsonl"
    limits = ("--max-tokens", 100, "--max-question-words", 3, "--fit")
    assert run_command("filter", source, output, "--model", "qwen3-vl", *limits) in (0, 1, 3)
    read = dict(pair for n, value in enumerate(values) for pair in single(value, f"any.json[{n}]"))
    refused = strict_lines(root / "out" / "set_aside.jsonl")
    assert len(read) == len(strict_lines(output)) + len(refused)
    assert all(same(line["entry"], read[line["origin"]]) and line["reason"] in REASONS for line in refused)
