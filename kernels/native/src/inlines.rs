//! Which functions a compiler inlined at an address, by the debug information of a binary.
//!
//! ```text
//! 0x1a2f -> skb_put, __skb_push        innermost first; the function that they are in is not named
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use addr2line::{Context, FrameIter, LookupResult};
use gimli::{Dwarf, EndianReader, RunTimeEndian, SectionId};

type Bytes = EndianReader<RunTimeEndian, Arc<[u8]>>;

/// In the place of how many functions were inlined: the debug information cannot be read there.
pub const UNREADABLE: i64 = -1;

/// The sections of a file by name (`.debug_info`).
pub type Sections = HashMap<String, Arc<[u8]>>;

/// Functions inlined at some addresses.
#[derive(Default)]
pub struct Inlined {
    /// How many at each address, or `UNREADABLE`.
    pub counts: Vec<i64>,
    /// Numbers of their names, address by address, innermost first.
    pub names: Vec<i64>,
    /// Names that were not met before: their numbers follow each other.
    pub new_names: Vec<String>,
}

/// The debug information of a binary. Units are parsed when an address in them is looked up.
pub struct Inlines(Mutex<State>);

struct State {
    context: Context<Bytes>,
    numbers: HashMap<String, i64>,
}

impl Inlines {
    /// An error where a unit cannot be read. `supplementary`: of the file that several binaries share (dwz), where one is named.
    pub fn new(
        sections: Sections,
        supplementary: Option<Sections>,
        is_big: bool,
    ) -> Result<Self, gimli::Error> {
        let mut dwarf = dwarf(sections, is_big)?;
        if let Some(sections) = supplementary {
            dwarf.set_sup(self::dwarf(sections, is_big)?);
        }
        check(&dwarf)?;
        Ok(Self(Mutex::new(State {
            context: Context::from_dwarf(dwarf)?,
            numbers: HashMap::new(),
        })))
    }

    pub fn at(&self, addresses: &[u64]) -> Inlined {
        let mut state = self.0.lock().expect("no lookup panics");
        let mut made = Inlined::default();
        for address in addresses {
            let names = state.names(*address);
            made.counts
                .push(names.as_ref().map_or(UNREADABLE, |some| some.len() as i64));
            for name in names.unwrap_or_default() {
                made.names.push(state.number(name, &mut made.new_names));
            }
        }
        made
    }
}

fn dwarf(mut sections: Sections, is_big: bool) -> Result<Dwarf<Bytes>, gimli::Error> {
    let endian = if is_big {
        RunTimeEndian::Big
    } else {
        RunTimeEndian::Little
    };
    Dwarf::load(|id: SectionId| {
        let bytes = sections.remove(id.name()).unwrap_or_default();
        Ok(EndianReader::new(bytes, endian))
    })
}

/// addr2line passes over units that it cannot read: what they inline would not be said to lack.
fn check(dwarf: &Dwarf<Bytes>) -> Result<(), gimli::Error> {
    let mut headers = dwarf.units();
    while let Some(header) = headers.next()? {
        dwarf.unit(header)?;
    }
    Ok(())
}

impl State {
    /// None where a unit cannot be read, or is in another file (split DWARF).
    fn names(&self, address: u64) -> Option<Vec<String>> {
        match self.context.find_frames(address) {
            LookupResult::Output(frames) => inlined(frames.ok()?).ok(),
            LookupResult::Load { .. } => None,
        }
    }

    fn number(&mut self, name: String, new_names: &mut Vec<String>) -> i64 {
        let next = self.numbers.len() as i64;
        *self.numbers.entry(name).or_insert_with_key(|name| {
            new_names.push(name.clone());
            next
        })
    }
}

/// The names of all frames but the last, which is the function that the others are in.
fn inlined(mut frames: FrameIter<'_, Bytes>) -> Result<Vec<String>, gimli::Error> {
    let mut names = Vec::new();
    let mut last = None;
    while let Some(frame) = frames.next()? {
        names.extend(last.take());
        last = frame
            .function
            .map(|function| function.raw_name().map(|name| name.into_owned()))
            .transpose()?;
    }
    Ok(names)
}
