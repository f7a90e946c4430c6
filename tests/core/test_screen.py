from __future__ import annotations

from backchannel.core import screen
from tests.core.examples import SCREEN
from tests.tagged import assert_closed_union, assert_members_are_declared


def test_screen_events_are_a_closed_union() -> None:
    assert_closed_union(screen.ScreenEvent, SCREEN)
    assert_members_are_declared(screen, screen.ScreenEvent, besides=set())


def test_the_reasons_of_a_close_are_those_of_the_protocol() -> None:
    assert {reason.value for reason in screen.CloseReason} == {"requested", "transport_closed", "error"}


def test_an_answered_call_is_printed_without_its_network_addresses() -> None:
    assert repr(screen.CallAnswered(sdp="c=IN IP4 192.0.2.1")) == "CallAnswered(sdp=...)"
