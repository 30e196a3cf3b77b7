//! All options of the program: `default.toml`, then the file, the environment and flags.
//!
//! Nothing below this module reads configuration or environment: each gets the options it needs as a struct.

mod anchor;
mod file;
mod keeping;
mod merge;
mod schedule;
mod serving;
mod source;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::Result;
use crate::lake::{Access, CompactOptions, Partition, RetainPolicy};
use crate::source::KeySource;
use crate::{ingest, serve, sql};
use merge::{check, merge, parse, settings};

pub use self::anchor::Anchor;
pub use self::file::Origin;
pub use self::merge::Setting;
pub use self::schedule::Schedule;
pub use self::source::ApiSource;

/// All options of a run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    lake: LakeTable,
    schemas: String,
    source: Vec<source::Written>,
    create: Create,
    ingest: Ingest,
    compact: keeping::Compact,
    retain: keeping::Retain,
    pull: Pull,
    redact: Redact,
    sql: Sql,
    report: Report,
    /// Input tables of reports, by name.
    input: BTreeMap<String, PathBuf>,
    signing: Signing,
    anchor: Anchor,
    serve: serving::Serve,
    commands: Commands,
    access: AccessTable,
    /// Schedules as the file has them; empty without `[[schedule]]`.
    #[serde(default)]
    schedule: Vec<Schedule>,
    /// Set by [`Config::load`].
    #[serde(skip, default = "default_origin")]
    origin: Origin,
}

