"""Order: which sample a device takes when, told by numbers alone, so that a run goes on anywhere without reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Order:
    """The endless order of samples: pass after pass, each shuffled by the seed and its number.

    It is one order for all devices, of which each batch takes the next samples: a step has the same samples on one
    device as on several, and after a stop.
    """

    samples: int
    seed: int
    batch_size: int
    #: Samples of one optimizer step, over all devices: a multiple of batch size x devices.
    effective_batch: int
    device: int = 0
    devices: int = 1

    def batches(self, *, from_step: int = 0) -> Iterator[list[int]]:
        """The numbers of the samples in each batch of this device."""
        at = from_step * self.effective_batch + self.device * self.batch_size
        at_pass, numbers = -1, np.empty(0, np.int64)
        while True:
            batch = []
            for place in range(at, at + self.batch_size):
                if place // self.samples != at_pass:
                    at_pass = place // self.samples
                    numbers = self._shuffled(at_pass)
                batch.append(int(numbers[place % self.samples]))
            yield batch
            at += self.batch_size * self.devices

    def _shuffled(self, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, number]).permutation(self.samples)


def in_turn(samples: int, *, batch_size: int, device: int, devices: int) -> Iterator[list[int]]:
    """The batches of one device in one pass in which each sample is met once, by whichever device."""
    own = list(range(device, samples, devices))
    for begin in range(0, len(own), batch_size):
        yield own[begin : begin + batch_size]
