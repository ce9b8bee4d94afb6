"""Recordings that curl pushes to a real server."""

import io
import json
import lzma
import socket
import subprocess
import tarfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from servers import Server, running

import perfduck
from perfduck_model.zstandard import zstd

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

FIXTURES = Path(__file__).parents[2] / "fixtures"
DEMO = FIXTURES / "demo"
TEXT = DEMO / "native.udp64.1.txt.xz"
SESSION = FIXTURES / "oprofile" / "app-callgraph" / "session.tar.gz"


def curl(server: Server, path: str, *words: str | Path) -> tuple[int, dict]:
    """The status and the JSON of an answer, which is waited for on a busy machine too."""
    if "recordings" in path and "wait" not in path:
        path += f"{'&' if '?' in path else '?'}wait=60"
    command = ["curl", "-sS", "-w", "\n%{http_code}", *map(str, words), f"{server.url}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), json.loads(body)


def unpacked(path: Path, folder: Path, suffix: str) -> Path:
    """The text of a packed recording, packed otherwise."""
    text = lzma.decompress(path.read_bytes())
    copy = folder / f"native.udp64.1.txt{suffix}"
    copy.write_bytes(zstd.compress(text) if suffix == ".zst" else text)
    return copy


@pytest.mark.parametrize("suffix", ["", ".xz", ".zst"])
def test_a_file_is_stored_once(empty_server: Server, tmp_path: Path, suffix: str) -> None:
    file = TEXT if suffix == ".xz" else unpacked(TEXT, tmp_path, suffix)
    query = "?label.scenario=native&label.run=1&work=2168120&unit=packet"
    code, answer = curl(empty_server, f"/api/v1/recordings/{query}", "-T", file)
    assert (code, answer["state"]) == (201, "stored")
    assert answer["result"].startswith("native.udp64.1: ")
    code, again = curl(empty_server, "/api/v1/recordings?label.run=2", "-T", file)
    assert code == 200
    assert again["result"] == ("native.udp64.1: already in the store; label run=2 (was 1)")
    assert again["profile"] == answer["profile"]
    raw = subprocess.check_output(
        ["curl", "-sS", f"{empty_server.url}/api/v1/recordings/{answer['profile']['id']}/raw"]
    )
    assert raw == file.read_bytes()
    empty_server.stop()
    local = tmp_path / "local.duckdb"
    labels = {"scenario": "native", "run": "2"}
    perfduck.open(local).ingest(file, labels=labels, work=2168120, unit="packet")
    ours, theirs = perfduck.open(local), perfduck.open(empty_server.store)
    for question in ("top", "export"):
        wanted = [str(getattr(store, question)("*")) for store in (ours, theirs)]
        assert wanted[0] == wanted[1]


def test_a_tar_of_an_oprofile_session(empty_server: Server) -> None:
    code, answer = curl(empty_server, "/api/v1/recordings", "-T", SESSION)
    assert code == 201
    assert answer["profile"]["name"].startswith("recording-")


def test_files_beside_the_recording(empty_server: Server) -> None:
    folder = FIXTURES / "perf_data"
    form = {
        "recording": folder / "chains" / "recording.data.xz",
        "kallsyms": folder / "kallsyms.gz",
        "work": DEMO / "native.udp64.1.iperf3.json",
        "attach.iptables": DEMO / "docker0-nat.crr.1.iptables.txt",
    }
    words = [word for name, path in form.items() for word in ("-F", f"{name}=@{path}")]
    code, answer = curl(empty_server, "/api/v1/recordings?name=chains", *words)
    assert (code, answer["profile"]["name"]) == (201, "chains")
    assert "iptables attached" in answer["result"]
    assert "kallsyms kept" in answer["result"]
    empty_server.stop()
    store = perfduck.open(empty_server.store)
    assert "2,168,120" in store.profiles().to_text()


REFUSED = [
    ("?label.file=x", TEXT, "--label file=x: expected a label, got file"),
    ("?label.scenario", TEXT, "label.scenario: expected a value, got none"),
    ("?work=0", TEXT, "--work 0.0: expected a positive number"),
    ("?work=1e-10", TEXT, "--work 1e-10: expected a positive number, 1e-9 to 1e18"),
    ("?work=1e19", TEXT, "work: expected a number from 0 to 1,000,000,000,000,000,000, got 1e19"),
    ("?unit=packet", TEXT, "--unit packet: expected --work N with it"),
    ("?wrok=3", TEXT, "unknown parameter wrok"),
    (
        "?lable.scenario=x",
        TEXT,
        "unknown parameter lable.scenario; labels are label.KEY: did you mean label.scenario?",
    ),
    ("?label.host=a%0d%0ab", TEXT, "expected a value of printable characters, got 'a\\r\\nb'"),
    ("?name=%0a", TEXT, "expected a name of printable characters"),
    ("?wait=900", TEXT, "wait: expected a number from 0 to 60, got 900"),
    ("?kernel=x", TEXT, "kernel"),
    ("", Path(__file__), "recording:1: expected"),
]


@pytest.mark.parametrize(("query", "file", "says"), REFUSED, ids=lambda each: str(each)[:20])
def test_what_is_wrong_is_a_line(server: Server, query: str, file: Path, says: str) -> None:
    code, answer = curl(server, f"/api/v1/recordings{query}", "-T", file)
    assert code == 422
    assert says in answer["error"]
    assert "\n" not in answer["error"]
    assert str(server.store.parent) not in answer["error"]


def test_a_name_that_another_recording_has_is_refused(server: Server) -> None:
    file = FIXTURES / "perf_script" / "net-chain" / "input.txt.xz"
    code, answer = curl(server, "/api/v1/recordings?name=native.udp64.1", "-T", file)
    assert code == 422
    assert "another recording is stored as 'native.udp64.1'" in answer["error"]


def test_other_work_needs_force(own_server: Server) -> None:
    path = "/api/v1/recordings/?work=12500000000&unit=byte"  # 10 Gbit/s for 10 s
    code, answer = curl(own_server, path, "-T", TEXT)
    assert code == 422
    assert "expected the work that 'native.udp64.1' is stored with" in answer["error"]
    code, answer = curl(own_server, f"{path}&force=true", "-T", TEXT)
    assert code == 200
    assert "work is 12,500,000,000 bytes" in answer["result"]


def test_a_job_that_is_not_waited_for(empty_server: Server) -> None:
    code, answer = curl(empty_server, "/api/v1/recordings?wait=0", "-T", TEXT)
    assert code == 202
    assert answer["state"] in ("queued", "running")
    path = f"/api/v1/jobs/{answer['job']}"
    while (found := curl(empty_server, path))[0] == 202:
        assert found[1]["state"] in ("queued", "running")
    assert found[0] == 200
    assert found[1]["state"] == "stored"
    assert curl(empty_server, f"/api/v1/jobs/{'0' * 28}")[0] == 404


def test_a_store_of_one_recording_is_what_the_command_line_sends(
    empty_server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "one.duckdb"
    perfduck.open(path).ingest(TEXT, labels={"a": "b"}, work=5, unit="packet")
    kind = ("-H", "Content-Type: application/vnd.perfduck.store", "-T", path)
    code, answer = curl(empty_server, "/api/v1/recordings?label.c=d", *kind)
    assert (code, answer["profile"]["name"]) == (201, "native.udp64.1")
    code, answer = curl(empty_server, "/api/v1/recordings?name=x", *kind)
    assert (code, answer["result"]) == (200, "x: already in the store; renamed from native.udp64.1")
    code, answer = curl(empty_server, "/api/v1/recordings?label.a=c", *kind)
    assert (code, answer["error"]) == (422, "--label a=b: expected a=c, got b")
    code, answer = curl(empty_server, "/api/v1/recordings?work=7", *kind)
    assert (code, answer["error"]) == (
        422,
        "work: expected it in the pushed store, got it beside that",
    )
    code, answer = curl(empty_server, "/api/v1/recordings", *kind[:2], "-T", TEXT)
    assert code == 422
    assert "expected a store" in answer["error"]


def test_multipart_that_is_cut_off_or_has_other_parts(server: Server, tmp_path: Path) -> None:
    path = "/api/v1/recordings"
    code, answer = curl(server, path, "-F", f"recording=@{TEXT}", "-F", "other=x")
    assert code == 422
    assert "expected parts recording, kallsyms, work, attach.KIND" in answer["error"]
    code, answer = curl(server, path, "-F", f"kallsyms=@{TEXT}")
    assert answer["error"] == "body: expected a part recording, got none"
    cut = tmp_path / "cut"
    cut.write_bytes(b'--b\r\nContent-Disposition: form-data; name="recording"\r\n\r\nabc')
    kind = "Content-Type: multipart/form-data; boundary=b"
    code, answer = curl(server, path, "-H", kind, "-T", cut)
    assert (code, answer["error"]) == (422, "body: expected whole multipart, got a part of it")
    assert list((server.store.parent / "demo.duckdb.server" / "spool").iterdir()) == []


def test_a_tar_with_paths_that_leave_it_writes_nothing(
    empty_server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("../../../evil", "/tmp/evil-perfduck"):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
    code, _ = curl(empty_server, "/api/v1/recordings", "-T", path)
    assert code == 422
    assert not Path("/tmp/evil-perfduck").exists()
    assert list(tmp_path.rglob("evil")) == []


def test_the_path_of_the_store_may_be_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with running(Path("s.duckdb")) as started:
        assert curl(started, "/api/v1/recordings", "-T", TEXT)[0] == 201
        assert curl(started, "/api/v1/recordings", "-T", TEXT)[0] == 200


def test_a_file_that_is_called_like_one_of_the_server(empty_server: Server, tmp_path: Path) -> None:
    for name in ("store.duckdb", "job.json", "kallsyms", "attach.x", "-x", ".hidden"):
        file = tmp_path / name
        file.write_bytes(TEXT.read_bytes())
        code, answer = curl(empty_server, "/api/v1/recordings", "-F", f"recording=@{file}")
        assert code in (200, 201), (name, answer)


def test_an_upload_that_is_aborted_is_one_line_of_the_log(empty_server: Server) -> None:
    address = urlsplit(empty_server.url)
    head = (
        f"POST /api/v1/recordings HTTP/1.1\r\nHost: {address.netloc}\r\n"
        "Content-Length: 9000000\r\n\r\n"
    )
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(head.encode() + bytes(2 << 20))
    log = empty_server.store.with_suffix(".log")
    while log.read_text().count("\n") < 3:
        assert empty_server.process.poll() is None
        time.sleep(0.05)
    assert [json.loads(line)["status"] for line in log.read_text().splitlines()] == [499] * 3
    state = empty_server.store.with_name(f"{empty_server.store.name}.server")
    assert list((state / "spool").iterdir()) == []
    files = Path(f"/proc/{empty_server.process.pid}/fd").iterdir()
    assert not any("/spool/" in str(each.readlink()) for each in files)
