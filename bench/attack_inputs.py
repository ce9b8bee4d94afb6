"""What perfduck makes of hostile small files and hostile names, by its command line.

    python bench/attack_inputs.py [files] [names] [--seed N] [--times N]

Each command runs in a process of its own (attacks.py). Right is: an answer, or one line and exit
code 2, within 20 s; after a refusal the store as it was; nothing printed that moves a terminal.
`files`: those that users write and load generators print, made by hand and, so many `--times`, by
changing files of the fixtures (tests/fuzz.py). `names`: comms, functions, binaries, units, labels,
profiles and paths, in every command and format.
"""

import csv
import gzip
import io
import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from attacks import SIDES, Attacks, Done, Tried, attack, digest, made_store, perfduck
from fuzz import KINDS, _changed, _seeds

from perfduck_diff.keys import MatrixKey, SeriesKey, View
from perfduck_report.formats import CompareFormat, DiffFormat, ExportFormat, TrendFormat
from perfduck_store.choice import By

MOST_S = 20.0
RECORDING = str(Path(__file__).parents[1] / "fixtures/perf_script/fields-pid/input.txt.xz")
DEEP, DIGITS, LINES = "[" * 100_000, "9" * 5000, "\n" * 200_000

# kind -> what reads it (FILE is its path, RECORDING one to ingest), and hostile contents.
Command = tuple[str, ...]
FILES: dict[str, tuple[Command, tuple[str | bytes, ...]]] = {
    "work": (("ingest", "RECORDING", "--work-from", "FILE"), (
        "", LINES, DEEP, "{" * 100_000, '{"end":' * 5000, "null", "[]", "{}", '{"end":[]}', '""',
        '{"end":{"sum_sent":{"packets":-1}}}', '{"end":{"sum_sent":{"packets":1e308}}}',
        '{"end":{"sum_sent":{"packets":true}}}', '{"end":{"sum_sent":{"packets":NaN}}}',
        '{"end":{"sum_sent":{"packets":' + DIGITS + "}}}", '{"end":{"sum_sent":{"bytes":"1"}}}',
        '{"end":{"streams":[{}]}}', '{"error":"\x1b[31m"}', '{"a":"\\ud800"}', b"\xff\xfe{\0}\0",
        f" {DIGITS} requests in 4s", "0 requests in 0s", "-5 requests in 4.00s, 1MB read",
        "  1 requests in 1e999s, 1MB read", "sockperf: [Total Run] " * 20_000,
        f"sockperf: [Total Run] RunTime={DIGITS} sec; SentMessages={DIGITS}",
        "sockperf: [Total Run] RunTime=0 sec; SentMessages=0", b"\0" * 5000,
        "requests in " * 30_000,
    )),
    "manifest": (("ingest", "--manifest", "FILE"), (
        "", LINES, "file\n", "file,file\na,b\n", "name\nx\n", "file,name\n" + "a," * 30_000 + "\n",
        "file,name\n" + "a" * 200_000 + ",x\n", "file,name\na\0b,x\n", 'file,name\n"a,x\n',
        "file,work\n/dev/zero,1\n", "file,work\nx,1e999\n", "file,work\nx,\u0661\n", "file,\x1b\n",
        "file,label.\nx,y\n", "file,name\n/,x\n", "file,name\n.,x\n", b"file,name\n\xff\xfe,x\n",
        "file;name\na;b\n", "\ufefffile,name\nx,y\n", "file,name\r\nx,y\r\n", "[" * 10_000,
    )),
    "rules": (("tag", "--rules", "FILE"), (
        "", LINES, "symbol,area,subsystem\n" + "a," * 9000, "symbol\na\n",
        "symbol,area,subsystem\n,,",
        "symbol,area,subsystem\n*" + "*?" * 5000 + ",a,b\n", "symbol,area,subsystem\n[,a,b\n",
        "symbol,area,subsystem\na,\x1b[31m,[/x]\n", "symbol,area,subsystem,x\na,b,c,d\n",
        b"symbol,area,subsystem\n\xff,\xfe,\xfd\n", "symbol,area,subsystem\n\0,b,c\n",
    )),
    "rules.toml": (("tag", "--rules", "FILE.toml"), (
        "[[rule]]\nsymbol=" + DEEP, "[[rule]]\n" * 30_000, "a." * 2000 + "b=1",
        "[[rule]]\nsymbol=1",
        "[[rule]]\n", "rule=1", "[rule]\nsymbol='a'", "[[rule]]\nsymbol='a'\narea=nan", "=", "\0",
        "[[rule]]\nsymbol='''" + "a" * 100_000 + "'''\narea='x'\nsubsystem='y'", b"\xff",
    )),
    "budget": (("diff", *SIDES, "--budget", "FILE"), (
        "", LINES, "[budget]\ntotal=" + DEEP, "[budget]\ntotal='5 %'\n" * 2, "[budget]\ntotal=inf",
        "[budget]\ntotal='" + DIGITS + " ns'", "[budget]\ntotal='-1 ns'", "[budget]\ntotal='nan %'",
        "[budget]\ntotal='1e999 ns'", "[budget.subsystem]\n'[/x]'='1 ns'", "[checks]\nkernel=[]",
        "[checks]\n" + "a=1\n" * 2, "[budget.function]\n'\x1b'='1 ns'", "[budget", "budget=[]",
        "[budget.subsystem]\nconntrack='5 parsecs'", b"\xff\xfe[\0", "[[budget]]", "a" * 100_000,
        "[budget]\ntotal='\u0665 %'", "[budget]\ntotal=2020-01-01", "a." * 2000 + "b=1",
    )),
    "attachment": (("attach", "native.udp64.1", "iptables=FILE"), (
        "", LINES, "*nat\n", "COMMIT\n", "*nat\n[" + DIGITS + ":1] -A X\n", "*nat\n-A\n",
        "*nat\n:X - [0:0\n", "*nat\n[-1:-1] -A X\n", "*" * 60_000, "*nat\n-A X -j " + "y" * 90_000,
        "*nat\n-A \x1b[31m -j [/x]\n", b"*nat\n-A \xff\n", "*nat\n-A X -j \0\n",
    )),
    "counters": (("attach", "native.udp64.1", "conntrack=FILE"), (
        "", LINES, "entries\n", "entries\nx\n", "entries\n" + DIGITS, "entries\n-1\n",
        "entries found\n1\n", "entries\n8000000000000000\n", "a " * 30_000 + "\n", "entries\n\0\n",
    )),
    "kallsyms": (("ingest", "RECORDING", "--kallsyms", "FILE"), (
        "", LINES, "x", "0 T a\n" * 1000, "ffffffffffffffff T a\n", DIGITS + " T a\n",
        "ffffffff81000000 T " + "a" * 200_000 + "\n", "ffffffff81000000 T \x1b\n", b"\xff\n" * 100,
        "ffffffff81000000  a\n", "ffffffff81000000 T a\t[" + "b" * 9000 + "]\n", DEEP, "\0" * 5000,
    )),
    "sql": (("sql", "-f", "FILE"), (
        "", LINES, "(" * 50_000, "select " + "(" * 3000 + "1" + ")" * 3000, "select '", "\0",
        b"\xff", "select " + DIGITS, "--" * 60_000, "/*" * 60_000, "select 1;" * 3000,
        "\ufeffselect 1",
        "select " + ",".join(["1"] * 5000), "select " + "case when 1 then " * 2000,
    )),
    "vmlinux": (("explain", "nf_hook_slow", "--vmlinux", "FILE"), (
        "", "\x7fELF", b"\x7fELF" + b"\xff" * 500, b"\x7fELF\2\1\1" + bytes(57), b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd" + b"\xff" * 50, b"\x7fELF\2\2\1" + b"\x7f" * 900, LINES,
    )),
    "label": (("edit", "native.udp64.1", "--label", "TEXT"), (
        "", "=", "a", "a=", "=b", "a=b=c", "a" * 5000 + "=b", "a=" + "b" * 60_000, "a=\n", "\n=b",
        "a=\x1b[31m", "[/x]=[/x]", "a=\u202e", "run=", "a,b=c", "*=?", b"a=\xff",
    )),
    "parameter": (("sql", "select $a", "--param", "TEXT"), (
        "", "a", "a=", "a=" + DIGITS, "a=1e999", "a=nan", "a=\x1b", "=1", "b=1",
        "a=" + "x" * 60_000,
    )),
}  # fmt: skip
# kind of tests/fuzz.py -> kind above
CHANGED = {
    "work": "work", "manifest": "manifest", "rules.csv": "rules", "rules.toml": "rules.toml",
    "budget": "budget", "iptables": "attachment", "conntrack": "counters", "kallsyms": "kallsyms",
    "elf": "vmlinux",
}  # fmt: skip

