//! The unwind tables of a file: which rules lead from an address in it to the caller.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, EhFrame, Encoding, EndianSlice, LittleEndian,
    RegisterRule, UnwindContext, UnwindExpression, UnwindOffset, UnwindSection, Vendor,
};

use crate::registers::Architecture;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// A part of a file that is loaded into memory.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub offset: u64,
    pub size: u64,
    pub address: u64,
}

/// Addresses of sections that pointers in `.eh_frame` may be relative to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bases {
    pub eh_frame: u64,
    pub text: u64,
    pub got: u64,
}

/// An expression of DWARF.
#[derive(Clone, Debug)]
pub struct Code {
    pub bytes: Vec<u8>,
    pub encoding: Encoding,
}

/// How a value of the caller's frame is found. CFA: the canonical frame address.
#[derive(Clone, Debug)]
pub enum Rule {
    Undefined,
    SameValue,
    /// In memory at the CFA and this.
    Offset(i64),
    /// The CFA and this.
    ValOffset(i64),
    /// The value of another register.
    Register(u16),
    /// In memory at the result.
    Expression(Code),
    /// The result.
    ValExpression(Code),
    /// Not one that a register of memory or code has.
    Other,
}

#[derive(Clone, Debug)]
pub enum Cfa {
    RegisterAndOffset(u16, i64),
    Expression(Code),
}

/// The rules of an instruction.
#[derive(Clone, Debug)]
pub struct Row {
    pub cfa: Cfa,
    pub registers: Vec<(u16, Rule)>,
    pub return_register: u16,
    /// Whether the caller was interrupted, and called nothing.
    pub is_signal_frame: bool,
}

#[derive(Clone, Copy, Debug)]
struct Function {
    start: u64,
    end: u64,
    offset: usize,
}

/// The tables of one file.
pub struct Tables {
    segments: Vec<Segment>,
    bases: BaseAddresses,
    vendor: Vendor,
    eh_frame: Vec<u8>,
    debug_frame: Vec<u8>,
    eh_functions: Vec<Function>,
    debug_functions: Vec<Function>,
}

impl Tables {
    pub fn new(
        architecture: Architecture,
        segments: Vec<Segment>,
        bases: Bases,
        eh_frame: Vec<u8>,
        debug_frame: Vec<u8>,
    ) -> Self {
        let mut made = Self {
            segments,
            bases: BaseAddresses::default()
                .set_eh_frame(bases.eh_frame)
                .set_text(bases.text)
                .set_got(bases.got),
            vendor: match architecture {
                Architecture::X86_64 => Vendor::Default,
                Architecture::Aarch64 => Vendor::AArch64,
            },
            eh_frame,
            debug_frame,
            eh_functions: Vec::new(),
            debug_functions: Vec::new(),
        };
        made.eh_functions = functions(&made.eh_section(), &made.bases);
        made.debug_functions = functions(&made.debug_section(), &made.bases);
        made
    }

    /// The address that the file gives to what is at an offset of it.
    pub fn address(&self, offset: u64) -> Option<u64> {
        let segment = self
            .segments
            .iter()
            .find(|one| offset.wrapping_sub(one.offset) < one.size)?;
        Some((offset - segment.offset).wrapping_add(segment.address))
    }

    /// The rules at an address of the file.
    pub fn row(&self, address: u64) -> Option<Row> {
        if let Some(function) = function_at(&self.eh_functions, address) {
            let row = row(&self.eh_section(), &self.bases, function.offset, address);
            if row.is_some() {
                return row;
            }
        }
        let function = function_at(&self.debug_functions, address)?;
        row(&self.debug_section(), &self.bases, function.offset, address)
    }

    fn eh_section(&self) -> EhFrame<Slice<'_>> {
        let mut section = EhFrame::new(&self.eh_frame, LittleEndian);
        section.set_address_size(8);
        section.set_vendor(self.vendor);
        section
    }

    fn debug_section(&self) -> DebugFrame<Slice<'_>> {
        let mut section = DebugFrame::new(&self.debug_frame, LittleEndian);
        section.set_address_size(8);
        section.set_vendor(self.vendor);
        section
    }
}

/// Where functions lie, and where in the section their table is: up to an entry that is broken.
fn functions<'a, S>(section: &S, bases: &BaseAddresses) -> Vec<Function>
where
    S: UnwindSection<Slice<'a>>,
{
    let mut made = Vec::new();
    let mut entries = section.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        if let Ok(entry) = partial.parse(S::cie_from_offset) {
            made.push(Function {
                start: entry.initial_address(),
                end: entry.end_address(),
                offset: entry.offset(),
            });
        }
    }
    made.sort_by_key(|one| one.start);
    made
}

fn function_at(functions: &[Function], address: u64) -> Option<Function> {
    let behind = functions.partition_point(|one| one.start <= address);
    let function = functions[..behind].last()?;
    (address < function.end).then_some(*function)
}

fn row<'a, S>(section: &S, bases: &BaseAddresses, offset: usize, address: u64) -> Option<Row>
where
    S: UnwindSection<Slice<'a>>,
    S::Offset: UnwindOffset<usize>,
{
    let entry = section
        .fde_from_offset(bases, S::Offset::from(offset), S::cie_from_offset)
        .ok()?;
    let mut context = UnwindContext::new();
    let row = entry
        .unwind_info_for_address(section, bases, &mut context, address)
        .ok()?;
    let encoding = entry.cie().encoding();
    let code = |expression: &UnwindExpression<usize>| {
        let bytes = expression.get(section).ok()?.0.slice().to_vec();
        Some(Code { bytes, encoding })
    };
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            Cfa::RegisterAndOffset(register.0, *offset)
        }
        CfaRule::Expression(expression) => Cfa::Expression(code(expression)?),
    };
    let mut registers = Vec::new();
    for (register, rule) in row.registers() {
        registers.push((register.0, made(rule, &code)?));
    }
    Some(Row {
        cfa,
        registers,
        return_register: entry.cie().return_address_register().0,
        is_signal_frame: entry.is_signal_trampoline(),
    })
}

fn made(
    rule: &RegisterRule<usize>,
    code: &impl Fn(&UnwindExpression<usize>) -> Option<Code>,
) -> Option<Rule> {
    Some(match rule {
        RegisterRule::Undefined => Rule::Undefined,
        RegisterRule::SameValue => Rule::SameValue,
        RegisterRule::Offset(offset) => Rule::Offset(*offset),
        RegisterRule::ValOffset(offset) => Rule::ValOffset(*offset),
        RegisterRule::Register(register) => Rule::Register(register.0),
        RegisterRule::Expression(expression) => Rule::Expression(code(expression)?),
        RegisterRule::ValExpression(expression) => Rule::ValExpression(code(expression)?),
        _ => Rule::Other,
    })
}
