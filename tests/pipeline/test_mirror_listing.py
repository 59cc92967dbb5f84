"""What a store has, by folder: asked for once, and not taken for known when the store did not say."""

import pytest
from mm2energon.pipeline.mirror_listing import Listing


class Store:
    """A remote folder of which a list of answers is given, one at a time."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __truediv__(self, name):
        return self

    def files(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_folder_is_listed_once():
    listing = Listing(Store([("8.mp4", 3), ("8.JSON", 2), ("81.mp4", 1)]))
    assert listing.size_of("clips/8.mp4") == 3 and listing.size_of("clips/9.mp4") is None
    assert listing.beside("clips/8.mp4") == {"clips/8.mp4": 3, "clips/8.JSON": 2}


def test_a_folder_that_the_store_did_not_list_is_asked_for_again_and_not_taken_for_empty():
    listing = Listing(Store(OSError("busy"), [("8.mp4", 3)]))
    with pytest.raises(OSError, match="busy"):
        listing.size_of("clips/8.mp4")
    assert listing.size_of("clips/8.mp4") == 3
