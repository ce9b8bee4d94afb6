//! Ids by content, as perfduck_model/identity.py has them.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

/// Of each chain of symbol ids: 64 bits of blake2b over them, as little-endian words.
pub fn stack_ids(symbol_ids: &[i64], lengths: &[i64]) -> Vec<i64> {
    let mut rest = symbol_ids;
    let mut content = Vec::new();
    let id = |&length: &i64| {
        let (chain, behind) =
            rest.split_at(usize::try_from(length).expect("lengths are not negative"));
        rest = behind;
        content.clear();
        content.extend(chain.iter().flat_map(|one| one.to_le_bytes()));
        i64::from_le_bytes(Blake2b::<U8>::digest(&content).into())
    };
    lengths.iter().map(id).collect()
}
