"""One client's session: an asyncio shell around turns, recogniser, dialog and synthesizer.

Theory of operation. Four kinds of tasks, in one task group: the reader (the session's own task) takes the client's
messages one after the other and handles each completely; the writer is the only one that writes to the socket; the
ears serve the recogniser; and at most one response speaks. Handlers put events into the outbox without waiting, so what
belongs together stays together; they wait only between messages, for room in the outbox, and while audio is heard.
When something is said, and what ends it, is the responder's (`responder.py`). What is left is one handler for each of
the client's messages, and they share the items and settings of the session; that is why they stand in one file.

| resource | acquired by | released by |
|---|---|---|
| websocket | server | the reader's end, or `close`; the server's handler after `run` |
| recogniser (a process) | server | `run`, at its end |
| synthesis (a process) | response task | the same, also when it is cancelled |
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, assert_never

import aiohttp
import msgspec

from backchannel.engine import protocol
from backchannel.engine.dialog import Dialog, assured
from backchannel.engine.hearing import (
    MAX_UTTERANCE_MS,
    MIN_COMMIT_MS,
    Failed,
    Hearing,
    HearingEvent,
    Transcribed,
    TurnBegun,
    TurnEnded,
)
from backchannel.engine.ids import new_id
from backchannel.engine.items import (
    ContentPart,
    Conversation,
    FunctionCallItem,
    FunctionCallOutputItem,
    MessageItem,
    created_item,
)
from backchannel.engine.outbox import READ_LIMIT, Outbox
from backchannel.engine.responder import Responder, ResponderParts
from backchannel.engine.settings import initial_settings, turn_options, updated

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiohttp import web

    from backchannel.engine.speech.base import Heard, SpeechToText, TextToSpeech, VoiceActivity
    from backchannel.engine.turns import TurnOptions

__all__ = ["NO_SYNTHESIZER", "Session", "SessionParts"]

NO_SYNTHESIZER: Final = "no speech synthesizer was found: answers are written instead of spoken"
WRITE_DEADLINE_S: Final = 60.0
"""A client that takes nothing for this long is given up."""

_log: Final = logging.getLogger("backchannel.engine")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """What a session is made of. The session closes the recogniser; the synthesizer is shared."""

    voice_activity: VoiceActivity
    speech_to_text: SpeechToText
    text_to_speech: TextToSpeech | None
    turns: TurnOptions
    model: str
    knows_request: Callable[[str], bool]
    on_notice: Callable[[str], None] | None = None


class _ClientGoneError(Exception):
    """The client takes nothing any more."""


class Session:
    """Serves one client. `run` returns when the client is gone or `close` was called."""

    def __init__(self, socket: web.WebSocketResponse, parts: SessionParts) -> None:
        self.id = new_id("sess")
        self._socket = socket
        self._parts = parts
        self._settings = initial_settings(
            session_id=self.id, model=parts.model, can_speak=parts.text_to_speech is not None, turns=parts.turns
        )
        self._outbox = Outbox()
        self._conversation = Conversation()
        self._dialog = Dialog()
        self._hearing = Hearing(
            voice_activity=parts.voice_activity,
            speech_to_text=parts.speech_to_text,
            new_item_id=lambda: new_id("item"),
            on_event=self._heard_event,
        )
        self._responder = Responder(
            ResponderParts(
                conversation_id=new_id("conv"),
                conversation=self._conversation,
                dialog=self._dialog,
                outbox=self._outbox,
                speaker=parts.text_to_speech,
                settings=lambda: self._settings,
                emit=self._emit,
                start=self._start,
                notice=self._notice,
            )
        )
        self._tasks: asyncio.TaskGroup | None = None
        self._own_turns: set[str] = set()
        self._noticed = False
        self._buffer_full = False

    async def run(self) -> None:
        """Serve the client to the end, then release everything."""
        self._emit(protocol.SessionCreated(session=self._settings))
        self._notice_missing_voice()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                helpers = [
                    tasks.create_task(self._write(), name=f"{self.id} writer"),
                    tasks.create_task(self._hearing.run(), name=f"{self.id} ears"),
                ]
                try:
                    await self._hearing.configure(turn_options(self._settings, self._parts.turns))
                    await self._read()
                finally:
                    self._responder.stop()
                    for task in helpers:
                        task.cancel()
        except* _ClientGoneError:
            _log.info("x %s: the client takes nothing any more", self.id)
        finally:
            await self._parts.speech_to_text.close()

    def _start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        if self._tasks is None:
            raise AssertionError("responses begin while the session runs")
        return self._tasks.create_task(work, name=name)

    # ---- the socket ------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._outbox.room(READ_LIMIT)
            message = await self._socket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    await self._receive(message.data)
                case aiohttp.WSMsgType.BINARY:
                    self._refuse(None, code="invalid_type", message="Events are JSON in text messages, not binary.")
                case _:
                    _log.debug("x %s: the client has gone", self.id)
                    return

    async def _write(self) -> None:
        while True:
            message = await self._outbox.get()
            try:
                async with asyncio.timeout(WRITE_DEADLINE_S):
                    await self._socket.send_str(message)
            except (OSError, TimeoutError, aiohttp.ClientError) as exc:
                raise _ClientGoneError from exc

    def _emit(self, *events: protocol.ServerEvent) -> None:
        for event in events:
            if not isinstance(event, protocol.OutputAudioDelta):
                _log.debug("> %s %s", self.id, type(event).__name__)
            self._outbox.put(protocol.encode(event, new_id("event")))

    def _refuse(self, event_id: str | None, *, code: str, message: str, param: str | None = None) -> None:
        body = protocol.ErrorBody(
            type="invalid_request_error", code=code, message=message, param=param, event_id=event_id
        )
        self._emit(protocol.ErrorEvent(error=body))

    # ---- client events ---------------------------------------------------------------------------------------

    async def _receive(self, text: str) -> None:
        if len(text) > protocol.MAX_MESSAGE_BYTES:
            limit = protocol.MAX_MESSAGE_BYTES
            message = f"The message has {len(text)} characters, and no more than {limit} are read. Send it in pieces."
            self._refuse(None, code="message_too_large", message=message)
            return
        event = protocol.decode(text)
        match event:
            case protocol.AppendAudio():
                await self._append(event)
            case protocol.UpdateSession():
                await self._update(event)
            case protocol.CommitBuffer():
                await self._commit(event)
            case protocol.ClearBuffer():
                await self._hearing.clear()
                self._buffer_full = False
                self._emit(protocol.BufferCleared())
            case protocol.Invalid(code=code, message=message, param=param, event_id=event_id):
                _log.debug("< %s invalid message: %s", self.id, code)
                self._refuse(event_id, code=code, message=message, param=param)
            case _:
                self._handle(event)

    def _handle(
        self,
        event: protocol.CreateItem
        | protocol.RetrieveItem
        | protocol.DeleteItem
        | protocol.TruncateItem
        | protocol.CreateResponse
        | protocol.CancelResponse,
    ) -> None:
        _log.debug("< %s %s", self.id, type(event).__name__)
        match event:
            case protocol.CreateItem():
                self._create_item(event)
            case protocol.RetrieveItem(item_id=item_id):
                item = self._conversation.get(item_id)
                if item is None:
                    self._no_such_item(event.event_id, item_id)
                else:
                    self._emit(protocol.ItemRetrieved(item=item))
            case protocol.DeleteItem(item_id=item_id):
                if self._conversation.get(item_id) is None:
                    self._no_such_item(event.event_id, item_id)
                else:
                    self._conversation.delete(item_id)
                    self._emit(protocol.ItemDeleted(item_id=item_id))
            case protocol.TruncateItem():
                self._truncate(event)
            case protocol.CreateResponse():
                self._response_asked(event)
            case protocol.CancelResponse(response_id=response_id):
                active_id = self._responder.active_id
                if active_id is None or response_id not in (None, active_id):
                    self._refuse(
                        event.event_id,
                        code="response_cancel_not_active",
                        message="Cancellation failed: there is no such active response.",
                        param=None if response_id is None else "response_id",
                    )
                else:
                    self._responder.cancel("client_cancelled")
            case _:
                assert_never(event)

    async def _append(self, event: protocol.AppendAudio) -> None:
        if await self._hearing.append(event.audio):
            return
        if not self._buffer_full:
            self._buffer_full = True
            message = (
                f"The buffer holds {MAX_UTTERANCE_MS // 1000} s of audio; commit or clear it. The rest was dropped."
            )
            self._refuse(event.event_id, code="input_audio_buffer_full", message=message, param="audio")

    async def _update(self, event: protocol.UpdateSession) -> None:
        _log.debug("< %s session.update", self.id)
        can_speak = self._parts.text_to_speech is not None
        self._settings = updated(self._settings, event.session, can_speak=can_speak, turns=self._parts.turns)
        await self._hearing.configure(turn_options(self._settings, self._parts.turns))
        self._emit(protocol.SessionUpdated(session=self._settings))

    async def _commit(self, event: protocol.CommitBuffer) -> None:
        item_id = await self._hearing.commit()
        if item_id is None:
            message = f"There is no speech to commit: the buffer holds less than {MIN_COMMIT_MS} ms of it."
            self._refuse(event.event_id, code="input_audio_buffer_commit_empty", message=message)
            return
        self._buffer_full = False
        self._committed(item_id, own_turn=False)

    def _create_item(self, event: protocol.CreateItem) -> None:
        item = created_item(event.item, item_id=new_id("item"), call_id=new_id("call"))
        after = event.previous_item_id
        if self._conversation.get(item.id) is not None:
            message = f"There is already an item with the id '{item.id}'."
            self._refuse(event.event_id, code="invalid_value", message=message, param="item.id")
            return
        if after is not None and after != "root" and self._conversation.get(after) is None:
            self._no_such_item(event.event_id, after, param="previous_item_id")
            return
        previous = self._conversation.add(item, after=after)
        self._emit(
            protocol.ItemAdded(previous_item_id=previous, item=item),
            protocol.ItemDone(previous_item_id=previous, item=item),
        )
        match item:
            case MessageItem(role="user"):
                self._dialog.user_wrote(item.text)
            case FunctionCallItem(call_id=call_id, name=name):
                self._dialog.called(call_id, name)
            case FunctionCallOutputItem(call_id=call_id, output=output):
                self._dialog.answered(call_id, output)
            case _:
                pass

    def _truncate(self, event: protocol.TruncateItem) -> None:
        item_id, end_ms = event.item_id, event.audio_end_ms
        item = self._conversation.get(item_id)
        if item is None:
            message = f"There is no item with the id '{item_id}'."
            self._refuse(event.event_id, code="item_truncate_invalid_item_id", message=message, param="item_id")
            return
        audio_ms = self._responder.audio_ms(item_id)
        if not isinstance(item, MessageItem) or audio_ms is None or event.content_index != 0:
            message = "Only the speech of an assistant's message can be truncated."
            self._refuse(event.event_id, code="invalid_value", message=message, param="item_id")
            return
        if end_ms > audio_ms:
            message = f"Audio content of {audio_ms}ms is already shorter than {end_ms}ms"
            self._refuse(event.event_id, code="invalid_value", message=message, param="audio_end_ms")
            return
        self._responder.truncated(item_id, end_ms)
        # The words of speech that was not heard do not stay either; nobody knows which of them were.
        silenced = ContentPart(type="output_audio", transcript="")
        self._conversation.replace(msgspec.structs.replace(item, content=[silenced]))
        self._emit(protocol.ItemTruncated(item_id=item_id, content_index=0, audio_end_ms=end_ms))

    def _response_asked(self, event: protocol.CreateResponse) -> None:
        active_id = self._responder.active_id
        if active_id is not None:
            message = (
                f"Conversation already has an active response in progress: {active_id}. "
                "Wait until the response is finished before creating a new one."
            )
            self._refuse(event.event_id, code="conversation_already_has_active_response", message=message)
        elif self._settings.type != "realtime":
            message = "A transcription session has no responses."
            self._refuse(event.event_id, code="invalid_value", message=message, param="type")
        else:
            self._responder.ask(event.response or protocol.ResponseOptions())

    def _no_such_item(self, event_id: str | None, item_id: str, *, param: str = "item_id") -> None:
        message = f"There is no item with the id '{item_id}'."
        self._refuse(event_id, code="item_not_found", message=message, param=param)

    # ---- hearing ---------------------------------------------------------------------------------------------

    def _heard_event(self, event: HearingEvent) -> None:
        detection = self._settings.audio.input.turn_detection
        match event:
            case TurnBegun(item_id=item_id, audio_start_ms=start_ms):
                self._emit(protocol.SpeechStarted(audio_start_ms=start_ms, item_id=item_id))
                if detection is not None and detection.interrupt_response:
                    self._responder.cancel("turn_detected")
            case TurnEnded(item_id=item_id, audio_end_ms=end_ms):
                self._emit(protocol.SpeechStopped(audio_end_ms=end_ms, item_id=item_id))
                creates = detection is not None and detection.create_response is True
                self._committed(item_id, own_turn=creates and self._settings.type == "realtime")
            case Transcribed(item_id=item_id, heard=heard):
                self._transcribed(item_id, assured(heard, self._parts.knows_request))
            case Failed(item_id=item_id, reason=reason):
                error = protocol.ErrorBody(type="server_error", code="transcription_failed", message=reason)
                if self._settings.audio.input.transcription is not None:
                    self._emit(protocol.TranscriptionFailed(item_id=item_id, error=error))
                self._own_turns.discard(item_id)
                self._responder.settle(item_id, None)
            case _:
                assert_never(event)

    def _committed(self, item_id: str, *, own_turn: bool) -> None:
        if own_turn:
            self._own_turns.add(item_id)
        else:
            self._responder.expect(item_id)
        item = MessageItem(id=item_id, role="user", content=[ContentPart(type="input_audio", transcript=None)])
        previous = self._conversation.add(item)
        self._emit(
            protocol.BufferCommitted(previous_item_id=previous, item_id=item_id),
            protocol.ItemAdded(previous_item_id=previous, item=item),
            protocol.ItemDone(previous_item_id=previous, item=item),
        )

    def _transcribed(self, item_id: str, heard: Heard) -> None:
        item = self._conversation.get(item_id)
        if isinstance(item, MessageItem):
            spoken = ContentPart(type="input_audio", transcript=heard.text)
            self._conversation.replace(msgspec.structs.replace(item, content=[spoken]))
        if self._settings.audio.input.transcription is not None:
            if heard.text:
                self._emit(protocol.TranscriptionDelta(item_id=item_id, delta=heard.text))
            self._emit(protocol.TranscriptionCompleted(item_id=item_id, transcript=heard.text))
        if item_id in self._own_turns:
            self._own_turns.discard(item_id)
            self._responder.answer(heard)
        else:
            self._responder.settle(item_id, heard)

    # ---- notices ---------------------------------------------------------------------------------------------

    def _notice_missing_voice(self) -> None:
        if self._parts.text_to_speech is None:
            self._notice(NO_SYNTHESIZER)

    def _notice(self, text: str) -> None:
        """Tell a person, once a session."""
        if self._noticed:
            return
        self._noticed = True
        _log.warning("! %s", text)
        if self._parts.on_notice is None:
            return
        try:
            self._parts.on_notice(text)
        except Exception:
            # The boundary of the caller's own function: its fault must not end the session.
            _log.exception("! %s: on_notice failed", self.id)
