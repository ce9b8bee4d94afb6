"""Parameters of URLs that no route has."""

import re

import pytest
from fastapi.routing import APIRoute
from servers import HTTP, Server

from perfduck_server.app import create_app
from perfduck_server.service import Service
from perfduck_server.settings import Settings

VALUES = {"key": "0" * 16, "name": "pages.css", "file": "run.txt", "job": "0" * 28}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Method and path of each route."""
    service = Service(Settings(store=tmp_path_factory.mktemp("routes") / "s.duckdb"))
    included = [each for each in create_app(service).routes if hasattr(each, "original_router")]
    service.close()
    return [
        (method, route.path)
        for each in included
        for route in each.original_router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]


@pytest.mark.slow
def test_no_route_ignores_a_parameter(own_server: Server, routes: list[tuple[str, str]]) -> None:
    assert len(routes) > 60
    profile = HTTP.request("GET", f"{own_server.url}/api/v1/profiles").json()[0]["id"]
    for method, route in routes:
        path = re.sub(r"\{(\w+)\}", lambda place: VALUES.get(place[1], profile), route)
        answer = HTTP.request(method, f"{own_server.url}{path}?nope=1", redirect=False)
        said = answer.data.decode()
        if path.startswith("/d/"):  # there is no such link
            assert "expected a link" in said
            continue
        expected = 400 if path == "/v1development/profiles" else 422  # as OTLP has it
        assert answer.status == expected, (method, path, said[:200])
        assert "unknown parameter nope; there are " in said, (method, path, said[:200])


@pytest.mark.slow
def test_the_line_says_what_was_meant(server: Server) -> None:
    url = f"{server.url}/api/v1/sql"
    body = b'{"query": "select 1"}'
    answer = HTTP.request("POST", f"{url}?fromat=csv", body=body)
    line = "unknown parameter fromat; did you mean format? there are format"
    assert (answer.status, answer.json()) == (422, {"error": line})
    answer = HTTP.request("POST", f"{url}?format=csv&format=json", body=body)
    assert answer.json() == {"error": "format: expected it once, got it 2 times"}


def test_static_files_have_their_version(server: Server) -> None:
    page = HTTP.request("GET", server.url, headers={"Accept": "text/html"}).data.decode()
    found = re.findall(r'"(/static/[^"]+)"', page)
    assert found
    assert all(HTTP.request("GET", server.url + each).status == 200 for each in found)
