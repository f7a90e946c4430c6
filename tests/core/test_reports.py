from __future__ import annotations

import msgspec

from backchannel import core
from backchannel.core import reports
from tests.core.examples import REPORTS
from tests.tagged import assert_closed_union, assert_members_are_declared


def test_reports_are_a_closed_union() -> None:
    assert_closed_union(core.AgentReport, REPORTS)
    assert_members_are_declared(reports, core.AgentReport, besides={"FileChange", "TokensUsed"})


def test_a_turn_that_did_not_fail_has_no_error() -> None:
    assert core.AgentTurnEnded(turn_id="turn_1", outcome=core.Outcome.COMPLETED).error is None


def test_the_values_are_those_that_stand_in_recordings() -> None:
    assert {phase.value for phase in core.Phase} == {"commentary", "final", "unmarked"}
    assert {outcome.value for outcome in core.Outcome} == {"completed", "failed", "interrupted"}
    assert {risk.value for risk in core.Risk} == {"delete", "force_push", "network", "outside_workspace"}


def test_what_an_agent_does_not_say_of_a_request_is_empty() -> None:
    request = core.AgentApprovalRequested(turn_id="turn_1", approval_id="a1", action="run the tests")

    assert (request.detail, request.risks) == ("", ())


def test_what_is_only_known_to_some_agents_is_left_out() -> None:
    end = core.AgentTurnEnded(turn_id="turn_1", outcome=core.Outcome.COMPLETED)
    assert b"tokens" not in msgspec.json.encode(end)
    started = core.AgentCommandStarted(turn_id="turn_1", command_id="c", command="ls")
    assert b"changes" not in msgspec.json.encode(started)


def test_costs_add_up() -> None:
    one = core.TokensUsed(input=10, cached_input=4, output=5, reasoning_output=2)
    both = one + core.TokensUsed(input=1, output=1)
    assert both == core.TokensUsed(input=11, cached_input=4, output=6, reasoning_output=2)
    assert (one.total, both.total) == (15, 17)
