from __future__ import annotations

from backchannel.wire.realtime import events
from tests.tagged import assert_closed_union, assert_members_are_declared
from tests.wire.realtime.examples import AUDIO, SERVER_EVENTS


def test_events_are_a_closed_union() -> None:
    assert_closed_union(events.Event, (*SERVER_EVENTS, AUDIO))
    assert_members_are_declared(events, events.Event, besides={"Skipped"})


def test_audio_is_the_only_event_that_the_core_is_not_told_as_it_came() -> None:
    assert_closed_union(events.ServerEvent, SERVER_EVENTS)


def test_a_skipped_message_is_no_event_but_has_a_tag_too() -> None:
    assert events.Skipped(kind="session.created").malformed is None
    assert events.Skipped.__struct_config__.tag == "skipped"
