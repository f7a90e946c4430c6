from __future__ import annotations

from backchannel import core
from backchannel.core import reports
from tests.core.examples import REPORTS
from tests.tagged import assert_closed_union, assert_members_are_declared


def test_reports_are_a_closed_union() -> None:
    assert_closed_union(core.AgentReport, REPORTS)
    assert_members_are_declared(reports, core.AgentReport, besides=set())


def test_a_turn_that_did_not_fail_has_no_error() -> None:
    assert core.AgentTurnEnded(turn_id="turn_1", outcome=core.Outcome.COMPLETED).error is None
