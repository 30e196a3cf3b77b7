//! A folder of evidence, checked: nothing in it changed, the question asked is the one that its report asks, and the
//! same lake gives the same bytes again.
//!
//! The folder is suspect. Its own account of the question proves nothing: the SQL of a report of ours is compared with
//! this program's, that of a user's report with a file that the verifier names. Nothing of the folder is followed or
//! run before its files and seal are right, and the second run has no key, so that it cannot make a seal.

use std::path::Path;
use std::sync::Arc;

use super::super::catalog::all::Catalog;
use super::super::catalog::header::Report;
use super::super::catalog::params::Params;
use super::super::evidence::facts::{Log, Span};
use super::super::evidence::hashes::{look, names, read_file};
use super::super::evidence::input::Input;
use super::super::evidence::record::{self, Evidence, PROGRAM};
use super::super::evidence::suppress::Suppressions;
use super::attest;
use super::produce::{Order, produce};
use crate::disk::Unfinished;
use crate::error::{Error, Result};
use crate::sql::Session;

/// Files whose bytes may change with the program's version; the rows may not.
const DRAWN: [&str; 4] = ["report.html", "report.md", "result.parquet", "result.xlsx"];

/// Limit in bytes for a file of evidence that is read as a whole.
const MAX_BYTES: u64 = 1 << 30;

/// The result of checking one folder.
#[derive(Debug, Default)]
pub struct Findings {
    /// Problems; any of them means that the folder is not what it says.
    pub problems: Vec<String>,
    /// Notes for everyone who relies on the folder.
    pub notes: Vec<String>,
}

impl Findings {
    pub fn extend(&mut self, other: Findings) {
        self.problems.extend(other.problems);
        self.notes.extend(other.notes);
    }
}

/// Returns whether `folder` holds the evidence of one report, or something in its place.
pub fn is_evidence(folder: &Path) -> bool {
    folder.join(record::FILE).symlink_metadata().is_ok()
}

/// Checks a folder by itself: every file against its hash, and no file more or less.
pub fn folder_alone(folder: &Path) -> Result<(Evidence, Findings)> {
    let path = folder.join(record::FILE);
    let bytes = read_file(&path, MAX_BYTES)?;
    let evidence = Evidence::parse(&bytes, &path.display().to_string())?;
    let (found, mut problems) = look(folder)?;
    if evidence.to_bytes()? != bytes {
        problems.push(format!("{} is not written as a run writes it", record::FILE));
    }
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
    problems.extend(attest::check(folder)?);
    let attested = attest::files(folder)?;
    let is_known = |name: &str| {
        name == record::FILE
            || evidence.files.iter().any(|file| file.name == name)
            || attested.iter().any(|file| file == name)
    };
    for there in found.iter().filter(|there| !is_known(&there.name)) {
        problems.push(format!("{} was added: the evidence does not know it", there.name));
    }
    if record::hash(evidence.report.text.as_bytes()) != evidence.report.sha256 {
        problems.push("the report's text was changed".to_string());
    }
    let result = evidence.files.iter().find(|file| file.name == "result.json");
    if result.is_none_or(|file| file.sha256 != evidence.result_sha256) {
        problems.push("the hash of the result is not that of result.json".to_string());
    }
    for input in &evidence.inputs {
        let is_kept =
            |file: &&super::super::evidence::hashes::FileHash| file.name == input.file && file.sha256 == input.sha256;
        if !evidence.files.iter().any(|file| is_kept(&file)) {
            problems.push(format!("the copy of the input `{}` is not what was read", input.name));
        }
    }
    Ok((evidence, Findings { problems, notes: Vec::new() }))
}

/// Checks whether the question asked is the one that the report of that name asks: in this program, or in a file that
/// the verifier named.
///
/// Errors with [`Kind::Usage`] for a report that is in neither.
pub fn asked(evidence: &Evidence, catalog: &Catalog, named: &[Report]) -> Result<Findings> {
    let mut found = Findings::default();
    let (id, then) = (&evidence.report.id, &evidence.run.program);
    let is_same_program = then == PROGRAM;
    let ours = catalog.get(id).ok();
    let file = named.iter().find(|report| report.id == *id);
    match (ours, file) {
        (_, Some(file)) if file.text != evidence.report.text => {
            found.problems.push(format!("what was run is not the report in {}", file.path));
        }
        (_, Some(file)) => found.notes.push(format!("the report is the one in {}", file.path)),
        (Some(ours), None) if ours.text == evidence.report.text && !ours.is_own => {}
        (Some(ours), None) if ours.text == evidence.report.text => {
            found.notes.push(format!("the report is the one in {}", ours.path));
        }
        (Some(ours), None) if ours.is_own => {
            found.problems.push(format!("what was run is not the report in {}", ours.path));
        }
        (Some(_), None) if is_same_program => {
            found.problems.push(format!("what was run is not the report `{id}` of {PROGRAM}: its text was changed"));
        }
        (Some(_), None) => found.notes.push(format!(
            "the report `{id}` of {then} is not the one of this program, {PROGRAM}; the text in the folder was run, which \
             nobody here vouches for: read it, or check it with {then}"
        )),
        (None, None) => {
            return Err(Error::usage(format!("the report `{id}` is none of this program's"))
                .hint(format!("name the file that it is in: --report {id}.sql")));
        }
    }
    for text in &evidence.conventions {
        if catalog.conventions().view(&text.name).is_some_and(|view| record::hash(view.text.as_bytes()) == text.sha256)
        {
            continue;
        }
        if is_same_program {
            found.problems.push(format!("the convention `{}` is not the one of {PROGRAM}", text.name))
        } else {
            found.notes.push(format!("the convention `{}` is not the one of {then}; this is {PROGRAM}", text.name))
        }
    }
    Ok(found)
}

