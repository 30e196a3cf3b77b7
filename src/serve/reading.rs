//! A read of the log as an event of the log: who looked, from where, at what, and what they got.
//!
//! It is an OCSF API Activity (6003) and goes the way of all events, so the table `api_activity` answers who looked.
//! Requests that passed key, gates and rate limit are events of their own. Refusals before that, which anybody can
//! cause as often as they like, are counted (`refused`).

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value, json};

use super::keys::{Holder, KeyRecord};
use super::query::Asked;
use crate::ingest::Activity;

/// The log line of one request, or of several equal ones.
#[derive(Debug, Clone)]
pub struct Reading {
    pub uid: String,
    pub time_ms: i64,
    pub duration_ms: i64,
    /// None when it describes requests from several.
    pub peer: Option<IpAddr>,
    pub port: Option<u16>,
    /// None when the user was unknown.
    pub user: Option<(String, Holder)>,
    pub key_id: Option<String>,
    pub path: &'static str,
    pub query: Option<String>,
    /// The same, taken apart; the program's answer, or its refusal, is about these.
    pub asked: Asked,
    pub user_agent: Option<String>,
    /// The agents, where it describes requests of several; at most [`AGENTS`].
    pub agents: Vec<String>,
    /// The request's own statement about its route, if any; a client can write anything there.
    pub forwarded_for: Vec<String>,
    pub status: u16,
    /// The reason for the refusal, in the vendor's words.
    pub code: Option<&'static str>,
    pub entries: usize,
    pub has_more: bool,
    pub newest_ms: Option<i64>,
    pub oldest_ms: Option<i64>,
    /// The state of the lake that the request saw.
    pub ledger_entry: u64,
    /// The number of requests that it describes, and the time of the first one.
    pub count: u64,
    pub start_ms: i64,
}

/// More agents than this are not named.
const AGENTS: usize = 8;

/// Makes a reading of nobody, to be filled in.
pub fn blank(uid: String, peer: SocketAddr, time_ms: i64, path: &'static str) -> Reading {
    Reading {
        uid,
        time_ms,
        duration_ms: 0,
        peer: Some(peer.ip().to_canonical()),
        port: Some(peer.port()),
        user: None,
        key_id: None,
        path,
        query: None,
        asked: Asked::default(),
        user_agent: None,
        agents: Vec::new(),
        forwarded_for: Vec::new(),
        status: 0,
        code: None,
        entries: 0,
        has_more: false,
        newest_ms: None,
        oldest_ms: None,
        ledger_entry: 0,
        count: 1,
        start_ms: time_ms,
    }
}

impl Reading {
    /// Merges this with a later one of the same kind: fields that differ are left empty.
    pub fn with(mut self, later: Reading) -> Reading {
        fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<T> {
            a.filter(|a| b.as_ref() == Some(a))
        }
        for agent in [&self.user_agent, &later.user_agent].into_iter().flatten().chain(&later.agents) {
            if !self.agents.contains(agent) && self.agents.len() < AGENTS {
                self.agents.push(agent.clone());
            }
        }
        Reading {
            count: self.count + later.count,
            start_ms: self.start_ms.min(later.start_ms),
            port: same(self.port, later.port),
            key_id: same(self.key_id, later.key_id),
            query: same(self.query, later.query),
            asked: if self.asked == later.asked { self.asked } else { Asked::default() },
            user_agent: same(self.user_agent, later.user_agent),
            agents: self.agents,
            forwarded_for: if self.forwarded_for == later.forwarded_for { self.forwarded_for } else { Vec::new() },
            ..later
        }
    }

    /// Returns the same without anything that identifies the client.
    pub fn of_nobody(self) -> Reading {
        Reading {
            peer: None,
            port: None,
            user: None,
            key_id: None,
            query: None,
            asked: Asked::default(),
            user_agent: None,
            agents: Vec::new(),
            forwarded_for: Vec::new(),
            ..self
        }
    }

    pub fn set_key(&mut self, key: &KeyRecord) {
        self.user = Some((key.user.clone(), key.holder));
        self.key_id = Some(key.id.clone());
    }

    pub fn to_event(&self) -> Value {
        let is_success = self.status == 200;
        let read = Activity {
            uid: self.uid.clone(),
            time_ms: self.time_ms,
            is_read: true,
            is_success: Some(is_success),
            is_grave: false,
            message: &self.message(),
            operation: "ListAuditLogs",
            program: "auditlake serve",
            log_name: "audit-log reads",
        };
        let mut event = read.to_event();
        event["api"]["version"] = json!("v1");
        let mut put = |name: &str, value: Value| event[name] = value;
        put("status_code", json!(self.status.to_string()));
        if let Some(code) = self.code {
            put("status_detail", json!(code));
        }
        put("actor", self.actor());
        if let Some(peer) = self.peer {
            let mut endpoint = json!({"ip": peer.to_string()});
            if let Some(port) = self.port {
                endpoint["port"] = json!(port);
            }
            put("src_endpoint", endpoint);
        }
        put("http_request", self.request());
        put("http_response", json!({"code": self.status}));
        put("duration", json!(self.duration_ms));
        put("count", json!(self.count));
        if self.count > 1 {
            put("start_time", json!(self.start_ms));
            put("end_time", json!(self.time_ms));
        }
        let unmapped = self.unmapped(is_success);
        if !unmapped.is_empty() {
            put("unmapped", Value::Object(unmapped));
        }
        event
    }

    /// Returns the question and the answer. Ignored parameters are a list of pairs, because their names are chosen by
    /// the client.
    fn unmapped(&self, is_success: bool) -> Map<String, Value> {
        let mut unmapped = Map::new();
        let (known, ignored) = (self.asked.known(), self.asked.ignored());
        if !known.is_empty() {
            unmapped.insert("asked".to_string(), Value::Object(known));
        }
        if !ignored.is_empty() {
            unmapped.insert("ignored".to_string(), Value::Array(ignored));
        }
        if self.agents.len() > 1 {
            unmapped.insert("user_agents".to_string(), json!(self.agents));
        }
        if is_success {
            let given = [
                ("entries", json!(self.entries)),
                ("has_more", json!(self.has_more)),
                ("newest_time", json!(self.newest_ms)),
                ("oldest_time", json!(self.oldest_ms)),
                ("ledger_entry", json!(self.ledger_entry)),
            ];
            unmapped.extend(given.map(|(name, value)| (name.to_string(), value)));
        }
        unmapped
    }

    fn message(&self) -> String {
        match (self.status, self.count) {
            (200, _) => format!("read {} entries of the audit log", self.entries),
            (_, 1) => "was refused the audit log".to_string(),
            (_, times) => format!("was refused the audit log {times} times"),
        }
    }

    fn actor(&self) -> Value {
        let Some((user, holder)) = &self.user else { return json!({"user": {"type_id": 0, "type": "Unknown"}}) };
        let (type_id, kind) = match holder {
            Holder::User => (1, "User"),
            Holder::ServiceAccount => (4, "Service"),
        };
        json!({
            "user": {"uid": user, "type_id": type_id, "type": kind},
            "session": {"credential_uid": self.key_id},
        })
    }

    fn request(&self) -> Value {
        let mut url = json!({"path": self.path});
        if let Some(query) = &self.query {
            url["query_string"] = json!(query);
        }
        let mut request = json!({"http_method": "GET", "url": url});
        if let Some(agent) = &self.user_agent {
            request["user_agent"] = json!(agent);
        }
        if !self.forwarded_for.is_empty() {
            request["x_forwarded_for"] = json!(self.forwarded_for);
        }
        request
    }
}
