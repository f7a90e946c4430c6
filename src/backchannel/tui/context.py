"""`backchannel context`: what a session would be told at its start, part by part."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from backchannel.context import Gatherer, Standing
from backchannel.errors import UsageError
from backchannel.threads import SqliteThreads
from backchannel.tui.keeping import find_thread
from backchannel.wire import tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from backchannel.config import Config
    from backchannel.context import Part, StartupContext
    from backchannel.net import Clock
    from backchannel.threads import ThreadStore

__all__ = ["ContextOptions", "show_context"]

_MAX_ORIGIN: Final = 48
_STANDINGS: Final = {
    Standing.TOLD: "",
    Standing.EMPTY: "nothing to tell",
    Standing.LATE: "not ready in time",
    Standing.FAILED: "could not be read",
    Standing.OFF: "switched off",
}
_CONFIGURED: Final = "realtime.startup_context in the configuration"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContextOptions:
    """What `context` was asked for."""

    cwd: Path
    config: Config
    store: Path | None = None
    """Where threads are kept; None for nowhere."""
    thread: str | None = None
    """The id of the thread to go on with, or `last`; None for a new one."""
    explain: bool = False
    """Whether to say of each line where it comes from."""
    as_json: bool = False


class _ShownPart(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    standing: str
    tokens: int
    took_ms: float
    sources: str
    remarks: tuple[str, ...]


class _ShownLine(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    origin: str


class _Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    text: str
    tokens: int
    took_ms: float
    parts: tuple[_ShownPart, ...]
    lines: tuple[_ShownLine, ...] | None = None


async def show_context(
    options: ContextOptions, *, env: Mapping[str, str], home: Path | None, clock: Clock, out: TextIO, remarks: TextIO
) -> int:
    """Gather as a session would, print it to `out` and its figures to `remarks`; return the exit status.

    Raises:
        UsageError: There is no such folder, or no such thread.
        StoreError: The store cannot be read.
    """
    if not options.cwd.is_dir():
        raise UsageError(f"expected a folder, got {str(options.cwd)!r}; choose one with --cwd")
    realtime = options.config.realtime
    async with _opened(options.store) as store:
        thread_id = None
        if options.thread is not None:
            thread_id = await asyncio.to_thread(_thread_id, store, options.thread, options.cwd)
        began = clock.now()
        gatherer = Gatherer(env=env, home=home, store=store, clock=clock)
        context = await gatherer.begin(str(options.cwd), thread_id=thread_id, options=realtime.context).collect()
        took_ms = (clock.now() - began) * 1000
    if options.as_json:
        print(msgspec.json.encode(_shown(options, context, took_ms)).decode(), file=out)
        return 0
    if realtime.startup_context is not None:
        print(realtime.startup_context, file=out)
        print(f"\n{_CONFIGURED} stands in the place of what would be gathered", file=remarks)
        return 0
    if options.explain:
        _explain(context, out)
    elif context.text:
        print(context.text, file=out)
    _figures(context, took_ms, remarks)
    return 0


@contextlib.asynccontextmanager
async def _opened(path: Path | None) -> AsyncIterator[ThreadStore | None]:
    """The store, where there is one: to look for it is no reason to make it."""
    if path is None or not await asyncio.to_thread(path.exists):
        yield None
        return
    store = await asyncio.to_thread(SqliteThreads, path)
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)


def _thread_id(store: ThreadStore | None, name: str, cwd: Path) -> str:
    if store is None:
        raise UsageError("expected a thread that is kept, but nothing is kept; leave out --thread")
    return find_thread(store, name, cwd=cwd).thread_id


def _shown(options: ContextOptions, context: StartupContext, took_ms: float) -> _Shown:
    configured = options.config.realtime.startup_context
    text = context.text if configured is None else configured
    lines = None
    if options.explain and configured is None:
        lines = tuple(_ShownLine(text=line.text, origin=line.origin) for line in context.lines())
    elif options.explain:
        lines = tuple(_ShownLine(text=line, origin=_CONFIGURED) for line in text.splitlines())
    return _Shown(
        text=text,
        tokens=tokens.estimate_tokens(text),
        took_ms=round(took_ms, 1),
        parts=tuple(
            _ShownPart(
                name=part.name.value,
                standing=part.standing.value,
                tokens=_tokens(part),
                took_ms=round(part.took_ms, 1),
                sources=part.sources,
                remarks=part.remarks,
            )
            for part in context.parts
        ),
        lines=lines,
    )


def _explain(context: StartupContext, out: TextIO) -> None:
    lines = list(context.lines())
    width = max((min(len(line.origin), _MAX_ORIGIN) for line in lines), default=0)
    for line in lines:
        origin = line.origin if len(line.origin) <= _MAX_ORIGIN else f"{line.origin[: _MAX_ORIGIN - 3]}..."
        print(f"{origin:<{width}} | {line.text}".rstrip(), file=out)


def _figures(context: StartupContext, took_ms: float, remarks: TextIO) -> None:
    print(f"\n{'part':<24}{'tokens':>7}{'ms':>8}", file=remarks)
    for part in context.parts:
        name = part.name.value.replace("_", " ")
        told = f"{name:<24}{_tokens(part) or '':>7}{part.took_ms:>8.1f}  {_STANDINGS[part.standing]}"
        print(told.rstrip(), file=remarks)
        for remark in part.remarks:
            print(f"  {remark}", file=remarks)
    print(f"{'the whole':<24}{context.tokens:>7}{took_ms:>8.1f}", file=remarks)
    if not context.text:
        print("there is nothing to tell: no thread, no recent work, an empty folder and no repository", file=remarks)


def _tokens(part: Part) -> int:
    return 0 if part.section is None else part.section.tokens
