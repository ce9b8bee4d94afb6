"""Reports, rules and counters that no program writes: refused in a line, and soon."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import FIXTURES

from perfduck import attachments
from perfduck.manifest import requests
from perfduck_diff.engine import budget
from perfduck_ingest.work import work_from
from perfduck_model.errors import PerfduckError, SymbolError
from perfduck_tags import rule_file


def read_rules(path: Path) -> object:
    return rule_file.read(rule_file.file_of(path))


WORK = {
    "packets are text": '{"end": {"sum_sent": {"packets": "abc"}}}',
    "packets are true": '{"end": {"sum_sent": {"packets": true}}}',
    "packets are null": '{"end": {"sum_sent": {"packets": null}}}',
    "packets are negative": '{"end": {"sum_sent": {"packets": -1}}}',
    "packets are infinite": '{"end": {"sum_sent": {"packets": 1e999}}}',
    "packets are NaN": '{"end": {"sum_sent": {"packets": NaN}}}',
    "sum_sent is a number": '{"end": {"sum_sent": 5}}',
    "sum_sent is a list": '{"end": {"sum_sent": ["packets"]}}',
    "end is text": '{"end": "sum"}',
    "nested deeply": "[" * 100_000,
    "a number of 5000 digits": " " + "9" * 5000 + " requests in 4s",
    "line ends": "\n" * 200_000,
    "blanks": " " * 400_000,
    "a long line of brackets": "[  5] 1/2 (" * 40_000,
    "a long line of words": "sockperf: [Total Run] " * 20_000,
}


@pytest.mark.parametrize("text", WORK.values(), ids=WORK.keys())
def test_a_report_without_work_is_refused_soon(text: str, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(text)
    start = time.process_time()
    with pytest.raises(PerfduckError, match="report:1: expected a report of iperf3"):
        work_from(tmp_path / "report")
    assert time.process_time() - start < 2


def test_long_lines_hide_no_work(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("x" * 10_000 + "\n  126018 requests in 4.00s, 17.43MB read\n")
    assert work_from(tmp_path / "report").amount == 126018


REFUSED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "conntrack of 64 bits": (
        lambda path: attachments.read(f"conntrack={path}"),
        "entries found\n\n8000000000000000 0\n",
        ":3: expected a hexadecimal number of 63 bits, got '8000000000000000'",
    ),
    "conntrack with a sign": (
        lambda path: attachments.read(f"conntrack={path}"),
        "entries found\n-1 0\n",
        ":2: expected a hexadecimal number of 63 bits, got '-1'",
    ),
    "conntrack with a value more": (
        lambda path: attachments.read(f"conntrack={path}"),
        "entries found\n1 2 3\n",
        ":2: expected 2 hexadecimal numbers, got 3",
    ),
    "iptables of 67 bits": (
        lambda path: attachments.read(f"iptables={path}"),
        "*nat\n[99999999999999999999:1] -A X\n",
        ":2: expected a number of 63 bits, got '99999999999999999999'",
    ),
    "rules nested deeply": (
        read_rules,
        "[[rule]]\nsymbol=" + "[" * 5000,
        "expected TOML, got: maximum recursion depth",
    ),
    "a budget nested deeply": (
        budget.read,
        "[budget]\ntotal=" + "[" * 5000,
        "expected a budget file in TOML, got: maximum recursion depth",
    ),
}


@pytest.mark.parametrize(("read", "text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_kept_is_refused_in_a_line(
    read: Callable[[Path], object], text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.toml"
    path.write_text(text)
    with pytest.raises((PerfduckError, SymbolError)) as error:
        read(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: work_from(path),
        lambda path: attachments.read(f"note={path}"),
        lambda path: requests(path, None),  # type: ignore[arg-type]
    ],
)
def test_a_file_without_end_is_not_read_to_it(read: Callable[[Path], object]) -> None:
    with pytest.raises(PerfduckError, match=r"/dev/zero: expected a .*, got .*more than 64 MB"):
        read(Path("/dev/zero"))


def test_every_counter_of_every_cpu_is_read() -> None:
    path = FIXTURES / "demo" / "docker0-nat.udp64.1.conntrack.txt"
    names, *cpus = [line.split() for line in path.read_text().splitlines()]
    rows = attachments.read(f"conntrack={path}").rows["conntrack_stat"].rows()
    expected = [
        (cpu, name, int(value, 16))
        for cpu, values in enumerate(cpus)
        for name, value in zip(names, values, strict=True)
    ]
    assert rows == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            '{"end": {"sum_sent": {"packets": "abc"}}}',
            "JSON with end.sum_sent.packets: expected int",
        ),
        ('{"end": {"sum_sent": 5}}', "JSON with end.sum_sent: expected object | null, got int"),
        ('{"end": ', "JSON with Input data was truncated"),
        ('{"a": ' + "[" * 100_000, "JSON with maximum recursion depth"),
    ],
)
def test_what_is_wrong_in_json_has_its_place(text: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(text)
    with pytest.raises(PerfduckError, match="report:1: expected a report of iperf3") as error:
        work_from(tmp_path / "report")
    assert place in str(error.value)


@pytest.mark.parametrize(
    ("read", "line", "expected"),
    [
        (read_rules, b"\n", "expected a file of rules, got: more than 20,000 lines"),
        (read_rules, b"x" * 30 + b"\n", "expected a file of rules, got: more than 4 MB"),
        (budget.read, b"\n", "expected a budget file in TOML, got: more than 1 MB"),
        (lambda path: attachments.read(f"iptables={path}"), b"\n", "got more than 500,000 lines"),
        (lambda path: requests(path, None), b"\n", "got more than 100,000 lines"),  # type: ignore[arg-type]
    ],
)
def test_files_are_bounded(
    read: Callable[[Path], object], line: bytes, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(line * 1_100_000)
    with pytest.raises((PerfduckError, SymbolError), match=expected):
        read(tmp_path / "file")
