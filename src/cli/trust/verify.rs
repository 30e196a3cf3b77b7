//! `auditlake verify`: the whole lake, or an archive of it, compared with its ledger.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::terminal::signer::read_public;
use super::super::{App, access};
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{READS_PURPOSE, faults_of_series};
use crate::jobs::{Log, RUNS};
use crate::lake::{self, Anchor, Fault, Lake, Level, SERVE, Verified, Verify, VerifyProgress, anchor_path};
use crate::signing::PublicKey;
use crate::typed::{bytes, count};

/// The number of faults that are listed; all are counted.
pub const LISTED: usize = 100;

/// The interval at which the bar moves.
const TICK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An archive that `auditlake archive` wrote, to be checked as it is [default: the lake]
    #[arg(value_name = "FILE.tar")]
    archive: Option<PathBuf>,
    /// 0: the chain of entries and which files are there; 1: sizes, footers and Delta tables; 2: the SHA-256 of each
    /// file; 3: their rows, and the facts that were derived from them
    #[arg(long, value_name = "LEVEL", default_value_t = 2, value_parser = RangedU64ValueParser::<u8>::new().range(0..=3))]
    level: u8,
    /// Also compare with the head that `auditlake ledger head` printed to this file: it detects a lake that was
    /// replaced by an older copy
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// Also check the signatures of ledger entries with the public key in this file; an entry is a fault unless it, or
    /// a later one, is signed
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let anchor = args.anchor.map(|path| {
        let text = std::fs::read_to_string(&path).context(Kind::Usage, || format!("cannot read {}", path.display()))?;
        Anchor::parse(&text, &path.display().to_string())
    });
    let level = [Level::Chain, Level::Files, Level::Bytes, Level::Rows][usize::from(args.level.min(3))];
    let public_key = args.public_key.as_deref().map(read_public).transpose()?;
    let is_archive = args.archive.is_some();
    let mut found = check(app, args.archive, level, anchor.transpose()?, public_key)?;
    if level == Level::Rows && found.fault_count == 0 && !is_archive {
        for wrong in app.check_facts()? {
            let fault = Fault { path: wrong.path, fault: wrong.fault.to_string() };
            if wrong.is_left_over {
                found.notes.push(fault);
            } else {
                found.fault_count += 1;
                found.faults.push(fault);
            }
        }
    }
    // A command that cannot be run must not hide a fault.
    let trouble = if app.config.anchor().verify.is_empty() { None } else { check_answers(app, &mut found).err() };
    found.faults.truncate(LISTED);
    found.notes.truncate(LISTED);
    if args.json {
        let text = serde_json::to_string(&found).context(Kind::Internal, || "cannot encode what was found")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        for Fault { path, fault } in &found.faults {
            app.screen.print(&format!("{path}: {fault}\n"))?;
        }
    }
    for Fault { path, fault } in &found.notes {
        app.screen.say(format!("note: {path}: {fault}"));
    }
    match found.fault_count {
        0 if trouble.is_some() => trouble.map_or(Ok(0), Err),
        0 if args.json => Ok(0),
        0 => {
            app.screen.print(&format!("{}\n", summary(&found)))?;
            Ok(0)
        }
        faults if is_archive => Err(Error::new(
            Kind::Integrity,
            format!("the archive is not what was packed: {}{}", things(faults), anchors(&found)),
        )
        .hint("get another copy of it, or make it again from the lake")),
        faults => Err(Error::new(
            Kind::Integrity,
            format!("the lake is not what was written: {}{}", things(faults), anchors(&found)),
        )
        .hint("`auditlake repair --dry-run` reports what can be repaired; restore the rest from a backup")),
    }
}

/// Asks the operator's command about each answer that the anchors got.
fn check_answers(app: &App, found: &mut Verified) -> Result<()> {
    for kept in &found.anchors.agreeing {
        if !app.is_answer(&kept.body)? {
            found.fault_count += 1;
            found.anchors.agree -= 1;
            found.faults.push(Fault {
                path: anchor_path(kept.sequence).to_string(),
                fault: format!(
                    "its answer is none to ledger entry {}, says `[anchor] verify`",
                    kept.body.head.sequence
                ),
            });
        }
    }
    Ok(())
}

/// Returns in words how many heads that were recorded elsewhere are the ledger's; empty when none were.
fn anchors(found: &Verified) -> String {
    let (kept, agree) = (found.anchors.kept, found.anchors.agree);
    match kept {
        0 => String::new(),
        1 => format!("; {} of 1 anchor agrees", agree),
        _ => format!("; {} of {} anchors agree", count(agree), count(kept)),
    }
}

