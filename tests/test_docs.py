"""What a person reads is true: names, options, links and examples in the documentation are those of the code."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from backchannel import cli

# The rule has no name outside the core; the page on safety tells people what it says.
from backchannel.core.consent import Consent, read_consent

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "backchannel"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
EMBEDDED_ROOMS = ("core", "runtime", "agents", "testing", "errors")
"""Those whose exports somebody who builds on Backchannel uses."""

FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path, kind: str) -> list[str]:
    return [match["text"] for match in FENCE.finditer(page.read_text(encoding="utf-8")) if match["kind"] == kind]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def code_spans(page: Path) -> list[str]:
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def typed_commands(page: Path) -> list[str]:
    """What the page shows as typed at a prompt, and the commands in its prose."""
    typed: list[str] = re.findall(r"^ *\$ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return typed + [span for span in code_spans(page) if re.match(r"(\.venv/bin/)?backchannel |make [a-z]", span)]


def words(command: str) -> list[str]:
    """A command's words without a comment, redirections and the variables before it."""
    given = shlex.split(command, comments=True)
    for sign in (">", "|"):
        if sign in given:
            given = given[: given.index(sign)]
    while given and re.fullmatch(r"[A-Z_]+=.*", given[0]):
        given.pop(0)
    return given


# ---- the generated parts ----


def run_reference(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "reference.py", *arguments], capture_output=True, text=True, check=False
    )


def test_the_reference_is_up_to_date() -> None:
    result = run_reference("--check")
    assert result.returncode == 0, result.stderr


def test_a_stale_page_is_found_and_mended(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs)
    page = docs / "reference" / "command-line.md"
    good = page.read_text(encoding="utf-8")
    page.write_text(good.replace("--timeout", "--patience"), encoding="utf-8")

    result = run_reference("--check", "--docs", str(docs))
    assert result.returncode == 1
    assert "reference/command-line.md" in result.stderr
    assert "make docs" in result.stderr

    assert run_reference("--docs", str(docs)).returncode == 0
    assert page.read_text(encoding="utf-8") == good


def test_a_page_without_its_marks_is_refused(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs)
    (docs / "reference" / "errors.md").write_text("# Errors\n", encoding="utf-8")
    result = run_reference("--check", "--docs", str(docs))
    assert result.returncode == 1
    assert "reference/errors.md: expected marks for errors, found none" in result.stderr


# ---- names ----


FILES_OF_GIT = {"BISECT_LOG", "CHERRY_PICK_HEAD", "MERGE_HEAD", "REVERT_HEAD"}
"""Spelt like variables, and none."""


def variables_named_in(source: str) -> set[str]:
    """The environment variables that a module's text names: read by `.get`, or spelt like one anywhere else."""
    module = ast.parse(source)
    found: set[str] = set()
    exported = {
        id(name)
        for node in ast.walk(module)
        if isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in ast.unparse(node).split("=")[0]
        for name in ast.walk(node)
    }
    for node in ast.walk(module):
        match node:
            case ast.Constant(value=str(value)) if id(node) not in exported:
                spelt = re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|(https?|all|no)_proxy", value)
                if spelt and value not in FILES_OF_GIT:
                    found.add(value)
            case ast.Call(func=ast.Attribute(value=place, attr="get"), args=[ast.Constant(value=str(value)), *_]):
                if re.search(r"(env|environ|environment)$", ast.unparse(place)):
                    found.add(value)
            case _:
                pass
    return found


def test_variables_are_found_in_every_form_of_reading_them() -> None:
    assert variables_named_in(
        """
__all__ = ["NOT_ONE"]
KEYS = ("MY_KEY",)
a = env.get("PATH", "")
b = os.environ.get("NO_COLOR")
c = self._env.get("HOME")
d = options.get("name")
"""
    ) == {"MY_KEY", "PATH", "NO_COLOR", "HOME"}


