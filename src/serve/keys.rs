//! API keys for the audit log, as a file of hashes beside the lake.
//!
//! A key is 256 random bits and shown once; the file holds its HMAC under the lake's secret, so that neither the file
//! nor a copy of it opens anything. It is replaced as a whole, under the lake's lock, with mode 0600. A running server
//! checks the file's stamp with every request: a revoked key is refused from the next request on.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::disk;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::{Lake, random_hex};
use crate::typed::hex;

const FILE: &str = "keys.json";
/// The shape of the vendor's keys, so that redaction and secret scanners everywhere know ours.
const PREFIX: &str = "sk_";

/// The kind of owner of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    User,
    ServiceAccount,
}

impl Holder {
    pub fn as_str(self) -> &'static str {
        match self {
            Holder::User => "user",
            Holder::ServiceAccount => "service account",
        }
    }
}

/// The record of a key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Public: names the key in lists and in the log of reads.
    pub id: String,
    /// HMAC of the key, hex.
    hash: String,
    pub user: String,
    pub holder: Holder,
    pub permissions: Vec<String>,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
}

impl KeyRecord {
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| held == permission)
    }

    pub fn is_live(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|expires| now_ms < expires)
    }
}

/// A request for a new key.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub user: String,
    pub holder: Holder,
    pub permissions: Vec<String>,
    pub expires_ms: Option<i64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct KeyFile {
    keys: Vec<KeyRecord>,
}

/// The keys of one lake.
pub struct Keyring {
    place: PathBuf,
    hash_key: [u8; 32],
    /// The records that were last read, and the stamp of the file at that time.
    known: Mutex<(Option<Stamp>, Arc<Vec<KeyRecord>>)>,
}

/// Identifies the version of the file that was read: it is only ever replaced, never written to.
type Stamp = (u64, u64, Option<std::time::SystemTime>);

impl Keyring {
    pub fn new(lake: &Lake) -> Result<Keyring> {
        let hash_key = lake.derive_key("serve keys")?;
        Ok(Keyring { place: lake.serve_path().join(FILE), hash_key, known: Mutex::default() })
    }

    /// Returns all keys, in the order in which they were made.
    pub fn records(&self) -> Result<Arc<Vec<KeyRecord>>> {
        let cannot = || cannot_read(&self.place);
        let stamp = match fs::metadata(&self.place) {
            Ok(metadata) => Some(stamp(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).context(Kind::Unavailable, cannot),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != stamp {
            *known = (stamp, Arc::new(read(&self.place)?.keys));
        }
        Ok(known.1.clone())
    }

    /// Returns the record of the key that was presented, if it is one of ours and in force.
    ///
    /// Every key is compared, in constant time, and one that was revoked or has expired is refused like an unknown one:
    /// neither the answer nor its time tells them apart.
    pub fn identify(&self, presented: &[u8], now_ms: i64) -> Result<Option<KeyRecord>> {
        let records = self.records()?;
        let hash = self.hash(presented);
        let mut found = None;
        for record in records.iter() {
            let is_it = is_equal(record.hash.as_bytes(), hash.as_bytes()) & record.is_live(now_ms);
            if is_it {
                found = Some(record);
            }
        }
        Ok(found.cloned())
    }

    fn hash(&self, key: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.hash_key).expect("HMAC takes a key of any length");
        mac.update(key);
        hex(&mac.finalize().into_bytes())
    }

    /// Makes a key: returns the key itself, which nobody can show again, and its stored record.
    pub async fn create(&self, lake: &Lake, new: NewKey, now_ms: i64) -> Result<(String, KeyRecord)> {
        let key = format!("{PREFIX}{}", random_hex::<32>()?);
        let record = KeyRecord {
            id: format!("key_{}", random_hex::<6>()?),
            hash: self.hash(key.as_bytes()),
            user: new.user,
            holder: new.holder,
            permissions: new.permissions,
            created_ms: now_ms,
            expires_ms: new.expires_ms,
            revoked_ms: None,
        };
        let stored = record.clone();
        self.change(lake, |keys| {
            keys.push(stored);
            Ok(())
        })
        .await?;
        Ok((key, record))
    }

    /// Revokes a key. Returns false when it was already revoked.
    pub async fn revoke(&self, lake: &Lake, id: &str, now_ms: i64) -> Result<bool> {
        self.change(lake, |keys| {
            let record = keys.iter_mut().find(|record| record.id == id);
            let record = record.ok_or_else(|| {
                Error::input(format!("no key `{id}`"))
                    .hint("`auditlake key list` shows the ids; the key itself is not its id")
            })?;
            let is_new = record.revoked_ms.is_none();
            record.revoked_ms.get_or_insert(now_ms);
            Ok(is_new)
        })
        .await
    }

    async fn change<T>(&self, lake: &Lake, change: impl FnOnce(&mut Vec<KeyRecord>) -> Result<T>) -> Result<T> {
        lake.serve_folder()?;
        let _locked = lake.lock().await?;
        let mut file = read(&self.place)?;
        let changed = change(&mut file.keys)?;
        let mut bytes = serde_json::to_vec_pretty(&file).context(Kind::Internal, || "cannot encode the keys")?;
        bytes.push(b'\n');
        disk::replace_private(&self.place, &bytes)
            .context(Kind::Unavailable, || format!("cannot write {}", self.place.display()))?;
        Ok(changed)
    }
}

fn read(place: &Path) -> Result<KeyFile> {
    match fs::read(place) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("{}: {error}", cannot_read(place));
            Error::new(Kind::Integrity, message).hint("restore it from a backup; without it no key opens anything")
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeyFile::default()),
        Err(error) => Err(error).context(Kind::Unavailable, || cannot_read(place)),
    }
}

