//! `auditlake report attest` and `pack`: evidence that people reviewed, and evidence that leaves the house.

use std::path::{Path, PathBuf};

use super::super::App;
use super::super::terminal::login::login;
use super::super::terminal::signer::signer;
use super::verify::folders;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::report::{
    Attester, Report, Sealer, attest, decisions, decisions_template, folder_alone, intact, is_evidence, mark_reviewed,
    pack as pack_folder,
};

#[derive(Debug, clap::Args)]
pub struct AttestArgs {
    /// The folder of one report, as `report run -o DIR` makes it
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A decision for each row, as CSV: finding, decision (keep or revoke), reason, reviewer, date
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Person who reviewed it
    #[arg(long, value_name = "NAME", required_unless_present = "template")]
    by: Option<String>,
    /// Write a file of decisions to fill in instead: a line for each row
    #[arg(long, value_name = "FILE", conflicts_with_all = ["decisions", "by"])]
    template: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct PackArgs {
    /// The folder of a report, or the directory of a run over several
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Write the package to this file [default: the folder's name with .zip, beside it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a package that is there
    #[arg(long)]
    replace: bool,
}

/// Returns the sealer: the lake's key if the lake is available, and the key that signs.
fn sealer(app: &App) -> Result<Sealer> {
    let key = if app.lake_path().exists() { app.open_lake()?.find_key("evidence")? } else { None };
    Ok(Sealer { key, signer: signer(app)? })
}

pub fn run_attest(app: &App, args: &AttestArgs) -> Result<()> {
    let folder =
        std::path::absolute(&args.folder).context(Kind::Usage, || format!("cannot read {}", args.folder.display()))?;
    if !is_evidence(&folder) {
        return Err(Error::usage(format!("there is no evidence in {}", args.folder.display()))
            .hint("name the folder of one report, as `report run -o DIR` makes it"));
    }
    let (evidence, found) = folder_alone(&folder)?;
    if let Some(problem) = found.problems.first() {
        return Err(Error::new(Kind::Integrity, format!("cannot attest {}: {problem}", args.folder.display())));
    }
    let report: Report = super::catalog(app)?.read(&evidence.report.file, &evidence.report.text)?;
    if let Some(path) = &args.template {
        if !disk::create(path, decisions_template(&folder, &report)?.as_bytes())? {
            return Err(Error::usage(format!("{} is there already", path.display())).hint("take another name"));
        }
        app.screen.say(format!("{}: fill in decision (keep or revoke), reason, reviewer and date", path.display()));
        return Ok(());
    }
    let sealer = sealer(app)?;
    if let Some(key) = &sealer.key
        && !evidence.is_sealed_by(key)?
    {
        return Err(Error::new(Kind::Integrity, format!("cannot attest {}: its seal is wrong", args.folder.display()))
            .hint("name the lake that it was made from with `--lake`"));
    }
    let dir = disk::parent_of(&folder);
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    intact(&dir, &sealer)?;
    let decided = match &args.decisions {
        None => Vec::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .context(Kind::Usage, || format!("cannot read the decisions {}", path.display()))?;
            decisions(&text, &path.display().to_string())?
        }
    };
    let decided = redacted(app, decided)?;
    let by = args.by.clone().unwrap_or_default();
    let who = Attester { time_ms: app.clock.now_ms(), login: login(), name: by, sealer };
    let made = attest(&folder, &report, &who, decided)?;
    let review = made.review();
    let counts = match review.in_words() {
        counts if counts.is_empty() => "no row decided on its own".to_string(),
        counts => counts,
    };
    app.screen.say(format!("{}: reviewed by {}: {counts}", made.report, review.by));
    if mark_reviewed(&dir, &name, review, &super::catalog(app)?, &who.sealer)? {
        app.screen.say(format!("the index of the run says so too: {}", dir.join("index.html").display()));
    }
    Ok(())
}

/// Redacts what people write as events are redacted, where the lake is available.
fn redacted(app: &App, decided: Vec<crate::report::Decision>) -> Result<Vec<crate::report::Decision>> {
    if !app.lake_path().exists() {
        return Ok(decided);
    }
    let (policy, _) = app.policy_of_reader(&app.open_lake()?)?;
    Ok(decided
        .into_iter()
        .map(|mut one| {
            one.reason = policy.own(&one.reason);
            one.reviewer = policy.operand(&one.reviewer);
            one
        })
        .collect())
}

pub fn run_pack(app: &App, args: &PackArgs) -> Result<()> {
    let folder =
        std::path::absolute(&args.folder).context(Kind::Usage, || format!("cannot read {}", args.folder.display()))?;
    let reports = folders(&folder)?;
    let reports: Vec<&Path> = reports.iter().map(PathBuf::as_path).collect();
    let packed = pack_folder(&folder, &reports, &sealer(app)?)?;
    let output = args.output.clone().unwrap_or_else(|| folder.with_added_extension("zip"));
    if args.replace {
        disk::write(&output, &packed.bytes)?;
    } else if !disk::create(&output, &packed.bytes)? {
        return Err(Error::usage(format!("{} is there already", output.display()))
            .hint("name another file with `-o`, or say --replace"));
    }
    let signed = if packed.is_signed { "signed" } else { "unsigned" };
    app.screen.say(format!("{}: {} files, {signed}", output.display(), packed.files));
    app.screen.say(format!("SHA256SUMS has the sha256 {}: tell it by another way", packed.sums_sha256));
    Ok(())
}
