//! Whole stacks, from the registers and the stack's memory that samples copied.
//!
//! ```text
//! regs: ip 7f17a423f504  sp 7ffc1000 ...     stack: 00000000 7f17a4230c21 ...
//! -> 7f17a423f504 7f17a4230c20 55d0c0de11a3 ...       leaf first; of callers the byte before
//! ```
//!
//! An address is looked up in the mappings of its process, then in the tables of the file that is
//! mapped there, so that the rules of an instruction are read once for all processes.

use std::collections::{BTreeSet, HashMap};

use crate::frame::{Stop, caller, caller_by_frame_pointer};
use crate::registers::{Architecture, Registers};
use crate::stack::Stack;
use crate::tables::{Row, Tables};

/// Rows of tables that are kept: some 400 bytes each.
const MOST_ROWS: usize = 1 << 16;

/// What became of a sample's stack.
pub const OUTERMOST: u8 = 0;
pub const STACK_END: u8 = 1;
pub const NO_TABLE: u8 = 2;
pub const BROKEN: u8 = 3;
/// Not unwound: a file is to be added first.
pub const WANTS_FILE: u8 = 4;
/// Added to the others: some frames were found by the frame pointer, without a table.
pub const GUESSED: u8 = 8;

/// Samples of one block of words.
pub struct Samples<'a> {
    pub words: &'a [u64],
    /// Where registers begin, in words.
    pub registers: &'a [i64],
    /// Which registers there are: a bit for each of perf's numbers.
    pub mask: u64,
    /// Where the copies of stacks begin, in words, and how many bytes they have.
    pub stacks: &'a [i64],
    pub used: &'a [i64],
    /// Which of `Mappings::bounds` the process had.
    pub spaces: &'a [i64],
}

/// Sorted mappings without overlap of several address spaces, one behind the other: space `i` has
/// those from `bounds[i]` to before `bounds[i + 1]`.
pub struct Mappings<'a> {
    pub bounds: &'a [i64],
    pub starts: &'a [u64],
    pub ends: &'a [u64],
    /// What to add to an address to get the offset in the file.
    pub biases: &'a [u64],
    pub files: &'a [u64],
}

/// Chains of addresses, one behind the other, and what became of each sample.
#[derive(Default)]
pub struct Chains {
    pub addresses: Vec<u64>,
    pub lengths: Vec<i64>,
    pub states: Vec<u8>,
    /// Files that are to be added: their samples are to be unwound again.
    pub wanted: Vec<u64>,
}

struct Space<'a> {
    starts: &'a [u64],
    ends: &'a [u64],
    biases: &'a [u64],
    files: &'a [u64],
}

impl Mappings<'_> {
    fn space(&self, number: i64) -> Option<Space<'_>> {
        let number = usize::try_from(number).ok()?;
        let first = usize::try_from(*self.bounds.get(number)?).ok()?;
        let behind = usize::try_from(*self.bounds.get(number + 1)?).ok()?;
        Some(Space {
            starts: self.starts.get(first..behind)?,
            ends: self.ends.get(first..behind)?,
            biases: self.biases.get(first..behind)?,
            files: self.files.get(first..behind)?,
        })
    }
}

impl Space<'_> {
    /// The file at an address, and the offset in it.
    fn find(&self, address: u64) -> Option<(u64, u64)> {
        let place = self
            .starts
            .partition_point(|start| *start <= address)
            .checked_sub(1)?;
        (address < self.ends[place])
            .then(|| (self.files[place], address.wrapping_add(self.biases[place])))
    }
}

/// What is known of the code in a file.
pub enum File {
    Tables(Box<Tables>),
    /// Made by a just-in-time compiler: most of these keep frame pointers.
    Compiled,
    /// Not there: who calls it cannot be known.
    Unreadable,
}

/// Unwinds stacks of one recording.
pub struct Unwinder {
    architecture: Architecture,
    most_frames: usize,
    files: HashMap<u64, File>,
    rows: HashMap<(u64, u64), Option<Row>>,
}

/// Why a stack ends, and whether all of its frames are those of tables.
struct End {
    stop: Stop,
    is_guessed: bool,
}

struct WantsFile(u64);

/// The rules at an address.
enum Found<'a> {
    Row(&'a Row),
    /// No table has any.
    NoRow,
    /// There is no file to look into.
    NoFile,
}

impl Unwinder {
    pub fn new(architecture: Architecture, most_frames: usize) -> Self {
        Self {
            architecture,
            most_frames,
            files: HashMap::new(),
            rows: HashMap::new(),
        }
    }

    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    pub fn add(&mut self, number: u64, file: File) {
        self.rows.retain(|(one, _), _| *one != number);
        self.files.insert(number, file);
    }

