"""The responses of one session: at most one is active, and every turn of the user that was understood is answered.

Theory of operation. A response is wanted when a turn was understood that the server answers of its own accord, or when
the client asks. It is active from that moment; turns that are understood while one is active wait for its end. A
response that the client asks for first waits for the words of the turns that the server does not answer by itself,
since it is the answer to them.

Cancelling is done in one step: the response's last events go out, and its task, which from then on finds itself no
longer active, is cancelled; it ends its synthesis on its way out.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, Literal, Protocol

from backchannel.engine import protocol
from backchannel.engine.dialog import joined
from backchannel.engine.ids import new_id
from backchannel.engine.items import MAX_ITEMS
from backchannel.engine.outbox import SPEAK_LIMIT
from backchannel.engine.response import Response
from backchannel.engine.settings import offered_tools
from backchannel.engine.speech.base import SPEAKING_RATE_HZ
from backchannel.errors import BackchannelError, SpeechError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from backchannel.engine.dialog import Dialog, Reply
    from backchannel.engine.items import Conversation
    from backchannel.engine.outbox import Outbox
    from backchannel.engine.speech.base import Heard, TextToSpeech

__all__ = ["DELTA_BYTES", "FIRST_DELTA_BYTES", "Emit", "Responder", "ResponderParts"]

FIRST_DELTA_BYTES: Final = SPEAKING_RATE_HZ * 2 // 50
"""The first piece of speech is 20 ms, so that it leaves as early as it can."""
DELTA_BYTES: Final = SPEAKING_RATE_HZ * 2 // 10
SPEAK_DEADLINE_S: Final = 20.0
"""A synthesizer that is silent for this long is given up."""
MAX_WAITING_TURNS: Final = 16
HEARD_ENOUGH: Final = 0.8
"""Speech that was heard to this part counts as said."""

_log: Final = logging.getLogger("backchannel.engine")


@dataclasses.dataclass(slots=True, kw_only=True)
class _Active:
    """The response that is active, or about to be."""

    response: Response
    tools: frozenset[str]
    as_audio: bool
    reply: Reply | None = None
    """None until it is known what it answers."""
    is_called: bool = False
    """Whether the reply's tool has been called."""
    task: asyncio.Task[None] | None = None


class Emit(Protocol):
    """Puts events into the outbox, in this order."""

    def __call__(self, *events: protocol.ServerEvent) -> None:
        """Put them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResponderParts:
    """What a responder works with; all of it belongs to the session."""

    conversation_id: str
    conversation: Conversation
    dialog: Dialog
    outbox: Outbox
    speaker: TextToSpeech | None
    settings: Callable[[], protocol.SessionBody]
    emit: Emit
    start: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]]
    """Starts a task of this name in the session's task group."""
    notice: Callable[[str], None]


