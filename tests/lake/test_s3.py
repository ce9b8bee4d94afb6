"""A lake in a bucket: what a lake in a directory is, and what a network adds."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from lakes import line, rows_of_lake, say, script, written
from s3_server import BUCKET, KEYS, copy_lake, delete, objects, put
from served import served
from set_limits import SetLimits
from test_lake import TOTALS, VERSION, asked, in_a_file, ingesting, killed
from test_remote_commands import rows_of

import perfduck
from perfduck_model.errors import PerfduckError
from perfduck_store.lake.compaction import compact
from perfduck_store.lake.files import LakeFiles
from perfduck_store.lake.store import LakeStore

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _env(s3_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def root() -> str:
    """Where no lake is yet."""
    return f"s3://{BUCKET}/team a/{uuid.uuid4().hex}"


@pytest.fixture
def lake(root: str, tmp_path: Path) -> str:
    """Four recordings with a label each."""
    for number, path in enumerate(written(tmp_path / "recordings", 4)):
        say("ingest", path, "--label", f"n={number}", "--store", f"lake:{root}")
    return root


@pytest.fixture
def clear_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """From now on another machine asks: one without copies."""
    count = iter(range(1000))

    def cleared() -> Path:
        folder = tmp_path / f"cache-{next(count)}"
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
        return folder

    return cleared


def parts(lake: str, table: str) -> list[str]:
    return [name for name in objects(lake) if name.startswith(f"{VERSION}/{table}/")]


def test_it_has_the_rows_of_a_file_before_and_after_a_compaction(
    lake: str, tmp_path: Path, clear_cache: Callable[[], Path]
) -> None:
    url = f"lake:{lake}"
    file = in_a_file(sorted((tmp_path / "recordings").iterdir()), tmp_path)
    (tmp_path / "note").write_text("of the run")
    for store in (url, file):
        say("compact", "--store", url)
        say("attach", "run-2", f"note={tmp_path / 'note'}", "--store", store)
        say("rm", "run-1", "--store", store)
        say("edit", "run-3", "--name", "third", "--work", "10", "--store", store)
        say("tag", "--store", store)
    clear_cache()
    assert rows_of_lake(lake, tmp_path) == rows_of(file)
    assert asked(url) == asked(file)
    say("compact", "--store", url, "--keep", "0h")
    assert rows_of_lake(lake, tmp_path) == rows_of(file)
    say("compact", "--store", url, "--keep", "0h")
    clear_cache()
    assert asked(url) == asked(file)
    assert [len(parts(lake, table)) for table in ("sample", "stack", "rollup")] == [1, 1, 1]


def test_what_is_delivered_again_changes_nothing(lake: str, tmp_path: Path) -> None:
    before, there = asked(f"lake:{lake}"), objects(lake)
    recording = tmp_path / "recordings" / "run-1.txt"
    assert "already in the store" in say("ingest", recording, "--store", f"lake:{lake}")
    copy_lake(lake, f"{lake}-copy")
    copy_lake(f"{lake}-copy", lake)
    assert (asked(f"lake:{lake}"), objects(lake)) == (before, there)
    assert asked(f"lake:{lake}-copy") == before


def test_many_processes_write_the_same_recordings_at_once(root: str, tmp_path: Path) -> None:
    """Eight processes, each recording with two of them, two are killed, and all is sent again."""
    recordings = written(tmp_path / "recordings", 12)
    shares = [recordings[first : first + 3] for first in range(0, 12, 3)] * 2
    processes = [ingesting(share, root) for share in shares]
    for process, delay in zip(processes[:2], (1.5, 0.7), strict=True):
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    assert [process.wait() for process in processes[2:]] == [0] * 6
    for process in processes[:2]:
        process.wait()
    assert [ingesting(share, root).wait() for share in shares[:4]] == [0] * 4
    file = tmp_path / "file.duckdb"
    say("ingest", *recordings, "--store", file)
    assert asked(f"lake:{root}", TOTALS) == asked(file, TOTALS)
    assert rows_of_lake(root, tmp_path) == rows_of(file)


@pytest.mark.parametrize(
    ("words", "moments", "is_changed"), [(["ingest", "{more}", "--label", "n=9"], 6, True),
                                         (["compact", "--keep", "0h"], 10, False)]
)  # fmt: skip
def test_a_command_that_is_killed_leaves_the_lake_as_it_was(
    words: list[str], moments: int, is_changed: bool, lake: str, tmp_path: Path
) -> None:
    say("rm", "run-1", "--store", f"lake:{lake}")
    say("compact", "--store", f"lake:{lake}")
    say("edit", "run-2", "--label", "n=other", "--store", f"lake:{lake}")
    (tmp_path / "more.txt").write_text(script(9))
    before, more = asked(f"lake:{lake}"), tmp_path / "more.txt"
    folder = killed(lake, tmp_path, moments, *(word.format(more=more) for word in words))
    after = asked(f"lake:{lake}-whole")
    assert (after != before) is is_changed
    for number in range(moments):
        assert (folder / f"{number}.killed").read_text() == before
        assert (folder / f"{number}.again").read_text() == after


def test_a_reader_keeps_what_it_began_with(lake: str, clear_cache: Callable[[], Path]) -> None:
    clear_cache()
    with LakeStore(lake) as reader:
        say("rm", "run-1", "--store", f"lake:{lake}")
        say("compact", "--store", f"lake:{lake}", "--keep", "1h")
        clear_cache()
        assert reader.rows("select count(*) from sample") == [(80,)]
    with LakeStore(lake) as later:
        assert later.rows("select count(*) from sample") == [(60,)]


def test_one_of_two_compactions_at_once_is_refused(lake: str) -> None:
    before = asked(f"lake:{lake}")
    with LakeStore(lake) as slow:
        say("compact", "--store", f"lake:{lake}")
        with pytest.raises(PerfduckError, match="expected one compaction at a time, got another"):
            compact(slow, 3600)
    assert asked(f"lake:{lake}") == before


def test_an_answer_that_was_lost_on_the_way_is_no_other_compaction(
    lake: str, tmp_path: Path
) -> None:
    files, pointer = LakeFiles(lake), tmp_path / "pointer"
    pointer.write_text("1" * 32 + "\n")
    assert files.create_pointer(pointer, "00000001")
    assert files.create_pointer(pointer, "00000001")
    pointer.write_text("2" * 32 + "\n")
    assert not files.create_pointer(pointer, "00000001")


def test_a_copy_that_is_damaged_is_fetched_again(
    lake: str, clear_cache: Callable[[], Path]
) -> None:
    copies, before = clear_cache(), asked(f"lake:{lake}")
    files = [path for path in copies.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".parquet"}
    for number, path in enumerate(files):
        path.write_bytes(path.read_bytes()[: -number % 3] if number % 2 else b"")
    assert asked(f"lake:{lake}") == before
    shutil.rmtree(copies)
    assert asked(f"lake:{lake}") == before


@pytest.mark.parametrize("table", ["rollup", "profile", "commits"])
def test_an_object_that_is_damaged_or_missing_is_a_line(
    table: str, lake: str, clear_cache: Callable[[], Path]
) -> None:
    [name, *_] = parts(lake, table)
    put(lake, name, b"another")
    for _ in range(2):
        clear_cache()
        said = line("top", "*", "--store", f"lake:{lake}")
        assert f"{lake}/{name}: expected the content that the file is named by" in said
    delete(lake, name)
    clear_cache()
    if table != "commits":  # nobody knows of one that is not there
        said = line("top", "*", "--store", f"lake:{lake}")
        assert f"{lake}/{name}: expected a part of the lake, got no such object" in said


def test_copies_that_were_not_used_go_where_there_are_too_many(
    lake: str, clear_cache: Callable[[], Path], set_limits: SetLimits
) -> None:
    copies = clear_cache()
    say("top", "*", "--store", f"lake:{lake}")
    first = {path for path in copies.rglob("*.*") if path.is_file()}
    set_limits(most_cached_bytes=1)
    for path in [*copies.rglob("commits/*"), *copies.rglob("symbol/*")]:
        os.utime(path, (1, 1))
    (copies / "perfduck" / "lakes" / ".writing-x").mkdir()
    os.utime(copies / "perfduck" / "lakes" / ".writing-x", (1, 1))
    shutil.rmtree(next(copies.rglob("event")))
    with LakeStore(lake) as store:  # uses commits, fetches events
        store.load("event")
    left = {path for path in copies.rglob("*.*") if path.is_file()}
    assert {path.parent.name for path in first ^ left} == {"symbol"}
    assert not (copies / "perfduck" / "lakes" / ".writing-x").exists()


def test_sql_reads_the_lake_and_nothing_beside_it(
    lake: str, clear_cache: Callable[[], Path], tmp_path: Path
) -> None:
    copies = clear_cache()
    (tmp_path / "secret").write_text("x")
    assert asked(f"lake:{lake}", "from query('select count(*) as n from sam' || 'ple')") == (
        "n\n80\n"
    )
    [other] = [path.parent for path in copies.rglob(VERSION)]
    for query in (
        f"select * from read_text('{tmp_path / 'secret'}')",
        f"select * from read_text('{other}/../secret')",
        f"copy sample to '{other}/x'",
        f"select * from read_parquet('{lake}/{VERSION}/sample/*.parquet')",
    ):
        assert line("sql", query, "--store", f"lake:{lake}").startswith("perfduck: sql")


def test_recordings_move_between_buckets_directories_and_files(
    lake: str, root: str, tmp_path: Path
) -> None:
    url, file = f"lake:{lake}", tmp_path / "file.duckdb"
    directory, other = f"lake:{tmp_path / 'lake'}", f"lake:{root}-other"
    assert say("pull", "n=1+n=2", "--from", url, "--store", file) == (
        f"{url}: 2 recordings added, 0 already in the store\n"
    )
    assert "2 recordings added, 0 already" in say("merge", str(file), "--store", other)
    assert "2 recordings added, 2 already" in say("merge", url, "--store", other)
    assert "4 recordings added, 0 already" in say("merge", other, "--store", directory)
    assert "0 recordings added, 4 already" in say("merge", directory, "--store", url)
    assert "another store to merge" in line("merge", url, "--store", f"{url}/")
    answers = {asked(store, TOTALS) for store in (url, other, directory)}
    assert len(answers) == 1


def test_recordings_move_between_buckets_and_servers(lake: str, root: str, tmp_path: Path) -> None:
    say("pull", "n=1", "--from", f"lake:{lake}", "--store", tmp_path / "team.duckdb")
    with served(tmp_path / "team.duckdb") as server:
        assert "3 recordings added, 1 already" in say("merge", f"lake:{lake}", "--store", server)
        assert "0 recordings added, 4 already" in say("merge", f"lake:{lake}", "--store", server)
        new = f"lake:{root}-new"
        assert "4 recordings added, 0 already" in say("merge", server, "--store", new)
        assert "0 recordings added, 4 already" in say("merge", server, "--store", new)
    assert rows_of_lake(f"{root}-new", tmp_path) == rows_of_lake(lake, tmp_path)


def test_a_merge_that_was_killed_goes_on_where_it_is_begun_again(root: str, tmp_path: Path) -> None:
    recordings, file = written(tmp_path / "recordings", 45, 6), tmp_path / "file.duckdb"
    say("ingest", *recordings, "--store", file)
    code = "import sys; from perfduck_cli.start import main; main()"
    command = [sys.executable, "-c", code, "merge", str(file), "--store", f"lake:{root}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not parts(root, "commits"):
            assert process.poll() is None
        process.kill()
    there = len(perfduck.open(f"lake:{root}").names())
    assert there in (20, 40)
    said = say("merge", file, "--store", f"lake:{root}")
    assert f"{45 - there} recordings added, {there} already in the store" in said
    assert rows_of_lake(root, tmp_path) == rows_of(file)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://", "lake:s3://: expected lake:DIRECTORY or lake:s3://BUCKET/PREFIX, got no bucket"),
        ("s3:///x", "expected lake:DIRECTORY or lake:s3://BUCKET/PREFIX, got no bucket"),
        ("s3:/fleet/x", "(lake:./s3:/fleet/x for a directory), got one that begins with s3:"),
        ("s3:fleet/x", "(lake:./s3:fleet/x for a directory), got one that begins with s3:"),
        ("//fleet/x", "(lake:/fleet/x for a directory), got one that begins with //"),
        ("s3://fleet/a//b", "expected another prefix, got one with an empty part"),
        ("s3://fleet/../b", "expected another prefix, got one with an empty part"),
        ("s3://no-such-bucket/x", "expected a bucket, got none named no-such-bucket"),
        ("s3://fleet/none", "s3://fleet/none: expected a lake, got none (perfduck ingest makes"),
    ],
)
def test_an_address_that_is_none_is_a_line(address: str, words: str, tmp_path: Path) -> None:
    assert words in line("profiles", "--store", f"lake:{address}")
    (tmp_path / "recording.txt").write_text(script(1))
    if "none (" not in words:
        assert words in line("ingest", tmp_path / "recording.txt", "--store", f"lake:{address}")


def test_a_prefix_with_other_things_or_another_version_is_a_line(root: str) -> None:
    put(root, "song.mp3", b"x")
    words = "expected a lake or an empty directory, got a directory with song.mp3"
    assert f"{root}: {words}" in line("profiles", "--store", f"lake:{root}")
    put(f"{root}-old", "v1/commits/x", b"x")
    assert f"{root}-old: expected a lake of schema version" in line(
        "profiles", "--store", f"lake:{root}-old"
    )
    put(f"{root}-marked", "", b"")  # a folder, as the console of AWS makes one
    assert "got none (perfduck ingest" in line("profiles", "--store", f"lake:{root}-marked")


class _Refusing(BaseHTTPRequestHandler):
    """Answers with a status, so often; after that there is nothing below any prefix."""

    left = 0
    status = 503
    body = b"<Error><Code>SlowDown</Code><Message>Please slow down</Message></Error>"
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        type(self).left -= 1
        body = self.body if type(self).left >= 0 else b"<ListBucketResult></ListBucketResult>"
        self.send_response(self.status if type(self).left >= 0 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Refusing]]:
    class Refusing(_Refusing):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield Refusing
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", "expected a lake, got 403 Forbidden: AccessDenied: it is so"),
        (403, "SignatureDoesNotMatch", "got 403 Forbidden: SignatureDoesNotMatch: it is so"),
        (401, "", "expected a lake, got 401 Unauthorized"),
        (400, "AuthorizationHeaderMalformed", "the region of the bucket ($AWS_REGION), got eu-x-1"),
        (301, "PermanentRedirect", "the region of the bucket ($AWS_REGION), got eu-x-1"),
    ],
)
def test_what_a_bucket_refuses_is_a_line(
    status: int,
    code: str,
    words: str,
    refusing: type[_Refusing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-x-1")
    secret = KEYS["AWS_SECRET_ACCESS_KEY"]
    text = f"<Error><Code>{code}</Code><Message>it is so</Message><StringToSign>{secret}"
    refusing.left, refusing.status, refusing.body = 1000, status, text.encode()
    said = line("profiles", "--store", "lake:s3://fleet/x")
    assert words in said
    assert secret not in said
    assert refusing.asked == 1


def test_a_bucket_that_is_busy_is_asked_again(refusing: type[_Refusing]) -> None:
    refusing.left = 2
    assert "got none (perfduck ingest" in line("profiles", "--store", "lake:s3://fleet/x")
    assert refusing.asked == 3


def publish_and_forget(files: LakeFiles) -> None:
    with files.scratch() as folder:
        (folder / "x").write_text("x")
        files.publish(folder / "x", "other", "parquet")


def test_a_part_that_cannot_be_sent_leaves_no_commit(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    [one, other] = written(tmp_path / "recordings", 2)
    say("ingest", one, "--store", f"lake:{root}")
    before = asked(f"lake:{root}")
    (root / VERSION / "other").write_text("in the way")
    with pytest.raises(PerfduckError, match="can be written"):
        publish_and_forget(LakeFiles(root))
    shutil.move(root / VERSION / "stack", tmp_path / "stack")
    (root / VERSION / "stack").write_text("in the way")
    said = line("ingest", other, "--store", f"lake:{root}")
    assert "expected a lake that can be written, got File exists" in said
    (root / VERSION / "stack").unlink()
    shutil.move(tmp_path / "stack", root / VERSION / "stack")
    assert asked(f"lake:{root}") == before


def test_a_bucket_that_stays_busy_is_a_line(refusing: type[_Refusing]) -> None:
    refusing.left = 1000
    said = line("profiles", "--store", "lake:s3://fleet/x")
    assert "got 503 Service Unavailable: SlowDown: Please slow down" in said
    assert refusing.asked == 8


def test_no_network_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://someone:password@127.0.0.1:9")
    said = line("profiles", "--store", "lake:s3://fleet/x")
    assert said.endswith("s3://fleet/x: expected an answer of 127.0.0.1:9, got none\n")


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9",
        "minio",
        "ftp://minio",
        "http://",
        "http://a|b",
        "http://a b:9",
        "http://a:x",
        "http://a/\u00fc",
    ],
)
def test_an_endpoint_that_is_no_url_is_a_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    words = "S3: expected https://HOST or https://HOST:PORT ($AWS_ENDPOINT_URL, endpoint_url), got"
    assert words in line("profiles", "--store", "lake:s3://fleet/x")


def test_without_keys_it_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "got one of them" in line("profiles", "--store", "lake:s3://fleet/x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    said = line("profiles", "--store", "lake:s3://fleet/x")
    assert "S3: expected keys: $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, a profile" in said


def test_keys_are_those_of_the_profile(
    lake: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, folder = f"lake:{lake}", tmp_path / ".aws"
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    for name in [*KEYS, "AWS_ENDPOINT_URL"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder.mkdir()
    (folder / "config").write_text(
        f"[default]\nregion = us-east-1\nendpoint_url = {endpoint}\n"
        "[profile sso]\nsso_session = x\n[profile empty]\n"
    )
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id = AKIA\naws_secret_access_key = 50%secret\n"
    )
    assert "run-1" in say("profiles", "--store", url)
    monkeypatch.setenv("AWS_PROFILE", "sso")
    said = line("profiles", "--store", url)
    assert "aws configure export-credentials --profile sso --format env" in said
    monkeypatch.setenv("AWS_PROFILE", "none")
    assert "$AWS_PROFILE: expected a profile of ~/.aws/config" in line("profiles", "--store", url)
    (folder / "credentials").write_text("aws_access_key_id = AKIA\n")
    assert "credentials: expected profiles of AWS" in line("profiles", "--store", url)


def test_without_the_extra_the_line_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['obstore'] = None; from perfduck_cli.start import main; main()"
    command = [sys.executable, "-c", code, "profiles", "--store", "lake:s3://fleet/x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = "expected the package obstore (pip install 'perfduck[s3]'), got none"
    assert (done.returncode, done.stderr) == (2, f"perfduck: lake:s3://: {words}\n")


def test_a_cache_that_cannot_be_written_is_a_line(
    lake: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    said = line("profiles", "--store", f"lake:{lake}")
    assert "expected a directory for copies of a lake's files ($XDG_CACHE_HOME)" in said
