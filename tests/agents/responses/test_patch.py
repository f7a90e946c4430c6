"""Patches as models write them: what is read, and what becomes of texts."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backchannel.agents.responses.patch import (
    AddFile,
    DeleteFile,
    Hunk,
    PatchError,
    UpdateFile,
    changed_text,
    changes_of,
    parse_patch,
)
from backchannel.core import FileChange


def patch(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def change(text: str, *lines: str) -> str:
    (update,) = parse_patch(patch("*** Update File: a.txt", *lines))
    assert isinstance(update, UpdateFile)
    return changed_text(text, update)


def refusal(text: str) -> str:
    with pytest.raises(PatchError) as caught:
        parse_patch(text)
    return str(caught.value)


def test_every_kind_of_change() -> None:
    assert parse_patch(
        "\n"
        + patch(
            "*** Add File: new/a b.txt",
            "+one",
            "+",
            "*** Delete File: old.txt",
            "*** Update File: c.txt",
            "*** Move to: d.txt",
            "@@ class C",
            "@@ def f",
            " x",
            "-y",
            "+z",
            "",
            "@@",
            "+last",
            "*** End of File",
        )
        + "\n"
    ) == (
        AddFile("new/a b.txt", "one\n\n"),
        DeleteFile("old.txt"),
        UpdateFile(
            "c.txt",
            (
                Hunk(((" ", "x"), ("-", "y"), ("+", "z"), (" ", "")), ("class C", "def f")),
                Hunk((("+", "last"),), at_end=True),
            ),
            "d.txt",
        ),
    )
    assert parse_patch(patch("*** Update File: a", "*** Move to: b")) == (UpdateFile("a", (), "b"),)
    assert parse_patch(patch("*** Add File: empty")) == (AddFile("empty", ""),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the patch to begin with the line '*** Begin Patch', got ''"),
        ("diff --git", "expected the patch to begin with the line '*** Begin Patch', got 'diff --git'"),
        ("*** Begin Patch\n*** Add File: a\n+x", "expected the patch to end with the line '*** End Patch', got '+x'"),
        (patch(), "the patch changes nothing"),
        (patch("*** Add File: a", "+x", "y"), "line 4: expected each line of a new file to begin with +, got 'y'"),
        (patch("*** Delete File: a", "-x"), "line 3: expected nothing after Delete File, got '-x'"),
        (patch("*** Update File: a"), "line 2: expected lines to change, got none"),
        (patch("*** Update File: a", " x", "?y"), "line 4: expected a line that begins with a space, + or -"),
        (patch("*** Update File: a", "*** Move to: b", " x", "?y"), "line 5: expected a line that begins"),
        (patch("*** Replace File: a", "+x"), "line 2: expected '*** Add File:', '*** Update File:' or"),
        (patch("*** Add File:  "), "line 2: expected '*** Add File:'"),
        (patch("*** Delete File: a\0b"), "line 2: expected a path, got 'a\\x00b'"),
        ("x" * 200, "..."),
    ],
)
def test_what_is_no_patch_is_said(text: str, said: str) -> None:
    assert said in refusal(text)


TEXT = "a\nb\nc\nb\nd\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("@@", " a", "-b", "+B"), "a\nB\nc\nb\nd\n"),
        (("-b", "+B", "@@", "-b", "+BB"), "a\nB\nc\nBB\nd\n"),
        (("@@ c", "-b", "+B"), "a\nb\nc\nB\nd\n"),
        (("@@", "-b", "+B", "*** End of File"), None),
        (("@@", "-d", "+D", "*** End of File"), "a\nb\nc\nb\nD\n"),
        (("@@", "+e"), "a\nb\nc\nb\nd\ne\n"),
        (("@@ a", "+aa"), "a\naa\nb\nc\nb\nd\n"),
        (("@@", "-a", "-b", "-c", "-b", "-d"), ""),
        (("@@", "-d", "+D", "@@", "-a", "+A"), None),
        (("@@ nowhere", "-b"), None),
        (("@@", "-nothing"), None),
    ],
)
def test_a_hunk_finds_its_place(lines: tuple[str, ...], expected: str | None) -> None:
    if expected is None:
        with pytest.raises(PatchError, match=r"a\.txt, hunk \d: .* read the file again"):
            change(TEXT, *lines)
    else:
        assert change(TEXT, *lines) == expected


def test_space_that_differs_is_overlooked_and_left_as_it_is() -> None:
    assert change("  a \n\tb\nc\n", " a", "-b", "+B", " c") == "  a \nB\nc\n"
    # The exact place wins over one that only looks alike.
    assert change("b \nb\n", "-b", "+B") == "b \nB\n"


def test_line_ends_stay_as_they_are() -> None:
    assert change("a\r\nb\r\n", " a", "-b", "+B", "+c") == "a\r\nB\r\nc\r\n"
    assert change("a\nb", "-b", "+B") == "a\nB"
    assert change("", "+a") == "a\n"


@given(st.lists(st.sampled_from(["a", "b", "", " c"]), min_size=1, max_size=12), st.data())
def test_a_patch_of_one_line_changes_that_line(lines: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(lines) - 1))
    hunk = [f" {line}" for line in lines[:at]] + [f"-{lines[at]}", "+new"] + [f" {line}" for line in lines[at + 1 :]]

    text = "".join(f"{line}\n" for line in lines)

    assert change(text, "@@", *hunk) == "".join(f"{line}\n" for line in [*lines[:at], "new", *lines[at + 1 :]])


def test_what_becomes_of_each_file_is_shown() -> None:
    text = patch(
        "*** Add File: new.txt",
        "+one",
        "+two",
        "*** Delete File: old.txt",
        "*** Update File: a.py",
        "*** Move to: b.py",
        "@@ def f",
        " x",
        "-y",
        "+z",
        "@@",
        "+end",
    )
    assert changes_of(text) == (
        FileChange(path="new.txt", kind="add", diff="one\ntwo\n"),
        FileChange(path="old.txt", kind="delete", diff=""),
        FileChange(path="a.py", kind="update", diff="@@ def f\n x\n-y\n+z\n@@\n+end\n", moved_to="b.py"),
    )
    assert changes_of("no patch") == ()


@given(st.text(alphabet=" +-@*\nab", max_size=60))
def test_anything_is_a_patch_or_an_error_that_says_why(text: str) -> None:
    with contextlib.suppress(PatchError):
        for each in parse_patch(patch("*** Update File: a.txt", text)):
            if isinstance(each, UpdateFile):
                changed_text(TEXT, each)
