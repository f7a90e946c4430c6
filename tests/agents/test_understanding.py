from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents import spoken_intent
from backchannel.agents.workspace.requests import (
    ABILITIES,
    Also,
    DescribeProject,
    ExplainFailure,
    Faster,
    Help,
    Instead,
    ListCommits,
    ListFiles,
    NamedPeriod,
    Narrow,
    Past,
    Request,
    RunTests,
    Search,
    ShowBranch,
    ShowFile,
    SinceDate,
    SinceLastCommit,
    SinceRelease,
    SinceWeekday,
    Status,
    Steer,
    Stop,
    Unit,
    WhatChanged,
    WhoChanged,
    WorkingTree,
)
from backchannel.agents.workspace.understanding import CONVERSATION, understand, understand_steer, wants_writing

UNDERSTOOD: tuple[tuple[str, Request], ...] = (
    ("What changed this week?", WhatChanged(period=NamedPeriod.THIS_WEEK)),
    ("what's new since yesterday", WhatChanged(period=NamedPeriod.SINCE_YESTERDAY)),
    ("uh could you please tell me what changed today", WhatChanged(period=NamedPeriod.TODAY)),
    ("what did we do in the last three days", WhatChanged(period=Past(count=3, unit=Unit.DAY))),
    ("what changed in the past hour", WhatChanged(period=Past(count=1, unit=Unit.HOUR))),
    ("what changed in core since last friday", WhatChanged(period=SinceWeekday(weekday=4), where="core")),
    ("what changed in src/core", WhatChanged(where="src/core")),
    ("what changed since the last commit", WhatChanged(period=SinceLastCommit())),
    ("what changed since the last release", WhatChanged(period=SinceRelease())),
    ("what changed since 2026-02-01", WhatChanged(period=SinceDate(date=datetime.date(2026, 2, 1)))),
    ("summarize yesterday's work", WhatChanged(period=NamedPeriod.YESTERDAY)),
    ("what changed in this project", WhatChanged()),
    ("what changed this weak", WhatChanged(period=NamedPeriod.THIS_WEEK)),
    ("git log", ListCommits()),
    ("show me the last five commits", ListCommits(count=5)),
    ("what was the last commit", ListCommits(count=1)),
    ("who worked on core this month", WhoChanged(where="core", period=NamedPeriod.THIS_MONTH)),
    ("who changed the make file", WhoChanged(where="makefile")),
    ("run the tests", RunTests()),
    ("Please run all of the tests now.", RunTests()),
    ("rum the tests", RunTests()),
    ("kick off the test suite for me", RunTests()),
    ("run the core tests", RunTests(where="core")),
    ("run the tests in docs", RunTests(where="docs")),
    ("only the core tests", RunTests(where="core")),
    ("pytest tests/core", RunTests(where="tests/core")),
    ("run the failed tests again", RunTests(only_failed=True)),
    ("run the tests and stop at the first failure", RunTests(fail_fast=True)),
    ("run the tests without the slow ones", RunTests(skip_slow=True)),
    ("are all the tests still passing", RunTests()),
    ("search for timeout", Search(text="timeout")),
    ("search for SteerRefused please", Search(text="SteerRefused")),
    ('search for "def retry" in src', Search(text="def retry", literal=True, where="src")),
    ("search for now", Search(text="now")),
    ("search the code for to do", Search(text="todo")),
    ("where is retry_backoff defined", Search(text="retry_backoff")),
    ("find the retry function", Search(text="retry")),
    ("which files mention timeout", Search(text="timeout")),
    ("look for errors in docs", Search(text="errors", where="docs")),
    ("show me the readme", ShowFile(name="readme")),
    ("open read me", ShowFile(name="readme")),
    ("show src/app/main.py", ShowFile(name="src/app/main.py")),
    ("read me test core dot p y", ShowFile(name="test core.py")),
    ("open test underscore core dot py", ShowFile(name="test_core.py")),
    ("what is in the make file", ShowFile(name="makefile")),
    ("cat ../../etc/passwd", ShowFile(name="../../etc/passwd")),
    ("why did it fail", ExplainFailure()),
    ("what went wrong?", ExplainFailure()),
    ("which tests failed", ExplainFailure()),
    ("What is this project about?", DescribeProject()),
    ("describe the project", DescribeProject()),
    ("list the files", ListFiles()),
    ("list the files in docs", ListFiles(where="docs")),
    ("git status", WorkingTree()),
    ("are there uncommitted changes", WorkingTree()),
    ("which branch are we on", ShowBranch()),
    ("how is it going", Status()),
    ("are you done yet", Status()),
    ("what can you do", Help()),
    ("help", Help()),
)

