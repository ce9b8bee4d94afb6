"""Two kernel cases from mailing lists where a diff of shares misleads.

Shares and nanoseconds per packet are as published; where only the growth of a function is known,
its base is taken as 2 ns. What the tables leave out is one function, `rest`.
"""

from collections.abc import Mapping

import numpy as np
from made_runs import PERIOD, answer, runs_of

from perfduck_diff.engine.result import Diff
from perfduck_diff.engine.run_matrix import RunMatrix

PACKETS = 1e5

# J. D. Brouer, linux-mm 2016-08-09: mlx4, iptables-raw DROP, 4 453 022 -> 3 295 798 packets/s.
BROUER_TOTAL = (224.57, 303.42)
BROUER = {
    "memcpy_erms": (82.17, 78.25),  # -10.80 pp: the top row of perf diff
    "ipt_do_table": (14.96, 13.81),  # -2.11 pp
    "ip_rcv": (10.45, 10.51),  # -1.19 pp
    "nf_hook_slow": (3.58, 3.47),  # -0.45 pp
    "__netif_receive_skb_core": (7.56, 7.94),  # -0.75 pp, and yet dearer
    "get_page_from_freelist": (2.0, 16.38),
    "mlx4_alloc_pages": (2.0, 14.95),
    "free_hot_cold_page": (2.0, 13.14),
    "mlx4_en_free_frag": (2.0, 10.68),
    "__alloc_pages_nodemask": (2.0, 9.91),
}
# xdp-project, areas/core/xdp_frame01_checksum.org: 2 723 200 -> 2 178 586 packets/s.
CHECKSUM_TOTAL = (367.2, 459.0)
CHECKSUM = {
    "do_csum": (0.1, 67.7),  # +14.72 pp
    "__netif_receive_skb_core": (12.36, 12.88),  # -0.56 pp
    "nf_hook_slow_list": (7.38, 7.71),  # -0.33 pp
    "kmem_cache_free": (10.46, 11.24),  # -0.40 pp
}


def _runs(table: Mapping[str, tuple[float, float]], total: tuple[float, float]) -> RunMatrix:
    known = np.array(list(table.values())).sum(axis=0)
    rest = (total[0] - known[0], total[1] - known[1])
    random = np.random.default_rng(7)
    hits = {
        name: [
            *random.poisson(base * PACKETS / PERIOD, 3),
            *random.poisson(new * PACKETS / PERIOD, 3),
        ]
        for name, (base, new) in {**table, "rest": rest}.items()
    }
    return runs_of({f"net_rx_action;{name}": row for name, row in hits.items()}, work=PACKETS)


def _claimed(found: Diff) -> list[str]:
    return [claim.function for claim in found.claims]


def test_the_page_allocator_leads_where_perf_diff_puts_memcpy_first() -> None:
    found = answer(_runs(BROUER, BROUER_TOTAL), 3)
    grown = {name for name, (base, new) in BROUER.items() if new > base + 5}
    assert set(_claimed(found)[: len(grown) + 1]) - {"rest"} == grown
    ranked = [row.function for row in found.functions if row.function != "rest"]
    assert ranked[:2] == ["get_page_from_freelist", "mlx4_alloc_pages"]


def test_dilution_is_not_called_shrinkage() -> None:
    found = answer(_runs(BROUER, BROUER_TOTAL), 3)
    assert found.shrunk == ()
    assert found.verdict == "regression"


def test_the_checksum_leads_and_sign_flips_are_gone() -> None:
    found = answer(_runs(CHECKSUM, CHECKSUM_TOTAL), 3)
    assert _claimed(found)[0] == "do_csum"
    assert 0.70 < found.claims[0].delta / found.total.delta < 0.78
    assert found.shrunk == ()


def test_the_same_tables_by_share_do_mislead_and_so_never_gate() -> None:
    found = answer(_runs(BROUER, BROUER_TOTAL), 3, per="share")
    assert found.functions[-1].function == "memcpy_erms"
    assert found.verdict == "inconclusive"
    assert any("dilution" in reason.text for reason in found.reasons)
