"""`turn/...`: asking the agent for something. Source: app-server.md 1.3 and 1.6."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import msgspec

from backchannel.server.asks import Ask
from backchannel.server.methods import Methods, Refused, find_live, row
from backchannel.server.settings import changed_by_turn
from backchannel.wire import appserver

if TYPE_CHECKING:
    from backchannel.server.app import App
    from backchannel.server.peer import Peer

__all__ = ["turn_methods"]


def turn_methods(app: App) -> Methods:
    """The methods."""
    methods = _Turns(app)
    return Methods(
        at_once={
            "turn/start": row(appserver.TurnStartParams, methods.start),
            "turn/steer": row(appserver.TurnSteerParams, methods.steer),
        },
        in_time={"turn/interrupt": row(appserver.TurnInterruptParams, methods.interrupt)},
    )


class _Turns:
    def __init__(self, app: App) -> None:
        self._app = app

    def start(self, _: Peer, params: appserver.TurnStartParams) -> appserver.TurnStartResponse:
        live = find_live(self._app, params.thread_id)
        _check_length(params.input)
        if params.cwd is not None and os.path.normpath(params.cwd) != os.path.normpath(live.thread.cwd):
            raise Refused(f"this thread works in {live.thread.cwd}; start another thread for another folder")
        ask = dataclasses.replace(_ask(params), output_schema=_schema(params.output_schema))
        live.settings = changed_by_turn(live.settings, params)
        turn = live.submit(ask)
        shown = appserver.Turn(id=turn.turn_id, status="inProgress", items_view="notLoaded", root_turn_id=turn.turn_id)
        return appserver.TurnStartResponse(turn=shown)

    def steer(self, _: Peer, params: appserver.TurnSteerParams) -> appserver.TurnSteerResponse:
        live = find_live(self._app, params.thread_id)
        _check_length(params.input)
        if live.turn is None:
            raise Refused("no active turn to steer")
        if live.turn.turn_id != params.expected_turn_id:
            raise Refused(f"expected active turn id `{params.expected_turn_id}` but found `{live.turn.turn_id}`")
        return appserver.TurnSteerResponse(turn_id=live.submit(_ask(params)).turn_id)

    async def interrupt(self, _: Peer, params: appserver.TurnInterruptParams) -> appserver.Empty:
        live = find_live(self._app, params.thread_id)
        if live.turn is None:
            raise Refused("no active turn to interrupt")
        if live.turn.turn_id != params.turn_id:
            raise Refused(f"expected active turn id {params.turn_id} but found {live.turn.turn_id}")
        await live.interrupt()
        return appserver.Empty()


def _check_length(given: tuple[appserver.UserInput, ...]) -> None:
    problem = appserver.input_too_large(given)
    if problem is not None:
        raise Refused.of(problem)


def _schema(given: msgspec.Raw) -> bytes | None:
    try:
        schema = msgspec.json.decode(given, type=dict[str, msgspec.Raw] | None)
    except (msgspec.MsgspecError, UnicodeError) as exc:
        raise Refused(f"expected a JSON schema, an object, as outputSchema: {exc}") from None
    return None if schema is None else bytes(given)


def _ask(params: appserver.TurnStartParams | appserver.TurnSteerParams) -> Ask:
    return Ask(
        text="\n".join(part.text for part in params.input if isinstance(part, appserver.TextInput)),
        content=params.input,
        client_id=params.client_user_message_id,
        metadata=params.responsesapi_client_metadata,
        metadata_patch=params.responsesapi_client_metadata_patch,
    )
