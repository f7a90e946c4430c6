"""A conversation on a stage: a scripted server on one side, an agent that does what a test says on the other."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, TypeVar

from backchannel import core
from backchannel.agents import Agent, TurnRequest
from backchannel.net import SystemClock
from backchannel.runtime import Conversation, Settings, Target
from backchannel.testing import ConnectionGone, Expect, ScriptError
from backchannel.wire.realtime import TOOLS, V2, SessionSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from backchannel.core import AgentReport
    from backchannel.core.screen import ScreenEvent
    from backchannel.runtime import Player, Recorder
    from backchannel.testing import ScriptedConnection

__all__ = [
    "DEADLINE_S",
    "DeskAgent",
    "Stage",
    "call",
    "ended",
    "message",
    "on_stage",
    "polite",
    "settings_for",
    "until",
]

DEADLINE_S = 5.0
_E = TypeVar("_E")


class DeskAgent(Agent):
    """A real agent whose work is handed to it: a turn yields what a test puts on its desk."""

    def __init__(self) -> None:
        self.desk: asyncio.Queue[AgentReport | Exception | None] = asyncio.Queue()
        """What the turn reports next; None ends it without a word, an exception breaks it down."""
        self.prepared = 0
        self.fails_to_prepare: Exception | None = None
        self.requests: list[TurnRequest] = []
        self.steered: list[str] = []
        self.steered_metadata: list[Mapping[str, str] | None] = []
        self.closed = 0
        self.interrupts = 0
        self.answers: list[tuple[str, bool]] = []
        self.permitted_for_good: list[str] = []
        self.steered_briefings: list[tuple[core.Note, ...]] = []
        self.running = False
        self.finished = 0
        self.refuses_with: Exception | None = None
        self.clears_up: asyncio.Event | None = None
        """Holds up the end of each turn, after its last report."""
        self.accepts_steer: asyncio.Event | None = None

    @property
    def name(self) -> str:
        return "desk"

    async def prepare(self) -> None:
        self.prepared += 1
        if self.fails_to_prepare is not None:
            raise self.fails_to_prepare

    async def run(self, request: TurnRequest) -> AsyncGenerator[AgentReport]:
        assert not self.running, "one turn at a time"
        self.running = True
        self.requests.append(request)
        try:
            while (report := await self.desk.get()) is not None:
                if isinstance(report, Exception):
                    raise report
                yield report
                if isinstance(report, core.AgentTurnEnded):
                    break
        finally:
            if self.clears_up is not None:
                await self.clears_up.wait()
            self.running = False
            self.finished += 1

    async def steer(
        self, text: str, *, metadata: Mapping[str, str] | None = None, briefing: tuple[core.Note, ...] = ()
    ) -> None:
        if self.accepts_steer is not None:
            await self.accepts_steer.wait()
        if self.refuses_with is not None:
            raise self.refuses_with
        self.steered.append(text)
        self.steered_metadata.append(metadata)
        self.steered_briefings.append(briefing)

    async def interrupt(self) -> None:
        self.interrupts += 1
        if self.refuses_with is not None:
            raise self.refuses_with

    async def answer_approval(self, approval_id: str, *, approved: bool, for_session: bool = False) -> None:
        if self.refuses_with is not None:
            raise self.refuses_with
        self.answers.append((approval_id, approved))
        if for_session:
            self.permitted_for_good.append(approval_id)

    async def close(self) -> None:
        assert not self.running, "a conversation ends its turns"
        self.closed += 1


@dataclasses.dataclass
class Stage:
    """A running conversation and everything it has shown."""

    conversation: Conversation
    agent: DeskAgent
    settings: Settings
    shown: list[ScreenEvent] = dataclasses.field(default_factory=list)

    async def sees(self, kind: type[_E], *, times: int = 1) -> _E:
        """Wait for the n-th event of a kind."""
        await until(lambda: len(self.all(kind)) >= times, f"{times} {kind.__name__} in {self.shown}")
        return self.all(kind)[times - 1]

    def all(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.shown if isinstance(event, kind)]

    async def watch(self) -> None:
        async for event in self.conversation.events():
            self.shown.append(event)


def settings_for(url: str, *, api_key: str | None = None, reconnects: bool = False) -> Settings:
    """Of a conversation that ends with its connection, where it does not say otherwise."""
    return Settings(
        target=Target(base_url=url, api_key=api_key),
        dialect=V2(),
        session=SessionSettings(instructions="Be brief.", voice="marin", tools=tuple(TOOLS.values())),
        options=core.Options(quiet_ms=20, reconnect=reconnects),
    )


@contextlib.asynccontextmanager
async def on_stage(
    url: str | Settings,
    *,
    player: Player | None = None,
    recorder: Recorder | None = None,
    api_key: str | None = None,
    agent: DeskAgent | None = None,
) -> AsyncIterator[Stage]:
    """A started conversation, watched; at the end it is stopped and everything has ended."""
    agent = agent or DeskAgent()
    settings = settings_for(url, api_key=api_key) if isinstance(url, str) else url
    conversation = Conversation(settings, agent=agent, clock=SystemClock(), player=player, recorder=recorder)
    stage = Stage(conversation, agent, settings)
    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(stage.watch(), name="watcher")
        try:
            await conversation.start()
            yield stage
        finally:
            await conversation.stop()
            async with asyncio.timeout(DEADLINE_S):
                await conversation.ended()
                await watcher
    await agent.close()


async def until(condition: Callable[[], bool], what: str, *, timeout_s: float = DEADLINE_S) -> None:
    """Wait for a condition that other tasks bring about."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - conditions of many kinds, not one event
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"did not come: {what}") from None


def message(turn_id: str, text: str, *, final: bool = False) -> core.AgentMessage:
    phase = core.Phase.FINAL if final else core.Phase.COMMENTARY
    return core.AgentMessage(turn_id=turn_id, text=text, phase=phase)


def ended(turn_id: str, outcome: core.Outcome = core.Outcome.COMPLETED) -> core.AgentTurnEnded:
    return core.AgentTurnEnded(turn_id=turn_id, outcome=outcome)


async def call(connection: ScriptedConnection, name: str, call_id: str, arguments: str = "{}") -> None:
    """The server's voice calls a tool."""
    item = {"type": "function_call", "id": f"item_{call_id}", "call_id": call_id, "name": name, "arguments": arguments}
    await connection.send({"type": "conversation.item.done", "item": item})


async def polite(connection: ScriptedConnection) -> None:
    """Answer everything that is asked for with a word."""
    n = 0
    try:
        while True:
            await connection.expect(Expect("response.create", timeout_s=30))
            n += 1
            await connection.send({"type": "response.created", "response": {"id": f"resp_{n}"}})
            await connection.send({"type": "response.output_text.done", "text": f"Answer {n}."})
            await connection.send({"type": "response.done", "response": {"id": f"resp_{n}"}})
    except (ScriptError, ConnectionGone):
        # The client said goodbye.
        return
