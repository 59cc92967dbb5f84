"""Reads a split back through Megatron-Energon's own loader, with stand-ins for the readers that are not installed.

Importing this module needs the extra `energon`; nothing else of the package imports it at the top of a file.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

from mm2energon.errors import InputError, SampleError, missing_extra
from mm2energon.jsonio import loads
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.shards.cooker import cook_chat, decode_image
from mm2energon.shards.pickles import load_nested_bytes
from mm2energon.shards.reader import read_dataset_yaml, read_index

try:
    from megatron.energon import (
        Cooker,
        DefaultGenericWebdatasetFactory,
        DefaultTaskEncoder,
        Sample,
        WorkerConfig,
        get_loader,
        get_val_dataset,
    )
    from megatron.energon.edataclass import edataclass
except ImportError as error:
    raise missing_extra("megatron-energon>=7", "energon") from error

#: What a part can hold: a pickled list of pictures, of videos (lists of pictures) or of sound files, or JSON.
PartKind = Literal["images", "videos", "sounds", "json"]

#: The parts that the chat readers know.
PARTS: Mapping[str, PartKind] = {
    "jpgs": "images",
    "videos": "videos",
    "mp4s": "videos",
    "mp3s": "sounds",
    "json": "json",
}


@edataclass
class StandInSample(Sample):  # type: ignore[misc]
    """What a chat reader makes of a sample; a field is None when the reader's field_map lacks it."""

    #: Pictures: float32 in 0..1, channels x height x width, RGB; the encoded bytes when decoding is off.
    imgs: Any = None
    #: One list of such pictures for each video.
    videos: Any = None
    #: Encoded sound files: a list of them, or the one of the reader.
    audios: Any = None
    audio: Any = None
    #: The content of the json.
    conversation: Any = None


class StandInDataset(DefaultGenericWebdatasetFactory):  # type: ignore[misc]
    """Reads what the chat readers of the training frameworks read, by the field_map of the dataset.yaml."""

    __sample_type__ = StandInSample
    #: What each part holds; others stay bytes.
    parts: Mapping[str, PartKind] = PARTS

    def __init__(self, path: Any, *, decoder: Any = None, **options: Any) -> None:
        self._decode_pictures = decoder is not None
        super().__init__(path, **options)

    def load_sample(self, sample: dict[str, Any]) -> StandInSample:
        """Decode the parts, then let the field_map name them."""
        loaded: StandInSample = super().load_sample({name: self._decoded(sample, name) for name in sample})
        return loaded

    def _decoded(self, sample: Mapping[str, Any], name: str) -> Any:
        kind, value = self.parts.get(name), sample[name]
        if kind is None:
            return value
        origin = f"{sample['__shard__']}/{sample['__key__']}.{name}"
        if kind == "json":
            return _json(value, origin)
        content = load_nested_bytes(value, origin=origin)
        expected = list if kind == "videos" else bytes
        if any(not isinstance(item, expected) for item in content):
            raise SampleError(f"{origin}: {kind} were expected, but its list is of the other depth", "bad-part")
        return _pictures(content, origin) if kind != "sounds" and self._decode_pictures else content


def stand_in(module: str, class_name: str, parts: Mapping[str, PartKind] = PARTS, *, always: bool = False) -> bool:
    """Let `module` and `class_name` of a dataset.yaml be found, when the framework they belong to is not installed.

    Args:
        module: dotted name; it is entered into `sys.modules`.
        class_name: the reader class in it.
        parts: part name -> what it holds; other parts stay bytes.
        always: also when the real class is there (Pai's own readers stop loading in Energon 7).

    Returns:
        Whether a stand-in was registered.
    """
    if not always and _importable(module, class_name):
        return False
    holder = sys.modules[module] if module in sys.modules else types.ModuleType(module, "Stand-in readers.")
    setattr(holder, class_name, type(class_name, (StandInDataset,), {"parts": parts, "__module__": module}))
    sys.modules[module] = holder
    return True