NAMES = (
    r"\[/x]", "[red]x[/red]", "[link=file:///etc/passwd]a", "\x1b]52;c;eA==\x07", "\x1b[2J\x1b[H",
    "\x9b31m", "\x1bPq\x1b\\", "a\rb", "a\x08\x08b", "a\x0bb", "a\x0cb", "\x07", "\x7f", "\x85",
    "\u2028", "\u2029", "\u202e\u2066x", "\u200b", "\ufeff", "\U000e0001", "`", "``a``", "a|b",
    "|", "\\|", "=1+1", "+1", "-1+1", "@x", "\t=1", '"', '",=1', "'", ":boom:", "<b>", "</td>",
    "<script>alert(1)</script>", "]]>", "&amp;", "&#0;", "<!--", "%0a", "%s", "{0}", "{{x}}", ";",
    "a;b c", "a 1", "  ", "#", "- x", "1. x", "![](x)", "~~x~~", "<x@y>", "---", "\\", "\\x1b",
    "café", "漢字", "e\u0301", "x" * 4000, "..", "../../etc/passwd", "/dev/zero", "*", "?", "[a]",
    "a=b", "a,b", "+", "~", "$(id)", "`id`", "nan", "NULL", "true", "0", "-", "--help",
)  # fmt: skip


def files(folder: Path, chance: random.Random, times: int) -> Tried:
    """Small files that are no such file, or one that no program writes."""
    tried = Tried("small files by CLI")
    whole = folder / "whole.duckdb"
    made_store(whole)
    for number, (kind, content) in enumerate(_contents(chance, times)):
        words, _ = FILES[kind]
        trouble = _of_file(words, content, folder, whole)
        tried.note(f"{number}: {kind} {content[:60]!r}", trouble)
    return tried


