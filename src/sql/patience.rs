//! Tells planning whether somebody still waits for the plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;

use crate::error::{Error, Kind};

/// Bytes of large constants that a statement may compute while it is planned: each is copied with the plan.
const MAX_CONSTANTS: u64 = 16 << 20;

/// Tells whether somebody still waits for a plan, and how many bytes of constants were made for it.
#[derive(Debug, Clone, Default)]
pub struct Patience {
    is_over: Arc<AtomicBool>,
    constants: Arc<AtomicU64>,
}

impl Patience {
    /// Ends the planning at its next step.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Returns the engine's state for a statement that somebody waits for.
    pub fn within(&self, mut state: SessionState) -> SessionState {
        state.config_mut().options_mut().extensions.insert(self.clone());
        state
    }

    /// Returns the patience of the statement that is being planned.
    pub fn of(options: &ConfigOptions) -> Patience {
        options.extensions.get::<Patience>().cloned().unwrap_or_default()
    }

    /// Counts a constant that a function makes; errors when all of them together are too large.
    pub fn spend(options: &ConfigOptions, bytes: u64) -> Result<()> {
        let Some(patience) = options.extensions.get::<Patience>() else { return Ok(()) };
        let spent = patience.constants.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if spent > MAX_CONSTANTS {
            datafusion::common::exec_err!("the constants would make more than {} MiB", MAX_CONSTANTS >> 20)
        } else {
            Ok(())
        }
    }

    /// Errors when nobody waits any more.
    pub fn check(options: &ConfigOptions) -> Result<()> {
        let is_over =
            options.extensions.get::<Patience>().is_some_and(|patience| patience.is_over.load(Ordering::Relaxed));
        if is_over {
            Err(DataFusionError::External(Box::new(Error::new(
                Kind::Cancelled,
                "nobody waits for the statement any more",
            ))))
        } else {
            Ok(())
        }
    }
}

impl ConfigExtension for Patience {
    const PREFIX: &'static str = "auditlake";
}

// It is passed on; nobody sets it.
impl ExtensionOptions for Patience {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        datafusion::common::plan_err!("there is no option `{key}`")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
