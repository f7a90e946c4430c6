from __future__ import annotations

import pytest

from backchannel.errors import LocalProtocolError
from backchannel.testing import AcceptAfter, Close, Drop, Expect, Refuse, Run, ScriptedConnection, Send
from backchannel.testing.script import Step, read_script


async def act(_connection: ScriptedConnection) -> None:
    pass


def test_a_function_is_one_step() -> None:
    assert read_script(act) == (Run(act),)
    assert read_script([Send("1")]) == (Send("1"),)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Send("1"), AcceptAfter(delay_s=1)], "AcceptAfter belongs at the beginning"),
        ([Send("1"), Refuse(status=401)], "Refuse belongs at the beginning"),
        ([Send("1"), Drop(before_handshake=True)], "belongs at the beginning"),
        ([Refuse(status=401), Send("1")], "nothing can follow Refuse"),
        ([Drop(), Send("1")], "nothing can follow Drop"),
        ([Close(), Expect("a")], "nothing can follow Close"),
    ],
)
def test_steps_that_cannot_happen(steps: list[Step], message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        read_script(steps)
