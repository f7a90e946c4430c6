from __future__ import annotations

import pytest

from backchannel.core import Conversation, Options, events
from backchannel.errors import LocalProtocolError
from tests.core.examples import EVENTS
from tests.tagged import assert_closed_union, assert_members_are_declared


def test_events_are_a_closed_union() -> None:
    assert_closed_union(events.Event, EVENTS)
    assert_members_are_declared(events, events.Event, besides=set())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_core_takes_every_event_at_any_time(event: events.Event) -> None:
    connecting = Conversation(Options())
    if isinstance(event, events.ReplacementRequested):
        with pytest.raises(LocalProtocolError, match="expected a running conversation to replace"):
            connecting.handle(event, 1.0)
    else:
        connecting.handle(event, 1.0)

    live = Conversation(Options())
    live.handle(events.TransportOpened(), 1.0)
    if isinstance(event, events.TransportOpened | events.OpenFailed):
        with pytest.raises(LocalProtocolError, match="expected no opening"):
            live.handle(event, 2.0)
    else:
        live.handle(event, 2.0)
