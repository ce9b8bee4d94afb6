//! The Python module `perfduck_native`. Loops run without the GIL; a panic is a RuntimeError.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::registers::Architecture;
use crate::tables::{Bases, Segment, Tables};
use crate::unwind::{self, File, Mappings, Samples};
use crate::{demangle, inlines};

#[pymodule]
mod perfduck_native {
    #[pymodule_export]
    use crate::python_columns::{
        chain_keys, chunk_chains, chunk_keys, chunk_terms, distinct, gather_lines, group_keys,
        line_hashes, line_starts, probe, put, ranges, stack_ids, walk_records,
    };

    #[pymodule_export]
    use super::Inlines;

    #[pymodule_export]
    use super::demangled_rust;

    #[pymodule_export]
    use super::Unwinder;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// Unwinds stacks of one recording; see perfduck_kernels/unwinding.py.
#[pyclass]
struct Unwinder(unwind::Unwinder);

type Unwound<'py> = (
    Bound<'py, PyArray1<u64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<u8>>,
    Vec<u64>,
);

#[pymethods]
impl Unwinder {
    #[new]
    fn new(architecture: &str, most_frames: usize) -> PyResult<Self> {
        let known = Architecture::of(architecture)
            .ok_or_else(|| PyValueError::new_err(format!("no registers of {architecture}")))?;
        Ok(Self(unwind::Unwinder::new(known, most_frames)))
    }

    fn add_file(
        &mut self,
        py: Python<'_>,
        file: u64,
        segments: Vec<(u64, u64, u64)>,
        bases: (u64, u64, u64),
        eh_frame: PyReadonlyArray1<'_, u8>,
        debug_frame: PyReadonlyArray1<'_, u8>,
    ) -> PyResult<()> {
        let segments = segments
            .into_iter()
            .map(|(offset, size, address)| Segment {
                offset,
                size,
                address,
            })
            .collect();
        let bases = Bases {
            eh_frame: bases.0,
            text: bases.1,
            got: bases.2,
        };
        let (eh_frame, debug_frame) = (
            eh_frame.as_slice()?.to_vec(),
            debug_frame.as_slice()?.to_vec(),
        );
        let unwinder = &mut self.0;
        guarded(py, || {
            let tables = Tables::new(
                unwinder.architecture(),
                segments,
                bases,
                eh_frame,
                debug_frame,
            );
            unwinder.add(file, File::Tables(Box::new(tables)));
        })
    }

    fn add_compiled(&mut self, file: u64) {
        self.0.add(file, File::Compiled);
    }

    fn add_unreadable(&mut self, file: u64) {
        self.0.add(file, File::Unreadable);
    }

    #[allow(clippy::too_many_arguments)]
    fn unwind<'py>(
        &mut self,
        py: Python<'py>,
        words: PyReadonlyArray1<'py, u64>,
        registers: PyReadonlyArray1<'py, i64>,
        mask: u64,
        stacks: PyReadonlyArray1<'py, i64>,
        used: PyReadonlyArray1<'py, i64>,
        spaces: PyReadonlyArray1<'py, i64>,
        bounds: PyReadonlyArray1<'py, i64>,
        starts: PyReadonlyArray1<'py, u64>,
        ends: PyReadonlyArray1<'py, u64>,
        biases: PyReadonlyArray1<'py, u64>,
        files: PyReadonlyArray1<'py, u64>,
    ) -> PyResult<Unwound<'py>> {
        let samples = Samples {
            words: words.as_slice()?,
            registers: registers.as_slice()?,
            mask,
            stacks: stacks.as_slice()?,
            used: used.as_slice()?,
            spaces: spaces.as_slice()?,
        };
        let mappings = Mappings {
            bounds: bounds.as_slice()?,
            starts: starts.as_slice()?,
            ends: ends.as_slice()?,
            biases: biases.as_slice()?,
            files: files.as_slice()?,
        };
        let unwinder = &mut self.0;
        let made = guarded(py, || unwinder.unwind(&samples, &mappings))?;
        Ok((
            made.addresses.into_pyarray(py),
            made.lengths.into_pyarray(py),
            made.states.into_pyarray(py),
            made.wanted,
        ))
    }
}

/// See perfduck_kernels/native.py.
#[pyfunction]
fn demangled_rust(py: Python<'_>, mangled: &str) -> PyResult<Option<String>> {
    guarded(py, || demangle::rust(mangled))
}

/// Functions inlined at addresses of a binary; see perfduck_kernels/native.py.
#[pyclass]
struct Inlines(inlines::Inlines);

type Sections<'py> = HashMap<String, PyReadonlyArray1<'py, u8>>;
type Inlined<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Vec<String>,
);

#[pymethods]
impl Inlines {
    #[new]
    fn new(
        py: Python<'_>,
        sections: Sections<'_>,
        supplementary: Option<Sections<'_>>,
        is_big: bool,
    ) -> PyResult<Self> {
        let (sections, supplementary) = (owned(sections)?, supplementary.map(owned).transpose()?);
        guarded(py, || {
            inlines::Inlines::new(sections, supplementary, is_big)
        })?
        .map(Self)
        .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn at<'py>(
        &self,
        py: Python<'py>,
        addresses: PyReadonlyArray1<'py, u64>,
    ) -> PyResult<Inlined<'py>> {
        let addresses = addresses.as_slice()?;
        let made = guarded(py, || self.0.at(addresses))?;
        Ok((
            made.counts.into_pyarray(py),
            made.names.into_pyarray(py),
            made.new_names,
        ))
    }
}

fn owned(sections: Sections<'_>) -> PyResult<inlines::Sections> {
    sections
        .into_iter()
        .map(|(name, bytes)| Ok((name, Arc::from(bytes.as_slice()?))))
        .collect()
}

/// Run without the GIL; a panic becomes a RuntimeError.
pub fn guarded<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work)))
        .map_err(|_| PyRuntimeError::new_err("the native code panicked: see above"))
}