NOT_UNDERSTOOD = (
    "",
    "   ",
    "banana",
    "?!",
    "don't run the tests",
    "do not search for timeout",
    "delete the tests",
    "run the tests and then deploy",
    "commit my changes",
    "rm -rf /",
    "run rm -rf /",
    "tell me a joke",
    "what is the weather today",
    "find me a good restaurant",
    "where is the bathroom",
    "open the door",
    "start the car",
    "who is the president",
    "how are you",
    "do it",
    "what changed since 2026-02-31",
    "word " * 100,
    "x" * 5000,
)

STEERS: tuple[tuple[str, Steer], ...] = (
    ("only the core tests", Narrow(where="core")),
    ("no just core please", Narrow(where="core")),
    ("only in docs", Narrow(where="docs")),
    ("limit it to the front end", Narrow(where="frontend")),
    ("the core tests", Narrow(where="core")),
    ("only tests/core", Narrow(where="tests/core")),
    ("faster", Faster()),
    ("can you go faster", Faster()),
    ("stop at the first failure", Faster()),
    ("skip the slow tests", Faster()),
    ("instead search for timeout", Instead(request=Search(text="timeout"))),
    ("search for timeout instead", Instead(request=Search(text="timeout"))),
    ("forget that and show me the license", Instead(request=ShowFile(name="license"))),
    ("what changed this week", Also(request=WhatChanged(period=NamedPeriod.THIS_WEEK))),
    ("run the core tests", Also(request=RunTests(where="core"))),
    ("how is it going", Also(request=Status())),
    ("stop", Stop()),
    ("Stop the tests, please!", Stop()),
    ("okay cancel that", Stop()),
    ("never mind", Stop()),
)


@pytest.mark.parametrize(("text", "request_"), UNDERSTOOD, ids=[text for text, _request in UNDERSTOOD])
def test_a_request_is_understood(text: str, request_: Request) -> None:
    assert understand(text) == request_
    assert understand(text.upper()) is None or type(understand(text.upper())) is type(request_)


@pytest.mark.parametrize("text", NOT_UNDERSTOOD, ids=[text[:40] for text in NOT_UNDERSTOOD])
def test_anything_else_means_nothing(text: str) -> None:
    assert understand(text) is None


@pytest.mark.parametrize(("text", "steer"), STEERS, ids=[text for text, _steer in STEERS])
def test_a_steer_is_understood(text: str, steer: Steer) -> None:
    assert understand_steer(text) == steer


@pytest.mark.parametrize("text", ["banana", "instead", "instead of coffee", "only", "", "don't stop believing"])
def test_no_steer_is_guessed(text: str) -> None:
    assert understand_steer(text) is None


def test_the_table_of_abilities_is_what_is_understood() -> None:
    for ability in ABILITIES:
        assert understand(ability.example) == ability.request
    assert {type(ability.request) for ability in ABILITIES} == set(Request.__args__)


def test_what_belongs_to_the_conversation_is_no_request() -> None:
    assert not [phrase for phrase in CONVERSATION if understand(phrase) is not None]


def test_a_request_to_write_is_told_from_the_rest() -> None:
    assert wants_writing("delete the tests")
    assert not wants_writing("tell me a joke")


def test_intents_have_the_names_of_their_types() -> None:
    assert spoken_intent("run the tests") == "RunTests"
    assert spoken_intent("faster") == "Faster"
    assert spoken_intent("banana") is None


WORDS = st.sampled_from(
    [
        "run",
        "the",
        "tests",
        "only",
        "core",
        "stop",
        "search",
        "for",
        "what",
        "changed",
        "since",
        "last",
        "three",
        "days",
        "show",
        "me",
        "file",
        "dot",
        "p",
        "y",
        "readme",
        "please",
        "instead",
        "in",
        "and",
        "who",
        "why",
        "it",
        "fail",
        '"',
        "'",
        "`",
        "..",
        "/",
        "\\",
        "don't",
        "uh",
        "not",
        "this",
        "week",
    ]
)


@given(st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    request = understand(text)
    steer = understand_steer(text)
    wants_writing(text)
    # Whatever is a request by itself is taken by a running turn too, in one way or another.
    assert request is None or steer is not None
