//! `event`: every event of every class in one shape.
//!
//! ```text
//! queries/conventions/event_row.sql (a template) x each loaded class -> Rows: what one event alone says
//! queries/conventions/event.sql                                      -> who is who, by all visible events (C5)
//!
//! what is asked for     read are
//! columns of facts      facts (flat)
//! others, of few rows   facts find the rows; these of facts and of tables, beside each other (found, beside)
//! others, of many rows  the tables of classes, or facts and tables as a whole where facts spare much work
//! ```
//!
//! The template names attributes as OCSF does; those that a class does not have are null for it. So a class that is
//! added is in `event` without another edit, and in all that stands on it: the shell, reports, coverage, gaps of the log.
//!
//! Beside what the conventions make of an event, `event` has the attributes that classes share, as the classes' tables
//! have them. They are named one by one: `*` does not mean them, or it would read every byte of the lake.

mod beside;
mod columns;
mod flat;
mod found;
mod items;
mod members;
mod needle;
mod rows;
mod template;

pub use columns::unlisted;
pub use items::{items, names};
pub use rows::Rows;
pub use template::Template;
