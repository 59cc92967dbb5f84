"""Verify --against: shards are compared with what they were made from, and every difference is named."""

import json
import pickle
import shutil

import pytest
from media import draw_colours, write_clip, write_image
from mm2energon import cli
from mm2energon.pipeline.verify import verify
from mm2energon.pipeline.verify_sources import Sources
from PIL import Image

from pipeline.making import (
    chat,
    image_entry,
    run_shard,
    text_entry,
    video_entry,
    write_frames,
    write_images,
    write_json,
)
from pipeline.planted import meta, rewrite, swap_colours, unpickled

dumped = pickle.dumps


def against(root, **options):
    return verify(root / "wds", energon=False, against=Sources(root, (root / "dataset.json",)), **options)


def faults(root):
    return [str(fault) for fault in against(root).faults]


def counts(root):
    """(same, different, missing, too many)."""
    found = against(root).compared
    return found.same, found.different, found.missing, found.too_many


def write_colours(path, number, size=(96, 64)):
    """A numbered picture of many colours; its name."""
    Image.fromarray(draw_colours(number, size)).save(path)
    return path.name


@pytest.fixture
def colours(tmp_path):
    """Four entries that differ in their pictures alone, two of text, and one of frames; shards of them."""
    names = [write_colours(tmp_path / f"c{number}.png", number) for number in range(4)]
    video = write_frames(tmp_path, "v", 4)
    for number, frame in enumerate(sorted((tmp_path / "v").iterdir())):
        write_colours(frame, 20 + number)
    entries = [*map(image_entry, names), text_entry(), text_entry(1), video_entry(video)]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--train-split", 1, "--val-split", 1) == 0
    return tmp_path


def place_of(root, text):
    """shard/key of the sample that holds those bytes."""
    found = []
    rewrite(root / "wds", lambda shard, key, record: [(found.append((shard, key, record)), (key, record))[1]])
    (place,) = (f"{shard}/{key}" for shard, key, record in found if any(text in part for part in record.values()))
    return place


def of_key(number, change):
    return lambda _shard, key, record: [(key, change(record) if key.startswith(f"{number:08d}") else record)]


def test_shards_are_what_their_sources_say(colours, capsys):
    found = against(colours)
    assert (found.faults, found.notes, counts(colours)) == ([], [], (7, 0, 0, 0))
    assert cli.main(["verify", str(colours / "wds"), "--against", str(colours), "--skip-energon"]) == 0
    out = capsys.readouterr().out
    assert "7 samples the same, 0 different, 0 missing, 0 too many; 0 entries were set aside" in out


