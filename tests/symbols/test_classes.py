"""The class of a function, against what the text of Cai et al. (SIGCOMM'21) says of it."""

from pathlib import Path

import polars as pl
import pytest
from recordings import FIXTURES

from perfduck_model.errors import SymbolError
from perfduck_tags import rule_file
from perfduck_tags.classes import CLASSES
from perfduck_tags.tagger import Tagger

KERNEL = "[kernel.kallsyms]"
BY_HAND = FIXTURES / "classes" / "hand_checked.csv"
# Named alike and unlike by the hand and by the rules: polling is the socket layer's, and the paper
# has no word for it.
DISPUTED = {"sock_poll", "datagram_poll_queue"}


def classes(*symbols: tuple[str, str], rules: Path | None = None) -> list[str]:
    rows = pl.DataFrame(
        [(number, *symbol, None) for number, symbol in enumerate(symbols)],
        schema={"symbol_id": pl.Int64, "name": pl.String, "dso": pl.String, "address": pl.Int64},
        orient="row",
    )
    given = None if rules is None else rule_file.file_of(rules)
    tagged = Tagger(kernel_release="6.18.44", rules=given).tag(rows)
    return tagged["class"].to_list()


def test_the_hottest_hundred_functions_have_the_class_that_the_paper_gives() -> None:
    table = pl.read_csv(BY_HAND)
    assert len(table) == 100
    assert set(table["class"]) <= set(CLASSES)
    ours = classes(*((name, KERNEL) for name in table["function"]))
    differ = table.filter(table["class"] != pl.Series(ours))
    assert set(differ["function"]) == DISPUTED


@pytest.mark.parametrize(
    ("name", "dso", "of_class"),
    [
        ("skb_copy_datagram_iter", KERNEL, "data_copy"),
        ("copy_user_enhanced_fast_string", KERNEL, "data_copy"),
        ("memcmp", KERNEL, "other"),
        ("lock_sock_nested", KERNEL, "lock"),
        ("mutex_lock", KERNEL, "lock"),
        ("try_to_wake_up", KERNEL, "sched"),
        ("__switch_to", KERNEL, "sched"),
        ("page_pool_alloc_pages", KERNEL, "memory"),
        ("free_unref_page", KERNEL, "memory"),
        ("tcp4_gro_receive", KERNEL, "netdev"),
        ("dev_gro_receive", KERNEL, "netdev"),
        ("skb_segment", KERNEL, "netdev"),
        ("consume_skb", KERNEL, "skb"),
        ("vxlan_xmit", "[vxlan]", "netdev"),
        ("mlx5e_poll_rx_cq", "[mlx5_core]", "netdev"),
        ("nft_do_chain", "[nf_tables]", "tcp_ip"),
        ("br_nf_pre_routing", "[br_netfilter]", "tcp_ip"),
        ("bpf_prog_6deef7357e7b4530_sd_devices", "[bpf]", "other"),
        ("a_name", "[nvidia]", "unknown"),
        ("no_such_function", KERNEL, "unknown"),
        ("vxlan_xmit", "[guest.kernel.kallsyms]", "netdev"),
        ("memcpy", "/usr/lib/x86_64-linux-gnu/libc.so.6", "user"),
        ("main", "/srv/app", "user"),
        ("[unknown]", "[unknown]", "unknown"),
        ("[unknown]", "/srv/app", "user"),
    ],
)
def test_a_function_gets_its_class(name: str, dso: str, of_class: str) -> None:
    assert classes((name, dso)) == [of_class]


def test_a_rule_of_the_user_may_name_the_class(tmp_path: Path) -> None:
    rules = tmp_path / "rules.csv"
    rules.write_text(
        "symbol,dso,area,subsystem,class\n"
        "^my_copy$,,net/transport,mine,data_copy\n"
        "^my_tcp$,,net/transport,mine,\n"
        ",*/app,user,mine,other\n"
    )
    asked = (("my_copy", KERNEL), ("my_tcp", KERNEL), ("main", "/srv/app"))
    assert classes(*asked, rules=rules) == ["data_copy", "tcp_ip", "other"]


def test_a_class_that_there_is_not_is_refused(tmp_path: Path) -> None:
    rules = tmp_path / "rules.csv"
    rules.write_text("symbol,area,subsystem,class\n^f$,net,mine,tcp\n")
    with pytest.raises(SymbolError, match=r"rules.csv:2: expected a class of data_copy, .*'tcp'"):
        classes(("f", KERNEL), rules=rules)
