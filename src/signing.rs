//! Ed25519: the process that has the private key signs, and everybody who has the public key can check.
//!
//! A seal by a key that every reader of the lake has detects accidents. A signature detects insiders too, as long as
//! the private key is out of their reach: with the service that runs reports, in a secrets manager.
//!
//! The private key is one line, so that a variable or the first line that a program prints can hold it. The public key
//! is PEM, for other tools. A signature covers the purpose, a line feed, and the bytes, so that a signature for one
//! purpose is not valid for another.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature as Raw, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::typed::{hex, parse_hex};

/// Prefix of the line of a private key.
const PRIVATE: &str = "auditlake-signing-key:";
/// The DER of an Ed25519 public key up to the key itself (RFC 8410).
const DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// The purpose of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An entry of a lake's ledger.
    Entry,
    /// One report's evidence.
    Evidence,
    /// The list of files of a run over several reports.
    Manifest,
    /// The receipt of rows that were removed.
    Receipt,
    /// People's decisions on the rows of a report.
    Attestation,
    /// The hashes of a package of evidence. It begins like a comment, so that the signed text is the file itself.
    Package,
    /// The hashes of an archive; it begins like a comment, too.
    Archive,
}

/// A private key.
#[derive(Clone)]
pub struct Signer(SigningKey);

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A signature, and the public key that it claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The 32 bytes of the public key, in hexadecimal digits.
    pub key: String,
    /// The 64 bytes of the signature.
    pub value: String,
}

impl Purpose {
    /// Returns the text that is signed for a purpose, so that other tools can check it too.
    pub fn message(self, bytes: &[u8]) -> Vec<u8> {
        let name = match self {
            Purpose::Entry => "auditlake ledger entry",
            Purpose::Evidence => "auditlake evidence",
            Purpose::Manifest => "auditlake manifest",
            Purpose::Receipt => "auditlake receipt",
            Purpose::Attestation => "auditlake attestation",
            Purpose::Package => "# auditlake package",
            Purpose::Archive => "# auditlake archive",
        };
        [name.as_bytes(), b"\n", bytes].concat()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Creates a key from the system's random numbers.
    pub fn create() -> Result<Signer> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context(Kind::Unavailable, || "cannot get random numbers for a key")?;
        Ok(Signer(SigningKey::from_bytes(&seed)))
    }

    /// Reads the line of a private key. Errors do not show it.
    pub fn parse(text: &str, origin: &str) -> Result<Signer> {
        let wrong = || {
            Error::usage(format!("cannot use the signing key from {origin}: it is none"))
                .hint("`auditlake key signing create FILE` makes one")
        };
        let encoded = text.trim().strip_prefix(PRIVATE).ok_or_else(wrong)?;
        let seed = STANDARD.decode(encoded).map_err(|_| wrong())?;
        Ok(Signer(SigningKey::from_bytes(&seed.try_into().map_err(|_| wrong())?)))
    }

    /// Returns the line that [`Signer::parse`] reads.
    pub fn to_line(&self) -> String {
        format!("{PRIVATE}{}\n", STANDARD.encode(self.0.to_bytes()))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Signature {
        let signature = self.0.sign(&purpose.message(bytes));
        Signature { key: self.public().to_hex(), value: hex(&signature.to_bytes()) }
    }
}

impl PublicKey {
    pub fn parse(text: &str, origin: &str) -> Result<PublicKey> {
        let wrong = || {
            Error::usage(format!("cannot use the public key {origin}: it is no Ed25519 public key")).hint(format!(
                "it begins with `{BEGIN}`; `auditlake key signing create` writes one beside the private key"
            ))
        };
        let body = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or_else(wrong)?;
        let encoded: String = body.split_whitespace().collect();
        let der = STANDARD.decode(encoded).map_err(|_| wrong())?;
        let key: [u8; 32] = der.strip_prefix(&DER).and_then(|key| key.try_into().ok()).ok_or_else(wrong)?;
        VerifyingKey::from_bytes(&key).map(PublicKey).map_err(|_| wrong())
    }

    /// Returns the text that [`PublicKey::parse`] and other tools read.
    pub fn to_pem(&self) -> String {
        let der = [&DER[..], self.0.as_bytes()].concat();
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    pub fn to_hex(&self) -> String {
        hex(self.0.as_bytes())
    }

    /// Returns whether the owner of this key made the signature, over these bytes, for this purpose.
    pub fn has_signed(&self, purpose: Purpose, bytes: &[u8], signature: &Signature) -> bool {
        let value: Option<[u8; 64]> = parse_hex(&signature.value).ok();
        signature.key == self.to_hex()
            && value
                .is_some_and(|value| self.0.verify_strict(&purpose.message(bytes), &Raw::from_bytes(&value)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_key_one_text_and_one_purpose() {
        let (signer, other) = (Signer::create().unwrap(), Signer::create().unwrap());
        let signature = signer.sign(Purpose::Evidence, b"text");
        let key = signer.public();
        assert!(key.has_signed(Purpose::Evidence, b"text", &signature));
        assert!(!key.has_signed(Purpose::Evidence, b"texT", &signature));
        assert!(!key.has_signed(Purpose::Manifest, b"text", &signature));
        assert!(!other.public().has_signed(Purpose::Evidence, b"text", &signature));
        let claimed = Signature { key: other.public().to_hex(), ..signature.clone() };
        assert!(!other.public().has_signed(Purpose::Evidence, b"text", &claimed));
        let broken = Signature { value: signature.value.replacen('1', "2", 1), ..signature };
        assert!(!key.has_signed(Purpose::Evidence, b"text", &Signature { value: "00".to_string(), ..broken.clone() }));
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let signer = Signer::parse(&format!("{PRIVATE}{}\n", STANDARD.encode([7; 32])), "x").unwrap();
        assert_eq!(Signer::parse(&signer.to_line(), "x").unwrap().public(), signer.public());
        // RFC 8032, the public key of this seed as other tools make it.
        assert_eq!(signer.public().to_hex(), "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c");
        assert_eq!(PublicKey::parse(&signer.public().to_pem(), "x").unwrap(), signer.public());
        for wrong in ["", "x", "auditlake-signing-key:AAAA"] {
            let error = Signer::parse(wrong, "FILE").unwrap_err().to_string();
            assert_eq!(error, "cannot use the signing key from FILE: it is none");
        }
        let short = format!("{BEGIN}\nMCowBQYDK2VwAyEA\n{END}");
        for wrong in ["", "x", BEGIN, &short] {
            assert_eq!(PublicKey::parse(wrong, "F").unwrap_err().kind(), Kind::Usage, "{wrong}");
        }
    }
}
