"""What a thread remembers, and what goes when it is too much."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.responses.history import LEFT_OUT, History
from backchannel.agents.responses.items import Call, Item, Kept, Output, Said, Spoken, size_of


def call(name: str) -> Call:
    return Call(name, "tool", "{}", f'{{"type":"function_call","call_id":"{name}"}}')


def step(name: str, size: int) -> list[Item]:
    return [Kept(f'{{"thought":"{name}"}}'), call(name), Output(name, "x" * size)]


def assert_sound(items: tuple[Item, ...]) -> None:
    """As a server wants it: each call has one output after it, and no thought stands before nothing."""
    open_calls: set[str] = set()
    for item in items:
        if isinstance(item, Call):
            assert item.call_id not in open_calls
            open_calls.add(item.call_id)
        elif isinstance(item, Output):
            open_calls.remove(item.call_id)
    assert not open_calls
    for before, after in itertools.pairwise(items):
        assert not isinstance(before, Kept) or isinstance(after, Call | Spoken | Kept)


def test_everything_in_order() -> None:
    history = History([Said("developer", "Open.")])
    history.add(Said("user", "a"), call("1"))
    history.add(Output("1", "b"))

    assert (
        history.items == history.ready() == (Said("developer", "Open."), Said("user", "a"), call("1"), Output("1", "b"))
    )
    assert history.has_call("1")
    assert not history.has_call("2")


def test_the_older_half_goes_and_the_last_wish_stays() -> None:
    opening = Said("developer", "Open.")
    briefing = Said("developer", "A voice speaks.")
    history = History([opening], max_bytes=10_000)
    history.add(Said("user", "old"), *step("1", 3000), Said("user", "older"), briefing, Said("user", "wish"))
    history.add(*step("2", 3000), *step("3", 3000), *step("4", 3000))

    items = history.ready()

    assert items[:4] == (opening, LEFT_OUT, briefing, Said("user", "wish"))
    assert items[4:] == tuple(step("4", 3000))
    assert_sound(items)
    assert history.ready() == items


def test_what_cannot_be_shortened_stays() -> None:
    history = History(max_bytes=100)
    history.add(Said("user", "x" * 500))

    assert not history.shorten()
    assert history.ready() == (Said("user", "x" * 500),)
    assert not History().shorten()


def test_a_model_that_takes_less_gets_less() -> None:
    history = History()
    history.add(Said("user", "a"), *step("1", 1000), *step("2", 1000))

    assert history.shorten()
    assert history.items == (LEFT_OUT, Said("user", "a"), *step("2", 1000))
    assert not history.shorten()


@given(st.lists(st.tuples(st.sampled_from(["user", "step", "two", "said"]), st.integers(0, 400)), max_size=40))
def test_whatever_goes_a_server_takes_the_rest(parts: list[tuple[str, int]]) -> None:
    history = History(max_bytes=2000)
    for n, (kind, size) in enumerate(parts):
        match kind:
            case "user":
                history.add(Said("user", "u" * size))
            case "step":
                history.add(*step(f"{n}", size))
            case "two":
                history.add(call(f"{n}a"), call(f"{n}b"), Output(f"{n}a", "x" * size), Output(f"{n}b", ""))
            case _:
                history.add(Kept("{}"), Spoken("s", '{"s":1}'))
        before = history.items
        items = history.ready()
        assert_sound(items)
        if items != before:
            assert sum(map(size_of, items)) < sum(map(size_of, before))
            assert [item for item in before if isinstance(item, Said) and item.role == "user"][-1:] == [
                item for item in items if isinstance(item, Said) and item.role == "user"
            ][-1:]
