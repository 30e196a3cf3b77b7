//! The receivers of new heads of the ledger.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The newest entry of a ledger, as `auditlake ledger head` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub lake_id: String,
    pub sequence: u64,
    /// The hash of the entry's bytes.
    pub sha256: String,
    pub time_ms: i64,
}

/// Receives the head after each commit, on the thread that commits: it must return at once.
pub type TellHead = Arc<dyn Fn(Head) + Send + Sync>;

/// The function that records heads elsewhere, if any.
#[derive(Clone, Default)]
pub struct Anchoring(Option<TellHead>);

impl fmt::Debug for Anchoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchoring({})", if self.0.is_some() { "told" } else { "not told" })
    }
}

impl Anchoring {
    pub fn by(tell: TellHead) -> Anchoring {
        Anchoring(Some(tell))
    }

    pub fn tell(&self, head: impl FnOnce() -> Head) {
        if let Some(tell) = &self.0 {
            tell(head());
        }
    }
}
