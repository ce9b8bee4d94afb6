//! Registers of user space as perf records them, by the numbers that DWARF has for them.
//!
//! perf: arch/*/include/uapi/asm/perf_regs.h. DWARF: System V ABI for x86-64, figure 3.36; DWARF for
//! the Arm 64-bit architecture, section 4.1.

const MOST: usize = 34;

/// A processor architecture, by the name that `uname -m` has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86_64,
    Aarch64,
}

impl Architecture {
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// perf's number of each register of DWARF, in the order of the latter.
    fn order(self) -> &'static [u8] {
        match self {
            // rax rdx rcx rbx rsi rdi rbp rsp r8 ... r15, and the instruction pointer.
            Self::X86_64 => &[0, 3, 2, 1, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8],
            // x0 ... x30, sp.
            Self::Aarch64 => &[
                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                23, 24, 25, 26, 27, 28, 29, 30, 31,
            ],
        }
    }

    fn instruction_pointer(self) -> u8 {
        match self {
            Self::X86_64 => 8,
            Self::Aarch64 => 32,
        }
    }

    pub fn stack_pointer(self) -> u16 {
        match self {
            Self::X86_64 => 7,
            Self::Aarch64 => 31,
        }
    }

    pub fn frame_pointer(self) -> u16 {
        match self {
            Self::X86_64 => 6,
            Self::Aarch64 => 29,
        }
    }

    /// A return address as an address of code: the upper bits of a signed one are its signature.
    pub fn code_address(self, value: u64) -> u64 {
        match self {
            Self::X86_64 => value,
            Self::Aarch64 => value & ((1 << 48) - 1),
        }
    }
}

/// The registers of a frame, as far as they are known.
#[derive(Clone, Debug)]
pub struct Registers {
    pub ip: u64,
    values: [u64; MOST],
    known: u64,
}

impl Registers {
    /// The registers whose bits are set in `mask`, one word each. `None` without the instruction
    /// pointer or the stack pointer.
    pub fn recorded(architecture: Architecture, mask: u64, words: &[u64]) -> Option<Self> {
        let word = |number: u8| {
            let is_recorded = mask >> number & 1 == 1;
            let place = (mask & ((1 << number) - 1)).count_ones() as usize;
            words.get(place).copied().filter(|_| is_recorded)
        };
        let mut made = Self {
            ip: word(architecture.instruction_pointer())?,
            values: [0; MOST],
            known: 0,
        };
        for (register, number) in architecture.order().iter().enumerate() {
            if let Some(value) = word(*number) {
                made.set(register as u16, value);
            }
        }
        made.get(architecture.stack_pointer())?;
        Some(made)
    }

    pub fn get(&self, register: u16) -> Option<u64> {
        let is_known = u32::from(register) < MOST as u32 && self.known >> register & 1 == 1;
        is_known.then(|| self.values[usize::from(register)])
    }

    pub fn set(&mut self, register: u16, value: u64) {
        if let Some(place) = self.values.get_mut(usize::from(register)) {
            *place = value;
            self.known |= 1 << register;
        }
    }

    pub fn forget(&mut self, register: u16) {
        if usize::from(register) < MOST {
            self.known &= !(1 << register);
        }
    }

    pub fn forget_all(&mut self) {
        self.known = 0;
    }
}
