//! `auditlake report verify`: evidence, checked.
//!
//! The folder is suspect, so nothing in it is followed or run before its files and its seal are right. Everything that
//! a reader who relies on it must know goes to stdout, and not only the faults.

use std::path::{Path, PathBuf};

use super::super::App;
use super::super::terminal::signer::read_public;
use super::batch::Ground;
use super::runs;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Body, Lake};
use crate::report::{
    Catalog, Evidence, Findings, NO_SEAL, Report, asked, check_manifest, folder_alone, hash_file, inputs_of,
    is_evidence, run_again, sealed_attestations,
};
use crate::signing::PublicKey;
use crate::sql::AsOf;
use crate::typed::visible;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of a report, or a directory with such folders
    #[arg(value_name = "FOLDER", required_unless_present = "runs")]
    folder: Option<PathBuf>,
    /// Check what the schedules have run instead: the chain of the run log, and that each folder is there as it was left
    #[arg(long, conflicts_with = "folder")]
    runs: bool,
    /// Check only the files against each other: neither the ledger nor the run
    #[arg(long)]
    files_only: bool,
    /// The file of a report of yours, which the evidence must be of; may be given several times
    #[arg(long = "report", value_name = "FILE")]
    reports: Vec<PathBuf>,
    /// The public key that the evidence must be signed with; without a lake at hand nothing else is needed
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

/// The references that evidence is checked against.
struct Against {
    catalog: Catalog,
    reports: Vec<Report>,
    public: Option<PublicKey>,
    /// None: only the files and the signature are checked.
    lake: Option<Lake>,
    /// The lake's key for seals, where it is available.
    key: Option<[u8; 32]>,
}

pub fn run(app: &App, args: &Args) -> Result<u8> {
    let Some(folder) = &args.folder else { return runs::verify(app) };
    let folders = folders(folder)?;
    let catalog = super::catalog(app)?;
    let reports = args.reports.iter().map(|path| catalog.read_file(path)).collect::<Result<_>>()?;
    let public = args.public_key.as_deref().map(read_public).transpose()?;
    let is_without = args.files_only || (public.is_some() && !app.lake_path().exists());
    let lake = if is_without { None } else { Some(app.open_lake()?) };
    let key = lake.as_ref().map(|lake| lake.find_key("evidence")).transpose()?.flatten();
    if lake.is_some() && key.is_none() {
        app.screen.say("note: the lake's key is not at hand: seals are not checked; everything else is");
    }
    let against = Against { catalog, reports, public, lake, key };

    let (mut bad, mut unknown) = (0, None);
    let whole = check_manifest(folder, key.as_ref(), against.public.as_ref());
    if let Some(findings) = problem_of(whole, |problem| Some(Findings { problems: vec![problem], notes: Vec::new() }))?
    {
        bad += usize::from(!findings.problems.is_empty());
        print(app, folder, &findings)?;
    }
    for folder in &folders {
        match check(app, folder, &against)? {
            Checked::Fine(findings, what) => {
                print(app, folder, &findings)?;
                app.screen.print(&format!("{}: {what}\n", line(&folder.display().to_string())))?;
            }
            Checked::Wrong(findings) => {
                bad += 1;
                print(app, folder, &findings)?;
            }
            Checked::Unknown(error) => {
                app.screen.print(&format!("{}: not checked: {error}\n", line(&folder.display().to_string())))?;
                unknown = Some(error);
            }
        }
    }
    match (bad, unknown) {
        (0, None) => Ok(0),
        (0, Some(error)) => Err(error),
        _ => Err(Error::new(Kind::Integrity, "the evidence is not what was written")),
    }
}

enum Checked {
    /// The folder is fine; the text says what was checked.
    Fine(Findings, String),
    Wrong(Findings),
    /// The user did not name the file of its report.
    Unknown(Error),
}

/// Prints a line for each problem, and for each note, which is reported whatever the verdict.
fn print(app: &App, folder: &Path, findings: &Findings) -> Result<()> {
    let name = line(&folder.display().to_string());
    for problem in &findings.problems {
        app.screen.print(&format!("{name}: {}\n", line(problem)))?;
    }
    for note in &findings.notes {
        app.screen.print(&format!("{name}: note: {}\n", line(note)))?;
    }
    Ok(())
}

/// Escapes a name in somebody else's folder, which must not look like a line of ours.
pub(super) fn line(text: &str) -> String {
    let mut out = String::new();
    visible(text, &mut out);
    out
}

/// Turns damage that the check found into a problem, so that it does not end the check.
fn problem_of<T>(checked: Result<T>, wrong: impl Fn(String) -> T) -> Result<T> {
    match checked {
        Err(error) if error.kind() == Kind::Integrity => Ok(wrong(error.to_string())),
        checked => checked,
    }
}

