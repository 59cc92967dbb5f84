"""The order of samples: each once in a pass, the same on any number of devices, from any step."""

from __future__ import annotations

from itertools import chain, islice

import pytest
from mm2energon.tuning.order import Order, in_turn


def steps(devices: int, *, batch_size: int, from_step: int = 0, count: int = 12) -> list[list[int]]:
    """The samples of each step, sorted."""
    found: list[list[int]] = [[] for _ in range(count)]
    for device in range(devices):
        order = Order(7, 3, batch_size, 4, device, devices)
        batches = order.batches(from_step=from_step)
        for step in found:
            step += chain.from_iterable(islice(batches, 4 // (batch_size * devices)))
    return [sorted(step) for step in found]


def test_each_pass_takes_each_sample_once_and_passes_differ() -> None:
    numbers = list(islice(chain.from_iterable(Order(7, 3, 1, 4).batches()), 21))
    passes = [numbers[begin : begin + 7] for begin in (0, 7, 14)]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert passes[0] != passes[1] != passes[2]


@pytest.mark.parametrize(("devices", "batch_size"), [(1, 4), (1, 2), (2, 1), (2, 2), (4, 1)])
def test_a_step_takes_the_same_samples_on_any_number_of_devices(devices: int, batch_size: int) -> None:
    assert steps(devices, batch_size=batch_size) == steps(1, batch_size=1)


def test_the_order_goes_on_from_any_step() -> None:
    assert steps(2, batch_size=1, from_step=5, count=7) == steps(1, batch_size=2)[5:]


def test_another_seed_gives_another_order() -> None:
    assert next(Order(50, 1, 50, 50).batches()) != next(Order(50, 2, 50, 50).batches())


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_validation_meets_each_sample_once(devices: int) -> None:
    batches = [in_turn(7, batch_size=2, device=device, devices=devices) for device in range(devices)]
    assert sorted(chain.from_iterable(chain.from_iterable(batches))) == list(range(7))
