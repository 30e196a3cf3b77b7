//! Two runs of one report: which findings are new, gone, and still there, by their key.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::evidence::{self, Evidence};
use super::findings::{key_of, severity_of};
use crate::error::{Context, Error, Kind, Result};

/// What differs between the findings of two folders.
#[derive(Debug, Default, Serialize)]
pub struct Diff {
    pub report: String,
    pub new: Vec<Entry>,
    pub gone: Vec<Entry>,
    pub unchanged: Vec<Entry>,
}

/// One finding, with its row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub finding: String,
    pub severity: &'static str,
    pub row: Map<String, Value>,
}

/// Compares folder `a`, the earlier one, with `b`. Rows of one key count as one finding.
pub fn diff(a: &Path, b: &Path) -> Result<Diff> {
    let (first, before) = findings(a)?;
    let (second, after) = findings(b)?;
    if first != second {
        return Err(Error::usage(format!("cannot compare `{first}` with `{second}`"))
            .hint("name two folders of the same report"));
    }
    let mut diff = Diff { report: first, ..Diff::default() };
    for (key, entry) in &after {
        let place = if before.contains_key(key) { &mut diff.unchanged } else { &mut diff.new };
        place.push(entry.clone());
    }
    diff.gone = before.into_iter().filter(|(key, _)| !after.contains_key(key)).map(|(_, entry)| entry).collect();
    Ok(diff)
}

/// The report of a folder and its findings by key.
fn findings(folder: &Path) -> Result<(String, BTreeMap<String, Entry>)> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).context(Kind::Usage, || format!("cannot read {}", path.display()))
    };
    let bytes = read(evidence::FILE)
        .map_err(|error| error.hint("name the folder of one report, as `report run -o DIR` makes it"))?;
    let evidence = Evidence::parse(&bytes, &folder.join(evidence::FILE).display().to_string())?;
    let text = String::from_utf8_lossy(&read("result.json")?).into_owned();
    let id = evidence.report.id;
    let mut found = BTreeMap::new();
    // One row a line, as the program writes it: the line itself makes the key of a row that has none.
    for line in text.lines() {
        let line = line.trim_start_matches('[').trim_end_matches(']').trim_end_matches(',');
        if line.is_empty() {
            continue;
        }
        let row: Map<String, Value> = serde_json::from_str(line)
            .context(Kind::Integrity, || format!("cannot read {}", folder.join("result.json").display()))?;
        let finding = key_of(&id, &row, line);
        let severity = severity_of(&row).name();
        found.entry(finding.clone()).or_insert(Entry { finding, severity, row });
    }
    Ok((id, found))
}
