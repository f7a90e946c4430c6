"""A spoken request through the real engine, the real agent and real files, by the command line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
import wave
from typing import TYPE_CHECKING

import psutil
import pytest

from backchannel.core import recording
from backchannel.engine import find_speaker
from backchannel.testing import read_wav, rms_dbfs, speech_spans

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARK = "BACKCHANNEL_TEST_MARK"
TEST_FILE = """
import unittest

class ArithmeticTest(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(1 + 1, 2)

    def test_is_wrong(self):
        self.assertEqual(1 + 1, 3)
"""

SLOW_TEST_FILE = """
import time
import unittest

class SlowTest(unittest.TestCase):
    def test_takes_longer_than_anybody_waits(self):
        time.sleep(300)
"""


def git(folder: Path, *arguments: str) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
    }
    subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "core").mkdir(parents=True)
    (folder / "core" / "__init__.py").touch()
    (folder / "core" / "test_arithmetic.py").write_text(TEST_FILE)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "Begin")
    return folder


async def speak(text: str, path: Path) -> None:
    """Have something said by a synthesizer of this machine and save it."""
    speaker = await find_speaker(dict(os.environ))
    assert speaker is not None, "a synthesizer is needed: run scripts/system-deps"
    sound = b"".join([piece async for piece in speaker.speak(text, voice="cedar")])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(sound)


def marked_processes(mark: str) -> list[psutil.Process]:
    """The processes that descend from the run, whatever has become of their parents."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def run_talk(arguments: list[str], env: Mapping[str, str]) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run `backchannel talk` to its end; also how many processes of it are left."""
    mark = uuid.uuid4().hex
    done = subprocess.run(
        [sys.executable, "-m", "backchannel", "talk", *arguments],
        env={**env, MARK: mark},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    _, alive = psutil.wait_procs(marked_processes(mark), timeout=5)
    return done, len(alive)


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_a_spoken_request_is_done_and_its_result_is_heard(project: Path, tmp_path: Path) -> None:
    asyncio.run(speak("run the tests", tmp_path / "request.wav"))
    out, record = tmp_path / "conversation.wav", tmp_path / "session.jsonl"

    done, n_left = run_talk(
        [
            *("--wav", str(tmp_path / "request.wav")),
            *("--cwd", str(project)),
            *("--out", str(out)),
            *("--record", str(record)),
            "--json",
        ],
        os.environ,
    )

    assert done.returncode == 0, done.stderr
    assert n_left == 0
    events = [json.loads(line) for line in done.stdout.splitlines()]
    by_type: dict[str, list[dict[str, object]]] = {}
    for event in events:
        by_type.setdefault(str(event["type"]), []).append(event)

    # What was heard is what was delegated, and the work was really done.
    said = [event["text"] for event in by_type["transcript_done"] if event["speaker"] == "user"]
    assert said == ["run the tests"]
    assert [event["request"] for event in by_type["task_started"]] == said
    assert [event["outcome"] for event in by_type["task_ended"]] == ["completed"]
    assert any(event["exit_status"] == 1 for event in by_type["agent_command_ended"])
    final = [str(event["text"]) for event in by_type["agent_message"] if event["phase"] == "final"]
    assert "1 failed" in final[0] or "one failed" in final[0].lower(), final

    # The result was spoken, after the acknowledgement, and heard.
    answers = [str(event["text"]) for event in by_type["transcript_done"] if event["speaker"] == "assistant"]
    assert len(answers) >= 2
    assert "fail" in answers[-1].lower()
    assert len(by_type["reply_heard"]) == 1
    assert by_type["conversation_closed"][-1]["reason"] == "requested"

    audio = read_wav(out)
    assert audio.rate_hz == 24_000
    user, assistant = audio.channels
    assert audio.duration_s == pytest.approx(float(str(events[-1]["t"])), abs=4)
    assert rms_dbfs(user) > -45
    assert rms_dbfs(assistant) > -45
    user_spans, assistant_spans = speech_spans(user, rate_hz=24_000), speech_spans(assistant, rate_hz=24_000)
    assert sum(span.duration_s for span in user_spans) > 0.4
    assert sum(span.duration_s for span in assistant_spans) > 1.5
    assert assistant_spans[0].start_s > user_spans[0].start_s

    with record.open("rb") as lines:
        header, records = recording.read(lines)
        assert list(recording.replay(header, records)) == []


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_nothing_is_left_when_a_conversation_is_cut_short(project: Path, tmp_path: Path) -> None:
    (project / "core" / "test_slow.py").write_text(SLOW_TEST_FILE)
    asyncio.run(speak("run the tests", tmp_path / "request.wav"))

    done, n_left = run_talk(
        ["--wav", str(tmp_path / "request.wav"), "--cwd", str(project), "--timeout", "8", "--json"], os.environ
    )

    assert done.returncode == 1
    assert "--timeout" in done.stderr
    types = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert "agent_command_started" in types
    assert types[-1] == "conversation_closed"
    assert n_left == 0
