"""Rebase: media are found beside their annotation file, or below the root, and named from there."""

import pytest
from mm2energon.errors import MediaError
from mm2energon.pipeline.rebase import rebase

from pipeline.making import chat


def test_paths_are_made_relative_to_the_root(tmp_path):
    for name in ("a/x.jpg", "y.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    entry = {
        "conversations": chat(),
        "images": ["x.jpg", "y.jpg", "gone.jpg", str(tmp_path / "y.jpg"), "../y.jpg"],
        "videos": [["x.jpg", "y.jpg"]],
    }
    rebased = rebase(entry, "a", tmp_path, origin="here")
    assert rebased["images"] == ["a/x.jpg", "y.jpg", "a/gone.jpg", "y.jpg", "y.jpg"]
    assert rebased["videos"] == [["a/x.jpg", "y.jpg"]]
    with pytest.raises(MediaError) as error:
        rebase({"images": ["../../y.jpg"]}, "a", tmp_path, origin="here")
    assert error.value.code == "outside-root"


def test_a_name_without_ending_may_hold_a_dot(tmp_path):
    (tmp_path / "v.1_x.avi").write_bytes(b"")
    assert rebase({"videos": ["v.1_x", "v.2"]}, "", tmp_path, origin="here")["videos"] == ["v.1_x.avi", "v.2"]
