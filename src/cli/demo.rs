//! `auditlake demo`: from nothing to answers, in one command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::intake::generate;
use super::intake::ingest;
use super::intake::progress::Progress;
use super::report::{RunArgs, run_reports};
use super::{App, shell};
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::r#gen;
use crate::source::Input;
use crate::sql::{Params, Session};
use crate::typed::{bytes, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of entries to generate
    #[arg(long, default_value_t = 50_000)]
    entries: u64,
}

const QUESTIONS: [(&str, &str); 3] = [
    (
        "Who failed to log on most often, and from how many addresses?",
        "select user.email_addr as account, count(*) as failures, count(distinct src_endpoint.ip) as addresses\n\
         from authentication\n\
         where status_id = 2 and user.email_addr is not null\n\
         group by all order by failures desc, account limit 5",
    ),
    (
        "Who gave privileges to himself?",
        "select time, actor.user.email_addr as who, array_to_string(privileges, ', ') as privileges\n\
         from user_access\n\
         where activity_id = 1 and status_id = 1 and actor.user.uid = user.uid\n\
         order by time limit 5",
    ),
    (
        "What happened in the hour after the first deleted account?",
        "select time, actor_label as actor, action, target_label as target, outcome, src_ip\n\
         from event\n\
         where time between (select min(time) from account_change where activity_id = 6)\n\
           and (select min(time) + interval '1 hour' from account_change where activity_id = 6)\n\
           and class <> 'entity_management'\n\
         order by time, _event_uid limit 8",
    ),
];

/// Reports that find the planted incidents, and some that an auditor asks for first.
const REPORTS: [&str; 8] = [
    "auth-outcome-summary",
    "brute-force-by-user",
    "impossible-travel",
    "leaver-residual-access",
    "monthly-executive-summary",
    "privileged-grants-log",
    "sod-violations",
    "user-provisioning-log",
];

pub fn run(app: &App, args: Args) -> Result<u8> {
    let screen = &app.screen;
    // Everything that the demo writes is in one new directory, so that nothing can be overwritten.
    let folder = fresh(Path::new("auditlake-demo"))?;
    let root = app.global.lake.clone().unwrap_or_else(|| folder.join("lake"));
    if root.join("_ledger").exists() {
        return Err(Error::usage(format!("a lake exists at {}", root.display()))
            .hint("the demo needs a new directory: leave out `--lake`, or name another one"));
    }
    disk::make_dir(&folder).context(Kind::Unavailable, || format!("cannot create {}", folder.display()))?;
    let mut global = app.global.clone();
    global.lake = Some(root.clone());
    let app = &App { global, ..app.clone() };

    let file = folder.join("entries.ndjson");
    screen.say(format!("Generating {} synthetic audit-log entries in {} ...", count(args.entries), file.display()));
    let options = r#gen::Options { count: args.entries, ..r#gen::Options::default() };
    let made = generate::write(app, &options, Some(&file))?;
    screen.say(format!("{}, with these incidents:", bytes(made.bytes)));
    for story in &made.stories {
        screen.say(format!("  {}: {}", story.name, story.text));
    }
    screen.say(format!("\nIngesting them into a new lake at {} ...", root.display()));
    let (summary, _) = ingest::ingest(app, Input::File(file).into(), app.config.ingest(), Progress::Auto)?;
    ingest::say(app, &summary);

    let lake = app.open_lake()?;
    let options = app.sql_options();
    let session = Arc::new(app.wait(async move { Session::new(&lake, &options).await })?);
    for (question, sql) in QUESTIONS {
        screen.print(&format!("\n-- {question}\n{sql};\n"))?;
        shell::show(app, &session, sql, Params::new())?;
    }
    let reports = folder.join("reports");
    screen.print("\n-- reports, with their evidence\n")?;
    let args = RunArgs {
        ids: REPORTS.map(str::to_string).to_vec(),
        period: Some("2026-01".to_string()),
        output: Some(reports.clone()),
        ..RunArgs::default()
    };
    run_reports(app, &args)?;
    let finding = reports.join("brute-force-by-user/result.csv");
    screen.print(&format!("\n{}", first_lines(&finding, 4)?))?;
    let (lake, reports) = (root.display(), reports.display());
    screen.say(format!(
        "\nYour turn:\n  \
         auditlake sql --lake {lake}                       the shell; \\d lists the tables\n  \
         auditlake report verify {reports} --lake {lake}    is the evidence what was written?\n  \
         auditlake report list                             all reports\n  \
         auditlake connect --for polars --lake {lake}      the lines for a notebook\n  \
         auditlake ingest FILE --lake DIR                  your own events"
    ));
    screen.say(format!("\nOpen this page in a browser: {reports}/index.html, and there the burst of failed logons"));
    Ok(0)
}

/// Returns `NAME`, or `NAME-2` and so on: the first that does not exist.
fn fresh(name: &Path) -> Result<PathBuf> {
    let candidates = std::iter::once(name.to_path_buf())
        .chain((2..1000).map(|number| PathBuf::from(format!("{}-{number}", name.display()))));
    candidates
        .into_iter()
        .find(|path| !path.exists())
        .ok_or_else(|| Error::usage("a thousand demo lakes exist here").hint("name a directory with `--lake`"))
}

fn first_lines(path: &Path, lines: usize) -> Result<String> {
    let text =
        std::fs::read_to_string(path).context(Kind::Unavailable, || format!("cannot read {}", path.display()))?;
    let mut head: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
    let left = text.lines().count().saturating_sub(lines);
    if left > 0 {
        head.push_str(&format!("... and {left} more\n"));
    }
    Ok(head)
}