/// Returns the inputs that the run was given, from the copies in the folder.
pub fn inputs(folder: &Path, evidence: &Evidence, catalog: &Catalog) -> Result<Vec<Input>> {
    let mut found = Vec::new();
    for input in &evidence.inputs {
        // The name was compared with those of the folder's files, so it leads nowhere else.
        let path = folder.join(&input.file);
        found.push(Input::parse(&input.name, &path, read_file(&path, MAX_BYTES)?, catalog.conventions())?);
    }
    Ok(found)
}

/// Runs the report again over `session`, which sees the recorded ledger entry and the inputs, into `scratch`, and
/// compares.
pub async fn run_again(
    folder: &Path,
    evidence: &Evidence,
    catalog: &Catalog,
    session: Arc<Session>,
    inputs: Vec<Input>,
    scratch: &Path,
) -> Result<Findings> {
    let mut found = Findings::default();
    let ledger = record::Ledger::of(&session);
    if ledger != evidence.ledger {
        found.problems.push(format!(
            "ledger entry {} is not the one that was seen: sha256 {} instead of {}",
            ledger.sequence, ledger.sha256, evidence.ledger.sha256
        ));
    }
    let report = catalog.read(&evidence.report.file, &evidence.report.text)?;
    // A month sets other values, which are recorded too and are not parameters.
    let given = evidence.parameters.iter().filter(|parameter| report.parameter(&parameter.name).is_some());
    let given: Vec<(String, String)> = given.map(|given| (given.name.clone(), given.value.clone())).collect();
    let params = Params::new(&report, &given, None)?;
    let span = Span::of(&params, evidence.period.from_ms.zip(evidence.period.to_ms));
    let given: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
    let facts = Log::read(session.clone(), [&report]).await?.facts(&report, &params, span, &given).await?;
    let suppressions = Suppressions::new(evidence.suppressions.entries.clone(), evidence.suppressions.expired.clone());
    let order = Order {
        session,
        folder: report.id.clone(),
        report,
        params,
        asked: evidence.period.clone(),
        facts,
        inputs: Arc::new(inputs),
        suppressions,
        stamp: evidence.run.clone(),
        seal: None,
        unfinished: Unfinished::default(),
    };
    let again = produce(&order, scratch, true).await?;

    let is_same_program = evidence.run.program == PROGRAM;
    let mut tell = |text: String, may_differ: bool| {
        if may_differ && !is_same_program {
            found.notes.push(format!("{text}; it was made by {}, this is {PROGRAM}", evidence.run.program))
        } else {
            found.problems.push(text)
        }
    };
    let mut all = names(folder)?;
    all.extend(names(&again.folder)?);
    all.sort();
    all.dedup();
    // People's decisions are not part of the run.
    let attested = attest::files(folder)?;
    for name in all.iter().filter(|name| *name != record::FILE && !attested.contains(name)) {
        let read = |folder: &Path| read_file(&folder.join(name), u64::MAX - 1).ok();
        let (then, now) = (read(folder), read(&again.folder));
        if then == now {
            continue;
        }
        let text = match (&then, &now) {
            (Some(then), Some(now)) => format!("{name} differs when run again{}", first_difference(then, now)),
            (None, _) => format!("{name} is missing: a run makes it"),
            (_, None) => format!("{name} is not made by a run"),
        };
        tell(text, DRAWN.contains(&name.as_str()));
    }
    let (then, now) = (evidence.unsealed(), again.evidence.unsealed());
    if then != now {
        let text =
            format!("{} differs when run again{}", record::FILE, first_difference(&then.to_bytes()?, &now.to_bytes()?));
        tell(text, true);
    }
    Ok(found)
}

/// Describes where two texts begin to differ.
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
