"""The loop: the Trainer of transformers, with whole checkpoints, batches that go on where they stopped, and a log.

Importing this module needs the extra `train`; nothing else of the package imports it at the top of a file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import missing_extra
from mm2energon.tuning.adapting import uses_bf16
from mm2energon.tuning.breakdowns import require_number, written_or_removed
from mm2energon.tuning.folders import checkpoint_folder, finish_folder, keep_last, start_folder, unfinished
from mm2energon.tuning.job import Settings
from mm2energon.tuning.stopping import Watch
from mm2energon.videochat.qwen_inputs import IGNORED

try:
    import torch
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
except ImportError as error:
    raise missing_extra("transformers", "train") from error

#: Processes wait so long for the first of them, which prepares the data.
_PATIENCE_SECONDS = 7 * 24 * 3600
Inputs = dict[str, Any]


@dataclass
class Feed:
    """What a device learns from and is tested on."""

    #: Batches without end, from the place where the run goes on.
    train: Iterable[Inputs]
    #: Makes the batches of one validation; None: there is none.
    val: Callable[[], Iterator[Inputs]] | None
    #: Keeps the place in the data in a folder, where numbers alone do not tell it.
    save: Callable[[Path], None] = lambda folder: None


def arguments(settings: Settings, output: Path, *, steps: int, devices: int) -> TrainingArguments:
    """The Trainer's own options; what is left out here is done by `Tuner`."""
    made = TrainingArguments(
        output_dir=str(output),
        max_steps=max(1, steps),
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=max(1, settings.effective_batch // (settings.batch_size * devices)),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(steps * settings.warmup),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch",
        seed=settings.seed,
        bf16=uses_bf16(),
        use_cpu=not torch.cuda.is_available(),
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        ignore_data_skip=True,
        ddp_find_unused_parameters=settings.train_vision,
        ddp_timeout=_PATIENCE_SECONDS,
        average_tokens_across_devices=True,
    )
    made._n_gpu = min(made.n_gpu, 1)  # several devices take a process each; torch's DataParallel knows no such inputs
    return made


class Tuner(Trainer):
    """The Trainer, on a feed of our own."""

    def __init__(self, model: Any, args: TrainingArguments, *, feed: Feed, watch: Watch, settings: Settings) -> None:
        steering = _Steering(settings, watch, has_val=feed.val is not None)
        super().__init__(model=model, args=args, compute_loss_func=_loss_of_step, callbacks=[steering])
        self.remove_callback(PrinterCallback)
        self._feed, self._watch, self._settings = feed, watch, settings
        self._saves_to: Path | None = None
        self._tokens, self._since = 0, time.monotonic()

    def get_train_dataloader(self) -> Any:
        """The feed; it has no end, so that `max_steps` tells it."""
        return self._feed.train

    def training_step(self, model: Any, inputs: Inputs, num_items_in_batch: Any = None) -> Any:
        """As of the Trainer; tokens are counted."""
        self._tokens += int(inputs["attention_mask"].sum())
        return super().training_step(model, inputs, num_items_in_batch)

    def evaluate(self, *_arguments: Any, **_options: Any) -> dict[str, float]:
        """The mean loss of a token over all validation samples of all devices."""
        sums = torch.zeros(2, dtype=torch.float64)
        model: Any = self.model
        model.eval()
        with torch.no_grad():
            for batch in self._feed.val() if self._feed.val else ():
                inputs = self._prepare_inputs(batch)
                tokens = int((inputs["labels"][:, 1:] != IGNORED).sum())
                sums += torch.tensor([float(model(**inputs).loss) * tokens, tokens])
        # float32: not every device has float64.
        loss, tokens = self.accelerator.reduce(sums.float().to(self.args.device), "sum").tolist()
        told = {"eval_loss": loss / tokens} if tokens else {}
        self.log(told)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, told)
        return told

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Tell the loss of a step, or of a validation.

        Raises:
            InputError: the loss or the gradients of a step are no numbers (any more).
        """
        super().log(logs, start_time)
        step = self.state.global_step
        for name in ("loss", "grad_norm"):
            require_number(name, logs.get(name, 0.0), step=step, settings=self._settings)
        if "eval_loss" in logs:
            self._watch.tell({"step": step, "eval_loss": logs["eval_loss"]})
        elif "loss" in logs:
            tokens = int(self.accelerator.reduce(torch.tensor(self._tokens, device=self.args.device), "sum"))
            now = time.monotonic()
            seconds, self._since, self._tokens = now - self._since, now, 0
            speed = {"seconds": round(seconds, 3), "tokens_per_second": round(tokens / max(seconds, 1e-9), 1)}
            named: dict[str, Any] = {
                name: logs[name] for name in ("loss", "learning_rate", "grad_norm") if name in logs
            }
            self._watch.tell({"step": step, **named, **speed})

    def load_weights(self, checkpoint: Path, *, step: int) -> None:
        """Take the adapter of a checkpoint, behind which there is nothing to be trained."""
        self._load_from_checkpoint(str(checkpoint))
        self.state.global_step = step

    def save_whole(self) -> None:
        """Write a checkpoint: all processes their part, and then the first one gives it its name."""
        output = Path(str(self.args.output_dir))
        folder = checkpoint_folder(output, self.state.global_step)
        if self.is_world_process_zero():
            start_folder(folder)
        self.accelerator.wait_for_everyone()
        with written_or_removed(unfinished(folder)):
            self._write_part(folder)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            with written_or_removed(unfinished(folder)):
                _lift(unfinished(folder), folder.name)
                finish_folder(folder)
            keep_last(output, self._settings.keep_checkpoints)
        self.accelerator.wait_for_everyone()

    def _write_part(self, folder: Path) -> None:
        """Write what this process has to say into an unfinished checkpoint."""
        self._saves_to = unfinished(folder)
        try:
            super()._save_checkpoint(self.model_wrapped, None)
        finally:
            self._saves_to = None
        self._feed.save(unfinished(folder) / folder.name)

    def _save_checkpoint(self, *_arguments: Any, **_options: Any) -> None:
        self.save_whole()

    def _get_output_dir(self, trial: Any) -> str:
        """Where the Trainer writes its `checkpoint-<step>`."""
        return str(super()._get_output_dir(trial)) if self._saves_to is None else str(self._saves_to)


def _loss_of_step(outputs: Any, labels: Any, num_items_in_batch: Any) -> Any:
    """What a batch adds to the mean loss of a token over all batches of a step.

    The Trainer leaves it to the models, of which Qwen2.5-VL and Qwen3-VL let each batch weigh the same, whatever is
    learnt from it (transformers, `accepts_loss_kwargs`).

    Args:
        num_items_in_batch: the trained tokens of the step, over all devices.
    """
    following = labels[:, 1:]
    trained = following != IGNORED
    logits = outputs.logits[:, :-1][trained].float()
    return torch.nn.functional.cross_entropy(logits, following[trained], reduction="sum") / num_items_in_batch


def _lift(place: Path, name: str) -> None:
    """Bring what lies in a folder of a folder into that one."""
    for path in (place / name).iterdir():
        path.rename(place / path.name)
    (place / name).rmdir()


class _Steering(TrainerCallback):
    """Says after each step what is next: a validation, a checkpoint, the end."""

    def __init__(self, settings: Settings, watch: Watch, *, has_val: bool) -> None:
        self._settings, self._watch, self._has_val = settings, watch, has_val

    def on_step_end(self, args: Any, state: Any, control: Any, **_more: Any) -> Any:
        """As of the Trainer."""
        step, every = state.global_step, self._settings.eval_every
        is_last = step >= state.max_steps
        stops = self._agreed()
        control.should_log = True
        control.should_evaluate = self._has_val and (is_last or (every > 0 and step % every == 0))
        control.should_save = is_last or stops or step % self._settings.save_every == 0
        control.should_training_stop = is_last or stops
        self._watch.stepped(step)
        return control

    def _agreed(self) -> bool:
        """Whether one of all processes was asked to stop: then all do, after the same step."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self._watch.stop.number > 0
        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        asked = torch.tensor(self._watch.stop.number, device=device)
        torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
        self._watch.stop.number = int(asked)
        return self._watch.stop.number > 0
