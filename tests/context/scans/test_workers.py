from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from backchannel.context.scans import Workers
from backchannel.context.scans.workers import MAX_THREADS

if TYPE_CHECKING:
    import pytest

DEADLINE_S = 5.0


def test_jobs_are_done_in_order_by_few_threads() -> None:
    workers, done, names = Workers(), threading.Event(), set()
    order: list[int] = []

    def job(number: int) -> None:
        order.append(number)
        names.add(threading.current_thread().name)
        assert threading.current_thread().daemon
        if number == 99:
            done.set()

    for number in range(100):
        workers.submit(lambda number=number: job(number))  # type: ignore[misc]  # a lambda keeps its number
    assert done.wait(DEADLINE_S)
    assert names == {"scan"}
    assert len(order) >= 99


def test_a_job_that_waits_for_a_later_one_gets_it_done() -> None:
    workers, told = Workers(), threading.Event()
    results: list[bool] = []
    all_done = threading.Barrier(5, timeout=DEADLINE_S)

    def waits() -> None:
        results.append(told.wait(DEADLINE_S))
        all_done.wait()

    for _ in range(4):
        workers.submit(waits)
    workers.submit(told.set)
    all_done.wait()
    assert results == [True] * 4


def test_where_the_system_has_no_thread_jobs_wait_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    workers, done, refused = Workers(), threading.Event(), threading.Semaphore(0)
    start = threading.Thread.start
    # The watcher once, so that the first job waits for the second; then those that do the jobs.
    to_refuse = ["scans", "scan", "scan", "scan"]

    def start_later(thread: threading.Thread) -> None:
        if to_refuse and thread.name == to_refuse[0]:
            del to_refuse[0]
            refused.release()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_later)
    for job in (lambda: None, done.set):
        workers.submit(job)
    for _ in range(4):
        assert refused.acquire(timeout=DEADLINE_S)
    assert done.wait(DEADLINE_S)


def test_more_stuck_jobs_than_threads_only_wait() -> None:
    workers, told = Workers(), threading.Event()
    n_done = threading.Semaphore(0)

    def waits() -> None:
        told.wait(DEADLINE_S)
        n_done.release()

    for _ in range(MAX_THREADS + 10):
        workers.submit(waits)
    told.set()
    for _ in range(MAX_THREADS + 10):
        assert n_done.acquire(timeout=DEADLINE_S)
