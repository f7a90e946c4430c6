"""The official Python SDK of Codex, in an environment of its own, with our command as its `codex`."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
import subprocess
import sys
import venv
from typing import Final

import pytest

from backchannel.testing import Gate, ResponseScript, ScriptedResponses, completed, created, says, text_delta

ROOT: Final = pathlib.Path(__file__).parents[2]
CLIENT: Final = """
import sys
from openai_codex import Codex
from openai_codex.client import CodexConfig

home, command = sys.argv[1:]
config = CodexConfig(
    codex_bin=command, cwd=home, env={"BACKCHANNEL_HOME": home}, config_overrides=("approval_policy=never",)
)
with Codex(config) as codex:
    thread = codex.thread_start(cwd=home)
    result = thread.run("Say hello.")
    assert (result.final_response, result.status.value) == ("Hello.", "completed"), result
    assert result.usage.total.total_tokens == 7, result.usage

    methods = []
    turn = thread.turn("Do one.")
    for told in turn.stream():
        methods.append(told.method)
        if methods.count("item/agentMessage/delta") == 1 and told.method == methods[-1] == "item/agentMessage/delta":
            assert turn.steer("And the other.").turn_id == turn.id
    assert methods[0] == "turn/started" and methods[-1] == "turn/completed", methods
    assert methods.count("turn/started") == 1, methods
    assert told.payload.turn.items[-1].root.text == "Both.", told

    turn = thread.turn("Never end.")
    for told in turn.stream():
        if told.method == "item/agentMessage/delta":
            turn.interrupt()
    assert told.payload.turn.status.value == "interrupted", told

    thread.set_name("mine")
    (listed,) = codex.thread_list().data
    assert (listed.id, listed.name, listed.preview) == (thread.id, "mine", "Say hello."), listed
    assert [model.id for model in codex.models().data] == ["mock"]
    assert codex.thread_fork(thread.id).id != thread.id
    codex.thread_archive(thread.id)
    codex.thread_unarchive(thread.id)

with Codex(config) as codex:
    resumed = codex.thread_resume(thread.id)
    turns = resumed.read(include_turns=True).thread.turns
    assert [turn.status.value for turn in turns] == ["completed", "completed", "interrupted"], turns
    assert resumed.run("Again.").final_response == "Still here."
print("done")
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The Python of an environment with the SDK, and without the binary that it would bring."""
    folder = tmp_path_factory.mktemp("sdk")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    locked = ROOT / "requirements" / "codex-sdk.txt"
    install = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--require-hashes", "-r")
    subprocess.run([python, *install, locked], check=True)
    return python


@pytest.mark.e2e
@pytest.mark.timeout(240)
async def test_the_official_sdk_drives_our_command(sdk: pathlib.Path, tmp_path: pathlib.Path) -> None:
    command = shutil.which("backchannel", path=f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert command is not None
    answers: tuple[ResponseScript, ...] = (
        [*says("Hello.")[:-1], completed(tokens=(5, 2))],
        [created(), text_delta("One"), Gate()],
        says("Both."),
        [created(), text_delta("For ever"), Gate()],
        says("Still here."),
    )
    async with ScriptedResponses(*answers) as models:
        (tmp_path / "config.toml").write_text(
            "model = 'mock'\nmodel_provider = 'mock'\nsandbox_mode = 'danger-full-access'\n"
            f"[model_providers.mock]\nbase_url = '{models.url}'\nrequest_max_retries = 0\nstream_max_retries = 0\n"
        )
        process = await asyncio.create_subprocess_exec(
            sdk,
            "-c",
            CLIENT,
            tmp_path,
            command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 120)
        assert (process.returncode, out.decode()) == (0, "done\n")
        # Who resumes a thread goes on with what was said in it.
        assert ("assistant", "Both.") in models.requests[-1].texts
