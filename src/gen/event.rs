//! One event before it is written: references into the workspace, and the outcome.

use super::people::{Session, Thing};
use super::places::Station;
use super::random::Id;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// HTTP status and the vendor's code.
    Failure(u16, &'static str),
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub time_ms: i64,
    /// The row of the activity table.
    pub row: usize,
    /// Slots of `Workspace::people`.
    pub actor: usize,
    pub subject: Option<usize>,
    pub station: Station,
    pub session: Option<Session>,
    /// The key that the call was made with.
    pub key: Option<Id>,
    /// Whether only the typed name of the account is known.
    pub is_typed: bool,
    pub thing: Option<Thing>,
    pub group: Option<usize>,
    pub subgroup: Option<usize>,
    /// An empty text means none.
    pub privileges: [&'static str; 2],
    pub resource: Option<Thing>,
    pub policy: &'static str,
    pub outcome: Outcome,
    pub is_mfa: Option<bool>,
}

impl Event {
    pub fn new(time_ms: i64, row: usize, actor: usize, station: Station) -> Event {
        Event {
            time_ms,
            row,
            actor,
            subject: None,
            station,
            session: None,
            key: None,
            is_typed: false,
            thing: None,
            group: None,
            subgroup: None,
            privileges: ["", ""],
            resource: None,
            policy: "",
            outcome: Outcome::Success,
            is_mfa: None,
        }
    }
}
