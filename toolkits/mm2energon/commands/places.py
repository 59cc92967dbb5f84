"""Options that name places of this machine or in a store, and the folders to work in that stand for them."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from mm2energon.commands.values import size
from mm2energon.pipeline.mirror import Mirror, Mirrored
from mm2energon.pipeline.mirrors import mirror_of, remove_mirrors
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.remote import Place, Remote


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Options that say where copies of what lies in a store are kept meanwhile."""
    group = parser.add_argument_group("object storage")
    group.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="where copies of remote files lie (where temporary files do)"
    )
    group.add_argument(
        "--cache-size", type=size, default=20 << 30, metavar="SIZE", help="what they may take in each process (20G)"
    )


def mirrored(where: Place, arguments: argparse.Namespace, stack: contextlib.ExitStack) -> tuple[Path, Mirror | None]:
    """The folder to work in: the one that was given, or a mirror of it, which goes when the stack is closed."""
    if isinstance(where, Path):
        return where, None
    mirror = _mirror(where, arguments, stack)
    return mirror.folder, mirror


def _mirror(where: Remote, arguments: argparse.Namespace, stack: contextlib.ExitStack) -> Mirror:
    cache = None if arguments.cache is None else arguments.cache.absolute()
    stack.callback(remove_mirrors)
    return stack.enter_context(mirror_of(Mirrored(where.url, cache, arguments.cache_size)))


def made_at(
    given: Place, arguments: argparse.Namespace, stack: contextlib.ExitStack, *, root: Mirror | None = None
) -> tuple[Path, Mirror | None]:
    """Where an output is made: where it was asked for, or in a mirror of its folder, or of the root above it."""
    if isinstance(given, Path):
        return given.absolute(), None
    if root is not None and (inside := _below(given, root)):
        return root.folder / inside, root
    folder, mirror = mirrored(given.parent, arguments, stack)
    return folder / given.name, mirror


def brought(
    given: Place, arguments: argparse.Namespace, stack: contextlib.ExitStack, *, mirrors: Sequence[Mirror | None] = ()
) -> Path:
    """A file that was given: itself, or a copy of it where it lies in a store, which goes when the stack is closed.

    Args:
        mirrors: what stands for folders that it may lie in.
    """
    if isinstance(given, Path):
        return given
    for known in mirrors:
        if known is not None and (inside := _below(given, known)):
            known.bring([inside])
            return known.folder / inside
    folder, mirror = mirrored(given.parent, arguments, stack)
    if mirror is not None:
        mirror.bring([given.name])
    return folder / given.name


def _below(given: Remote, mirror: Mirror) -> str:
    """What a file is called below the folder that a mirror stands for; empty where it is not below it."""
    return given.url.removeprefix(f"{mirror.of.url}/") if given.url.startswith(f"{mirror.of.url}/") else ""


def stored_dataset(
    where: Place, arguments: argparse.Namespace, stack: contextlib.ExitStack, *, with_accounts: bool = False
) -> tuple[Path, StoredDataset | None]:
    """The folder of finished shards to work in, and what brings them there where it is a mirror.

    Args:
        with_accounts: of the folder above, too.

    Raises:
        OSError: the store does not give what is known of them.
    """
    if isinstance(where, Path):
        return where, None
    stored = stored_shards(where, arguments, stack, with_accounts=with_accounts)
    return stored.root, stored


def stored_shards(
    where: Remote, arguments: argparse.Namespace, stack: contextlib.ExitStack, *, with_accounts: bool = False
) -> StoredDataset:
    """Finished shards in a store, and the mirror that they are looked at in.

    Raises:
        OSError: as `stored_dataset`.
    """
    mirror = _mirror(where, arguments, stack)
    above = mirror.remote.parent
    has_above = with_accounts and above.url.count("/") > 1 and above.name != ""
    mirror_above = stack.enter_context(mirror_of(Mirrored(above.url, mirror.of.cache))) if has_above else None
    return StoredDataset(mirror, mirror_above)
