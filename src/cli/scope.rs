//! The part of the lake that a query sees, its parameters and its limits: flags of every command with SQL.

use std::time::Duration;

use super::terminal::value::{State, check_period, duration, size, state, when};
use crate::error::{Error, Result};
use crate::sql::{Options, Params, parse_param};
use crate::typed::When;

#[derive(Debug, Clone, Default, clap::Args)]
pub struct Scope {
    /// Query the lake as it was after this ledger entry, or at this time
    #[arg(long, value_name = "SEQUENCE|TIME", value_parser = state)]
    as_of: Option<State>,
    /// Only events at or after this time, such as 2026-01-31, or 7d for seven days ago; older files are not read
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Set `:NAME` in the SQL; text unless a type is given: text, int, double, bool, timestamp
    #[arg(long = "param", value_name = "NAME[:TYPE]=VALUE")]
    params: Vec<String>,
    /// Memory limit; queries spill to disk beyond it [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory_limit: Option<u64>,
    /// Stop a statement that takes longer: 30s, 5m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Leave out a rule of the optimizer; tests look for one that changes answers
    #[arg(long = "without-rule", value_name = "RULE", hide = true)]
    without_rules: Vec<String>,
}

impl Scope {
    /// Returns the configured options, overridden by the flags.
    pub fn options(&self, configured: Options, now_ms: i64) -> Result<Options> {
        let at = |when: Option<When>| when.map(|when| when.micros(now_ms));
        let (since_us, until_us) = (at(self.since), at(self.until));
        check_period(since_us, until_us)?;
        Ok(Options {
            as_of: self.as_of.map(|state| state.as_of(now_ms)),
            since_us,
            until_us,
            memory_limit: self.memory_limit.map(|bytes| bytes as usize).or(configured.memory_limit),
            timeout: self.timeout.or(configured.timeout),
            without_rules: self.without_rules.clone(),
            ..configured
        })
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
