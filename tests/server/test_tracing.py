from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from backchannel.server.tracing import WithTrace
from tests.runtime.stage import until
from tests.server.stage import house

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01", "tracestate": "vendor=1"}


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # Once for the process, as those who use it do.
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


async def test_a_request_is_a_span_in_the_trace_of_its_client(tmp_path: Path, spans: InMemorySpanExporter) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        await client.answer_to(client.send("thread/list", {}, trace=TRACE))
        await client.answer_to(client.send("thread/read", {"threadId": "nonsense"}, trace=TRACE))
        await client.answer_to(client.send("thread/loaded/list", {}))
    listed, read, loaded = [span for span in spans.get_finished_spans() if span.name != "initialize"]
    assert (listed.name, listed.kind, dict(listed.attributes or {})) == (
        "thread/list",
        trace.SpanKind.SERVER,
        {"rpc.system": "jsonrpc", "rpc.method": "thread/list"},
    )
    for span in (listed, read):
        assert span.parent is not None
        assert format(span.context.trace_id, "032x") == TRACE_ID
        assert format(span.parent.span_id, "016x") == "00f067aa0ba902b7"
        assert span.context.trace_state.get("vendor") == "1"
    assert dict(read.attributes or {})["rpc.jsonrpc.error_code"] == -32600
    assert (read.status.status_code, read.status.description) == (trace.StatusCode.ERROR, None)
    assert loaded.parent is None
    assert loaded.status.status_code is trace.StatusCode.UNSET


async def test_the_microphone_makes_no_spans(tmp_path: Path, spans: InMemorySpanExporter) -> None:
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        audio = {"data": "", "sampleRate": 24000, "numChannels": 1}
        await client.ask("thread/realtime/appendAudio", {"threadId": thread_id, "audio": audio})
    assert [span.name for span in spans.get_finished_spans()] == ["initialize", "thread/start"]


async def test_what_is_logged_for_a_request_names_its_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(WithTrace())
    async with house(tmp_path) as staged:
        client = await staged.client()
        thread_id = (await client.ask("thread/start", {}))["thread"]["id"]
        agent = staged.agent(thread_id)
        text = [{"type": "text", "text": "x"}]
        client.send("turn/start", {"threadId": thread_id, "input": text}, trace=TRACE)
        await until(lambda: agent.requests != [], "the turn")
        agent.desk.put_nowait(RuntimeError("a bug"))
        await client.sees("turn/completed")
        client.send("turn/start", {"threadId": thread_id, "input": text}, trace={"traceparent": "nonsense"})
        await until(lambda: len(agent.requests) > 1, "the next turn")
        agent.desk.put_nowait(RuntimeError("another bug"))
        await client.sees("turn/completed", times=2)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert said == [f"! agent desk failed [trace {TRACE_ID}]", "! agent desk failed"]
