//! Events about the log of reads itself: a server began, ended, or left less than it had logged.

use serde_json::{Value, json};

use crate::error::Result;
use crate::ingest::Activity;
use crate::lake::random_hex;

/// A turn in the life of a server's log of reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    Began,
    Ended,
    /// A server that was killed left this: what it had logged is in the lake now, up to this number.
    Recovered {
        server: String,
        last: u64,
    },
    /// From this number on lines are missing, or are not as the server wrote them.
    Missing {
        server: String,
        from: u64,
        why: String,
    },
}

impl Turn {
    /// Describes the missing part in words.
    pub fn missing(&self) -> Option<String> {
        match self {
            Turn::Missing { server, from, why } => {
                Some(format!("the log of reads of server {server} is incomplete from number {from} on: {why}"))
            }
            _ => None,
        }
    }
}

/// Builds the event; its number and server are those of the log that it is written to.
pub fn event(turn: Turn, time_ms: i64) -> Result<Value> {
    let missing = turn.missing();
    let is_fine = missing.is_none();
    let (operation, message, about) = match turn {
        Turn::Began => ("BeginServing", "began to serve the audit log".to_string(), None),
        Turn::Ended => ("EndServing", "ended to serve the audit log".to_string(), None),
        Turn::Recovered { server, last } => {
            let message = format!("committed the log of reads that server {server} had left, up to number {last}");
            ("RecoverReads", message, Some(json!({"server": server, "last": last})))
        }
        Turn::Missing { server, from, .. } => {
            ("MissReads", missing.unwrap_or_default(), Some(json!({"server": server, "from": from})))
        }
    };
    let turn = Activity {
        uid: random_hex::<16>()?,
        time_ms,
        is_read: false,
        is_success: Some(is_fine),
        is_grave: !is_fine,
        message: &message,
        operation,
        program: "auditlake serve",
        log_name: "audit-log reads",
    };
    let mut event = turn.to_event();
    event["actor"] = json!({"app_name": "auditlake serve"});
    if let Some(about) = about {
        event["unmapped"] = json!({ "about": about });
    }
    Ok(event)
}
