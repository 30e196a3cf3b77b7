//! API sources in the configuration: which workspaces, and where their keys come from.

use std::path::PathBuf;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::source::{Endpoint, KeySource};
use crate::typed::When;

/// The requests that the API allows a user, unless the configuration says otherwise.
const REQUESTS_PER_MINUTE: u32 = 30;

/// One `[[source]]` as the file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: String,
    base_url: String,
    key: WrittenKey,
    user: Option<String>,
    requests_per_minute: Option<u32>,
    #[serde(default, deserialize_with = "super::value::when_or_none")]
    since: Option<When>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(super) enum WrittenKey {
    Env(String),
    File(PathBuf),
    Command(Vec<String>),
}

impl WrittenKey {
    pub(super) fn source(&self) -> KeySource {
        match self {
            WrittenKey::Env(variable) => KeySource::Environment(variable.clone()),
            WrittenKey::File(path) => KeySource::File(path.clone()),
            WrittenKey::Command(words) => KeySource::Command(words.clone()),
        }
    }
}

/// One API source, checked.
#[derive(Debug, Clone)]
pub struct ApiSource {
    pub name: String,
    pub endpoint: Endpoint,
    pub key: KeySource,
    /// Sources of one user share its budget.
    pub user: String,
    pub requests_per_minute: u32,
    pub since: Option<When>,
}

/// Checks all sources together: names are unique, and sources that share a user share its smallest budget.
pub(super) fn check(written: &[Written]) -> Result<Vec<ApiSource>> {
    let mut sources: Vec<ApiSource> = Vec::new();
    for source in written {
        let name = &source.name;
        if sources.iter().any(|other| other.name == *name) {
            return Err(Error::usage(format!("cannot use the configuration: two sources are named `{name}`")));
        }
        let user = source.user.clone().unwrap_or_else(|| name.clone());
        for (what, text) in [("name", name), ("user", &user)] {
            if !is_name(text) {
                return Err(Error::usage(format!(
                    "cannot use the configuration: `{text}` cannot be a source's {what}"
                ))
                .hint("letters, digits, `-`, `_` and `.`, at most 64, and a letter or digit first"));
            }
        }
        let explain = |error: Error| {
            let hint = error.hint_text().unwrap_or_default().to_string();
            Error::usage(format!("source `{name}`: {error}")).hint(hint)
        };
        let requests_per_minute = source.requests_per_minute.unwrap_or(REQUESTS_PER_MINUTE);
        if requests_per_minute == 0 {
            return Err(Error::usage(format!("source `{name}`: `requests_per_minute` is at least 1")));
        }
        sources.push(ApiSource {
            name: name.clone(),
            endpoint: Endpoint::parse(&source.base_url).map_err(explain)?,
            key: source.key.source(),
            user,
            requests_per_minute,
            since: source.since,
        });
    }
    let budgets: Vec<(String, u32)> =
        sources.iter().map(|source| (source.user.clone(), source.requests_per_minute)).collect();
    for source in &mut sources {
        let shared = budgets.iter().filter(|(user, _)| *user == source.user);
        source.requests_per_minute = shared.map(|(_, requests)| *requests).min().unwrap_or(source.requests_per_minute);
    }
    Ok(sources)
}

/// Returns whether a text can be a file name everywhere.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
