//! The copy of a stack's memory in a sample: from the stack pointer on.

pub struct Stack<'a> {
    pub start: u64,
    pub words: &'a [u64],
    /// Bytes that the kernel could copy.
    pub used: u64,
}

impl Stack<'_> {
    /// The eight bytes at an address; `None` where they are not in the copy.
    pub fn read(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(self.start)?;
        if offset.checked_add(8)? > self.used {
            return None;
        }
        let (place, shift) = ((offset / 8) as usize, 8 * (offset % 8));
        let low = *self.words.get(place)?;
        if shift == 0 {
            return Some(low);
        }
        let high = *self.words.get(place + 1)?;
        Some(low >> shift | high << (64 - shift))
    }
}
