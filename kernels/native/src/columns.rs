//! Loops over columns: the twins of perfduck_kernels/numpy_kernels.py, with equal results.
//!
//! Columns of one call that do not fit each other are a panic, as an index out of bounds is.

use std::collections::HashMap;

use foldhash::fast::FixedState;

// As in perfduck_kernels/constants.py.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
const CHAIN_BASE: u64 = 0x9E37_79B9_7F4A_7C13 | 3;
const CHUNK_MIX: u64 = 0x9E37_79B9_7F4A_7C17;
const LENGTH_MIX: u64 = 0xE703_7ED1_A0B4_28DB;
const GROUP_MIX: u64 = 0xD6E8_FEB8_6659_FD93;
const PLACE_MIX: [u64; CHUNK_WIDTH] = [
    0xA076_1D64_78BD_642F,
    0xE703_7ED1_A0B4_28DB,
    0x8EBC_6AF0_9C88_C6E3,
    0x5899_65CC_7537_4CC3,
];
const CHUNK_WIDTH: usize = 4;
const NO_FRAME: u64 = u64::MAX;

/// The first word of each whole record, and the index behind the last one.
pub fn walk_records(words: &[u64], size_shift: u32) -> (Vec<i64>, i64) {
    let mut starts = Vec::new();
    let mut word = 0;
    while let Some(header) = words.get(word) {
        let length = ((header >> size_shift) as u16 >> 3) as usize;
        if length == 0 || length > words.len() - word {
            break;
        }
        starts.push(word as i64);
        word += length;
    }
    (starts, word as i64)
}

/// A polynomial of the terms of each chain.
pub fn chain_keys(terms: &[u64], starts: &[i64], lengths: &[i64]) -> Vec<u64> {
    let most = lengths.iter().copied().max().unwrap_or(0);
    let powers: Vec<u64> =
        std::iter::successors(Some(1_u64), |power| Some(power.wrapping_mul(CHAIN_BASE)))
            .take(size(most).min(terms.len()))
            .collect();
    let key = |(&start, &length): (&i64, &i64)| {
        let chain = &terms[size(start)..][..size(length)];
        let products = chain.iter().zip(&powers).map(|(a, b)| a.wrapping_mul(*b));
        let sum = products.fold(0_u64, u64::wrapping_add);
        sum.wrapping_add((length as u64).wrapping_mul(LENGTH_MIX))
    };
    starts.iter().zip(lengths).map(key).collect()
}

/// start, start + stride, ... of each range. One stride is that of all.
pub fn ranges(starts: &[i64], lengths: &[i64], strides: &[i64]) -> Vec<i64> {
    let mut indices = Vec::with_capacity(lengths.iter().copied().map(size).sum());
    for (number, (&start, &length)) in starts.iter().zip(lengths).enumerate() {
        let stride = strides[if strides.len() == 1 { 0 } else { number }];
        indices.extend((0..length).map(|one| start + one * stride));
    }
    indices
}

fn size(length: i64) -> usize {
    usize::try_from(length).expect("lengths and places are not negative")
}

/// Chunks of all chains, a row for each place; and how many each chain has.
pub fn chunk_chains(words: &[u64], ends: &[i64], lengths: &[i64]) -> (Vec<u64>, Vec<i64>) {
    let chunks = |&length: &i64| {
        assert!(size(length) <= words.len()); // before memory is asked for
        size(length).div_ceil(CHUNK_WIDTH) as i64
    };
    let counts: Vec<i64> = lengths.iter().map(chunks).collect();
    let all = counts.iter().sum::<i64>() as usize;
    let mut frames = vec![NO_FRAME; CHUNK_WIDTH * all];
    let mut behind = 0;
    for ((&end, &length), &count) in ends.iter().zip(lengths).zip(&counts) {
        let (end, length) = (size(end), size(length));
        behind += count as usize;
        let first = CHUNK_WIDTH * behind - length; // places of all chunks before, one by one
        for (place, &word) in (first..).zip(&words[end - length..end]) {
            frames[place % CHUNK_WIDTH * all + place / CHUNK_WIDTH] = word;
        }
    }
    (frames, counts)
}

/// A sum of products for each chunk; `frames` has a row for each place.
pub fn chunk_keys(frames: &[u64], groups: &[i64]) -> Vec<u64> {
    let mut keys: Vec<u64> = groups.iter().map(|&one| of_group(one)).collect();
    for (place, mix) in PLACE_MIX.into_iter().enumerate() {
        let row = &frames[place * groups.len()..][..groups.len()];
        for (key, frame) in keys.iter_mut().zip(row) {
            *key = key.wrapping_add(frame.wrapping_mul(mix));
        }
    }
    keys
}

/// Two symbols at a time.
pub fn chunk_terms(symbols: &[i32]) -> Vec<u64> {
    let (chunks, _) = symbols.as_chunks::<CHUNK_WIDTH>();
    let term =
        |&[a, b, c, d]: &[i32; CHUNK_WIDTH]| mixed(mixed(pair(a, b)).wrapping_add(pair(c, d)));
    chunks.iter().map(term).collect()
}

/// As they lie in memory.
fn pair(first: i32, second: i32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

fn mixed(word: u64) -> u64 {
    let word = word.wrapping_mul(CHUNK_MIX);
    word ^ (word >> 32)
}

/// A sum of each value and a multiple of its group.
pub fn group_keys(values: &[u64], groups: &[i64]) -> Vec<u64> {
    assert_eq!(values.len(), groups.len());
    let key = |(value, &group): (&u64, &i64)| value.wrapping_add(of_group(group));
    values.iter().zip(groups).map(key).collect()
}

fn of_group(group: i64) -> u64 {
    (group as u64).wrapping_mul(GROUP_MIX)
}

/// What the table has in the slot of each hash, and which hashes the slot does not belong to.
pub fn probe<T: Copy>(keys: &[u64], values: &[T], hashes: &[u64]) -> (Vec<T>, Vec<i64>) {
    let shift = slot_shift(keys.len());
    let mut missing = Vec::new();
    let value = |(number, hash): (usize, &u64)| {
        let slot = (hash.wrapping_mul(MIX) >> shift) as usize;
        if keys[slot] != *hash {
            missing.push(number as i64);
        }
        values[slot]
    };
    let found = hashes.iter().enumerate().map(value).collect();
    (found, missing)
}

/// Write hashes and their values into the table: the last of a slot stays.
pub fn put<T: Copy>(keys: &mut [u64], values: &mut [T], hashes: &[u64], fresh: &[T]) {
    assert_eq!(hashes.len(), fresh.len());
    let shift = slot_shift(keys.len());
    for (hash, value) in hashes.iter().zip(fresh) {
        let slot = (hash.wrapping_mul(MIX) >> shift) as usize;
        keys[slot] = *hash;
        values[slot] = *value;
    }
}

fn slot_shift(slots: usize) -> u32 {
    assert!(slots.is_power_of_two() && slots > 1);
    u64::BITS - slots.trailing_zeros()
}

/// Where each distinct hash comes up first, and for each hash which of these it equals.
pub fn distinct(hashes: &[u64]) -> (Vec<i64>, Vec<i64>) {
    let mut numbers: HashMap<u64, i64, FixedState> = HashMap::default();
    let mut first = Vec::new();
    let which = |(index, hash): (usize, &u64)| {
        *numbers.entry(*hash).or_insert_with(|| {
            first.push(index as i64);
            first.len() as i64 - 1
        })
    };
    let which = hashes.iter().enumerate().map(which).collect();
    (first, which)
}
