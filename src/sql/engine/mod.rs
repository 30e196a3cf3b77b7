//! DataFusion as this program runs it: its settings, its permissions, and our fixes and additions.
//!
//! ```text
//! settings            the engine's context, its memory (spill) and the stores that it reaches (registry)
//! guard               which statements run at all
//! prune, footers      files and row groups that need not be read (groups, floor), and files of facts (fact)
//! late, first         views that are planned by themselves, and told which rows come first
//! rules               what its optimizer lacks
//! upstream            its faults, mended or refused
//! ```
//!
//! `UPSTREAM.md` lists all of it that a later release of DataFusion may let us delete. It follows.
//!
#![doc = include_str!("UPSTREAM.md")]

pub(super) mod fact;
pub(super) mod first;
pub(super) mod floor;
pub(super) mod footers;
mod groups;
pub(super) mod guard;
pub(super) mod late;
pub(super) mod prune;
pub(super) mod registry;
pub(super) mod rules;
mod settings;
mod spill;
mod upstream;

#[cfg(test)]
pub use settings::context_by;
pub use settings::{context, cuts, footers};
