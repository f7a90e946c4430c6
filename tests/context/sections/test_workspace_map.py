from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backchannel.context.sections import Tree, WorkspaceMap, workspace_map_section


def _text(found: WorkspaceMap) -> str:
    made = workspace_map_section(found, max_tokens=1600)
    return "" if made is None else made.text


def test_everything_that_was_found_is_mapped() -> None:
    found = WorkspaceMap(
        cwd="/users/ada/app/web",
        project="/users/ada/app",
        home="/users/ada",
        cwd_tree=((0, "src/"), (1, "main.py"), (0, "README.md")),
        project_tree=((0, "web/"), (0, "... 3 more entries")),
        home_tree=((0, "app/"),),
    )
    assert _text(found) == (
        "## Machine / Workspace Map\n"
        "Current working directory: /users/ada/app/web\n"
        "Working directory name: web\n"
        "Git root: /users/ada/app\n"
        "Git project: app\n"
        "User root: /users/ada\n"
        "\n"
        "Working directory tree:\n"
        "- src/\n"
        "  - main.py\n"
        "- README.md\n"
        "\n"
        "Git root tree:\n"
        "- web/\n"
        "- ... 3 more entries\n"
        "\n"
        "User root tree:\n"
        "- app/"
    )


def test_an_empty_folder_outside_of_a_repository_is_no_map() -> None:
    assert _text(WorkspaceMap(cwd="/a", home="/users/ada")) == ""


def test_a_repository_alone_is_a_map() -> None:
    assert _text(WorkspaceMap(cwd="/", project="/")) == (
        "## Machine / Workspace Map\n"
        "Current working directory: /\n"
        "Working directory name: /\n"
        "Git root: /\n"
        "Git project: /"
    )


def test_a_home_with_something_in_it_is_a_map() -> None:
    assert _text(WorkspaceMap(cwd="/a", home="/users/ada", home_tree=((0, "notes.txt"),))).endswith(
        "User root: /users/ada\n\nUser root tree:\n- notes.txt"
    )


def test_lines_say_where_they_were_seen() -> None:
    made = workspace_map_section(WorkspaceMap(cwd="/a", cwd_tree=((0, "x"),)), max_tokens=1600)
    assert made is not None
    assert made.body[-1].origin == "a look into /a"


@given(st.lists(st.tuples(st.integers(0, 1), st.text(max_size=60)), max_size=200).map(tuple), st.integers(0, 1600))
def test_it_is_never_over_its_budget(tree: Tree, max_tokens: int) -> None:
    made = workspace_map_section(WorkspaceMap(cwd="/a", cwd_tree=tree), max_tokens=max_tokens)
    assert made is None or made.tokens <= max_tokens
