"""`thread/realtime/...`: the conversation of a thread. Source: app-server.md 1.7, realtime.md 3.1.

They are answered at once; what comes of them is told by notifications.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.context import StartRequest, Way, resolve_session
from backchannel.core import Speech
from backchannel.errors import BackchannelError
from backchannel.runtime import OverExistingCall, OverWebRtc, OverWebSocket, Settings
from backchannel.server.methods import Methods, Refused, find_live, row
from backchannel.server.voice import Voice
from backchannel.wire import appserver
from backchannel.wire.realtime import InitialItem, Modality, intents

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from backchannel.runtime import Transport
    from backchannel.server.app import App
    from backchannel.server.live_thread import LiveThread
    from backchannel.server.peer import Peer

__all__ = ["realtime_methods"]

_NOTHING: Final = appserver.Empty()
_NOT_RUNNING: Final = "conversation is not running"
_TAGS: Final = {"analysis": ("[ANALYSIS]",), "commentary": ("[COMMENTARY]",)}
"""How a text of the agent begins that is not for the ear, where the client has it written so."""


def realtime_methods(app: App) -> Methods:
    """The methods."""
    methods = _Realtime(app)
    return Methods(
        at_once={
            "thread/realtime/start": row(appserver.ThreadRealtimeStartParams, methods.start),
            "thread/realtime/appendAudio": row(appserver.ThreadRealtimeAppendAudioParams, methods.append_audio),
            "thread/realtime/appendText": row(appserver.ThreadRealtimeAppendTextParams, methods.append_text),
            "thread/realtime/appendSpeech": row(appserver.ThreadRealtimeAppendSpeechParams, methods.append_speech),
            "thread/realtime/stop": row(appserver.ThreadRealtimeStopParams, methods.stop),
            "thread/realtime/playback": row(appserver.ThreadRealtimePlaybackParams, methods.playback),
            "thread/realtime/listVoices": row(appserver.ThreadRealtimeListVoicesParams, methods.list_voices),
        }
    )


class _Realtime:
    def __init__(self, app: App) -> None:
        self._app = app

    def start(self, peer: Peer, params: appserver.ThreadRealtimeStartParams) -> appserver.Empty:
        live = find_live(self._app, params.thread_id)
        if isinstance(params.transport, appserver.ExistingCallTransport):
            _check_existing_call(params)
        self._in_order(live, "realtime start", lambda: self._start(peer, live, params))
        return _NOTHING

    def append_audio(self, peer: Peer, params: appserver.ThreadRealtimeAppendAudioParams) -> appserver.Empty:
        live = find_live(self._app, params.thread_id)
        voice = self._app.voices.get(params.thread_id)
        if voice is None or not voice.is_live:
            live.failed(_NOT_RUNNING)
        else:
            peer.speaks_in.add(params.thread_id)
            voice.append_audio(params.audio.data)
        return _NOTHING

    def append_text(self, _: Peer, params: appserver.ThreadRealtimeAppendTextParams) -> appserver.Empty:
        live = find_live(self._app, params.thread_id)
        self._in_order(live, "append text", lambda: self._append_text(live, params))
        return _NOTHING

    def append_speech(self, _: Peer, params: appserver.ThreadRealtimeAppendSpeechParams) -> appserver.Empty:
        live = find_live(self._app, params.thread_id)
        self._in_order(live, "append speech", lambda: self._append_speech(live, params))
        return _NOTHING

    def stop(self, _: Peer, params: appserver.ThreadRealtimeStopParams) -> appserver.Empty:
        live = find_live(self._app, params.thread_id)
        self._in_order(live, "realtime stop", lambda: self._stop(live))
        return _NOTHING

    def playback(self, _: Peer, params: appserver.ThreadRealtimePlaybackParams) -> appserver.Empty:
        find_live(self._app, params.thread_id)
        voice = self._app.voices.get(params.thread_id)
        if voice is not None:
            voice.played(params.item_id, params.played_ms)
        return _NOTHING

    def list_voices(
        self, _: Peer, __: appserver.ThreadRealtimeListVoicesParams
    ) -> appserver.ThreadRealtimeListVoicesResponse:
        return appserver.VOICES

    # In the order in which they were asked for, one after the other

    def _in_order(self, live: LiveThread, name: str, do: Callable[[], Coroutine[object, object, None]]) -> None:
        lock = self._app.voice_locks.setdefault(live.thread_id, asyncio.Lock())

        async def in_turn() -> None:
            async with lock:
                await do()

        self._app.start(name, in_turn())

    async def _start(self, peer: Peer, live: LiveThread, params: appserver.ThreadRealtimeStartParams) -> None:
        try:
            settings = await self._settings(peer, live, params)
        except BackchannelError as exc:
            told = appserver.ThreadRealtimeErrorNotification(thread_id=live.thread_id, message=str(exc))
            self._app.tell(live.thread_id, "thread/realtime/error", told)
            return
        if self._app.threads.get(live.thread_id) is not live:
            # Nobody is told of it any more, but who asked wants to know.
            message = "the thread was closed before the conversation could begin; resume the thread and start it again"
            told = appserver.ThreadRealtimeErrorNotification(thread_id=live.thread_id, message=message)
            peer.tell("thread/realtime/error", told)
            return
        voice = self._app.voices.get(live.thread_id)
        if voice is None or not voice.is_live:
            voice = self._app.voices[live.thread_id] = Voice(live, services=self._app, on_over=self._over)
        await voice.start(settings)

    def _over(self, voice: Voice) -> None:
        for thread_id, known in list(self._app.voices.items()):
            if known is voice:
                del self._app.voices[thread_id]

    async def _append_text(self, live: LiveThread, params: appserver.ThreadRealtimeAppendTextParams) -> None:
        voice = self._app.voices.get(live.thread_id)
        if voice is None or not voice.is_live:
            live.failed(_NOT_RUNNING)
        else:
            await voice.append_text(params.text, params.role)

    async def _append_speech(self, live: LiveThread, params: appserver.ThreadRealtimeAppendSpeechParams) -> None:
        voice = self._app.voices.get(live.thread_id)
        if voice is None or not voice.is_live:
            live.failed(_NOT_RUNNING)
        else:
            await voice.append_speech(params.text)

    async def _stop(self, live: LiveThread) -> None:
        voice = self._app.voices.get(live.thread_id)
        if voice is not None and voice.is_live:
            await voice.stop()
            return
        told = appserver.ThreadRealtimeClosedNotification(thread_id=live.thread_id, reason="requested")
        self._app.tell(live.thread_id, "thread/realtime/closed", told)

    async def _settings(self, peer: Peer, live: LiveThread, params: appserver.ThreadRealtimeStartParams) -> Settings:
        config = self._app.options.config
        request = _request(peer, live, params)
        target = await self._app.target(for_call=request.way is not Way.WEBSOCKET)
        context = ""
        wants_context = params.include_startup_context is not False and config.realtime.startup_context is None
        if wants_context and request.way is not Way.EXISTING_CALL:
            await self._app.flush()
            gathering = self._app.gatherer.begin(
                live.thread.cwd, thread_id=live.thread_id, options=config.realtime.context
            )
            context = (await gathering.collect()).text
        session = resolve_session(config, request, default_prompt=self._app.prompt(), startup_context=context)
        options = msgspec.structs.replace(
            session.options,
            client_managed_handoffs=params.client_managed_handoffs is True,
            reports_as_items=params.codex_responses_as_items is True,
            report_prefix=params.codex_response_item_prefix,
            tells_thoughts=params.backend_reasoning_status,
            hands_over_tail=params.flush_transcript_tail_on_session_end is True,
        )
        mode = params.codex_response_handoff_mode
        if session.dialect.abilities.speaks_by_channel and mode is not None:
            # The voice, not we, chooses the moment.
            channel: intents.Channel | None = "commentary" if mode == "commentary" else None
            options = msgspec.structs.replace(options, speech=Speech.IMMEDIATE, report_channel=channel)
        if mode == "bemTags":
            given = params.codex_response_handoff_channel_prefixes or {}
            tags = {name: given.get(name, usual) for name, usual in _TAGS.items()}
            options = msgspec.structs.replace(options, report_tags=tags)
        session = dataclasses.replace(session, options=options)
        return Settings.of(session, target=target, transport=_transport(params))


def _request(peer: Peer, live: LiveThread, params: appserver.ThreadRealtimeStartParams) -> StartRequest:
    match params.transport:
        case None | appserver.WebsocketTransport():
            way = Way.WEBSOCKET
        case appserver.WebrtcTransport():
            way = Way.WEBRTC
        case appserver.ExistingCallTransport():
            way = Way.EXISTING_CALL
    items = tuple(InitialItem(role=item.role, text=item.text) for item in params.initial_items or ())
    return StartRequest(
        way=way,
        version=params.version,
        model=params.model,
        voice=params.voice,
        modality=Modality(params.output_modality),
        prompt=params.prompt,
        include_startup_context=params.include_startup_context,
        initial_items=items,
        ack_filler=params.delegation_ack_filler,
        start_instructions=params.realtime_start_instructions,
        end_instructions=params.realtime_end_instructions,
        thread_id=live.thread_id,
        session_id=params.realtime_session_id,
        voice_session_id=params.voice_session_id,
        originator=None if peer.info is None else peer.info.name,
    )


def _transport(params: appserver.ThreadRealtimeStartParams) -> Transport:
    match params.transport:
        case None | appserver.WebsocketTransport():
            return OverWebSocket()
        case appserver.WebrtcTransport(sdp=sdp):
            return OverWebRtc(offer_sdp=sdp)
        case appserver.ExistingCallTransport(call_id=call_id):
            return OverExistingCall(call_id=call_id)


def _check_existing_call(params: appserver.ThreadRealtimeStartParams) -> None:
    given = (
        params.include_startup_context is True,
        params.prompt is not msgspec.UNSET,
        params.initial_items,
        params.model,
        params.voice,
        params.delegation_ack_filler is not None,
    )
    if any(given):
        raise Refused("existing realtime calls do not support session configuration options")
