//! Functions of the Python module: kernels of perfduck_kernels/interface.py over flat columns.

use numpy::{Element, IntoPyArray, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::python::guarded;
use crate::{columns, identity, lines};

type Column<'py, T> = Bound<'py, PyArray1<T>>;
type Given<'py, T> = PyReadonlyArray1<'py, T>;
type Two<'py, A, B> = (Column<'py, A>, Column<'py, B>);

fn one<T: Element>(
    py: Python<'_>,
    work: impl FnOnce() -> Vec<T> + Send,
) -> PyResult<Column<'_, T>> {
    Ok(guarded(py, work)?.into_pyarray(py))
}

fn two<A: Element, B: Element>(
    py: Python<'_>,
    work: impl FnOnce() -> (Vec<A>, Vec<B>) + Send,
) -> PyResult<Two<'_, A, B>> {
    let (first, second) = guarded(py, work)?;
    Ok((first.into_pyarray(py), second.into_pyarray(py)))
}

#[pyfunction]
pub fn line_starts<'py>(
    py: Python<'py>,
    content: Given<'py, u8>,
    most: usize,
) -> PyResult<Column<'py, i32>> {
    let content = content.as_slice()?;
    one(py, || lines::line_starts(content, most))
}

#[pyfunction]
pub fn line_hashes<'py>(
    py: Python<'py>,
    content: Given<'py, u8>,
    starts: Given<'py, i32>,
) -> PyResult<Column<'py, u64>> {
    let (content, starts) = (content.as_slice()?, starts.as_slice()?);
    one(py, || lines::line_hashes(content, starts))
}

#[pyfunction]
pub fn gather_lines<'py>(
    py: Python<'py>,
    content: Given<'py, u8>,
    starts: Given<'py, i32>,
    chosen: Given<'py, i64>,
) -> PyResult<Two<'py, u8, i64>> {
    let (content, starts) = (content.as_slice()?, starts.as_slice()?);
    let chosen = chosen.as_slice()?;
    two(py, || lines::gather_lines(content, starts, chosen))
}

#[pyfunction]
pub fn walk_records<'py>(
    py: Python<'py>,
    words: Given<'py, u64>,
    size_shift: u32,
) -> PyResult<(Column<'py, i64>, i64)> {
    let words = words.as_slice()?;
    let (starts, end) = guarded(py, || columns::walk_records(words, size_shift))?;
    Ok((starts.into_pyarray(py), end))
}

#[pyfunction]
pub fn chain_keys<'py>(
    py: Python<'py>,
    terms: Given<'py, u64>,
    starts: Given<'py, i64>,
    lengths: Given<'py, i64>,
) -> PyResult<Column<'py, u64>> {
    let (terms, starts, lengths) = (terms.as_slice()?, starts.as_slice()?, lengths.as_slice()?);
    one(py, || columns::chain_keys(terms, starts, lengths))
}

#[pyfunction]
pub fn ranges<'py>(
    py: Python<'py>,
    starts: Given<'py, i64>,
    lengths: Given<'py, i64>,
    strides: Given<'py, i64>,
) -> PyResult<Column<'py, i64>> {
    let (starts, lengths) = (starts.as_slice()?, lengths.as_slice()?);
    let strides = strides.as_slice()?;
    one(py, || columns::ranges(starts, lengths, strides))
}

#[pyfunction]
pub fn chunk_chains<'py>(
    py: Python<'py>,
    words: Given<'py, u64>,
    ends: Given<'py, i64>,
    lengths: Given<'py, i64>,
) -> PyResult<Two<'py, u64, i64>> {
    let (words, ends, lengths) = (words.as_slice()?, ends.as_slice()?, lengths.as_slice()?);
    two(py, || columns::chunk_chains(words, ends, lengths))
}

#[pyfunction]
pub fn chunk_keys<'py>(
    py: Python<'py>,
    frames: Given<'py, u64>,
    groups: Given<'py, i64>,
) -> PyResult<Column<'py, u64>> {
    let (frames, groups) = (frames.as_slice()?, groups.as_slice()?);
    one(py, || columns::chunk_keys(frames, groups))
}

