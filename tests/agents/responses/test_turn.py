"""What happens between the moments that a test of the whole agent can choose."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest

from backchannel.agents.responses.events import Completed, ItemDone, StreamEvent
from backchannel.agents.responses.failures import Retries
from backchannel.agents.responses.history import History
from backchannel.agents.responses.items import Call, Item, Output, Said
from backchannel.agents.responses.loop import NOT_BEGUN, Begun, Loop, Steered
from backchannel.agents.responses.permission import Rules
from backchannel.agents.responses.sandbox import Confinement
from backchannel.agents.responses.turn import Turn
from backchannel.config import Provider
from backchannel.core import AgentApprovalRequested, AgentCommandStarted, AgentReport, AgentTurnEnded, Outcome
from tests.agents.projects import environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

FREE = Confinement(Rules(policy="never", mode="danger-full-access", sandboxed=False), None)
ASKING = Confinement(Rules(policy="on-request", mode="read-only", sandboxed=False), None)


class Model:
    """A model that wants one tool and is then content; what it was told."""

    def __init__(self, name: str, arguments: object) -> None:
        self.call = Call("c1", name, json.dumps(arguments), "{}")
        self.told: list[tuple[Item, ...]] = []

    async def ask(self, items: tuple[Item, ...]) -> AsyncGenerator[StreamEvent]:
        self.told.append(items)
        if len(self.told) == 1:
            yield ItemDone(self.call)
        yield Completed()


class Gate:
    """Finds out what confines the commands when it is told to."""

    def __init__(self, confinement: Confinement) -> None:
        self.confinement = confinement
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self) -> Confinement:
        self.asked.set()
        await self.opened.wait()
        return self.confinement


def turn_of(model: Model, root: Path, gate: Gate) -> Turn:
    provider = Provider(id="p")
    return Turn(
        "turn-1",
        loop=Loop("turn-1", history=History(), retries=Retries(provider, random=lambda: 0.0)),
        ask=model.ask,
        go_over_http=lambda: None,
        notify=lambda _: None,
        new_approval_id=lambda: "approval-1",
        confine=gate,
        granted=set(),
        root=root,
        env=environment(root),
    )


async def rest(turn: Turn) -> list[AgentReport]:
    reports: list[AgentReport] = []
    while more := await turn.next_reports():
        reports += more
    return reports


@pytest.mark.parametrize("confinement", [FREE, ASKING], ids=["free", "asking"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("exec_command", {"cmd": "touch made"}), ("apply_patch", {"input": "*** Begin Patch\n*** End Patch"})],
)
async def test_what_has_not_begun_when_the_user_says_something_else_does_not_begin(
    tmp_path: Path, name: str, arguments: object, confinement: Confinement
) -> None:
    model, gate = Model(name, arguments), Gate(confinement)
    turn = turn_of(model, tmp_path, gate)

    turn.handle(Begun("do it"))
    await gate.asked.wait()
    turn.handle(Steered("leave that"))
    gate.opened.set()
    reports = await rest(turn)

    assert reports == [AgentTurnEnded(turn_id="turn-1", outcome=Outcome.COMPLETED)]
    assert model.told[1][-2:] == (Output("c1", NOT_BEGUN), Said("user", "leave that"))
    assert os.listdir(tmp_path) == []


async def test_a_turn_that_is_shut_begins_nothing_more(tmp_path: Path) -> None:
    model, gate = Model("exec_command", {"cmd": "touch made"}), Gate(FREE)
    turn = turn_of(model, tmp_path, gate)

    turn.handle(Begun("do it"))
    await gate.asked.wait()
    await turn.shut()
    gate.opened.set()

    assert await rest(turn) == [AgentTurnEnded(turn_id="turn-1", outcome=Outcome.INTERRUPTED)]
    assert not [report for report in turn.outbox if isinstance(report, AgentCommandStarted | AgentApprovalRequested)]
    assert os.listdir(tmp_path) == []


async def test_a_way_that_breaks_down_fails_the_turn_with_a_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Model):
        async def ask(self, items: tuple[Item, ...]) -> AsyncGenerator[StreamEvent]:
            async for event in super().ask(items):
                yield event
                raise RuntimeError("planted")

    turn = turn_of(Broken("x", {}), tmp_path, Gate(FREE))
    turn.handle(Begun("do it"))

    (end,) = await rest(turn)

    assert isinstance(end, AgentTurnEnded)
    assert (end.outcome, end.error) == (Outcome.FAILED, "the request to the model broke down: RuntimeError")
    assert "a request to the model failed" in caplog.text


async def test_a_tool_that_breaks_down_is_told_to_the_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Gate):
        async def __call__(self) -> Confinement:
            raise RuntimeError("planted")

    model = Model("exec_command", {"cmd": "ls"})
    turn = turn_of(model, tmp_path, Broken(FREE))
    turn.handle(Begun("do it"))

    assert await rest(turn) == [AgentTurnEnded(turn_id="turn-1", outcome=Outcome.COMPLETED)]
    assert model.told[1][-1] == Output("c1", "The tool broke down: RuntimeError.")
    assert "the tool exec_command failed" in caplog.text
