"""Plain names: multi-storage-client told of files by the names that they have, which need not be parts of URLs."""

from __future__ import annotations

from typing import Any


def with_plain_names(store: Any) -> Any:
    """The same store, which takes all behind the profile for the name of a file.

    By itself it takes names apart at `?` and `#` and joins them again, in another order where one ends with `?`, and
    without a `#` at the end.
    """
    from multistorageclient.shortcuts import resolve_storage_client

    def client_and_name(path: object) -> tuple[Any, str]:
        profile, _, name = str(path).removeprefix("msc://").lstrip("/").partition("/")
        return resolve_storage_client(f"msc://{profile}/")[0], name

    store.resolve_path_and_storage_client = client_and_name
    return store
