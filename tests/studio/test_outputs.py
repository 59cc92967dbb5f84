"""Folders that may be written to lie below the roots that were opened, whatever a page asks for."""

import pytest
from mm2energon.errors import InputError
from mm2energon.studio.outputs import output_folder


@pytest.fixture
def roots(tmp_path):
    folders = [tmp_path / "data", tmp_path / "more"]
    for folder in (*folders, tmp_path / "other"):
        folder.mkdir()
    return folders


def test_a_relative_folder_is_below_the_first_root_and_need_not_be_there(roots):
    assert output_folder("a/b", roots) == roots[0] / "a/b"
    assert output_folder(".", roots) == roots[0]


def test_a_tilde_is_a_name_as_any_other(roots):
    assert output_folder("~", roots) == roots[0] / "~"


def test_an_absolute_folder_below_any_root_is_taken(roots):
    assert output_folder(str(roots[1] / "x"), roots) == roots[1] / "x"


@pytest.mark.parametrize("written", ["../other", "a/../../other", "/etc", "/", "../data2", "~/../../other"])
def test_what_leaves_the_roots_is_refused_with_the_roots_named(roots, written):
    with pytest.raises(InputError, match="--output-root"):
        output_folder(written, roots)


def test_a_link_that_leads_out_is_refused(roots, tmp_path):
    (roots[0] / "link").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="outside"):
        output_folder("link/x", roots)


@pytest.mark.parametrize("written", ["", "  ", "a\0b", "a\nb", "x" * 300, "\ud800", "a/" + "y" * 256])
def test_what_is_no_name_of_a_folder_is_refused(roots, written):
    with pytest.raises(InputError):
        output_folder(written, roots)


def test_a_file_in_its_place_and_a_loop_of_links_are_refused(roots):
    (roots[0] / "file").write_text("")
    (roots[0] / "loop").symlink_to(roots[0] / "loop")
    for written in ("file", "loop/x"):
        with pytest.raises(InputError):
            output_folder(written, roots)
