"""Statistics of a review, as `mm2energon export --statistics` shows and writes them."""

from __future__ import annotations

from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import noted, write_noted
from mm2energon.review.review import Review
from mm2energon.review.statistics_told import lines_of, page_of

#: In the place of a file: they are shown alone.
SHOWN_ALONE = Path("-")


def check_places(places: list[Path], *, source: Path, overwrite: bool) -> None:
    """Refuse to write where something else stands.

    Raises:
        InputError: a name that is none, or a file that is not ours.
    """
    for path in places:
        if path == SHOWN_ALONE:
            continue
        if path.suffix not in (".json", ".html"):
            raise InputError(f"--statistics {path}: a name that ends in .json or .html was expected, or - to show them")
        if path.exists() and (path.is_dir() or path.samefile(source) or (not overwrite and noted(path) is None)):
            raise InputError(
                f"--statistics {path}: exists, and was not written by mm2energon (or was changed since); "
                "choose another name, or --overwrite it"
            )


def statistics(review: Review, places: list[Path]) -> list[str]:
    """Show statistics, and write them as JSON or as a page; the lines.

    Raises:
        InputError: the data cannot be indexed, or are empty.
    """
    review.wait()
    figures, agreement = review.statistics(), review.agreement()
    if not figures["entries"]:
        raise InputError(f"{review.path}: holds no entries; questions with their answers were expected")
    lines = lines_of(review.name, figures, agreement)
    for path in places:
        if path == SHOWN_ALONE:
            continue
        if path.suffix == ".html":
            data = page_of(review.name, figures, agreement)
        else:
            pairs = [
                {"reviewers": one.reviewers, "count": one.count, "agreement": one.agreement, "kappa": one.kappa}
                | {"labels": one.labels, "table": one.table, "undefined": one.undefined}
                for one in agreement
            ]
            data = dumps({**figures, "agreement": pairs}) + b"\n"
        with alone_on(path.absolute(), option="--statistics"):
            write_noted(path.absolute(), data, about={"by": "export"})
        lines.append(f"{path}")
    return lines
