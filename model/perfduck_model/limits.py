"""How large, how deep and how many: the bounds of what is read, all in one place.

A file may come from anyone. What is beyond a bound is refused in a line that names the bound, so
that no file takes more memory than the profile in it needs, or more time than its size explains.
docs/reliability.md lists them with the largest real ones.
"""

MB = 1 << 20

# Text of a recording. perf prints lines of some kilobytes: 32 branches with the names of C++
# functions are the longest. Something else of megabytes between the samples is skipped and counted.
LONGEST_LINE = 8 * MB
LONGEST_MATCHED = 2048  # characters of a line that is measured by Python's re, which backtracks
MOST_LINES_AT_ONCE = MB  # some 200 bytes are held for each line that is being parsed

# Files that users write and load generators print.
MOST_SMALL_BYTES = 64 * MB  # iperf3 -J of an hour with 100 streams: 60 MB
MOST_MANIFEST_LINES = 100_000  # recordings
MOST_RULES_BYTES = 4 * MB  # those that come with perfduck: 60 kB in 900 lines
MOST_RULES_LINES = 20_000
MOST_BUDGET_BYTES = MB
MOST_SQL_BYTES = MB
MOST_DEPTH = 32  # of tables in TOML
MOST_ATTACHMENT_LINES = 500_000  # iptables-save of a node with 10,000 services: 100,000
MOST_COUNTERS = 64  # columns of /proc/net/stat/nf_conntrack: 17

# Reports of opreport: all rows are held. That of a recording with call graph and details had
# 340,000 lines.
MOST_ROWS = 2 * MB
MOST_XML_DEPTH = 64  # opreport nests eight elements
MOST_XML_TOKEN = MB  # a tag with its attributes, a comment

# Archives of sessions. What oparchive packs has binaries in it: one with debug information has
# hundreds of megabytes, and lies on disk until it is read.
MOST_FILES = 500_000  # one recording with threads and CPUs apart: 650
MOST_ARCHIVE_BYTES = 4096 * MB
MOST_FILE_BYTES = 512 * MB  # of one sample file, which is read whole
MOST_MEMBER_IN_MEMORY = MB
MOST_MEMORY_OF_MEMBERS = 256 * MB
MOST_TAR_HEADER_BYTES = MB  # of a member's extended header or long name

# perf.data. Sizes that it gives are never allocated before they are compared with the file.
MOST_EVENTS = 4096  # all tracepoints of a kernel: 2,500
MOST_EVENT_IDS = MB  # each event has one a CPU
MOST_FEATURE_BYTES = 256 * MB  # simpleperf keeps the symbols of all binaries in one
MOST_TRACING_BYTES = 64 * MB  # the formats of tracepoints come first
MOST_NAMES = MB  # distinct ones of a kind that are held at once: of threads, files, control groups
MOST_NAME_BYTES = 128 * MB  # of them together; a path has 4 kB at most, most have 60 bytes
MOST_PROCESSES = MB // 2  # that have files mapped; those that ended go first
MOST_MAPS = 8 * MB  # of all processes; those that ended go first. 300 processes: 8,000
MOST_MAPS_AT_ONCE = MB  # in all versions of the maps that the samples of one step see: 32 MB
MOST_MAPS_OF_PROCESS = MB // 4  # of code; vm.max_map_count is 65,530
MOST_TASK_EVENTS = MB // 4  # held until a sample shows how far time is: 85 MB
MOST_TASK_NAME_BYTES = 32 * MB  # of them together
MOST_CALLERS = MB // 2  # chains of --call-graph fp,defer that wait for their samples
MOST_CALLER_ENTRIES = 16 * MB  # of them together; a chain has 127 at most
MOST_WAITING_SAMPLES = MB // 4  # for their callers: until the thread is back in user space
MOST_PACK_BYTES = 64 * MB  # unpacked; of perf record -z: a pack has 64 kB, and is a tenth of it

# Symbols.
MOST_KALLSYMS_BYTES = 64 * MB  # 6.18 of Debian with 100 modules: 14 MB in 180,000 lines
MOST_KALLSYMS_LINES = 2 * MB
MOST_ELF_BYTES = 4096 * MB  # unpacked, on disk; vmlinux with debug information: 700 MB
MOST_ELF_SECTION = 1024 * MB  # unpacked, in memory; .debug_info of vmlinux: 300 MB
MOST_MAP_BYTES = 256 * MB  # what a just-in-time compiler wrote: perf-PID.map
