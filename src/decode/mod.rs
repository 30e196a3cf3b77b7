//! A line becomes a row of its event class, and a row becomes the line again.
//!
//! ```text
//! line -+-> scan (one walk, predicted keys) ------------------------+-> items -> place (columns) -> flush
//!       +-> parse (simd-json tape) -> route (class, time) -> walk --+
//! ```
//!
//! `scan` takes the lines that it can vouch for, which are nearly all; the others go the long way, which alone decides
//! what is a reject and why.
//!
//! Hidden in here: how columns are built, how producers' field order is remembered, and where values go that have no
//! place in a column: into `_extra`, keyed by their JSON pointer. All items of a line are there before `place` writes the
//! first value, so a reject leaves nothing behind and `place` cannot fail. `Encoder` is the inverse; decoding and
//! encoding give the same JSON value, apart from explicit nulls of typed objects and the spelling of numbers.

mod columns;
mod decoder;
mod drift;
mod encode;
mod extra;
#[cfg(test)]
mod fuzz;
mod item;
mod json;
mod number;
mod place;
#[cfg(test)]
mod properties;
mod reject;
mod route;
mod scan;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod token;
mod walk;

pub use decoder::{Decoder, Options, RowOrigin};
pub use drift::Drift;
pub use encode::Encoder;
pub use reject::Reject;
pub use time::Times;
