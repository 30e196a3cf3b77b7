//! `auditlake gen`: synthetic audit-log entries.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use chrono::NaiveDate;

use super::App;
use super::screen::{bytes, count};
use crate::error::{Context, Kind, Result};
use crate::r#gen;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many entries to make
    count: u64,
    /// Equal seeds make equal entries
    #[arg(long, default_value_t = r#gen::Options::default().seed)]
    seed: u64,
    /// Days that the entries are spread over
    #[arg(long, default_value_t = r#gen::Options::default().days)]
    days: u32,
    /// People of the workspace
    #[arg(long, default_value_t = r#gen::Options::default().users)]
    users: u32,
    /// The first day, UTC
    #[arg(long, default_value = "2026-01-01", value_name = "YYYY-MM-DD")]
    from: NaiveDate,
    /// The file to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let options = r#gen::Options {
        count: args.count,
        seed: args.seed,
        days: args.days,
        users: args.users,
        start_ms: args.from.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis(),
    };
    let summary = match &args.out {
        None => r#gen::run(&options, &mut app.screen.stdout())?,
        Some(path) => to_file(&options, path)?,
    };
    app.screen.say(format!("{} entries, {}", count(summary.entries), bytes(summary.bytes)));
    for story in &summary.stories {
        app.screen.say(format!("  {}: {}", story.name, story.text));
    }
    Ok(0)
}

/// Writes entries to a file that must be whole when we return.
pub fn to_file(options: &r#gen::Options, path: &std::path::Path) -> Result<r#gen::Summary> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).context(Kind::Unavailable, cannot)?);
    let summary = r#gen::run(options, &mut file)?;
    file.flush().context(Kind::Unavailable, cannot)?;
    Ok(summary)
}
