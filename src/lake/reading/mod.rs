//! Rows of data files, read back: whole files, some rows, some columns, or only how often a column is filled; and
//! written as a file for others.

pub(super) mod file_check;
pub(super) mod filled;
pub(super) mod piece;
pub(super) mod read;
pub(super) mod table_file;
