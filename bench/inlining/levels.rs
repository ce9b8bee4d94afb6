use std::collections::HashMap;
#[inline(always)] fn rotate(x: u64) -> u64 { x.rotate_left(13) ^ x >> 7 }
#[inline(always)] fn mix(x: u64) -> u64 { rotate(x.wrapping_mul(0x9e37_79b9_7f4a_7c15)) }
#[inline(never)] fn count(words: &[u64]) -> HashMap<u64, u32> {
    let mut map = HashMap::new();
    for word in words.iter().map(|w| mix(*w) % 1009) { *map.entry(word).or_insert(0) += 1; }
    map
}
fn main() {
    let words: Vec<u64> = (0..200_000).map(mix).collect();
    let mut total = 0;
    for _ in 0..60 {
        let mut values: Vec<_> = count(&words).into_iter().collect();
        values.sort_by_key(|one| one.1);
        total += values[7].1;
    }
    println!("{total}");
}
