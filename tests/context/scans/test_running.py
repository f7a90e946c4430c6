from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from backchannel.context.scans import Found, GaveUp, Scan, Scans, Stop, Workers, ready
from backchannel.context.scans.running import KEEP_S, LIMIT_S, MAX_KEPT
from backchannel.net import SystemClock
from backchannel.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 5.0


def scans_of(clock: ManualClock) -> Scans[str]:
    return Scans("something", Workers(), clock)


async def found_by(scan: Scan[str]) -> Found[str]:
    await ready([scan], within_s=DEADLINE_S)
    assert scan.found is not None
    return scan.found


async def test_what_is_found_is_told_and_kept_for_a_while() -> None:
    clock = ManualClock(start_s=50.0)
    scans = scans_of(clock)

    def work(_: Stop) -> str:
        clock.advance(2.0)
        return "found"

    assert await found_by(scans.start("here", work)) == Found(value="found", took_s=2.0, at=52.0)
    clock.advance(KEEP_S)
    assert scans.earlier("here") == Found(value="found", took_s=2.0, at=52.0)
    assert scans.earlier("there") is None
    clock.advance(0.1)
    assert scans.earlier("here") is None


async def test_who_joins_one_that_had_no_thread_gets_it_done(monkeypatch: pytest.MonkeyPatch) -> None:
    scans = scans_of(ManualClock())

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        first = scans.start("here", lambda _: "found")
    second = scans.start("here", lambda _: "found")
    assert first is second
    assert (await found_by(second)).value == "found"


async def test_who_asks_for_the_same_joins_the_one_that_runs() -> None:
    scans = scans_of(ManualClock())
    may_go_on, n_looks = threading.Event(), []

    def work(_: Stop) -> str:
        n_looks.append(1)
        may_go_on.wait(DEADLINE_S)
        return "found"

    first, second, other = scans.start("here", work), scans.start("here", work), scans.start("there", work)
    assert first is second
    assert other is not first
    may_go_on.set()
    assert (await found_by(second)).value == "found"
    await found_by(other)
    assert len(n_looks) == 2
    third = scans.start("here", work)
    assert third is not first
    await found_by(third)


async def test_who_waits_waits_no_longer_than_they_like() -> None:
    scans = scans_of(ManualClock())
    may_go_on = threading.Event()

    def stuck(_: Stop) -> str:
        may_go_on.wait(DEADLINE_S)
        return "late"

    scan, quick = scans.start("stuck", stuck), scans.start("quick", lambda _: "quick")
    assert (await found_by(quick)).value == "quick"
    await ready([scan, quick], within_s=0.01)
    assert scan.found is None
    await ready([scan], within_s=-1.0)
    await ready([], within_s=DEADLINE_S)
    may_go_on.set()
    assert (await found_by(scan)).value == "late"
    kept = scans.earlier("stuck")
    assert kept is not None
    assert kept.value == "late"


async def test_many_that_are_stuck_do_not_hold_up_another() -> None:
    scans = scans_of(ManualClock())
    may_go_on = threading.Event()

    def stuck(_: Stop) -> str:
        may_go_on.wait(DEADLINE_S)
        return "late"

    held = [scans.start(str(number), stuck) for number in range(20)]
    assert (await found_by(scans.start("quick", lambda _: "quick"))).value == "quick"
    assert all(scan.found is None for scan in held)
    may_go_on.set()
    for scan in held:
        assert (await found_by(scan)).value == "late"


def _raises(exc: Exception) -> Callable[[Stop], str]:
    def work(_: Stop) -> str:
        raise exc

    return work


@pytest.mark.parametrize(
    ("exc", "failure"),
    [
        (GaveUp(), f"it took longer than {LIMIT_S:g} s"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError("odd"), "OSError"),
        (ValueError("a bug"), "it broke down: ValueError"),
    ],
)
async def test_what_goes_wrong_is_a_value(exc: Exception, failure: str) -> None:
    scans = scans_of(ManualClock())
    found = await found_by(scans.start("here", _raises(exc)))
    assert (found.value, found.failure) == (None, failure)
    assert scans.earlier("here") is None


async def test_a_failure_leaves_the_earlier_find() -> None:
    scans = scans_of(ManualClock())
    await found_by(scans.start("here", lambda _: "found"))
    await found_by(scans.start("here", _raises(ValueError())))
    kept = scans.earlier("here")
    assert kept is not None
    assert kept.value == "found"


async def test_a_scan_is_told_when_it_takes_too_long() -> None:
    clock = ManualClock()
    scans = scans_of(clock)
    left: list[float] = []

    def work(stop: Stop) -> str:
        stop.check()
        left.append(stop.left_s())
        clock.advance(LIMIT_S)
        stop.check()
        return "never"

    assert (await found_by(scans.start("here", work))).failure == f"it took longer than {LIMIT_S:g} s"
    assert left == [LIMIT_S]


async def test_only_so_much_is_kept() -> None:
    scans = scans_of(ManualClock())
    for number in range(MAX_KEPT + 3):
        await found_by(scans.start(str(number), lambda _: "found"))
    assert scans.earlier("2") is None
    assert scans.earlier("3") is not None


def test_a_loop_that_is_gone_is_not_told() -> None:
    scan: Scan[str] = Scan()

    async def wait() -> None:
        await ready([scan], within_s=0.0)

    asyncio.run(wait())
    scan.finish(Found(value="found", took_s=0.0, at=0.0))
    assert scan.found is not None


async def test_whoever_stopped_waiting_is_not_told_either() -> None:
    scan: Scan[str] = Scan()
    await ready([scan], within_s=0.0)
    future = scan.done()
    future.cancel()
    scan.finish(Found(value="found", took_s=0.0, at=0.0))
    await asyncio.sleep(0)
    assert future.cancelled()
    await scan.done()


STUCK = """
import asyncio, threading
from backchannel.context.scans import Scans, Workers, ready
from backchannel.net import SystemClock
async def main():
    scans = Scans("something", Workers(), SystemClock())
    scan = scans.start("here", lambda stop: threading.Event().wait())
    await ready([scan], within_s=0.01)
    print("waited")
asyncio.run(main())
"""


def test_a_scan_that_never_ends_does_not_keep_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=10, check=True)
    assert (done.stdout, done.stderr) == ("waited\n", "")


async def test_many_can_look_at_once_from_many_loops() -> None:
    scans: Scans[str] = Scans("something", Workers(), SystemClock())

    def from_another_loop(number: int) -> str:
        async def look() -> str:
            return (await found_by(scans.start(str(number % 7), lambda _: "found"))).value or ""

        return asyncio.run(look())

    assert (
        await asyncio.gather(*(asyncio.to_thread(from_another_loop, number) for number in range(40))) == ["found"] * 40
    )
