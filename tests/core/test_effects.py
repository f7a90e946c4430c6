from __future__ import annotations

from backchannel.core import effects
from tests.core.examples import EFFECTS
from tests.tagged import assert_closed_union, assert_members_are_declared


def test_effects_are_a_closed_union() -> None:
    assert_closed_union(effects.Effect, EFFECTS)
    assert_members_are_declared(effects, effects.Effect, besides=set())
