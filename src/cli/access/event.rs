//! A read as an event of OCSF's API Activity: who, from where, and what.

use std::fs;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::login::login;
use super::Read;
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::lake::random_hex;
use crate::redact::Policy;
use crate::typed::hex;

/// The event of a read that begins. Its number is the log's to set.
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
    let mut event = json!({
        "time": time_ms,
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": 2,
        "activity_name": "Read",
        "type_uid": 600_302,
        "type_name": "API Activity: Read",
        "severity_id": 1,
        "severity": "Informational",
        "status_id": 0,
        "status": "Unknown",
        "message": message,
        "actor": {"user": who()?, "app_name": "auditlake"},
        "api": {"operation": operation, "service": {"name": "auditlake"}},
        "metadata": {
            "uid": random_hex::<16>()?,
            "version": "1.6.0",
            "product": {"name": "auditlake", "vendor_name": "auditlake", "version": env!("CARGO_PKG_VERSION")},
            "log_name": "access log",
        },
        "unmapped": about,
    });
    let endpoint = from_where();
    if !endpoint.is_empty() {
        event["src_endpoint"] = Value::Object(endpoint);
    }
    Ok(event)
}

/// The machine, and the remote address of the session. The variable can hold any text.
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

/// The event that says which reads the log has lost.
pub fn missing(numbers: &[u64], time_ms: i64) -> Result<Value> {
    let listed: Vec<String> = numbers.iter().map(u64::to_string).collect();
    Ok(json!({
        "time": time_ms,
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": 99,
        "activity_name": "Other",
        "type_uid": 600_399,
        "type_name": "API Activity: Other",
        "severity_id": 4,
        "severity": "High",
        "status_id": 2,
        "status": "Failure",
        "message": format!("the access log has lost the reads with the numbers {}", listed.join(", ")),
        "actor": {"user": who()?, "app_name": "auditlake"},
        "api": {"operation": "MissReads", "service": {"name": "auditlake"}},
        "metadata": {
            "uid": random_hex::<16>()?,
            "version": "1.6.0",
            "product": {"name": "auditlake", "vendor_name": "auditlake", "version": env!("CARGO_PKG_VERSION")},
            "log_name": "access log",
        },
        "unmapped": {"about": {"numbers": numbers}},
    }))
}

fn who() -> Result<Value> {
    let user = disk::our_user().context(Kind::Unavailable, || "cannot tell whose process this is")?;
    Ok(json!({"uid": user.to_string(), "name": login(), "type_id": 1, "type": "User"}))
}