def test_every_environment_variable_is_documented() -> None:
    documented = set(code_spans(DOCS / "reference" / "environment.md"))
    named = set().union(*(variables_named_in(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")))
    assert "OPENAI_API_KEY" in named
    assert named <= documented, f"not in docs/reference/environment.md: {sorted(named - documented)}"


@pytest.mark.parametrize("room", EMBEDDED_ROOMS)
def test_every_export_for_embedders_is_mentioned(room: str) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    mentioned = set(re.findall(r"\w+", text))
    exports: list[str] = importlib.import_module(f"backchannel.{room}").__all__
    assert not [name for name in exports if name not in mentioned]


# ---- commands ----


def options_of(command: click.Command) -> set[str]:
    names = {name for parameter in command.params for name in parameter.opts}
    return names | {"--help", "-h"}


def every_command(group: click.Group = cli.commands) -> dict[tuple[str, ...], click.Command]:
    """The commands by their names, those of groups behind the name of the group."""
    found: dict[tuple[str, ...], click.Command] = {}
    for name, command in group.commands.items():
        found[(name,)] = command
        if isinstance(command, click.Group):
            found.update({(name, *names): under for names, under in every_command(command).items()})
    return found


def every_option() -> set[str]:
    return options_of(cli.commands).union(*map(options_of, every_command().values()))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for typed in typed_commands(page):
        match words(typed):
            case [program, name, *arguments] if program.rpartition("/")[2] == "backchannel":
                if name.startswith("-"):
                    assert name in options_of(cli.commands), typed
                    continue
                names = (name, *arguments[:1]) if (name, *arguments[:1]) in every_command() else (name,)
                assert names in every_command(), typed
                given = [name, *arguments][len(names) :]
                # Raises click.UsageError for an option that does not exist or a value that does not fit.
                # A name alone is a mention, which need not have the arguments that the command needs.
                every_command()[names].make_context(name, given, resilient_parsing=not given)
            case ["make", target, *_]:
                assert target in targets, typed
            case _:
                pass


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_option_that_is_mentioned_exists(page: Path) -> None:
    mentioned = {span.split()[0] for span in code_spans(page) if re.match(r"--[a-z]", span)}
    assert mentioned <= every_option()


def test_the_readme_shows_the_two_commands() -> None:
    shown = [words(typed) for typed in typed_commands(ROOT / "README.md")]
    assert ["make", "demo"] in shown
    assert any(command[-2:] == [".venv/bin/backchannel", "talk"] for command in shown)


# ---- examples ----


def examples() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, text in enumerate(fences(page, "python"), start=1):
            yield f"{page_name(page)}#{number}", text


@pytest.mark.parametrize(("where", "text"), [pytest.param(*example, id=example[0]) for example in examples()])
def test_examples_in_python_run(where: str, text: str) -> None:
    namespace: dict[str, object] = {"__name__": "example"}
    exec(compile(text, where, "exec"), namespace)
    for name, value in namespace.items():
        if name.startswith("test_") and inspect.isfunction(value):
            result = value()
            if inspect.iscoroutine(result):
                asyncio.run(result)


def test_pages_have_examples_that_run() -> None:
    assert len(list(examples())) >= 5


def test_what_the_page_on_safety_calls_a_yes_is_one_and_the_rest_is_none() -> None:
    permissions = (DOCS / "explanation" / "safety.md").read_text(encoding="utf-8").partition("## Permissions")[2]
    said_yes = permissions.partition("**A yes**")[2].partition("\n\n")[0]
    never = permissions.partition("**Never a yes**")[2].partition("**A no**")[0]

    def read(text: str) -> list[Consent]:
        return [read_consent(" ".join(words.split())) for words in re.findall("“([^”]+)”", text)]

    assert len(read(said_yes)) >= 5
    assert set(read(said_yes)) == {Consent.YES}
    assert len(read(never)) >= 6
    assert Consent.YES not in read(never)


# ---- links ----


def anchors(page: Path) -> set[str]:
    """What can be linked to inside a page: its headings as they are spelt in addresses."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT), target
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_is_reached_from_the_index() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", index.read_text(encoding="utf-8"))}
    assert set(DOCS.rglob("*.md")) - {index} <= linked


# ---- the changelog ----


def test_fragments_make_a_changelog() -> None:
    for fragment in (ROOT / "changelog.d").glob("*.md"):
        assert re.fullmatch(r"\+?[a-z0-9-]+\.(breaking|added|changed|fixed)\.md", fragment.name)
        assert re.fullmatch(r"\S[^\n]*\.\n", fragment.read_text(encoding="utf-8")), f"{fragment.name}: one sentence"
    draft = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert draft.returncode == 0, draft.stderr
    assert draft.stdout.startswith("## 9.9.9 (")


def test_the_changelog_says_what_may_change_and_where_news_goes() -> None:
    before, mark, _ = (
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("<!-- towncrier release notes start -->")
    )
    assert mark
    assert "Before 1.0" in before
