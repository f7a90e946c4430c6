"""Reading what test runners print: how far they are, what failed and why. Pure.

Each runner has a few lines that say all; the rest is passed over. What a test itself prints can look like one of them,
so the counts of a runner's own closing line win over what was counted on the way.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import Final

from backchannel.agents.outputs import Excerpt
from backchannel.agents.workspace.phrasing import area_of, counted, number, shortened
from backchannel.agents.workspace.runners import RunnerKind

__all__ = ["Counts", "Failure", "TestWatch"]

_MAX_FAILURES: Final = 200
_MAX_LINE_CHARS: Final = 1000
_EXCERPT_LINES: Final = 40


@dataclasses.dataclass(slots=True, kw_only=True)
class Counts:
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    """Failures and errors together."""
    skipped: int = 0

    @property
    def done(self) -> int:
        """All that ended."""
        return self.passed + self.failed + self.skipped


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A test that failed."""

    name: str
    """As the runner calls it."""
    message: str = ""
    """What was wrong, on one line."""
    place: str = ""
    """`file:line`."""
    excerpt: str = ""

    @property
    def said(self) -> str:
        """The test's name and its part of the project: `test_retry_backoff in core`."""
        path, _, inner = self.name.partition("::")
        dotted = self.name.split(".")
        if not inner and not path.endswith(".py") and len(dotted) > 2:
            # As unittest has it: module, class, function.
            path, inner = "/".join(dotted[:-2]) + ".py", dotted[-1]
        if not inner:
            return shortened(path.rpartition("/")[2], 60)
        bare = inner.rpartition("::")[2].partition("[")[0]
        area = area_of(path)
        if area in ("tests", "test", "the top folder"):
            area = path.rpartition("/")[2].removesuffix(".py")
        return f"{shortened(bare, 60)} in {area}"


_PYTEST_LINE: Final = re.compile(
    r"^(?:(?P<name>\S+\.py(?:::.+?)?) )?(?P<word>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*?\)?)?"
    r"\s+\[\s*(?P<done>\d+)/(?P<total>\d+)\]$"
)
_XDIST_LINE: Final = re.compile(
    r"^\[gw\d+\](?: \[.*?\])? (?P<word>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (?P<name>\S.*?)\s*$"
)
_PYTEST_DOTS: Final = re.compile(r"^(?P<path>\S+\.py) (?P<marks>[.FEsxX]+)\s+\[\s*(?P<done>\d+)/(?P<total>\d+)\]$")
_PYTEST_COLLECTED: Final = re.compile(r"collected (\d+) items?(?:.*?/ (\d+) selected)?")
_PYTEST_END: Final = re.compile(
    r"^=*\s*("
    r"(?:\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun|subtests passed)(?:, )?)+"
    r") in [\d.:]+s.*$"
)
_PYTEST_SHORT: Final = re.compile(r"^(?:FAILED|ERROR) (?P<name>\S+?\.py(?:::.*?)?)(?: - (?P<message>.*))?$")
_UNITTEST_LINE: Final = re.compile(
    r"^(?P<name>\w+) \((?P<id>[\w.]+)\)(?:.*?)? \.\.\. (?P<word>ok|FAIL|ERROR|skipped.*|expected failure)$"
)
_UNITTEST_RAN: Final = re.compile(r"^Ran (\d+) tests? in ")
_UNITTEST_END: Final = re.compile(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((?P<counts>[^)]*)\))?$")
_CARGO_LINE: Final = re.compile(r"^test (?P<name>\S+)(?: - should panic)? \.\.\. (?P<word>ok|FAILED|ignored.*)$")
_CARGO_RUNNING: Final = re.compile(r"^running (\d+) tests?$")
_GO_LINE: Final = re.compile(r"^--- (?P<word>PASS|FAIL|SKIP): (?P<name>\S+) \(")
_GO_BROKEN: Final = re.compile(r"^FAIL\s+(?P<name>\S+) \[(?:build|setup) failed\]$")
_JEST_END: Final = re.compile(
    r"^\s*Tests:?\s+(?P<counts>(?:\d+ (?:failed|passed|skipped|todo|total)[,| ]*)+)(?:\(\d+\))?$"
)
_COUNT_LINE: Final = re.compile(
    r"^\s*(?:# |\u2139 )?(?:(?P<n1>\d+) (?P<w1>passing|failing|pending)\b.*|(?P<w2>pass|fail|skipped) (?P<n2>\d+))$"
)

# Every line that a pattern above matches has one of these; asking for that first spares chatty tests most of the cost.
_PROMISING: Final = re.compile(
    r"PASS|FAIL|ERROR|SKIP|XFAIL|collected|passed|failed|skipped|error|\.\.\. |Ran |OK|NO TESTS|running |/\d+\]"
    r"|passing|failing|pending|pass \d|fail \d|Tests"
)

_GOOD: Final = frozenset({"PASSED", "XFAIL", "ok", "PASS", "XPASS", "expected failure"})
_BAD: Final = frozenset({"FAILED", "ERROR", "FAIL"})


