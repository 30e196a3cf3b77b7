//! The key that signs evidence and ledger entries, and the public key that checks them.

use std::path::Path;

use super::super::App;
use super::secret::secret;
use crate::disk;
use crate::error::{Context, Kind, Result};
use crate::signing::{PublicKey, Signer};
use crate::source::{Environment, KeySource};

/// Returns the key that the configuration names, if it names one.
pub fn signer(app: &App) -> Result<Option<Signer>> {
    app.config.signing().map(|source| read(&source, &app.command_environment())).transpose()
}

/// Reads the private key at `source`; a program that prints it gets `environment`.
pub fn read(source: &KeySource, environment: &Environment) -> Result<Signer> {
    disk::keep_out_of_core_files();
    Signer::parse(secret(source, "the signing key", environment)?.expose(), &source.to_string())
}

/// Reads the public key in a file, as `auditlake key signing create` writes it.
pub fn read_public(path: &Path) -> Result<PublicKey> {
    let cannot = || format!("cannot read the public key {}", path.display());
    let text = std::fs::read_to_string(path).context(Kind::Usage, cannot)?;
    PublicKey::parse(&text, &path.display().to_string())
}
