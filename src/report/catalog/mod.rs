//! The parts of a report: its head, its parameters and the periods that they name, and the catalogue of all reports.
//!
//! `header` reads a head in the words of `kinds`, `verdict` reads what it may claim, `params` makes typed values, and
//! `all` holds the embedded reports and those of the user.

pub(super) mod all;
mod display;
pub(super) mod header;
mod kinds;
mod month;
pub(super) mod params;
pub(super) mod period;
pub(super) mod verdict;
