"""The closed sets of words that open slots are recognised by: numbers, places, what is searched for, file names.

The places, code words and file names of `requests.gram` are among them; a test checks that by understanding every
sentence of the grammar.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CODE_WORDS", "FILE_WORDS", "NUMBERS", "PLACES", "PLACE_PATTERN", "WEEKDAYS", "word_set"]


def word_set(listed: str) -> frozenset[str]:
    """Words listed with spaces between, as a set."""
    return frozenset(listed.split())


NUMBERS: Final[dict[str, int]] = {
    "a": 1,
    "one": 1,
    "couple": 2,
    "two": 2,
    "three": 3,
    "few": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "fourteen": 14,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty eight": 48,
}

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

PLACES: Final = word_set(
    "agents app apps assets audio auth authentication backend build client code common components config "
    "configuration context controllers core database db doc docs documentation engine events example "
    "examples exports frontend fuzz grammar helpers infrastructure integration interface internal lib "
    "library migrations models net network packages pages parser plugins protocol public routes runtime "
    "schema script scripts security server service services session source speech src static storage "
    "system templates test testing tests threads tools transport types unit utilities utils util video "
    "views voice web website wire"
) | frozenset({"front end", "back end", "data base", "end to end", "unit", "integration", "regression", "property"})

PLACE_PATTERN: Final = "|".join(sorted(PLACES, key=len, reverse=True))
"""The places as alternatives of a regular expression, longer ones first."""

CODE_WORDS: Final = word_set(
    "asyncio audio async await back backoff buffer bug bugs cache class clock close codec comments commit "
    "config connect connection connections context cookie cookies copyright credentials crypto database "
    "deadline debug decoder decode decorator default delay deprecated deprecation dict encoder encode "
    "endpoint engine env error errors event events exception exceptions exit export fixme flag flags "
    "fixture format function functions global handler handlers hash header headers hook http https import "
    "imports index init int json key keys license limit limits list lock log logger logging login main "
    "message messages method methods migration model models module mutex options output package parse "
    "parser password passwords path paths permission permissions port print process property protocol "
    "proxy queue queues query raise rate reader regex request requests response responses result results "
    "retry retries route routes runner schema scheduler secret secrets semaphore serializer server "
    "session sessions settings setup signal sleep socket sockets state states stream streams string "
    "struct subprocess table task tasks template test tests thread threads timeout timeouts timer timers "
    "todo todos token tokens trace traceback transaction type types url urls user users utils validate "
    "validation variable version versions warning warnings webhook websocket websockets widget worker "
    "workers writer yaml xml client clients api apis auth authentication"
) | frozenset(
    {
        "back off",
        "fix me",
        "log in",
        "time out",
        "time outs",
        "to do",
        "to do comments",
        "to dos",
        "web socket",
        "web sockets",
        "todo comments",
    }
)

FILE_WORDS: Final = word_set(
    "readme license makefile changelog setup contributing requirements configuration config pyproject "
    "package manifest dockerfile gitignore gemfile procfile authors notice security todo history news "
    "install core main server client parser test tests engine audio model models settings errors events "
    "requests session app base version utilities utils commands queue cache retry backoff conftest init "
    "index cli api helpers types constants project lock code conduct agents docs documentation docker py "
    "json toml md yaml yml txt js ts rs c h cpp go cfg ini"
)
