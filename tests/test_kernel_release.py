"""Which kernel ran: from the recording, from its paths, from the user, and what diff says of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perfduck_ingest.kernel_release import release_of
from perfduck_store.duckdb.store import DuckDbStore

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from perfduck_cli.main import main; main()"]
MODULE = "/lib/modules/6.1.0-18-amd64/kernel/net/netfilter/nf_conntrack.ko"


def perfduck(*arguments: str | Path, store: Path) -> tuple[int, str, str]:
    command = [*PROGRAM, *map(str, arguments), "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def recording(
    path: Path, dso: str = "[kernel.kallsyms]", header: str = "", hits: int = 300
) -> Path:
    lines = [header] if header else []
    for number in range(hits):
        lines += [
            f"iperf3  4711 [000] {1 + number / 1000:.6f}:    1000000 cpu-clock: ",
            f"\tffffffff81000000 nf_conntrack_in+0x10 ({dso})",
            "\tffffffff81000000 nf_hook_slow+0x10 ([kernel.kallsyms])",
            "",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def releases(store: Path) -> list[str | None]:
    with DuckDbStore(store) as opened:
        return [release for (release,) in opened.rows(
            "select kernel_release from profile order by name"
        )]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "dso", "header", "expected"),
    [
        ((), "[kernel.kallsyms]", "", None),
        ((), "[kernel.kallsyms]", "# os release : 6.18.44", "6.18.44"),
        (("--kernel", "5.10.0-28-amd64"), "[kernel.kallsyms]", "", "5.10.0-28-amd64"),
        (("--kernel", "6.18.44"), "[kernel.kallsyms]", "# os release : 6.18.44", "6.18.44"),
    ],
)
def test_the_release_is_read_or_given(
    tmp_path: Path, options: tuple[str, ...], dso: str, header: str, expected: str | None
) -> None:
    store = tmp_path / "store.duckdb"
    file = recording(tmp_path / "a.txt", dso, header)
    assert perfduck("ingest", file, *options, store=store)[0] == 0
    assert releases(store) == [expected]


def test_another_release_than_that_of_the_recording_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store.duckdb"
    file = recording(tmp_path / "a.txt", header="# os release : 6.18.44")
    code, _, error = perfduck("ingest", file, "--kernel", "6.1.0", store=store)
    assert (code, error) == (
        2,
        f"perfduck: {file}: expected kernel 6.1.0, as given, got 6.18.44 from the recording\n",
    )
    code, _, error = perfduck("ingest", file, "--kernel", "newest", store=store)
    assert (code, error.count("\n")) == (2, 1)
    assert "--kernel: expected a kernel release such as" in error


def test_the_release_may_come_later_and_from_a_manifest(tmp_path: Path) -> None:
    store = tmp_path / "store.duckdb"
    file = recording(tmp_path / "a.txt")
    assert perfduck("ingest", file, store=store)[0] == 0
    _, out, _ = perfduck("ingest", file, "--kernel", "6.1.0", store=store)
    assert out == "a: already in the store; kernel is 6.1.0\n"
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("file,name,kernel\na.txt,a,6.6.1\n")
    _, out, _ = perfduck("ingest", "--manifest", manifest, store=store)
    assert out == "a: already in the store; kernel is 6.6.1 (was 6.1.0)\n"
    assert releases(store) == ["6.6.1"]
    manifest.write_text("file,name,kernel\na.txt,a,six\n")
    code, _, error = perfduck("ingest", "--manifest", manifest, store=store)
    assert (code, error) == (
        2,
        f"perfduck: {manifest}:2: expected a kernel release such as 6.1.0-18-amd64, got 'six'\n",
    )


def test_a_diff_says_where_releases_differ_or_are_not_known(tmp_path: Path) -> None:
    store = tmp_path / "store.duckdb"
    for name, hits, options in (
        ("base.1", 300, ("--kernel", "6.1.0")),
        ("base.2", 301, ("--kernel", "6.1.0")),
        ("new.1", 302, ("--kernel", "6.18.44")),
        ("new.2", 303, ()),
    ):
        file = recording(tmp_path / f"{name}.txt", hits=hits)
        side = f"side={name.split('.')[0]}"
        work = ("--work", "1000", "--unit", "packet")
        assert perfduck("ingest", file, "--label", side, *work, *options, store=store)[0] == 0
    _, out, _ = perfduck("diff", "side=base", "side=new", "--format", "json", store=store)
    reasons = {reason["code"]: reason for reason in json.loads(out)["reasons"]}
    assert reasons["kernel"]["text"].startswith("base ran 6.1.0, new 6.18.44")
    assert reasons["kernel-unknown"] == {
        "code": "kernel-unknown",
        "text": "kernel release not known of 1 of 4 runs: ingest --kernel RELEASE",
        "blocks": False,
    }


def test_paths_that_say_two_releases_say_none() -> None:
    other = "/usr/lib/debug/boot/vmlinux-6.6.1"
    assert release_of([other, "/usr/bin/iperf3"]) == "6.6.1"
    assert release_of([MODULE, other]) is None
    assert release_of(["/boot/vmlinux", "[kernel.kallsyms]"]) is None
