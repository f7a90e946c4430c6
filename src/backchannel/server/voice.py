"""The realtime conversation of a thread, as the clients of the app server see it.

It watches the conversation and says in the protocol's words what happens, at the moment it does; and it is the agent of
the conversation: what is handed over goes to the thread, which may be working already.

Source: app-server.md 1.7 and 1.8; realtime.md 3.6, 7.1 and 7.2.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from backchannel import core
from backchannel.agents import Agent
from backchannel.core import screen
from backchannel.errors import BackchannelError, LocalProtocolError
from backchannel.runtime import Conversation
from backchannel.server.asks import Ask
from backchannel.server.timeline import Timeline
from backchannel.wire import appserver, tokens
from backchannel.wire.realtime import events as server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from backchannel.agents import TurnRequest
    from backchannel.core import AgentReport, Note
    from backchannel.runtime import Settings
    from backchannel.server.live_thread import LiveThread
    from backchannel.server.services import Services
    from backchannel.threads import Entry
    from backchannel.wire.realtime import intents

__all__ = ["Voice"]

_log = logging.getLogger(__name__)

_MIRRORED_TOKENS: Final = 300
_REASONS: Final = {
    screen.CloseReason.REQUESTED: "requested",
    screen.CloseReason.TRANSPORT_CLOSED: "transport_closed",
    screen.CloseReason.ERROR: "error",
}


class Voice:
    """The conversation of one thread, which it watches.

    Ownership: whoever made it calls `stop`.

    Args:
        live: The thread.
        services: The server around it.
        on_over: Is told when the conversation has ended, however.
    """

    def __init__(self, live: LiveThread, *, services: Services, on_over: Callable[[Voice], None]) -> None:
        self._live = live
        self._services = services
        self._on_over = on_over
        self.last_said_at = asyncio.get_running_loop().time()
        """When the server last said something of it, in the loop's time."""
        self._conversation: Conversation | None = None
        self._is_live = False
        self._settings: Settings | None = None
        self._next: Settings | None = None
        """Those of the conversation that is to take the place of this one."""
        self._timeline: Timeline | None = None
        self._reports: asyncio.Queue[AgentReport | None] = asyncio.Queue()
        self._reporting: asyncio.Task[None] | None = None

    @property
    def is_live(self) -> bool:
        """Whether it has started and not ended."""
        return self._is_live

    async def start(self, settings: Settings) -> None:
        """Start a conversation, in the place of the one that is live. Failing, it has said so to the clients."""
        if self._conversation is not None and self._is_live:
            self._next = settings
            try:
                await self._conversation.replace(settings)
            except (BackchannelError, LocalProtocolError):
                _log.debug("! a conversation was not replaced", exc_info=True)
            return
        self._settings = settings
        self._conversation = Conversation(
            settings,
            agent=_Desk(self._live),
            player=_Loudspeaker(self._thread_id, self._tell),
            watcher=self,
            briefing=self._live.briefing,
        )
        try:
            await self._conversation.start()
        except BackchannelError:
            # Who watches has been told.
            _log.debug("! a conversation could not start", exc_info=True)
            self._over()

    async def stop(self) -> None:
        """End the conversation. Idempotent."""
        if self._conversation is not None:
            await self._conversation.stop()
        self._over()

    # What clients add

    def append_audio(self, data: str) -> None:
        """The microphone gave this."""
        if self._conversation is not None:
            self._conversation.append_audio(data)

    async def room_for_audio(self) -> None:
        """Wait until not much audio waits to be sent, as long as the server takes any."""
        if self._conversation is not None and self._is_live:
            await self._conversation.room_for_audio()

    async def append_text(self, text: str, role: intents.Role) -> None:
        """Let the voice know something."""
        if self._conversation is not None:
            await self._conversation.append_text(text, role=role)

    async def append_speech(self, text: str) -> None:
        """Let the voice say something."""
        if self._conversation is not None:
            await self._conversation.append_speech(text)

    def played(self, item_id: str, played_ms: int) -> None:
        """So much of an item has been heard."""
        if self._conversation is not None and self._is_live:
            self._conversation.played(item_id, played_ms)

    # The watcher of the conversation

    def shown(self, event: screen.ScreenEvent) -> None:
        """Tell the clients what is to be shown."""
        match event:
            case screen.ConversationStarted():
                self._started()
            case screen.CallAnswered(sdp=sdp):
                self._tell(
                    "thread/realtime/sdp", appserver.ThreadRealtimeSdpNotification(thread_id=self._thread_id, sdp=sdp)
                )
            case screen.ConversationFailed(message=message):
                self._next = None
                self._tell(
                    "thread/realtime/error",
                    appserver.ThreadRealtimeErrorNotification(thread_id=self._thread_id, message=message),
                )
            case screen.ConversationClosed(reason=reason, replaced=replaced):
                self._closed(reason, replaced=replaced)
            case screen.Warned(message=message):
                self._tell(
                    "thread/realtime/warning",
                    appserver.ThreadRealtimeWarningNotification(thread_id=self._thread_id, message=message),
                )
            case screen.ConversationReconnecting(attempt=attempt, delay_s=delay_s, message=message):
                told = appserver.ThreadRealtimeReconnectingNotification(
                    thread_id=self._thread_id, attempt=attempt, delay_ms=round(delay_s * 1000), message=message
                )
                self._tell("thread/realtime/reconnecting", told)
            case screen.ConversationReconnected(state_restored=restored):
                self._tell(
                    "thread/realtime/reconnected",
                    appserver.ThreadRealtimeReconnectedNotification(thread_id=self._thread_id, state_restored=restored),
                )
            case _:
                # What the agent does is told by the thread, what is said by what the server says of it.
                pass

    def said(self, event: server.ServerEvent, before: tuple[core.Utterance, ...]) -> None:
        """Tell the clients what the server said."""
        self.last_said_at = asyncio.get_running_loop().time()
        match event:
            case server.InputTranscriptDelta(delta=delta):
                self._said_more("user", delta)
            case server.OutputTranscriptDelta(delta=delta):
                self._said_more("assistant", delta)
            case server.InputTranscriptDone(text=text):
                self._said_all("user", text)
            case server.OutputTranscriptDone(text=text):
                self._said_all("assistant", text)
            case server.ItemAdded(item=item):
                self._added(item)
            case server.InputSpeechStarted(item_id=item_id):
                self._happened({"type": "input_audio_buffer.speech_started", "item_id": item_id})
            case server.ResponseCancelled(response_id=response_id):
                self._happened({"type": "response.cancelled", "response_id": response_id})
            case server.HandoffRequested(handoff_id=handoff_id, item_id=item_id, text=text):
                self._happened(
                    {
                        "type": "handoff_request",
                        "handoff_id": handoff_id,
                        "item_id": item_id,
                        "input_transcript": text,
                        "active_transcript": [{"role": each.speaker, "text": each.text} for each in before],
                    }
                )
            case (
                server.SessionUpdated()
                | server.InputSpeechStopped()
                | server.ItemDone()
                | server.ResponseCreated()
                | server.ResponseDone()
                | server.NoopRequested()
                | server.ToolCalled()
                | server.ServerError()
            ):
                pass
            case _:
                assert_never(event)

    @property
    def _thread_id(self) -> str:
        return self._live.thread_id

    def _started(self) -> None:
        if self._next is not None:
            self._settings, self._next = self._next, None
        settings = self._settings
        if settings is None:
            raise AssertionError("a conversation starts with settings")
        session_id = settings.session.session_id
        self._timeline = Timeline(
            self._thread_id,
            session_id or self._services.new_id(),
            tell=self._tell,
            keep=self._keep,
            new_id=self._services.new_id,
            now_ms=self._services.now_ms,
        )
        self._timeline.began()
        self._is_live = True
        self._live.on_report = self._reports.put_nowait
        self._live.on_ask = self._asked
        if self._reporting is None:
            self._reporting = self._services.start("reporting", self._report())
        told = appserver.ThreadRealtimeStartedNotification(
            thread_id=self._thread_id, realtime_session_id=session_id, version=_version(settings.dialect.name)
        )
        self._tell("thread/realtime/started", told)

    def _closed(self, reason: screen.CloseReason, *, replaced: bool) -> None:
        self._is_live = False
        if self._timeline is not None:
            self._timeline.ended(failed=reason is screen.CloseReason.ERROR)
            self._timeline = None
        self._tell(
            "thread/realtime/closed",
            appserver.ThreadRealtimeClosedNotification(thread_id=self._thread_id, reason=_REASONS[reason]),
        )
        if not replaced:
            self._over()

    def _over(self) -> None:
        self._is_live = False
        self._live.voice_ended()
        self._reports.put_nowait(None)
        self._on_over(self)

    def _said_more(self, speaker: screen.Speaker, delta: str) -> None:
        self._tell(
            "thread/realtime/transcript/delta",
            appserver.ThreadRealtimeTranscriptDeltaNotification(thread_id=self._thread_id, role=speaker, delta=delta),
        )
        if self._timeline is not None:
            self._timeline.more(speaker, delta)

    def _said_all(self, speaker: screen.Speaker, text: str) -> None:
        self._tell(
            "thread/realtime/transcript/done",
            appserver.ThreadRealtimeTranscriptDoneNotification(thread_id=self._thread_id, role=speaker, text=text),
        )
        if self._timeline is not None:
            self._timeline.done(speaker, text)

    def _happened(self, item: dict[str, object]) -> None:
        self._added(msgspec.Raw(msgspec.json.encode(item)))

    def _added(self, item: msgspec.Raw) -> None:
        self._tell(
            "thread/realtime/itemAdded",
            appserver.ThreadRealtimeItemAddedNotification(thread_id=self._thread_id, item=item),
        )

    def _keep(self, entry: Entry) -> None:
        thread_id = self._thread_id
        self._services.keep(self._live.thread, lambda store: store.append(thread_id, [entry]))

    def _tell(self, method: str, params: msgspec.Struct) -> None:
        self._services.tell(self._thread_id, method, params)

    # What goes on in the thread beside what the voice asked for

    def _asked(self, text: str) -> None:
        settings, conversation = self._settings, self._conversation
        if conversation is None or settings is None or not settings.options.mirror_typed_text:
            return
        self._services.start(
            "mirror", conversation.append_text(tokens.truncate_middle(text, max_tokens=_MIRRORED_TOKENS))
        )

    async def _report(self) -> None:
        while (report := await self._reports.get()) is not None:
            if self._conversation is not None and self._is_live:
                await self._conversation.report(report)
        self._reporting = None


