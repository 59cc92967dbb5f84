"""T2Vid's recipe on data made by code: videos at 1 fps, and long texts drawn as videos, filtered, sharded, blended.

    python examples/t2vid_recipe.py [--output t2vid-data]

T2Vid (https://github.com/xjtupanda/T2Vid) trains MiniCPM-V on 20,000 samples of video and 10,000 of long text that was
drawn on pictures. Each step is a command that a user types; this script types it. Where T2Vid publishes a rule it is
the one of this step, and what stands here in small has its place:

    here                             T2Vid
    video/video-chatgpt.jsonl        100,000 questions about videos, of which 20,000 are taken
    text/longalpaca.json             LongAlpaca, context and question in one instruction
    text/longqlora.json              LongQLoRA, as context, question, answer
    24 frames, the middles           its rule for longer videos; of synthetic videos all pictures are taken
    --preset t2vid-minicpm           its filter of synthetic videos; it does not filter the others
    video 20 : synthetic 10          20,000 : 10,000

To train Qwen-VL on the same data leave out the two steps "Videos to images": shards then hold videos.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import yaml
from PIL import Image, ImageDraw
from quickstart import MULTIMODAL, PRETRAIN, run, title

FRAMES = 24
CLIPS, CLIP_SECONDS, CLIP_RATE = 14, 30, 2
WIDTH, HEIGHT = 160, 120
TEXTS = 8
SEED = 42
#: Samples of the training split that the blend takes of each dataset.
TAKEN = {"video": 20, "synthetic": 10}
PLACES = ("harbour", "mill", "garden", "tower", "market", "bridge", "orchard", "station")
FINDS = ("key", "letter", "lantern", "coin", "map", "whistle", "ribbon", "compass")


def main() -> None:
    """Make, extract, draw, filter, shard, check, blend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("t2vid-data"), help="folder to work in; emptied first")
    parser.add_argument("--skip-energon", action="store_true", help="read shards back without Energon's loader")
    options = parser.parse_args()
    folder = options.output.resolve()
    if folder.exists() and not (folder / "made_by_t2vid_recipe").exists() and any(folder.iterdir()):
        sys.exit(f"{folder}: is there already, and was not made by this script; give another --output")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "made_by_t2vid_recipe").touch()

    title("Videos with questions, and long texts with questions, made by code")
    make_videos(folder / "video")
    make_texts(folder / "text")

    videos(folder / "video")
    synthetic = folder / "synthetic"
    drawn = [
        texts(folder / "text/longalpaca.json", synthetic, most_words=499),
        texts(folder / "text/longqlora.json", synthetic, most_words=29),
    ]
    title("Both kinds of synthetic videos in one file")
    run(MULTIMODAL / "mix_annotations.py", synthetic / "images.json", *drawn, "--shuffle", "--seed", SEED)

    for name in TAKEN:
        title(f"Shards, and every sample read back: {name}")
        shards = folder / f"{name}_wds"
        shard = ("--dataset-root", folder / name, "--json", "images.json", "--output", shards, "--shuffle")
        run(PRETRAIN / "convert_custom_dataset_to_wds_chatml.py", *shard, "--train-split", "9", "--val-split", "1")
        run(MULTIMODAL / "verify_shards.py", shards, *(["--skip-energon"] if options.skip_energon else []))

    title("The blend: two samples of video for one of text")
    wanted = [{"path": f"{name}_wds", "samples": {"train": count}} for name, count in TAKEN.items()]
    recipe = {"seed": SEED, "datasets": wanted}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    run(MULTIMODAL / "blend_datasets.py", folder / "blend.yaml", "--recipe", folder / "recipe.yaml")
    print((folder / "blend.yaml").read_text())


def videos(root: Path) -> None:
    """From videos to the annotations of their frames: `images.json`, and `minicpm-v.json` for T2Vid's own trainer."""
    title("One frame a second of each video")
    run(MULTIMODAL / "build_llava_frame_dataset.py", "--dataset-root", root, "--time-interval", "1")

    title(f"Videos to images: at most {FRAMES} frames, the middles of as many stretches")
    choice = ("--frames", FRAMES, "--frame-rule", "middle", "--dataset-root", root)
    convert(root / "dataset.json", root / "reformatted.json", "sharegpt", *choice)
    convert(root / "dataset.json", root / "minicpm-v.json", "minicpm-v", *choice)

    title("What MiniCPM-V has room for")
    limits = ("--model", "minicpm-v-2.5", "--max-tokens", 8192, "--dataset-root", root)
    run(MULTIMODAL / "filter_annotations.py", root / "reformatted.json", root / "images.json", *limits)


