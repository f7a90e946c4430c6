"""How often what is tried again."""

from __future__ import annotations

from backchannel.agents.responses.failures import Cause, Failure, FallBack, GiveUp, Retries, TryAgain
from backchannel.config import Provider

REFUSED = Failure(Cause.PASSING, "nobody is there", "look for them", answering=False)
BROKEN = Failure(Cause.PASSING, "it broke off")
SOCKET = Failure(Cause.PASSING, "it closed", over_websocket=True)


def retries(*, requests: int = 2, streams: int = 3, random: float = 0.5) -> Retries:
    provider = Provider(id="p", request_max_retries=requests, stream_max_retries=streams)
    return Retries(provider, random=lambda: random)


def test_a_request_is_tried_as_often_as_the_provider_says() -> None:
    counting = retries()

    assert counting.after(REFUSED) == TryAgain(0.2, None)
    assert counting.after(REFUSED) == TryAgain(0.4, "no answer from the model (nobody is there); trying again, 2 of 2")
    assert counting.after(REFUSED) == GiveUp("nobody is there; look for them")


def test_an_answer_that_broke_off_has_tries_of_its_own() -> None:
    counting = retries(requests=0)

    assert [type(counting.after(BROKEN)) for _ in range(4)] == [TryAgain, TryAgain, TryAgain, GiveUp]
    assert counting.after(REFUSED) == GiveUp("nobody is there; look for them")


def test_a_websocket_is_given_up_for_http_which_has_its_own_tries() -> None:
    counting = retries(streams=1)

    assert isinstance(counting.after(SOCKET), TryAgain)
    assert counting.after(SOCKET) == FallBack("the websocket to the model is given up for HTTP: it closed")
    assert isinstance(counting.after(BROKEN), TryAgain)


def test_after_a_success_all_tries_are_there_again() -> None:
    counting = retries(requests=1)
    assert isinstance(counting.after(REFUSED), TryAgain)

    counting.succeeded()

    assert isinstance(counting.after(REFUSED), TryAgain)
    assert isinstance(counting.after(REFUSED), GiveUp)


def test_what_stays_is_not_tried_again() -> None:
    assert retries().after(Failure(Cause.SETTLED, "no")) == GiveUp("no")


def test_what_the_server_forgot_is_sent_whole_at_once_but_only_once() -> None:
    counting = retries()
    stale = Failure(Cause.STALE, "who?", over_websocket=True)

    assert counting.after(stale) == TryAgain(0.0, None)
    assert counting.after(stale) == GiveUp("who?")


def test_waits_double_give_or_take_a_tenth_up_to_half_a_minute() -> None:
    for random, share in ((0.0, 0.9), (0.5, 1.0), (0.999999, 1.1)):
        counting = retries(requests=100, random=random)
        waits = [decision.delay_s for _ in range(100) if isinstance(decision := counting.after(REFUSED), TryAgain)]
        assert len(waits) == 100
        for wait_s, plain_s in zip(waits, (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0), strict=False):
            assert abs(wait_s - plain_s * share) < 0.001
        assert waits[-1] < 33.1
