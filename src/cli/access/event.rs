//! A read as an event of OCSF's API Activity: actor, origin and object.

use std::fs;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::terminal::login::login;
use super::Read;
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::ingest::Activity;
use crate::lake::random_hex;
use crate::redact::Policy;
use crate::typed::hex;

/// Builds the event of a read that begins. The log sets its number.
pub fn event(policy: &Policy, read: &Read<'_>, time_ms: i64, ledger_entry: u64) -> Result<Value> {
    let pairs = |given: &[(String, String)]| -> Value {
        given.iter().map(|(name, value)| json!({"name": name, "value": policy.own(value)})).collect()
    };
    let (operation, message, mut about) = match read {
        Read::Query { sql, parameters } => {
            let text = policy.own(sql);
            let hash = hex(&Sha256::digest(text.as_bytes()));
            let about = json!({"statement": text, "statement_sha256": hash, "parameters": pairs(parameters)});
            ("Query", "ran a statement".to_string(), about)
        }
        Read::Export { tables } => ("Export", "exported events".to_string(), json!({"tables": tables})),
        Read::Archive { since, until } => {
            ("Archive", "archived events".to_string(), json!({"since": since, "until": until}))
        }
        Read::Reports { ids, parameters } => {
            let about = json!({"reports": ids, "parameters": pairs(parameters)});
            ("RunReport", format!("ran {}", ids.join(", ")), about)
        }
    };
    about["ledger_entry"] = json!(ledger_entry);
    let read = Activity {
        uid: random_hex::<16>()?,
        time_ms,
        is_read: true,
        is_success: None,
        is_grave: false,
        message: &message,
        operation,
        program: "auditlake",
        log_name: "access log",
    };
    let mut event = read.to_event();
    event["actor"] = json!({"user": who()?, "app_name": "auditlake"});
    event["unmapped"] = about;
    let endpoint = from_where();
    if !endpoint.is_empty() {
        event["src_endpoint"] = Value::Object(endpoint);
    }
    Ok(event)
}

/// Returns the machine, and the remote address of the session. The variable can hold any text.
fn from_where() -> Map<String, Value> {
    let mut endpoint = Map::new();
    if let Ok(host) = fs::read_to_string("/proc/sys/kernel/hostname") {
        endpoint.insert("hostname".to_string(), json!(host.trim()));
    }
    let address = std::env::var("SSH_CONNECTION").ok().and_then(|text| text.split(' ').next().map(str::to_string));
    if let Some(address) = address.filter(|address| address.parse::<std::net::IpAddr>().is_ok()) {
        endpoint.insert("ip".to_string(), json!(address));
    }
    endpoint
}

/// Builds the event that says which reads the log has lost.
pub fn missing(numbers: &[u64], time_ms: i64) -> Result<Value> {
    let listed: Vec<String> = numbers.iter().map(u64::to_string).collect();
    let missed = Activity {
        uid: random_hex::<16>()?,
        time_ms,
        is_read: false,
        is_success: Some(false),
        is_grave: true,
        message: &format!("the access log has lost the reads with the numbers {}", listed.join(", ")),
        operation: "MissReads",
        program: "auditlake",
        log_name: "access log",
    };
    let mut event = missed.to_event();
    event["actor"] = json!({"user": who()?, "app_name": "auditlake"});
    event["unmapped"] = json!({"about": {"numbers": numbers}});
    Ok(event)
}

fn who() -> Result<Value> {
    let user = disk::our_user().context(Kind::Unavailable, || "cannot tell whose process this is")?;
    Ok(json!({"uid": user.to_string(), "name": login(), "type_id": 1, "type": "User"}))
}