def _contents(chance: random.Random, times: int) -> Iterator[tuple[str, bytes]]:
    for kind, (_, contents) in FILES.items():
        for content in contents:
            yield kind, content if isinstance(content, bytes) else content.encode()
    seeds = {fuzzed: _seeds(KINDS[fuzzed][0]) for fuzzed in CHANGED}
    for turn in range(times):
        fuzzed = list(CHANGED)[turn % len(CHANGED)]
        one, other = chance.choice(seeds[fuzzed]), chance.choice(seeds[fuzzed])
        yield CHANGED[fuzzed], _changed(one, other, chance)


def _of_file(words: Command, content: bytes, folder: Path, whole: Path) -> str | None:
    store, path = folder / "s.duckdb", folder / "file"
    shutil.copy(whole, store)
    for place in (path, path.with_name("file.toml")):
        place.write_bytes(content)
    typed = content.replace(b"\0", b"")
    arguments = [
        typed if word == "TEXT" else word.replace("FILE", str(path)).replace("RECORDING", RECORDING)
        for word in words
    ]
    done = perfduck(*arguments, b"--store=" + str(store).encode(), folder=folder)
    # A diff whose budget is kept or not has a verdict.
    trouble = done.trouble(0, *((1, 3) if words[0] == "diff" else ())) or _unseen(done)
    if trouble is None and done.code == 2 and digest(store) != digest(whole):
        trouble = "refused, and the store changed"
    if trouble is None and done.seconds > MOST_S:
        trouble = f"{done.seconds:.0f} s"
    for left in folder.glob("s.duckdb*"):
        left.unlink()
    return trouble


