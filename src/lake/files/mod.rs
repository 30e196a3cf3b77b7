//! The files of a lake: where each is, what the ledger records about it, and how bytes reach the disk and come back.
//!
//! `layout` names all paths. `file` is a data file as the ledger records it, `name` is its name, and `row_digest` is
//! the number that proves its rows. `store` makes writes durable, with `whole`, `many` and `upload`. `reader` and
//! `footer` open a data file and check what it says about itself.

pub(super) mod file;
pub(super) mod footer;
pub(super) mod layout;
mod many;
pub(super) mod name;
pub(super) mod reader;
pub(super) mod row_digest;
pub(super) mod store;
mod upload;
pub(super) mod whole;
