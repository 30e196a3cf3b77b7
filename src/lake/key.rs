//! The lake's secret: its purpose, its place, and who needs it.
//!
//! It makes placeholders of redaction, the digests that decide which lines are the same, seals of evidence and the
//! cursors of `serve`. So writers need it, and readers do not: it is read when it is first needed. Entry 0 identifies
//! the lake's key, so that another one is refused before anything is made with it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::files::layout::KEY_FILE;
use super::identity::Hasher;
use super::{Lake, random};
use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint;
use crate::typed::{hex, parse_hex};

/// The number of bytes that identify a key.
const CHECK_BYTES: usize = 16;

/// Asks somebody else for the text of a key.
pub type AskKey = Arc<dyn Fn() -> Result<String> + Send + Sync>;

/// The place of a lake's key.
#[derive(Clone, Default)]
pub enum KeyPlace {
    /// In the lake, which makes one when it is created.
    #[default]
    Lake,
    File(PathBuf),
    /// Another place, which messages call `origin`.
    Elsewhere {
        origin: String,
        ask: AskKey,
    },
}

impl fmt::Debug for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyPlace::Lake => f.write_str("Lake"),
            KeyPlace::File(path) => write!(f, "File({})", path.display()),
            KeyPlace::Elsewhere { origin, .. } => write!(f, "Elsewhere({origin})"),
        }
    }
}

/// The key of an open lake, once it was needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Holder {
    place: KeyPlace,
    held: Arc<OnceLock<Secret>>,
}

#[derive(Clone, Copy)]
struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Holder {
    pub fn at(place: KeyPlace) -> Holder {
        Holder { place, held: Arc::default() }
    }

    /// Makes sure that a future lake has a key; returns the text in entry 0 that identifies it.
    pub fn prepare(&self, root: &Path) -> Result<String> {
        if matches!(self.place, KeyPlace::Lake) {
            create(&root.join(KEY_FILE))?;
        }
        // A key that somebody planted here must not become the lake's.
        Ok(check_of(&self.read(root)?))
    }

    fn read(&self, root: &Path) -> Result<[u8; 32]> {
        let (text, origin) = match &self.place {
            KeyPlace::Lake => from_file(&root.join(KEY_FILE))?,
            KeyPlace::File(path) => from_file(path)?,
            KeyPlace::Elsewhere { origin, ask } => (ask()?, origin.clone()),
        };
        // The content is not shown: it may be most of the key.
        parse_hex(text.trim()).map_err(|_| {
            Error::new(
                Kind::Integrity,
                format!("cannot read the lake's key from {origin}: it does not hold 64 hexadecimal digits"),
            )
            .hint("restore it from a backup; the lake's redactions and seals are made with it")
        })
    }

    /// Returns whether this account can read a key; whether it is the right one is another question.
    fn is_at_hand(&self, root: &Path) -> Result<bool> {
        let place = match &self.place {
            KeyPlace::Lake => root.join(KEY_FILE),
            KeyPlace::File(path) => path.clone(),
            KeyPlace::Elsewhere { .. } => return Ok(true),
        };
        match File::open(&place) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                Ok(false)
            }
            Err(error) => Err(error).context(Kind::Unavailable, || format!("cannot open {}", place.display())),
        }
    }
}

impl Lake {
    /// Sets the place of the key.
    pub fn with_key(self, place: KeyPlace) -> Lake {
        Lake { key: Holder::at(place), ..self }
    }

    /// Makes a key for one purpose from the lake's secret.
    ///
    /// Errors when the secret does not exist, when others may read it, and when it is that of another lake.
    pub fn derive_key(&self, purpose: &str) -> Result<[u8; 32]> {
        let Secret(key) = match self.key.held.get() {
            Some(held) => *held,
            None => {
                disk::keep_out_of_core_files();
                let key = self.key.read(self.root()).map_err(|error| self.explain(error))?;
                if check_of(&key) != self.state().lake.key_check {
                    return Err(Error::new(Kind::Integrity, "the key is that of another lake, or was replaced")
                        .hint("restore the key that this lake was made with; reading needs none"));
                }
                *self.key.held.get_or_init(|| Secret(key))
            }
        };
        Ok(derived(&key, purpose))
    }

    /// Does the same as [`Lake::derive_key`] for callers that can do without: returns `None` when this account can read
    /// no key.
    pub fn find_key(&self, purpose: &str) -> Result<Option<[u8; 32]>> {
        if self.key.is_at_hand(self.root())? { self.derive_key(purpose).map(Some) } else { Ok(None) }
    }

    /// Returns a keyed hash for one purpose.
    pub fn hasher(&self, purpose: &str) -> Result<Hasher> {
        self.derive_key(purpose).map(Hasher::new)
    }

    fn explain(&self, error: Error) -> Error {
        match self.key.is_at_hand(self.root()) {
            Ok(false) => Error::new(Kind::Unavailable, "this command needs the lake's key")
                .caused_by(error)
                .hint("run it with the account and the folder that ingest; reading needs no key"),
            _ => error,
        }
    }
}

/// Returns a random key that belongs to nobody.
pub fn random_key() -> Result<[u8; 32]> {
    random()
}

fn derived(key: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Returns a text that identifies a key and reveals nothing else about it.
fn check_of(key: &[u8; 32]) -> String {
    hex(&derived(key, "check")[..CHECK_BYTES])
}

fn create(place: &Path) -> Result<()> {
    let text = hex(&random::<32>()?);
    match disk::create_private(place, text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).context(Kind::Unavailable, || format!("cannot write {}", place.display()))
        }
        // An existing key is checked when it is read.
        _ => {
            failpoint::reached("create.key");
            Ok(())
        }
    }
}

/// Reads a key from a file of ours that nobody else can read: with a key that others know, redacted values can be
/// guessed, and seals can be forged.
fn from_file(place: &Path) -> Result<(String, String)> {
    let mut text = String::new();
    let mut file = disk::open_secret(place, "the lake's key")?;
    file.read_to_string(&mut text)
        .context(Kind::Unavailable, || format!("cannot read the lake's key from {}", place.display()))?;
    Ok((text, place.display().to_string()))
}
