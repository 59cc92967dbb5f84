"""Near copies among pictures and videos: which look nearly the same, by what each is known by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mm2energon.pipeline.survey_pictures import PRINT_BYTES

#: Rows of a table.
Places = npt.NDArray[np.int64]

#: Of the bits that say where a picture grows brighter, the part that may differ between near copies, and how many at
#: most for each print: of a picture with little in it, few tell it from others.
_BITS_PART, _MOST_BITS = 8, 8
#: Grey levels by which a colour may differ.
_MOST_COLOUR = 20
_BIT_BYTES = 16
#: Prints that are compared with all others at a time: 40 MB for 20,000.
_ROWS = 512


def alike(prints: Sequence[bytes]) -> list[list[int]]:
    """Groups of things that look nearly the same, by their places; those that resemble nothing are in none.

    Whatever resembles a member of a group is in the group.

    Args:
        prints: one or more prints of each thing, one behind the other; each has as many as the others.
    """
    if len(prints) < 2:
        return []
    table = np.frombuffer(b"".join(prints), dtype=np.uint8).reshape(len(prints), -1, PRINT_BYTES)
    bits = np.unpackbits(table[:, :, :_BIT_BYTES], axis=2).reshape(len(prints), -1).astype(np.float32) * 2 - 1
    colours = table[:, :, _BIT_BYTES:].reshape(len(prints), -1).astype(np.int16)

    def of_one_colour(one: int, others: Places) -> Places:
        near: Places = others[np.abs(colours[others] - colours[one]).max(axis=1) <= _MOST_COLOUR]
        return near

    return groups_of(len(prints), _near(bits, most_bits=_MOST_BITS * table.shape[1]), of_one_colour)


def groups_of(
    count: int, near: Iterable[tuple[int, Places]], really: Callable[[int, Places], Places] = lambda _, others: others
) -> list[list[int]]:
    """Groups of places, of those that resemble others.

    Args:
        near: a place, and others that resemble it.
        really: those of the others that do so at a closer look; asked where that decides anything.
    """
    labels = np.arange(count)
    for one, others in near:
        others = others[labels[others] != labels[one]]
        names = np.unique(labels[np.append(really(one, others), one)])
        if len(names) > 1:
            labels[np.isin(labels, names)] = names[0]
    groups: dict[int, list[int]] = {}
    for place, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def _near(bits: npt.NDArray[np.float32], *, most_bits: int) -> Iterator[tuple[int, Places]]:
    """Each row that has some, with the later rows that differ in few bits.

    The product of two rows of ones and minus ones says in how many places they differ.
    """
    width = bits.shape[1]
    may_differ = np.minimum((bits > 0).sum(axis=1) // _BITS_PART, most_bits).astype(np.float32)
    for begin in range(0, len(bits), _ROWS):
        some = slice(begin, begin + _ROWS)
        least = width - 2 * np.minimum.outer(may_differ[some], may_differ[begin:])
        is_near = bits[some] @ bits[begin:].T >= least
        for row in np.flatnonzero(is_near.sum(axis=1) > 1).tolist():
            others = np.flatnonzero(is_near[row, row + 1 :]) + begin + row + 1
            if len(others):
                yield begin + row, others
