"""Rules and kallsyms are kept in the store: a plain `tag` and `explain` use them."""

import json
import lzma
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
from recordings import FIXTURES
from rows import mostly_slow

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.records import TagInput

NAT = str(FIXTURES / "demo" / "docker0-nat.udp64.1.txt.xz")
SMALL = str(FIXTURES / "perf_script" / "net-chain" / "input.txt.xz")
KALLSYMS = FIXTURES / "oprofile" / "kallsyms.xz"
Run = Callable[..., str]
APPLY = " (perfduck tag applies them to what is stored)\n"
OURS = "select name from symbol where subsystem = 'our_bridge' order by name"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], store_path: Path) -> Run:
    def command(*arguments: str | Path) -> str:
        app([*map(str, arguments), "--store", str(store_path)], standalone_mode=False)
        return capsys.readouterr().out

    return command


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.csv"
    path.write_text("symbol,area,subsystem,role\n^br_,ours,our_bridge,domain\n")
    return path


def ours(path: Path) -> int:
    with DuckDbStore(path) as store:
        return len(store.rows(OURS))


@pytest.mark.slow
def test_rules_stay_until_they_are_forgotten(run: Run, rules: Path, store_path: Path) -> None:
    run("ingest", NAT)
    assert run("tag", "--rules", rules).endswith(f"got a different tag (rules {rules})\n")
    found = ours(store_path)
    assert found > 1
    rules.unlink()
    said = f"0 symbols got a different tag (rules {rules}, as given before)\n"
    assert run("tag") == said
    assert ours(store_path) == found
    explained = run("explain", "br_handle_frame", "--dso", "[bridge]", "--format", "json")
    assert json.loads(explained)["subsystem"] == "our_bridge"
    assert str(rules) in explained
    assert run("tag", "--forget-rules") == f"{found} symbols got a different tag\n"
    assert ours(store_path) == 0
    assert "our_bridge" not in run("explain", "br_handle_frame", "--dso", "[bridge]")


@pytest.mark.slow
def test_rules_of_one_recording_apply_to_the_next(run: Run, rules: Path, store_path: Path) -> None:
    said = run("ingest", SMALL, "--name", "a", "--rules", rules)
    assert "250 symbols; rules kept (perfduck tag applies them to what is stored)\n" in said
    before = ours(store_path)
    run("ingest", NAT)
    assert ours(store_path) > before
    again = run("ingest", NAT, "--rules", rules)
    assert again == "docker0-nat.udp64.1: already in the store, nothing added\n"
    rules.write_text("symbol,area,subsystem,role\n^br_,ours,theirs,domain\n")
    again = run("ingest", NAT, "--rules", rules)
    assert again == "docker0-nat.udp64.1: already in the store; rules replaced" + APPLY


def whole_kallsyms(store_path: Path, folder: Path) -> Path:
    """The kallsyms, which were cut to a few functions, with all that the store's profiles name."""
    text = lzma.decompress(KALLSYMS.read_bytes()).decode()
    with DuckDbStore(store_path) as store:
        named = store.rows("select distinct name from symbol where dso = '[kernel.kallsyms]'")
    last = text.rstrip().rsplit("\n", 1)[1].split()[0]
    text = text.rstrip() + "".join(f"\n{last} t {name}" for (name,) in named) + "\n"
    path = folder / "kallsyms.xz"
    path.write_bytes(lzma.compress(text.encode()))
    return path


@pytest.mark.slow
def test_kallsyms_are_kept_packed_by_release(run: Run, store_path: Path, tmp_path: Path) -> None:
    run("ingest", SMALL, "--name", "a")
    path = whole_kallsyms(store_path, tmp_path)
    run("tag", "--kallsyms", path)
    with DuckDbStore(store_path) as store:
        tags = store.rows("from symbol order by symbol_id")
        [(kind, size)] = store.rows("select kind, octet_length(content) from tag_input")
    assert (kind, size < 2 * path.stat().st_size) == ("kallsyms", True)
    assert run("tag") == "0 symbols got a different tag (kallsyms as given before)\n"
    with DuckDbStore(store_path) as store:
        assert store.rows("from symbol order by symbol_id") == tags
    run("tag", "--forget-kallsyms")
    with DuckDbStore(store_path) as store:
        assert store.rows("from tag_input") == []