fn check(app: &App, folder: &Path, against: &Against) -> Result<Checked> {
    let alone = folder_alone(folder).map(|(evidence, findings)| (Some(evidence), findings));
    let wrong = |problem: String| (None, Findings { problems: vec![problem], notes: Vec::new() });
    let (evidence, mut findings) = problem_of(alone, wrong)?;
    let Some(evidence) = evidence else { return Ok(Checked::Wrong(findings)) };
    let seal = sealed(&evidence, against, &mut findings)?;
    let is_ours = against.lake.as_ref().is_some_and(|lake| lake.state().lake.lake_id == evidence.ledger.lake_id);
    let key = against.key.as_ref().filter(|_| is_ours);
    findings.extend(sealed_attestations(folder, key, against.public.as_ref())?);
    // A changed folder is not run: it may hold anything.
    if !findings.problems.is_empty() {
        return Ok(Checked::Wrong(findings));
    }
    match asked(&evidence, &against.catalog, &against.reports) {
        Ok(found) => findings.extend(found),
        Err(error) if error.kind() == Kind::Usage => return Ok(Checked::Unknown(error)),
        Err(error) => return Err(error),
    }
    let files = evidence.files.len() + 1;
    let what = match &against.lake {
        _ if !findings.problems.is_empty() => return Ok(Checked::Wrong(findings)),
        None => format!(
            "{files} files, as its evidence says; not checked: the ledger, the lake's files, the run again; {seal}"
        ),
        Some(lake) => {
            findings.extend(problem_of(against_lake(app, folder, &evidence, lake, &against.catalog), |problem| {
                Findings { problems: vec![problem], notes: Vec::new() }
            })?);
            format!("{files} files, as ledger entry {} gives it; {seal}", evidence.ledger.sequence)
        }
    };
    Ok(if findings.problems.is_empty() { Checked::Fine(findings, what) } else { Checked::Wrong(findings) })
}

/// Checks seal and signature as far as there are keys for it; returns in words what they prove.
fn sealed(evidence: &Evidence, against: &Against, found: &mut Findings) -> Result<String> {
    if let Some(lake) = &against.lake
        && lake.state().lake.lake_id == evidence.ledger.lake_id
    {
        match (&against.key, &evidence.seal) {
            (Some(_), None) => found.problems.push(format!("evidence.json {NO_SEAL}")),
            (None, None) => found.notes.push(format!("evidence.json {NO_SEAL}")),
            (Some(key), Some(_)) if !evidence.is_sealed_by(key)? => {
                found
                    .problems
                    .push("evidence.json was changed: its seal is not of this content and this lake".to_string());
            }
            _ => {}
        }
    }
    Ok(match (&against.public, &evidence.signature) {
        (Some(public), Some(_)) if evidence.is_signed_by(public)? => "signed".to_string(),
        (Some(_), Some(_)) => {
            found.problems.push("evidence.json is not signed by the owner of that public key".to_string());
            String::new()
        }
        (Some(_), None) => {
            found.problems.push("evidence.json is not signed".to_string());
            String::new()
        }
        (None, Some(_)) => "its signature was not checked: name the public key with --public-key".to_string(),
        (None, None) => "unsigned: detects accidents, not insiders".to_string(),
    })
}

/// Returns the folder itself, or those in it; links do not count.
pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    if is_evidence(folder) {
        return Ok(vec![folder.to_path_buf()]);
    }
    let cannot = || format!("cannot read {}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).context(Kind::Usage, cannot)? {
        let path = entry.context(Kind::Usage, cannot)?.path();
        if path.symlink_metadata().is_ok_and(|known| known.is_dir()) && is_evidence(&path) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        Err(Error::usage(format!("there is no evidence in {}", folder.display()))
            .hint("name a directory that `report run -o DIR` wrote"))
    } else {
        Ok(found)
    }
}