def _unseen(done: Done) -> str | None:
    """What would move a terminal."""
    for text in (done.out.decode("utf-8", "replace"), done.error):
        odd = {each for each in text if not each.isprintable()} - {"\n"}
        if odd:
            return f"prints {sorted(odd)}"
    return None


# Names


def _recordings(folder: Path) -> None:
    """Two runs a side of perf script text, in which every function, binary and comm has a name of
    NAMES that perf script could print in its place: a name ends with its line, at the latest."""
    for side in ("base", "new"):
        for run in (1, 2):
            with (folder / f"{side}{run}.txt").open("wb") as file:
                for turn in range(40 if side == "new" else 30):
                    for number, name in enumerate(NAMES):
                        raw = b"".join(name.encode().splitlines())
                        at = 1 + turn + number / 1000
                        file.write(
                            b"%s %d [000] %.6f: %d cpu-clock: \n" % (raw[:15], 7, at, 1000 + run)
                        )
                        file.write(b"\tffffffff81000000 %s+0x10 (/bin/%s)\n" % (raw, raw))
                        file.write(b"\tffffffff82000000 net_rx_action+0x1 ([kernel.kallsyms])\n\n")


def names(folder: Path, chance: random.Random, times: int) -> Tried:
    """Names that were recorded, in every command and format; then those that are typed."""
    tried = Tried("hostile names")
    store = folder / "s.duckdb"
    _recordings(folder)
    for side in ("base", "new"):
        for run in (1, 2):
            done = perfduck("ingest", str(folder / f"{side}{run}.txt"), "--lenient", "--label",
                            f"side={side}", "--work", "5", "--unit", "packet", "--store",
                            str(store))  # fmt: skip
            tried.note(f"ingest of {side}{run}", done.trouble(0) or _unseen(done))
    for number, words in enumerate(_questions(folder)):
        copy = Path(shutil.copy(store, folder / f"c{number}.duckdb"))
        done = perfduck(*words, "--store", str(copy), folder=folder)
        odd = None if {"pprof", "html"} & {*words} else _unseen(done)
        tried.note(" ".join(words), done.trouble(0, 1, 3) or odd or _unread(words, done))
        copy.unlink()
    for name in NAMES:
        for words in _typed(name):
            done = perfduck(*words, b"--store=" + str(store).encode(), folder=folder)
            tried.note(f"{words}"[:200], done.trouble(0, 1, 3) or _unseen(done))
    return tried


def _questions(folder: Path) -> Iterator[Command]:
    tables = [("profiles",), ("symbols", "list")]
    keys = get_args(By)
    tables += [("top", "side=new", "--by", key, "--limit", "999") for key in keys]
    tables += [("top", "side=new", "net_rx_action", "--by", "callees", "--limit", "999")]
    tables += [("sql", "select distinct function, dso, comm, labels from hit order by all")]
    for words in tables:
        for form in ("text", "csv", "json", "markdown"):
            yield *words, "--format", "table" if form == "text" and words[0] == "sql" else form
    (folder / "budget.toml").write_text('[budget]\ntotal = "5 %"\n')
    for form in get_args(DiffFormat):
        yield "diff", "side=base", "side=new", "--budget", "budget.toml", "--format", form
    for view in get_args(View):
        yield "diff", "side=base", "side=new", "--by", view
    for form in get_args(CompareFormat):
        for key in get_args(MatrixKey):
            yield "compare", "*", "--over", "side", "--by", key, "--format", form
    for form in get_args(TrendFormat):
        for series in get_args(SeriesKey):
            yield "trend", "*", "--over", "side", "--by", series, "--format", form
    for form in get_args(ExportFormat):
        yield "export", "side=new", "--format", form
    yield from (("tag",),
                ("noise", "learn", "*"), ("noise", "list"), ("noise", "forget", "cpu-clock"),
                ("budget", "suggest", "side=new"), ("edit", "side=new", "--label", "a=b"),
                ("rm", "side=new"), ("prune", "*", "--older-than", "1h", "--dry-run"),
                ("merge", str(folder / "s.duckdb")))  # fmt: skip


