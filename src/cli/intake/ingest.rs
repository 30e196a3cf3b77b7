//! `auditlake ingest`: events from files, directories, globs or stdin.

use std::io::IsTerminal;
use std::path::PathBuf;

use glob::Pattern;

use super::super::App;
use super::super::keeping::compact;
use super::super::terminal::files;
use super::progress::Progress;
use super::tally;
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{self, RejectLimit, Run, Summary};
use crate::source::{self, Inputs, Search};
use crate::typed::{bytes, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, directories and patterns; `-` is stdin
    #[arg(value_name = "FILE")]
    inputs: Vec<String>,
    /// Also write the summary as JSON to this file; `-` is stdout
    #[arg(long, value_name = "FILE")]
    summary_json: Option<PathBuf>,
    /// Stop when more lines than this are rejected: a number, or a share such as 5%
    #[arg(long, value_name = "LIMIT", value_parser = reject_limit)]
    max_rejects: Option<RejectLimit>,
    /// Decode and count, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Read every file of a directory, whatever its name
    #[arg(long, conflicts_with = "include")]
    all: bool,
    /// Read only files of a directory whose name or path matches, such as '*.txt'
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::new)]
    include: Vec<Pattern>,
    /// Skip files and directories whose name or path matches
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::new)]
    exclude: Vec<Pattern>,
    /// Treat each file as complete: an unfinished last line is decided now instead of being left for the next run
    #[arg(long)]
    finish: bool,
    /// Store events with an impossible `time` as they were sent instead of rejecting them
    #[arg(long)]
    keep_odd_times: bool,
    /// How progress is shown on stderr
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Progress::Auto)]
    progress: Progress,
}

fn reject_limit(text: &str) -> Result<RejectLimit, String> {
    let wrong = || "write a number, or a share such as 5%".to_string();
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
            if (0.0..=100.0).contains(&percent) { Ok(RejectLimit::Share(percent / 100.0)) } else { Err(wrong()) }
        }
        None => text.parse().map(RejectLimit::Count).map_err(|_| wrong()),
    }
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let mut names = args.inputs;
    if names.is_empty() {
        if std::io::stdin().is_terminal() {
            return Err(Error::usage("nothing to ingest").hint("name files, directories or patterns, or `-` for stdin"));
        }
        names.push("-".to_string());
    }
    let search = Search { all: args.all, include: args.include, exclude: args.exclude };
    let inputs = source::expand(&names, &search)?;
    let mut options = ingest::Options { max_rejects: args.max_rejects, ..app.config.ingest() };
    options.source.is_final = args.finish;
    options.keep_odd_times |= args.keep_odd_times;
    let (summary, cancelled) =
        if args.dry_run { (dry_run(app, inputs, options)?, 0) } else { ingest(app, inputs, options, args.progress)? };
    say(app, &summary);
    if !args.dry_run && !summary.is_interrupted && summary.files_written > 0 {
        compact::automatically(app);
    }
    if summary.is_interrupted {
        app.screen.say("interrupted: everything that was read is in the lake; run the same command to continue");
    }
    if args.dry_run {
        app.screen.say("dry run: nothing was written, and duplicates were not looked up");
    }
    if let Some(path) = args.summary_json {
        let text = serde_json::to_string(&summary).context(Kind::Internal, || "cannot encode the summary")? + "\n";
        app.write_json(&path, &text)?;
    }
    Ok(if summary.is_interrupted {
        cancelled
    } else if summary.has_too_many_rejects {
        app.screen.say("stopped: --max-rejects was exceeded; `select * from reject` shows the rejected lines");
        Kind::Incomplete.exit_code()
    } else if !summary.is_complete() {
        Kind::Incomplete.exit_code()
    } else {
        0
    })
}

/// Ingests the inputs and shows progress; ^C finishes the current batch. Also returns the exit code for that case.
pub fn ingest(app: &App, inputs: Inputs, options: ingest::Options, progress: Progress) -> Result<(Summary, u8)> {
    let lake = app.open_or_create_lake()?;
    let (policy, redaction_version) = app.policy(&lake)?;
    let mut shown = progress.start(&app.screen);
    let text = "stopping after this batch; ^C again stops at once. Run the same command to continue.";
    let stopping = app.signals.stop(app.screen, text);
    let (clock, stop) = (app.clock, stopping.flag.clone());
    let summary = app.wait(async move {
        let mut show = |progress: &ingest::Progress| shown.show(progress);
        let run = Run { lake, policy, redaction_version, clock, options, stop, progress: &mut show };
        let summary = ingest::run(run, &inputs).await;
        shown.end();
        summary
    })?;
    Ok((summary, stopping.exit_code()))
}

fn dry_run(app: &App, inputs: Inputs, options: ingest::Options) -> Result<Summary> {
    let ocsf = app.ocsf()?;
    app.tell_of_secrets();
    // Placeholders are not shown, so any key will do.
    let policy = app.policy_with_key(b"dry run")?.0;
    let clock = app.clock;
    app.wait(async move { ingest::dry_run(ocsf, policy, clock, &options, &inputs).await })
}

/// Kinds of drift that deserve a warning, and their meaning.
const WARNINGS: [(&str, &str); 4] = [
    ("foreign-era", "the class name or category contradicts `class_uid`; the events are in other_event"),
    ("suspicious-time", "`time` seems to be in seconds, and was stored as sent"),
    ("odd-time", "`time` cannot be the time of an event, and was stored as sent"),
    ("unusable-uid", "the id is neither a text nor an integer, so another delivery is not recognised"),
];

/// Prints what a run did.
pub fn say(app: &App, summary: &Summary) {
    let screen = &app.screen;
    files::say(screen, summary);
    for (table, rows) in &summary.rows {
        screen.say(format!("{table:<20} {:>12} rows", count(*rows)));
    }
    for (reason, rejects) in &summary.rejects {
        screen.say(format!("rejected: {} x {reason}", count(*rejects)));
    }
    for (what, times) in &summary.drift {
        if let Some((_, meaning)) = WARNINGS.iter().find(|(name, _)| name == what) {
            screen.say(format!("warning: {} x {what}: {meaning}", count(*times)));
        }
    }
    let redacted: u64 = summary.redacted.values().sum();
    if redacted > 0 {
        screen.say(format!("redacted: {} secrets", count(redacted)));
    }
    tally::notes(screen, &summary.counts, &summary.notes);
    screen.say(tally::identity(&summary.counts));
    let rate = summary.bytes_read as f64 / summary.seconds.max(0.001);
    screen.say(format!(
        "{} in {:.1} s ({}/s); {} files, {} written",
        bytes(summary.bytes_read),
        summary.seconds,
        bytes(rate as u64),
        count(summary.files_written),
        bytes(summary.bytes_written)
    ));
}
