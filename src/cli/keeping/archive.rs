//! `auditlake archive`: a closed range of the lake in one tar.

use std::path::PathBuf;

use super::super::App;
use super::super::access::{Access, Read};
use super::super::terminal::output::Output;
use super::super::terminal::signer::signer;
use super::super::terminal::value::{check_period, when};
use super::super::trust::verify::{LISTED, things};
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{ArchiveRange, Archived, Fault, Lake, Level, Verify, VerifyProgress, verify_archive};
use crate::typed::{When, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The beginning of the range: the first instant of a partition, such as 2026-01-01
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: When,
    /// The end of the range, excluded: the first instant of a later partition, not after now
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: When,
    /// The archive to write; `-` for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print what was packed as JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let now_ms = app.clock.now_ms();
    let (since_us, until_us) = (args.since.micros(now_ms), args.until.micros(now_ms));
    check_period(Some(since_us), Some(until_us))?;
    let lake = app.open_lake()?;
    let range = ArchiveRange::of(lake.state().lake.partition, since_us, until_us, now_ms.saturating_mul(1000))?;
    let signer = signer(app)?;
    warn_of_holes(app, &lake, (since_us, until_us));
    let mut access = Access::of(app, &lake)?;
    let mut out = Output::begin(app, Some(&args.output))?;
    if args.json && out.is_screen() {
        return Err(Error::usage("the archive and what was packed cannot both be written to stdout")
            .hint("name a file with --output"));
    }
    let is_file = !out.is_screen();
    let (since, until) = range.days();
    access.begin(app, &Read::Archive { since: &since, until: &until }, lake.state().sequence)?;
    let packed = app.wait(async move {
        let done = lake.archive(&range, signer.as_ref(), &mut out).await?;
        out.finish().map(|()| done)
    });
    access.end(app, packed.as_ref().map(|done| done.manifest.rows()))?;
    access.close(app)?;
    let done = packed?;
    if args.json {
        let text = serde_json::to_string(&done).context(Kind::Internal, || "cannot encode what was packed")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        app.screen.say(told(&done));
    }
    if is_file { check(app, args.output) } else { Ok(0) }
}

fn told(done: &Archived) -> String {
    let manifest = &done.manifest;
    let signed = if done.is_signed { ", signed" } else { ", not signed: the configuration names no signing key" };
    format!(
        "{} rows in {} files from {} to before {}, as after ledger entry {}{signed}; SHA256SUMS {}",
        count(manifest.rows()),
        count(manifest.files()),
        manifest.since,
        manifest.until,
        manifest.entry,
        done.sums_sha256
    )
}

/// Warns of the sources of which a part of the range was never pulled: an archive has only what the lake has.
fn warn_of_holes(app: &App, lake: &Lake, (since_us, until_us): (i64, i64)) {
    let (from_ms, to_ms) = (since_us.div_euclid(1000), until_us.div_euclid(1000) - 1);
    for (name, pull) in &lake.state().pulls {
        let spans = pull.credible(app.clock.now_ms()).spans(Some(from_ms), Some(to_ms));
        if spans.iter().any(|span| !span.is_covered) {
            app.screen.warn(format!(
                "{name} was not pulled for all of this range: what comes later is not in the archive; `auditlake coverage {name}` lists the holes"
            ));
        }
    }
}

/// Reads the archive back.
fn check(app: &App, path: PathBuf) -> Result<u8> {
    let asked = Verify {
        level: Level::Bytes,
        anchor: None,
        public_key: None,
        most: LISTED,
        patience: app.patience(),
        progress: VerifyProgress::default(),
    };
    let found = app.wait(async move { verify_archive(&path, &asked).await })?;
    for Fault { path, fault } in &found.faults {
        app.screen.say(format!("{path}: {fault}"));
    }
    match found.fault_count {
        0 => Ok(0),
        faults => {
            Err(Error::new(Kind::Integrity, format!("the archive is not what the ledger says: {}", things(faults)))
                .hint("`auditlake verify` lists what is wrong with the lake; remove the archive and make it again"))
        }
    }
}
