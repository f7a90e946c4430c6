from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backchannel.wire.appserver import threads
from tests.wire.appserver.made import N_EXAMPLES, comes_back, made, shapes_of


@pytest.mark.parametrize("kind", shapes_of(threads), ids=lambda kind: kind.__name__)
@settings(max_examples=N_EXAMPLES)
@given(data=st.data())
def test_what_is_written_reads_as_the_same(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    assert comes_back(data.draw(made(kind)))


def test_a_thread_is_written_with_every_field() -> None:
    thread = threads.Thread(
        id="t",
        session_id="t",
        ephemeral=True,
        model_provider="openai",
        created_at=1,
        updated_at=2,
        status=threads.ActiveStatus(active_flags=("waitingOnApproval",)),
        cwd="/projects/mine",
        cli_version="0.1.0",
        source=threads.SourceDetail(custom="editor"),
        git_info=threads.GitInfo(branch="main"),
    )
    written = msgspec.json.decode(msgspec.json.encode(thread))

    assert set(written) == set(thread.__struct_encode_fields__)
    assert written["status"] == {"type": "active", "activeFlags": ["waitingOnApproval"]}
    assert written["source"] == {"custom": "editor"}
    assert written["gitInfo"] == {"sha": None, "branch": "main", "originUrl": None}
    assert written["environments"] is written["extra"] is written["section"] is None
    assert written["turns"] == []