class _Desk(Agent):
    """The thread as the agent of its conversation."""

    def __init__(self, live: LiveThread) -> None:
        self._live = live

    @property
    def name(self) -> str:
        return "thread"

    async def prepare(self) -> None:
        await self._live.prepare()

    async def run(self, request: TurnRequest) -> AsyncGenerator[AgentReport]:
        reports: asyncio.Queue[AgentReport] = asyncio.Queue()
        ask = Ask(text=request.text, briefing=request.briefing, by_voice=True)
        turn = self._live.submit(ask, listener=reports.put_nowait)
        try:
            while True:
                report = await reports.get()
                # The conversation counts its turns for itself.
                yield msgspec.structs.replace(report, turn_id=request.turn_id)
                if isinstance(report, core.AgentTurnEnded):
                    return
        finally:
            # The conversation may be over; the work goes on.
            if reports.put_nowait in turn.listeners:
                turn.listeners.remove(reports.put_nowait)

    async def steer(
        self, text: str, *, metadata: Mapping[str, str] | None = None, briefing: tuple[Note, ...] = ()
    ) -> None:
        self._live.submit(Ask(text=text, metadata=metadata, briefing=briefing, by_voice=True))

    async def interrupt(self) -> None:
        await self._live.interrupt()

    async def answer_approval(self, approval_id: str, *, approved: bool, for_session: bool = False) -> None:
        await self._live.decide(approval_id, approved=approved)

    async def close(self) -> None:
        """The thread is closed by who loaded it."""


class _Loudspeaker:
    """The clients, as the player of the conversation. They fall silent by themselves when the user begins to speak."""

    def __init__(self, thread_id: str, tell: Callable[[str, msgspec.Struct], None]) -> None:
        self._thread_id = thread_id
        self._tell = tell

    def play(self, audio: server.AudioOut) -> None:
        """The clients get it as it came."""
        chunk = appserver.ThreadRealtimeAudioChunk(
            data=audio.data,
            sample_rate=audio.rate_hz,
            num_channels=audio.channels,
            samples_per_channel=audio.samples_per_channel,
            item_id=audio.item_id,
        )
        self._tell(
            "thread/realtime/outputAudio/delta",
            appserver.ThreadRealtimeOutputAudioDeltaNotification(thread_id=self._thread_id, audio=chunk),
        )

    def stop(self) -> None:
        """Nothing is held back here that could be dropped."""


def _version(name: str) -> appserver.RealtimeConversationVersion:
    match name:
        case "v1" | "v2" | "v3":
            return name
        case _:
            # The public live protocol is the successor of v3, and clients know no other word for it.
            return "v3"
