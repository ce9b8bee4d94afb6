//! Stacks of both architectures, by tables that are written here.

use gimli::write::{Address, CallFrameInstruction, CommonInformationEntry, EhFrame, EndianVec};
use gimli::write::{FrameDescriptionEntry, FrameTable};
use gimli::{AArch64, Encoding, Format, LittleEndian, Register, X86_64};
use perfduck_native::registers::Architecture;
use perfduck_native::tables::{Bases, Segment, Tables};
use perfduck_native::unwind::{
    BROKEN, File, GUESSED, Mappings, NO_TABLE, OUTERMOST, STACK_END, Samples, Unwinder, WANTS_FILE,
};

const FILE: u64 = 7;
const MAPPED: u64 = 0x5500_0000_0000;
const SP: u64 = 0x7ffc_0000_1000;
const FUNCTION: u64 = 0x1000; // addresses in the file
const MAIN: u64 = 0x2000;
const RESTORE: u64 = 0x3000;
const EXTENT: u32 = 0x100;
const X86_64_MASK: u64 = 0xff_0fff;
const AARCH64_MASK: u64 = (1 << 33) - 1;

type Rules = Vec<(u32, CallFrameInstruction)>;

/// The bytes of .eh_frame for functions: where each begins, its rules, whether it is a signal's.
fn eh_frame(first: (Register, i32, Register), functions: &[(u64, Rules, bool)]) -> Vec<u8> {
    let encoding = Encoding {
        address_size: 8,
        format: Format::Dwarf32,
        version: 1,
    };
    let (sp, offset, return_address) = first;
    let mut table = FrameTable::default();
    for (start, rules, is_signal) in functions {
        let mut common = CommonInformationEntry::new(encoding, 1, -8, return_address);
        common.signal_trampoline = *is_signal;
        common.add_instruction(CallFrameInstruction::Cfa(sp, offset));
        if return_address == X86_64::RA {
            common.add_instruction(CallFrameInstruction::Offset(return_address, -8));
        }
        let common = table.add_cie(common);
        let mut entry = FrameDescriptionEntry::new(Address::Constant(*start), EXTENT);
        for (at, rule) in rules {
            entry.add_instruction(*at, rule.clone());
        }
        table.add_fde(common, entry);
    }
    let mut section = EhFrame(EndianVec::new(LittleEndian));
    table.write_eh_frame(&mut section).unwrap();
    section.0.into_vec()
}

fn x86_64() -> Vec<u8> {
    let grown = vec![
        (4, CallFrameInstruction::CfaOffset(32)),
        (4, CallFrameInstruction::Offset(X86_64::RBX, -16)),
    ];
    let outermost = vec![(0, CallFrameInstruction::Undefined(X86_64::RA))];
    let functions = [
        (FUNCTION, grown, false),
        (MAIN, outermost, false),
        (RESTORE, vec![], true),
    ];
    eh_frame((X86_64::RSP, 8, X86_64::RA), &functions)
}

fn aarch64() -> Vec<u8> {
    let saved = vec![
        (4, CallFrameInstruction::NegateRaState),
        (4, CallFrameInstruction::CfaOffset(32)),
        (4, CallFrameInstruction::Offset(AArch64::X29, -32)),
        (4, CallFrameInstruction::Offset(AArch64::X30, -24)),
    ];
    let outermost = vec![(0, CallFrameInstruction::Undefined(AArch64::X30))];
    let functions = [(FUNCTION, saved, false), (MAIN, outermost, false)];
    eh_frame((AArch64::SP, 0, AArch64::X30), &functions)
}

fn file(architecture: Architecture, eh_frame: Vec<u8>) -> File {
    let segments = vec![Segment {
        offset: 0,
        size: 0x4000,
        address: 0,
    }];
    let tables = Tables::new(
        architecture,
        segments,
        Bases::default(),
        eh_frame,
        Vec::new(),
    );
    File::Tables(Box::new(tables))
}

/// The addresses in the file, and what became of the stack.
fn unwound(
    unwinder: &mut Unwinder,
    mask: u64,
    registers: &[(u32, u64)],
    stack: &[u64],
) -> (Vec<u64>, u8) {
    let mut words = vec![0; mask.count_ones() as usize];
    for (number, value) in registers {
        words[(mask & ((1 << number) - 1)).count_ones() as usize] = *value;
    }
    let begins = words.len() as i64;
    words.extend(stack);
    let samples = Samples {
        words: &words,
        registers: &[0],
        mask,
        stacks: &[begins],
        used: &[8 * stack.len() as i64],
        spaces: &[0],
    };
    let mappings = Mappings {
        bounds: &[0, 1],
        starts: &[MAPPED],
        ends: &[MAPPED + 0x4000],
        biases: &[0_u64.wrapping_sub(MAPPED)],
        files: &[FILE],
    };
    let made = unwinder.unwind(&samples, &mappings);
    assert_eq!(made.lengths, [made.addresses.len() as i64]);
    let in_file = made
        .addresses
        .iter()
        .map(|address| address.wrapping_sub(MAPPED))
        .collect();
    (in_file, made.states[0])
}

fn unwinder_of(architecture: Architecture, eh_frame: Vec<u8>) -> Unwinder {
    let mut unwinder = Unwinder::new(architecture, 64);
    unwinder.add(FILE, file(architecture, eh_frame));
    unwinder
}

