//! The end of a page: a position in the order of entries, sealed so that only we can make one.
//!
//! ```text
//! hex( version | time us | digest | served | has id | id ) hex( HMAC over filters and payload, 16 bytes )
//! ```
//!
//! A cursor is a position, not an offset and not a state of the lake: entries that arrive while a client pages are
//! newer than it and stay out, or older and come when the client gets there. So nothing repeats, nothing shifts, a
//! cursor never expires, and compaction, which moves rows to other files, does not disturb it. That is why it does not
//! pin a ledger entry, as a SQL session does: a walk may take an hour, and the entry's files may be gone by then.
//! The filters are part of what is sealed, so a cursor with other filters is as invalid as a forged one.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::query::Filters;
use crate::typed::hex;

/// Bytes of an id that take part in the order; a line may have an id of megabytes, and a cursor goes into a header.
pub const ID_BYTES: usize = 512;

const VERSION: u8 = 2;
const SEAL_BYTES: usize = 16;

/// A place in the order of entries: by time, then id, then digest, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub time_us: i64,
    /// None: before all entries of this time.
    pub key: Option<EntryKey>,
}

/// The key that distinguishes entries of one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryKey {
    /// The id, cut to [`ID_BYTES`].
    pub id: Vec<u8>,
    pub digest: u128,
    /// Entries with this same key that were already served: identical events without a uid share one.
    pub served: u32,
}

/// Makes and checks cursors of one lake.
pub struct Cursors {
    key: [u8; 32],
}

impl Cursors {
    pub fn new(key: [u8; 32]) -> Cursors {
        Cursors { key }
    }

    pub fn seal(&self, position: &Position, filters: &Filters) -> String {
        let mut payload = vec![VERSION];
        payload.extend(position.time_us.to_be_bytes());
        if let Some(key) = &position.key {
            payload.extend(key.digest.to_be_bytes());
            payload.extend(key.served.to_be_bytes());
            payload.extend(&key.id);
        }
        let seal = self.mac(&payload, filters).finalize().into_bytes();
        hex(&payload) + &hex(&seal[..SEAL_BYTES])
    }

    /// Returns the position, if this is a cursor of ours for these filters.
    pub fn open(&self, cursor: &str, filters: &Filters) -> Option<Position> {
        let bytes = unhex(cursor)?;
        let (payload, seal) = bytes.split_at(bytes.len().checked_sub(SEAL_BYTES)?);
        self.mac(payload, filters).verify_truncated_left(seal).ok()?;
        let (version, rest) = payload.split_first()?;
        let (time_us, rest) = rest.split_first_chunk()?;
        let position = |key| Position { time_us: i64::from_be_bytes(*time_us), key };
        match rest {
            _ if *version != VERSION => None,
            [] => Some(position(None)),
            rest => {
                let (digest, rest) = rest.split_first_chunk()?;
                let (served, id) = rest.split_first_chunk()?;
                let (digest, served) = (u128::from_be_bytes(*digest), u32::from_be_bytes(*served));
                Some(position(Some(EntryKey { id: id.to_vec(), digest, served })))
            }
        }
    }

    fn mac(&self, payload: &[u8], filters: &Filters) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        // JSON names and quotes each filter, so no two sets of filters give the same bytes.
        let filters = serde_json::to_vec(filters).expect("strings and numbers are JSON");
        mac.update(&(filters.len() as u64).to_be_bytes());
        mac.update(&filters);
        mac.update(payload);
        mac
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    // Only the digits that we write are accepted: one position has one cursor.
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_only_unchanged_and_with_its_own_filters() {
        let cursors = Cursors::new([7; 32]);
        let filters = Filters { actor_uid: Some("ann".to_string()), ..Filters::default() };
        let key = EntryKey { id: b"id-1".to_vec(), digest: u128::MAX - 5, served: 2 };
        for position in
            [Position { time_us: -1, key: Some(key) }, Position { time_us: 1_767_225_600_000_000, key: None }]
        {
            let cursor = cursors.seal(&position, &filters);
            assert_eq!(cursors.open(&cursor, &filters), Some(position));
            assert_eq!(cursors.open(&cursor, &Filters::default()), None);
            assert_eq!(Cursors::new([8; 32]).open(&cursor, &filters), None);
            assert_eq!(cursors.open(&cursor.to_uppercase(), &filters), None);
            for at in 0..cursor.len() {
                let mut forged = cursor.clone().into_bytes();
                forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
                assert_eq!(cursors.open(&String::from_utf8(forged).unwrap(), &filters), None, "digit {at}");
                assert_eq!(cursors.open(&cursor[..at], &filters), None, "cut at {at}");
            }
        }
        for nonsense in ["", "00", "é", "zz", "0"] {
            assert_eq!(cursors.open(nonsense, &filters), None);
        }
    }
}
