"""Feeds broken inputs to everything that reads what others wrote, and stops at the first unexpected exception.

Targets are the decoders of the dialects, messages of the app server's clients, what is said in the dialects, the answer
to the creation of a call, addresses, proxies, bundles of certificates, recordings, delegations and lengths of audio
(`fuzz_targets.py`). Their inputs come of the example frames of the tests and of the recordings under `tests/golden`
(`fuzz_inputs.py`). An input is made of the
seed, the target and its number alone, so a failure is repeated by its number:

    python -m scripts.fuzz                                       100 000 inputs, of each target its share
    python -m scripts.fuzz --inputs 1000000 --seed 7             more, and others
    python -m scripts.fuzz --seconds 60 --target v2              one target for a minute
    python -m scripts.fuzz --target v2 --seed 7 --number 1234    one input again

To be started in the folder of the checkout, since the examples are those of the tests.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import time
import traceback
import zlib
from typing import TYPE_CHECKING, Final

from scripts.fuzz_inputs import mutated
from scripts.fuzz_targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.fuzz_targets import Target

__all__ = ["Failure", "Figures", "input_of", "main", "run"]

_DEFAULT_INPUTS: Final = 100_000
_SHOWN_BYTES: Final = 2_000
_NUMBERS: Final = 2**40
"""More inputs of one target and seed than anybody waits for."""


@dataclasses.dataclass(slots=True)
class Figures:
    """What one target was given."""

    target: Target
    n_inputs: int = 0
    n_refused: int = 0
    """Inputs that were answered by the typed error, or by a value that says that nothing was understood."""
    took_s: float = 0.0
    slowest_s: float = 0.0


class Failure(Exception):
    """An unexpected exception, and the input that it comes of."""

    def __init__(self, target: Target, *, seed: int, number: int, data: bytes, cause: Exception) -> None:
        super().__init__(target.name, seed, number)
        self.target = target
        self.data = data
        self.again = f"python -m scripts.fuzz --target {target.name} --seed {seed} --number {number}"
        self.cause = cause

    def __str__(self) -> str:
        shown = repr(self.data[:_SHOWN_BYTES]) + (" ..." if len(self.data) > _SHOWN_BYTES else "")
        trace = "".join(traceback.format_exception(self.cause, limit=-8))
        return (
            f"{self.target.name}: unexpected {type(self.cause).__name__} for an input of {len(self.data)} bytes\n\n"
            f"{trace}\ninput:  {shown}\nagain:  {self.again}"
        )


def input_of(target: Target, *, seed: int, number: int, rng: random.Random | None = None) -> bytes:
    """The input of a number: the same at every time and on every machine."""
    rng = rng or random.Random()
    rng.seed((zlib.crc32(target.name.encode()) << 80) + seed * _NUMBERS + number)
    return mutated(target.seeds, rng)


def run(
    targets: Sequence[Target], *, seed: int, n_inputs: int | None, seconds: float | None = None, first: int = 0
) -> list[Figures]:
    """Feed the targets, in turns of some hundred inputs.

    Args:
        targets: Which.
        seed: Chooses the inputs.
        n_inputs: For all targets together, by their shares; None for no bound.
        seconds: When to stop; None for no bound.
        first: The number of the first input of each.

    Raises:
        Failure: An exception came that the target does not declare, or what it made of the input is wrong.
    """
    figures = [Figures(target) for target in targets]
    shares = sum(target.share for target in targets)
    goals = [None if n_inputs is None else -(-n_inputs * target.share // shares) for target in targets]
    ends_at = None if seconds is None else time.perf_counter() + seconds
    while True:
        fed = 0
        for each, goal in zip(figures, goals, strict=True):
            n = 200 * each.target.share
            n = n if goal is None else min(n, goal - each.n_inputs)
            fed += _feed(each, seed=seed, numbers=iter(range(first + each.n_inputs, first + each.n_inputs + n)))
            if ends_at is not None and time.perf_counter() > ends_at:
                return figures
        if fed == 0:
            return figures


def _feed(figures: Figures, *, seed: int, numbers: Iterator[int]) -> int:
    target = figures.target
    rng = random.Random()
    n = 0
    for number in numbers:
        data = input_of(target, seed=seed, number=number, rng=rng)
        began = time.perf_counter()
        try:
            understood = target.feed(data)
        except target.expected:
            understood = False
        except Exception as exc:
            # What this is for: anything that a reader of foreign input raises and does not declare.
            raise Failure(target, seed=seed, number=number, data=data, cause=exc) from exc
        took_s = time.perf_counter() - began
        figures.n_inputs += 1
        figures.n_refused += not understood
        figures.took_s += took_s
        figures.slowest_s = max(figures.slowest_s, took_s)
        n += 1
    return n


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the figures or the failure, and tell by the exit status which of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, help=f"how many in all (default: {_DEFAULT_INPUTS}, or no bound)")
    parser.add_argument("--seconds", type=float, help="for how long at most")
    parser.add_argument("--seed", type=int, default=0, help="chooses the inputs (default: 0)")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--number", type=int, help="one input only: that of this number")
    given = parser.parse_args(arguments)
    targets = [TARGETS[name] for name in given.target or TARGETS]
    n_inputs = given.inputs
    if given.number is not None:
        # One of each.
        targets = [dataclasses.replace(target, share=1) for target in targets]
        n_inputs = len(targets)
    elif n_inputs is None and given.seconds is None:
        n_inputs = _DEFAULT_INPUTS
    began = time.perf_counter()
    try:
        figures = run(targets, seed=given.seed, n_inputs=n_inputs, seconds=given.seconds, first=given.number or 0)
    except Failure as failure:
        print(failure)
        return 1
    _print(figures, seed=given.seed, took_s=time.perf_counter() - began)
    return 0


def _print(figures: list[Figures], *, seed: int, took_s: float) -> None:
    print(f"{'target':<12}{'inputs':>12}{'refused':>12}{'us each':>10}{'slowest, ms':>13}")
    for each in figures:
        mean_us = each.took_s / max(each.n_inputs, 1) * 1e6
        print(f"{each.target.name:<12}{each.n_inputs:>12,}{each.n_refused:>12,}{mean_us:>10.1f}", end="")
        print(f"{each.slowest_s * 1e3:>13.1f}")
    total = sum(each.n_inputs for each in figures)
    print(f"{total:,} inputs by seed {seed} in {took_s:.0f} s, no unexpected exception")


if __name__ == "__main__":
    sys.exit(main())
