"""A model on this machine, by Hugging Face transformers: Qwen2-VL, Qwen2.5-VL, Qwen3-VL and what was made from them."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.sample import IMAGE_TAG, VIDEO_TAG, Turn
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.backends.devices import choose_device
from mm2energon.videochat.backends.fetching import said
from mm2energon.videochat.backends.generating import Streamer, begin_of, ends_of, stopping
from mm2energon.videochat.backends.lora import Switch
from mm2energon.videochat.backends.pieces import from_thread
from mm2energon.videochat.backends.places import cached, find_model, here, offered, require_hub_name
from mm2energon.videochat.backends.ready import Ready, missing_package
from mm2energon.videochat.backends.setup import Setup
from mm2energon.videochat.backends.wholeness import require_whole
from mm2energon.videochat.perception import Asked, Stop
from mm2energon.videochat.prompts import tell_times
from mm2energon.videochat.qwen_inputs import Film, batch, encode_chat
from mm2energon.videochat.qwen_vision import FrameSizing, QwenVision, read_vision

#: Tokens that the frames of one round may take: VideoChat-R1.5 is asked with about as many (128 * 108).
_VIDEO_TOKENS = 16_384
#: Seconds that a layer may take before a reply that is unwanted is left to itself.
_LAYER_SECONDS = 60.0
#: Models whose state is told, at most.
_MOST_TOLD = 3


def ready(setup: Setup) -> Ready:
    """Whether transformers and torch are installed; where the usual model comes from."""
    if (lacking := missing_package(("torch", "transformers"), "train")) is not None:
        return lacking
    states = [_readiness(name, setup) for name in offered(setup)]
    told = [state.message for place, state in enumerate(states) if state.message and not (state.ok and place)]
    return Ready(any(state.ok for state in states), "; ".join(told[:_MOST_TOLD]))


def _readiness(name: str, setup: Setup) -> Ready:
    """Whether one model can be opened, and where it comes from."""
    folder = here(name, setup.model_folders)
    if folder is not None:
        try:
            require_whole(name, folder)
        except InputError as error:
            return Ready(False, str(error))
        return Ready(True)
    try:
        require_hub_name(name)
    except InputError as error:
        return Ready(False, str(error))
    if cached(name) is not None:
        return Ready(True)
    if not setup.may_download:
        place = setup.model_folders[0].absolute() / Path(name).name
        return Ready(False, f"{name} is not on this machine; put its files into {place}, or name another model")
    return Ready(
        True,
        f"{name} is not on this machine: it is fetched from the hub at the first question; to have it "
        f"here before, run: hf download {name}",
    )


def models(setup: Setup) -> list[str]:
    """The models that can be asked for."""
    return offered(setup)


def open_model(name: str, setup: Setup, tell: Callable[[str], None]) -> LocalChat:
    """Load a model.

    Raises:
        InputError: it cannot be had, or is none that we know, or does not fit into memory.
        DependencyError: torch or transformers are missing.
    """
    tell(f"opening {name}")  # torch alone takes seconds
    try:
        import_module("torch")
        transformers: Any = import_module("transformers")
    except ImportError as error:
        raise missing_extra(error.name or "transformers", "train") from error
    folder = find_model(name, setup, tell)
    require_whole(name, folder)
    vision = read_vision(folder)
    device = choose_device(setup, folder)
    tell(f"loading {name} on {device.told}")
    with _load_errors(name), _no_bars(transformers.utils.logging):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model, loaded = transformers.AutoModelForImageTextToText.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **device.arguments(),
        )
        _require_all(loaded)
        if device.moves:
            model = model.to(device.name)
    return LocalChat(name, folder, vision, tokenizer, model.eval())


def _require_all(loaded: dict[str, Any]) -> None:
    """Refuse a model of which a part would be random numbers."""
    if lacking := sorted(loaded["missing_keys"]):
        raise ValueError(f"{len(lacking)} weights are missing, {lacking[0]} among them")


@contextmanager
def _load_errors(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # what libraries find wrong with a file is of any kind
        if is_memory_error(error):
            raise InputError(
                f"model {name}: memory does not suffice for it ({said(error)}); take a smaller one, 4-bit weights "
                "(bitsandbytes and CUDA), or another device"
            ) from error
        is_other = "ignore_mismatched_sizes" in str(error)  # advice of transformers' that would make weights up
        what = "its weights have other sizes than config.json says" if is_other else said(error)
        raise InputError(
            f"model {name}: cannot be loaded ({what}); the files of a Qwen-VL were expected; fetch it again"
        ) from error


@contextmanager
def _no_bars(their_logging: Any) -> Iterator[None]:
    """Keep bars of transformers from the terminal of a server."""
    had = their_logging.is_progress_bar_enabled()
    their_logging.disable_progress_bar()
    try:
        yield
    finally:
        if had:
            their_logging.enable_progress_bar()


def is_memory_error(error: BaseException) -> bool:
    """Whether memory, of a GPU or of this machine, did not suffice."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


