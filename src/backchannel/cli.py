"""The command line. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from backchannel import __version__
from backchannel.errors import BackchannelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

__all__ = ["main"]

EXIT_USAGE: Final = 2
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="backchannel")
def commands() -> None:
    """Talk to your coding agent while it works.

    Speech or typing goes to a realtime voice; the voice hands work to a coding agent, which you can ask about, steer
    and stop while it runs. Without a key and a network, `backchannel talk` uses its own voice and its own agent.
    """


@commands.command()
@click.option(
    "--realtime", metavar="local|openai|URL", help="Whose voice to use.  [default: the configured one, else local]"
)
@click.option("--agent", default="workspace", show_default=True, help="Which agent does the work.")
@click.option(
    "--say",
    "say",
    multiple=True,
    metavar="TEXT",
    help="Say this, when the previous answer was heard. '@working:TEXT' says it while a task runs, '@+2.5:TEXT' that"
    " many seconds after the previous. May be given many times.",
)
@click.option("--wav", type=click.Path(path_type=Path), metavar="FILE", help="Say what is in this sound file.")
@click.option(
    "--text", "text_only", is_flag=True, help="Type instead of speaking, and let the voice answer in writing."
)
@click.option("--dialect", help="The protocol of the realtime server.  [default: the configured one, else v2]")
@click.option("--model", help="The realtime model.  [default: the configured one, else the dialect's]")
@click.option("--voice", help="The voice that answers.  [default: the configured one, else the dialect's]")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE.wav", help="Save both sides as a stereo sound file."
)
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE.jsonl", help="Record the session.")
@click.option("--chaos", is_flag=True, help="Break the connection now and then, to watch the conversation survive it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each event.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="When to give up.  [default: 120 with --say or --wav, else none]",
)
@click.option("--cwd", type=click.Path(path_type=Path), metavar="DIR", help="Where the agent works.  [default: here]")
@click.option(
    "-c",
    "--config",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Configure this for once, such as realtime.quiet_ms=300. May be given many times.",
)
def talk(
    realtime: str | None,
    agent: str,
    say: tuple[str, ...],
    wav: Path | None,
    *,
    text_only: bool,
    dialect: str | None,
    model: str | None,
    voice: str | None,
    out: Path | None,
    record: Path | None,
    chaos: bool,
    as_json: bool,
    timeout_s: float | None,
    cwd: Path | None,
    overrides: tuple[str, ...],
) -> int:
    """Have a conversation.

    With --say or --wav it is spoken for you and ends when everything is said and done. Otherwise type: each line is a
    task for the agent, or a change to the one that runs. Commands: /status, /stop, /mute, /unmute, /updates LEVEL,
    /approve [ID], /decline [ID] and /quit.
    """
    import os

    from backchannel.config import load_config
    from backchannel.net import SystemClock
    from backchannel.tui import JsonLines, Lines, Step, TalkOptions, parse_step
    from backchannel.tui import talk as have_conversation

    if wav is not None and text_only:
        raise UsageError("--wav is spoken and --text is not; leave one of them out")
    steps = tuple(parse_step(text) for text in say)
    if wav is not None:
        steps = (Step(sound=wav), *steps)
    try:
        folder = (cwd or Path()).absolute()
    except FileNotFoundError as exc:
        raise UsageError("the folder you are in does not exist any more; go to another one") from exc
    options = TalkOptions(
        cwd=folder,
        config=load_config(os.environ, overrides=overrides),
        realtime=realtime,
        agent=agent,
        steps=steps,
        typed_from=sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None,
        text_only=text_only,
        dialect=dialect,
        model=model,
        voice=voice,
        out=out,
        record=record,
        chaos=chaos,
        timeout_s=timeout_s if timeout_s is not None or not steps else 120.0,
    )
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    screen = JsonLines(sys.stdout) if as_json else Lines(sys.stdout, colour=colour)
    return _run(lambda: have_conversation(options, shown_on=screen, env=dict(os.environ), clock=SystemClock()))


@commands.command()
@click.option("--listen", default="127.0.0.1:8765", show_default=True, metavar="HOST:PORT", help="Where to listen.")
def engine(listen: str) -> int:
    """Run the local realtime engine by itself.

    Any client of the public Realtime protocol can talk to it. It hears and speaks without a network.
    """
    import os

    from backchannel.engine import serve

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"expected an address and a port such as 127.0.0.1:8765, got {listen!r}")
    return _run(lambda: serve(host=host.strip("[]"), port=int(port), env=dict(os.environ), tell=click.echo))


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Show nothing but whether this version decides as it did then.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Take the time that it took: 1 is as it was, 10 ten times as fast.  [default: all at once]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each event, or difference.")
def replay(file: Path, *, check: bool, speed: float | None, as_json: bool) -> int:
    """Show a session that `talk --record` wrote, and run it through the core again.

    With --check it ends with status 1 where the core decides otherwise than it did then, and says where. A recording
    that is attached to a bug report is a test.
    """
    import os
    import signal
    import time

    from backchannel.net import SystemClock
    from backchannel.tui import JsonLines, JsonReport, Lines, LinesReport, Pace, check_recording, show_recording

    if check and speed is not None:
        raise UsageError("--check shows nothing that --speed could slow down; leave one of them out")
    _show_any_character()
    # There is nothing to close, so it may end like by Ctrl-C, wherever it is.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if check:
            return check_recording(file, told_to=JsonReport(sys.stdout) if as_json else LinesReport(sys.stdout))
        pace = None if speed is None else Pace(speed=speed, clock=SystemClock(), sleep=time.sleep)
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        screen = JsonLines(sys.stdout) if as_json else Lines(sys.stdout, colour=colour)
        return show_recording(file, shown_on=screen, pace=pace)
    except KeyboardInterrupt:
        # Here and not in `main`, since click would print an empty line first.
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


@commands.group("app-server", invoke_without_command=True)
@click.pass_context
def app_server(context: click.Context) -> None:
    """The server that speaks the protocol of Codex's app server: descriptions of that protocol.

    The server itself is not there yet.
    """
    if context.invoked_subcommand is None:
        raise UsageError("the app server itself is not there yet; there are: generate-json-schema, generate-ts")


@app_server.command("generate-json-schema")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where to write.")
def generate_json_schema(out: Path) -> int:
    """Write the protocol as JSON Schema.

    schema.json has everything; beside it there is a file for each method and notification.
    """
    from backchannel.server import json_schema_files

    return _write(out, json_schema_files())


@app_server.command("generate-ts")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where to write.")
def generate_ts(out: Path) -> int:
    """Write the protocol as types of TypeScript, in protocol.ts."""
    from backchannel.server import typescript

    return _write(out, {"protocol.ts": typescript().encode()})


def _write(folder: Path, files: Mapping[str, bytes]) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as exc:
        raise UsageError(f"cannot write to {folder}: {exc.strerror}; name a folder that can be written to") from exc
    return 0


def _run(start: Callable[[], Coroutine[object, object, int]]) -> int:
    import asyncio

    _log_plainly()
    _show_any_character()
    try:
        import uvloop
    except ImportError:
        return asyncio.run(start())
    return uvloop.run(start())


def _show_any_character() -> None:
    """A terminal that cannot show a character is no reason to end."""
    import io

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _log_plainly() -> None:
    """Warnings are single lines on stderr; whoever is debugging gets the rest."""
    import logging
    import os

    debugging = bool(os.environ.get("BACKCHANNEL_DEBUG"))

    class Line(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return super().format(record) if debugging else f"backchannel: {record.getMessage()}"

    handler = logging.StreamHandler()
    handler.setFormatter(Line("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if debugging:
        logging.getLogger("backchannel").setLevel(logging.DEBUG)


def main() -> None:
    """Run a command: exit status 0 when it was done, 1 when it failed, 2 when it was asked for wrongly."""
    try:
        status = commands.main(standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        status = exc.exit_code
    except UsageError as exc:
        click.echo(f"backchannel: {exc}", err=True)
        status = EXIT_USAGE
    except BackchannelError as exc:
        click.echo(f"backchannel: {exc}", err=True)
        status = EXIT_FAILED
    except (KeyboardInterrupt, click.Abort):
        status = EXIT_INTERRUPTED
    except Exception as exc:
        # The process boundary: a person gets one line; whoever wants to mend it gets the rest.
        status = EXIT_FAILED
        if _is_broken_pipe(exc):
            # Whoever read our output has gone. Python would complain about it once more at exit.
            sys.stdout = None
        else:
            _report(exc)
    sys.exit(status)


def _is_broken_pipe(exc: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return any(map(_is_broken_pipe, exc.exceptions))
    return isinstance(exc, BrokenPipeError)


def _report(exc: Exception) -> None:
    import os
    import traceback

    while isinstance(exc, ExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    if os.environ.get("BACKCHANNEL_DEBUG"):
        traceback.print_exception(exc)
    else:
        click.echo(
            f"backchannel: internal error: {type(exc).__name__}: {exc}; set BACKCHANNEL_DEBUG=1 to see where,"
            " and please report it",
            err=True,
        )
