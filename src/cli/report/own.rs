//! `auditlake report check`, `new` and `diff`.

use std::path::{Path, PathBuf};

use super::super::App;
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{self, Lake};
use crate::report::{self, Catalog, Entry, template};
use crate::sql::Session;
use crate::typed::visible;

#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// The folder of the earlier run
    #[arg(value_name = "A")]
    before: PathBuf,
    /// The folder of the later run
    #[arg(value_name = "B")]
    after: PathBuf,
    /// Print only what is new: for mails
    #[arg(long)]
    new_only: bool,
    /// Print the findings with their rows as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the differences; the exit code is 1 when something is new.
pub fn diff(app: &App, args: &DiffArgs) -> Result<u8> {
    let diff = report::diff(&args.before, &args.after)?;
    let code = if diff.new.is_empty() { 0 } else { Kind::Finding.exit_code() };
    if args.json {
        let text =
            if args.new_only { serde_json::to_string_pretty(&diff.new) } else { serde_json::to_string_pretty(&diff) };
        app.screen.print_json(&(text.context(Kind::Internal, || "cannot encode the difference")? + "\n"))?;
        return Ok(code);
    }
    let mut text = String::new();
    let mut list = |mark: char, entries: &[Entry]| {
        for entry in entries {
            // A key holds logged text: a line break in it must not make it look like another key.
            let mut key = String::new();
            visible(&entry.finding, &mut key);
            text.push_str(&format!("{mark} {:<13} {key}\n", entry.severity));
        }
    };
    list('+', &diff.new);
    if !args.new_only {
        list('-', &diff.gone);
        list(' ', &diff.unchanged);
    }
    app.screen.print(&text)?;
    app.screen.say(format!(
        "{}: {} new, {} gone, {} unchanged",
        diff.report,
        diff.new.len(),
        diff.gone.len(),
        diff.unchanged.len()
    ));
    Ok(code)
}

/// Checks the reports of a directory over a lake without events: their heads must hold whatever the data is.
pub fn check(app: &App, directory: &Path) -> Result<u8> {
    let (catalog, ocsf) = (Catalog::load(None)?, app.ocsf()?);
    let scratch = tempfile::tempdir().context(Kind::Unavailable, || "cannot make a temporary directory")?;
    let (place, clock, options) = (scratch.path().join("lake"), app.clock, app.sql_options());
    let folder = directory.to_path_buf();
    let checked = app.wait(async move {
        let lake = Lake::open_or_create(&place, &lake::Options::default(), ocsf, clock).await?;
        let session = Session::new(&lake, &options).await?;
        report::check(&catalog, &folder, &session).await
    })?;
    let mut bad = 0;
    for one in &checked {
        let name = one.path.display();
        for problem in &one.problems {
            app.screen.print(&format!("{name}: {problem}\n"))?;
        }
        for advice in &one.advice {
            app.screen.print(&format!("{name}: note: {advice}\n"))?;
        }
        if one.problems.is_empty() { app.screen.print(&format!("{name}: fine\n"))? } else { bad += 1 }
    }
    Ok(if bad > 0 { Kind::Finding.exit_code() } else { 0 })
}

/// Writes a report to start from.
pub fn new(app: &App, id: &str, dir: Option<PathBuf>) -> Result<()> {
    let text = template(id)?;
    if let Ok(known) = Catalog::load(None)?.get(id) {
        return Err(Error::usage(format!("there is a report `{id}` already, {}", known.path)).hint("take another id"));
    }
    let dir = dir.or_else(|| app.config.reports().map(Path::to_path_buf)).unwrap_or_else(|| PathBuf::from("."));
    disk::make_dir(&dir).context(Kind::Unavailable, || format!("cannot create {}", dir.display()))?;
    let path = dir.join(format!("{id}.sql"));
    if !disk::create(&path, text.as_bytes())? {
        return Err(Error::usage(format!("{} is there already", path.display())).hint("take another id"));
    }
    let dir = dir.display();
    app.screen.say(format!("{} is written; `auditlake report check {dir}` checks it", path.display()));
    app.screen.say(format!("to run it, say in the configuration:\n\n[report]\ndirectory = \"{dir}\""));
    Ok(())
}
