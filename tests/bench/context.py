"""How long it takes to gather what a session starts with, in a large repository and in an almost empty folder.

Each first time is measured in a process of its own, from the request to the text; importing is not part of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Final

from backchannel.context import Gatherer
from backchannel.threads import AgentSaid, SqliteThreads, Thread, UserAsked

N_FILES: Final = 100_000
N_THREADS: Final = 10_000
N_ROLLOUTS: Final = 10_000
N_CLAUDE_SESSIONS: Final = 500
WARM_RUNS: Final = 20
FIRST_RUNS: Final = 5
THREAD: Final = "thread-9999"


def main() -> dict[str, float]:
    """Measure and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        large = _repository(place / "large", n_files=N_FILES)
        small = _repository(place / "small", n_files=10)
        home, lonely = place / "home", place / "lonely"
        _sessions(home, large)
        lonely.mkdir()
        figures: dict[str, float] = {}
        for name, cwd, at_home, n_threads in (
            ("100,000 files, 10,000 threads", large, home, N_THREADS),
            ("10 files, 10 threads", small, lonely, 10),
        ):
            threads = _store(place / f"{n_threads}.sqlite3", cwd, n_threads)
            runs = [_in_its_own_process(cwd, at_home, threads) for _ in range(FIRST_RUNS)]
            figures[f"{name}: first time, ms, median of {FIRST_RUNS}"] = statistics.median(run[0] for run in runs)
            warm = [took for run in runs for took in run[1:]]
            figures[f"{name}: warm, ms, median"] = statistics.median(warm)
            figures[f"{name}: warm, ms, worst of {len(warm)}"] = max(warm)
        asyncio.run(_begin(large, home, place / f"{N_THREADS}.sqlite3", figures))
        return figures


async def _begin(cwd: pathlib.Path, home: pathlib.Path, threads: pathlib.Path, figures: dict[str, float]) -> None:
    """How long the event loop is held up by it."""
    gatherer = Gatherer(env=_env(home), home=home, store=SqliteThreads(threads))
    held = []
    for _ in range(WARM_RUNS):
        began = time.perf_counter()
        gathering = gatherer.begin(str(cwd), thread_id=THREAD)
        held.append((time.perf_counter() - began) * 1000)
        await gathering.collect()
    figures["begin alone, ms on the event loop, median"] = statistics.median(held)


def _in_its_own_process(cwd: pathlib.Path, home: pathlib.Path, threads: pathlib.Path) -> list[float]:
    here = [sys.executable, "-m", "tests.bench.context", str(cwd), str(home), str(threads)]
    done = subprocess.run(here, capture_output=True, check=True, text=True)
    times: list[float] = json.loads(done.stdout)
    return times


async def _gather(cwd: pathlib.Path, home: pathlib.Path, threads: pathlib.Path) -> list[float]:
    store = SqliteThreads(threads)
    times = []
    gatherer = Gatherer(env=_env(home), home=home, store=store)
    for _ in range(1 + WARM_RUNS):
        began = time.perf_counter()
        context = await gatherer.begin(str(cwd), thread_id=THREAD).collect()
        assert context.text
        times.append((time.perf_counter() - began) * 1000)
        # A session does not follow at once: what was late may finish.
        await asyncio.sleep(0.25)
    return times


def _env(home: pathlib.Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


def _store(path: pathlib.Path, cwd: pathlib.Path, n_threads: int) -> pathlib.Path:
    store = SqliteThreads(path)
    with store.batch():
        for number in range(N_THREADS - n_threads, N_THREADS):
            thread_id, at_ms = f"thread-{number}", 1_000 * number
            # Some in folders of the repository, some elsewhere.
            folder = cwd / f"part_{number % 40:02}" if number % 3 else pathlib.Path(f"/elsewhere/{number % 50}")
            store.create(Thread(thread_id=thread_id, cwd=str(folder), created_at_ms=at_ms, updated_at_ms=at_ms))
            ask = UserAsked(at_ms=at_ms, text=f"Please mend the part that has the number {number}.")
            store.append(thread_id, [ask, AgentSaid(at_ms=at_ms, text="It is mended.")])
    store.close()
    return path


def _repository(folder: pathlib.Path, *, n_files: int) -> pathlib.Path:
    n_parts = max(1, n_files // 2500)
    for part in range(n_parts):
        inner = folder / f"part_{part:02}" / "src"
        for group in range(25):
            (inner / f"group_{group:02}").mkdir(parents=True, exist_ok=True)
    for number in range(n_files):
        part, rest = divmod(number, 2500)
        (folder / f"part_{part:02}" / "src" / f"group_{rest // 100:02}" / f"file_{rest % 100:02}.py").touch()
    (folder / "AGENTS.md").write_text("# Rules\nBe kind.\n", encoding="utf-8")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(folder)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    (folder / "AGENTS.md").write_text("# Rules\nBe brief.\n", encoding="utf-8")
    return folder


def _sessions(home: pathlib.Path, cwd: pathlib.Path) -> None:
    for number in range(N_ROLLOUTS):
        day = home / ".codex" / "sessions" / "2026" / f"{1 + number // 1000:02}" / f"{1 + number // 40 % 25:02}"
        day.mkdir(parents=True, exist_ok=True)
        meta: dict[str, object] = {"id": f"s{number}", "cwd": str(cwd)}
        if number >= N_ROLLOUTS - 100:
            # Only those may be opened.
            meta["base_instructions"] = {"text": "Be kind. " * 3000}
        asked = {"type": "user_message", "message": f"Codex, mend number {number}."}
        lines = [{"type": "session_meta", "payload": meta}, {"type": "event_msg", "payload": asked}]
        (day / f"rollout-{number:05}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    for number in range(N_CLAUDE_SESSIONS):
        project = home / ".claude" / "projects" / f"project-{number % 25:02}"
        project.mkdir(parents=True, exist_ok=True)
        entry = {"type": "user", "cwd": str(cwd), "sessionId": f"c{number}", "message": {"content": f"Mend {number}."}}
        (project / f"{number:03}.jsonl").write_text(json.dumps(entry), encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_gather(*map(pathlib.Path, sys.argv[1:])))))
