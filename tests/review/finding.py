"""Finding again: whatever a source has, for the tests of sources."""

from __future__ import annotations

from mm2energon.review.sources import Found, Source


def again(source: Source) -> list[Found]:
    """All entries of a source; each is also read by itself, and all of them backwards."""
    found = list(source.found())
    told = [(one.place, one.entry.origin, one.entry.value, str(one.entry.error), one.fields) for one in found]
    places = [one.place for one in found]
    for some in ([source.read([place])[0] for place in places], source.read(places), source.read(places[::-1])[::-1]):
        read = [(one.place, one.entry.origin, one.entry.value, str(one.entry.error), one.fields) for one in some]
        assert read == told
        assert [source.content(one) for one in some] == [source.content(one) for one in found]
    return found
