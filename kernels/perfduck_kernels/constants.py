"""Multipliers of hashes, each chosen once for all callers, and the width of chunks.

Multiplying by an odd number is a bijection on 64-bit words; numbers without a pattern spread small
and similar words over the upper bits, which is where a cache takes its slot from. MIX is 2 ** 64
divided by the golden ratio (Knuth, The Art of Computer Programming, volume 3, 6.4); PLACE_MIX are
the secret constants of wyhash, GROUP_MIX is that of degski's 64-bit mixer.
"""

import numpy as np

MIX = np.uint64(0x9E3779B97F4A7C15)
# Odd, and 3 modulo 4: swapped or repeated frames change all but the lowest bits.
CHAIN_BASE = np.uint64(0x9E3779B97F4A7C13 | 3)
CHUNK_MIX = np.uint64(0x9E3779B97F4A7C17)
LENGTH_MIX = np.uint64(0xE7037ED1A0B428DB)
GROUP_MIX = np.uint64(0xD6E8FEB86659FD93)  # of address spaces, dsos, events
# One for each place in a chunk.
PLACE_MIX = np.array(
    [0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3], np.uint64
)

CHUNK_WIDTH = len(PLACE_MIX)  # frames
NO_FRAME = np.uint64((1 << 64) - 1)  # no address: those are below PERF_CONTEXT_MAX

LINE_BLOCK_BYTES = 1 << 18  # what is made of so many bytes of text stays in the processor's cache
