//! A million inputs: what loops over columns return is what plain ones do, and columns that do not
//! fit each other are a panic, which Python sees as an error.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

use perfduck_native::columns;
use perfduck_native::identity::stack_ids;
use perfduck_native::lines::{gather_lines, line_hashes, line_starts};

const INPUTS: u64 = 1_000_000;

/// splitmix64.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.word() % most
    }

    /// Some of them are equal.
    fn words(&mut self, count: usize) -> Vec<u64> {
        let few = self.below(2) == 0;
        (0..count)
            .map(|_| if few { self.below(4) } else { self.word() })
            .collect()
    }

    fn lengths(&mut self, least: u64) -> Vec<i64> {
        (0..self.below(7))
            .map(|_| (least + self.below(9)) as i64)
            .collect()
    }
}

fn starts_of(lengths: &[i64]) -> Vec<i64> {
    let before = |sum: &mut i64, length: &i64| {
        *sum += length;
        Some(*sum - length)
    };
    lengths.iter().scan(0, before).collect()
}

fn check_lines(random: &mut Random) {
    let mut content: Vec<u8> = (0..random.below(60))
        .map(|_| b"\n\n\tab\xff"[random.below(6) as usize])
        .collect();
    content.push(b'\n');
    let starts = line_starts(&content, usize::MAX);
    let lines: Vec<&[u8]> = content.split_inclusive(|&byte| byte == b'\n').collect();
    assert_eq!(starts.len(), lines.len() + 1);
    let hashes = line_hashes(&content, &starts);
    for (number, line) in lines.iter().enumerate() {
        let other = random.below(lines.len() as u64) as usize;
        assert_eq!(hashes[number] == hashes[other], *line == lines[other]);
        let (bytes, offsets) = gather_lines(&content, &starts, &[number as i64, other as i64]);
        assert_eq!(bytes, [*line, lines[other]].concat());
        assert_eq!(offsets, [0, line.len() as i64, bytes.len() as i64]);
    }
}

fn check_records(random: &mut Random) {
    let words: Vec<u64> = (0..random.below(30))
        .map(|_| random.word() << 20 | random.below(40))
        .collect();
    let (starts, end) = columns::walk_records(&words, 0);
    let mut at = 0;
    for start in starts {
        assert_eq!(start, at);
        at += ((words[start as usize] & 0xFFFF) >> 3) as i64;
    }
    assert_eq!(end, at);
    assert!(end as usize <= words.len());
}

fn check_chains(random: &mut Random) {
    let lengths = random.lengths(1);
    let starts = starts_of(&lengths);
    let terms = random.words(lengths.iter().sum::<i64>() as usize);
    let keys = columns::chain_keys(&terms, &starts, &lengths);
    let ids: Vec<i64> = terms.iter().map(|&one| one as i64).collect();
    let stacks = stack_ids(&ids, &lengths);
    let chain = |number: usize| &terms[starts[number] as usize..][..lengths[number] as usize];
    for number in 0..lengths.len() {
        let other = random.below(lengths.len() as u64) as usize;
        let are_equal = chain(number) == chain(other);
        assert_eq!(keys[number] == keys[other], are_equal);
        assert_eq!(stacks[number] == stacks[other], are_equal);
    }
}

fn check_chunks(random: &mut Random) {
    let lengths = random.lengths(0);
    let words = random.words(12);
    let ends: Vec<i64> = lengths
        .iter()
        .map(|&length| length + random.below(13 - length as u64) as i64)
        .collect();
    let (frames, counts) = columns::chunk_chains(&words, &ends, &lengths);
    let all = frames.len() / 4;
    let mut chunk = 0;
    for ((&end, &length), &count) in ends.iter().zip(&lengths).zip(&counts) {
        let mut chain = vec![u64::MAX; (4 * count - length) as usize];
        chain.extend(&words[(end - length) as usize..end as usize]);
        for row in chain.chunks(4) {
            let got: Vec<u64> = (0..4).map(|place| frames[place * all + chunk]).collect();
            assert_eq!(got, row);
            chunk += 1;
        }
    }
    assert_eq!(chunk, all);
    let groups = vec![7; all];
    assert_eq!(columns::chunk_keys(&frames, &groups).len(), all);
}

fn check_ranges(random: &mut Random) {
    let lengths = random.lengths(0);
    let starts: Vec<i64> = lengths.iter().map(|_| random.below(99) as i64).collect();
    let stride = random.below(5) as i64 - 2;
    let mut expected = Vec::new();
    for (start, &length) in starts.iter().zip(&lengths) {
        expected.extend((0..length).map(|one| start + stride * one));
    }
    assert_eq!(columns::ranges(&starts, &lengths, &[stride]), expected);
    let strides = vec![stride; lengths.len()];
    if lengths.len() != 1 {
        assert_eq!(columns::ranges(&starts, &lengths, &strides), expected);
    }
}

fn check_tables(random: &mut Random) {
    let count = random.below(30) as usize;
    let hashes = random.words(count);
    let (first, which) = columns::distinct(&hashes);
    assert!(first.windows(2).all(|pair| pair[0] < pair[1]));
    for (number, hash) in hashes.iter().enumerate() {
        let at = first[which[number] as usize] as usize;
        assert_eq!(hashes[at], *hash);
        assert!(at <= number);
    }
    let (mut keys, mut values) = (vec![0; 8], vec![0_u32; 8]);
    keys[0] = 1;
    let fresh: Vec<u32> = hashes.iter().map(|&hash| hash as u32).collect();
    columns::put(&mut keys, &mut values, &hashes, &fresh);
    let (found, missing) = columns::probe(&keys, &values, &hashes);
    for (number, hash) in hashes.iter().enumerate() {
        let is_missing = missing.contains(&(number as i64));
        assert!(is_missing || found[number] == *hash as u32);
        assert_eq!(is_missing, !keys.contains(hash));
    }
}

#[test]
fn a_million_inputs() {
    let mut random = Random(1);
    for number in 0..INPUTS {
        match number % 6 {
            0 => check_lines(&mut random),
            1 => check_records(&mut random),
            2 => check_chains(&mut random),
            3 => check_chunks(&mut random),
            4 => check_ranges(&mut random),
            _ => check_tables(&mut random),
        }
    }
}

#[test]
fn columns_that_do_not_fit_are_a_panic_at_most() {
    set_hook(Box::new(|_| ()));
    let mut random = Random(2);
    for number in 0..20_000 {
        let column = |random: &mut Random| -> Vec<i64> {
            (0..random.below(5))
                .map(|_| match random.below(4) {
                    0 => random.word() as i64,
                    _ => random.below(12) as i64 - 3,
                })
                .collect()
        };
        let (a, b) = (column(&mut random), column(&mut random));
        let words = random.words(6);
        let work = || match number % 5 {
            0 => drop(columns::chain_keys(&words, &a, &b)),
            1 => drop(columns::chunk_chains(&words, &a, &b)),
            2 => drop(stack_ids(&a, &b)),
            3 => drop(columns::chunk_keys(&words, &b)),
            _ => drop(columns::probe(&words, &words, &words)),
        };
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}
