from __future__ import annotations

import subprocess
import sys

import pytest

from backchannel.context import default_prompt, user_first_name

USER_NAMES = """
import ctypes, getpass, pwd, sys
mode = sys.argv[1]
if mode.startswith("windows"):
    sys.modules["pwd"] = None
    class Ask:
        def __call__(self, kind, buffer, size):
            assert kind == 3 and size._obj.value == len(buffer) == 256
            buffer.value = mode.partition("=")[2]
            return int(bool(buffer.value))
    class Library:
        def __init__(self, name):
            if "=" not in mode or name != "secur32":
                raise OSError("no such library")
            self.GetUserNameExW = Ask()
    ctypes.CDLL = Library
class Account:
    pw_gecos = mode.partition("=")[2]
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown if mode in ("login", "nobody") else lambda uid: Account
def nameless():
    raise {"nobody": KeyError, "gecos=": OSError}.get(mode, ImportError)("no name")
getpass.getuser = nameless if mode not in ("login", "windows login") else lambda: "ada"
from backchannel.context import user_first_name
print(user_first_name())
"""


def test_the_user_is_named_and_no_placeholder_is_left() -> None:
    prompt = default_prompt("Ada")
    assert "Ada" in prompt
    assert "{{" not in prompt
    assert prompt == prompt.strip()
    assert len(prompt) > 1000
    assert prompt.startswith("## Who you are\n\nYou are the voice that Ada talks to")


def test_a_strange_name_is_put_in_as_it_is() -> None:
    name = r"\1 {{ user_first_name }} {0} %s"
    assert name in default_prompt(name)


@pytest.mark.parametrize("tool", ["background_agent", "remain_silent", "agent_status", "stop_agent"])
def test_every_tool_of_the_voice_is_explained(tool: str) -> None:
    assert f"`{tool}`" in default_prompt("Ada")


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("gecos=Ada Lovelace,Room 5,,", "Ada"),
        ("gecos=Grace", "Grace"),
        ("gecos=", "there"),
        ("gecos=,Room 5", "there"),
        ("login", "ada"),
        ("nobody", "there"),
        ("windows=Ada Lovelace", "Ada"),
        ("windows=Lovelace, Ada", "Ada"),
        ("windows=Lovelace,", "Lovelace"),
        ("windows=", "there"),
        ("windows login", "ada"),
        ("windows", "there"),
    ],
)
def test_the_name_is_the_accounts_else_the_logins(account: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USER_NAMES, account], capture_output=True, text=True, check=True, timeout=10
    )
    assert done.stdout.strip() == name


def test_this_machine_has_a_name_for_its_user() -> None:
    name = user_first_name()
    assert name
    assert name.split() == [name]


RULES = {
    "who it is": ["voice that Ada talks to"],
    "the name is used sparingly": ["name rarely"],
    "one assistant to the user": ["there is one assistant, and it is you"],
    "the machinery is never mentioned": ["do not mention agents, tools, delegation, prompts, prefixes"],
    "work is passed on by default": ["what you do by default"],
    "in the user's own words": ["Pass on the user's own words"],
    "it never refuses on the agent's behalf": ["Never refuse on its behalf", "is judged there"],
    "a running task can be steered, changed or stopped": ["can always be steered, changed or stopped"],
    "it asks back only to avoid harm": ["Ask back only where acting on a misunderstanding could do harm"],
    "the agent's output is authoritative": ["authoritative"],
    "the two prefixes": ["`[USER] `", "`[BACKEND] `"],
    "completion arrives as a tool result": ["comes as the result of the call that started it"],
    "the key takeaway instead of the whole": ["key point first"],
    "no tables, diffs or code": ["Never read out code, tables, diffs"],
    "wishes on verbosity last": ["hold until the user changes them"],
    "no filler": ["no filler"],
}


@pytest.mark.parametrize("rule", RULES)
def test_the_prompt_carries_each_rule(rule: str) -> None:
    prompt = " ".join(default_prompt("Ada").split())
    for words in RULES[rule]:
        assert words in prompt
