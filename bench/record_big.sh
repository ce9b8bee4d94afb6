#!/usr/bin/env bash
# Record this machine under mixed load: `./record_big.sh [DIRECTORY [SECONDS [HERTZ]]]`.
#
# Makes DIRECTORY/perf.data: pod networking in namespaces (fixtures/record), compiles, python and
# node, all at once; 140 s at 1999 Hz on two CPUs are some 560,000 samples of 30 frames, a gigabyte
# as text.
# Needs root, what fixtures/record needs, go and node.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
directory=${1:-/tmp/perfduck-big} seconds=${2:-140} hertz=${3:-1999}
mkdir -p "$directory"
spool=$(mktemp -d)
jobs=()

clean_up() {
    for job in "${jobs[@]}"; do kill -TERM -- "-$job" 2>/dev/null || true; done
    rm -rf "$spool"
}
trap clean_up EXIT

# forever NICENESS COMMANDS: in a process group of its own, so that all of it ends with the recording.
forever() {
    setsid nice -n "$1" bash -c "while true; do $2; done" >/dev/null 2>&1 &
    jobs+=("$!")
}

# Preferred, because its chains are the deepest: up to 80 frames with what wrk does in user space.
network() {
    for workload in crr udp64; do
        forever -15 "rm -rf $spool/$workload; XZ_LEVEL=0 $here/../fixtures/record/record.sh \
            --scenario all --workload $workload --seconds 10 --out $spool/$workload"
    done
}

# Go keeps frame pointers, so its compiler's chains are whole; a cache of its own, so that it has to work.
compiles() {
    forever -5 "GOCACHE=$spool/go GOFLAGS=-p=2 go build -a std cmd"
}

interpreters() {
    forever 19 "python3 -m test -q test_json test_re test_collections test_ast test_decimal test_sort \
        test_dict test_zlib test_hashlib test_statistics test_asyncio.test_streams"
    # V8 keeps frame pointers: a random walk through four functions gives chains of all depths.
    forever -15 "node -e 'const m = new Map();
        const leaf = (n) => { m.set(\"k\" + n % 1e4, {n}); return JSON.stringify([n, {n}]).length; };
        const left = (n) => n < 2 ? leaf(n) : right(n - 1) + (n % 3 ? 0 : down(n - 3));
        const right = (n) => n < 2 ? leaf(n) : down(n - 1) + left(n - 2);
        const down = (n) => n < 2 ? leaf(n) : n % 2 ? left(n - 1) : [n - 1, n - 4].map(right).length;
        const deep = (k, n) => k ? deep(k - 1, n) : left(n);
        for (let i = 0; i < 400; i++) deep(i % 60, 24 + i % 20);
        JSON.parse(JSON.stringify([...m])).sort((a, b) => a[1].n - b[1].n)'"
}

network
compiles
interpreters
perf record -q -a -g -e cpu-clock -F "$hertz" -o "$directory/perf.data" -- sleep "$seconds"
ls -l "$directory/perf.data"
