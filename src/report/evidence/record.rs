//! `evidence.json`: the basis of a result, so that it can be checked and made again.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::catalog::header::Report;
use super::facts::Facts;
use super::findings::{Tally, Verdict};
use super::hashes::FileHash;
use super::input::InputFile;
use super::suppress::Suppression;
use crate::error::{Context, Error, Kind, Result};
use crate::signing::{PublicKey, Purpose, Signature, Signer};
use crate::sql::Session;
use crate::typed::hex;

pub const FILE: &str = "evidence.json";
const FORMAT: u32 = 2;
/// The version of the report catalogue that the embedded reports follow.
const CATALOGUE: u32 = 2;
pub const PROGRAM: &str = concat!("auditlake ", env!("CARGO_PKG_VERSION"));

/// The run header of the catalogue (section 3), and what `report verify` needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub format: u32,
    pub catalogue: u32,
    pub report: ReportText,
    pub conventions: Vec<Text>,
    pub parameters: Vec<Value>,
    pub period: Asked,
    pub verdict: Verdict,
    pub tally: Tally,
    /// The hash of `result.json`: the rows as they are.
    pub result_sha256: String,
    pub facts: Facts,
    pub ledger: Ledger,
    /// The tables that the report reads, as the ledger entry records them.
    pub tables: Vec<Table>,
    /// Tables that the run was given and the report read.
    pub inputs: Vec<InputFile>,
    pub suppressions: Suppressed,
    pub run: Stamp,
    /// Every other file of the folder.
    pub files: Vec<FileHash>,
    /// The signature of this text without signature and seal, by the private key of the process that ran it, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// HMAC-SHA-256 of the same text by a key of the lake. Everybody who can run a report has that key: it detects
    /// accidents, not insiders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
}

/// The keys that evidence is sealed with.
#[derive(Debug, Clone)]
pub struct Sealer {
    /// The lake's key for seals; evidence that is made without it has no seal.
    pub key: Option<[u8; 32]>,
    pub signer: Option<Signer>,
}

/// The holder of the lake's key cannot tell these two from each other, and so believes neither.
pub const NO_SEAL: &str = "has no seal: it was made without the lake's key, or the seal was taken off";

/// The report as it was when it ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportText {
    pub id: String,
    pub title: String,
    pub kind: String,
    pub file: String,
    pub sha256: String,
    /// The whole file, head and SQL.
    pub text: String,
}

/// A text that is identified by its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub name: String,
    pub sha256: String,
}

/// A parameter in the form that `--param` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    pub name: String,
    pub value: String,
}

/// The period that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub text: Option<String>,
    pub time_zone: String,
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
}

/// The ledger entry that the run saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    pub lake_id: String,
    pub ocsf: String,
    pub sequence: u64,
    pub sha256: String,
    pub time_ms: i64,
    /// Lines over the life of the lake; duplicates never became rows.
    pub read: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub revised: u64,
    pub rejected: u64,
    pub blank: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub name: String,
    pub rows: u64,
    pub min_time_ms: Option<i64>,
    pub max_time_ms: Option<i64>,
    pub files: Vec<DataFile>,
}

/// A Parquet file of the lake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// The path below the table's folder.
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// The findings that were explained, and the explanations that are idle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppressed {
    /// All in force that can be about this report; those of `unused` among them met no finding.
    pub entries: Vec<Suppression>,
    pub expired: Vec<Suppression>,
    pub unused: Vec<String>,
}

/// The user who ran it, and the time: given, so that a run can be made again to the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    pub time_ms: i64,
    pub user: String,
    pub program: String,
    pub with_xlsx: bool,
}

impl Evidence {
    pub const FORMAT: u32 = FORMAT;
    pub const CATALOGUE: u32 = CATALOGUE;

    /// Returns the text of the file, sealed and signed as far as the process can.
    pub fn sealed(self, sealer: Option<&Sealer>) -> Result<(Evidence, Vec<u8>)> {
        let bytes = self.unsealed().to_bytes()?;
        let signer = sealer.and_then(|sealer| sealer.signer.as_ref());
        let sealed = Evidence {
            signature: signer.map(|signer| signer.sign(Purpose::Evidence, &bytes)),
            seal: sealer.and_then(|sealer| sealer.key.as_ref()).map(|key| seal_of(key, &bytes)),
            ..self
        };
        let bytes = sealed.to_bytes()?;
        Ok((sealed, bytes))
    }

    /// Returns whether the seal was made with this key, over this content.
    pub fn is_sealed_by(&self, key: &[u8; 32]) -> Result<bool> {
        Ok(self.seal == Some(seal_of(key, &self.unsealed().to_bytes()?)))
    }

    /// Returns whether the owner of `key` signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> Result<bool> {
        let Some(signature) = &self.signature else { return Ok(false) };
        Ok(key.has_signed(Purpose::Evidence, &self.unsealed().to_bytes()?, signature))
    }

    /// Returns the content alone.
    pub fn unsealed(&self) -> Evidence {
        Evidence { signature: None, seal: None, ..self.clone() }
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self).context(Kind::Internal, || "cannot encode the evidence")?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub fn parse(bytes: &[u8], origin: &str) -> Result<Evidence> {
        let evidence: Evidence =
            serde_json::from_slice(bytes).context(Kind::Integrity, || format!("cannot read {origin}"))?;
        if evidence.format != FORMAT {
            return Err(Error::input(format!("{origin} has format {}; this program knows {FORMAT}", evidence.format)));
        }
        Ok(evidence)
    }
}

/// Computes the seal of a text, which only the holder of the lake's key can do.
pub fn seal_of(key: &[u8; 32], bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(bytes);
    hex(&mac.finalize().into_bytes())
}

impl ReportText {
    pub fn of(report: &Report) -> ReportText {
        ReportText {
            id: report.id.clone(),
            title: report.title.clone(),
            kind: report.kind.name().to_string(),
            file: report.path.clone(),
            sha256: hash(report.text.as_bytes()),
            text: report.text.clone(),
        }
    }
}

impl Ledger {
    pub fn of(session: &Session) -> Ledger {
        let state = session.state();
        let counts = &state.totals;
        Ledger {
            lake_id: state.lake.lake_id.clone(),
            ocsf: state.lake.ocsf_version.clone(),
            sequence: state.sequence,
            sha256: state.hash.clone(),
            time_ms: state.time_ms,
            read: counts.read,
            accepted: counts.accepted,
            duplicate: counts.duplicate,
            revised: counts.revised,
            rejected: counts.rejected,
            blank: counts.blank,
        }
    }
}

/// Returns the tables of `names` that the ledger knows, by name.
pub fn tables(session: &Session, names: &[String]) -> Vec<Table> {
    let state = session.state();
    let known = state.tables.iter().filter(|(name, _)| names.contains(name));
    let tables = known.map(|(name, table)| Table {
        name: name.clone(),
        rows: table.rows(),
        min_time_ms: table.files.iter().map(|file| file.min_time_us.div_euclid(1000)).min(),
        max_time_ms: table.files.iter().map(|file| file.max_time_us.div_euclid(1000)).max(),
        files: table
            .files
            .iter()
            .map(|file| DataFile {
                path: file.path(),
                rows: file.rows,
                bytes: file.bytes,
                sha256: file.sha256.to_string(),
            })
            .collect(),
    });
    tables.collect()
}

pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
