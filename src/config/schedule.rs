//! Schedules as the file has them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::value;

/// One `[[schedule]]` as the file has it.
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
    /// Inputs in addition to those of `[input]`, or instead of them.
    #[serde(default)]
    pub input: BTreeMap<String, PathBuf>,
    #[serde(default)]
    pub xlsx: bool,
    #[serde(default, deserialize_with = "value::duration_or_none")]
    pub wait: Option<Duration>,
    pub since: Option<String>,
    #[serde(default)]
    pub afterwards: Vec<String>,
}

fn utc() -> String {
    "UTC".to_string()
}
