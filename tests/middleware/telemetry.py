"""OpenTelemetry in memory: what was traced, as names of spans and of their parents."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
tracer = provider.get_tracer("tests")


def parents() -> set[tuple[str, str]]:
    """Return the finished spans as (name, name of the parent), and forget them."""
    spans = exporter.get_finished_spans()
    exporter.clear()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {(span.name, "" if span.parent is None else names.get(span.parent.span_id, "unfinished")) for span in spans}
