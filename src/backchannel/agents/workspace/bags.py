"""The second reading of a request: small vocabularies whose words may come in any order.

A text is in a bag when all its words belong to the bag's vocabulary and one word of each carrying set is there. The
vocabularies hold no negation and no verb that writes, so a text with one is in no bag. Pure.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from backchannel.agents.workspace.periods import PERIOD_PATTERN, read_period
from backchannel.agents.workspace.requests import (
    ExplainFailure,
    Help,
    ListFiles,
    NamedPeriod,
    Request,
    RunTests,
    ShowBranch,
    Status,
    WhatChanged,
    WorkingTree,
)
from backchannel.agents.workspace.vocabulary import word_set

__all__ = ["read_bags"]


_GLUE: Final = word_set(
    "a an all and am any are be can could do does for give has have here i if in is it just let like me "
    "my need new now of our out please quick quickly see so some still tell that the there these they "
    "this those to up us want was we what whether which will with would you your whole entire full "
    "complete again on at right know check maybe kind"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Bag:
    request: Request
    needs: tuple[frozenset[str], ...]
    may: frozenset[str]


_BAGS: Final[tuple[_Bag, ...]] = (
    _Bag(
        request=RunTests(only_failed=True),
        needs=(word_set("run rerun start execute try repeat"), word_set("failed failing"), word_set("test tests ones")),
        may=word_set("only last once more time"),
    ),
    _Bag(
        request=RunTests(),
        needs=(
            word_set(
                "run rerun start execute launch begin kick try running starting fire verify check perform pass "
                "passing gree n"
            ),
            word_set("test tests testing suite"),
        ),
        may=word_set(
            "off once more time going unit everything project repository code get execution full ahead go okay "
            "working sure make still every single our"
        ),
    ),
    _Bag(
        request=ExplainFailure(),
        needs=(
            word_set("why how explain reason cause describe details"),
            word_set("fail failed failing failure error broke broken breaking"),
        ),
        may=word_set("test tests did the last run went wrong show about exactly come suite latest"),
    ),
    _Bag(
        request=ExplainFailure(),
        needs=(word_set("what which"), word_set("failed failing broke broken"), word_set("test tests")),
        may=word_set("last run exactly"),
    ),
    _Bag(
        request=WorkingTree(),
        needs=(word_set("uncommitted unstaged"),),
        may=word_set("changes files work show list left anything got"),
    ),
    _Bag(
        request=ShowBranch(),
        needs=(word_set("branch"),),
        may=word_set("git current currently show working checked name repository using"),
    ),
    _Bag(
        request=WhatChanged(),
        needs=(
            word_set("what which show list tell summarize anything summary describe"),
            word_set("changed changes new happened different"),
        ),
        may=word_set(
            "been did files recently recent latest last project repository code happen got get went since the "
            "something much summary quick short made"
        ),
    ),
    _Bag(
        request=ListFiles(),
        needs=(word_set("list show which what"), word_set("files folders directories")),
        may=word_set("project repository directory folder workspace exist present structure top level names display"),
    ),
    _Bag(
        request=Status(),
        needs=(word_set("how what status progress"), word_set("going progress status far")),
        may=word_set("test tests run along work update current things everything"),
    ),
    _Bag(
        request=Help(),
        needs=(word_set("help"),),
        may=word_set("how get show commands options abilities"),
    ),
)

_PERIOD: Final = re.compile(rf"\b{PERIOD_PATTERN}(?= |$)")


def read_bags(text: str) -> Request | None:
    """The first bag that holds the text (in normal form), or None."""
    period = None
    if found := _PERIOD.search(text):
        period = read_period(found[0])
        if period is None:
            return None
        text = f"{text[: found.start()]} {text[found.end() :]}"
    words = set(text.split())
    for bag in _BAGS:
        if all(words & need for need in bag.needs) and words <= bag.may.union(_GLUE, *bag.needs):
            if not isinstance(bag.request, WhatChanged):
                # Only what changed has a time; a time with anything else is something nobody foresaw.
                return bag.request if period in (None, NamedPeriod.TODAY) else None
            return WhatChanged() if period is None else WhatChanged(period=period)
    return None
