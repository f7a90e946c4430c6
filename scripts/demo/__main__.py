"""The demo: a spoken conversation with the offline engine and agent, on real audio.

Nothing in it is faked: the speech in the WAV files beside this one is streamed over a websocket in real time, the
engine recognises it, the agent does the work in a small repository made for the occasion, and what the engine says is
saved as it would be heard.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from sample_repository import make_sample_repository

from backchannel.errors import BackchannelError
from backchannel.net import SystemClock
from backchannel.tui import Lines, Step, TalkOptions, When, talk

_SPEECH: Final = Path(__file__).with_name("speech")
_STEPS: Final = (
    Step(sound=_SPEECH / "what-changed-this-week.wav"),
    Step(sound=_SPEECH / "run-the-tests.wav"),
    Step(sound=_SPEECH / "how-is-it-going.wav", when=When.WORKING),
    # By then the voice has told how far the tests are.
    Step(sound=_SPEECH / "only-the-core-tests.wav", when=When.DELAYED, delay_s=7.2),
    Step(sound=_SPEECH / "stop.wav", when=When.DELAYED, delay_s=8.0),
)
_OUT: Final = Path("demo-out")


def main() -> int:
    """Run the demo and say what to try next."""
    if shutil.which("git") is None:
        print("the demo needs git; install it and try again", file=sys.stderr)
        return 1
    _OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backchannel-demo-") as folder:
        # Git's own variables, as a hook sets them, would lead away from the sample project.
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        make_sample_repository(Path(folder), env=env, now=datetime.datetime.now().astimezone())
        print(f"A conversation about a sample project in {folder}. Nobody is at the microphone: the user's part is")
        print("played from sound files. Everything else is real: recognition, work, answers.\n")
        options = TalkOptions(
            cwd=Path(folder), steps=_STEPS, out=_OUT / "conversation.wav", record=_OUT / "session.jsonl", timeout_s=180
        )
        shown_on = Lines(sys.stdout, colour=sys.stdout.isatty() and not env.get("NO_COLOR"))
        try:
            status = asyncio.run(talk(options, shown_on=shown_on, env=env, clock=SystemClock()))
        except BackchannelError as exc:
            print(f"backchannel: {exc}", file=sys.stderr)
            return 1
    print(f"\nListen to it:   {_OUT / 'conversation.wav'} (left: the user, right: the assistant)")
    print(f"Look inside:    {_OUT / 'session.jsonl'} (every event and what was decided)")
    print("Try next, in a project of your own:")
    print("  .venv/bin/backchannel talk                              type instead of speaking")
    print("  .venv/bin/backchannel talk --say 'run the tests'        say something else")
    print("  OPENAI_API_KEY=... .venv/bin/backchannel talk --realtime openai   with OpenAI's voice")
    return status


if __name__ == "__main__":
    sys.exit(main())
