"""The Responses agent: a language model that works with commands and patches in one folder.

`loop.py` decides what happens, `turn.py` carries it out, `way.py` reaches the model; here they are put together and
kept from one turn to the next: what each thread has said, the connection, and what confines the commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backchannel.agents.base import Agent, TurnRequest
from backchannel.agents.responses.failures import Cause, Failure, ModelFailed, Retries
from backchannel.agents.responses.history import History
from backchannel.agents.responses.instructions import INSTRUCTIONS, environment
from backchannel.agents.responses.items import Said, SpokenPhase, spoken
from backchannel.agents.responses.loop import Begun, Loop, Steered
from backchannel.agents.responses.metadata import render_metadata
from backchannel.agents.responses.permission import Deed, Rules
from backchannel.agents.responses.requests import ModelRequest
from backchannel.agents.responses.sandbox import Confinement, find_sandbox
from backchannel.agents.responses.tools import tools_json
from backchannel.agents.responses.turn import Turn
from backchannel.agents.responses.way import OverHttp, OverWebsocket, Server
from backchannel.config import OPENAI, Model, Provider
from backchannel.core import AgentTurnEnded, parse_delegation
from backchannel.errors import LocalProtocolError, TrustError, UsageError
from backchannel.net import KEY_VARIABLES, make_tls_context, provider_headers
from backchannel.threads import AgentSaid, UserAsked

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

    from backchannel.agents.responses.events import StreamEvent
    from backchannel.agents.responses.items import Item
    from backchannel.agents.responses.way import Way
    from backchannel.core import AgentReport, Note
    from backchannel.threads import Entry

__all__ = ["DEFAULT_MODEL", "ResponsesAgent", "ResponsesOptions"]

DEFAULT_MODEL: Final = "gpt-5-codex"
"""OpenAI's, when nobody has chosen; other providers have models of their own."""
_MAX_THREADS: Final = 32
"""The one that was used least recently is forgotten."""
_PREPARED_S: Final = 15.0
_NO_SANDBOX: Final = "no sandbox works here (bubblewrap, the program bwrap, is missing or not allowed)"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesOptions:
    """Which model works, and what it may do.

    Raises:
        UsageError: No model is named, and the provider has no default.
    """

    provider: Provider = OPENAI
    model: Model = dataclasses.field(default_factory=Model)
    api_key: str | None = dataclasses.field(default=None, repr=False)
    """None: requests carry none."""
    originator: str = "backchannel"
    """The program that a person uses, as the provider is told."""

    def __post_init__(self) -> None:
        if self.model.model is None and self.provider.id != OPENAI.id:
            raise UsageError(
                f"expected the model that the provider {self.provider.id} is to use, got none: write model = "
                '"NAME" at the top of the configuration, or give -c model=NAME'
            )

    @property
    def model_name(self) -> str:
        """The model that is asked."""
        return self.model.model or DEFAULT_MODEL


