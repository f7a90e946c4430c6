"""Where a request belongs in its client's distributed trace: for the log, and as a span of OpenTelemetry.

What a request starts belongs there too, since a task takes its context from where it is started. Spans are made in a
process in which somebody has loaded OpenTelemetry, such as `opentelemetry-instrument`; it is not loaded here.

Source: app-server.md 1.1; W3C Trace Context.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from backchannel.wire import jsonrpc

__all__ = ["Traced", "WithTrace", "traced"]

_PARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_trace_id: Final[contextvars.ContextVar[str | None]] = contextvars.ContextVar("trace_id", default=None)


class Traced:
    """A request that is being done."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def refused(self, error: jsonrpc.RpcError) -> None:
        """It is refused; the message stays here, since it may quote the client."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("rpc.jsonrpc.error_code", error.code)
            self._span.set_status(StatusCode.ERROR)


@contextlib.contextmanager
def traced(request: jsonrpc.Request) -> Iterator[Traced]:
    """Whatever is logged and started inside belongs to the trace of a request."""
    parent = None if request.trace is None else request.trace.traceparent
    found = None if parent is None else _PARENT.fullmatch(parent)
    token = _trace_id.set(None if found is None else found[1])
    try:
        with _span(request) as span:
            yield Traced(span)
    finally:
        _trace_id.reset(token)


@contextlib.contextmanager
def _span(request: jsonrpc.Request) -> Iterator[Span | None]:
    if "opentelemetry.trace" not in sys.modules:
        yield None
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {}
    if request.trace is not None:
        headers = {"traceparent": request.trace.traceparent, "tracestate": request.trace.tracestate}
        carrier = {name: value for name, value in headers.items() if value is not None}
    with trace.get_tracer("backchannel").start_as_current_span(
        request.method,
        context=TraceContextTextMapPropagator().extract(carrier),
        kind=trace.SpanKind.SERVER,
        attributes={"rpc.system": "jsonrpc", "rpc.method": request.method},
    ) as span:
        yield span


class WithTrace(logging.Filter):
    """For handlers: a record that belongs to a trace says so, in its message and as `trace_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass."""
        trace_id = _trace_id.get()
        if trace_id is not None and not hasattr(record, "trace_id"):
            record.trace_id = trace_id
            record.msg = f"{record.getMessage()} [trace {trace_id}]"
            record.args = None
        return True
