from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, Raw, UnsetType

from backchannel.wire.appserver import shapes


class Asked(shapes.Params, frozen=True, kw_only=True):
    some_thing: int
    not_given: str | None = None
    anything: Raw = msgspec.field(default_factory=shapes.null)


class Told(shapes.Shape, frozen=True, kw_only=True):
    some_thing: shapes.U16
    not_given: str | None = None
    left_out: str | UnsetType | None = UNSET
    anything: Raw = msgspec.field(default_factory=shapes.null)


class Choice(shapes.Variant, frozen=True, kw_only=True):
    this_one: str | UnsetType = UNSET
    that_one: Raw | UnsetType = UNSET


def test_parameters_leave_out_what_has_its_default() -> None:
    assert msgspec.json.encode(Asked(some_thing=1)) == b'{"someThing":1,"anything":null}'


def test_what_is_told_has_every_field() -> None:
    assert msgspec.json.encode(Told(some_thing=1)) == b'{"someThing":1,"notGiven":null,"anything":null}'


def test_any_json_is_taken_as_it_is() -> None:
    told = msgspec.json.decode(b'{"someThing":1,"anything":[1, 2],"unknown":true}', type=Told)

    assert told == Told(some_thing=1, anything=Raw(b"[1, 2]"))


def test_numbers_have_limits() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"someThing":65536}', type=Told)


@pytest.mark.parametrize("choice", [Choice(this_one="x"), Choice(that_one=Raw(b"null"))])
def test_a_choice_with_something_inside_has_one_key(choice: Choice) -> None:
    written = msgspec.json.encode(choice)

    assert len(msgspec.json.decode(written)) == 1
    assert msgspec.json.decode(written, type=Choice) == choice


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (b"{}", "expected exactly one of thisOne, thatOne, got 0"),
        (b'{"thisOne":"x","thatOne":1}', "expected exactly one of thisOne, thatOne, got 2"),
        (b'{"thisOne":"x","other":1}', "unknown field `other`"),
    ],
)
def test_no_choice_and_two_choices_are_none(written: bytes, problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.json.decode(written, type=Choice)


def test_nothing_is_an_empty_object() -> None:
    assert msgspec.json.encode(shapes.Empty()) == b"{}"


def test_what_holds_a_secret_shows_its_name_alone() -> None:
    class Login(shapes.Discreet, shapes.Params, frozen=True, kw_only=True):
        api_key: str

    assert f"{Login(api_key='secret')!r}" == "Login(...)"
    assert msgspec.json.encode(Login(api_key="secret")) == b'{"apiKey":"secret"}'
