//! From a frame to its caller's, by the rules of a table.

use gimli::{EndianSlice, Evaluation, EvaluationResult, LittleEndian, Location, Value};

use crate::registers::{Architecture, Registers};
use crate::stack::Stack;
use crate::tables::{Cfa, Code, Row, Rule};

const MOST_OPERATIONS: u32 = 1000;
/// How far above the stack pointer a frame pointer may lead, where it is a guess: as libunwind.
const MOST_FRAME_BYTES: u64 = 0x4000;

/// Why no caller follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There is none.
    Outermost,
    /// It is beyond the copy of the stack.
    StackEnd,
    /// No table says where it is, nor does the frame pointer.
    NoTable,
    /// The table or the stack is not what it should be.
    Broken,
}

/// The registers of the caller.
pub fn caller(
    architecture: Architecture,
    row: &Row,
    frame: &Registers,
    stack: &Stack<'_>,
) -> Result<Registers, Stop> {
    let cfa = match &row.cfa {
        Cfa::RegisterAndOffset(register, offset) => frame
            .get(*register)
            .map(|value| value.wrapping_add_signed(*offset)),
        Cfa::Expression(code) => evaluated(code, None, frame, stack),
    }
    .ok_or(Stop::Broken)?;
    let mut made = frame.clone();
    made.set(architecture.stack_pointer(), cfa);
    let mut return_address = frame.get(row.return_register);
    let mut unread = Stop::Broken;
    for (register, rule) in &row.registers {
        let value = value(*register, rule, cfa, frame, stack);
        if *register == row.return_register {
            if matches!(rule, Rule::Undefined) {
                return Err(Stop::Outermost);
            }
            if let Rule::Offset(offset) = rule {
                unread = missing(cfa.wrapping_add_signed(*offset), stack);
            }
            return_address = value;
        }
        match value {
            Some(value) => made.set(*register, value),
            None => made.forget(*register),
        }
    }
    made.ip = architecture.code_address(return_address.ok_or(unread)?);
    advanced(architecture, row.is_signal_frame, frame, made)
}

fn missing(address: u64, stack: &Stack<'_>) -> Stop {
    if address.wrapping_add(8) > stack.start.wrapping_add(stack.used) {
        Stop::StackEnd
    } else {
        Stop::Broken
    }
}

/// The caller's frame is above; a signal handler may have a stack of its own.
fn advanced(
    architecture: Architecture,
    is_signal_frame: bool,
    frame: &Registers,
    caller: Registers,
) -> Result<Registers, Stop> {
    let pointer = architecture.stack_pointer();
    let is_same = caller.get(pointer) == frame.get(pointer) && caller.ip == frame.ip;
    let is_below = caller.get(pointer) < frame.get(pointer) && !is_signal_frame;
    match caller.ip {
        0 => Err(Stop::Outermost),
        _ if is_same || is_below => Err(Stop::Broken),
        _ => Ok(caller),
    }
}

fn value(
    register: u16,
    rule: &Rule,
    cfa: u64,
    frame: &Registers,
    stack: &Stack<'_>,
) -> Option<u64> {
    match rule {
        Rule::Undefined | Rule::Other => None,
        Rule::SameValue => frame.get(register),
        Rule::Offset(offset) => stack.read(cfa.wrapping_add_signed(*offset)),
        Rule::ValOffset(offset) => Some(cfa.wrapping_add_signed(*offset)),
        Rule::Register(other) => frame.get(*other),
        Rule::Expression(code) => stack.read(evaluated(code, Some(cfa), frame, stack)?),
        Rule::ValExpression(code) => evaluated(code, Some(cfa), frame, stack),
    }
}

fn evaluated(code: &Code, first: Option<u64>, frame: &Registers, stack: &Stack<'_>) -> Option<u64> {
    let bytes = EndianSlice::new(&code.bytes, LittleEndian);
    let mut evaluation = Evaluation::new(bytes, code.encoding);
    evaluation.set_max_iterations(MOST_OPERATIONS);
    if let Some(value) = first {
        evaluation.set_initial_value(value);
    }
    let mut result = evaluation.evaluate().ok()?;
    loop {
        result = match result {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register, .. } => {
                let value = Value::Generic(frame.get(register.0)?);
                evaluation.resume_with_register(value).ok()?
            }
            EvaluationResult::RequiresMemory {
                address, size: 8, ..
            } => {
                let value = Value::Generic(stack.read(address)?);
                evaluation.resume_with_memory(value).ok()?
            }
            _ => return None,
        };
    }
    match evaluation.as_result().last()?.location {
        Location::Address { address } => Some(address),
        _ => None,
    }
}

/// The registers of the caller where no table is, if the frame pointer is kept as one. Both
/// architectures have the caller's at it, and the return address behind.
pub fn caller_by_frame_pointer(
    architecture: Architecture,
    frame: &Registers,
    stack: &Stack<'_>,
) -> Result<Registers, Stop> {
    let sp = frame
        .get(architecture.stack_pointer())
        .ok_or(Stop::NoTable)?;
    let fp = frame
        .get(architecture.frame_pointer())
        .ok_or(Stop::NoTable)?;
    if fp < sp || fp - sp > MOST_FRAME_BYTES {
        return Err(Stop::NoTable);
    }
    let (Some(outer), Some(address)) = (stack.read(fp), stack.read(fp + 8)) else {
        return Err(missing(fp + 8, stack));
    };
    let mut made = frame.clone();
    made.forget_all();
    made.set(architecture.stack_pointer(), fp + 16);
    made.set(architecture.frame_pointer(), outer);
    made.ip = architecture.code_address(address);
    advanced(architecture, false, frame, made)
}