const IP: u32 = 8;
const RSP: u32 = 7;
const RBP: u32 = 6;

#[test]
fn a_caller_is_in_front_of_its_return_address() {
    let mut unwinder = unwinder_of(Architecture::X86_64, x86_64());
    let stack = [1, 2, 3, MAPPED + MAIN + 0x10, 0];
    let at = |ip| [(IP, MAPPED + ip), (RSP, SP)];
    let made = unwound(&mut unwinder, X86_64_MASK, &at(FUNCTION + 4), &stack);
    assert_eq!(made, (vec![FUNCTION + 4, MAIN + 0xf], OUTERMOST));
    let made = unwound(&mut unwinder, X86_64_MASK, &at(FUNCTION), &stack[3..]);
    assert_eq!(made, (vec![FUNCTION, MAIN + 0xf], OUTERMOST));
}

#[test]
fn what_a_signal_interrupted_is_at_its_address() {
    let mut unwinder = unwinder_of(Architecture::X86_64, x86_64());
    let stack = [MAPPED + RESTORE + 1, MAPPED + MAIN, 0];
    let registers = [(IP, MAPPED + FUNCTION), (RSP, SP)];
    let made = unwound(&mut unwinder, X86_64_MASK, &registers, &stack);
    assert_eq!(made, (vec![FUNCTION, RESTORE + 1, MAIN], OUTERMOST));
}

#[test]
fn a_stack_that_ends_is_told_from_one_that_is_broken() {
    let mut unwinder = unwinder_of(Architecture::X86_64, x86_64());
    let registers = [(IP, MAPPED + FUNCTION + 4), (RSP, SP)];
    let made = unwound(&mut unwinder, X86_64_MASK, &registers, &[1, 2, 3]);
    assert_eq!(made, (vec![FUNCTION + 4], STACK_END));
    let made = unwound(&mut unwinder, X86_64_MASK, &registers, &[1, 2, 3, 4]);
    assert_eq!(made, (vec![FUNCTION + 4], BROKEN));
}

#[test]
fn the_frame_pointer_is_followed_in_compiled_code_alone() {
    let registers = [(IP, MAPPED + FUNCTION + 4), (RSP, SP), (RBP, SP + 8)];
    let stack = [1, SP + 0x100, MAPPED + MAIN + 0x10];
    let mut unwinder = Unwinder::new(Architecture::X86_64, 64);
    let mut made = |file| {
        unwinder.add(FILE, file);
        unwound(&mut unwinder, X86_64_MASK, &registers, &stack)
    };
    let guessed = vec![FUNCTION + 4, MAIN + 0xf];
    assert_eq!(made(File::Compiled), (guessed, STACK_END + GUESSED));
    assert_eq!(made(File::Unreadable), (vec![FUNCTION + 4], NO_TABLE));
}

#[test]
fn a_file_that_is_not_known_is_asked_for() {
    let mut unwinder = Unwinder::new(Architecture::X86_64, 64);
    let registers = [(IP, MAPPED + FUNCTION), (RSP, SP)];
    let made = unwound(&mut unwinder, X86_64_MASK, &registers, &[0]);
    assert_eq!(made, (vec![], WANTS_FILE));
}

#[test]
fn a_signed_return_address_is_one_of_code() {
    let mut unwinder = unwinder_of(Architecture::Aarch64, aarch64());
    let signed = 0x002b_0000_0000_0000 | (MAPPED + MAIN + 0x10);
    let registers = [(32, MAPPED + FUNCTION + 4), (31, SP), (30, 5), (29, 6)];
    let made = unwound(&mut unwinder, AARCH64_MASK, &registers, &[0, signed, 0, 0]);
    assert_eq!(made, (vec![FUNCTION + 4, MAIN + 0xf], OUTERMOST));
    let leaf = [
        (32, MAPPED + FUNCTION),
        (31, SP),
        (30, MAPPED + MAIN + 0x10),
    ];
    let made = unwound(&mut unwinder, AARCH64_MASK, &leaf, &[0]);
    assert_eq!(made, (vec![FUNCTION, MAIN + 0xf], OUTERMOST));
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[test]
fn no_tables_registers_or_stacks_make_it_panic() {
    let mut random = Random(1);
    for round in 0..20_000 {
        let (architecture, mask, mut bytes) = match round % 2 {
            0 => (Architecture::X86_64, X86_64_MASK, x86_64()),
            _ => (Architecture::Aarch64, AARCH64_MASK, aarch64()),
        };
        for _ in 0..random.next() % 6 {
            let place = random.next() as usize % bytes.len();
            bytes[place] = random.next() as u8;
        }
        let mut unwinder = unwinder_of(architecture, bytes);
        let value = |random: &mut Random| match random.next() % 4 {
            0 => MAPPED + random.next() % 0x4000,
            1 => SP + random.next() % 0x100,
            2 => u64::MAX - random.next() % 64,
            _ => random.next(),
        };
        let registers: Vec<_> = (0..24).map(|number| (number, value(&mut random))).collect();
        let stack: Vec<_> = (0..random.next() % 40)
            .map(|_| value(&mut random))
            .collect();
        let (addresses, state) = unwound(&mut unwinder, mask | 1 << 32, &registers, &stack);
        assert!(addresses.len() <= 64 && state < 2 * GUESSED);
    }
}
