"""Finetune: the routes by which adapters are trained: what can be set, runs, their figures, stop and go on."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from pydantic import Field
from starlette.responses import Response

from mm2energon.errors import InputError
from mm2energon.studio.answers import Json, Refused
from mm2energon.studio.items import Asked
from mm2energon.studio.state import State
from mm2energon.studio.trying import adapters_folder, setup_for
from mm2energon.tuning.runs import HERE, Run, Runs

Word = Annotated[str, Field(max_length=4096)]
Id = Annotated[str, InPath(max_length=100)]
Value = bool | int | float | Word | None
#: What the run is called whose output is the folder of all runs itself; "." is no part of a URL.
THE_FOLDER = "the folder itself"
_OF_THE_HUB = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}", re.ASCII)


class RunAsked(Asked):
    """A run to be started; `options` are those of the form, which stand beside the others."""

    model_config = {"extra": "allow"}

    data: Word | Annotated[list[Word], Field(min_length=1, max_length=100)]
    model: Annotated[str, Field(min_length=1, max_length=4096)]
    output: Annotated[str, Field(max_length=100)] = ""
    __pydantic_extra__: dict[str, Value]


def router(state: State) -> APIRouter:
    """The routes of fine-tuning."""
    routes = APIRouter(prefix="/api/finetune")
    folder = adapters_folder(state.settings)
    runs = None if folder is None else Runs(folder)
    _add_starting(routes, state, runs)
    _add_following(routes, state, runs)
    return routes


def readiness(state: State) -> dict[str, Any]:
    """Whether adapters can be trained here; if not, what is missing."""
    from mm2energon.videochat.backends.ready import missing_package

    if (lacking := missing_package(("torch", "transformers", "peft", "accelerate"), "train")) is not None:
        return {"ready": False, "message": lacking.message}
    if adapters_folder(state.settings) is None:
        return {"ready": False, "message": "no folder for adapters is known; start the studio with --adapters FOLDER"}
    return {"ready": True, "message": ""}


def _add_starting(routes: APIRouter, state: State, runs: Runs | None) -> None:
    @routes.get("/options")
    def options() -> Response:
        form = [{**one, "default": _usual(state, one)} for one in Runs.form()]
        told = {**readiness(state), "options": form, "data": _data(state), "models": _models(state)}
        return Json({**told, "model": state.settings.model, "folder": None if runs is None else str(runs.folder)})

    @routes.post("/runs")
    def start(asked: RunAsked) -> Response:
        if not (ready := readiness(state))["ready"]:
            raise Refused(501, ready["message"], "not-installed")
        return Json({"id": _known(runs).start(_options(state, asked))})


def _add_following(routes: APIRouter, state: State, runs: Runs | None) -> None:
    @routes.get("/runs")
    def listed() -> Response:
        models = _models(state)
        return Json({"runs": [] if runs is None else [_told(models, run, runs.folder) for run in runs.list()]})

    @routes.get("/runs/{run_id}")
    def follow(run_id: Id, since: Annotated[int, Query(ge=0, lt=2**53)] = 0) -> Response:
        found = _known(runs).follow(_there(runs, run_id), since)
        evals = [{**one, "loss": one.get("eval_loss")} for one in found.evals]
        told = _told(_models(state), found.run, _known(runs).folder)
        return Json({**told, "losses": found.losses, "evals": evals, "lines": found.lines, "since": found.since})

    @routes.post("/runs/{run_id}/stop")
    def stop(run_id: Id) -> Response:
        name = _there(runs, run_id)
        _known(runs).stop(name)
        return Json(_told(_models(state), _known(runs).get(name), _known(runs).folder))

    @routes.post("/runs/{run_id}/resume")
    def resume(run_id: Id) -> Response:
        name = _there(runs, run_id)
        _known(runs).resume(name)
        return Json(_told(_models(state), _known(runs).get(name), _known(runs).folder))


def _known(runs: Runs | None) -> Runs:
    if runs is None:
        raise Refused(404, "no folder for adapters is known; start the studio with --adapters FOLDER")
    return runs


def _there(runs: Runs | None, run_id: str) -> str:
    """The name of a run that is there.

    Raises:
        Refused: there is none.
    """
    name = HERE if run_id == THE_FOLDER else run_id
    try:
        return _known(runs).get(name).id
    except InputError as error:
        raise Refused(404, str(error)) from error


def _told(models: list[str], run: Run, folder: Path) -> dict[str, Any]:
    from mm2energon.videochat.adapters import model_name

    told = run.as_json()
    if model := run.options.get("model"):  # as it is offered, wherever the run found it
        alike = (one for one in models if model_name(one) == model_name(str(model)))
        told["options"]["model"] = next(alike, model)
    adapter = run.adapter
    if run.id == HERE:
        told["id"] = THE_FOLDER
    name = adapter.relative_to(folder).as_posix() if adapter is not None and adapter.is_relative_to(folder) else None
    return {**told, "adapter_name": name}


def _usual(state: State, option: dict[str, Any]) -> Any:
    """What an option is unless something is said; paths of the dataset are relative to its root."""
    return str(state.root) if option["name"] == "dataset_root" else option["default"]


def _data(state: State) -> list[dict[str, str]]:
    """What can be trained on without another word: the open dataset, where it is of a kind that is read."""
    review = state.review
    if review.kind == "csv":
        return []
    return [{"path": str(review.path), "name": review.name, "title": f"The open dataset: {review.name}"}]


def _models(state: State) -> list[str]:
    from mm2energon.videochat.backends.places import offered

    return offered(setup_for(state.settings))


def _options(state: State, asked: RunAsked) -> dict[str, Any]:
    """What a run is started with: paths are inside of what was opened, whatever was sent.

    Raises:
        Refused: one of them is not.
    """
    roots = [state.root, *state.settings.further, *state.settings.output_roots]
    extra = dict(asked.__pydantic_extra__ or {})
    if "allow_absolute_media" in extra:
        raise Refused(400, "allow_absolute_media: is set when the studio is started, by --allow-absolute-media")
    extra["dataset_root"] = _inside(str(extra.get("dataset_root") or state.root), roots, "dataset_root")
    data = [asked.data] if isinstance(asked.data, str) else asked.data
    allowed = [*roots, state.review.path]
    options = {**extra, "data": [_inside(one, allowed, "data") for one in data], "model": _model(state, asked.model)}
    options["allow_absolute_media"] = [str(root) for root in state.settings.further]
    return options | ({"output": asked.output} if asked.output else {})


def _inside(written: str, roots: Sequence[Path], name: str) -> str:
    """A path as it is, links followed, where that lies inside of what was opened."""
    if not written.strip() or "\0" in written:
        raise Refused(400, f"{name} {written[:200]!r}: is no path; one was expected")
    try:
        real = Path(os.path.normpath(roots[0] / written)).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise Refused(400, f"{name} {written[:200]!r}: is no path") from error
    if not any(map(real.is_relative_to, roots)):
        opened = ", ".join(dict.fromkeys(map(str, roots)))
        raise Refused(400, f"{name} {written[:200]!r}: lies outside of what the studio was opened with ({opened})")
    return str(real)


def _model(state: State, written: str) -> str:
    """A model that is offered, a name of the hub, or a folder inside of what was opened.

    What lies where the studio looks for models is named by its folder: the run does not know of those places.
    """
    from mm2energon.videochat.backends.places import cached, here

    setup = setup_for(state.settings)
    if written in _models(state) or (_OF_THE_HUB.fullmatch(written) and not Path(written).exists()):
        found = here(written, setup.model_folders)
        if found is None and not setup.may_download and cached(written) is None:
            raise Refused(400, f"model {written[:200]}: is not on this machine, and the hub is not asked (--offline)")
        return written if found is None else str(found.absolute())
    folder = _inside(written, [state.root, *state.settings.further, *state.settings.output_roots], "model")
    if not Path(folder).is_dir():
        raise Refused(400, f"model {written[:200]!r}: is no folder, and no name of the hub; one of both was expected")
    return folder