class LocalChat:
    """An open model; it is asked by one thread at a time."""

    def __init__(self, name: str, folder: Path, vision: QwenVision, tokenizer: Any, model: Any) -> None:
        self.name = name
        self.model, self.tokenizer = model, tokenizer
        self._vision = vision
        self.adapters = Switch(model, name, folder)
        self._ends = ends_of(model, tokenizer)
        self._begin = begin_of(tokenizer)
        self._takes = frozenset(inspect.signature(model.forward).parameters)

    @property
    def is_sound(self) -> bool:
        """Whether it can be asked again."""
        return self.adapters.is_sound

    def reply(self, asked: Asked, stop: Stop) -> Iterator[str]:
        """The reply to one round, piece by piece.

        Raises:
            InputError: the question does not fit into the model, or into memory; or the adapter is for another model.
            SampleError: the question holds control tokens, or a frame has a shape that the model does not take.
            Unwanted: it was stopped.
        """
        inputs = self.inputs(asked)
        try:
            with self.adapters.using(asked.adapter):
                yield from from_thread(
                    lambda take, left: self._generate(inputs, asked.parameters, take, left),
                    stop,
                    wait_seconds=_LAYER_SECONDS,
                )
        except (RuntimeError, MemoryError) as error:
            if not is_memory_error(error):
                raise
            raise InputError(
                f"model {self.name}: memory did not suffice for {inputs['input_ids'].shape[1]} tokens; lower the frame "
                "budget or the new tokens, or take a smaller model"
            ) from None

    def inputs(self, asked: Asked) -> dict[str, Any]:
        """What the model takes for one round.

        Raises:
            InputError: it does not fit into the model.
        """
        config = self.model.config
        context = getattr(getattr(config, "text_config", config), "max_position_embeddings", None) or 32_768
        room = context - asked.parameters.max_new_tokens
        vision = self._vision.limited(video_tokens=max(1, min(_VIDEO_TOKENS, room * 3 // 4)))
        film = Film(asked.frames(FrameSizing(vision, len(asked.look.times))), asked.look.times, is_sized=True)
        encoded = encode_chat(
            [Turn("user", f"{VIDEO_TAG}\n{self._prompt(asked)}")],
            videos=[film],
            tokenizer=self.tokenizer,
            vision=vision,
            for_answer=True,
            begin=self._begin,
            origin="question",
        )
        if len(encoded.input_ids) > room:
            raise InputError(
                f"question: {len(encoded.input_ids)} tokens with its frames, and {asked.parameters.max_new_tokens} for "
                f"the answer; {context} together is what {self.name} takes; shorten it, or lower the frame "
                "budget or the new tokens"
            )
        inputs = batch([encoded], vision=vision, pad_id=0)
        del inputs["labels"]
        return {name: value.to(self.model.device) for name, value in inputs.items() if name in self._takes}

    def _prompt(self, asked: Asked) -> str:
        """The prompt, with the times of frames where the model cannot know them otherwise; a tag in it is only text."""
        prompt = asked.prompt
        for tag in (IMAGE_TAG, VIDEO_TAG):
            prompt = prompt.replace(tag, tag.strip("<>"))
        counts_from_zero = asked.look.is_even and asked.look.times[0] == 0
        if self._vision.writes_times or (self._vision.family == "qwen2_5_vl" and counts_from_zero):
            return prompt
        return f"{tell_times(asked.look.times, duration=asked.duration)}\n{prompt}"

    def forget(self) -> None:
        """Give back what the question took."""
        _free_memory()

    def close(self) -> None:
        """Let go of the model."""
        self.model = None
        self.adapters = Switch(None, self.name, Path())
        _free_memory()

    def _generate(
        self, inputs: dict[str, Any], parameters: Parameters, take: Callable[[str], None], stop: Stop
    ) -> None:
        is_greedy = parameters.temperature == 0
        chosen = {} if is_greedy else {"temperature": parameters.temperature, "top_p": parameters.top_p, "top_k": 0}
        config = import_module("transformers").GenerationConfig(
            max_new_tokens=parameters.max_new_tokens,
            do_sample=not is_greedy,
            repetition_penalty=parameters.repetition_penalty,
            eos_token_id=self._ends,
            pad_token_id=self._ends[0],
            **chosen,
        )
        # What the checkpoint has of its own would be mixed in: Qwen2.5-VL's top_k is 1.
        self.model.generation_config = config
        streamer = Streamer(self.tokenizer, take, self._ends)
        with stopping(self.model, stop):
            self.model.generate(**inputs, generation_config=config, streamer=streamer)


def _free_memory() -> None:
    import torch

    gc.collect()  # adapters tie a model into cycles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