def texts(source: Path, root: Path, *, most_words: int) -> Path:
    """From long texts to the annotations of their pictures, as `videos`.

    Args:
        root: what all paths are relative to.
        most_words: of a question; T2Vid keeps fewer than 500 of LongAlpaca, fewer than 30 of LongQLoRA.
    """
    title(f"{source.name}: the texts drawn on pictures")
    output = root / source.stem
    run(MULTIMODAL / "render_text_frames.py", source, output, "--dataset-root", root)

    title(f"{source.name}: T2Vid's filter")
    limits = ("--preset", "t2vid-minicpm", "--max-question-words", most_words, "--dataset-root", root)
    run(
        MULTIMODAL / "filter_annotations.py",
        output / "dataset.json",
        output / "filtered.json",
        *limits,
        "--allow-set-aside",
    )

    title(f"{source.name}: videos to images, all of them")
    most = max(len(entry["videos"][0]) for entry in json.loads((output / "filtered.json").read_text()))
    choice = ("--frames", most, "--dataset-root", root)
    convert(output / "filtered.json", output / "images.json", "sharegpt", *choice)
    convert(output / "filtered.json", output / "minicpm-v.json", "minicpm-v", *choice)
    return output / "images.json"


def convert(source: Path, output: Path, form: str, *options: object) -> None:
    """Annotations in another format."""
    run(MULTIMODAL / "convert_annotations.py", source, output, "--to", form, *options)


def make_videos(folder: Path) -> None:
    """Clips that show a number each second, and two questions about each, in the format of video-chatgpt.jsonl."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(CLIPS):
        name = f"clip{number:02d}"
        first = 10 * number
        write_clip(folder / f"{name}.mp4", first)
        last = first + CLIP_SECONDS - 1
        lines.append(entry(f"{name}-a", f"{name}.mp4", "Which number is shown first?", f"{first}."))
        lines.append(
            entry(f"{name}-b", f"{name}.mp4", "From what number to what number does it count?", f"{first} to {last}.")
        )
    (folder / "video-chatgpt.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def entry(name: str, video: str, question: str, answer: str) -> dict[str, Any]:
    """One question about a video."""
    turns = [{"from": "human", "value": f"<video>\n{question}"}, {"from": "gpt", "value": answer}]
    return {"id": name, "video": video, "conversations": turns}


def write_clip(path: Path, first: int) -> None:
    """A clip that counts seconds from `first`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(CLIP_RATE))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in range(CLIP_SECONDS * CLIP_RATE):
            picture = Image.new("RGB", (WIDTH, HEIGHT), (235, 235, 235))
            ImageDraw.Draw(picture).text((30, 30), str(first + frame // CLIP_RATE), font_size=50, fill=(20, 20, 90))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())


def make_texts(folder: Path) -> None:
    """Stories with a question each, as LongAlpaca and as LongQLoRA have them; one question is too long for T2Vid."""
    folder.mkdir(parents=True)
    alpaca, qlora = [], []
    for number in range(TEXTS):
        context, question, answer = story(number)
        lead = "Below is a paper. Memorize the paper and answer my question after the paper.\n The paper begins. \n"
        alpaca.append({"instruction": f"{lead}{context}\n Now the paper ends. \n{question}", "output": answer})
        context, question, answer = story(number + TEXTS)
        qlora.append({"context": context, "question": question, "answer": answer})
    context, question, answer = story(2 * TEXTS)
    qlora.append({"context": context, "question": f"{question} {'Think of it, step by step. ' * 6}", "answer": answer})
    (folder / "longalpaca.json").write_text(json.dumps(alpaca))
    (folder / "longqlora.json").write_text(json.dumps(qlora))


def story(number: int) -> tuple[str, str, str]:
    """A text of three pictures or more, a question that one sentence of it answers, and the answer."""
    found, place = FINDS[number % len(FINDS)], PLACES[number // len(FINDS) * 3 % len(PLACES)]
    days = [
        f"On day {day} of diary {number} it rained over the {PLACES[day % len(PLACES)]}, and nobody found anything."
        for day in range(40)
    ]
    days[number % 30 + 5] = f"On day {number % 30 + 5} somebody found a {found} near the {place}."
    return f"Diary {number}\n\n" + " ".join(days), f"What was found near the {place}?", f"A {found}."


if __name__ == "__main__":
    main()
