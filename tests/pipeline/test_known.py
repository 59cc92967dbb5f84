"""Known: names are new once."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from mm2energon.pipeline import known
from mm2energon.pipeline.known import Known


@given(st.lists(st.text(st.characters(codec=None), max_size=2), max_size=60), st.integers(1, 5))
def test_a_name_is_new_the_first_time_and_never_again(names, recent):
    before, known._RECENT = known._RECENT, recent
    try:
        some = Known()
        assert [some.add(name) for name in names] == [name not in names[:place] for place, name in enumerate(names)]
        some.close()
    finally:
        known._RECENT = before


def test_names_do_not_stay_in_the_memory_of_python(monkeypatch):
    monkeypatch.setattr(known, "_RECENT", 100)
    some = Known()
    tracemalloc.start()
    try:
        assert sum(some.add(f"videos/of/a/long/name/{number // 2}.mp4") for number in range(40_000)) == 20_000
        assert not some.add("videos/of/a/long/name/0.mp4")
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
        some.close()
