"""The app server on a stage: a scripted realtime server behind it, an agent that does what a test says, and clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

import msgspec

from backchannel.agents import make_agent
from backchannel.config import Config, Context, Model, Provider, Realtime
from backchannel.server.account import Credentials
from backchannel.server.app import App, AppOptions
from backchannel.server.dispatch import Dialogue, Dispatcher
from backchannel.server.outbox import Outbox
from backchannel.threads import MemoryThreads
from tests.runtime.stage import DeskAgent, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from backchannel.agents import Agent
    from backchannel.server.settings import Assignment
    from backchannel.threads import ThreadStore

__all__ = ["Client", "House", "house"]

Message = dict[str, Any]  # Any: JSON


class Client:
    """One client in the same process."""

    def __init__(self, app: App, dispatcher: Dispatcher, *, max_bytes: int = 2**20) -> None:
        self.outbox = Outbox(max_bytes=max_bytes)
        self.is_given_up = False
        self.peer = app.connect(self.outbox, give_up=self._give_up)
        self.dialogue = Dialogue(dispatcher, self.peer)
        self.told: list[Message] = []
        """Notifications, and requests of the server."""
        self.answers: dict[object, Message] = {}
        self._n = 0

    def _give_up(self) -> None:
        self.is_given_up = True

    async def read(self) -> None:
        while messages := await self.outbox.take():
            for data in messages:
                message: Message = json.loads(data)
                if "method" in message:
                    self.told.append(message)
                else:
                    self.answers[message["id"]] = message

    def send(self, method: str, params: object = None, *, id_: object = None, **more: object) -> object:
        """Ask for something; the id of the request."""
        if id_ is None:
            self._n += 1
            id_ = self._n
        message = {"id": id_, "method": method, **({} if params is None else {"params": params}), **more}
        self.dialogue.receive(json.dumps(message))
        return id_

    async def ask(self, method: str, params: object = None) -> Any:  # Any: JSON
        """Ask, and wait for the result."""
        answer = await self.answer_to(self.send(method, params))
        assert "result" in answer, answer
        return answer["result"]

    async def refused(self, method: str, params: object = None) -> str:
        """Ask for what is refused; why it is."""
        answer = await self.answer_to(self.send(method, params))
        assert "error" in answer, answer
        assert answer["error"]["code"] == -32600
        message: str = answer["error"]["message"]
        return message

    async def answer_to(self, id_: object) -> Message:
        await until(lambda: id_ in self.answers, f"an answer to {id_}")
        return self.answers.pop(id_)

    async def sees(self, method: str, *, times: int = 1) -> Any:  # Any: JSON
        """Wait for the n-th message of this method; its parameters."""
        await until(lambda: len(self.all(method)) >= times, f"{times} {method} in {self.methods}")
        return self.all(method)[times - 1]

    def all(self, method: str) -> list[Any]:  # Any: JSON
        return [message["params"] for message in self.told if message["method"] == method]

    @property
    def methods(self) -> list[str]:
        return [message["method"] for message in self.told]

    def answer(self, method: str, result: object, *, number: int = 0) -> None:
        """Answer a request of the server."""
        self._answer(method, {"result": result}, number)

    def cannot_answer(self, method: str, *, number: int = 0) -> None:
        """Answer a request of the server as a client does that does not know it."""
        self._answer(method, {"error": {"code": -32601, "message": "Method not found"}}, number)

    def _answer(self, method: str, answer: Message, number: int) -> None:
        asked = [message for message in self.told if message["method"] == method][number]
        self.dialogue.receive(json.dumps({"id": asked["id"], **answer}))

    async def introduce(self, **capabilities: object) -> Any:  # Any: JSON
        return await self.ask(
            "initialize",
            {
                "clientInfo": {"name": "stage", "version": "1"},
                "capabilities": {"experimentalApi": True, **capabilities},
            },
        )


class House:
    """A running app server."""

    def __init__(
        self,
        app: App,
        agents: dict[str, DeskAgent],
        assignments: dict[str, Assignment],
        made: list[DeskAgent],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.assignments = assignments
        self._made = made
        self.app = app
        self.agents = agents
        self._tasks = tasks
        self.dispatcher = Dispatcher(app)
        self._running: list[asyncio.Task[None]] = []
        self._dialogues: dict[Client, asyncio.Task[None]] = {}

    async def client(self, *, introduced: bool = True, max_bytes: int = 2**20, **capabilities: object) -> Client:
        client = Client(self.app, self.dispatcher, max_bytes=max_bytes)
        dialogue = self._dialogues[client] = self._tasks.create_task(client.dialogue.run(), name="dialogue")
        self._running += [self._tasks.create_task(client.read(), name="client"), dialogue]
        if introduced:
            await client.introduce(**capabilities)
        return client

    def leaves(self, client: Client) -> None:
        """A client goes, whatever it has asked for, as a transport tells it."""
        self._dialogues.pop(client).cancel()
        self.app.disconnect(client.peer)

    def stop(self) -> None:
        for task in self._running:
            task.cancel()

    @property
    def agents_closed(self) -> int:
        return sum(agent.closed for agent in self._made)

    @property
    def running_agents(self) -> list[DeskAgent]:
        return [agent for agent in self._made if agent.running]

    def agent(self, thread_id: str) -> DeskAgent:
        return self.agents[thread_id]


@contextlib.asynccontextmanager
async def house(
    folder: Path,
    *,
    url: str | None = None,
    models_url: str | None = None,
    supports_websockets: bool = False,
    realtime: Realtime | None = None,
    store: ThreadStore | None = None,
    api_key: str | None = "sk-stage",
    models: tuple[str, ...] = (),
    unload_after_s: float = 1800.0,
) -> AsyncIterator[House]:
    """A server whose realtime server is at `url`, and whose agents are desks, or have the models at `models_url`."""
    agents: dict[str, DeskAgent] = {}
    assignments: dict[str, Assignment] = {}
    made: list[DeskAgent] = []

    def make(assignment: Assignment) -> Agent:
        assignments[assignment.thread.thread_id] = assignment
        if models_url is not None:
            return make_agent(
                "responses",
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder)},
                config=msgspec.structs.replace(config, model=assignment.settings),
                thread_id=assignment.thread.thread_id,
                earlier=assignment.earlier,
            )
        agent = DeskAgent()
        made.append(agent)
        agents[assignment.thread.thread_id] = agent
        return agent

    credentials = Credentials(folder / "state")
    if api_key is not None:
        credentials.log_in(api_key)
    settings = realtime or Realtime(
        backend=url, reconnect=False, quiet_ms=20, context=Context(level="reference", workspace_map=False)
    )
    provider = Provider(
        id="mock",
        base_url=models_url or "",
        request_max_retries=0,
        stream_max_retries=0,
        supports_websockets=supports_websockets,
    )
    model = Model(model="mock-model", approval_policy="never", sandbox_mode="danger-full-access")
    config = Config(realtime=settings)
    if models_url is not None:
        config = Config(realtime=settings, model=model, model_provider="mock", providers={"mock": provider})
    options = AppOptions(
        config=config,
        env={"PATH": os.environ["PATH"]},
        home=None,
        state_folder=folder / "state",
        cwd=folder,
        store=store or MemoryThreads(),
        credentials=credentials,
        make_agent=make,
        models=lambda: models,
        unload_after_s=unload_after_s,
    )
    async with App(options) as app, asyncio.TaskGroup() as tasks:
        staged = House(app, agents, assignments, made, tasks)
        try:
            yield staged
        finally:
            staged.stop()
