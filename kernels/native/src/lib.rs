//! perfduck's loops that are too slow in Python.

pub mod frame;
pub mod inlines;
pub mod registers;
pub mod stack;
pub mod tables;
pub mod unwind;

#[cfg(feature = "python")]
mod python;
