//! The lake's own access log: who read it with `sql`, `export` and `report`, as events of the lake.
//!
//! ```text
//! begin: a line in _access/<name>.ndjson, synced -> the read -> end: the same line with what came of it
//!                                                                 | when the command ends
//!                                                                 v
//!                                                           one batch of the lake -> file removed
//! ```
//!
//! So a read is on the disk before its first row is seen, also when its process is killed; what a process left is taken
//! in by the next one that logs. A read does not wait for those who write: lines that cannot be committed now stay
//! where they are. That is told to nobody, since they are safe there.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::App;
use super::login::login;
use crate::config::AccessLog;
use crate::disk::{self, Patience};
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{Producer, batch_of_own, restore};
use crate::lake::{Lake, Writer};
use crate::redact::Policy;
use crate::typed::hex;

const FOLDER: &str = "_access";
const SUFFIX: &str = ".ndjson";
const ORIGIN: Producer = Producer { kind: "access", name: "access log" };
/// The time that a finished read waits for writers before its lines are left to others.
const PATIENCE: Duration = Duration::from_secs(1);

/// A read to be logged.
pub enum Read<'a> {
    Query { sql: &'a str, parameters: &'a [(String, String)] },
    Export { tables: &'a [String] },
    Archive { since: &'a str, until: &'a str },
    Reports { ids: Vec<&'a str>, parameters: &'a [(String, String)] },
}

/// The log of one command; it does nothing where reads are not logged.
pub struct Access(Option<Log>);

struct Log {
    policy: Arc<Policy>,
    redaction_version: String,
    place: PathBuf,
    file: File,
    /// The line that has begun.
    open: Option<Value>,
    has_lines: bool,
}

impl Access {
    /// Logs nothing.
    pub fn none() -> Access {
        Access(None)
    }

    /// Begins the log of a command that reads this lake.
    pub fn of(app: &App, lake: &Lake) -> Result<Access> {
        let wanted = app.config.access_log();
        if wanted == AccessLog::Never || (wanted == AccessLog::Shared && !is_shared(lake)?) {
            return Ok(Access(None));
        }
        match app.policy(lake).and_then(|policy| Ok((policy, create(lake.root())?))) {
            Ok(((policy, redaction_version), (place, file))) => {
                Ok(Access(Some(Log { policy, redaction_version, place, file, open: None, has_lines: false })))
            }
            // Whoever may only read the lake reads it; that this is not logged is said.
            Err(error) if wanted == AccessLog::Shared => {
                app.screen.warn(format!("this read is not in the lake's access log: {error}"));
                Ok(Access(None))
            }
            Err(error) => Err(Error::new(Kind::Unavailable, "cannot log this read, so nothing was read")
                .caused_by(error)
                .hint("`[access] log` asks for a log of reads, which needs write permission to the lake")),
        }
    }

    /// Puts a line on the disk. The read may happen once this has returned.
    pub fn begin(&mut self, app: &App, read: &Read<'_>, ledger_entry: u64) -> Result<()> {
        let Some(log) = &mut self.0 else { return Ok(()) };
        let event = event(&log.policy, read, app.clock.now_ms(), ledger_entry)?;
        log.write(&event)?;
        log.open = Some(event);
        Ok(())
    }

    /// Writes the result: the number of rows, or that the read failed.
    pub fn end(&mut self, app: &App, rows: Result<u64, &Error>) -> Result<()> {
        let Some(log) = &mut self.0 else { return Ok(()) };
        let Some(mut event) = log.open.take() else { return Ok(()) };
        let (status_id, status) = if rows.is_ok() { (1, "Success") } else { (2, "Failure") };
        event["status_id"] = json!(status_id);
        event["status"] = json!(status);
        let begun_ms = event["time"].as_i64().unwrap_or_default();
        event["duration"] = json!(app.clock.now_ms().saturating_sub(begun_ms).max(0));
        match rows {
            Ok(rows) => event["unmapped"]["rows"] = json!(rows),
            Err(error) => event["status_detail"] = json!(log.policy.own(&error.to_string())),
        }
        log.write(&event)
    }

    /// Ingests the lines into the lake, and those that earlier processes left.
    pub fn close(self, app: &App) -> Result<()> {
        let Some(log) = self.0 else { return Ok(()) };
        let Log { policy, redaction_version, place, file, has_lines, .. } = log;
        if !has_lines {
            return remove(&place);
        }
        let clock = app.clock;
        // Its newest state: what was read may have been an older one.
        let lake = app.open_lake()?.with_patience(Patience { limit: PATIENCE, tell: Arc::new(|_| {}) });
        app.wait(async move {
            let mut places = left(&lake.root().join(FOLDER))?;
            places.push((place, file));
            let mut bytes = Vec::new();
            for (place, _) in &places {
                bytes.extend(fs::read(place).context(Kind::Unavailable, || cannot_read(place))?);
            }
            let batch = batch_of_own(&lake, &policy, &redaction_version, ORIGIN, last_of_each(&bytes))?;
            match Writer::new(lake, clock, 1, restore())?.commit(batch).await {
                Err(error) if error.kind() == Kind::Locked => return Ok(()),
                committed => committed.map(drop)?,
            }
            places.iter().try_for_each(|(place, _)| remove(place))
        })
    }
}

