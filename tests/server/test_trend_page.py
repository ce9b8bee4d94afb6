"""The page of a trend, and its question over HTTP."""

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import run_text
from served import served
from servers import HTTP
from test_trend import AT, commit
from test_trend import stepped as stepped  # a fixture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(stepped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    copy = shutil.copy(stepped, tmp_path_factory.mktemp("served") / "store.duckdb")
    with served(Path(copy)) as address:
        yield address


def get(url: str) -> str:
    answer = HTTP.request("GET", url)
    assert answer.status == 200, answer.data
    return answer.data.decode()


def test_a_change_leads_to_its_diff(url: str) -> None:
    page = get(f"{url}/trend?selector=*&over=commit&comm=iperf3")
    assert f"Changed at commit {commit(AT)}" in page
    [link] = re.findall(r'href="(/diff[^"]+)"', page)
    assert "comm=iperf3" in link
    diff = get(url + html.unescape(link))
    assert "regression" in diff
    assert 'name="comm" value="iperf3"' in page
    assert page.count('<svg class="trend"') >= 3


def test_what_cannot_be_is_the_line_of_the_command(url: str, stepped: Path) -> None:
    answer = HTTP.request("GET", f"{url}/trend?selector=*&over=nothing")
    assert answer.status == 422
    done = run_text(["trend", "*", "--over", "nothing", "--store", stepped])
    [said] = re.findall('role="alert">(.*?)</p>', answer.data.decode())
    assert f"perfduck: --{html.unescape(said)}\n" == done.stderr
    assert "Costs of the same workload" in get(f"{url}/trend")


def test_a_repository_of_the_server_is_not_asked(url: str) -> None:
    answer = HTTP.request("GET", f"{url}/api/v1/trend?selector=*&over=commit&repo=/etc")
    assert answer.status == 422
    assert b"unknown parameter repo" in answer.data


@pytest.mark.parametrize("format", ["json", "csv", "text", "markdown", "html"])
def test_all_doors_give_the_same_bytes(url: str, stepped: Path, format: str) -> None:
    words = ["trend", "*", "--over", "commit", "--format", format]
    of_file = run_text([*words, "--store", stepped])
    of_server = run_text([*words, "--store", url])
    assert of_server.stdout == of_file.stdout
    assert get(f"{url}/api/v1/trend?selector=*&over=commit&format={format}") == of_file.stdout
