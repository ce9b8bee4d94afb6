"""What `record` keeps of the system, as kinds of attachments; system_state.py says what each is."""

from typing import Literal

StateKind = Literal[
    "iptables",
    "ip6tables",
    "nft",
    "conntrack",
    "links",
    "bpf",
    "sysctl",
    "cpu",
    "kube",
    "pods",
    "net",
]