impl Log {
    fn write(&mut self, event: &Value) -> Result<()> {
        let written = writeln!(self.file, "{event}").and_then(|()| self.file.sync_data());
        self.has_lines = true;
        written.context(Kind::Unavailable, || format!("cannot log this read in {}", self.place.display()))
    }
}

/// Whether accounts share the lake: it belongs to another account, or was created for others to read.
fn is_shared(lake: &Lake) -> Result<bool> {
    let cannot = || format!("cannot look at {}", lake.root().display());
    let known = fs::metadata(lake.root()).context(Kind::Unavailable, cannot)?;
    let ours = disk::our_user().context(Kind::Unavailable, cannot)?;
    Ok(known.uid() != ours || !lake.state().lake.access.is_owner())
}

/// A new file of lines, locked for as long as this process writes to it.
fn create(root: &Path) -> Result<(PathBuf, File)> {
    let folder = root.join(FOLDER);
    let cannot = || format!("cannot create a file in {}", folder.display());
    if !folder.exists() {
        disk::make_dir(&folder).context(Kind::Unavailable, cannot)?;
        // Those who may write to the lake may log in it.
        let mode = fs::metadata(root).context(Kind::Unavailable, cannot)?.mode() & 0o7770;
        fs::set_permissions(&folder, Permissions::from_mode(mode)).context(Kind::Unavailable, cannot)?;
    }
    let place = folder.join(format!("{}{SUFFIX}", random()?));
    let file = disk::create_private(&place, b"").context(Kind::Unavailable, cannot)?;
    Ok((place, file))
}

/// Files of processes that have ended, locked. Files of other accounts are left to those accounts.
fn left(folder: &Path) -> Result<Vec<(PathBuf, File)>> {
    let cannot = || format!("cannot look into {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).context(Kind::Unavailable, cannot)? {
        let place = entry.context(Kind::Unavailable, cannot)?.path();
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || !name.ends_with(SUFFIX) {
            continue;
        }
        let file = match File::open(&place) {
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => continue,
            file => file.context(Kind::Unavailable, || cannot_read(&place))?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => continue,
            locked => locked.context(Kind::Unavailable, || format!("cannot lock {}", place.display()))?,
        }
        found.push((place, file));
    }
    Ok(found)
}

/// Keeps the last line of each read: the one with its result, if the read ended.
fn last_of_each(bytes: &[u8]) -> Vec<u8> {
    let mut order: Vec<String> = Vec::new();
    let mut last: Map<String, Value> = Map::new();
    // A line that was cut short is a crash's; the line that began the read is before it.
    let lines = String::from_utf8_lossy(bytes);
    for event in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let uid = event["metadata"]["uid"].as_str().unwrap_or_default().to_string();
        if last.insert(uid.clone(), event).is_none() {
            order.push(uid);
        }
    }
    order.iter().flat_map(|uid| format!("{}\n", last[uid]).into_bytes()).collect()
}

fn event(policy: &Policy, read: &Read<'_>, time_ms: i64, ledger_entry: u64) -> Result<Value> {
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
    let user = disk::our_user().context(Kind::Unavailable, || "cannot tell whose process this is")?;
    let who = json!({"uid": user.to_string(), "name": login(), "type_id": 1, "type": "User"});
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
        "actor": {"user": who, "app_name": "auditlake"},
        "api": {"operation": operation, "service": {"name": "auditlake"}},
        "metadata": {
            "uid": random()?,
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

fn random() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Kind::Unavailable, format!("cannot get random bytes: {error}")))?;
    Ok(hex(&bytes))
}

fn cannot_read(place: &Path) -> String {
    format!("cannot read {}", place.display())
}

fn remove(place: &Path) -> Result<()> {
    disk::remove(place).context(Kind::Unavailable, || format!("cannot remove {}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_read_says_what_came_of_it() {
        let line = |uid: &str, status: &str| json!({"metadata": {"uid": uid}, "status": status}).to_string();
        let lines = [line("a", "Unknown"), line("b", "Unknown"), line("a", "Success"), line("b", "Succ")];
        let text = lines.join("\n");
        let kept = String::from_utf8(last_of_each(&text.as_bytes()[..text.len() - 3])).unwrap();
        assert_eq!(kept.lines().collect::<Vec<_>>(), [line("a", "Success"), line("b", "Unknown")]);
    }
}