@pytest.mark.slow
def test_forgetting_and_giving_at_once_is_a_mistake(run: Run, rules: Path) -> None:
    run("ingest", SMALL, "--name", "a")
    with pytest.raises(PerfduckError, match="--forget-rules: expected no --rules beside it"):
        run("tag", "--rules", rules, "--forget-rules")


def test_explain_refuses_a_store_that_is_not_there(run: Run) -> None:
    with pytest.raises(PerfduckError, match="expected a store, got no such file"):
        run("explain", "br_handle_frame")


@contextmanager
def pipe_of(content: bytes) -> Iterator[Path]:
    """As the shell makes one of <(command): it can be read once."""
    reader, writer = os.pipe()
    thread = Thread(target=write_all, args=(writer, content))
    thread.start()
    yield Path(f"/dev/fd/{reader}")
    thread.join()
    os.close(reader)


def write_all(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file, suppress(BrokenPipeError):
        file.write(content)


RULES_AS_TOML = b"""
# ours
[[rule]]
symbol = "^br_"
area = "ours"
subsystem = "our_bridge"
"""


@pytest.mark.slow
@pytest.mark.parametrize("as_toml", mostly_slow([False, True], 2))
@pytest.mark.parametrize("command", [("ingest", NAT), ("tag",)])
def test_rules_from_a_pipe_are_kept_whole(
    run: Run, rules: Path, store_path: Path, command: tuple[str, ...], *, as_toml: bool
) -> None:
    if command == ("tag",):
        run("ingest", NAT)
    content = RULES_AS_TOML if as_toml else rules.read_bytes()
    with pipe_of(content) as pipe:
        run(*command, "--rules", pipe)
    found = ours(store_path)
    assert found > 1
    with DuckDbStore(store_path) as store:
        kept = store.tag_inputs.kept("rules")
    assert kept == TagInput(str(pipe), content)
    assert run("tag") == f"0 symbols got a different tag (rules {pipe}, as given before)\n"
    assert ours(store_path) == found
    explained = run("explain", "br_handle_frame", "--dso", "[bridge]")
    assert f"({pipe}:{3 if as_toml else 2})" in explained


@pytest.mark.slow
def test_kallsyms_from_a_pipe_are_kept_whole(run: Run, store_path: Path, tmp_path: Path) -> None:
    session = str(FIXTURES / "oprofile" / "native-flat-q" / "session.tar.gz")
    with pipe_of(KALLSYMS.read_bytes()) as pipe:
        said = run("ingest", session, "--name", "a", "--kallsyms", pipe)
    assert said == "a: 22939 samples, 3064 stacks, 3064 symbols; kallsyms kept\n"
    with DuckDbStore(store_path) as store:
        [release] = [each.kernel_release or "" for each in store.profiles.all()]
        kept = store.tag_inputs.kept("kallsyms", release)
    assert kept == TagInput(str(pipe), KALLSYMS.read_bytes())
    again = run("ingest", session, "--name", "a", "--kallsyms", KALLSYMS)
    assert again == "a: already in the store, nothing added\n"


@pytest.mark.slow
def test_what_a_stored_recording_is_given_is_checked(run: Run, rules: Path) -> None:
    run("ingest", SMALL, "--name", "a")
    rules.write_text("symbol,subsystem\n^br_,ours\n")
    with pytest.raises(PerfduckError, match=r"rules\.csv:1: expected a column area"):
        run("ingest", SMALL, "--name", "a", "--rules", rules)


@pytest.mark.slow
def test_bad_rules_change_nothing(run: Run, rules: Path, store_path: Path) -> None:
    run("ingest", SMALL, "--name", "a", "--rules", rules)
    rules.write_bytes(lzma.compress(b"x"))
    before = store_path.read_bytes()
    with pytest.raises(Exception, match=r"rules\.csv.*expected"):
        run("tag", "--rules", rules)
    with DuckDbStore(store_path) as store:
        assert len(store.rows("from tag_input")) == 1
    assert len(before) == store_path.stat().st_size