fn cannot_read(place: &Path) -> String {
    format!("cannot read the keys in {}", place.display())
}

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.ino(), metadata.len(), metadata.modified().ok())
}

/// Compares without stopping at the first difference.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| std::hint::black_box(difference | (a ^ b)));
    (a.len() == b.len()) & (difference == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(dir: &Path) -> Keyring {
        Keyring { place: dir.join(FILE), hash_key: [1; 32], known: Mutex::default() }
    }

    #[test]
    fn a_key_opens_until_it_is_revoked_or_expires() {
        let dir = tempfile::tempdir().unwrap();
        let ring = keyring(dir.path());
        assert!(ring.identify(b"sk_a", 0).unwrap().is_none());
        let record = |id: &str, key: &[u8], expires_ms, revoked_ms| KeyRecord {
            id: id.to_string(),
            hash: ring.hash(key),
            user: "ann".to_string(),
            holder: Holder::User,
            permissions: vec!["audit_log_read".to_string()],
            created_ms: 0,
            expires_ms,
            revoked_ms,
        };
        let write = |keys: Vec<KeyRecord>| {
            disk::replace_private(&ring.place, &serde_json::to_vec(&KeyFile { keys }).unwrap()).unwrap();
        };
        write(vec![record("a", b"sk_a", Some(10), None), record("b", b"sk_b", None, Some(5))]);
        let id = |key: &[u8], now| ring.identify(key, now).unwrap().map(|record| record.id);
        assert_eq!(id(b"sk_a", 9).as_deref(), Some("a"));
        assert_eq!(id(b"sk_a", 10), None);
        assert_eq!(id(b"sk_b", 0), None);
        assert_eq!(id(b"", 0), None);
        let text = fs::read_to_string(&ring.place).unwrap();
        assert!(!text.contains("sk_"), "{text}");
        // A replaced file is seen at once.
        write(vec![record("a", b"sk_a", Some(10), Some(1))]);
        assert_eq!(id(b"sk_a", 9), None);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_missing_key() {
        let dir = tempfile::tempdir().unwrap();
        let ring = keyring(dir.path());
        fs::write(&ring.place, "{").unwrap();
        assert_eq!(ring.identify(b"sk_a", 0).unwrap_err().kind(), Kind::Integrity);
    }
}
