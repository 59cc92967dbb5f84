"""Ready: whether a back end can be asked, and if not, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from mm2energon.errors import missing_extra


@dataclass(frozen=True)
class Ready:
    """What a page says of a back end."""

    ok: bool
    #: What is missing and where to put it, or what is good to know.
    message: str = ""


def missing_package(names: tuple[str, ...], extra: str) -> Ready | None:
    """What is said where a package is not installed; nothing is imported."""
    for name in names:
        if find_spec(name) is None:
            return Ready(False, str(missing_extra(name, extra)))
    return None
