"""Who is charged for a sample: the innermost domain frame of its kernel stack.

    leaf  __siphash_unaligned     helper   passes it up
          hash_conntrack_raw      domain   is charged: conntrack
          nf_conntrack_in         domain
          ...
          handle_softirqs         context  would have stopped the walk
          __local_bh_enable_ip             run inside the sender's system call: softirq-inline
          __dev_queue_xmit
    root  entry_SYSCALL_64_after_hwframe

A context frame stops the walk and is charged itself; where nothing stops it, the leaf is charged.
A subprogram of eBPF whose name says nothing is charged to the program that calls it. A helper of
eBPF is charged itself where no program is above it: stacks lack those that a trampoline calls
(fentry), and the traced function did not ask for it.
A stack whose leaf is in user space is charged to the leaf.
"""

import numpy as np
import polars as pl
from msgspec import Struct

from perfduck_model.arrays import Bool, Int64, UInt16, UInt32
from perfduck_model.batch import STACKS_AT_ONCE
from perfduck_symbols.names import BPF_PROGRAM
from perfduck_tags.direction import DIRECTIONS, ENTRIES, directions, entries, first
from perfduck_tags.entries import INTERRUPTS, SOFTIRQ_LOOPS

CONTEXTS = ("task", "softirq-inline", "softirq-irq", "ksoftirqd", "irq", "idle")
_TASK, _INLINE, _ON_EXIT, _THREAD, _IRQ, _IDLE = range(6)
# What a symbol is to the walk: in two bits the context that it tells below the loop, and flags.
_BELOW = 3
_USER, _INTERRUPT, _STOPS, _PADDING, _LOOP, _IS_IDLE, _PROGRAM, _NOBODYS, _FOR_PROGRAMS = (
    4 << bit for bit in range(9)
)
_ENTRIES = {kind: 4 << bit for bit, kind in enumerate(ENTRIES, start=9)}

_INTERRUPT_ENTRY = rf"^(?:{INTERRUPTS})$"
# What is above the loop was caused by a packet, what is below only met it. The first of these below
# tells on whose time the softirq runs.
_ON_IRQ_EXIT = rf"{_INTERRUPT_ENTRY}|^(?:__)?irq_exit(?:_rcu)?$|^do_softirq_post_smp_call_flush$"
_IN_THREAD = ("run_ksoftirqd", "smpboot_thread_fn", "run_timersd")
_ON_ENABLE = ("__local_bh_enable_ip", "netif_rx", "netif_rx_ni", "netif_rx_any_context")

# Interrupts are off up to the end of these: a clock that interrupts (cpu-clock, task-clock) can
# only fire on the instruction after it, so what ran with interrupts off is counted there.
INTERRUPTS_OFF = (
    "_raw_spin_unlock_irqrestore", "_raw_spin_unlock_irq", "_raw_read_unlock_irqrestore",
    "_raw_write_unlock_irq", "_raw_write_unlock_irqrestore", "raw_spin_rq_unlock_irq",
    "finish_task_switch", "do_syscall_64", "do_int80_emulation", "do_fast_syscall_32",
    "syscall_enter_from_user_mode", "syscall_exit_to_user_mode", "irqentry_exit_to_user_mode",
    "exit_to_user_mode_prepare", "exit_to_user_mode_loop", "exc_page_fault", "do_user_addr_fault",
    *SOFTIRQ_LOOPS, "__local_bh_enable_ip", "el0_svc", "local_daif_restore",
)  # fmt: skip
_CLOCKS = r"^(?:cpu-clock|task-clock)(?::\w*)?$"
ONE_OFFSET = 0.95  # share of a function's self weight at one instruction that makes an artefact


def blame(stacks: pl.DataFrame, symbols: pl.DataFrame) -> pl.DataFrame:
    """[stack_id, symbol_id, subsystem, context, direction] of [stack_id, symbol_ids leaf first];
    symbols as the tagger returns them."""
    facts = _facts(symbols)
    slices = stacks.iter_slices(STACKS_AT_ONCE) if len(stacks) else [stacks]
    return pl.concat([_charged(some, facts) for some in slices])