fn default_origin() -> Origin {
    Origin::Default
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessTable {
    #[serde(deserialize_with = "value::access_log")]
    log: AccessLog,
}

/// Whether reads by people are logged in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    Always,
    /// Only where several accounts share the lake.
    Shared,
    Never,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Commands {
    environment: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LakeTable {
    path: PathBuf,
    #[serde(deserialize_with = "value::duration")]
    lock_timeout: Duration,
    access: Access,
    #[serde(default)]
    key: Option<source::WrittenKey>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    partition: Partition,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingest {
    #[serde(deserialize_with = "value::size")]
    batch: u64,
    #[serde(deserialize_with = "value::some_duration")]
    batch_age: Duration,
    threads: usize,
    #[serde(deserialize_with = "value::size")]
    max_line: u64,
    max_ratio: u64,
    keep_odd_times: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pull {
    #[serde(deserialize_with = "value::duration")]
    overlap: Duration,
    #[serde(deserialize_with = "value::duration")]
    settling: Duration,
    page_size: u32,
    batch_pages: u64,
    #[serde(deserialize_with = "value::some_duration")]
    batch_age: Duration,
    #[serde(deserialize_with = "value::duration")]
    max_wait: Duration,
    #[serde(deserialize_with = "value::some_duration")]
    timeout: Duration,
    #[serde(deserialize_with = "value::size")]
    max_page: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Redact {
    enabled: bool,
    rules: String,
    own: Vec<toml::Table>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sql {
    #[serde(deserialize_with = "value::size_or_none")]
    memory: Option<u64>,
    spill_folder: String,
    #[serde(deserialize_with = "value::size")]
    spill: u64,
    #[serde(deserialize_with = "value::duration_or_none")]
    timeout: Option<Duration>,
    facts: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    directory: String,
    suppressions: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    key: Option<source::WrittenKey>,
}

impl Config {
    /// Every option with its default, as a configuration file. The program parses this text: no other defaults exist.
    pub const DEFAULT: &str = include_str!("default.toml");

    /// Lists the keys that a file sets, or the file in force, with their defaults.
    pub fn settings(file: Option<&Path>) -> Result<Vec<Setting>> {
        let (origin, text) = Origin::find(file)?;
        Ok(settings(&parse(&text, &origin.to_string())?, &parse(Config::DEFAULT, "default.toml")?))
    }

    /// Reads the named file, or the one in the working directory if it exists.
    pub fn load(file: Option<&Path>) -> Result<Config> {
        let (origin, text) = Origin::find(file)?;
        let name = match &origin {
            Origin::Default => "default.toml".to_string(),
            Origin::Named(path) | Origin::Local(path) => path.display().to_string(),
        };
        let mut table = parse(Config::DEFAULT, "default.toml")?;
        merge(&mut table, parse(&text, &name)?);
        let config = Config { origin, ..check(table, &name, &text)? };
        for (key, what) in [(&config.lake.key, "the lake's key"), (&config.signing.key, "the signing key")] {
            if matches!(key, Some(source::WrittenKey::Command(_))) {
                config.origin.may_run_commands(what)?;
            }
        }
        if !config.anchor.command.is_empty() || !config.anchor.verify.is_empty() {
            config.origin.may_run_commands("`[anchor]`")?;
        }
        Ok(config)
    }

    /// Returns the file in force.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the schedules. Errors when one of them runs a command and the file does not belong to the user alone.
    pub fn schedules(&self) -> Result<&[Schedule]> {
        for schedule in self.schedule.iter().filter(|schedule| !schedule.afterwards.is_empty()) {
            self.origin.may_run_commands(&format!("schedule `{}`", schedule.name))?;
        }
        Ok(&self.schedule)
    }

    pub fn access_log(&self) -> AccessLog {
        self.access.log
    }

    /// Returns the names of variables that commands get in addition to the usual ones.
    pub fn command_environment(&self) -> &[String] {
        &self.commands.environment
    }

    /// Returns the lake's directory, unless a flag names another.
    pub fn lake(&self) -> &Path {
        &self.lake.path
    }

    /// Returns the accounts that may read a new lake.
    pub fn access(&self) -> Access {
        self.lake.access
    }

    /// Returns the place of the lake's key; `None` when it is in the lake.
    pub fn lake_key(&self) -> Option<KeySource> {
        self.lake.key.as_ref().map(source::WrittenKey::source)
    }

    /// Returns how long to wait for another run that writes.
    pub fn lock_timeout(&self) -> Duration {
        self.lake.lock_timeout
    }

    pub fn schemas(&self) -> Option<&Path> {
        path(&self.schemas)
    }

    pub fn partition(&self) -> Partition {
        self.create.partition
    }

    pub fn ingest(&self) -> ingest::Options {
        let defaults = ingest::Options::default();
        let batch_bytes = self.ingest.batch;
        ingest::Options {
            batch_bytes,
            batch_age: self.ingest.batch_age,
            threads: if self.ingest.threads == 0 { defaults.threads } else { self.ingest.threads },
            source: crate::source::Options {
                max_line_bytes: self.ingest.max_line as usize,
                max_ratio: self.ingest.max_ratio.max(1),
                // A batch is at least as large as its chunks.
                chunk_bytes: defaults.source.chunk_bytes.min(batch_bytes as usize),
                ..defaults.source
            },
            max_rejects: None,
            keep_odd_times: self.ingest.keep_odd_times,
        }
    }

    /// Returns whether small files are merged after an ingest or a pull.
    pub fn is_compacting(&self) -> bool {
        self.compact.automatic
    }

    /// Returns how small files are merged.
    pub fn compact(&self) -> CompactOptions {
        self.compact.options()
    }

    /// Returns how long rows are kept.
    pub fn retain(&self) -> RetainPolicy {
        self.retain.policy()
    }

    pub fn pull(&self) -> ingest::PullOptions {
        let pull = &self.pull;
        ingest::PullOptions {
            page_size: pull.page_size.max(1),
            overlap: pull.overlap,
            settling: pull.settling,
            batch_pages: pull.batch_pages.max(1),
            batch_age: pull.batch_age,
            max_wait: pull.max_wait,
            threads: self.ingest().threads,
            keep_odd_times: self.ingest.keep_odd_times,
            ..ingest::PullOptions::default()
        }
    }

    /// Returns the limits of one request to an API.
    pub fn limits(&self) -> crate::source::Limits {
        let total = self.pull.timeout;
        let defaults = crate::source::Limits::default();
        crate::source::Limits {
            connect: defaults.connect.min(total),
            read: defaults.read.min(total),
            total,
            page_bytes: self.pull.max_page,
        }
    }

    /// Returns the workspaces to pull.
    pub fn sources(&self) -> Result<Vec<ApiSource>> {
        let sources = source::check(&self.source)?;
        for source in sources.iter().filter(|source| matches!(source.key, KeySource::Command(_))) {
            self.origin.may_run_commands(&format!("source `{}`", source.name))?;
        }
        Ok(sources)
    }

    pub fn is_redacting(&self) -> bool {
        self.redact.enabled
    }

    pub fn redact_rules(&self) -> Option<&Path> {
        path(&self.redact.rules)
    }

    /// Returns the user's own rules as the file has them; [`Rules::own`](crate::redact::Rules::own) reads them.
    pub fn own_redact_rules(&self) -> &[toml::Table] {
        &self.redact.own
    }

    pub fn sql(&self) -> sql::Options {
        let memory = self.sql.memory.map(|bytes| bytes as usize).or_else(|| machine_memory().map(|bytes| bytes / 2));
        sql::Options {
            memory_limit: memory,
            spill_folder: path(&self.sql.spill_folder).map(Path::to_path_buf),
            spill_limit: Some(self.sql.spill),
            timeout: self.sql.timeout.filter(|timeout| !timeout.is_zero()),
            without_facts: !self.sql.facts,
            ..sql::Options::default()
        }
    }

    /// Returns the options of `serve`; certificate and key may come from the file or from flags, each by itself.
    pub fn serve(&self) -> serve::Options {
        self.serve.options()
    }

    pub fn reports(&self) -> Option<&Path> {
        path(&self.report.directory)
    }

    pub fn inputs(&self) -> &BTreeMap<String, PathBuf> {
        &self.input
    }

    /// Returns the place of the private key that signs evidence.
    pub fn signing(&self) -> Option<crate::source::KeySource> {
        self.signing.key.as_ref().map(source::WrittenKey::source)
    }

    /// Returns how heads of the ledger are recorded elsewhere.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    pub fn suppressions(&self) -> Option<&Path> {
        path(&self.report.suppressions)
    }
}

fn path(text: &str) -> Option<&Path> {
    (!text.is_empty()).then(|| Path::new(text))
}

/// Returns the machine's memory in bytes, where it is known.
fn machine_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn load(text: &str) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file))
    }

    #[test]
    fn a_file_overrides_only_what_it_names() {
        let config = load("[ingest]\nbatch = \"8MiB\"\n").unwrap();
        assert_eq!(config.ingest().batch_bytes, 8 << 20);
        assert_eq!(config.ingest().batch_age, Duration::from_secs(10));
        assert_eq!(config.ingest().source.chunk_bytes, 8 << 20);
        let small = load("[ingest]\nbatch = \"0.5MiB\"\n").unwrap().ingest();
        assert_eq!((small.batch_bytes, small.source.chunk_bytes), (512 << 10, 512 << 10));
    }

    #[test]
    fn values_have_units_and_empty_text_is_none() {
        let config = load("[sql]\ntimeout = \"1m\"\nmemory = \"1GB\"\n[pull]\noverlap = \"P2D\"\n").unwrap();
        assert_eq!(config.sql().timeout, Some(Duration::from_secs(60)));
        assert_eq!(config.sql().memory_limit, Some(1_000_000_000));
        assert_eq!(config.pull().overlap, Duration::from_secs(172_800));
        let config = load("").unwrap();
        assert_eq!((config.sql().timeout, config.lock_timeout()), (None, Duration::from_secs(600)));
    }

    /// The modules' own defaults serve their tests; two different defaults would be two programs.
    #[test]
    fn modules_agree_with_the_defaults_of_the_file() {
        let config = load("").unwrap();
        let [file, module] = [config.ingest(), ingest::Options::default()].map(|options| format!("{options:?}"));
        assert_eq!(file, module);
        let threads = config.ingest().threads;
        let module = ingest::PullOptions { threads, ..ingest::PullOptions::default() };
        assert_eq!(format!("{:?}", config.pull()), format!("{module:?}"));
        let [file, module] = [config.limits(), crate::source::Limits::default()].map(|limits| format!("{limits:?}"));
        assert_eq!(file, module);
    }

    #[test]
    fn keys_that_a_file_sets_are_listed_with_their_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        let text = "[ingest]\nbatch = \"8MiB\"\n[input]\nleavers = \"l.csv\"\n[[source]]\nname = \"a\"\n[lake]\nkey = { env = \"K\" }\n";
        std::fs::write(&file, text).unwrap();
        let settings = Config::settings(Some(&file)).unwrap();
        let told: Vec<_> = settings.iter().map(|s| (s.key.as_str(), s.value.as_str(), s.default.as_str())).collect();
        let expected = [
            ("ingest.batch", "\"8MiB\"", "\"64MiB\""),
            ("input.leavers", "\"l.csv\"", ""),
            ("lake.key.env", "\"K\"", ""),
            ("source", "1 entry", "none"),
        ];
        assert_eq!(told, expected);
        assert!(Config::settings(Some(&dir.path().join("absent.toml"))).is_err());
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
        for (value, why) in [
            ("\"a\"", "cannot read the size `a`; write 80MiB"),
            ("\"8m\"", "write 8MiB (powers of 1024) or 8MB"),
            ("\"0\"", "too small"),
        ] {
            let error = load(&format!("\n[ingest]\nbatch = {value}\n")).unwrap_err();
            assert!(error.to_string().contains(why) && error.to_string().contains("c.toml:3"), "{error}");
        }
        // A number has no unit: nobody guesses whether bytes or MiB are meant.
        assert!(load("[ingest]\nbatch = 80\n").is_err());
        assert!(load("[sql]\ntimeout = \"90\"\n").unwrap_err().to_string().contains("write 90s"));
    }
}