class Responder:
    """Answers the user and the client of one session."""

    def __init__(self, parts: ResponderParts) -> None:
        self._parts = parts
        self._emit = parts.emit
        self._active: _Active | None = None
        self._turns: collections.deque[Heard] = collections.deque(maxlen=MAX_WAITING_TURNS)
        self._unanswered: list[Heard] = []
        self._expected: set[str] = set()
        self._settled = asyncio.Event()
        self._settled.set()
        self._audio_ms: collections.OrderedDict[str, int] = collections.OrderedDict()
        self._said_item: str | None = None

    @property
    def active_id(self) -> str | None:
        """The id of the active response; None while there is none."""
        return None if self._active is None else self._active.response.id

    def ask(self, options: protocol.ResponseOptions) -> None:
        """The client wants a response, and none is active."""
        self._begin(self._new_response(options))

    def answer(self, heard: Heard) -> None:
        """A turn was understood that the server answers of its own accord."""
        self._turns.append(heard)
        self._answer_next_turn()

    def expect(self, item_id: str) -> None:
        """This turn's words are still to come, and the client will ask for the answer."""
        self._expected.add(item_id)
        self._settled.clear()

    def settle(self, item_id: str, heard: Heard | None) -> None:
        """The words of such a turn came, or never will (None)."""
        if heard is not None:
            self._unanswered = [*self._unanswered, heard][-MAX_WAITING_TURNS:]
        self._expected.discard(item_id)
        if not self._expected:
            self._settled.set()

    def cancel(self, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        """End the active response, if there is one, before its time.

        A user who speaks on does not take back what was understood before, so the tool is called all the same; a
        client that cancels wants nothing more of it.
        """
        active = self._active
        if active is None:
            return
        if active.task is not None:
            active.task.cancel()
        self._parts.dialog.interrupted()
        if not active.response.is_created:
            self._emit(*active.response.created())
        if active.response.has_open_message:
            self._emit(*active.response.close_message("incomplete"))
        if reason == "turn_detected":
            self._call(active)
        details = protocol.StatusDetails(type="cancelled", reason=reason)
        self._emit(*active.response.done("cancelled", details))
        self._active = None
        self._answer_next_turn()

    def audio_ms(self, item_id: str) -> int | None:
        """How much speech this item has; None for an item without."""
        return self._audio_ms.get(item_id)

    def truncated(self, item_id: str, end_ms: int) -> None:
        """The user heard no more than this of an item."""
        if item_id == self._said_item and end_ms < HEARD_ENOUGH * self._audio_ms[item_id]:
            self._parts.dialog.interrupted()
        self._audio_ms[item_id] = end_ms

    def stop(self) -> None:
        """The session is over."""
        active, self._active = self._active, None
        if active is not None and active.task is not None:
            active.task.cancel()

    def _answer_next_turn(self) -> None:
        """Answer the oldest turn that waits, unless a response is active."""
        if self._active is not None or not self._turns:
            return
        active = self._new_response(protocol.ResponseOptions())
        self._active = active
        self._emit(*active.response.created())
        active.reply = self._parts.dialog.heard(self._turns.popleft(), active.tools)
        self._begin(active)

    def _new_response(self, options: protocol.ResponseOptions) -> _Active:
        settings = self._parts.settings()
        tools = settings.tools if options.tools is None else options.tools
        choice = settings.tool_choice if options.tool_choice is None else options.tool_choice
        modalities = settings.output_modalities if options.output_modalities is None else options.output_modalities
        as_audio = modalities == ["audio"] and self._parts.speaker is not None
        response = Response(
            response_id=new_id("resp"),
            conversation_id=self._parts.conversation_id,
            conversation=self._parts.conversation,
            modality="audio" if as_audio else "text",
            voice=settings.audio.output.voice,
            metadata=options.metadata,
        )
        return _Active(response=response, tools=offered_tools([tool.name for tool in tools], choice), as_audio=as_audio)

    def _begin(self, active: _Active) -> None:
        self._active = active
        active.task = self._parts.start(self._respond(active), active.response.id)

    async def _respond(self, active: _Active) -> None:
        try:
            if active.reply is None:
                await self._settled.wait()
                active.reply = self._decide(active)
            complete = active.reply.say is None or await self._say(active, active.reply.say)
            self._call(active)
        except Exception:
            # The boundary of a response: a fault in one must not end the session.
            _log.exception("! the response %s failed", active.response.id)
            complete = False
        self._finish(active, complete=complete)

    def _decide(self, active: _Active) -> Reply:
        """What a response says that the client asked for: the answer to what waits for one, else the news."""
        self._emit(*active.response.created())
        if self._unanswered:
            utterances, self._unanswered = tuple(self._unanswered), []
            return self._parts.dialog.heard(joined(utterances), active.tools)
        return self._parts.dialog.asked(active.tools)

    async def _say(self, active: _Active, text: str) -> bool:
        """Say it, aloud if that works.

        Returns:
            Whether all of it was said.
        """
        speaker = self._parts.speaker
        item_id = new_id("item")
        self._said_item = item_id
        if active.as_audio and speaker is not None:
            voice = self._parts.settings().audio.output.voice
            async with contextlib.aclosing(_pieces(speaker.speak(text, voice=voice))) as speech:
                try:
                    return await self._speak(active, item_id, text, speech)
                except (BackchannelError, TimeoutError) as exc:
                    self._parts.notice(f"speech could not be made: {str(exc) or 'the synthesizer took too long'}")
                    if active.response.has_open_message:
                        self._emit(*active.response.close_message("incomplete"))
                        return False
        # Not even the first of it was heard, so it is written.
        self._emit(
            *active.response.open_message(item_id, as_audio=False),
            *active.response.text(text),
            *active.response.close_message("completed"),
        )
        return True

    async def _speak(self, active: _Active, item_id: str, text: str, speech: AsyncGenerator[bytes]) -> bool:
        response = active.response
        async for piece in speech:
            await self._parts.outbox.room(SPEAK_LIMIT)
            if not response.has_open_message:
                self._emit(*response.open_message(item_id, as_audio=True), *response.text(text))
            self._emit(*response.audio(piece))
            self._audio_ms[item_id] = response.audio_ms
        if not response.has_open_message:
            raise SpeechError("the synthesizer gave no sound")
        self._emit(*response.close_message("completed"))
        if len(self._audio_ms) > MAX_ITEMS:
            self._audio_ms.popitem(last=False)
        return True

    def _call(self, active: _Active) -> None:
        if active.reply is None or active.reply.call is None or active.is_called:
            return
        active.is_called = True
        call, call_id = active.reply.call, new_id("call")
        self._emit(*active.response.call(new_id("item"), call_id, call.name, call.arguments))
        self._parts.dialog.called(call_id, call.name)

    def _finish(self, active: _Active, *, complete: bool) -> None:
        if not active.response.is_created:
            self._emit(*active.response.created())
        if complete or active.is_called:
            self._emit(*active.response.done("completed"))
        else:
            error = protocol.StatusError(type="server_error", code="response_failed")
            self._emit(*active.response.done("failed", protocol.StatusDetails(type="failed", error=error)))
        self._active = None
        self._answer_next_turn()


async def _pieces(speech: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same speech in pieces of the wanted sizes, the first one small."""
    waiting = bytearray()
    size = FIRST_DELTA_BYTES
    async with contextlib.aclosing(speech):
        while True:
            async with asyncio.timeout(SPEAK_DEADLINE_S):
                chunk = await anext(speech, None)
            if chunk is None:
                break
            waiting += chunk
            while len(waiting) >= size:
                yield bytes(waiting[:size])
                del waiting[:size]
                size = DELTA_BYTES
    if len(waiting) > 1:
        yield bytes(waiting[: len(waiting) & ~1])