def _charged(stacks: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    is_filled = stacks["symbol_ids"].list.len() > 0
    filled = stacks if is_filled.all() else stacks.filter(is_filled)
    frames = _Frames.of(filled, facts)
    charged = frames.charged()
    contexts = np.where(frames.have(_IS_IDLE)[charged], _IDLE, frames.contexts())
    rows = facts.select("symbol_id", "subsystem")[frames.fact[charged]]
    return rows.select(
        filled["stack_id"],
        "symbol_id",
        "subsystem",
        pl.Series("context", CONTEXTS)[contexts],
        pl.Series("direction", DIRECTIONS)[frames.directions()],
    )


def interrupts_off(leaf_offsets: pl.DataFrame, symbols: pl.DataFrame) -> pl.DataFrame:
    """[event, symbol_id, offset, weight, share] of functions whose self weight is an artefact: a
    clock event, a function that ends a section without interrupts, and one instruction with 95 %.
    leaf_offsets: [event, symbol_id, offset, weight]."""
    listed = symbols.filter(pl.col("canonical").is_in(INTERRUPTS_OFF)).select("symbol_id")
    seen = leaf_offsets.filter(pl.col("event").str.contains(_CLOCKS)).join(
        listed, on="symbol_id", how="semi"
    )
    place = ["event", "symbol_id"]
    weights = seen.group_by(*place, "offset").agg(pl.col("weight").sum().cast(pl.Float64))
    share = pl.col("weight") / pl.col("weight").sum().over(place)
    artefacts = weights.with_columns(share.alias("share")).filter(pl.col("share") >= ONE_OFFSET)
    return artefacts.select(*place, "offset", "weight", "share").sort(place)


def _facts(symbols: pl.DataFrame) -> pl.DataFrame:
    """What the walk asks of a symbol, one row each."""
    symbols = symbols.unique("symbol_id", maintain_order=True)
    in_kernel = pl.col("area") != "user"
    program = in_kernel & pl.col("name").str.contains(BPF_PROGRAM)
    # Programs of eBPF are called like the functions that they trace, and are not these.
    name = pl.when(program).then(pl.lit("")).otherwise("canonical")
    interrupt = in_kernel & name.str.contains(_INTERRUPT_ENTRY)
    padding = pl.col("name").str.starts_with("__pfx_")
    is_called = in_kernel & ~padding
    below = (
        pl.when(~in_kernel).then(0).when(name.str.contains(_ON_IRQ_EXIT)).then(_ON_EXIT)
        .when(name.is_in(_IN_THREAD)).then(_THREAD).when(name.is_in(_ON_ENABLE)).then(_INLINE)
    )  # fmt: skip
    kinds = entries(symbols.select(name.alias("name"))["name"])
    flags = {
        _USER: ~in_kernel & (pl.col("subsystem") != "unknown"),
        _INTERRUPT: interrupt,
        _STOPS: in_kernel & (interrupt | (pl.col("role") != "helper")),
        # Where a call is a function's last instruction, its return address is in the padding of
        # the next function: 'clear_bss' is no caller.
        _PADDING: padding,
        _LOOP: in_kernel & name.is_in(SOFTIRQ_LOOPS),
        _IS_IDLE: pl.col("subsystem").is_in(["idle", "guest:idle"]),
        _PROGRAM: program,
        _NOBODYS: pl.col("subsystem").is_in(["bpf", "guest:bpf"]),
        _FOR_PROGRAMS: pl.col("subsystem").str.contains(r"^(?:guest:)?bpf_(?:maps|helpers)$"),
        **{
            flag: is_called & pl.lit(kinds == each).fill_null(value=False)
            for each, flag in _ENTRIES.items()
        },
    }
    return symbols.select(
        "symbol_id",
        "subsystem",
        pl.sum_horizontal(
            below.otherwise(0), *(has.cast(pl.Int32) * flag for flag, has in flags.items())
        ).cast(pl.UInt16).alias("flags"),
    )  # fmt: skip


class _Frames(Struct, frozen=True):
    """All frames of all stacks, one after the other; `starts` and `ends` are those of a stack."""

    starts: Int64
    ends: Int64
    fact: UInt32  # row of the symbol's facts
    flags: UInt16

    @classmethod
    def of(cls, stacks: pl.DataFrame, facts: pl.DataFrame) -> "_Frames":
        """Look up every frame's symbol."""
        ends = stacks["symbol_ids"].list.len().cast(pl.Int64).cum_sum().to_numpy()
        starts = np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])
        numbered = facts.select("symbol_id", "flags").with_row_index("fact")
        frames = stacks.select(pl.col("symbol_ids").explode().alias("symbol_id"))
        rows = frames.join(numbered, on="symbol_id", how="left", maintain_order="left")
        return cls(starts, ends, rows["fact"].to_numpy(), rows["flags"].to_numpy())

    def have(self, flag: int) -> Bool:
        """Which frames have the flag, or one of several."""
        return (self.flags & flag) > 0

    def charged(self) -> Int64:
        """The frame that is charged, per stack."""
        stops = self.have(_STOPS) & ~self._are_subprograms() | self._lack_their_program()
        is_hit = np.zeros(len(stops), np.bool_)
        is_hit[self.starts] = True  # a leaf in padding was really hit
        stops &= is_hit | ~self.have(_PADDING)
        stop = first(stops, self.starts, self.ends)
        # A leaf without name or binary may lie in the kernel (bpf programs): it passes the charge.
        is_kernel = ~self.have(_USER)[self.starts]
        return np.where((stop >= 0) & is_kernel, stop, self.starts)

    def _are_subprograms(self) -> Bool:
        """Which frames are programs of nobody known that another program calls."""
        is_program = self.have(_PROGRAM)
        return is_program & self.have(_NOBODYS) & self._called_by(is_program)

    def _lack_their_program(self) -> Bool:
        """Which frames are helpers of eBPF below a function that is charged and is not of eBPF."""
        is_foreign = self.have(_STOPS) & ~self.have(_PROGRAM | _NOBODYS | _FOR_PROGRAMS)
        return self.have(_FOR_PROGRAMS) & self._called_by(is_foreign)

    def _called_by(self, callers: Bool) -> Bool:
        """Which frames have one of these as the next frame of their stack."""
        is_called: Bool = np.append(callers[1:], np.False_)
        is_called[self.ends - 1] = False
        return is_called

    def contexts(self) -> Int64:
        """On whose time the leaf runs, per stack."""
        loop = first(self.have(_LOOP), self.starts, self.ends)
        interrupt = first(self.have(_INTERRUPT), self.starts, self.ends)
        below = np.where(loop >= 0, loop + 1, self.ends)
        owner = first(self.have(_BELOW), below, self.ends)
        softirq = np.where(owner >= 0, self.flags[owner] & _BELOW, _INLINE)
        in_loop = np.where(loop >= 0, softirq, _TASK)
        in_interrupt = (interrupt >= 0) & ((loop < 0) | (interrupt < loop))
        return np.where(in_interrupt, _IRQ, in_loop)

    def directions(self) -> Int64:
        """Which way the packet of each stack goes, a place in DIRECTIONS."""
        entries = {kind: self.have(flag) for kind, flag in _ENTRIES.items()}
        by_frame = directions(entries, self.have(_LOOP | _INTERRUPT), self.starts, self.ends)
        return np.where(self.have(_USER)[self.starts], 0, by_frame)
