//! When two lines are the same event, and when one of them says something else.
//!
//! ```text
//! identity    who speaks of what: uid, class_uid, time and the logging system
//! content     what is said: all of the event but transport and empty values
//! transport   what the way here adds: logged_time, processed_time, modified_time, transmit_time, loggers,
//!             enrichments, observables
//! ```
//!
//! A uid is unique within the logging system that gave it, and not beyond: record numbers of two hosts and ids of two
//! tenants are equal all the time. The logging system is `metadata.product` (vendor_name, name, uid),
//! `metadata.log_name`, `metadata.log_provider`, `metadata.tenant_uid`, and `device.uid`, else `device.hostname`.
//!
//! The same identity with the same content is a duplicate; with other content it is a revision. The same uid under
//! another identity is another event. Hashes that decide this have 128 bits and are keyed with the lake's secret, so
//! that nobody outside can make two lines or two identities collide.

mod columns;
mod content;
mod hash;
mod json;
mod key;
#[cfg(test)]
mod tests;
mod texts;

pub use columns::differing;
pub use content::Content;
pub use hash::Hasher;
pub use key::{Key, Known, Parts};
pub use texts::digests;
