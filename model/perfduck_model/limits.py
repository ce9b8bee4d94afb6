"""How large, how deep and how many: the bounds of what is read, all in one place.

A file may come from anyone. What is beyond a bound is refused in a line that names the bound, so
that no file takes more memory than the profile in it needs, or more time than its size explains.
docs/reliability.md lists them with the largest real ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

MB = 1 << 20


class Limits(Struct):
    """The bounds, and how much is done at once."""

    # Text of a recording. perf prints lines of some kilobytes: 32 branches with the names of C++
    # functions are the longest. Something else of megabytes between the samples is skipped and
    # counted.
    longest_line: int = 8 * MB
    longest_matched: int = 2048  # characters of a line that Python's re measures: it backtracks
    most_lines_at_once: int = MB  # some 200 bytes are held for each line that is being parsed

    most_weight: int = 1 << 62  # of a recording's counts together: sums of the store have 63 bits

    # Files that users write and load generators print.
    most_small_bytes: int = 64 * MB  # iperf3 -J of an hour with 100 streams: 60 MB
    most_manifest_lines: int = 100_000  # recordings
    most_rules_bytes: int = 4 * MB  # those that come with perfduck: 60 kB in 900 lines
    most_rules_lines: int = 20_000
    most_budget_bytes: int = MB
    most_sql_bytes: int = MB
    most_depth: int = 32  # of tables in TOML
    most_attachment_lines: int = 500_000  # iptables-save of a node with 10,000 services: 100,000
    least_work: float = 1e-9  # a byte counted in GB; costs of a unit have 300 digits without these
    most_work: int = 10**18  # bytes that 100 Gbit/s carry in two years
    most_pods_bytes: int = 256 * MB  # kubectl get pods -o json of 10,000 pods: 150 MB
    most_counters: int = 64  # columns of /proc/net/stat/nf_conntrack: 17

    # Reports of opreport: all rows are held. That of a recording with call graph and details had
    # 340,000 lines.
    most_rows: int = 2 * MB
    most_xml_depth: int = 64  # opreport nests eight elements
    most_xml_token: int = MB  # a tag with its attributes, a comment

    # Archives of sessions. What oparchive packs has binaries in it: one with debug information has
    # hundreds of megabytes, and lies on disk until it is read.
    most_files: int = 500_000  # one recording with threads and CPUs apart: 650
    most_archive_bytes: int = 4096 * MB
    most_file_bytes: int = 512 * MB  # of one sample file, which is read whole
    most_member_in_memory: int = MB
    most_memory_of_members: int = 256 * MB
    most_tar_header_bytes: int = MB  # of a member's extended header or long name

    # perf.data. Sizes that it gives are never allocated before they are compared with the file.
    most_events: int = 4096  # all tracepoints of a kernel: 2,500
    most_event_ids: int = MB  # each event has one a CPU
    most_feature_bytes: int = 256 * MB  # simpleperf keeps the symbols of all binaries in one
    most_tracing_bytes: int = 64 * MB  # the formats of tracepoints come first
    # Distinct ones of a kind that are held at once: of threads, files, control groups.
    most_names: int = MB
    most_name_bytes: int = 128 * MB  # of them together; a path has 4 kB at most, most have 60 bytes
    most_processes: int = MB // 2  # that have files mapped; those that ended go first
    most_maps: int = 8 * MB  # of all processes; those that ended go first. 300 processes: 8,000
    most_maps_at_once: int = MB  # in all versions that the samples of one step see: 32 MB
    most_maps_of_process: int = MB // 4  # of code; vm.max_map_count is 65,530
    most_task_events: int = MB // 4  # held until a sample shows how far time is: 85 MB
    most_task_name_bytes: int = 32 * MB  # of them together
    most_callers: int = MB // 2  # chains of --call-graph fp,defer that wait for their samples
    most_caller_entries: int = 16 * MB  # of them together; a chain has 127 at most
    most_unwound_frames: int = 1024  # of a DWARF stack; perf's own limit is 127
    most_waiting_samples: int = MB // 4  # for callers: until the thread is back in user space
    most_pack_bytes: int = 64 * MB  # unpacked, of perf record -z: 64 kB are a tenth of it

    # Profiles in protobuf. A field is in memory as a whole, and all samples as columns.
    most_message_bytes: int = 64 * MB  # of a field: OTLP has all samples of a process in one
    most_field_bytes: int = 8 * MB  # of one whose messages are objects: 70 bytes for 2 of them
    most_messages: int = 4 * MB  # samples; values of them
    most_table_rows: int = MB  # locations, their lines, functions, mappings, texts: 300 bytes each
    most_sample_types: int = 64  # a heap profile of Go has 4
    most_message_numbers: int = 16 * MB  # frames of all samples; their values; their labels
    most_stack_frames: int = MB  # a JVM has 2,048, recursion some thousands
    most_text_bytes: int = 256 * MB  # of all texts: those of 100,000 functions of C++ have 10 MB
    most_firefox_bytes: int = 256 * MB  # unpacked; a minute of a browser with all threads: 60 MB
    most_json_bytes: int = 32 * MB  # of one message of OTLP: ten times that when it is decoded

    # Other machines and programs that are asked.
    most_answer_bytes: int = 256 * MB  # of a server: stacks and weights of large profiles 30 MB
    most_frame_bytes: int = 1024 * MB  # of a frame in it, unpacked: those have 160 MB
    most_answer_s: int = 900  # without a byte of it; a question about 100 large profiles: a minute
    most_pods_s: float = 3.0  # of a program that lists the pods of this machine
    most_merge_s: int = 7200  # likewise, where a server takes in the store that was sent

    # Symbols.
    most_kallsyms_bytes: int = 64 * MB  # 6.18 of Debian with 100 modules: 14 MB in 180,000 lines
    most_kallsyms_lines: int = 2 * MB
    most_elf_bytes: int = 4096 * MB  # unpacked, on disk; vmlinux with debug information: 700 MB
    most_elf_section: int = 1024 * MB  # unpacked, in memory; .debug_info of vmlinux: 300 MB
    most_map_bytes: int = 256 * MB  # what a just-in-time compiler wrote: perf-PID.map

    # How much is read, parsed and remembered at once: what it costs, not what is refused.
    head_bytes: int = MB  # enough to see past a long header
    text_part_bytes: int = 24 * MB  # 16 MB take 6 % more time, 32 MB 40 MB more memory
    folded_part_bytes: int = 4 * MB  # a frame of folded stacks may have two bytes, and takes 150
    text_threads: int = 2
    most_frames: int = MB  # 22 MB; a text that has more is learnt again from there
    block_bytes: int = 8 * MB  # of perf.data
    least_block_bytes: int = MB // 4  # a machine of 200 processors has as many files open at once
    # A change of 262,144 maps copies a block and references to 512 to 1,024 others: about as much.
    block_rows: int = 512
    few_rows: int = 64  # of a block that is joined to the next one
    most_blocks_waiting: int = 24  # in a recording without rounds
    most_chunks: int = MB  # 32 MB of what they mean; 635,470 chains have 521,000
    first_chunks: int = MB  # rows of arrays that grow; pages that are not touched take no memory
    # Records of larger files are read by another process. To read and resolve 153 MB takes 1.4 s
    # so, in place of 1.8 s, 64 MB as long, and 0.2 s more of CPU time.
    subprocess_bytes: int = 96 * MB
    # 30 MB, and whole row groups of DuckDB: where runs of samples end within one, the commit writes
    # all samples again, and leaves a file of twice the size. Twice as many take 60 MB more at the
    # end of 2.7 GB of text, and 4 % off the file.
    rows_of_a_run: int = 4 * 122_880
    # Beyond this DuckDB forgets what it wrote, so that memory does not grow with the recording.
    # With 160 MB samples are inserted by one thread, with 192 MB by two.
    write_memory_mb: int = 192
    # Free space of a store from which on its file is made smaller. Copying costs what is left; at a
    # quarter, all copies of a shrinking store cost four times that.
    compact_percent: int = 25
    most_cached_bytes: int = 10_240 * MB  # of lakes in buckets: 40,000 recordings, compacted
    disk_reserve_bytes: int = 0  # that making a file smaller leaves on its disk

    # Base-2 logarithms of the slots of caches. 160 s of two busy CPUs have 185,000 distinct chain
    # entries of text, 118,000 stacks and 55,000 symbols.
    line_slots_log2: int = 20  # 12 MB
    frame_slots_log2: int = 19  # 6 MB; few lines that differ say the same
    stack_slots_log2: int = 19  # 8 MB
    symbol_slots_log2: int = 18  # 4 MB
    chunk_slots_log2: int = 18  # 3 MB
    address_slots_log2: int = 18  # 4 MB


# Those of this process.
limits = Limits()


@contextmanager
def limited(**values: float) -> Iterator[None]:
    """Other values for this process until the block ends, by the names of the fields.

        with limited(most_names=1000): ...

    So that a small recording reaches them. Raises AttributeError for a name that is none."""
    before = {name: getattr(limits, name) for name in values}
    try:
        for name, value in values.items():
            setattr(limits, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(limits, name, value)
