"""Views: the entries that a filter chooses, in an order, and how many there are of each kind."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError
from mm2energon.review.book import Book
from mm2energon.review.decisions import PENDING_NUMBER
from mm2energon.review.entries import Entries
from mm2energon.review.facets import fold, sought
from mm2energon.review.model import MEDIUMS, SORTS, STATUSES, Filter, View
from mm2energon.review.tables import NONE, Ints
from mm2energon.review.texts import Texts

Mask = NDArray[np.bool_]

_TERM = re.compile(r'"([^"]+)"|(\S+)')
#: Of categories and reasons, as many are told.
_MOST_TOLD = 200
#: Views are kept up to so many, and so many numbers in them; a few whatever they hold.
_VIEWS_KEPT, _NUMBERS_KEPT, _FEW_VIEWS = 32, 1 << 24, 8
_SEARCHES_KEPT = 8
#: An odd number, by which digests of text and media are mixed.
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class State:
    """All that is known of the entries of a review."""

    entries: Entries
    book: Book
    #: What an entry is looked for by, as an event has edited it.
    edited_text: Callable[[int, int], str]
    _searches: OrderedDict[tuple[tuple[str, ...], int], Mask] = field(default_factory=OrderedDict)

    def texts_for(self, text: str) -> Texts | None:
        """What has to be looked through for a text; None where that was done before."""
        terms = terms_of(text)
        return self.entries.texts() if terms and (terms, self.entries.count) not in self._searches else None

    def remember(self, text: str, found: Mask) -> None:
        """Note which entries say a text, as they stand in the source."""
        self._searches[terms_of(text), len(found)] = found
        if len(self._searches) > _SEARCHES_KEPT:
            self._searches.popitem(last=False)

    def searched(self, text: str) -> Mask:
        """Which entries say all words of a text, as they are edited."""
        terms = terms_of(text)
        if (texts := self.texts_for(text)) is not None:
            self.remember(text, texts.search(terms))
        found = self._searches.get((terms, self.entries.count))
        if found is None:  # nothing is looked for
            return np.ones(self.entries.count, np.bool_)
        self._searches.move_to_end((terms, self.entries.count))
        edits = self.book.standing.edit
        edited = np.flatnonzero(edits != NONE)
        if len(edited):
            found = found.copy()
            said = map(self.edited_text, edited.tolist(), edits[edited].tolist())
            found[edited] = [all(term in text for term in terms) for text in said]
        return found


def terms_of(text: str) -> tuple[str, ...]:
    """The words of a search, and what stands in quotes, folded."""
    terms = (sought(fold(quoted or word)) for quoted, word in _TERM.findall(text))
    return tuple(term for term in terms if term)


class Views:
    """The last views, by their names."""

    def __init__(self) -> None:
        self._views: OrderedDict[str, View] = OrderedDict()
        self._count = 0

    def add(self, numbers: Ints) -> View:
        """Keep a view."""
        self._count += 1
        view = View(f"v{self._count}", numbers)
        self._views[view.id] = view
        while len(self._views) > (_VIEWS_KEPT if self._size() <= _NUMBERS_KEPT else _FEW_VIEWS):
            self._views.popitem(last=False)
        return view

    def _size(self) -> int:
        return sum(view.count for view in self._views.values())

    def get(self, name: str) -> View | None:
        """A view of before, which stays a while longer; None when it is forgotten."""
        if name in self._views:
            self._views.move_to_end(name)
        return self._views.get(name)


def chosen(state: State, wanted: Filter, sort: str) -> Ints:
    """The entries that a filter chooses, in order.

    Raises:
        InputError: a status, medium or sort that there is none of.
    """
    state.entries.look_again()
    masks = _masks(state, wanted)
    numbers = np.flatnonzero(_all_of(masks.values(), state.entries.count)).astype(np.int32)
    return _sorted(state, numbers, sort)


def counts(state: State, wanted: Filter) -> dict[str, dict[str, int]]:
    """Of each facet, how many entries there are of each value among those that the rest of the filter chooses."""
    state.entries.look_again()
    masks, size = _masks(state, wanted), state.entries.count

    def among(facet: str) -> Mask:
        return _all_of((mask for name, mask in masks.items() if name != facet), size)

    status = np.bincount(state.book.standing.status[among("status")], minlength=len(STATUSES))
    return {
        "status": dict(zip(STATUSES, status.tolist(), strict=True)),
        "category": _most(_category_counts(state, among("category"))),
        "medium": {medium: int((_medium_mask(state, medium) & among("medium")).sum()) for medium in MEDIUMS},
        "warning": _warning_counts(state, among("warning")),
        "reviewer": {
            name: int((decided_by(state, name) & among("reviewer")).sum()) for name in state.book.decisions.tracks
        },
        "reason": _most(_reason_counts(state, among("reasons"))),
    }


def _all_of(masks: Iterable[Mask], size: int) -> Mask:
    return reduce(np.logical_and, masks, np.ones(size, np.bool_))


def _masks(state: State, wanted: Filter) -> dict[str, Mask]:
    """Facet -> which entries a filter takes by it; of what is not asked for, nothing."""
    return dict(_each_mask(state, wanted))


def _each_mask(state: State, wanted: Filter) -> Iterator[tuple[str, Mask]]:
    standing, size = state.book.standing, state.entries.count
    if wanted.status:
        _expect("status", wanted.status, STATUSES)
        yield "status", np.isin(standing.status, [STATUSES.index(status) for status in wanted.status])
    if wanted.category:
        yield "category", _any_of((category_mask(state, name) for name in wanted.category), size)
    if wanted.text.strip():
        yield "text", state.searched(wanted.text)
    if wanted.medium:
        _expect("medium", wanted.medium, MEDIUMS)
        yield "medium", _any_of((_medium_mask(state, medium) for medium in wanted.medium), size)
    if wanted.warning:
        bits = state.entries.words.known_bits(wanted.warning)
        yield "warning", (state.entries.held["warnings"] & np.uint64(bits)) != 0
    if wanted.edited is not None:
        yield "edited", standing.edited == wanted.edited
    if wanted.reviewer is not None:
        yield "reviewer", decided_by(state, wanted.reviewer)
    if wanted.assigned_to is not None:
        yield "assigned", _share_of(state, wanted.assigned_to)
    if wanted.left_to is not None:
        yield "left", _share_of(state, wanted.left_to) & ~decided_by(state, wanted.left_to)
    if wanted.duplicates:
        yield "duplicates", duplicates(state.entries)
    if wanted.reasons:
        known = [state.book.decisions.reasons.known(reason) for reason in wanted.reasons]
        yield "reasons", np.isin(standing.reason, [number for number in known if number > 0])


def _expect(what: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    for value in given:
        if value not in known:
            raise InputError(f"{what} {value!r}: there is none of that name; one of {', '.join(known)} was expected")


def _any_of(masks: Iterable[Mask], size: int) -> Mask:
    return reduce(np.logical_or, masks, np.zeros(size, np.bool_))


def category_mask(state: State, name: str) -> Mask:
    """Which entries have a category, as reviewers have changed it."""
    given = state.book.standing.category
    own = (state.entries.held["category"] == state.entries.words.known_category(name)) & (given == NONE)
    number = state.book.decisions.categories.known(name)
    mask: Mask = own if number == NONE else own | (given == number)
    return mask


def _medium_mask(state: State, medium: str) -> Mask:
    held = state.entries.held
    if medium == "none":
        nothing: Mask = (held["images"] == 0) & (held["videos"] == 0) & (held["audios"] == 0)
        return nothing
    found: Mask = held[f"{medium}s"] > 0
    return found


def decided_by(state: State, reviewer: str) -> Mask:
    """Which entries a reviewer has accepted or rejected."""
    decisions = state.book.decisions
    if reviewer not in decisions.tracks:
        return np.zeros(state.entries.count, np.bool_)
    mask: Mask = decisions.of_rows(decisions.tracks[reviewer].at, "status", PENDING_NUMBER) != PENDING_NUMBER
    return mask


def _share_of(state: State, reviewer: str) -> Mask:
    return state.book.decisions.shares.get(reviewer, np.zeros(state.entries.count, np.bool_))


def duplicates(entries: Entries) -> Mask:
    """Which entries say the same of the same media as another one."""
    mixed = entries.column("text") * _MIX + entries.column("media")
    _, inverse, often = np.unique(mixed, return_inverse=True, return_counts=True)
    mask: Mask = often[inverse] > 1
    return mask


def _category_counts(state: State, mask: Mask) -> dict[str, int]:
    given, own = state.book.standing.category[mask], state.entries.held["category"][mask]
    found = _named(np.bincount(own[given == NONE], minlength=1), state.entries.words.categories)
    for name, count in _named(np.bincount(given[given != NONE]), state.book.decisions.categories.all).items():
        found[name] = found.get(name, 0) + count
    return found


def _reason_counts(state: State, mask: Mask) -> dict[str, int]:
    reasons = state.book.standing.reason[mask]
    return _named(np.bincount(reasons[reasons > 0]), state.book.decisions.reasons.all)


def _warning_counts(state: State, mask: Mask) -> dict[str, int]:
    bits = state.entries.held["warnings"][mask]
    each = {
        code: int(((bits >> np.uint64(place)) & np.uint64(1)).sum())
        for place, code in enumerate(state.entries.words.warnings)
    }
    return {code: count for code, count in each.items() if count}


def _named(found: NDArray[np.intp], names: list[str]) -> dict[str, int]:
    return {names[number]: int(found[number]) for number in np.flatnonzero(found).tolist()}


def _most(found: dict[str, int]) -> dict[str, int]:
    """The most frequent ones, these first."""
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:_MOST_TOLD])


def _sorted(state: State, numbers: Ints, sort: str) -> Ints:
    name, backwards = sort.removeprefix("-"), sort.startswith("-")
    _expect("sort", (name,), SORTS)
    if name == "number":
        return numbers[::-1] if backwards else numbers
    keys = _KEYS[name](state, numbers).astype(np.int64)
    found: Ints = numbers[np.argsort(-keys if backwards else keys, kind="stable")]
    return found


def _by_category(state: State, numbers: Ints) -> NDArray[np.int64]:
    """The places of categories in their alphabet."""
    own, given = state.entries.words.categories, state.book.decisions.categories.all
    place = {name: place for place, name in enumerate(sorted({*own, *given}))}
    mine = np.array([place[name] for name in own], np.int64)[state.entries.held["category"][numbers]]
    override = state.book.standing.category[numbers]
    theirs = np.array([*(place[name] for name in given), 0], np.int64)[override]
    return np.where(override == NONE, mine, theirs)


_KEYS: dict[str, Callable[[State, Ints], NDArray[np.int64]]] = {
    "category": _by_category,
    "status": lambda state, numbers: state.book.standing.status[numbers].astype(np.int64),
    "words": lambda state, numbers: (
        state.entries.column("question_words")[numbers].astype(np.int64) + state.entries.column("answer_words")[numbers]
    ),
    "question words": lambda state, numbers: state.entries.column("question_words")[numbers].astype(np.int64),
    "answer words": lambda state, numbers: state.entries.column("answer_words")[numbers].astype(np.int64),
    "turns": lambda state, numbers: state.entries.column("turns")[numbers].astype(np.int64),
    "decided": lambda state, numbers: state.book.standing.event[numbers].astype(np.int64),
}
