"""The part of a survey's page that counts samples by split, format and source, and tells what runs set aside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mm2energon.pages.document import bullets, card, folded, grid, share_bar, table
from mm2energon.pages.markup import Markup, element, joined
from mm2energon.pages.numbers import short, whole
from mm2energon.pipeline.survey import Survey
from mm2energon.pipeline.survey_account import RunAccount

#: Sources that are shown.
_TOP = 12


def splits(found: Survey) -> Markup:
    """Samples by split, kind, format and source, and what runs set aside."""
    rows = [
        (split, whole(samples), share_bar(samples, found.samples), whole(shards), short(size, "B"))
        for split, (shards, samples, size) in found.splits.items()
    ]
    cards = [card("Splits", table(("split", "samples", "share", "shards", "bytes"), rows, numbers=(1, 3, 4)))]
    if found.kinds:
        cards.append(card("What samples hold", _table_of(found.kinds.most_common(), "samples")))
    if found.formats:
        cards.append(card("Annotation formats, as the entries were read", _formats(found)))
    named = [(name or "(not named)", count) for name, count in found.sources.top(_TOP)]
    if named and named != [("(not named)", named[0][1])]:
        cards.append(card("Sources, as the entries name them", _table_of(named, "samples")))
    if found.accounts:
        cards.append(card("Accounts of the runs", _runs(found.accounts)))
    cards += [_account(account) for account in found.accounts if account.set_aside]
    options = found.manifest.get("options")
    if isinstance(options, dict) and options:
        shown = [(name, _option(value)) for name, value in options.items() if value not in (None, False, [])]
        cards.append(card("Options of the run", table(("option", "value"), shown)))
    return grid(cards, wide=True)


def _runs(accounts: list[RunAccount]) -> Markup:
    rows = [
        (one.command, one.of, whole(one.read), whole(one.written), whole(sum(one.set_aside.values())))
        for one in accounts
    ]
    read_as = [
        f"{one.command} ({one.of}) read " + ", ".join(f"{whole(count)} {name}" for name, count in one.formats.items())
        for one in accounts
        if one.formats
    ]
    heads = ("command", "wrote", "read", "written", "set aside")
    return joined(table(heads, rows, numbers=(2, 3, 4)), bullets(read_as) if read_as else None)


def _formats(found: Survey) -> Markup:
    """What the entries were read as, split by split."""
    names = list(found.splits)
    rows = [
        (name, whole(sum(counts.values())), *(whole(counts.get(split, 0)) for split in names))
        for name, counts in sorted(found.formats.items(), key=lambda item: -sum(item[1].values()))
    ]
    return table(("", "samples", *names), rows, numbers=range(1, len(names) + 2))


def _account(account: RunAccount) -> Markup:
    """Why entries were set aside, and what was said of some."""
    rows = sorted(account.set_aside.items(), key=lambda item: -item[1])
    examples = [
        folded(f"{code}: examples", bullets(account.examples[code])) for code, _ in rows if account.examples.get(code)
    ]
    where = element("p", "All of them: ", element("code", account.file), class_="soft") if account.file else None
    return card(f"Set aside by {account.command}", where, _table_of(rows, "entries"), *examples)


def _table_of(rows: Iterable[tuple[str, int]], what: str) -> Markup:
    """A table of names and counts, with bars."""
    rows = list(rows)
    most = max((count for _, count in rows), default=0)
    return table(("", what, ""), [(name, whole(count), share_bar(count, most)) for name, count in rows], numbers=(1,))


def _option(value: Any) -> str:
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)
