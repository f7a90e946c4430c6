"""Checks that every module of `core` and `wire` is covered whole by its own tests alone.

Coverage by accident does not count: `core/x.py` is measured while only `tests/core/test_x.py` runs, and
`tests/core/test_x_*.py` where there are so many; lines and branches.

    python scripts/individual_coverage.py            all modules
    python scripts/individual_coverage.py response   those whose path contains the word
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib
from typing import Final

__all__ = ["main"]

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src" / "backchannel"
ROOMS: Final = ("core", "wire")
TIMEOUT_S: Final = 120


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the tests of one module cover of it."""

    module: pathlib.Path
    """Relative to the package."""
    percent: float = 0.0
    missing: str = ""
    """Lines, and branches as `from->to`, that did not run."""
    problem: str = ""
    """Why nothing could be measured; the output of the tests where they failed."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and not self.problem


def main() -> int:
    """Measure, print a table, and tell by the exit status whether all is covered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="words, one of which the path of a module has to contain")
    parser.add_argument("--processes", type=int, default=2, help="how many test runs at a time (default: 2)")
    arguments = parser.parse_args()
    modules = [module for module in _modules() if not arguments.only or any(w in str(module) for w in arguments.only)]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        with concurrent.futures.ThreadPoolExecutor(arguments.processes) as pool:
            results = list(pool.map(lambda module: _measure(module, work), modules))
    for result in results:
        state = "      " if result.is_whole else "FAILED"
        print(f"{state} {result.percent:6.1f} %  {result.module}  {result.missing}")
    for result in results:
        if result.problem:
            print(f"\n{result.module}: {result.problem}")
    n_bad = sum(not result.is_whole for result in results)
    print(f"\n{len(results)} modules, {len(results) - n_bad} covered whole by their own tests")
    return 1 if n_bad or not results else 0


def _modules() -> list[pathlib.Path]:
    found = [path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py")) if path.name != "__init__.py"]
    return [path.relative_to(PACKAGE) for path in found]


def _measure(module: pathlib.Path, work: pathlib.Path) -> Result:
    test = ROOT / "tests" / module.with_name(f"test_{module.name}")
    if not test.exists():
        return Result(module=module, problem=f"there is no {test.relative_to(ROOT)}")
    parts = sorted(test.parent.glob(f"{test.stem}_*.py"))
    name = "-".join(module.with_suffix("").parts)
    rcfile = work / f"{name}.ini"
    data = work / f"{name}.coverage"
    rcfile.write_text(_configuration(module, data))
    coverage = [sys.executable, "-m", "coverage"]
    pytest = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--hypothesis-profile",
        "brief",
        *map(str, (test, *parts)),
    ]
    tests = _run([*coverage, "run", f"--rcfile={rcfile}", *pytest])
    if tests.returncode:
        return Result(module=module, problem=f"its tests fail\n{tests.stdout}{tests.stderr}")
    report = work / f"{name}.json"
    written = _run([*coverage, "json", f"--rcfile={rcfile}", "-q", "-o", str(report)])
    if written.returncode:
        return Result(module=module, problem=f"nothing was measured\n{written.stdout}{written.stderr}")
    (measured,) = json.loads(report.read_text())["files"].values()
    lines = [str(line) for line in measured["missing_lines"]]
    branches = [f"{start}->{'exit' if end < 0 else end}" for start, end in measured["missing_branches"]]
    return Result(module=module, percent=measured["summary"]["percent_covered"], missing=", ".join([*lines, *branches]))


def _configuration(module: pathlib.Path, data: pathlib.Path) -> str:
    # What may be left out is said in one place, pyproject.toml.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    excluded = "\n    ".join(project["tool"]["coverage"]["report"]["exclude_also"])
    run = f"[run]\nbranch = true\ninclude = {PACKAGE / module}\ndata_file = {data}\n"
    return f"{run}[report]\nexclude_also =\n    {excluded}\n"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


if __name__ == "__main__":
    sys.exit(main())