def _unread(words: Command, done: Done) -> str | None:
    """What is no JSON, XML, CSV or folded stack; a cell that a spreadsheet would work out."""
    form = words[words.index("--format") + 1] if "--format" in words else words[0]
    if form == "pprof":
        return None if done.code or gzip.decompress(done.out) else "nothing"
    text = done.out.decode()
    try:
        if form in ("json", "speedscope"):
            json.loads(text)
        elif form == "html":
            return _foreign_markup(text)
        elif form == "junit":
            ElementTree.fromstring(text)
        elif form == "csv":
            rows = list(csv.reader(io.StringIO(text)))
            if len({len(row) for row in rows}) > 1:
                return "rows of several lengths"
            cells = [cell for row in rows for cell in row if cell[:1] in ("=", "@", "\t", "\r")]
            return f"a formula: {cells[0]!r}" if cells else None
        elif form == "folded" and not all(
            line.rpartition(" ")[2].isdigit() for line in text.splitlines()
        ):
            return "a line without a weight"
    except (ValueError, ElementTree.ParseError) as error:
        return f"{form}: {error}"
    return None


def _foreign_markup(text: str) -> str | None:
    """A name that has become a tag of the page."""
    odd = [tag for tag in ("<script>alert", "<x@y>") if tag in text]
    return f"markup of a name: {odd}" if odd else None


def _typed(name: str) -> Iterator[tuple[str, ...]]:
    for words in (
        ("top", "--", name), ("top", "--comm", name, "--", "*"), ("top", "--by", name, "--", "*"),
        ("explain", "--", name), ("edit", "--name", name, "--", "base1"), ("sql", "--", name),
        ("edit", "--unit", name, "--work", "5", "--", "new1"), ("ingest", "--", name),
        ("diff", "--", name, "side=new"), ("export", "--dso", name, "--", "*"),
        ("attach", "--", "*", f"note={name}"), ("rm", "--dry-run", "--", name),
        ("compare", "--over", name, "--", "*"), ("trend", "--over", name, "--", "*"),
        ("trend", "--over", "commit", "--repo", name, "--", "*"), ("noise", "forget", "--", name),
        ("budget", "suggest", "--", name), ("prune", "--older-than", name, "--", "*"),
        ("diff", "--base-from", name, "--last", "1", "--", "side=new"), ("merge", "--", name),
        ("edit", "--label", f"k={name}", "--", "base2"), ("edit", "--label", f"{name}=v", "--",
        "base2"), ("edit", "--unlabel", name, "--", "base2"), ("push", "--", name),
        ("tag", "--rules", name), ("symbols", "add", "--", name), ("completion", "--", name),
        ("token", "add", "--scope", "read", "--", name), ("token", "revoke", "--", name),
        ("profiles", "--where", name), ("sql", "select $a", "--param", f"a={name}"),
    ):  # fmt: skip
        # A path that is read without end is refused by others; NUL ends an argument.
        yield tuple(word.replace("\0", "") for word in words)


ATTACKS: Attacks = {
    "files": (files, 200),
    "names": (names, 0),
}


if __name__ == "__main__":
    attack(ATTACKS, __doc__)
