//! The program's own activity, as an event of OCSF's API Activity: reads of the lake, and turns of the logs of reads.

use serde_json::{Value, json};

/// The part that all such events have; the caller adds actor, origin and object.
pub struct Activity<'a> {
    pub uid: String,
    pub time_ms: i64,
    pub is_read: bool,
    /// The outcome; `None` while it is unknown.
    pub is_success: Option<bool>,
    /// Whether somebody should look: severity 4 instead of 1.
    pub is_grave: bool,
    pub message: &'a str,
    pub operation: &'a str,
    /// The program: `auditlake`, or the part of it that answers others.
    pub program: &'a str,
    pub log_name: &'a str,
}

impl Activity<'_> {
    pub fn to_event(&self) -> Value {
        let (activity_id, activity) = if self.is_read { (2, "Read") } else { (99, "Other") };
        let (severity_id, severity) = if self.is_grave { (4, "High") } else { (1, "Informational") };
        let (status_id, status) = match self.is_success {
            None => (0, "Unknown"),
            Some(true) => (1, "Success"),
            Some(false) => (2, "Failure"),
        };
        json!({
            "time": self.time_ms,
            "class_uid": 6003,
            "class_name": "API Activity",
            "category_uid": 6,
            "category_name": "Application Activity",
            "activity_id": activity_id,
            "activity_name": activity,
            "type_uid": 600_300 + activity_id,
            "type_name": format!("API Activity: {activity}"),
            "severity_id": severity_id,
            "severity": severity,
            "status_id": status_id,
            "status": status,
            "message": self.message,
            "api": {"operation": self.operation, "service": {"name": self.program}},
            "metadata": {
                "uid": self.uid,
                "version": "1.6.0",
                "product": {"name": "auditlake", "vendor_name": "auditlake", "version": env!("CARGO_PKG_VERSION")},
                "log_name": self.log_name,
            },
        })
    }
}
