//! All options of the program: `default.toml`, then the file, the environment and flags.
//!
//! Nothing below this module reads configuration or environment: each gets the options it needs as a struct.

mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

use crate::error::{Context, Error, Kind, Result};
use crate::lake::Partition;
use crate::{ingest, serve, sql};

pub use self::source::ApiSource;

const DEFAULT: &str = include_str!("default.toml");
/// Read from the working directory when no file is named.
const LOCAL_FILE: &str = "auditlake.toml";

/// The options in force.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub lake: PathBuf,
    schemas: String,
    source: Vec<source::Written>,
    create: Create,
    ingest: Ingest,
    pull: Pull,
    redact: Redact,
    sql: Sql,
    report: Report,
    serve: Serve,
    /// What is run again and again; empty without `[[schedule]]`.
    #[serde(default)]
    pub schedule: Vec<Schedule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    partition: Partition,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingest {
    batch_mib: f64,
    batch_seconds: u64,
    threads: usize,
    max_line_mib: f64,
    max_ratio: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pull {
    overlap_hours: u64,
    settling_seconds: u64,
    page_size: u32,
    batch_pages: u64,
    batch_seconds: u64,
    max_wait_seconds: u64,
    timeout_seconds: u64,
    max_page_mib: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Redact {
    enabled: bool,
    rules: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sql {
    memory_mib: usize,
    spill_folder: String,
    spill_mib: u64,
    timeout_seconds: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    directory: String,
    suppressions: String,
}

/// One `[[schedule]]`, as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub name: String,
    #[serde(default)]
    pub reports: Vec<String>,
    pub tier: Option<u8>,
    #[serde(default)]
    pub controls: Vec<String>,
    #[serde(default)]
    pub all: bool,
    pub period: String,
    pub calendar: String,
    #[serde(default = "utc")]
    pub time_zone: String,
    pub output: PathBuf,
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    #[serde(default)]
    pub xlsx: bool,
    /// An ISO 8601 duration.
    pub wait: Option<String>,
    pub since: Option<String>,
    #[serde(default)]
    pub afterwards: Vec<String>,
}

fn utc() -> String {
    "UTC".to_string()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Serve {
    listen: String,
    tls_cert: String,
    tls_key: String,
    tier: String,
    rate_per_minute: usize,
    max_connections: usize,
    header_seconds: u64,
    page_seconds: u64,
    stop_seconds: u64,
    cache_mib: usize,
    reads_seconds: u64,
}

impl Config {
    /// Reads the file that is named, or the one in the working directory if it is there.
    pub fn load(file: Option<&Path>) -> Result<Config> {
        let named = file.map(Path::to_path_buf);
        let found = named.or_else(|| Some(PathBuf::from(LOCAL_FILE)).filter(|path| path.exists()));
        let mut table = parse(DEFAULT, "default.toml")?;
        let Some(path) = found else { return check(table, "default.toml", DEFAULT) };
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .context(Kind::Usage, || format!("cannot read the configuration {origin}"))?;
        merge(&mut table, parse(&text, &origin)?);
        check(table, &origin, &text)
    }

    pub fn schemas(&self) -> Option<&Path> {
        path(&self.schemas)
    }

    pub fn partition(&self) -> Partition {
        self.create.partition
    }

    pub fn ingest(&self) -> ingest::Options {
        let defaults = ingest::Options::default();
        // Fractions will do; a negative number is the smallest.
        let bytes = |mib: f64| ((mib * f64::from(1 << 20)) as u64).max(1);
        let batch_bytes = bytes(self.ingest.batch_mib);
        ingest::Options {
            batch_bytes,
            batch_age: Duration::from_secs(self.ingest.batch_seconds.max(1)),
            threads: if self.ingest.threads == 0 { defaults.threads } else { self.ingest.threads },
            source: crate::source::Options {
                max_line_bytes: bytes(self.ingest.max_line_mib) as usize,
                max_ratio: self.ingest.max_ratio.max(1),
                // A batch is as large as its chunks at least.
                chunk_bytes: defaults.source.chunk_bytes.min(batch_bytes as usize),
                ..defaults.source
            },
            max_rejects: None,
        }
    }

    pub fn pull(&self) -> ingest::PullOptions {
        let pull = &self.pull;
        ingest::PullOptions {
            page_size: pull.page_size.max(1),
            overlap: Duration::from_secs(pull.overlap_hours.saturating_mul(3600)),
            settling: Duration::from_secs(pull.settling_seconds),
            batch_pages: pull.batch_pages.max(1),
            batch_age: Duration::from_secs(pull.batch_seconds.max(1)),
            max_wait: Duration::from_secs(pull.max_wait_seconds),
            threads: self.ingest().threads,
            ..ingest::PullOptions::default()
        }
    }

    /// Bounds of one request to an API.
    pub fn limits(&self) -> crate::source::Limits {
        let total = Duration::from_secs(self.pull.timeout_seconds.max(1));
        let defaults = crate::source::Limits::default();
        crate::source::Limits {
            connect: defaults.connect.min(total),
            read: defaults.read.min(total),
            total,
            page_bytes: self.pull.max_page_mib.clamp(1, 1 << 20) << 20,
        }
    }

    /// The workspaces to pull.
    pub fn sources(&self) -> Result<Vec<ApiSource>> {
        source::check(&self.source)
    }

    pub fn is_redacting(&self) -> bool {
        self.redact.enabled
    }

    pub fn redact_rules(&self) -> Option<&Path> {
        path(&self.redact.rules)
    }

    pub fn sql(&self) -> sql::Options {
        let memory = match self.sql.memory_mib {
            0 => machine_memory().map(|bytes| bytes / 2),
            mib => Some(mib << 20),
        };
        sql::Options {
            memory_limit: memory,
            spill_folder: path(&self.sql.spill_folder).map(Path::to_path_buf),
            spill_limit: Some(self.sql.spill_mib << 20),
            timeout: Some(self.sql.timeout_seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs),
            ..sql::Options::default()
        }
    }

    /// How the log is served; certificate and key may be named one by one, by the file or by flags.
    pub fn serve(&self) -> serve::Options {
        let seconds = |seconds: u64| Duration::from_secs(seconds.max(1));
        let tls =
            serve::Tls { certificate: self.serve.tls_cert.clone().into(), key: self.serve.tls_key.clone().into() };
        let has_tls = path(&self.serve.tls_cert).is_some() || path(&self.serve.tls_key).is_some();
        serve::Options {
            listen: self.serve.listen.clone(),
            tls: has_tls.then_some(tls),
            is_insecure_allowed: false,
            tier: self.serve.tier.clone(),
            per_minute: self.serve.rate_per_minute,
            connections: self.serve.max_connections,
            head_time: seconds(self.serve.header_seconds),
            page_time: seconds(self.serve.page_seconds),
            stop_time: seconds(self.serve.stop_seconds),
            cache_bytes: self.serve.cache_mib << 20,
            reads_interval: seconds(self.serve.reads_seconds),
            threads: ingest::Options::default().threads,
        }
    }

    pub fn reports(&self) -> Option<&Path> {
        path(&self.report.directory)
    }

    pub fn suppressions(&self) -> Option<&Path> {
        path(&self.report.suppressions)
    }
}

fn path(text: &str) -> Option<&Path> {
    (!text.is_empty()).then(|| Path::new(text))
}

fn parse(text: &str, origin: &str) -> Result<Table> {
    text.parse::<Table>().map_err(|error| refuse(origin, text, error))
}

fn check(table: Table, origin: &str, text: &str) -> Result<Config> {
    Value::Table(table).try_into::<Config>().map_err(|error| refuse(origin, text, error))
}

/// An error with file and line. What is wrong only after merging has no place; then the key it names is looked for.
fn refuse(origin: &str, text: &str, error: toml::de::Error) -> Error {
    let message = error.message().to_string();
    let offset = error.span().map(|span| span.start).or_else(|| {
        let key = message.split('`').nth(1)?;
        let line = text.lines().position(|line| line.trim_start().trim_start_matches('[').starts_with(key))?;
        Some(text.lines().take(line).map(|line| line.len() + 1).sum())
    });
    let place = match offset {
        Some(offset) => format!("{origin}:{}", text[..offset.min(text.len())].matches('\n').count() + 1),
        None => origin.to_string(),
    };
    Error::usage(format!("cannot use the configuration {place}: {message}"))
        .hint("`auditlake --help` names the default file; only keys of that file are known")
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Bytes of memory that the machine has, where that can be told.
fn machine_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file))
    }

    #[test]
    fn a_file_overrides_only_what_it_names() {
        let config = load("[ingest]\nbatch_mib = 8\n").unwrap();
        assert_eq!(config.ingest().batch_bytes, 8 << 20);
        assert_eq!(config.ingest().batch_age, Duration::from_secs(10));
        assert_eq!(config.ingest().source.chunk_bytes, 8 << 20);
        let small = load("[ingest]\nbatch_mib = 0.5\n").unwrap().ingest();
        assert_eq!((small.batch_bytes, small.source.chunk_bytes), (512 << 10, 512 << 10));
    }

    #[test]
    fn sources_are_checked_together() {
        let source =
            |more: &str| format!("[[source]]\nbase_url = \"https://a.example\"\nkey = {{ env = \"K\" }}\n{more}\n");
        let two =
            source("name = \"a\"\nuser = \"u\"\nrequests_per_minute = 20") + &source("name = \"b\"\nuser = \"u\"");
        let sources = load(&two).unwrap().sources().unwrap();
        let told: Vec<_> = sources.iter().map(|s| (s.name.as_str(), s.user.as_str(), s.requests_per_minute)).collect();
        assert_eq!(told, [("a", "u", 20), ("b", "u", 20)]);
        assert!(load("").unwrap().sources().unwrap().is_empty());
        let same = source("name = \"a\"") + &source("name = \"a\"");
        for wrong in [&same, &source("name = \"../a\""), &source("name = \"a\"\nuser = \"\"")] {
            assert_eq!(load(wrong).unwrap().sources().unwrap_err().kind(), Kind::Usage, "{wrong}");
        }
        assert!(load(&source("name = \"a\"\nkey_file = \"x\"")).is_err());
    }

    #[test]
    fn a_broken_file_and_an_unknown_key_are_refused_with_their_line() {
        let error = load("lake = \n").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains("c.toml:1"), "{error}");
        let error = load("\n[ingest]\nbatches = 3\n").unwrap_err();
        assert!(error.to_string().contains("c.toml:3"), "{error}");
        let error = load("[ingest]\nbatch_mib = \"a\"\n").unwrap_err();
        assert!(error.to_string().contains("c.toml"), "{error}");
    }
}
