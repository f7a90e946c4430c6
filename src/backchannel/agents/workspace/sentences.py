"""The first reading of a request: patterns that match a whole text, with open slots. Pure.

A pattern is a regular expression over the normal form (`words.normal`); its maker turns what it found into a request,
or into None when a slot holds something the pattern was not meant for. The first pattern with a request wins.

The file is long because it is one table, and the order of its rows is part of its meaning.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING, Final

from backchannel.agents.workspace.periods import PERIOD_PATTERN, read_period
from backchannel.agents.workspace.requests import (
    DescribeProject,
    ExplainFailure,
    Help,
    ListCommits,
    ListFiles,
    Request,
    RunTests,
    Search,
    ShowBranch,
    ShowFile,
    Status,
    WhatChanged,
    WhoChanged,
    WorkingTree,
)
from backchannel.agents.workspace.vocabulary import CODE_WORDS, FILE_WORDS, NUMBERS, PLACE_PATTERN, PLACES
from backchannel.agents.workspace.words import Word, normal, spoken_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["place", "read_sentence"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Match:
    """What a pattern found, giving slots as they came."""

    found: re.Match[str]
    words: list[Word]

    def has(self, group: str) -> bool:
        return self.text(group) is not None

    def text(self, group: str) -> str | None:
        """The normal form of a slot; None when it is empty or not in the pattern."""
        return self.found[group] if group in self.found.re.groupindex else None

    def slot(self, group: str) -> list[Word]:
        """The words of a slot."""
        if not self.has(group):
            return []
        start, end = self.found.span(group)
        first = self.found.string.count(" ", 0, start)
        return self.words[first : first + self.found.string.count(" ", start, end) + 1]

    def raw(self, group: str) -> str | None:
        """A slot as it was typed."""
        slot = self.slot(group)
        return " ".join(word.raw for word in slot) if slot else None


_THE: Final = r"(?:(?:the|our|my|this|that|these|those|all|any|every|each|all of the|all the|all our) )?"
_THING_OF: Final = r"(?: (?:folder|directory|package|module|part|area|code|component|section))?"
_WHERE: Final = (
    "(?:(?:in|within|inside|under|of|for|to) (?!(?:the )?(?:last|past|this|you|me|him|her|them"
    rf"|us)\b){_THE}(?P<where>\S+(?: \S+){{0,2}}?){_THING_OF})"
)
_PERIOD: Final = rf"(?P<period>{PERIOD_PATTERN})"
_SHOW: Final = (
    "(?:show me|show|give me|list|tell me about|tell me|read me|read|print|display|let me see|see"
    "|get me|get|check|view|look at"
    r"|take a look at|have a look at|what is|what are)"
)
_ALL: Final = "(?:(?:all|all of|all the|all of the|the|our|my|some|some of the|any|a summary of the|a summary of|me) )*"
_NUMBER: Final = "|".join(NUMBERS)
_FRESH: Final = r"(?:(?:recent|latest|last|new|newest|most recent) )?"
_OPTION: Final = (
    "(?: (?:(?:and |but )?(?P<fast>fail fast|(?:stop|stopping|end) (?:at|on|after) the first"
    " (?:failure|error|failing test|one)"
    "|until the first (?:failure|error)|until one fails|until something fails|as quickly as possible"
    "|as fast as possible|quickly|fast)"
    "|(?:and |but )?(?P<quick>without the slow (?:ones|tests)|(?:skip|skipping"
    "|leave out) the slow (?:ones|tests))))?"
)
_RUN: Final = (
    "(?:run|rerun|re run|start|execute|launch|begin|kick off|start running|try|try running|do|perform"
    "|fire up|fire off|go run)"
)
_SUITE: Final = "(?:test suite|test suites|tests suite|test cases|suite of tests|tests|test|unit tests|suite)"

_CHANGE_SENTENCES: Final = tuple(
    rf"{opening}(?: {_WHERE})?(?: {_PERIOD})?"
    for opening in (
        (
            "(?:(?:tell|show) me )?what (?:has |have |was |is |got |all )*(?:changed|changes|change"
            "|changing|new|different)"
        ),
        (
            "(?:tell me )?what (?:did|have|has) (?:we|i|you|they|people|the team|everyone|everybody)"
            " (?:all )?(?:do|done|did|change|changed|been doing|been up to|work on|worked on"
            "|been working on)"
        ),
        r"(?:tell|show) me what (?:we|i|you|they) (?:did|changed|have done|have changed|worked on)",
        (
            "what (?:happened|was done|has been done|has happened|has been happening|was changed"
            "|has been changed|got done)"
        ),
        rf"(?:show|give|tell|list|get) {_ALL}{_FRESH}changes",
        rf"(?:what|which) (?:is|are|were|was) {_ALL}{_FRESH}changes",
        (
            "(?:list|summarize|sum up|review|describe|explain|go over|go through|walk me through|read"
            f"|print|see) {_ALL}{_FRESH}changes"
        ),
        rf"(?:give|show|get) me (?:a |the )?(?:summary|overview|list|rundown) of {_ALL}{_FRESH}changes",
        r"(?:are there |have there been |were there |do we have )?(?:any|some) (?:new |recent )?changes",
        r"(?:is there |was there )?(?:anything|something) new",
        r"(?:has |did )anything (?:changed|change|happened|happen|new)",
        rf"{_THE}{_FRESH}changes",
        (
            "(?:(?:tell|show) me )?(?:which|what) files (?:were |have |got |have been "
            "|did we )?(?:changed|change|modified|touched|edited)"
        ),
        r"(?:show|list|tell) (?:me )?(?:the )?(?:changed|modified) files",
        r"how much (?:has |have |was )?changed",
        r"catch me up",
        r"what did i miss",
    )
)


def _changes(match: _Match) -> Request | None:
    said = match.text("period")
    where = match.raw("where")
    period = None if said is None else read_period(said)
    if said is not None and period is None:
        return None
    where = place(where)
    return WhatChanged(where=where) if period is None else WhatChanged(period=period, where=where)


def _commits(match: _Match) -> Request | None:
    said = match.text("period")
    period = None if said is None else read_period(said)
    number = match.text("number")
    if number is not None:
        count = NUMBERS.get(number) or (int(number) if number.isdecimal() and len(number) < 4 else 0)
        return ListCommits(count=max(1, min(count, 100)), period=period)
    return ListCommits(count=1 if match.has("one") else 10, period=period)


def _authors(match: _Match) -> Request | None:
    said = match.text("period")
    return WhoChanged(where=place(match.raw("where")), period=None if said is None else read_period(said))


def _tests(match: _Match) -> Request | None:
    where = place(match.raw("place")) or place(match.raw("where"))
    return RunTests(
        where=where,
        only_failed=match.has("failed"),
        fail_fast=match.has("fast"),
        skip_slow=match.has("quick"),
    )


def place(said: str | None) -> str | None:
    """A place as it is written; words that mean everywhere are no place."""
    if said is None:
        return None
    name = spoken_name(said).removesuffix(" file")
    everywhere = {
        "project",
        "repository",
        "code",
        "code base",
        "workspace",
        "everything",
        "it",
        "here",
        "there",
        "files",
    }
    return None if name.lower() in everywhere | {"this", "that", "whole project", "entire project", "file"} else name


_OPEN_SEARCH: Final = (
    "(?:search|grep|look|hunt|scan) for|grep|searching for|do a search for|run a search for|look up"
    "|try to find"
    r"|(?:search|look|grep|go|scan|look through|look in|look around|search through|search in)"
    r" (?:(?:the|our|my|this|all|all the|through the|in the) )?"
    "(?:code|project|files|repository|code base|source|source code|everything|everywhere|tests|docs"
    "|everywhere) for"
    r"|(?:search|go through|look) (?:everywhere|everything|through everything) for"
)
_CAREFUL_SEARCH: Final = (
    r"search|find me|find|locate|where is|where are|where do we have|list|are there|is there|show me|look for"
)
_FOUND_AT: Final = (
    r"(?: (?:in|within|across|throughout|inside|through) (?:(?:the|this|our|my|all|all the|all of the) )?"
    r"(?:code|project|files|repository|code base|source|source code|workspace)| everywhere| anywhere)?"
)


def _search(match: _Match, *, careful: bool) -> Request | None:
    slot = match.slot("thing")
    while len(slot) > 1 and not slot[0].quoted and slot[0].normal in _ARTICLES:
        slot = slot[1:]
    while len(slot) > 1 and not slot[-1].quoted and slot[-1].normal in _USES:
        slot = slot[:-1]
    where: str | None = None
    marks = [i for i, word in enumerate(slot) if word.normal in ("in", "inside", "within", "under") and not word.quoted]
    if marks and 0 < marks[-1] < len(slot) - 1 and len(slot) - marks[-1] <= 4:
        where = " ".join(word.raw for word in slot[marks[-1] + 1 :] if word.normal not in _ARTICLES) or None
        slot = slot[: marks[-1]]
    if not slot or len(slot) > 8:
        return None
    if len(slot) == 1 and slot[0].quoted:
        return Search(text=slot[0].raw, literal=True, where=place(where))
    if careful and not _is_code(slot):
        return None
    text = spoken_name(" ".join(word.raw for word in slot))
    return Search(text=text, where=place(where))


_USES: Final = frozenset({"used", "defined", "called", "mentioned", "implemented", "handled", "declared"})
_ARTICLES: Final = frozenset(
    {"the", "a", "an", "any", "all", "every", "some", "our", "my", "of", "word", "words", "text", "string"}
)


def _is_code(slot: list[Word]) -> bool:
    """Whether words look like something in code: known to be, quoted, or spelt as only names are."""
    text = " ".join(word.normal for word in slot)
    if text in CODE_WORDS or all(word.normal in CODE_WORDS for word in slot):
        return True
    return any(
        word.quoted or re.search(r"\w[._/]\w|_|\(\)|[a-z][A-Z]", word.raw) or word.normal in ("underscore", "dot")
        for word in slot
    )


def _search_open(match: _Match) -> Request | None:
    return _search(match, careful=False)


def _search_careful(match: _Match) -> Request | None:
    return _search(match, careful=True)


def _file(match: _Match) -> Request | None:
    slot = match.slot("file")
    if not slot or len(slot) > 8:
        return None
    said_name = spoken_name(" ".join(word.raw for word in slot))
    name = said_name.removesuffix(" file").removesuffix(" script")
    known = _known_file(name)
    spelt = re.search(r"\w\.\w|/|_|^\.\w|^~", name) is not None
    file_like = name != said_name and len(slot) <= 3
    if not (known or spelt or file_like or slot[0].quoted):
        return None
    return ShowFile(name=name)


def _known_file(said: str) -> bool:
    """Whether words are a file's or a folder's name that we expect in any project."""
    parts = re.split(r"[ ._/-]+", spoken_name(said))
    return all(part in FILE_WORDS or part in PLACES for part in parts)


def _listing(match: _Match) -> Request | None:
    return ListFiles(where=place(match.raw("where")) or place(match.raw("folder")))


def _always(request: Request) -> Callable[[_Match], Request | None]:
    return lambda _match: request


_PROJECT: Final = (
    "(?:this|the|our|my) (?:project|repository|code|code base|program|software|package|app|application"
    "|workspace|library|thing)"
)
_IT: Final = (
    "(?:it|that|this|the test|the tests|the last test|a test|the run|that test|the last run|the build|test|tests|one)"
)
_FAILURE: Final = (
    "(?:failure|error|failures|errors|failed test|failed tests|failing test|failing tests|problem"
    "|problems|test failure|test failures|test error|failed one)"
)

_SENTENCES: Final[tuple[tuple[tuple[str, ...], Callable[[_Match], Request | None]], ...]] = (
    (
        (
            (
                "how (?:is|are) (?:it|you|things|that|the tests|everything|the run|the work)"
                " (?:all )?(?:going|doing|coming along|coming|looking|getting on"
                "|progressing)(?: on)?(?: so far)?"
            ),
            r"how does it look(?: so far)?|how do things look|how is (?:it|that)|how goes it",
            r"how far (?:along )?(?:are you|is it|are we|are the tests)(?: along)?",
            (
                "how much (?:is done|is left|longer|is finished)(?: will it take| to go)?|how long"
                " (?:will it take|does it take|until it is done|will this take)"
            ),
            r"how many (?:are|tests are) (?:left|done)",
            ("are you (?:done|ready|finished|still (?:working|running|there|busy)|busy|working|there)(?: yet)?"),
            (
                "(?:is it|is that|are they|are the tests|is the test|is the run) (?:still )?(?:done"
                "|finished|running|ready|over)(?: yet)?"
            ),
            r"what are you (?:doing|working on|up to)|what are you running",
            r"what is (?:going on|happening)|what is running",
            (
                "(?:give me |what is |show me |show |tell me )?(?:your |the |a |an "
                "|my )?(?:current )?(?:status|progress|state of things)(?: update| report)?"
            ),
            (
                "any (?:news|progress|update|updates|results)(?: yet)?|update me|give me an update"
                "|where are you|where are we|where do we stand|anything yet|did it finish|did you finish"
                "|have you finished"
            ),
        ),
        _always(Status()),
    ),
    (
        (
            (
                "help(?: me)?|what (?:can|could) you do(?: for me| here)?|what (?:can|could|should) i"
                " (?:say|ask|do|ask you)(?: you)?(?: for| to do| here)?"
            ),
            (
                "what do you (?:do|know|understand|know how to do)|how can you help(?: me)?|how (?:do"
                "|can) i use (?:this|you|it)"
            ),
            (
                "what are my options|who are you|what are you|tell me what (?:you can do|i can (?:say"
                "|ask|do))|how does this work"
            ),
            (
                "(?:what|which) (?:commands|requests|things) (?:do you know|can you do|are there"
                "|do you understand|can i use|can you understand)"
            ),
            ("(?:show|list|tell|give) (?:me )?(?:your |the )?(?:abilities|capabilities|commands|options|help)"),
        ),
        _always(Help()),
    ),
    (
        (
            (f"(?:{_SHOW} )?{_ALL}(?:uncommitted|local|unsaved|pending|unstaged|staged) (?:changes|files|work)"),
            (
                "(?:are|is|do|have) (?:there|we|i) (?:have |got )?(?:any |some )?(?:uncommitted|local"
                "|unsaved|open|pending|unstaged|staged) (?:changes|files|work|anything)"
            ),
            (
                "(?:do|have) (?:i|we) (?:have )?(?:any |some )?(?:uncommitted|local|unsaved|open"
                "|pending) (?:changes|files|work)"
            ),
            (
                "(?:what|which files|what files) (?:is|are) (?:not committed|uncommitted"
                "|not yet committed|dirty|modified|staged)(?: yet)?"
            ),
            r"(?:is|was) (?:everything|all|the work|all of it|it all) (?:committed|clean)",
            ("is (?:the |my |our )?(?:working tree|repository|tree|working directory|working copy) (?:clean|dirty)"),
            r"what (?:did|have|has) (?:i|we) not (?:commit|committed)(?: yet)?",
            (
                "what is left to commit|what (?:do|should) (?:i|we) have to commit|what (?:do|should)"
                " (?:i|we) (?:still )?(?:need to )?commit"
            ),
            r"(?:did|have) (?:i|we) (?:forget|forgotten) to commit(?: anything| something)?",
            ("what is the (?:status|state) of the (?:repository|working tree|branch|git repository|working copy)"),
            (
                f"(?:{_SHOW} )?(?:the )?git (?:status|state|diff)|(?:{_SHOW} )?(?:the )?(?:current )?diff"
                "|repository status"
            ),
        ),
        _always(WorkingTree()),
    ),
    (
        (
            (
                "(?:tell me )?(?:which|what|on which|on what) branch(?: (?:is this|are we on|am i on"
                "|is it|are we in|are we|am i|is it on|is checked out|is active|are you on))?"
            ),
            ("what is (?:the |our |my )?(?:current |active )?branch(?: name)?|name of the (?:current )?branch"),
            rf"(?:{_SHOW} )?{_ALL}(?:current )?(?:git )?(?:branch|branches)(?: name| names)?",
            r"(?:which|what|how many) branches (?:are there|do we have|exist|are here)",
        ),
        _always(ShowBranch()),
    ),
    (
        (
            rf"(?:{_SHOW} )?{_ALL}(?:git |commit |project )?(?:log|logs|history)(?: {_PERIOD})?",
            (
                f"(?:{_SHOW} )?{_ALL}(?:recent|latest|last|newest|most recent)"
                rf" (?:(?P<number>\w+) )?(?P<one>commit)(?: message)?(?: {_PERIOD})?"
            ),
            (
                f"(?:{_SHOW} )?{_ALL}(?:recent |latest |last |newest |new "
                rf"|most recent )?(?:(?P<number>{_NUMBER}|\d+|few) )?(?:(?P<one>commit(?!s))"
                f"|commits)(?: {_PERIOD})?"
            ),
            (
                "what (?:did|does) (?:the |our )?(?:last|latest|most recent) (?P<one>commit) (?:do"
                f"|change|say)(?: {_PERIOD})?"
            ),
            (
                "what (?:was|is|were|are) (?:the )?(?:last|latest|most recent|recent|newest)"
                rf" (?:(?P<number>\w+) )?(?:(?P<one>commit(?!s))|commits)(?: about)?(?: {_PERIOD})?"
            ),
            (
                "(?:how many|which|what) commits (?:are there|were there|were made|did we make"
                f"|do we have|have we made|have been made|did i make|there are)(?: {_PERIOD})?"
            ),
            rf"what (?:was|has been|got|did we|did i) (?:committed|commit)(?: {_PERIOD})?",
        ),
        _commits,
    ),
    (
        (
            (
                "who (?:has |have |had |was |is |last )*(?:changed|touched|edited|wrote|written"
                "|worked on|works on|working on|modified|made|created"
                rf"|change) {_THE}(?P<where>\S+(?: \S+){{0,7}}?)(?: last)?(?: {_PERIOD})?"
            ),
        ),
        lambda match: _authors(match) if _names_something(match) else None,
    ),
    (
        (
            (
                "who (?:has |have |was |is |last )*(?:changed|did|wrote|made|worked on|works on"
                "|working on|touched|edited|change) (?:what|this|it|that|the project|this project"
                f"|the code|the last change|(?:the |these |those )?{_FRESH}(?:changes|commits"
                f"|commit))(?: last)?(?: {_PERIOD})?"
            ),
            (
                "who (?:has |last )*(?:committed|contributed|worked|commits|commit)(?: last| here"
                f"| to this| anything| something)?(?: {_PERIOD})?"
            ),
            (
                f"who (?:are|is) {_THE}(?:authors|author|contributors|people)(?: (?:of|on|here|in)"
                f" (?:this|this project|the project))?(?: {_PERIOD})?"
            ),
            rf"{_SHOW} {_ALL}(?:authors|contributors)(?: {_PERIOD})?|(?:the )?(?:authors|contributors)",
        ),
        _authors,
    ),
    (
        (
            (
                f"why (?:did|do|does|is|are|was|were|has|have) {_IT} (?:fail|failing|failed|break|broken"
                "|broke|red|crash|crashed|not pass|not work|not passing|fails|breaking)"
            ),
            r"why (?:was|were|is|are) there (?:a failure|an error|failures|errors|failing tests)",
            (
                "why (?:has|have|had) (?:it|the test|the tests) (?:failed|broken|crashed)|why (?:it"
                "|the test|the tests) (?:failed|fails|fail)|why failed"
            ),
            r"what (?:has |have )?(?:failed|broke|went wrong|gone wrong|crashed|fails|broken)",
            ("what is (?:wrong|broken|failing|red)(?: now| here)?|what caused (?:it|that|the failure|the error)"),
            (
                f"what (?:is|was|were|are) the (?:last |first |latest )?(?:{_FAILURE}|reason|cause"
                "|reason for the failure|cause of the failure)(?: about)?"
            ),
            rf"what is (?:wrong with|the (?:problem|matter|trouble) with) {_IT}",
            (
                "which (?:test|tests|one|ones) (?:has |have |is |are |did )?(?:failed|fail|failing|broke"
                "|broken|not pass|fails|red|breaking)"
            ),
            (
                "(?:explain|show me|show|describe|tell me about|tell me|give me|read me|read|let me see"
                "|see|look at|details of|analyze|what about) (?:me )?(?:the |that |this |all "
                f"|all the )?(?:last |latest |first |test |recent )*{_FAILURE}(?: in detail| again"
                "| details| message)?"
            ),
            (
                "(?:explain|tell me|show me) (?:to me )?(?:why|what|which|how) (?:it|the test|the tests"
                "|test|tests|that)? ?(?:failed|went wrong|broke|fails|fail|is failing|are failing"
                "|is broken)"
            ),
            (
                "explain (?:that|it)|what happened (?:to|with|in) (?:the|that) (?:test|tests|failure)"
                "|how did (?:it|the test) fail|more about the (?:failure|error)|tell me more(?: about"
                " (?:it|that|the failure|the error))?"
            ),
        ),
        _always(ExplainFailure()),
    ),
    (
        (
            (
                f"{_RUN} (?:only |just )?{_ALL}(?P<failed>failed|failing|broken|red) (?:tests|test|ones"
                f"|one)(?: only)?(?: again)?{_OPTION}"
            ),
            (
                "(?:test|run|rerun) (?:only |just )?(?:the )?(?P<failed>failed|failing) (?:ones|one"
                f"|tests)(?: only)?(?: again)?{_OPTION}"
            ),
            rf"{_RUN} what (?P<failed>failed)(?: again)?{_OPTION}",
            (
                f"{_RUN} (?:only |just )?{_ALL}(?:whole |full |entire |complete |project |project is "
                f"|project's |unit |python )*{_SUITE}(?: again| once more| one more time)?{_OPTION}"
            ),
            (
                f"{_RUN} (?:only |just )?(?:the |our |my |all |all the )?(?P<place>{PLACE_PATTERN}"
                rf"|\S+(?: \S+)?) {_SUITE}(?: only)?(?: again| once more)?{_OPTION}"
            ),
            (
                f"{_RUN} (?:only |just )?{_ALL}(?:whole |unit )*{_SUITE} (?:only "
                f"|just )?{_WHERE}(?: only)?(?: again| once more| one more time)?{_OPTION}"
            ),
            (f"(?:run|rerun|re run|start) (?:it|them|that)(?: all)?(?: again| once more| one more time)?{_OPTION}"),
            (
                f"test (?:everything|it|all|this|the code|{_PROJECT}|the whole project|the changes"
                f"|the whole thing|all of it|all the things)(?: again)?{_OPTION}"
            ),
            rf"test (?:only |just )?(?:the )?(?P<place>{PLACE_PATTERN})(?: only)?(?: again)?{_OPTION}",
            rf"(?:only|just) (?:run |do |test )?(?:the )?(?P<place>{PLACE_PATTERN}) tests(?: only)?{_OPTION}",
            (
                "(?:pytest|cargo test|go test|npm test|make test|run pytest|run npm test|run make test"
                rf"|run cargo test)(?: (?P<place>\S+[./_]\S+))?{_OPTION}"
            ),
            (
                "(?:check|see|verify|find out|make sure|tell me|check and tell me|test|confirm|ensure"
                f"|know) (?:if |whether |that )?{_ALL}{_SUITE}(?: {_WHERE})? (?:all )?(?:still )?(?:pass"
                "|passes|work|works|are passing|are green|are okay|is green|are fine|succeed"
                f"|run){_OPTION}"
            ),
            (
                f"(?:do|does|are|is|will) {_ALL}(?:(?P<place>{PLACE_PATTERN}) )?{_SUITE}"
                " (?:all )?(?:still )?(?:pass|work|passing|green|okay|working|fine|succeed|run|failing"
                f"|ok){_OPTION}"
            ),
            (
                "(?:does|is|do|are) (?:everything|all|it|we|things) (?:all )?(?:still )?(?:work|pass"
                f"|green|working|passing){_OPTION}"
            ),
            (
                "(?:check|see|find out|test) (?:if|whether|that) (?:everything|it all|all)"
                " (?:still )?(?:works|passes|is green|is okay)"
            ),
            (
                "(?:check|see|find out) (?:if|whether) (?:anything|something) (?:is broken|fails|broke"
                "|is failing)|is (?:anything|something) (?:broken|failing|red)|did (?:i|we) break"
                " (?:anything|something)"
            ),
            rf"(?:check|try|verify) {_ALL}{_SUITE}(?: again)?{_OPTION}",
            r"(?:give me |do )?a (?:full )?test run|(?:the )?test suite|(?:run )?all (?:the )?tests",
        ),
        _tests,
    ),
    (_CHANGE_SENTENCES, _changes),
    ((rf"(?:{_SHOW} |summarize |describe )?(?:the )?{_PERIOD} (?:changes|work|progress)",), _changes),
    (
        (
            (
                f"(?:list|show|show me|give me|tell me|print|display|see) {_ALL}(?:project |source "
                "|top level )?(?:files|folders|directories|file list|file names|files and folders"
                "|folders and files|file tree|tree|structure|layout|directory listing"
                f"|contents)(?: {_WHERE})?"
            ),
            (
                "(?:which|what) (?:files|folders|directories|files and folders) (?:are there|are here"
                f"|do we have|are|exist|are present|is there)(?: {_WHERE})?"
            ),
            (
                "(?:which|what) (?:files|folders) (?:are in here|are here)|what (?:is|are) in (?:here"
                "|this (?:folder|directory|project|repository)|the (?:folder|directory|project"
                "|repository|workspace))"
            ),
            (
                rf"what is (?:in|inside) (?:the |our )?(?P<where>{PLACE_PATTERN}|\S+) (?:folder|directory"
                "|package)"
            ),
            (
                f"how many files (?:are there|do we have|are here|does it have|there are)(?: {_WHERE})?"
                r"|list (?:the )?(?P<folder>\S+) (?:folder|directory)"
            ),
            r"(?:ls|dir|directory)|(?:the )?(?:file list|project structure)",
        ),
        _listing,
    ),
    (
        (
            (
                "(?:describe|explain|summarize|introduce|sum up|walk me through|present)"
                f" (?:to me )?{_PROJECT}(?: to me)?"
            ),
            (
                f"what (?:is|does) {_PROJECT}(?: do| about| for| all about)?|what (?:is )?{_PROJECT}"
                " (?:does|do|is about|is for|is)"
            ),
            (
                "(?:do you know |tell me )?what (?:kind|sort|type) of (?:project|program|repository"
                "|software|thing) is (?:this|it)|what is this(?: all)?(?: about| for| thing)?"
            ),
            (
                "what (?:are we working on|am i looking at|project is this|repository is this"
                "|is it about)|which (?:project|repository) is this|what does (?:it|this) do|where am i"
            ),
            (f"(?:tell me |tell me something |say something |tell me more |talk )about {_PROJECT}|about {_PROJECT}"),
            (
                "(?:give me |show me )?(?:an |a |the )?(?:short |quick |brief )?(?:overview|summary|tour"
                f"|description|introduction)(?: (?:of|to|about) {_PROJECT})?|project (?:overview|summary"
                "|description)"
            ),
            (
                "(?:what|which) (?:programming )?languages? (?:is|do|are|does) (?:this|it|we|used|there"
                "|the project|this project)(?: written in| use| used| in)?"
            ),
            rf"how (?:big|large) is (?:it|this|{_PROJECT})",
        ),
        _always(DescribeProject()),
    ),
    (
        (
            (
                "(?:show me the contents of|show the contents of|show me what is in|tell me what is in"
                "|read me what is in|what is inside|let me look at|take a look at|have a look at"
                "|i want to read|i want to see|let me read|look inside|what is in|let me see|look into"
                "|read out|bring up|show me|open up|display|read me|look at|pull up|give me|print|go to"
                "|show|open|read|view|head|cat|see) (?:(?:the|our|my|this|that"
                r"|a) )?(?P<file>\S+(?: \S+){0,7}?)"
            ),
            (
                r"what does (?:(?:the|our|my|this) )?(?P<file>\S+(?: \S+){0,7}?) (?:say|contain|look like"
                "|do|hold|have in it)"
            ),
            r"(?:the )?(?P<file>readme|read me|license|make file|makefile|change log|changelog)(?: file)?",
        ),
        _file,
    ),
    ((rf"(?:{_OPEN_SEARCH}) (?P<thing>\S+(?: \S+){{0,11}}?){_FOUND_AT}",), _search_open),
    (
        (
            (
                "(?:where|tell me where|show me where|find where|find out where) (?:is|are|do we|does"
                f"|did we|we) {_THE}(?:(?:use|have|define|call|handle|mention"
                rf"|set) )?{_THE}(?P<thing>\S+(?: \S+){{0,7}}?)(?: (?:is|are))? (?:used|defined|called"
                "|mentioned|implemented|handled|set|declared|appear|occur|come from|happen|located"
                f"|live){_FOUND_AT}"
            ),
            (
                "(?:where|tell me where|show me where|find where) (?:do we|do they|do i|we|did we)"
                r" (?:use|have|define|call|handle|mention|set|implement) (?P<thing>\S+"
                rf"(?: \S+){{0,7}}?){_FOUND_AT}"
            ),
            (
                "(?:tell me where|show me where|find where|find out where) (?:(?:is"
                rf"|are) )?{_THE}(?P<thing>\S+(?: \S+){{0,7}}?)(?: (?:is|are))?(?: (?:used|defined|called"
                f"|mentioned|implemented|handled))?{_FOUND_AT}"
            ),
            (
                "(?:which|what) files? (?:mention|mentions|contain|contains|use|uses|have|has|define"
                rf"|defines) (?P<thing>\S+(?: \S+){{0,7}}?){_FOUND_AT}"
            ),
            rf"(?:who|what) (?:uses|calls|imports) (?P<thing>\S+(?: \S+){{0,7}}?){_FOUND_AT}",
            (
                "(?:show me|show|find|find me|where is|go to|open)"
                r" (?:the )?(?P<thing>\S+(?: \S+){0,3}?) (?:function|class|method|definition|constant"
                f"|variable)(?: defined| used)?{_FOUND_AT}"
            ),
            (
                "(?:show me|show|find|find me) (?:the )?(?:function|class|method|definition|constant"
                r"|variable|definition of|uses of|usages of|references to) (?P<thing>\S+"
                rf"(?: \S+){{0,3}}?){_FOUND_AT}"
            ),
            rf"(?:are|is) there (?:a |an |any )(?P<thing>\S+(?: \S+){{0,3}}?){_FOUND_AT}",
            (
                rf"(?:{_CAREFUL_SEARCH}) (?P<thing>\S+(?: \S+){{0,7}}?)(?: (?:used|defined|called"
                f"|mentioned))?{_FOUND_AT}"
            ),
        ),
        _search_careful,
    ),
)


@functools.cache
def _compiled() -> tuple[tuple[re.Pattern[str], Callable[[_Match], Request | None]], ...]:
    """The patterns, compiled at the first use: that takes 50 ms, which starting a command need not wait for."""
    return tuple((re.compile(pattern), make) for patterns, make in _SENTENCES for pattern in patterns)


def _names_something(match: _Match) -> bool:
    where = match.text("where")
    generic = {"what", "this", "it", "that", "changes", "commits", "commit", "project", "code", "last change", "lunch"}
    if where is None or where in generic:
        return False
    return _known_file(where) or re.search(r"\w\.\w|/|_", spoken_name(where)) is not None


def read_sentence(words: list[Word]) -> Request | None:
    """The request of the first pattern that fits, or None."""
    text = normal(words)
    for pattern, make in _compiled():
        found = pattern.fullmatch(text)
        if found is not None:
            request = make(_Match(found, words))
            if request is not None:
                return request
    return None
