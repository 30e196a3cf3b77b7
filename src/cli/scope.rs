//! What part of the lake a query sees, what its parameters are, and what it may use: flags of every command with SQL.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::sql::{AsOf, Options, Params, parse_bytes, parse_duration, parse_param, parse_time};

#[derive(Debug, Clone, Default, clap::Args)]
pub struct Scope {
    /// See the lake as it was after this ledger entry, or at this time
    #[arg(long, value_name = "SEQUENCE|TIME")]
    as_of: Option<AsOf>,
    /// See no event before this time; nothing older is read
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<i64>,
    /// See no event at or after this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<i64>,
    /// Set `:NAME` in the SQL; text unless a type is given: text, int, double, bool, timestamp
    #[arg(long = "param", value_name = "NAME[:TYPE]=VALUE")]
    params: Vec<String>,
    /// Hold at most so much in memory, then spill to disk [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory_limit: Option<usize>,
    /// Stop a statement that takes longer: 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

impl Scope {
    /// The configured options, with what the flags say.
    pub fn options(&self, configured: Options) -> Result<Options> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(Error::usage("the period is empty: --since is not before --until")
                .hint("--until is the first instant after the period"));
        }
        Ok(Options {
            as_of: self.as_of,
            since_us: self.since,
            until_us: self.until,
            memory_limit: self.memory_limit.or(configured.memory_limit),
            timeout: self.timeout.or(configured.timeout),
            ..configured
        })
    }

    pub fn as_of(&self) -> Option<AsOf> {
        self.as_of
    }

    pub fn params(&self) -> Result<Params> {
        let mut params = Params::new();
        for text in &self.params {
            let (name, value) = parse_param(text)?;
            if params.iter().any(|(known, _)| *known == name) {
                return Err(Error::usage(format!("the parameter `{name}` is given twice")));
            }
            params.push((name, value));
        }
        Ok(params)
    }
}