fn against_lake(app: &App, folder: &Path, evidence: &Evidence, lake: &Lake, catalog: &Catalog) -> Result<Findings> {
    let mut found = Findings::default();
    let (id, recorded) = (&lake.state().lake.lake_id, &evidence.ledger);
    if *id != recorded.lake_id {
        return Err(Error::usage(format!("{} is another lake than the one that was seen", lake.root().display()))
            .hint("name the right one with `--lake`, or check the files alone with `--files-only`"));
    }
    if recorded.sequence > lake.state().sequence {
        found.problems.push(format!(
            "the lake ends at ledger entry {}; entry {} was seen",
            lake.state().sequence,
            recorded.sequence
        ));
        return Ok(found);
    }
    chain(app, lake, recorded.sequence, &recorded.sha256, &mut found)?;
    if !found.problems.is_empty() {
        return Ok(found);
    }
    if let Some(note) = past(app, lake, evidence, &mut found)? {
        found.notes.push(note);
        return Ok(found);
    }
    let inputs = inputs_of(folder, evidence, catalog)?;
    let ground = Ground::of_tables(app, lake.clone(), Some(AsOf::Sequence(recorded.sequence)), &inputs)?;
    data(lake, &ground, evidence, &mut found)?;
    if !found.problems.is_empty() {
        return Ok(found);
    }
    let scratch = tempfile::tempdir().context(Kind::Unavailable, || "cannot make a temporary directory")?;
    let (folder, evidence, catalog) = (folder.to_path_buf(), evidence.clone(), catalog.clone());
    let (place, session) = (scratch.path().to_path_buf(), ground.session.clone());
    found.extend(app.wait(async move { run_again(&folder, &evidence, &catalog, session, inputs, &place).await })?);
    Ok(found)
}

/// Checks the ledger up to the entry: each holds the hash of the one before.
fn chain(app: &App, lake: &Lake, sequence: u64, sha256: &str, found: &mut Findings) -> Result<()> {
    let lake = lake.clone();
    let walked = app.wait(async move {
        let mut before: Option<String> = None;
        for number in 0..=sequence {
            let (entry, hash) = lake.entry(number).await?;
            if entry.previous != before {
                return Ok(Err(format!("the ledger's chain is broken at entry {number}")));
            }
            before = Some(hash);
        }
        Ok(Ok(before.unwrap_or_default()))
    });
    match walked {
        Ok(Ok(hash)) if hash == sha256 => {}
        Ok(Ok(hash)) => {
            found.problems.push(format!("ledger entry {sequence} was changed: sha256 {hash} instead of {sha256}"))
        }
        Ok(Err(problem)) => found.problems.push(problem),
        // A damaged entry is a finding, not a failure of the check.
        Err(error) if error.kind() == Kind::Integrity => found.problems.push(error.to_string()),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Handles evidence of a state whose files are gone, which cannot be run again. It is compared with what the ledger
/// recorded of them; a note says so, and what the entries since have done.
fn past(app: &App, lake: &Lake, evidence: &Evidence, found: &mut Findings) -> Result<Option<String>> {
    let (of, sequence) = (lake.clone(), evidence.ledger.sequence);
    let state = app.wait(async move { of.state_as_recorded(sequence).await })?;
    let gone = lake.files_gone(&state);
    if gone == 0 {
        return Ok(None);
    }
    for table in &evidence.tables {
        let known = state.tables.get(&table.name).map(|known| known.files.as_slice()).unwrap_or_default();
        for file in &table.files {
            if !known.iter().any(|known| known.path() == file.path && known.sha256.to_string() == file.sha256) {
                found.problems.push(format!("{}/{} is no file of ledger entry {sequence}", table.name, file.path));
            }
        }
    }
    let (of, last) = (lake.clone(), lake.state().sequence);
    let removed = app.wait(async move {
        let mut removed = 0_u64;
        of.entries(sequence + 1, last, |entry, _| {
            removed += u64::from(matches!(entry.body, Body::Retain(_) | Body::Erase(_)));
            Ok(())
        })
        .await?;
        Ok(removed)
    })?;
    let since = match removed {
        0 => "the entries since then kept every row: their digests add up",
        _ => "entries since then have removed or replaced rows: `select * from ingest_log` lists them",
    };
    Ok(Some(format!(
        "not run again: {gone} of the files that it could read were removed since; the ledger has them as the evidence \
         lists them, and {since}"
    )))
}

/// Checks the files that the run could read. Their paths come from the ledger, not from the folder.
fn data(lake: &Lake, ground: &Ground, evidence: &Evidence, found: &mut Findings) -> Result<()> {
    let tables = &ground.session.state().tables;
    for table in &evidence.tables {
        let known = tables.get(&table.name).map(|known| known.files.as_slice()).unwrap_or_default();
        for file in &table.files {
            let name = format!("{}/{}", table.name, file.path);
            if !known.iter().any(|known| known.path() == file.path && known.sha256.to_string() == file.sha256) {
                found.problems.push(format!("{name} is no file of ledger entry {}", evidence.ledger.sequence));
                continue;
            }
            let path = lake.place_of(&table.name, &file.path);
            if !path.exists() {
                found.problems.push(format!("{name} is gone from the lake"));
                continue;
            }
            let (sha256, bytes) = hash_file(&path)?;
            if (sha256.as_str(), bytes) != (file.sha256.as_str(), file.bytes) {
                found.problems.push(format!("{name} was changed in the lake"));
            }
        }
    }
    Ok(())
}
