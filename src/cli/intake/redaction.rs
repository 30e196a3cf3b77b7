//! The redaction policy in force, and a warning when none is.

use std::sync::Arc;

use super::super::App;
use crate::error::{Context, Kind, Result};
use crate::lake::{Lake, random_key};
use crate::redact::{Policy, Rules};

impl App {
    /// Warns that redaction is off, in each run that stores events, even when all other talk is off: what is stored now
    /// stays stored.
    pub(in crate::cli) fn tell_of_secrets(&self) {
        if !self.config.is_redacting() {
            let origin = self.config.origin();
            self.screen.warn(format!(
                "redaction is off: secrets are stored as they are sent (`[redact] enabled` in {origin})"
            ));
        }
    }

    /// Returns the redaction policy for one lake, whose key makes the placeholders, and the version of its rules.
    pub(in crate::cli) fn policy(&self, lake: &Lake) -> Result<(Arc<Policy>, String)> {
        self.policy_with_key(&lake.derive_key("redact")?)
    }

    /// Returns the same for commands that store nothing. They may lack the key; then placeholders are not the lake's,
    /// and the answer is false. The key of another lake counts as none: such commands need not know whose it is.
    pub(in crate::cli) fn policy_of_reader(&self, lake: &Lake) -> Result<(Arc<Policy>, bool)> {
        let key = match lake.find_key("redact") {
            Err(error) if error.kind() == Kind::Integrity => None,
            found => found?,
        };
        let (policy, _) = self.policy_with_key(&key.map_or_else(random_key, Ok)?)?;
        Ok((policy, key.is_some()))
    }

    pub(in crate::cli) fn policy_with_key(&self, key: &[u8]) -> Result<(Arc<Policy>, String)> {
        match self.rules()? {
            None => Ok((Arc::new(Policy::off()), String::new())),
            Some(rules) => {
                let version = rules.version();
                Ok((Arc::new(Policy::new(rules, key)?), version))
            }
        }
    }

    /// Returns the redaction rules in force: the embedded ones, a file's, and the list's. `None`: nothing is redacted.
    pub(in crate::cli) fn rules(&self) -> Result<Option<Rules>> {
        if !self.config.is_redacting() {
            return Ok(None);
        }
        let mut rules = Rules::embedded();
        if let Some(path) = self.config.redact_rules() {
            let origin = path.display().to_string();
            let text = std::fs::read_to_string(path).context(Kind::Usage, || format!("cannot read {origin}"))?;
            rules = rules.merge(Rules::parse(&text, &origin)?);
        }
        Ok(Some(rules.merge(Rules::own(self.config.own_redact_rules())?)))
    }
}
