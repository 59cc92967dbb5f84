"""LoRA adapters on an open model: loaded beside its weights, switched for each reply, never merged into them.

With all of them switched off the model computes what it computes without any, to the bit.
"""

from __future__ import annotations

import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.videochat.adapters import Adapter, require_base, saved_modules, weight_shapes
from mm2energon.videochat.backends.fetching import said

#: Adapters that are kept in memory.
_KEPT = 4
#: The end of a module's name, which all versions of transformers agree on.
_TAIL = re.compile(r"(?:^|\.)((?:visual\.)?(?:layers|blocks)\.\d+\..+)$")
_PREFIX = "base_model.model."
_WEIGHT = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
#: Weights that stand beside those of the model; all others would be written over the model's own.
_BESIDE = re.compile(r"\.lora_(?:embedding_)?[AB](?:\.|$)|\.lora_magnitude_vector(?:\.|$)")


class Switch:
    """The adapters of one model."""

    def __init__(self, model: Any, name: str, folder: Path) -> None:
        self._model, self._name, self._folder = model, name, folder
        #: The weights of the model itself.
        self._own = [] if model is None else [*model.parameters(), *model.buffers()]
        self._wrapped: Any = None
        #: (folder, version) -> name within PEFT, the one used last at the end.
        self._loaded: OrderedDict[tuple[Path, str], str] = OrderedDict()
        self._count = 0
        #: False once an adapter was put in by half, so that the model is no longer what it was.
        self.is_sound = True

    @contextmanager
    def using(self, adapter: Adapter | None) -> Iterator[None]:
        """Let the model answer with an adapter, or as it is, within the block.

        Raises:
            InputError: the adapter was made for another model, or cannot be read.
            DependencyError: PEFT is missing.
        """
        if adapter is not None:
            self._choose(adapter)
            yield
        elif self._wrapped is None:
            yield
        else:
            with self._wrapped.disable_adapter():
                yield

    def _choose(self, adapter: Adapter) -> None:
        require_base(adapter, self._name, self._folder)
        key = (adapter.folder, adapter.version)
        if key not in self._loaded:
            _check_shapes(adapter, self._model, self._name)
            self._loaded[key] = self._load(adapter)
        self._loaded.move_to_end(key)
        self._wrapped.set_adapter(self._loaded[key])
        while len(self._loaded) > _KEPT:
            self._wrapped.delete_adapter(self._loaded.popitem(last=False)[1])

    def _load(self, adapter: Adapter) -> str:
        try:
            from peft import PeftModel
        except ImportError as error:
            raise missing_extra("peft", "train") from error
        self._count += 1
        name = f"adapter{self._count}"
        before = self._marks()
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                if self._wrapped is None:
                    self._wrapped = PeftModel.from_pretrained(self._model, adapter.folder, adapter_name=name)
                else:
                    self._wrapped.load_adapter(str(adapter.folder), adapter_name=name)
            lacking = next((str(one.message) for one in told if "missing adapter keys" in str(one.message)), None)
            if lacking is not None:
                raise ValueError(lacking)
        except Exception as error:  # what libraries find wrong with a file is of any kind
            self._undo(name)
            raise InputError(
                f"adapter {adapter.name}: cannot be put on {self._name} ({said(error)}); expected one that was trained "
                "on it; choose another model or adapter"
            ) from error
        if self._marks() != before:
            self.is_sound = False
            raise InputError(
                f"adapter {adapter.name}: changes the weights of {self._name} itself; weights beside them were "
                "expected; train it as plain LoRA"
            )
        self._wrapped.eval()
        return name

    def _marks(self) -> list[tuple[int, int]]:
        """Tells whether the model's own weights were replaced or written to, without reading them."""
        return [(weight.data_ptr(), weight._version) for weight in self._own]

    def _undo(self, name: str) -> None:
        """Take out what was put in by half; where that cannot be done, the model is not to be used any more."""
        try:
            self._wrapped.delete_adapter(name)
        except (ValueError, KeyError, AttributeError):
            self.is_sound = False
            return
        if not self._loaded:
            self.is_sound = False


def _check_shapes(adapter: Adapter, model: Any, name: str) -> None:
    """Hold the weights of an adapter against the layers that they are for, before anything is put in.

    Raises:
        InputError: the model has no such layer, or one of another size; or it would not be put beside the model's.
    """
    layers = {_tail(place.replace(".base_layer", "")): layer for place, layer in model.named_modules()}
    saved = saved_modules(adapter)
    for key, shape in weight_shapes(adapter).items():
        if not _BESIDE.search(key) and saved.isdisjoint(key.removeprefix(_PREFIX).split(".")[:-1]):
            raise InputError(
                f"adapter {adapter.name}: {key} is no weight of LoRA, and would change the model itself; weights "
                "of LoRA alone were expected; train it with bias none, and save it without embeddings"
            )
        match = _WEIGHT.fullmatch(key)
        if match is None or len(shape) != 2:
            continue
        place = match["module"].removeprefix(_PREFIX)
        layer = layers.get(_tail(place))
        side, size = ("in_features", shape[1]) if match["side"] == "A" else ("out_features", shape[0])
        found = getattr(layer, side, None)
        if found != size:
            what = "no such layer" if layer is None else f"{side} {found}"
            raise InputError(
                f"adapter {adapter.name}: {place} is for {side} {size}, and {name} has {what} there; expected an "
                "adapter that was trained on this model; choose the other model, or another adapter"
            )


def _tail(place: str) -> str:
    match = _TAIL.search(place)
    return match[1] if match else place
