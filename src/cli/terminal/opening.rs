//! Opening a lake, as every command does: its path, its key, and how long to wait for it.

use std::sync::Arc;

use super::super::App;
use super::{secret, signer};
use crate::disk::{Patience, Waiting};
use crate::error::{Kind, Result};
use crate::lake::{self, KeyPlace, Lake};
use crate::source::KeySource;
use crate::sql::AsOf;
use crate::typed::count;

impl App {
    /// Opens the lake, which must exist, for a command that looks at a past state.
    ///
    /// When the newest entry is damaged, earlier states can still be read: a warning says so, and nothing is settled.
    pub(in crate::cli) fn open_lake_as_of(&self, as_of: Option<AsOf>) -> Result<Lake> {
        let error = match (self.open_lake(), as_of) {
            (Err(error), Some(AsOf::Sequence(_))) if error.kind() == Kind::Integrity => error,
            (opened, _) => return opened,
        };
        let Some(AsOf::Sequence(sequence)) = as_of else { return Err(error) };
        let (path, ocsf, key) = (self.lake_path(), self.ocsf()?, self.key_place());
        let lake = self.wait(async move { Ok(Lake::open_at(&path, ocsf, Some(sequence)).await?.with_key(key)) })?;
        self.screen.say(format!("warning: {error}; continuing with the lake as it was after entry {sequence}"));
        Ok(lake)
    }

    /// Warns of tables whose rows are missing from all results, because no schema is loaded for them.
    pub(in crate::cli) fn warn_of_left_out(&self, left_out: &[(String, u64)]) {
        for (table, rows) in left_out {
            self.screen.say(format!(
                "warning: the table `{table}` has {} rows, but no schema of that name is loaded: they are left out; \
                 pass the directory with its class file: --schemas DIR",
                count(*rows)
            ));
        }
    }

    /// Opens the lake, which must exist, with its newest entry complete.
    pub(in crate::cli) fn open_lake(&self) -> Result<Lake> {
        let (path, ocsf, patience, key) = (self.lake_path(), self.ocsf()?, self.patience(), self.key_place());
        let (signing, anchoring) = (self.ledger_signing(), self.anchoring());
        self.wait(async move {
            let lake = Lake::open(&path, ocsf).await?.with_patience(patience).with_key(key);
            let mut lake = lake.with_signing(signing).with_anchoring(anchoring);
            lake.settle_for_reading().await?;
            Ok(lake)
        })
    }

    pub(in crate::cli) fn open_or_create_lake(&self) -> Result<Lake> {
        self.tell_of_secrets();
        let (path, ocsf) = (self.lake_path(), self.ocsf()?);
        let options = lake::Options {
            partition: self.config.partition(),
            access: self.config.access(),
            key: self.key_place(),
            signing: self.ledger_signing(),
            anchoring: self.anchoring(),
            patience: self.patience(),
        };
        let clock = self.clock;
        self.wait(async move {
            let mut lake = Lake::open_or_create(&path, &options, ocsf, clock).await?;
            // A run that finds nothing new must still finish what the run before it began.
            lake.settle().await?;
            Ok(lake)
        })
    }

    /// Returns the key that signs ledger entries, if the configuration names one; it is read when an entry is written.
    pub(in crate::cli) fn ledger_signing(&self) -> lake::Signing {
        match self.config.signing() {
            None => lake::Signing::default(),
            Some(source) => {
                let environment = self.command_environment();
                lake::Signing::by(Arc::new(move || signer::read(&source, &environment)))
            }
        }
    }

    /// Returns the place of the lake's key. A program that prints it runs when the key is needed.
    pub(in crate::cli) fn key_place(&self) -> KeyPlace {
        match self.config.lake_key() {
            None => KeyPlace::Lake,
            Some(KeySource::File(path)) => KeyPlace::File(path),
            Some(source) => {
                let (origin, environment) = (source.to_string(), self.command_environment());
                let ask = move || secret::ask(&source, "the lake's key", &environment);
                KeyPlace::Elsewhere { origin, ask: Arc::new(ask) }
            }
        }
    }

    /// Returns the time to wait for another run that writes, and the message about it.
    pub(in crate::cli) fn patience(&self) -> Patience {
        let screen = self.screen;
        let tell = move |waiting: &Waiting| screen.say(format!("waiting for {waiting}"));
        Patience { limit: self.global.lock_timeout.unwrap_or(self.config.lock_timeout()), tell: Arc::new(tell) }
    }
}