class TestWatch:
    """Follows a test run: counts, the names of what failed, and one sentence on how far it is.

    Bounded: 200 failures by name, the head and the tail of the output, and one unfinished line.
    """

    __test__ = False
    """It is no test itself, whatever its name begins with."""

    def __init__(self, kind: RunnerKind) -> None:
        self._kind = kind
        self._line = ""
        self._counted = Counts()
        self._closing: Counts | None = None
        self._total: int | None = None
        self._done: int | None = None
        self._names: dict[str, str] = {}
        self._told_failure = False
        self._text = Excerpt(head_chars=100_000, tail_chars=200_000)
        self._ran: int | None = None

    # ---- while it runs ----

    def feed(self, text: str) -> None:
        """Take the next piece of output."""
        self._text.feed(text)
        *lines, self._line = (self._line + text).split("\n")
        self._line = self._line[-_MAX_LINE_CHARS:]
        for line in lines:
            if _PROMISING.search(line):
                self._read(line[:_MAX_LINE_CHARS].rstrip())

    def news(self) -> str | None:
        """The first failure, once."""
        if self._told_failure or not self._counted.failed:
            return None
        self._told_failure = True
        name = Failure(name=next(iter(self._names))).said if self._names else ""
        first = f"First failure: {name}" if name else "A first test failed"
        progress = self._far()
        return f"{first}; {progress}." if progress else f"{first}."

    def progress(self) -> str | None:
        """How far the run is: `12 of 40 tests done, one failure so far`."""
        far = self._far()
        if far is None:
            return None
        failed = self._counted.failed
        rest = counted(failed, "failure") + " so far" if failed else "all good so far"
        return f"{far[:1].upper()}{far[1:]}, {rest}."

    def _far(self) -> str | None:
        done = self._done if self._done is not None else self._counted.done
        if not done:
            return None
        if self._total is not None and self._total >= done:
            return f"{number(done)} of {number(self._total)} tests done"
        return f"{counted(done, 'test')} done"

    # ---- afterwards ----

    @property
    def counts(self) -> Counts | None:
        """How the tests ended; None when the output told nothing."""
        if self._line:
            line, self._line = self._line, ""
            self._read(line.rstrip())
        if self._closing is not None and self._kind is not RunnerKind.CARGO:
            closing = self._closing
            if self._ran is not None:
                closing.passed = max(0, self._ran - closing.failed - closing.skipped)
            return closing
        return self._counted if self._counted.done else None

    @property
    def total(self) -> int | None:
        """How many tests there are to run, where the runner said so."""
        return self._total

    def failures(self) -> tuple[Failure, ...]:
        """What failed, with reasons where the output has them."""
        if not self._names:
            return ()
        sections = _sections(self._text.text)
        failures: list[Failure] = []
        for name, message in self._names.items():
            section = next((body for head, body in sections if _is_of(head, name)), [])
            failures.append(_failure(name, message, section))
        return tuple(failures)

    # ---- lines ----

    def _read(self, line: str) -> None:
        match self._kind:
            case RunnerKind.PYTEST:
                self._pytest(line)
            case RunnerKind.UNITTEST:
                self._unittest(line)
            case RunnerKind.CARGO:
                self._cargo(line)
            case RunnerKind.GO:
                self._go(line)
            case RunnerKind.NPM | RunnerKind.MAKE:
                # These can start anything.
                self._pytest(line)
                self._unittest(line)
                self._cargo(line)
                self._go(line)
                self._javascript(line)

    def _count(self, word: str, name: str | None) -> None:
        if word in _GOOD:
            self._counted.passed += 1
        elif word in _BAD:
            self._counted.failed += 1
            if name:
                self._fail(name)
        else:
            self._counted.skipped += 1

    def _fail(self, name: str, message: str = "") -> None:
        if name in self._names or len(self._names) < _MAX_FAILURES:
            self._names[name] = message or self._names.get(name, "")

    def _pytest(self, line: str) -> None:
        if found := _PYTEST_LINE.match(line):
            self._count(found["word"], found["name"])
            self._done, self._total = int(found["done"]), int(found["total"])
        elif found := _XDIST_LINE.match(line):
            self._count(found["word"], found["name"])
        elif found := _PYTEST_DOTS.match(line):
            marks = found["marks"]
            self._counted.failed += marks.count("F") + marks.count("E")
            self._counted.skipped += marks.count("s")
            self._counted.passed += marks.count(".") + marks.count("x") + marks.count("X")
            self._done, self._total = int(found["done"]), int(found["total"])
        elif found := _PYTEST_COLLECTED.search(line):
            self._total = int(found[2] or found[1])
        elif found := _PYTEST_END.match(line):
            self._closing = _add_up(found[1])
        elif found := _PYTEST_SHORT.match(line):
            self._fail(found["name"], found["message"] or "")

    def _unittest(self, line: str) -> None:
        if found := _UNITTEST_LINE.match(line):
            identity = found["id"] if found["id"].endswith(f".{found['name']}") else f"{found['id']}.{found['name']}"
            self._count(found["word"], identity)
        elif found := _UNITTEST_RAN.match(line):
            self._ran = int(found[1])
        elif (found := _UNITTEST_END.match(line)) and self._ran is not None:
            counts = dict(re.findall(r"(\w+)=(\d+)", found["counts"] or ""))
            self._closing = Counts(
                failed=int(counts.get("failures", 0)) + int(counts.get("errors", 0)),
                skipped=int(counts.get("skipped", 0)),
            )

    def _cargo(self, line: str) -> None:
        if found := _CARGO_LINE.match(line):
            self._count(found["word"], found["name"])
        elif found := _CARGO_RUNNING.match(line):
            self._total = (self._total or 0) + int(found[1])

    def _go(self, line: str) -> None:
        if found := _GO_LINE.match(line):
            self._count(found["word"], found["name"])
        elif found := _GO_BROKEN.match(line):
            self._count("FAIL", found["name"])

    def _javascript(self, line: str) -> None:
        if found := _JEST_END.match(line):
            self._closing = _add_up(found["counts"])
        elif found := _COUNT_LINE.match(line):
            n = int(found["n1"] or found["n2"])
            closing = self._closing or Counts()
            match (found["w1"] or found["w2"])[:4]:
                case "pass":
                    closing.passed = n
                case "fail":
                    closing.failed = n
                case _:
                    closing.skipped = n
            self._closing = closing


