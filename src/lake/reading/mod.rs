//! Rows of data files, read back: whole files, some rows, some columns, or only how often a column is filled.

pub(super) mod filled;
pub(super) mod piece;
pub(super) mod read;
