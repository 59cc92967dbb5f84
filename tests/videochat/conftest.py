"""Models of a session, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of tiny models by their family."""
    import torch

    from videochat import tiny_models

    torch.set_num_threads(1)  # threads of torch wait for each other, busily, where cores are shared
    top = tmp_path_factory.mktemp("models")
    return {family: getattr(tiny_models, f"save_{family}")(top / f"tiny-{family}") for family in FAMILIES}