#[pyfunction]
pub fn chunk_terms<'py>(py: Python<'py>, symbols: Given<'py, i32>) -> PyResult<Column<'py, u64>> {
    let symbols = symbols.as_slice()?;
    one(py, || columns::chunk_terms(symbols))
}

#[pyfunction]
pub fn group_keys<'py>(
    py: Python<'py>,
    values: Given<'py, u64>,
    groups: Given<'py, i64>,
) -> PyResult<Column<'py, u64>> {
    let (values, groups) = (values.as_slice()?, groups.as_slice()?);
    one(py, || columns::group_keys(values, groups))
}

/// Values of a table, by how many bytes they have.
#[derive(FromPyObject)]
pub enum Values<'py> {
    One(Given<'py, u8>),
    Four(Given<'py, u32>),
    Eight(Given<'py, u64>),
}

#[pyfunction]
pub fn probe<'py>(
    py: Python<'py>,
    keys: Given<'py, u64>,
    values: Values<'py>,
    hashes: Given<'py, u64>,
) -> PyResult<(Bound<'py, PyAny>, Column<'py, i64>)> {
    match values {
        Values::One(values) => probe_of(py, &keys, &values, &hashes),
        Values::Four(values) => probe_of(py, &keys, &values, &hashes),
        Values::Eight(values) => probe_of(py, &keys, &values, &hashes),
    }
}

fn probe_of<'py, T: Element + Copy>(
    py: Python<'py>,
    keys: &Given<'py, u64>,
    values: &Given<'py, T>,
    hashes: &Given<'py, u64>,
) -> PyResult<(Bound<'py, PyAny>, Column<'py, i64>)> {
    let (keys, values, hashes) = (keys.as_slice()?, values.as_slice()?, hashes.as_slice()?);
    let (found, missing) = two(py, || columns::probe(keys, values, hashes))?;
    Ok((found.into_any(), missing))
}

#[pyfunction]
pub fn put<'py>(
    py: Python<'py>,
    keys: PyReadwriteArray1<'py, u64>,
    values: &Bound<'py, PyAny>,
    hashes: Given<'py, u64>,
    fresh: Values<'py>,
) -> PyResult<()> {
    match fresh {
        Values::One(fresh) => put_of(py, keys, values, &hashes, &fresh),
        Values::Four(fresh) => put_of(py, keys, values, &hashes, &fresh),
        Values::Eight(fresh) => put_of(py, keys, values, &hashes, &fresh),
    }
}

fn put_of<'py, T: Element + Copy>(
    py: Python<'py>,
    mut keys: PyReadwriteArray1<'py, u64>,
    values: &Bound<'py, PyAny>,
    hashes: &Given<'py, u64>,
    fresh: &Given<'py, T>,
) -> PyResult<()> {
    let values = values.cast::<PyArray1<T>>();
    let values =
        values.map_err(|_| PyTypeError::new_err("values of another type than the table's"))?;
    let mut values = values.try_readwrite()?;
    let (keys, values) = (keys.as_slice_mut()?, values.as_slice_mut()?);
    let (hashes, fresh) = (hashes.as_slice()?, fresh.as_slice()?);
    guarded(py, || columns::put(keys, values, hashes, fresh))
}

#[pyfunction]
pub fn distinct<'py>(py: Python<'py>, hashes: Given<'py, u64>) -> PyResult<Two<'py, i64, i64>> {
    let hashes = hashes.as_slice()?;
    two(py, || columns::distinct(hashes))
}

#[pyfunction]
pub fn stack_ids<'py>(
    py: Python<'py>,
    symbol_ids: Given<'py, i64>,
    lengths: Given<'py, i64>,
) -> PyResult<Column<'py, i64>> {
    let (symbol_ids, lengths) = (symbol_ids.as_slice()?, lengths.as_slice()?);
    one(py, || identity::stack_ids(symbol_ids, lengths))
}
