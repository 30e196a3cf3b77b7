//! Facts from the view of commands: which folder is for caches, and when facts are made, checked and removed.

use std::path::PathBuf;
use std::time::Duration;

use super::App;
use crate::error::{Context, Kind, Result};
use crate::lake::Lake;
use crate::sql::{self, Session, WrongFacts};

/// Rows of a pull for which facts are worth making at once. For fewer the first reader makes them in no time, and so he
/// does after an `ingest`, which ends as soon as its rows are safe.
const MANY_ROWS: u64 = 20_000;

/// The longest time that a pull continues making facts when its work is done.
const LONGEST: Duration = Duration::from_secs(60);

impl App {
    /// Returns the options for running statements.
    pub fn sql_options(&self) -> sql::Options {
        sql::Options { facts_folder: folder(), ..self.config.sql() }
    }

    /// Makes the facts of the rows just pulled, when there were many. The rows are already acknowledged: if anything
    /// goes wrong here, the first reader makes the facts.
    pub fn make_facts(&self, rows: u64) {
        let options = self.sql_options();
        if rows < MANY_ROWS || options.without_facts {
            return;
        }
        let made = self.open_lake().and_then(|lake| {
            self.wait(async move {
                let session = Session::new(&lake, &options).await?;
                // Facts that are complete when the time is over stay.
                let _ = tokio::time::timeout(LONGEST, session.make_facts()).await;
                Ok(())
            })
        });
        if let Err(error) = made {
            tracing::debug!(%error, "cannot make facts");
        }
    }

    /// Removes from our own folder for caches everything about data files that the lake no longer has. Other accounts
    /// do so when they next read the lake.
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

/// Returns `$XDG_CACHE_HOME/auditlake/facts`, or its default below the home directory.
fn folder() -> Option<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(caches.join("auditlake").join("facts"))
}
