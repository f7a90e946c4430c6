"""A short run of `make fuzz`, and that it finds what it looks for."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import pytest

from scripts import fuzz
from scripts.fuzz_inputs import MAX_BYTES, mutated
from scripts.fuzz_targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.fuzz_targets import Target

N_INPUTS = 12_000


def breaking_on(target: Target, wanted: bytes) -> Target:
    """A target that cannot bear one thing."""

    def feed(data: bytes) -> bool:
        if wanted in data:
            raise ZeroDivisionError("planted")
        return True

    return dataclasses.replace(target, feed=feed)


def test_broken_inputs_give_values_or_the_typed_errors() -> None:
    figures = fuzz.run(list(TARGETS.values()), seed=0, n_inputs=N_INPUTS)
    assert sum(each.n_inputs for each in figures) >= N_INPUTS
    for each in figures:
        assert each.n_inputs > 200, each.target.name
        # Neither everything is refused, which would test only that, nor are the inputs simply good ones.
        assert each.n_refused < each.n_inputs * 0.95, each.target.name
        assert each.n_refused > each.n_inputs * 0.1 or each.target.name == "said", each.target.name


@pytest.mark.parametrize("name", TARGETS)
def test_the_good_inputs_are_understood(name: str) -> None:
    target = TARGETS[name]
    assert len(target.seeds) > 1
    understood = 0
    for seed in target.seeds:
        try:
            understood += target.feed(seed)
        except target.expected:
            continue
    assert understood >= len(target.seeds) / 2


def test_an_unexpected_exception_is_reported_with_the_input_that_makes_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = breaking_on(TARGETS["v2"], b"[[[")
    with pytest.raises(fuzz.Failure) as caught:
        fuzz.run([target], seed=3, n_inputs=10_000)
    failure = caught.value
    assert b"[[[" in failure.data
    assert "ZeroDivisionError: planted" in str(failure)
    assert failure.again.startswith("python -m scripts.fuzz --target v2 --seed 3 --number ")
    number = int(failure.again.rpartition(" ")[2])
    assert fuzz.input_of(target, seed=3, number=number) == failure.data

    monkeypatch.setitem(TARGETS, "v2", target)
    assert fuzz.main(failure.again.split()[3:]) == 1
    assert failure.again in capsys.readouterr().out
    # The inputs before it are fine, so it is that one.
    assert fuzz.main([*failure.again.split()[3:-1], str(number - 1)]) == 0
    assert "1 inputs by seed 3" in capsys.readouterr().out


def test_an_error_that_is_declared_is_no_failure() -> None:
    target = dataclasses.replace(breaking_on(TARGETS["v1"], b""), expected=(ZeroDivisionError,))
    (figures,) = fuzz.run([target], seed=0, n_inputs=50)
    assert (figures.n_inputs, figures.n_refused) == (50, 50)


def test_a_run_ends_when_its_time_is_over() -> None:
    figures = fuzz.run(list(TARGETS.values()), seed=0, n_inputs=None, seconds=0.0)
    assert sum(each.n_inputs for each in figures) > 0


@pytest.mark.parametrize(
    "sort",
    [
        pytest.param(lambda data: b"\xff" in data, id="bytes that are no UTF-8"),
        pytest.param(lambda data: b"\\ud800" in data or b"\xed\xa0\x80" in data, id="half a surrogate pair"),
        pytest.param(lambda data: b"9" * 310 in data, id="a number of hundreds of digits"),
        pytest.param(lambda data: b"[" * 900 in data, id="deep nesting"),
        pytest.param(lambda data: data.count(b'"type":') > 1, id="a key that comes twice"),
        pytest.param(lambda data: data.startswith(b"{") and not data.endswith(b"}"), id="an end that is missing"),
        pytest.param(lambda data: data.endswith(b"}}"), id="something behind the end"),
        pytest.param(lambda data: b"null" in data or b"[]" in data, id="a value of another type"),
    ],
)
def test_inputs_of_this_sort_are_made(sort: Callable[[bytes], bool]) -> None:
    target = TARGETS["v2"]
    assert sum(sort(fuzz.input_of(target, seed=0, number=number)) for number in range(2_000)) >= 5


def test_inputs_are_bounded_and_the_same_every_time() -> None:
    seeds = TARGETS["delegation"].seeds
    first, second = ([mutated(seeds, random.Random(n)) for n in range(100)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 80
    assert max(map(len, first)) <= MAX_BYTES
