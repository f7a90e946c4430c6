"""The command line. Everything heavy is imported inside the command that needs it.

The file is long because every command stands in it with its options; what they do is elsewhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from backchannel import __version__
from backchannel.errors import BackchannelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from backchannel.server import AuthKind

__all__ = ["main"]

EXIT_USAGE: Final = 2
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="backchannel")
@click.option("--config", "overrides", multiple=True, hidden=True, metavar="KEY=VALUE")
@click.pass_context
def commands(context: click.Context, *, overrides: tuple[str, ...]) -> None:
    """Talk to your coding agent while it works.

    Speech or typing goes to a realtime voice; the voice hands work to a coding agent, which you can ask about, steer
    and stop while it runs. Without a key and a network, `backchannel talk` uses its own voice and its own agent.
    """
    # Where programs put it that know Codex's command.
    if overrides and context.invoked_subcommand != "app-server":
        raise UsageError("--config stands behind the command that it is for")
    context.obj = overrides


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
    "--resume",
    is_flag=False,
    flag_value="last",
    metavar="[ID|last]",
    help="Go on with this thread, or with the last one of the folder.",
)
@click.option("--no-store", is_flag=True, help="Keep nothing of the conversation.")
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
    resume: str | None,
    no_store: bool,
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
    config = load_config(os.environ, overrides=overrides)
    options = TalkOptions(
        cwd=_folder(cwd),
        config=config,
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
        store=None if no_store or not config.threads.store else _store(),
        resume=resume,
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
@click.option("--cwd", type=click.Path(path_type=Path), metavar="DIR", help="Where to look.  [default: here]")
@click.option(
    "--thread", metavar="ID|last", help="As a session that goes on with this thread, or the last one of the folder."
)
@click.option("--budget", type=click.IntRange(min=500), metavar="N", help="How long it may be, in estimated tokens.")
@click.option("--explain", is_flag=True, help="Say of each line where it comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-c",
    "--config",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Configure this for once, such as realtime.context.guidance=false. May be given many times.",
)
def context(
    cwd: Path | None,
    *,
    thread: str | None,
    budget: int | None,
    explain: bool,
    as_json: bool,
    overrides: tuple[str, ...],
) -> int:
    """Show what a session that starts here would be told of your work.

    The text goes to standard output; how long each part is and took goes to standard error.
    """
    import os

    from backchannel.config import find_home, load_config
    from backchannel.net import SystemClock
    from backchannel.tui import ContextOptions, show_context

    if budget is not None:
        overrides = (*overrides, f"realtime.context.budget={budget}")
    config = load_config(os.environ, overrides=overrides)
    options = ContextOptions(
        cwd=_folder(cwd),
        config=config,
        store=_store() if config.threads.store else None,
        thread=thread,
        explain=explain,
        as_json=as_json,
    )
    env = dict(os.environ)
    home = find_home(env)
    return _run(
        lambda: show_context(options, env=env, home=home, clock=SystemClock(), out=sys.stdout, remarks=sys.stderr)
    )


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
@click.option(
    "--listen",
    default="stdio://",
    show_default=True,
    metavar="stdio://|ws://IP:PORT|unix://[PATH]",
    help="Where clients find it. Without a PATH it is app-server.sock where conversations are kept.",
)
@click.option("--stdio", is_flag=True, help="The same as --listen stdio://.")
@click.option(
    "--ws-auth",
    type=click.Choice(["capability-token", "signed-bearer-token"]),
    help="What clients of the websocket have to send, as 'Authorization: Bearer TOKEN'.  [default: the kind that"
    " the options below are for]",
)
@click.option(
    "--ws-token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The capability token is in this file.",
)
@click.option("--ws-token-sha256", metavar="HEX", help="The same, by the SHA-256 of the token.")
@click.option(
    "--ws-shared-secret-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Signed tokens, which are JWTs, are signed by HS256 with the secret in this file, of at least 32 bytes.",
)
@click.option("--ws-issuer", metavar="NAME", help="Who has to have made signed tokens.")
@click.option("--ws-audience", metavar="NAME", help="For whom signed tokens have to be.")
@click.option(
    "--ws-max-clock-skew-seconds",
    type=int,
    metavar="N",
    help="How far the clock of who made a signed token may be from ours.  [default: 30]",
)
@click.option(
    "--agent", help="Which agent does the work.  [default: responses with a model or a login, else workspace]"
)
@click.option(
    "-c",
    "--config",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Configure this for once. May be given many times.",
)
@click.pass_context
def app_server(
    context: click.Context,
    *,
    listen: str,
    stdio: bool,
    ws_auth: AuthKind | None,
    ws_token_file: Path | None,
    ws_token_sha256: str | None,
    ws_shared_secret_file: Path | None,
    ws_issuer: str | None,
    ws_audience: str | None,
    ws_max_clock_skew_seconds: int | None,
    agent: str | None,
    overrides: tuple[str, ...],
) -> int:
    """Serve editors and other programs: over standard input and output, a websocket, or a unix socket.

    It speaks the protocol of Codex's app server: one JSON message a line, or a text frame. What is logged goes to
    standard error.
    """
    if context.invoked_subcommand is not None:
        return 0

    import os

    from backchannel.config import find_home, load_config
    from backchannel.server import AuthOptions, ServeOptions, read_address, read_admission, serve

    if stdio and listen != "stdio://":
        raise UsageError(f"--stdio and --listen {listen} name two places; leave one of them out")
    admission = read_admission(
        AuthOptions(
            kind=ws_auth,
            token_file=ws_token_file,
            token_sha256=ws_token_sha256,
            secret_file=ws_shared_secret_file,
            issuer=ws_issuer,
            audience=ws_audience,
            max_clock_skew_s=ws_max_clock_skew_seconds,
        )
    )
    state_folder = _store().parent
    address = read_address(listen, admission=admission, state_folder=state_folder)
    env = dict(os.environ)
    config = load_config(env, overrides=(*context.obj, *overrides))
    for notice in config.notices:
        click.echo(f"backchannel: {notice}", err=True)
    options = ServeOptions(
        config=config,
        env=env,
        home=find_home(env),
        state_folder=state_folder,
        store=_store() if config.threads.store else None,
        cwd=_folder(None),
        address=address,
        admission=admission,
        tell=lambda line: click.echo(line, err=True),
        agent=agent,
    )
    return _run(lambda: serve(options))


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


@commands.group()
def threads() -> None:
    """Find, read and delete what is kept of conversations.

    A thread is named by its id, which `list` and `search` show; `last` is the newest one of the folder.
    """


_of_folder = click.option(
    "--cwd", type=click.Path(path_type=Path), metavar="DIR", help="Of which folder `last` is.  [default: here]"
)
_in_folder = click.option("--cwd", type=click.Path(path_type=Path), metavar="DIR", help="Only those of this folder.")
_limit = click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="Show at most so many."
)


@threads.command("list")
@_in_folder
@_limit
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each thread.")
def list_(cwd: Path | None, *, limit: int, as_json: bool) -> int:
    """List the threads, the one that was changed last first."""
    return _list("", cwd, limit=limit, as_json=as_json)


@threads.command()
@click.argument("words", nargs=-1, required=True)
@_in_folder
@_limit
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each thread.")
def search(words: tuple[str, ...], cwd: Path | None, *, limit: int, as_json: bool) -> int:
    """List the threads whose name or first request has all these words, or pieces of words."""
    return _list(" ".join(words), cwd, limit=limit, as_json=as_json)


@threads.command()
@click.argument("thread", metavar="ID|last")
@_of_folder
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="Show the last N entries."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(thread: str, cwd: Path | None, *, limit: int, as_json: bool) -> int:
    """Show what was said and done in a thread."""
    from backchannel.tui import show_thread

    _show_any_character()
    return show_thread(_store(), thread, cwd=_folder(cwd), newest=limit, out=sys.stdout, as_json=as_json)


@threads.command()
@click.argument("thread", metavar="ID|last")
@_of_folder
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it here, and not to the terminal.")
def export(thread: str, cwd: Path | None, out: Path | None) -> int:
    """Write a thread as JSON Lines: a header, and then every entry."""
    import io

    from backchannel.tui import export_thread

    if isinstance(sys.stdout, io.TextIOWrapper):
        # It is for programs, whatever the terminal can show.
        sys.stdout.reconfigure(encoding="utf-8")
    return export_thread(_store(), thread, cwd=_folder(cwd), to=out, out=sys.stdout)


@threads.command()
@click.argument("thread", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
def delete(thread: str, *, yes: bool) -> int:
    """Delete a thread with all that is in it."""
    from backchannel.tui import delete_thread

    if not yes and not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError("nobody can be asked here whether it is meant; say so with --yes")
    _show_any_character()
    return delete_thread(_store(), thread, confirm=None if yes else click.confirm, out=sys.stdout)


def _list(search: str, cwd: Path | None, *, limit: int, as_json: bool) -> int:
    import os

    from backchannel.threads import ThreadQuery
    from backchannel.tui import list_threads

    _show_any_character()
    cwds = None if cwd is None else (os.path.realpath(_folder(cwd)),)
    return list_threads(_store(), ThreadQuery(search=search, cwds=cwds, limit=limit), out=sys.stdout, as_json=as_json)


@commands.group("config")
def configuration() -> None:
    """Show what is configured, where that stands, and what may stand there."""


@configuration.command("path")
def show_configuration_path() -> int:
    """Print the file from which the configuration is read.

    Where there is none yet, it is the one that would be read, and that is said on standard error.
    """
    import os

    from backchannel.config import find_config

    path, exists = find_config(os.environ)
    click.echo(os.fsencode(path))
    if not exists:
        click.echo("backchannel: nothing is there yet, so the defaults are in force", err=True)
    return 0


@configuration.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-c",
    "--config",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Configure this for once, such as realtime.voice=cedar. May be given many times.",
)
def show_configuration(*, as_json: bool, overrides: tuple[str, ...]) -> int:
    """Print the configuration in force as TOML, and beside each value that is no default where it stands.

    What is or could be secret is left out: keys, headers, parameters of addresses, passwords in them.
    """
    import os

    from backchannel.config import load_with_origins
    from backchannel.tui import show_config

    _show_any_character()
    loaded = load_with_origins(os.environ, overrides=overrides)
    for notice in loaded.config.notices:
        click.echo(f"backchannel: {notice}", err=True)
    return show_config(loaded, out=sys.stdout, as_json=as_json)


@configuration.command("schema")
def show_configuration_schema() -> int:
    """Print what may stand in the file as JSON Schema, which editors understand."""
    from backchannel.config import config_schema_text

    click.echo(config_schema_text(), nl=False)
    return 0


def _store() -> Path:
    """The file in which conversations are kept."""
    import os

    from backchannel.config import find_home, state_folder
    from backchannel.threads import STORE_NAME

    home = find_home(os.environ) or Path(os.devnull)
    return state_folder(os.environ, platform=sys.platform, user_home=home) / STORE_NAME


def _folder(cwd: Path | None) -> Path:
    try:
        return (cwd or Path()).absolute()
    except FileNotFoundError as exc:
        raise UsageError("the folder you are in does not exist any more; go to another one") from exc


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
