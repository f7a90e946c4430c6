from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backchannel.wire.appserver import approvals
from tests.wire.appserver.made import N_EXAMPLES, comes_back, made, shapes_of


@pytest.mark.parametrize("kind", shapes_of(approvals), ids=lambda kind: kind.__name__)
@settings(max_examples=N_EXAMPLES)
@given(data=st.data())
def test_what_is_written_reads_as_the_same(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    assert comes_back(data.draw(made(kind)))


def test_a_request_leaves_out_what_it_does_not_know() -> None:
    asked = approvals.CommandExecutionRequestApprovalParams(
        thread_id="t", turn_id="turn", item_id="item", started_at_ms=7, command="make install"
    )

    assert msgspec.json.decode(msgspec.json.encode(asked)) == {
        "kind": "command",
        "threadId": "t",
        "turnId": "turn",
        "itemId": "item",
        "startedAtMs": 7,
        "environmentId": None,
        "command": "make install",
    }


def test_a_decision_with_more_to_say_is_an_object_of_one_key() -> None:
    amendment = approvals.AcceptWithExecpolicyAmendment(execpolicy_amendment=("make",))
    answer = approvals.CommandExecutionRequestApprovalResponse(
        decision=approvals.DecisionDetail(accept_with_execpolicy_amendment=amendment)
    )

    assert msgspec.json.decode(msgspec.json.encode(answer)) == {
        "decision": {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["make"]}}
    }


@pytest.mark.parametrize("request_id", [7, "seven"])
def test_the_id_of_a_request_keeps_its_type(request_id: int | str) -> None:
    told = approvals.ServerRequestResolvedNotification(thread_id="t", request_id=request_id)

    assert msgspec.json.decode(msgspec.json.encode(told)) == {"threadId": "t", "requestId": request_id}
