//! A folder of evidence, checked: nothing in it changed, and the same lake gives the same bytes again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::catalog::Catalog;
use super::evidence::{self, Evidence, PROGRAM};
use super::facts::{Facts, Span};
use super::hashes::{hashes, names};
use super::params::Params;
use super::produce::{Order, produce};
use super::suppress::Suppressions;
use crate::disk::Unfinished;
use crate::error::{Context, Kind, Result};
use crate::sql::Session;

/// Files whose bytes may change with the program's version; the rows may not.
const DRAWN: [&str; 4] = ["report.html", "report.md", "result.parquet", "result.xlsx"];

/// What a check of one folder said.
#[derive(Debug, Default)]
pub struct Findings {
    /// Any of these: the folder is not what it says.
    pub problems: Vec<String>,
    /// Worth saying, and no reason to doubt the rows.
    pub notes: Vec<String>,
}

/// Whether `folder` holds the evidence of one report.
pub fn is_evidence(folder: &Path) -> bool {
    folder.join(evidence::FILE).is_file()
}

/// What the folder says of itself: every file against its hash, and no file more or less.
pub fn folder_alone(folder: &Path) -> Result<(Evidence, Findings)> {
    let path = folder.join(evidence::FILE);
    let bytes = fs::read(&path).context(Kind::Usage, || format!("cannot read {}", path.display()))?;
    let evidence = Evidence::parse(&bytes, &path.display().to_string())?;
    let mut problems = Vec::new();
    let found = hashes(folder)?;
    for file in &evidence.files {
        match found.iter().find(|there| there.name == file.name) {
            None => problems.push(format!("{} is missing", file.name)),
            Some(there) if there != file => problems.push(format!(
                "{} was changed: sha256 {}, {} bytes, instead of {}, {} bytes",
                file.name, there.sha256, there.bytes, file.sha256, file.bytes
            )),
            Some(_) => {}
        }
    }
    let is_known = |name: &str| name == evidence::FILE || evidence.files.iter().any(|file| file.name == name);
    for there in found.iter().filter(|there| !is_known(&there.name)) {
        problems.push(format!("{} was added: the evidence does not know it", there.name));
    }
    if evidence::hash(evidence.report.text.as_bytes()) != evidence.report.sha256 {
        problems.push("the report's text was changed".to_string());
    }
    let result = evidence.files.iter().find(|file| file.name == "result.json");
    if result.is_none_or(|file| file.sha256 != evidence.result_sha256) {
        problems.push("the hash of the result is not that of result.json".to_string());
    }
    Ok((evidence, Findings { problems, notes: Vec::new() }))
}

/// Runs the report again over `session`, which sees the recorded ledger entry, into `scratch`, and compares.
pub async fn run_again(
    folder: &Path,
    evidence: &Evidence,
    catalog: &Catalog,
    session: Arc<Session>,
    key: Option<[u8; 32]>,
    scratch: &Path,
) -> Result<Findings> {
    let mut found = Findings::default();
    let ledger = evidence::Ledger::of(&session);
    if ledger != evidence.ledger {
        found.problems.push(format!(
            "ledger entry {} is not the one that was seen: sha256 {} instead of {}",
            ledger.sequence, ledger.sha256, evidence.ledger.sha256
        ));
    }
    match (&key, &evidence.seal) {
        (_, None) => found.notes.push("it has no seal: it was made without the lake's key".to_string()),
        (Some(key), Some(_)) if !evidence.is_sealed_by(key)? => {
            found.problems.push("evidence.json was changed: its seal is not of this content and this lake".to_string());
        }
        _ => {}
    }
    if let Ok(known) = catalog.get(&evidence.report.id)
        && known.text != evidence.report.text
    {
        found.notes.push(format!("report `{}` has changed since; the text of then was run", evidence.report.id));
    }
    let report = catalog.read(&evidence.report.file, &evidence.report.text)?;
    // A month makes other values, which are recorded too and are no parameters.
    let given = evidence.parameters.iter().filter(|parameter| report.parameter(&parameter.name).is_some());
    let given: Vec<(String, String)> = given.map(|given| (given.name.clone(), given.value.clone())).collect();
    let params = Params::new(&report, &given, None)?;
    let span = Span::of(&params, evidence.period.from_ms.zip(evidence.period.to_ms));
    let facts = Arc::new(Facts::gather(span, &session).await?);
    let suppressions = Suppressions::new(evidence.suppressions.entries.clone(), evidence.suppressions.expired.clone());
    let order = Order {
        session,
        report,
        params,
        asked: evidence.period.clone(),
        facts,
        suppressions,
        stamp: evidence.run.clone(),
        key,
        unfinished: Unfinished::default(),
    };
    let again = produce(&order, scratch, true).await?;

    for (then, now) in pairs(&evidence.conventions, &again.evidence.conventions) {
        if then != now {
            found.notes.push(format!("the convention `{}` has changed since", then.or(now).unwrap_or_default()));
        }
    }
    let is_same_program = evidence.run.program == PROGRAM;
    let mut all = names(folder)?;
    all.extend(names(&again.folder)?);
    all.sort();
    all.dedup();
    for name in all {
        let read = |folder: &Path| fs::read(folder.join(&name)).ok();
        let (then, now) = (read(folder), read(&again.folder));
        if then == now {
            continue;
        }
        let text = match (&then, &now) {
            (Some(then), Some(now)) => format!("{name} differs when run again{}", first_difference(then, now)),
            (None, _) => format!("{name} is missing: a run makes it"),
            (_, None) => format!("{name} is not made by a run"),
        };
        // evidence.json holds the hashes of the others, and so differs with them.
        let is_drawn = DRAWN.contains(&name.as_str()) || name == evidence::FILE;
        match is_drawn && !is_same_program {
            true => found.notes.push(format!("{text}; it was made by {}, this is {PROGRAM}", evidence.run.program)),
            false => found.problems.push(text),
        }
    }
    Ok(found)
}

/// Names of the texts of two runs that do not agree.
fn pairs<'a>(then: &'a [evidence::Text], now: &'a [evidence::Text]) -> Vec<(Option<&'a str>, Option<&'a str>)> {
    let lacks = |texts: &[evidence::Text], text: &evidence::Text| !texts.contains(text);
    let gone = then.iter().filter(|text| lacks(now, text)).map(|text| (Some(text.name.as_str()), None));
    let is_new = |text: &&evidence::Text| !then.iter().any(|other| other.name == text.name);
    gone.chain(now.iter().filter(is_new).map(|text| (None, Some(text.name.as_str())))).collect()
}

/// Where two texts begin to differ.
fn first_difference(then: &[u8], now: &[u8]) -> String {
    let (Ok(then), Ok(now)) = (std::str::from_utf8(then), std::str::from_utf8(now)) else {
        return format!(": {} bytes then, {} now", then.len(), now.len());
    };
    let line = then.lines().zip(now.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or_else(|| then.lines().count().min(now.lines().count()));
    let shown = |text: &str| {
        let line = text.lines().nth(line).unwrap_or("<end>");
        line.chars().take(120).collect::<String>()
    };
    format!(" in line {}: `{}` then, `{}` now", line + 1, shown(then), shown(now))
}
