"""Numbers of a sample that perf keeps in 64 bits and the store in 63: the sample is kept without
them, and counted. One rule for perf.data and what perf script prints of it."""

TIME = "time-out-of-range"
PERIOD = "period-out-of-range"
TEXTS = {
    TIME: "times beyond 63 bits are not kept",
    PERIOD: "periods beyond 63 bits are not kept: these samples count as one event each",
}
