//! perfduck's loops that are too slow in Python.

pub mod columns;
pub mod demangle;
pub mod frame;
pub mod identity;
pub mod inlines;
pub mod lines;
pub mod registers;
pub mod stack;
pub mod tables;
pub mod unwind;

#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod python_columns;
