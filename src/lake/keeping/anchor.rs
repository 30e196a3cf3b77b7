//! The head of a ledger, written down elsewhere: only this detects that a whole lake was put back.

pub use super::super::ledger::told::Head;
use crate::error::{Error, Result};

/// A head that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub sequence: u64,
    pub sha256: String,
    /// None where only number and hash were written down.
    pub lake_id: Option<String>,
}

impl Anchor {
    /// Reads the text that `ledger head` prints, or its JSON; of several lines the last one counts.
    pub fn parse(text: &str, origin: &str) -> Result<Anchor> {
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        let anchor = last.and_then(|line| match serde_json::from_str::<Head>(line) {
            Ok(head) => Some(Anchor { sequence: head.sequence, sha256: head.sha256, lake_id: Some(head.lake_id) }),
            Err(_) => of_words(line),
        });
        anchor.ok_or_else(|| {
            Error::usage(format!("cannot read the head of a ledger from {origin}"))
                .hint("it holds what `auditlake ledger head` printed: a sequence and 64 hexadecimal digits")
        })
    }
}

fn of_words(line: &str) -> Option<Anchor> {
    let mut words = line.split_ascii_whitespace();
    let (sequence, sha256) = (words.next()?.parse().ok()?, words.next()?.to_ascii_lowercase());
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| Anchor { sequence, sha256, lake_id: words.next().map(str::to_string) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_is_printed() {
        let hash = "0123456789abcdef".repeat(4);
        let plain = Anchor::parse(&format!("{} {hash}\n7 {hash}\n\n", 3), "f").unwrap();
        assert_eq!((plain.sequence, plain.sha256.as_str(), plain.lake_id), (7, hash.as_str(), None));
        let head = Head { lake_id: "l".into(), sequence: 9, sha256: hash.clone(), time_ms: 1 };
        let json = Anchor::parse(&serde_json::to_string(&head).unwrap(), "f").unwrap();
        assert_eq!(json, Anchor { sequence: 9, sha256: hash.clone(), lake_id: Some("l".into()) });
        for wrong in ["", "x", "7", "7 abc", &format!("-1 {hash}")] {
            assert!(Anchor::parse(wrong, "f").is_err(), "{wrong}");
        }
    }
}
