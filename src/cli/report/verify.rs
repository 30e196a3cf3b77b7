//! `auditlake report verify`: evidence, checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::App;
use super::batch::Ground;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Lake, data_path};
use crate::report::{Catalog, Evidence, Findings, check_manifest, folder_alone, hash_file, is_evidence, run_again};
use crate::sql::AsOf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of a report, or a directory with such folders
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Check only the files against each other: neither the ledger nor the run
    #[arg(long)]
    files_only: bool,
}

pub fn run(app: &App, args: &Args) -> Result<u8> {
    let folders = folders(&args.folder)?;
    let catalog = super::catalog(app)?;
    let lake = if args.files_only { None } else { Some(app.open_lake()?) };
    let key = lake.as_ref().map(|lake| lake.find_key("evidence")).transpose()?.flatten();
    if lake.is_some() && key.is_none() {
        app.screen.say("note: the lake's key is not at hand: seals are not checked; everything else is");
    }
    let mut bad = 0;
    if let Some(findings) = check_manifest(&args.folder, key.as_ref())? {
        bad += usize::from(!findings.problems.is_empty());
        for problem in &findings.problems {
            app.screen.print(&format!("{}: {problem}\n", args.folder.display()))?;
        }
    }
    for folder in &folders {
        let (evidence, mut findings) = folder_alone(folder)?;
        // What was changed is not worth running again: the answer is there.
        if let (Some(lake), true) = (&lake, findings.problems.is_empty()) {
            let found = against_lake(app, folder, &evidence, lake, &catalog)?;
            findings.problems.extend(found.problems);
            findings.notes.extend(found.notes);
        }
        let name = folder.display();
        for note in &findings.notes {
            app.screen.say(format!("{name}: note: {note}"));
        }
        match findings.problems.is_empty() {
            true => {
                let files = evidence.files.len() + 1;
                let what = match &lake {
                    Some(_) => format!("as ledger entry {} gives it", evidence.ledger.sequence),
                    None => "as its evidence says".to_string(),
                };
                app.screen.print(&format!("{name}: {files} files, {what}\n"))?;
            }
            false => {
                bad += 1;
                for problem in &findings.problems {
                    app.screen.print(&format!("{name}: {problem}\n"))?;
                }
            }
        }
    }
    match bad {
        0 => Ok(0),
        _ => Err(Error::new(Kind::Integrity, "the evidence is not what was written")),
    }
}

/// The folder itself, or those in it.
fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    if is_evidence(folder) {
        return Ok(vec![folder.to_path_buf()]);
    }
    let cannot = || format!("cannot read {}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).context(Kind::Usage, cannot)? {
        let path = entry.context(Kind::Usage, cannot)?.path();
        if is_evidence(&path) {
            found.push(path);
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(Error::usage(format!("there is no evidence in {}", folder.display()))
            .hint("name a directory that `report run -o DIR` wrote")),
        false => Ok(found),
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
    data(lake, evidence, &mut found)?;
    if !found.problems.is_empty() {
        return Ok(found);
    }
    let scratch = tempfile::tempdir().context(Kind::Unavailable, || "cannot make a temporary directory")?;
    let ground = Ground::over(app, lake.clone(), Some(AsOf::Sequence(recorded.sequence)))?;
    let (folder, evidence, catalog) = (folder.to_path_buf(), evidence.clone(), catalog.clone());
    let place = scratch.path().to_path_buf();
    let again = app.wait(async move {
        run_again(&folder, &evidence, &catalog, Arc::clone(&ground.session), ground.key, &place).await
    })?;
    found.problems.extend(again.problems);
    found.notes.extend(again.notes);
    Ok(found)
}

/// The ledger up to the entry: each holds the hash of the one before.
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

/// The files that the run could read.
fn data(lake: &Lake, evidence: &Evidence, found: &mut Findings) -> Result<()> {
    for table in &evidence.tables {
        for file in &table.files {
            let path = lake.root().join(data_path(&table.name, &file.path).as_ref());
            if !path.exists() {
                found.problems.push(format!("{}/{} is gone from the lake", table.name, file.path));
                continue;
            }
            let (sha256, bytes) = hash_file(&path)?;
            if (sha256.as_str(), bytes) != (file.sha256.as_str(), file.bytes) {
                found.problems.push(format!("{}/{} was changed in the lake", table.name, file.path));
            }
        }
    }
    Ok(())
}
