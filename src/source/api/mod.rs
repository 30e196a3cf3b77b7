//! The audit-log API as a source: one page at a time, and nothing about what follows which.
//!
//! ```text
//! Budget: when may we ask -> Client: one request, bounded in time and size -> Page: entries, has_more, next_cursor
//!                                              └-> Recorder: the page, redacted, for Recording to give again
//! ```
//!
//! Hidden here: where the key comes from and that it never shows, what of an answer is believed, and how a window
//! becomes a URL. What is worth a second attempt, and how long to wait for it, a [`Failure`] tells and the caller
//! decides; walking a window to its end is the caller's too.

mod budget;
mod client;
mod endpoint;
mod key;
mod page;
mod refusal;
mod tape;

pub use budget::Budget;
pub use client::{Client, Failure, Limits};
pub use endpoint::{Endpoint, PageRequest};
pub use key::{Environment, Key, KeySource, ask, read_secret};
pub use page::Page;
pub use refusal::{Gate, Refusal};
pub use tape::{Recorder, Recording, Taped};
