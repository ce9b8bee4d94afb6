"""What a server counts of itself, for Prometheus: GET /metrics."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client import generate_latest as text_of
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from perfduck_server.access import require
from perfduck_server.service import Service

if TYPE_CHECKING:
    from perfduck_server.jobs import Jobs
    from perfduck_server.publisher import PublishState

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

router = APIRouter()


class ServerMetrics:
    """Counts requests by route; asks the service for the rest when somebody looks."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "perfduck_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "perfduck_request_seconds",
            "Time from a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.registry.register(_OfService(service))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` as it is described, with its parameters in braces."""
        verb = method if method in _METHODS else "other"
        self._requests.labels(verb, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class _OfService(Collector):
    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """What the service knows now."""
        service = self._service
        path = service.settings.store
        yield from _of_jobs(service.jobs)
        if service.publisher:
            yield from _of_publisher(service.publisher.state)
        yield _gauge("perfduck_profiles", "Stored profiles.", len(service.store.names()))
        yield _gauge("perfduck_store_bytes", "Size of the store's file.", path.stat().st_size)
        free = shutil.disk_usage(path.parent).free
        yield _gauge("perfduck_disk_free_bytes", "Free space of the store's disk.", free)


def _of_jobs(jobs: "Jobs") -> Iterator[Metric]:
    ended = CounterMetricFamily("perfduck_pushes", "Pushes by what came of them.", labels=["state"])
    for state, number in jobs.counts.items():
        ended.add_metric([state], number)
    yield ended
    yield _gauge("perfduck_pushes_waiting", "Pushes without an outcome yet.", jobs.waiting)


def _of_publisher(state: "PublishState") -> Iterator[Metric]:
    published, failures = "Recordings that were published.", "Attempts to publish that failed."
    yield CounterMetricFamily("perfduck_published", published, value=state.published)
    yield CounterMetricFamily("perfduck_publish_failures", failures, value=state.failures)
    if state.waiting is not None:
        waiting = "Recordings that are not published yet."
        yield _gauge("perfduck_publish_waiting", waiting, state.waiting)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help, value=value)


@router.get("/metrics", dependencies=[Depends(require("read"))], response_class=Response)
def metrics(request: Request) -> Response:
    """Counters and gauges, as Prometheus reads them."""
    return Response(text_of(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
