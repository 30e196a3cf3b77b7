//! All options of the program: `default.toml`, then the file, the environment and flags.
//!
//! Nothing below this module reads configuration or environment: each gets the options it needs as a struct.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

use crate::error::{Context, Error, Kind, Result};
use crate::lake::Partition;
use crate::{ingest, serve, source, sql};

const DEFAULT: &str = include_str!("default.toml");
/// Read from the working directory when no file is named.
const LOCAL_FILE: &str = "auditlake.toml";

/// The options in force.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub lake: PathBuf,
    schemas: String,
    create: Create,
    ingest: Ingest,
    redact: Redact,
    sql: Sql,
    report: Report,
    serve: Serve,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    partition: Partition,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingest {
    batch_mib: u64,
    batch_seconds: u64,
    threads: usize,
    max_line_mib: usize,
    max_ratio: u64,
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
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    directory: String,
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
        ingest::Options {
            batch_bytes: self.ingest.batch_mib.max(1) << 20,
            batch_age: Duration::from_secs(self.ingest.batch_seconds.max(1)),
            threads: if self.ingest.threads == 0 { defaults.threads } else { self.ingest.threads },
            source: source::Options {
                max_line_bytes: self.ingest.max_line_mib.max(1) << 20,
                max_ratio: self.ingest.max_ratio.max(1),
                ..defaults.source
            },
            max_rejects: None,
        }
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
        sql::Options { memory_limit: memory, as_of: None }
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