fn summary(found: &Verified) -> String {
    let signed = if found.signed_to.is_some() { ", signed" } else { "" };
    let replaced = match found.replaced {
        0 => String::new(),
        replaced => format!(" and {} replaced ones", count(replaced)),
    };
    let range = found
        .archive
        .as_ref()
        .map_or(String::new(), |archive| format!(" from {} to before {}", archive.since, archive.until));
    format!(
        "sound at level {}{range}: {} entries, {} files{replaced}, {} rows, {}; ledger entry {} {}{signed}{}",
        u8::from(found.level),
        count(found.entries),
        count(found.files),
        count(found.rows),
        bytes(found.bytes),
        found.head.sequence,
        found.head.sha256,
        anchors(found)
    )
}

/// Formats a number of faults.
pub fn things(faults: u64) -> String {
    format!("{} {}", count(faults), if faults == 1 { "fault" } else { "faults" })
}

/// Checks an archive, or else the lake, with a bar on a terminal.
pub fn check(
    app: &App,
    archive: Option<PathBuf>,
    level: Level,
    anchor: Option<Anchor>,
    public_key: Option<PublicKey>,
) -> Result<Verified> {
    let progress = VerifyProgress::default();
    let asked =
        Verify { level, anchor, public_key, most: LISTED, patience: app.patience(), progress: progress.clone() };
    let (path, ocsf) = (app.lake_path(), app.ocsf()?);
    let bar = app.screen.is_watched().then(|| {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes}, {eta} left") {
            bar.set_style(style);
        }
        bar
    });
    let shown = bar.clone();
    let found = app.wait(async move {
        let show = async {
            loop {
                tokio::time::sleep(TICK).await;
                let (done, all) = progress.bytes();
                if let Some(bar) = &shown {
                    bar.set_length(all);
                    bar.set_position(done);
                }
            }
        };
        let checked = async {
            match &archive {
                Some(archive) => lake::verify_archive(archive, &asked).await,
                None => lake::verify(&path, &ocsf, &asked).await,
            }
        };
        tokio::select! {
            found = checked => found,
            () = show => Err(Error::new(Kind::Internal, "the bar stopped")),
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let mut found = found?;
    logs(app, &mut found)?;
    Ok(found)
}

/// Checks the logs beside the ledger: the one of runs, and reads that are not in the lake yet, by people and of servers.
fn logs(app: &App, found: &mut Verified) -> Result<()> {
    let root = app.lake_path();
    match Log::read(&root.join(RUNS)) {
        Err(error) if error.kind() == Kind::Integrity => {
            found.fault_count += 1;
            found.faults.push(Fault { path: RUNS.to_string(), fault: error.to_string() });
        }
        // The log is another account's.
        Err(error) => found.notes.push(Fault { path: RUNS.to_string(), fault: error.to_string() }),
        Ok(_) => {}
    }
    let (people, servers) = (root.join(access::FOLDER), root.join(SERVE));
    if !people.is_dir() && !servers.is_dir() {
        return Ok(());
    }
    let (ocsf, key, at) = (app.ocsf()?, app.key_place(), root.clone());
    let lake = app.wait(async move { Ok(Lake::open(&at, ocsf).await.ok().map(|lake| lake.with_key(key))) })?;
    // Readers of a lake need no key, and another lake's key counts as none.
    let key_of = |purpose: &str| lake.as_ref().and_then(|lake| lake.find_key(purpose).ok().flatten());
    let mut faults = Vec::new();
    if people.is_dir() && fs::read_dir(&people).is_ok() {
        let key = key_of(access::PURPOSE);
        if key.is_none() {
            let fault = "seals were not checked: the lake's key is not at hand".to_string();
            found.notes.push(Fault { path: access::FOLDER.to_string(), fault });
        }
        faults.extend(access::faults(&people, key)?);
    }
    // The folder is its owner's alone, and so is the key.
    if servers.is_dir()
        && fs::read_dir(&servers).is_ok()
        && let Some(key) = key_of(READS_PURPOSE)
    {
        faults.extend(faults_of_series(&servers, key)?);
    }
    for (place, fault) in faults {
        found.fault_count += 1;
        let path = place.strip_prefix(&root).unwrap_or(&place).display().to_string();
        found.faults.push(Fault { path, fault });
    }
    Ok(())
}