def load_split(
    root: Path,
    split: str,
    *,
    dataset_config: str = "dataset.yaml",
    num_workers: int = 0,
    decode: bool = True,
    read_from: str | None = None,
) -> Iterator[Any]:
    """Every sample of a split once, in the order that Energon gives them, as the target's reader makes them.

    Samples of a `crude` dataset are cooked into `ChatSample`; the frameworks' own readers are stood in for.
    The dataset.yaml is trusted: Energon makes an instance of whatever class it names.

    Args:
        root: the folder of the shards, or of their metadata alone.
        split: its name; one without shards has no samples.
        dataset_config: which file of `.nv-meta` tells how to read the samples.
        num_workers: processes that Energon reads with; 0 is this one.
        decode: whether pictures are decoded to tensors (a `crude` dataset is always decoded).
        read_from: where Energon reads them, by a URL of its own, if that is not `root`.

    Raises:
        InputError: the metadata cannot be read, or Energon left samples out.
        SampleError: a sample is not what its target says (RuntimeError out of a worker process); other errors of
            Energon pass as they are.
    """
    index = read_index(root)
    shards = index.splits.get(split)
    if not shards:
        return
    config = read_dataset_yaml(root, dataset_config)
    if "__module__" in config and "__class__" in config:
        stand_in_for_frameworks(str(config["__module__"]), str(config["__class__"]))
    count = 0
    for sample in _one_pass(read_from or root, split, dataset_config, num_workers, decode):
        count += 1
        yield sample
    expected = sum(index.counts.get(shard, 0) for shard in shards)
    if count != expected and not index.excluded:
        raise InputError(
            f"{root}: Energon gave {count} samples of {split}, {expected} were written; see its log for why"
        )


def stand_in_for_frameworks(module: str, class_name: str) -> None:
    """Readers of frameworks that are installed unpickle what they are given; their stand-ins do not."""
    known = getattr(sys.modules.get(module), class_name, None)
    if not (isinstance(known, type) and issubclass(known, StandInDataset)):
        stand_in(module, class_name, always=not module.startswith("megatron.energon"))


def _one_pass(root: Path | str, split: str, dataset_config: str, num_workers: int, decode: bool) -> Iterator[Any]:
    encoder = _Chats()
    encoder.decoder = DefaultTaskEncoder.decoder if decode else None
    dataset = get_val_dataset(
        root,
        split_part=split,
        worker_config=_workers(num_workers),
        batch_size=None,
        task_encoder=encoder,
        dataset_config=dataset_config,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*pin_memory")  # Energon asks for it without a GPU, too
        samples: Iterator[Any] = iter(get_loader(dataset, watchdog_timeout_seconds=None))
    yield from samples


def _workers(count: int) -> WorkerConfig:
    """One rank whose errors end the pass, where Energon can be told so (7.3 and later; before, it logs and goes on)."""
    named = {field.name for field in dataclasses.fields(WorkerConfig)}
    handler = {"global_error_handler": _raise} if "global_error_handler" in named else {}
    return WorkerConfig(rank=0, world_size=1, num_workers=count, **handler)


class _Chats(DefaultTaskEncoder):  # type: ignore[misc]
    """Hands samples on as they are."""

    cookers = (Cooker(cook_chat),)


def _raise(error: Exception, *_about: Any) -> NoReturn:
    raise error


def _importable(module: str, class_name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), class_name)
    except (ImportError, OSError, RuntimeError, AttributeError):
        return False


def _json(data: bytes, origin: str) -> Any:
    try:
        return loads(data, max_depth=MAX_DEPTH_AROUND)
    except ValueError as error:
        raise SampleError(f"{origin}: not valid JSON ({error})", "bad-part") from error


def _pictures(content: Any, origin: str) -> Any:
    if isinstance(content, bytes):
        return decode_image(content, origin=origin)
    return [_pictures(item, origin) for item in content]
