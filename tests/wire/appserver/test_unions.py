from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from backchannel.wire.appserver import (
    UNIONS,
    AskForApproval,
    GranularApproval,
    TextInput,
    Thread,
    UserInput,
    struct_kinds,
    union_name,
)

if TYPE_CHECKING:
    import msgspec


@pytest.mark.parametrize("name", UNIONS)
def test_a_union_is_found_by_its_structs(name: str) -> None:
    assert union_name(struct_kinds(UNIONS[name])) == name


def test_the_structs_of_a_union_are_only_a_part_of_what_it_can_be() -> None:
    assert struct_kinds(AskForApproval) == {GranularApproval}
    assert TextInput in struct_kinds(UserInput)


@pytest.mark.parametrize("kinds", [frozenset(), {Thread}, {TextInput}])
def test_other_structs_have_no_common_name(kinds: frozenset[type[msgspec.Struct]]) -> None:
    assert union_name(frozenset(kinds)) is None
