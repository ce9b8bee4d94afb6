"""Rules and kallsyms are kept in the store: a plain `tag` and `explain` use them."""

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import FIXTURES

from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

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


def test_forgetting_and_giving_at_once_is_a_mistake(run: Run, rules: Path) -> None:
    run("ingest", SMALL, "--name", "a")
    with pytest.raises(PerfduckError, match="--forget-rules: expected no --rules beside it"):
        run("tag", "--rules", rules, "--forget-rules")


def test_explain_refuses_a_store_that_is_not_there(run: Run) -> None:
    with pytest.raises(PerfduckError, match="expected a store, got no such file"):
        run("explain", "br_handle_frame")


def test_bad_rules_change_nothing(run: Run, rules: Path, store_path: Path) -> None:
    run("ingest", SMALL, "--name", "a", "--rules", rules)
    rules.write_bytes(lzma.compress(b"x"))
    before = store_path.read_bytes()
    with pytest.raises(Exception, match=r"rules\.csv.*expected"):
        run("tag", "--rules", rules)
    with DuckDbStore(store_path) as store:
        assert len(store.rows("from tag_input")) == 1
    assert len(before) == store_path.stat().st_size
