from __future__ import annotations

import msgspec
import pytest

from backchannel.wire.appserver import approvals as module
from tests.wire.appserver.forms import example, structs_of


@pytest.mark.parametrize("kind", structs_of(module))
@pytest.mark.parametrize("full", [True, False])
def test_every_message_keeps_its_value(kind: type[msgspec.Struct], *, full: bool) -> None:
    value = example(kind, full=full)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


def test_an_answer_may_be_more_than_a_word() -> None:
    data = b'{"decision": {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": []}}}'
    assert isinstance(msgspec.json.decode(data, type=module.ApprovalAnswer).decision, dict)
