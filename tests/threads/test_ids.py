from __future__ import annotations

import uuid

from backchannel.threads import new_thread_id


def test_an_id_is_a_uuid_of_version_7_and_tells_when_it_was_made() -> None:
    made = [uuid.UUID(new_thread_id(at_ms)) for at_ms in (0, 1, 1_700_000_000_000, (1 << 48) - 1)]
    assert made == sorted(made)
    assert [each.int >> 80 for each in made] == [0, 1, 1_700_000_000_000, (1 << 48) - 1]
    assert {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert new_thread_id(5) != new_thread_id(5)
