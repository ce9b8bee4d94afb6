//! Lines of text, one behind the other: where they begin, a hash of each, some of them.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use memchr::memchr_iter;

const BLOCK_BYTES: usize = 1 << 18; // LINE_BLOCK_BYTES of perfduck_kernels/constants.py

/// The byte offset of each line, and the end of the last; stops after the block in which the
/// `most`-th line ends.
pub fn line_starts(content: &[u8], most: usize) -> Vec<i32> {
    let mut starts = vec![0];
    for (number, block) in content.chunks(BLOCK_BYTES).enumerate() {
        let behind = number * BLOCK_BYTES + 1;
        starts.extend(memchr_iter(b'\n', block).map(|end| (behind + end) as i32));
        if starts.len() > most {
            break;
        }
    }
    starts
}

/// A hash of each line, equal for equal lines.
pub fn line_hashes(content: &[u8], starts: &[i32]) -> Vec<u64> {
    let state = FixedState::default();
    let hash = |bounds: &[i32]| {
        let mut hasher = state.build_hasher();
        hasher.write(line(content, bounds[0], bounds[1]));
        hasher.finish()
    };
    starts.windows(2).map(hash).collect()
}

/// The bytes of some lines, and where each begins and the last one ends.
pub fn gather_lines(content: &[u8], starts: &[i32], lines: &[i64]) -> (Vec<u8>, Vec<i64>) {
    let chosen = || {
        lines.iter().map(|&number| {
            let number = number as usize;
            line(content, starts[number], starts[number + 1])
        })
    };
    let mut bytes = Vec::with_capacity(chosen().map(<[u8]>::len).sum());
    let mut offsets = Vec::with_capacity(lines.len() + 1);
    offsets.push(0);
    for line in chosen() {
        bytes.extend_from_slice(line);
        offsets.push(bytes.len() as i64);
    }
    (bytes, offsets)
}

fn line(content: &[u8], start: i32, end: i32) -> &[u8] {
    &content[start as usize..end as usize]
}
