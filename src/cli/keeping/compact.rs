//! `auditlake compact`: small files become larger ones.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::App;
use super::super::terminal::value;
use crate::clock::Clock;
use crate::disk::Patience;
use crate::error::{Context, Kind, Result};
use crate::lake::{self, Anchoring, CompactOptions, Compacted, Keeper, KeyPlace, Lake, Signing};
use crate::schema::Ocsf;
use crate::typed::{bytes, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// How large files are to become [default: 32MiB]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    target: Option<u64>,
    /// How long replaced files are kept for readers of older states [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = value::lock_timeout)]
    grace: Option<Duration>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let defaults = app.config.compact();
    let options = CompactOptions {
        target_bytes: args.target.unwrap_or(defaults.target_bytes).max(1),
        grace: args.grace.unwrap_or(defaults.grace),
        ..defaults
    };
    let lake = app.open_lake()?;
    let done = if args.dry_run {
        lake::foresee(lake.state(), &options, app.clock.now_ms().max(lake.state().time_ms))
    } else {
        compact(app, lake, options, true)?
    };
    if args.json {
        let text = serde_json::to_string(&done).context(Kind::Internal, || "cannot encode what was done")? + "\n";
        app.screen.print_json(&text)?;
    } else {
        tell(app, &done, args.dry_run)?;
    }
    Ok(0)
}

fn tell(app: &App, done: &Compacted, is_dry: bool) -> Result<()> {
    let would = if is_dry { "would be " } else { "" };
    if done.files_before > 0 {
        let size = if is_dry {
            String::new()
        } else {
            format!(", {} instead of {}", bytes(done.bytes_after), bytes(done.bytes_before))
        };
        app.screen.print(&format!(
            "{} files {would}merged into {}: {} rows{size}\n",
            count(done.files_before),
            count(done.files_after),
            count(done.rows)
        ))?;
    }
    if done.dropped > 0 {
        app.screen.print(&format!(
            "{} replaced files {would}removed, {}\n",
            count(done.dropped),
            bytes(done.dropped_bytes)
        ))?;
    }
    if done.files_before + done.dropped == 0 {
        app.screen.print("nothing to do\n")?;
    }
    if done.kept > 0 {
        app.screen.say(format!(
            "{} replaced files are kept for readers of older states, {}",
            count(done.kept),
            bytes(done.kept_bytes)
        ));
    }
    if done.left > 0 {
        app.screen.say(format!("{} groups of files are left for the next run", count(done.left)));
    }
    Ok(())
}

fn compact(app: &App, lake: Lake, options: CompactOptions, is_thorough: bool) -> Result<Compacted> {
    let clock = app.clock;
    app.wait(async move { Keeper::new(lake, clock)?.compact(&options, is_thorough).await })
}

/// Merges small files after an ingest or a pull where many exist. The ingested events are in the lake whatever happens
/// here, so trouble is a warning.
pub fn automatically(app: &App) {
    let done = match Automatic::of(app) {
        Ok(None) => return,
        Ok(Some(automatic)) => app.wait(automatic.run()),
        Err(error) => Err(error),
    };
    say(app, done);
}

/// Does the same beside a pull that continues: to be called after each round, from a task of the runtime.
pub fn meanwhile(app: &App) -> impl Fn() + Send + Sync + use<> {
    let (app, is_running) = (app.clone(), Arc::new(AtomicBool::new(false)));
    move || {
        let Ok(Some(automatic)) = Automatic::of(&app) else { return };
        if is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        let (app, is_running) = (app.clone(), is_running.clone());
        tokio::spawn(async move {
            say(&app, automatic.run().await);
            is_running.store(false, Ordering::Release);
        });
    }
}

fn say(app: &App, done: Result<Compacted>) {
    match done {
        Ok(done) if done.files_after > 0 => {
            let (before, after) = (count(done.files_before), count(done.files_after));
            app.screen.say(format!("merged {before} small files into {after}"));
        }
        Ok(_) => {}
        Err(error) => app.screen.say(format!("warning: small files were not merged: {error}")),
    }
}

/// A compaction that nobody asked for.
struct Automatic {
    path: PathBuf,
    ocsf: Arc<Ocsf>,
    patience: Patience,
    key: KeyPlace,
    signing: Signing,
    anchoring: Anchoring,
    clock: Clock,
    options: CompactOptions,
}

impl Automatic {
    /// Returns `None` where the configuration switches it off, or no lake exists.
    fn of(app: &App) -> Result<Option<Automatic>> {
        let path = app.lake_path();
        if !app.config.is_compacting() || !path.exists() {
            return Ok(None);
        }
        Ok(Some(Automatic {
            path,
            ocsf: app.ocsf()?,
            patience: app.patience(),
            key: app.key_place(),
            signing: app.ledger_signing(),
            anchoring: app.anchoring(),
            clock: app.clock,
            options: app.config.compact(),
        }))
    }

    async fn run(self) -> Result<Compacted> {
        let lake = Lake::open(&self.path, self.ocsf).await?.with_patience(self.patience).with_key(self.key);
        let lake = lake.with_signing(self.signing).with_anchoring(self.anchoring);
        if lake::plan_compaction(lake.state(), &self.options, false).is_empty() {
            return Ok(Compacted::default());
        }
        Keeper::new(lake, self.clock)?.compact(&self.options, false).await
    }
}