def _add_up(text: str) -> Counts:
    counts = Counts()
    for n, word in re.findall(r"(\d+) (\w+)", text):
        match word:
            case "passed" | "xfailed" | "xpassed":
                counts.passed += int(n)
            case "failed" | "error" | "errors":
                counts.failed += int(n)
            case "skipped" | "todo":
                counts.skipped += int(n)
            case _:
                pass
    return counts


_HEADS: Final = (
    re.compile(r"^_{3,} (?:ERROR (?:at \w+ of|collecting) )?(?P<head>\S.*?) _{3,}$"),
    re.compile(r"^(?:FAIL|ERROR): (?P<name>\w+) \((?P<head>[\w.]+)\)"),
    re.compile(r"^---- (?P<head>\S+) stdout ----$"),
    re.compile(r"^--- FAIL: (?P<head>\S+) \("),
)
_SECTION_END: Final = re.compile(r"^(?:={5,}|failures:$|FAIL$|ok\s|Ran \d+ test|--- PASS|=== RUN)")


def _sections(text: str) -> list[tuple[str, list[str]]]:
    """The passages that runners print about each failure, by what they are headed with."""
    sections: list[tuple[str, list[str]]] = []
    body: list[str] | None = None
    for line in text.splitlines():
        head = next((found for pattern in _HEADS if (found := pattern.match(line))), None)
        if head is not None:
            body = []
            sections.append((head["head"], body))
        elif body is not None and _SECTION_END.match(line):
            body = None
        elif body is not None and len(body) < 400:
            body.append(line)
    return sections


def _is_of(head: str, name: str) -> bool:
    """Whether a passage headed so is about the test of this name."""
    inner = ".".join(name.split("::")[1:])
    return head in (inner, name) or name.rpartition(".")[0] == head


_ERROR_LINE: Final = re.compile(r"^E\s{1,7}(?P<message>\S.*)$")
_PLACES: Final = (
    re.compile(r"^(?P<path>[\w./-]+\.\w+):(?P<line>\d+): "),
    re.compile(r"^\s*File \"(?P<path>[^\"]+)\", line (?P<line>\d+), in "),
    re.compile(r"panicked at (?:'.*', )?(?P<path>[\w./-]+):(?P<line>\d+)"),
    re.compile(r"^\s+(?P<path>[\w-]+\.go):(?P<line>\d+): "),
)


def _failure(name: str, message: str, section: list[str]) -> Failure:
    place = ""
    error = ""
    for line in section:
        if found := next((found for pattern in _PLACES if (found := pattern.search(line))), None):
            # The deepest place that is the project's own: the last one with a path relative to it.
            if not place or not found["path"].startswith(("/", "..", "<")):
                place = f"{found['path']}:{found['line']}"
            tail = line[found.end() :].strip()
            if found.re is _PLACES[3] and not error:
                error = tail
        elif (found := _ERROR_LINE.match(line)) and not error:
            error = found["message"]
        elif not error and re.match(r"^\w*(?:Error|Exception)\b", line):
            error = line
    return Failure(
        name=name,
        message=shortened(error or message or _after_panic(section), 300),
        place=place,
        excerpt="\n".join(section[-_EXCERPT_LINES:]),
    )


def _after_panic(section: list[str]) -> str:
    for line, after in itertools.pairwise(section):
        if "panicked at" in line:
            return after.strip()
    return ""
