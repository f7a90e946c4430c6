"""Whatever clients ask and agents report, in whatever order: what begins ends, and every request is answered."""

from __future__ import annotations

import asyncio
import collections
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backchannel import core
from backchannel.threads import SqliteThreads
from tests.runtime.stage import ended, message, until
from tests.server.stage import house

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.stage import Client, House

TEXT = [{"type": "text", "text": "fix it"}]
ANSWERS = (
    {"result": {"decision": "accept"}},
    {"result": {"decision": "decline"}},
    {"result": {"decision": "cancel"}},
    {"result": None},
    {"error": {"code": -32601, "message": "Method not found"}},
)
REPORTS: tuple[Callable[[], core.AgentReport | Exception], ...] = (
    lambda: core.AgentMessageDelta(turn_id="t", delta="Loo"),
    lambda: core.AgentMessageDropped(turn_id="t"),
    lambda: message("t", "Looking."),
    lambda: core.AgentCommandStarted(turn_id="t", command_id="c", command="ls"),
    lambda: core.AgentCommandEnded(turn_id="t", command_id="c", exit_status=0, elapsed_s=0.1),
    lambda: core.AgentApprovalRequested(turn_id="t", approval_id="a", action="push", detail="git push"),
    lambda: core.AgentApprovalRequested(turn_id="t", approval_id="b", action="list", detail="ls", command_id="c"),
    lambda: core.AgentApprovalWithdrawn(turn_id="t", approval_id="a"),
    lambda: ended("t"),
    lambda: RuntimeError("a bug"),
)
OF_A_THREAD = (
    "thread/resume",
    "thread/fork",
    "thread/archive",
    "thread/unarchive",
    "thread/read",
    "turn/start",
    "turn/start",
    "turn/steer",
    "turn/interrupt",
)
# Which client, which thread, and what: a request, or the number of an answer or of a report, or to let the others work.
STEPS = st.tuples(
    st.integers(0, 1),
    st.integers(0, 1),
    st.sampled_from(OF_A_THREAD)
    | st.just("thread/start")
    | st.sampled_from(ANSWERS)
    | st.sampled_from(REPORTS)
    | st.just(0.0)
    | st.just(0.002),
)


def ask(house: House, client: Client, place: int, method: str) -> object:
    threads = list(house.agents)
    thread_id = threads[place % len(threads)]
    live = house.app.threads.get(thread_id)
    turn_id = "none" if live is None or live.turn is None else live.turn.turn_id
    params: dict[str, object] = {} if method == "thread/start" else {"threadId": thread_id}
    if method in ("turn/start", "turn/steer"):
        params["input"] = TEXT
    return client.send(method, {**params, "turnId": turn_id, "expectedTurnId": turn_id})


def report(house: House, place: int, what: core.AgentReport | Exception) -> None:
    agents = house.running_agents
    if agents:
        agents[place % len(agents)].desk.put_nowait(what)


def answer(client: Client, what: dict[str, Any]) -> None:
    asked = [each for each in client.told if each["method"].endswith("/requestApproval")]
    if asked:
        client.dialogue.receive(json.dumps({"id": asked[-1]["id"], **what}))


async def play(folder: Path, steps: list[Any]) -> None:
    store = SqliteThreads(folder / "threads.sqlite3")
    async with house(folder, store=store) as staged:
        clients = [await staged.client(), await staged.client()]
        requests: list[tuple[Client, object]] = []
        for client in clients:
            await client.ask("thread/start", {})
            requests.append((client, ask(staged, client, 0, "turn/start")))
        for number, place, what in steps:
            client = clients[number]
            match what:
                case str():
                    requests.append((client, ask(staged, client, place, what)))
                case float():
                    await asyncio.sleep(what)
                case dict():
                    answer(client, what)
                case _:
                    report(staged, place, what())

        def is_over() -> bool:
            for agent in staged.running_agents:
                if agent.desk.empty():
                    agent.desk.put_nowait(ended("t"))
            is_quiet = all(live.turn is None for live in staged.app.threads.values())
            return is_quiet and all(id_ in client.answers for client, id_ in requests)

        await until(is_over, "the end of all turns, and all answers")
        for client in clients:
            check(client)
    store.close()


def check(client: Client) -> None:
    """What was begun has ended, once."""
    asked = [each["id"] for each in client.told if each["method"].endswith("/requestApproval")]
    assert sorted(each["requestId"] for each in client.all("serverRequest/resolved")) == asked
    for kind in ("turn", "item"):
        begun, over = (
            collections.Counter(each[kind]["id"] for each in client.all(f"{kind}/{which}"))
            for which in ("started", "completed")
        )
        assert set(begun) <= set(over)
        assert max([*begun.values(), *over.values()], default=1) == 1


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(STEPS, min_size=30, max_size=60))
def test_what_begins_ends_and_every_request_is_answered(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps))