@pytest.mark.parametrize("target", ["pai-v1", "pai-v2", "bridge", "crude"])
def test_every_target_and_every_mending_is_done_again_for_the_comparison(tmp_path, target):
    write_colours(tmp_path / "turned.jpg", 1, (64, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(tmp_path / "turned.jpg").save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGB", (40, 60), (200, 30, 90)).save(tmp_path / "plain.bmp")
    write_image(tmp_path / "small.png", number=2, size=(16, 12))
    frames = [write_image(tmp_path / f"f{number}.jpg", number=number).name for number in range(3)]
    entries = [
        image_entry("turned.jpg", "plain.bmp", id="anew", source="web"),
        image_entry("small.png"),
        {"conversations": [{"from": "system", "value": "Be short."}, *chat("Hello?")]},
        video_entry(write_frames(tmp_path, "v", 5, fps="4.0")),
        video_entry(write_frames(tmp_path, "one", 1)),
        video_entry(frames),
        {"conversations": chat("What is it?"), "images": ["plain.bmp"]},
        image_entry("gone.jpg"),
        {"image": 7},
    ]
    write_json(tmp_path / "dataset.json", entries)
    mending = ["--system-turn", "fold", "--prepend-missing-tags", "--double-single-frames", "--enlarge-small-images"]
    more = ["--max-frames", 4, "--second-per-grid-ts", "pai", "--shuffle", "--seed", 7, "--allow-set-aside"]
    assert run_shard(tmp_path, "--target", target, *mending, *more) == 0
    found = against(tmp_path)
    assert ([str(fault) for fault in found.faults], counts(tmp_path)) == ([], (7, 0, 0, 0))
    assert found.compared.set_aside == 2


def test_a_set_of_swapped_colours_is_found(colours):
    def swap(_shard, key, record):
        pictures = {name: dumped([swap_colours(one) for one in unpickled(record, name)]) for name in ("jpgs",)}
        videos = [[swap_colours(one) for one in video] for video in unpickled(record, "videos")]
        return [(key, {**record, **pictures, "videos": dumped(videos)})]

    rewrite(colours / "wds", swap)
    found = faults(colours)
    assert len(found) == 5 and counts(colours) == (2, 5, 0, 0)
    assert sum("image 0 has red and blue swapped (dataset.json[" in fault for fault in found) == 4
    assert sum("video 0: frame 0 has red and blue swapped (4 of 4 frames differ)" in fault for fault in found) == 1


def test_a_picture_that_was_replaced_in_a_shard_is_found(colours):
    other = (colours / "c3.png").read_bytes()
    rewrite(colours / "wds", of_key(1, lambda record: {**record, "jpgs": dumped([other])}))
    assert counts(colours) == (6, 1, 0, 0)
    (found,) = faults(colours)
    assert "/00000001: image 0 is another picture than its source (dataset.json[1])" in found


def test_a_picture_that_was_replaced_in_the_sources_is_found(colours):
    place = place_of(colours, (colours / "c2.png").read_bytes())
    write_colours(colours / "c2.png", 9)
    assert faults(colours) == [f"{place}: image 0 is another picture than its source (dataset.json[2])"]


def test_a_part_that_was_pasted_into_a_picture_is_found(colours):
    def paste(record):
        with Image.open(colours / "c0.png") as image:
            image.paste((255, 255, 255), (4, 4, 14, 12))
            image.save(colours / "pasted.png")
        return {**record, "jpgs": dumped([(colours / "pasted.png").read_bytes()])}

    rewrite(colours / "wds", of_key(0, paste))
    (found,) = faults(colours)
    assert "/00000000: image 0 is another picture than its source" in found


def test_a_picture_that_was_encoded_again_is_found_though_it_looks_the_same(colours):
    def again(record):
        return {**record, "jpgs": dumped([swap_colours(swap_colours(unpickled(record, "jpgs")[0]))])}

    rewrite(colours / "wds", of_key(0, again))
    (found,) = faults(colours)
    assert "image 0 was encoded anew; the bytes of its source were expected" in found


def test_a_picture_that_shard_stores_anew_may_be_of_another_encoder(tmp_path):
    """As another version of the image library would have written it."""
    Image.fromarray(draw_colours(1, (64, 48))).save(tmp_path / "a.bmp")
    write_json(tmp_path / "dataset.json", [image_entry("a.bmp"), text_entry()])
    assert run_shard(tmp_path, "--train-split", 1, "--val-split", 0) == 0
    Image.open(tmp_path / "a.bmp").save(tmp_path / "other.png", compress_level=0)
    other = (tmp_path / "other.png").read_bytes()
    rewrite(tmp_path / "wds", of_key(0, lambda record: {**record, "jpgs": dumped([other])}))
    assert counts(tmp_path) == (2, 0, 0, 0) and faults(tmp_path) == []
    assert against(tmp_path).compared.by_pixels == 1
    rewrite(tmp_path / "wds", of_key(0, lambda record: {**record, "jpgs": dumped([swap_colours(other)])}))
    assert ["image 0 has red and blue swapped" in fault for fault in faults(tmp_path)] == [True]


def test_a_frame_that_is_missing_is_found(colours):
    rewrite(
        colours / "wds",
        of_key(6, lambda record: {**record, "videos": dumped([unpickled(record, "videos")[0][:2]])}),
    )
    (found,) = faults(colours)
    assert "/00000006: video 0: 2 frames, where its source has 4" in found


def test_a_text_that_was_changed_in_a_shard_is_found(colours):
    rewrite(colours / "wds", of_key(5, lambda record: {**record, "json": record["json"].replace(b'"2"', b'"3"')}))
    assert counts(colours) == (6, 1, 0, 0)
    (found,) = faults(colours)
    assert "/00000005: turn 1 says (assistant) '3', its source (assistant) '2' (dataset.json[5])" in found


def test_a_text_that_was_changed_in_the_sources_is_found(colours):
    text = (colours / "dataset.json").read_text()
    (colours / "dataset.json").write_text(text.replace("How much is 0 and 1?", "How much is 0 and 2?"))
    (found,) = faults(colours)
    assert "/00000004: turn 0 says (user) 'How much is 0 and 1?', its source (user) 'How much is 0 and 2?'" in found


def test_a_number_of_the_json_that_was_changed_is_found(colours):
    def change(record):
        return {**record, "json": json.dumps({**json.loads(record["json"]), "second_per_grid_ts": [7.0]}).encode()}

    rewrite(colours / "wds", of_key(6, change))
    (found,) = faults(colours)
    assert "/00000006: its json has second_per_grid_ts b'[7.0]', b'[1.0]' was expected" in found


@pytest.mark.parametrize("number", range(7))
def test_a_sample_that_is_missing_from_the_shards_is_found(colours, number):
    def drop(_shard, key, record):
        return [] if key.startswith(f"{number:08d}") else [(key, record)]

    rewrite(colours / "wds", drop)
    assert (counts(colours), faults(colours)) == (
        (6, 0, 1, 0),
        [f"dataset.json[{number}]: is in no shard, and was not set aside; the sample is missing"],
    )


@pytest.mark.parametrize("number", range(7))
def test_an_entry_that_was_taken_out_of_the_sources_makes_one_sample_too_many(colours, number):
    entries = json.loads((colours / "dataset.json").read_text())
    write_json(colours / "dataset.json", entries[:number] + entries[number + 1 :])
    (found,) = faults(colours)
    assert found.endswith(f"/{number:08d}: is no entry of the sources; the sample is too many")
    assert counts(colours) == (6, 0, 0, 1)


def test_a_sample_that_was_added_to_a_shard_is_too_many(colours):
    def add(shard, key, record):
        return [(key, record), *([("00000099", record)] if key == "00000005" else [])]

    rewrite(colours / "wds", add)
    assert counts(colours) == (7, 0, 0, 1)
    assert faults(colours)[-1].endswith("/00000099: is no entry of the sources; the sample is too many")


def test_entries_that_were_set_aside_are_not_missed_when_they_could_be_written_now(tmp_path):
    names = write_images(tmp_path, 3)
    write_json(tmp_path / "dataset.json", [image_entry(name) for name in ["p9.jpg", *names]])
    assert run_shard(tmp_path, "--allow-set-aside") == 0
    shutil.copy(tmp_path / "p0.jpg", tmp_path / "p9.jpg")
    write_image(tmp_path / "p9.jpg", number=9)
    found = against(tmp_path)
    assert (found.faults, found.compared.same, found.compared.set_aside) == ([], 3, 1)


def test_media_that_are_gone_are_said_to_be_not_compared(colours, capsys):
    (colours / "c1.png").unlink()
    found = against(colours)
    assert (found.faults, found.compared.same, dict(found.compared.unseen)) == ([], 6, {"missing-media": 1})
    assert cli.main(["verify", str(colours / "wds"), "--against", str(colours), "--skip-energon"]) == 0
    assert "1 samples: text compared, media NOT compared" in capsys.readouterr().out


@pytest.fixture
def packed(tmp_path):
    """Shards whose frames lie nowhere else."""
    write_clip(tmp_path / "w.mp4", frames=60)
    write_json(tmp_path / "dataset.json", [video_entry("w.mp4"), text_entry()])
    assert run_shard(tmp_path, "--extract", "--train-split", 1, "--val-split", 0, "--quality", 80) == 0
    assert not (tmp_path / "w").exists()
    return tmp_path


def test_frames_that_are_in_the_shards_alone_are_extracted_again(packed, capsys):
    found = against(packed)
    assert (found.faults, found.compared.same, found.compared.extracted) == ([], 2, 1)
    assert not (packed / "w").exists()
    rewrite(
        packed / "wds",
        of_key(0, lambda record: {**record, "videos": dumped([unpickled(record, "videos")[0][::-1]])}),
    )
    (fault,) = faults(packed)
    assert "video 0: frame 0 is another picture than its source" in fault


def test_frames_that_are_nowhere_else_and_whose_video_is_gone_are_said_to_be_not_compared(packed):
    (packed / "w.mp4").unlink()
    found = against(packed)
    assert (found.faults, found.compared.same, dict(found.compared.unseen)) == ([], 1, {"missing-media": 1})


def test_a_picture_file_in_two_splits_is_a_fault_when_the_sources_say_that_it_is_one_file(tmp_path):
    (name,) = write_images(tmp_path, 1)
    entries = [image_entry(name, id=f"q{number}", conversations=chat(f"<image>{number}?")) for number in range(2)]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--group-by", "none", "--train-split", 1, "--val-split", 1) == 0
    assert faults(tmp_path) == []  # as it was asked for
    manifest = meta(tmp_path / "wds", "mm2energon.json")
    manifest.write_text(manifest.read_text().replace('"group_by": "none"', '"group_by": "media"'))
    (found,) = faults(tmp_path)
    assert "shares what keeps samples in one split (--group-by media) with val-shard-000000.tar/" in found


def test_shards_without_our_manifest_are_compared_as_if_no_option_had_been_given(colours):
    meta(colours / "wds", "mm2energon.json").unlink()
    assert counts(colours) == (7, 0, 0, 0)
    assert any("no options are noted" in note for note in against(colours).notes)


@pytest.mark.parametrize(("root", "name"), [("nowhere", "dataset.json"), (".", "nothing.json")])
def test_sources_that_are_not_there_are_an_error_of_one_line(colours, capsys, root, name):
    given = ["verify", str(colours / "wds"), "--skip-energon", "--against", str(colours / root), "--json", name]
    assert cli.main(given) == 1
    assert capsys.readouterr().err.count("\n") == 1
