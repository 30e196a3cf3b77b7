//! Facts, as commands come by them: which folder is for caches, and when they are made, checked and removed.

use std::path::PathBuf;
use std::time::Duration;

use super::App;
use crate::error::{Context, Kind, Result};
use crate::lake::Lake;
use crate::sql::{self, Session, WrongFacts};

/// Rows of a pull that are worth making facts of at once. Of fewer the first reader makes them in no time, and so he does
/// after an `ingest`, which ends as soon as its rows are safe.
const MANY_ROWS: u64 = 20_000;

/// How long a pull goes on making facts when its work is done.
const LONGEST: Duration = Duration::from_secs(60);

impl App {
    /// How statements are run.
    pub fn sql_options(&self) -> sql::Options {
        sql::Options { facts_folder: folder(), ..self.config.sql() }
    }

    /// Makes the facts of what was just pulled, when it was much. The rows are acknowledged by now: whatever goes wrong
    /// here, the first reader makes the facts.
    pub fn make_facts(&self, rows: u64) {
        let options = self.sql_options();
        if rows < MANY_ROWS || options.without_facts {
            return;
        }
        let made = self.open_lake().and_then(|lake| {
            self.wait(async move {
                let session = Session::new(&lake, &options).await?;
                // Those that are there when the time is over stay.
                let _ = tokio::time::timeout(LONGEST, session.make_facts()).await;
                Ok(())
            })
        });
        if let Err(error) = made {
            tracing::debug!(%error, "cannot make facts");
        }
    }

    /// Removes what our own folder for caches has of data files that the lake has no more. Those of other accounts do it
    /// when they read the lake next.
    pub fn forget_facts(&self, lake: &Lake) -> Result<()> {
        let Some(folder) = folder().map(|folder| folder.join(&lake.state().lake.lake_id)) else { return Ok(()) };
        let cannot = || format!("cannot remove derived facts from {}", folder.display());
        lake.forget_facts(&folder).context(Kind::Unavailable, cannot)
    }

    /// Compares the facts of the lake with its tables.
    pub fn check_facts(&self) -> Result<Vec<WrongFacts>> {
        let (lake, options) = (self.open_lake()?, self.sql_options());
        self.wait(async move { Session::new(&lake, &options).await?.check_facts().await })
    }

    /// Removes facts.
    pub fn remove_facts(&self, wrong: Vec<WrongFacts>) -> Result<()> {
        let (lake, options) = (self.open_lake()?, self.sql_options());
        self.wait(async move { Session::new(&lake, &options).await?.remove_facts(&wrong).await })
    }
}

/// `$XDG_CACHE_HOME/auditlake/facts`, or its default below the home directory.
fn folder() -> Option<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(caches.join("auditlake").join("facts"))
}