class ResponsesAgent(Agent):
    """Works in one folder, for one conversation or several threads, one turn at a time.

    Args:
        cwd: The folder, absolute.
        options: Which model, and what it may do.
        env: The environment: for commands, without the keys; for proxies and trusted certificates.
        thread_id: Of turns that name no thread; None: one is made up.
        earlier: What is kept of that thread: what was asked and answered in it before.
        on_notice: Is told what a person should know: that no sandbox works, that the model does not answer.
        random: Gives numbers from 0 up to, but not including, 1.
        unix_time: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        cwd: Path,
        options: ResponsesOptions,
        env: Mapping[str, str],
        thread_id: str | None = None,
        earlier: Iterable[Entry] = (),
        on_notice: Callable[[str], None] = lambda _: None,
        random: Callable[[], float] = random.random,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._root = Path(os.path.abspath(cwd))
        self._options = options
        self._env = dict(env)
        self._commands_env = _without_keys(env, options.provider)
        self._on_notice = on_notice
        self._random = random
        self._unix_time = unix_time
        self._thread_id = thread_id or str(uuid.uuid4())
        self._histories = {self._thread_id: History()}
        self._histories[self._thread_id].add(*_remembered(earlier))
        self._tools = tools_json(freeform=options.provider.is_openai)
        self._way: Way | None = None
        self._confinement: Confinement | None = None
        self._preparing = asyncio.Lock()
        self._confining = asyncio.Lock()
        self._request: TurnRequest | None = None
        self._metadata: Mapping[str, str] = {}
        self._started_ms = 0
        self._turn: Turn | None = None
        self._n_approvals = 0
        self._granted: set[Deed] = set()
        """What the user has permitted for good."""
        self._closed = False

    @property
    def name(self) -> str:
        """How a person names this agent on the command line."""
        return "responses"

    # ---- turns ----

    async def prepare(self) -> None:
        """Connect where that is kept open, and let the model read what every request begins with."""
        if self._closed:
            return
        async with self._preparing:
            with contextlib.suppress(TimeoutError, TrustError):
                async with asyncio.timeout(_PREPARED_S):
                    way = await self._reach()
                    await way.prepare(await self._model_request((), turn=None))

    async def run(self, request: TurnRequest) -> AsyncGenerator[AgentReport]:
        """Work on a turn; see `Agent.run`."""
        if self._turn is not None:
            raise LocalProtocolError(f"turn {self._turn.turn_id} is still running")
        if self._closed:
            raise LocalProtocolError("the agent is closed")
        if request.settings is not None:
            self._take(request.settings)
        self._request = request
        self._metadata = dict(request.metadata)
        self._started_ms = int(self._unix_time() * 1000)
        retries = Retries(self._options.provider, random=self._random)
        turn = Turn(
            request.turn_id,
            loop=Loop(request.turn_id, history=self._history(request), retries=retries),
            ask=self._ask,
            go_over_http=self._go_over_http,
            notify=self._on_notice,
            new_approval_id=self._new_approval_id,
            confine=self._confine,
            granted=self._granted,
            root=self._root,
            env=self._commands_env,
        )
        self._turn = turn
        try:
            turn.handle(Begun(request.text, request.briefing))
            while reports := await turn.next_reports():
                for report in reports:
                    if isinstance(report, AgentTurnEnded):
                        # Whoever hears of the end may begin the next turn.
                        self._turn = None
                    yield report
        finally:
            # Until it is shut the turn stays known, so that `close` can end it even if this is cancelled here.
            await turn.shut()
            if self._turn is turn:
                self._turn = None

    async def steer(
        self, text: str, *, metadata: Mapping[str, str] | None = None, briefing: tuple[Note, ...] = ()
    ) -> None:
        """Take a change into the running turn; see `Agent.steer`."""
        if self._turn is None:
            raise LocalProtocolError("no turn is running")
        self._turn.handle(Steered(text, briefing))
        if metadata is not None:
            self._metadata = dict(metadata)

    async def interrupt(self) -> None:
        """Stop the running turn; see `Agent.interrupt`."""
        if self._turn is not None:
            await self._turn.shut()

    async def answer_approval(self, approval_id: str, *, approved: bool, for_session: bool = False) -> None:
        """The user's answer; see `Agent.answer_approval`."""
        if self._turn is None:
            raise LocalProtocolError("no turn is running")
        self._turn.answer(approval_id, approved=approved, for_session=for_session)

    async def close(self) -> None:
        """End everything this agent started and wait for it. Idempotent."""
        self._closed = True
        if self._turn is not None:
            await self._turn.shut()
        way, self._way = self._way, None
        if way is not None:
            await way.close()

    # ---- what a turn needs ----

    def _take(self, settings: Model) -> None:
        before = self._options.model
        if (settings.sandbox_mode, settings.approval_policy) != (before.sandbox_mode, before.approval_policy):
            self._confinement = None
            self._granted.clear()
        self._options = dataclasses.replace(self._options, model=settings)

    def _history(self, request: TurnRequest) -> History:
        thread_id = request.thread_id or self._thread_id
        history = self._histories.pop(thread_id, None) or History()
        self._histories[thread_id] = history
        while len(self._histories) > _MAX_THREADS:
            del self._histories[next(iter(self._histories))]
        return history

    async def _ask(self, items: tuple[Item, ...]) -> AsyncGenerator[StreamEvent]:
        async with self._preparing:
            try:
                way = await self._reach()
            except TrustError as exc:
                raise ModelFailed(Failure(Cause.SETTLED, str(exc))) from exc
        async with contextlib.aclosing(way.ask(await self._model_request(items, turn=self._request))) as events:
            async for event in events:
                yield event

    async def _reach(self) -> Way:
        """The way to the model.

        Raises:
            TrustError: The certificate bundle cannot be used.
        """
        if self._way is None:
            provider, key = self._options.provider, self._options.api_key
            tls: ssl.SSLContext | None = None
            if provider.base_url.lower().startswith(("https:", "wss:")):
                # Reading the system's certificates takes some 30 ms of disk and parsing.
                tls = await asyncio.to_thread(make_tls_context, self._env)
            headers = provider_headers(provider, env=self._env)
            if key is not None:
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
                headers["Authorization"] = f"Bearer {key}"
            server = Server(provider=provider, headers=headers, env=self._env, tls=tls)
            self._way = OverWebsocket(server) if provider.supports_websockets else OverHttp(server)
        return self._way

    def _go_over_http(self) -> None:
        if isinstance(self._way, OverWebsocket):
            self._way.give_up()

    async def _model_request(self, items: tuple[Item, ...], *, turn: TurnRequest | None) -> ModelRequest:
        """What is asked; without a turn, what is prepared."""
        confinement = await self._confine()
        thread_id = (turn.thread_id if turn is not None else None) or self._thread_id
        session_id = (turn.session_id if turn is not None else None) or thread_id
        return ModelRequest(
            model=self._options.model_name,
            instructions=self._options.model.base_instructions or INSTRUCTIONS,
            items=(environment(self._root, confinement.rules), *self._besides(), *items),
            tools=self._tools,
            effort=self._options.model.model_reasoning_effort,
            summary=self._options.model.model_reasoning_summary,
            output_schema=None if turn is None else turn.output_schema,
            thread_id=thread_id,
            metadata=render_metadata(
                self._about(turn, confinement, thread_id=thread_id, session_id=session_id),
                {} if turn is None else self._metadata,
            ),
            headers={
                "session-id": session_id,
                "thread-id": thread_id,
                "x-client-request-id": thread_id,
                "originator": self._options.originator,
            },
        )

    def _besides(self) -> tuple[Item, ...]:
        told = self._options.model.developer_instructions
        return (Said("developer", told),) if told else ()

    def _about(
        self, turn: TurnRequest | None, confinement: Confinement, *, thread_id: str, session_id: str
    ) -> dict[str, str | int]:
        """What is said of a request."""
        about: dict[str, str | int] = {
            "session_id": session_id,
            "thread_id": thread_id,
            "turn_id": "" if turn is None else turn.turn_id,
            "request_kind": "prewarm" if turn is None else "turn",
            "sandbox": "none" if confinement.sandbox is None else "bubblewrap",
            "sandbox_mode": confinement.rules.mode,
            "model": self._options.model_name,
        }
        if turn is not None:
            about |= turn.origin
            about |= {"root_turn_id": turn.turn_id, "turn_started_at_unix_ms": self._started_ms}
            if parse_delegation(turn.text) != turn.text:
                about["turn_trigger"] = "realtime"
        return about

    async def _confine(self) -> Confinement:
        """What confines the commands; found out once, and told if it is nothing."""
        async with self._confining:
            if self._confinement is None:
                model = self._options.model
                sandbox = None
                if model.sandbox_mode != "danger-full-access":
                    writable = model.sandbox_mode == "workspace-write"
                    sandbox = await find_sandbox(self._root, writable=writable, env=self._commands_env)
                    if sandbox is None:
                        are = "are declined" if model.approval_policy == "never" else "need your permission"
                        self._on_notice(f"{_NO_SANDBOX}, so commands of the agent that do more than read {are}")
                self._confinement = Confinement(Rules.of(model, has_sandbox=sandbox is not None), sandbox)
            return self._confinement

    def _new_approval_id(self) -> str:
        self._n_approvals += 1
        return f"approval-{self._n_approvals}"


def _remembered(entries: Iterable[Entry]) -> Iterable[Item]:
    """What was asked and answered; what was done in between is seen in the files."""
    for entry in entries:
        match entry:
            case UserAsked(text=text) if text:
                yield Said("user", text)
            case AgentSaid(text=text, is_final=is_final) if text:
                yield spoken(text, SpokenPhase.FINAL if is_final else SpokenPhase.COMMENTARY)
            case _:
                pass


def _without_keys(env: Mapping[str, str], provider: Provider) -> dict[str, str]:
    """The environment for commands: what they print goes to the model, and keys are none of its business."""
    secret = {*KEY_VARIABLES, provider.env_key, *provider.env_http_headers.values()}
    return {name: value for name, value in env.items() if name not in secret}
