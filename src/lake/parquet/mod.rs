//! The Parquet encoder: rows of a batch become the bytes of one data file.
//!
//! ```text
//! encode -> leaves -> chunk -> number (dictionary) -> page -> levels, hybrid, delta
//!                           -> statistics -> bounds
//! ```
//!
//! The other rooms use what this file names. Reading is not done here: `files` opens data files and `reading` reads
//! their rows, both with the `parquet` crate.

mod bounds;
mod chunk;
mod delta;
mod encode;
mod hybrid;
mod leaves;
mod levels;
mod number;
mod page;
mod plain;
mod statistics;

pub use encode::{Part, encode, times};
pub use plain::plain;
