//! Signatures of ledger entries, by a process that has the operator's private key.
//!
//! A signature is the last member of its entry, and signs all bytes of the entry before it. Since each entry names the
//! hash of the one before, a signature vouches for everything up to its entry. It is a part of the entry and not a file
//! beside it, so that no kill leaves one without the other.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::entry::Entry;
use crate::error::{Context, Kind, Result};
use crate::signing::{PublicKey, Purpose, Signature, Signer};

/// The beginning of the member in the bytes of an entry.
const MEMBER: &str = ",\"signature\":";

/// Gets the private key, for example from a program that holds secrets.
pub type AskSigner = Arc<dyn Fn() -> Result<Signer> + Send + Sync>;

/// The key that signs new entries of a lake's ledger, if there is one. It is read when the first entry is written, so
/// that readers do not need it.
#[derive(Clone, Default)]
pub struct Signing {
    ask: Option<AskSigner>,
    held: Arc<OnceLock<Signer>>,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signing({})", if self.ask.is_some() { "by a key" } else { "not at all" })
    }
}

impl Signing {
    pub fn by(ask: AskSigner) -> Signing {
        Signing { ask: Some(ask), held: Arc::default() }
    }

    /// Returns the bytes of an entry's file: JSON and a line feed, signed where there is a key.
    pub(in crate::lake) fn to_bytes(&self, entry: &Entry) -> Result<Vec<u8>> {
        let cannot = || "cannot encode a ledger entry";
        let mut bytes = serde_json::to_vec(entry).context(Kind::Internal, cannot)?;
        if let Some(ask) = &self.ask {
            let signer = match self.held.get() {
                Some(signer) => signer,
                None => {
                    let signer = ask()?;
                    self.held.get_or_init(|| signer)
                }
            };
            // The object continues with its last member.
            bytes.pop();
            let signature = signer.sign(Purpose::Entry, &bytes);
            bytes.extend_from_slice(member(&signature)?.as_bytes());
            bytes.push(b'}');
        }
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn member(signature: &Signature) -> Result<String> {
    let value = serde_json::to_string(signature).context(Kind::Internal, || "cannot encode a signature")?;
    Ok(format!("{MEMBER}{value}"))
}

/// The result of checking an entry's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// The entry has no signature.
    No,
    /// The owner of the key wrote exactly these bytes.
    Yes,
    /// The signature is by another key, or over other bytes.
    Otherwise,
}

/// Compares the bytes of an entry's file with the signature in it.
pub fn check(key: &PublicKey, bytes: &[u8], entry: &Entry) -> Result<Signed> {
    let Some(signature) = &entry.signature else { return Ok(Signed::No) };
    let end = format!("{}}}\n", member(signature)?);
    let is_by =
        bytes.strip_suffix(end.as_bytes()).is_some_and(|before| key.has_signed(Purpose::Entry, before, signature));
    Ok(if is_by { Signed::Yes } else { Signed::Otherwise })
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Body, Ingest};
    use super::super::parse::parse;
    use super::*;

    fn entry() -> Entry {
        Entry {
            sequence: 7,
            previous: Some("00".repeat(32)),
            time_ms: 5,
            skew_ms: None,
            writer: super::super::super::WRITER.to_string(),
            writer_id: "0".repeat(32),
            format: None,
            checkpoint: None,
            body: Body::Ingest(Ingest::default()),
            signature: None,
        }
    }

    #[test]
    fn a_signature_is_of_the_whole_entry() {
        let (signer, other) = (Signer::create().unwrap(), Signer::create().unwrap());
        let public = signer.public();
        let signing = Signing::by(Arc::new(move || Ok(signer.clone())));
        let bytes = signing.to_bytes(&entry()).unwrap();
        let read = parse(&bytes, 7, "7.json").unwrap();
        assert_eq!(Entry { signature: None, ..read.clone() }, entry());
        assert_eq!(check(&public, &bytes, &read).unwrap(), Signed::Yes);
        assert_eq!(check(&other.public(), &bytes, &read).unwrap(), Signed::Otherwise);

        let text = String::from_utf8(bytes).unwrap();
        let changes = [
            text.replace("\"time_ms\":5", "\"time_ms\":6"),
            text.replace(",\"signature\"", ", \"signature\""),
            text.replacen('{', "{\"more\":1,", 1),
            text.trim_end().trim_end_matches('}').to_string() + "},\"files_too\":[]}\n",
        ];
        for changed in changes {
            assert_ne!(changed, text);
            let read = parse(changed.as_bytes(), 7, "7.json").unwrap();
            assert_eq!(check(&public, changed.as_bytes(), &read).unwrap(), Signed::Otherwise, "{changed}");
        }
    }

    #[test]
    fn without_a_key_an_entry_is_as_it_was() {
        let bytes = Signing::default().to_bytes(&entry()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("signature"));
        let read = parse(&bytes, 7, "7.json").unwrap();
        assert_eq!(check(&Signer::create().unwrap().public(), &bytes, &read).unwrap(), Signed::No);
    }
}
