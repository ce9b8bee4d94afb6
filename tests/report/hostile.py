"""A store in which every name is hostile: symbols, binaries, commands, units, labels and more."""

from pathlib import Path

from typer.testing import CliRunner

from perfduck.ingestion import IngestRequest, ingest
from perfduck_cli.main import app
from perfduck_ingest.work import Work
from perfduck_store.duckdb.store import DuckDbStore

NAMES = (
    r"\[/x]", "[bold]red[/bold]", "[link=http://evil]", "a\nb", "a\tb", "a\rb",
    "\x1b]0;title\x07", "\x1b[31mred", "\x9b31m", "a`b", "``", "a|b", r"a\|b", "=cmd()",
    "+1+cmd", "-2+3", "@sum(a1)", ":smile:", "<script>alert(1)</script>", "</script><b>",
    "<!--", "&lt;b&gt;", "a\x00b", "\u202eevil", "a\u200bb\u2066", "\ufeffbom", "a;b",
    r"a\x3bb", "foo 123", " blanks ", "$(id)", "'; drop table x; --", "#1 @user",
    "![x](http://evil)", "**bold** _it_", "漢字\u3164名", "\U000e0041tag", "x" * 10_000,
    r"bytes\xff", "]]>", "{{ 7*7 }}", "%s%n", "\x7f", "]",
)  # fmt: skip
SIDES = ("base", "new")


def recording(shift: int, extra: int) -> str:
    """perf script text: a stack for each name, and one more of weight on the new side."""
    lines = []
    for number in [*range(len(NAMES)), *[shift % len(NAMES)] * extra] * 20:
        at = 0.001 * len(lines)
        lines.append(f"comm{number} {number + 1} [000] {1 + at:.6f}: 1000000 cpu-clock: ")
        for frame in (f"leaf{number}", f"mid{number}", "net_rx_action", "handle_softirqs"):
            lines.append(f"\tffffffff81000000 {frame}+0x10 ([kernel.kallsyms])")
        lines.append("")
    return "\n".join(lines) + "\n"


def build(path: Path, folder: Path, turn: int) -> None:
    """A store of two runs a side. TURN moves the names on, so that each comes everywhere."""

    def name(number: int) -> str:
        return NAMES[(number + turn) % len(NAMES)]

    runs = [(side, run) for side in SIDES for run in (1, 2)]
    with DuckDbStore(path, write=True) as store:
        for side, run in runs:
            file = folder / f"{side}{run}.txt"
            file.write_text(recording(turn, 30 * (side == "new") + run))
            labels = {"side": side, "run": str(run), "key": name(9)}
            work = Work(1000.0, "packet")
            ingest(store, IngestRequest(str(file), name=f"{side}{run}", work=work, labels=labels))
    for kind in ("iptables", "note"):
        file = folder / kind
        file.write_text("*nat\n[1:2] -A X -j MASQUERADE\nCOMMIT\n")
        CliRunner().invoke(app, ["attach", "*", f"{kind}={file}", "--store", str(path)])
    with DuckDbStore(path, write=True) as store:
        for number in range(len(NAMES)):
            hostile = {"new": name(number)}
            for statement in (
                f"update symbol set name = $new, canonical = $new where name = 'leaf{number}'",
                f"update symbol set dso = $new, subsystem = $new, area = $new,"
                f" source_file = $new where name = 'mid{number}'",
                f"update rollup set comm = $new where comm = 'comm{number}'",
                f"update sample set comm = $new, cgroup = $new where comm = 'comm{number}'",
            ):
                store.execute(statement, hostile)
        store.execute(
            "update stack_blame set subsystem = (select subsystem from stack_symbol join symbol"
            " using (symbol_id) where stack_symbol.stack_id = stack_blame.stack_id"
            " and symbol.name like 'mid%' limit 1)"
        )
        store.execute("update profile set work_unit = $u, host = $h, command = $h, source = $h,"
                      " labels = map_from_entries(list_concat(map_entries(labels),"
                      " [($k, $h)]))", {"u": name(3), "h": name(5), "k": name(7)})  # fmt: skip
        for number, (side, run) in enumerate(runs):
            renamed = {"new": f"{side}{run}{name(number)}", "old": f"{side}{run}"}
            store.execute("update profile set name = $new where name = $old", renamed)
        store.execute("update iptables_rule set rule = $r, chain = $r", {"r": name(11)})
        store.execute("update attachment set text = $r, source = $r", {"r": name(13)})
        store.execute("update event set unit = $u", {"u": name(15)})
