//! An attestation: who reviewed the evidence of a run, and the decision on each of its rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::evidence::hashes::FileHash;
use super::summary::Review;
use crate::error::{Context, Kind, Result};
use crate::signing::Signature;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    pub format: u32,
    pub report: String,
    /// The hash of the `evidence.json` that was reviewed.
    pub evidence_sha256: String,
    /// The number in the chain, from 1.
    pub number: u64,
    /// The hash of the attestation before.
    pub previous_sha256: Option<String>,
    pub time_ms: i64,
    pub program: String,
    /// The login under which the report ran, and that under which it was attested: the system supplies both.
    pub prepared_by: String,
    pub attested_by: String,
    /// The name that the reviewer stated.
    pub reviewed_by: String,
    /// One for each row of the review; none where somebody signs the page as it is.
    pub decisions: Vec<Decision>,
    pub files: Vec<FileHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The key of the row.
    pub finding: String,
    pub decision: Choice,
    pub reason: String,
    pub reviewer: String,
    pub date: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    Keep,
    Revoke,
}

impl Choice {
    pub fn name(self) -> &'static str {
        match self {
            Choice::Keep => "keep",
            Choice::Revoke => "revoke",
        }
    }
}

impl Attestation {
    pub fn file(number: u64) -> String {
        format!("attestation-{number}.json")
    }

    /// Returns the name of the page that shows it.
    pub fn page(number: u64) -> String {
        format!("review-{number}.html")
    }

    /// Returns the review for the index of the run.
    pub fn review(&self) -> Review {
        let mut decisions: BTreeMap<String, u64> = BTreeMap::new();
        for one in &self.decisions {
            *decisions.entry(one.decision.name().to_string()).or_default() += 1;
        }
        Review { by: self.reviewed_by.clone(), time_ms: self.time_ms, number: self.number, decisions }
    }

    pub fn unsealed(&self) -> Attestation {
        Attestation { signature: None, seal: None, ..self.clone() }
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self).context(Kind::Internal, || "cannot encode the attestation")?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Formats a value of `result.json` as a cell shows it.
pub fn text_of(value: Option<&serde_json::Value>) -> String {
    match value {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Array(items)) => {
            items.iter().map(|item| text_of(Some(item))).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}
