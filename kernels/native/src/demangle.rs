//! Names of Rust's functions as they are in the source, without the hashes of crates and functions.

/// What is printed where a name refers back to itself and would grow without end.
const CUT_OFF: [&str; 2] = ["{recursion limit reached}", "{size limit reached}"];

/// None where the name is not mangled as Rust does it.
pub fn rust(mangled: &str) -> Option<String> {
    let name = format!("{:#}", rustc_demangle::try_demangle(mangled).ok()?);
    let is_whole = CUT_OFF.iter().all(|mark| !name.contains(mark));
    is_whole.then_some(name)
}