    pub fn unwind(&mut self, samples: &Samples<'_>, mappings: &Mappings<'_>) -> Chains {
        let mut made = Chains::default();
        let mut wanted = BTreeSet::new();
        for place in 0..samples.registers.len() {
            let first = made.addresses.len();
            let state = match self.unwind_one(samples, mappings, place, &mut made.addresses) {
                Ok(End { stop, is_guessed }) => state(stop) + GUESSED * u8::from(is_guessed),
                Err(WantsFile(file)) => {
                    made.addresses.truncate(first);
                    wanted.insert(file);
                    WANTS_FILE
                }
            };
            made.lengths.push((made.addresses.len() - first) as i64);
            made.states.push(state);
        }
        made.wanted = wanted.into_iter().collect();
        made
    }

    fn unwind_one(
        &mut self,
        samples: &Samples<'_>,
        mappings: &Mappings<'_>,
        place: usize,
        addresses: &mut Vec<u64>,
    ) -> Result<End, WantsFile> {
        let broken = Ok(End {
            stop: Stop::Broken,
            is_guessed: false,
        });
        let behind = |start: &i64| samples.words.get(usize::try_from(*start).ok()?..);
        let Some(words) = samples.registers.get(place).and_then(behind) else {
            return broken;
        };
        let Some(frame) = Registers::recorded(self.architecture, samples.mask, words) else {
            return broken;
        };
        let (Some(words), Some(used), Some(start)) = (
            samples.stacks.get(place).and_then(behind),
            samples
                .used
                .get(place)
                .and_then(|used| u64::try_from(*used).ok()),
            frame.get(self.architecture.stack_pointer()),
        ) else {
            return broken;
        };
        let Some(space) = samples
            .spaces
            .get(place)
            .and_then(|one| mappings.space(*one))
        else {
            return broken;
        };
        self.walk(frame, &Stack { start, words, used }, &space, addresses)
    }

    fn walk(
        &mut self,
        mut frame: Registers,
        stack: &Stack<'_>,
        space: &Space<'_>,
        addresses: &mut Vec<u64>,
    ) -> Result<End, WantsFile> {
        let architecture = self.architecture;
        let mut is_guessed = false;
        let mut address = frame.ip;
        for _ in 0..self.most_frames {
            let found = self.row(address, space)?;
            let (is_by_table, is_signal_frame, next) = match found {
                Found::Row(row) => {
                    let next = caller(architecture, row, &frame, stack);
                    (true, row.is_signal_frame, next)
                }
                Found::NoRow => {
                    let next = caller_by_frame_pointer(architecture, &frame, stack);
                    (false, false, next)
                }
                Found::NoFile => (false, false, Err(Stop::NoTable)),
            };
            // The kernel returns to the beginning of what ends a signal.
            addresses.push(if is_signal_frame { frame.ip } else { address });
            frame = match next {
                Ok(next) => next,
                Err(stop) => return Ok(End { stop, is_guessed }),
            };
            // What calls is in front of the return address; what was interrupted is at its address.
            address = frame.ip.wrapping_sub(u64::from(!is_signal_frame));
            if space.find(address).is_none() {
                let stop = if is_by_table {
                    Stop::Broken
                } else {
                    Stop::NoTable
                };
                return Ok(End { stop, is_guessed });
            }
            is_guessed |= !is_by_table;
        }
        Ok(End {
            stop: Stop::StackEnd,
            is_guessed,
        })
    }

    fn row(&mut self, address: u64, space: &Space<'_>) -> Result<Found<'_>, WantsFile> {
        let Some((number, offset)) = space.find(address) else {
            return Ok(Found::NoFile);
        };
        let tables = match self.files.get(&number) {
            Some(File::Tables(tables)) => tables,
            Some(File::Compiled) => return Ok(Found::NoRow),
            Some(File::Unreadable) => return Ok(Found::NoFile),
            None => return Err(WantsFile(number)),
        };
        if self.rows.len() > MOST_ROWS {
            self.rows.clear();
        }
        let read = || tables.row(tables.address(offset)?);
        let row = self.rows.entry((number, offset)).or_insert_with(read);
        Ok(row.as_ref().map_or(Found::NoRow, Found::Row))
    }
}

fn state(stop: Stop) -> u8 {
    match stop {
        Stop::Outermost => OUTERMOST,
        Stop::StackEnd => STACK_END,
        Stop::NoTable => NO_TABLE,
        Stop::Broken => BROKEN,
    }
}
