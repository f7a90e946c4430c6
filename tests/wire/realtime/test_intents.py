from __future__ import annotations

from typing import get_args

from backchannel.wire.realtime import intents
from tests.tagged import assert_closed_union, assert_members_are_declared
from tests.wire.realtime.examples import INTENTS


def test_intents_are_a_closed_union() -> None:
    assert_closed_union(intents.Intent, INTENTS)
    assert_members_are_declared(intents, intents.Intent, besides=set())


def test_the_roles_are_those_of_the_protocol() -> None:
    assert get_args(intents.Role) == ("user", "developer", "assistant")
