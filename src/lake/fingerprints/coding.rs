//! One file of fingerprints as bytes.
//!
//! Numbers are little-endian. A section is sealed on its own, so that a batch reads those that it needs and no more.

use super::super::identity::Hasher;
use super::Fingerprints;
use crate::typed::Hash32;

/// Begins a file; the digit is the version of this form, and of what a fingerprint is.
const MAGIC: &[u8; 8] = b"ALPRINT1";

/// The magic, and how many sections there are.
pub const PREFIX: usize = 16;
/// The data file's SHA-256, its rows, the section's seal.
const SECTION: usize = 32 + 8 + SEAL;
const SEAL: usize = 16;
const PRINT: u64 = size_of::<u64>() as u64;

/// Where the fingerprints of a data file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub data: Hash32,
    pub rows: u64,
    /// The place of its first byte in the file of fingerprints.
    pub offset: u64,
    seal: u128,
}

impl Place {
    pub fn bytes(&self) -> u64 {
        self.rows * PRINT
    }

    /// The section that these bytes are; none when they are another.
    pub fn decode(&self, bytes: &[u8], seal: &Hasher) -> Option<Fingerprints> {
        let is_ours = bytes.len() as u64 == self.bytes() && seal.hash(bytes) == self.seal;
        is_ours.then(|| Fingerprints(bytes.as_chunks::<8>().0.iter().map(|print| u64::from_le_bytes(*print)).collect()))
    }
}

/// The bytes of a file with these sections.
pub fn encode(sections: &[(Hash32, Fingerprints)], seal: &Hasher) -> Vec<u8> {
    let rows: usize = sections.iter().map(|(_, prints)| prints.0.len()).sum();
    let mut header = Vec::with_capacity(header_bytes(sections.len() as u64) as usize + rows * size_of::<u64>());
    header.extend(MAGIC);
    header.extend((sections.len() as u64).to_le_bytes());
    let mut body: Vec<u8> = Vec::with_capacity(rows * size_of::<u64>());
    for (data, prints) in sections {
        let from = body.len();
        prints.0.iter().for_each(|print| body.extend(print.to_le_bytes()));
        header.extend(data.0);
        header.extend(prints.rows().to_le_bytes());
        header.extend(seal.hash(&body[from..]).to_le_bytes());
    }
    let of_header = seal.hash(&header);
    header.extend(of_header.to_le_bytes());
    header.extend(body);
    header
}

/// How long the header of a file is that begins with these bytes; none when they begin no file of ours.
pub fn header_length(prefix: &[u8]) -> Option<u64> {
    let count = prefix.strip_prefix(MAGIC)?.first_chunk::<8>()?;
    let count = u64::from_le_bytes(*count);
    // More than any lake has: then it is no count.
    (count < 1 << 32).then(|| header_bytes(count))
}

fn header_bytes(sections: u64) -> u64 {
    PREFIX as u64 + sections * SECTION as u64 + SEAL as u64
}

/// The sections that a header names, whoever wrote it.
pub fn places(header: &[u8]) -> Option<Vec<Place>> {
    if header_length(header)? != header.len() as u64 {
        return None;
    }
    let mut offset = header.len() as u64;
    let mut places = Vec::new();
    for section in header.get(PREFIX..header.len() - SEAL)?.as_chunks::<SECTION>().0 {
        let (data, rest) = section.split_first_chunk::<32>()?;
        let (rows, seal) = rest.split_first_chunk::<8>()?;
        let place = Place {
            data: Hash32(*data),
            rows: u64::from_le_bytes(*rows),
            offset,
            seal: u128::from_le_bytes(*seal.first_chunk()?),
        };
        offset = offset.checked_add(place.rows.checked_mul(PRINT)?)?;
        places.push(place);
    }
    Some(places)
}

/// The same when the header's seal is ours.
pub fn sealed_places(header: &[u8], seal: &Hasher) -> Option<Vec<Place>> {
    let (told, of_header) = header.split_last_chunk::<SEAL>()?;
    (seal.hash(told) == u128::from_le_bytes(*of_header)).then(|| places(header)).flatten()
}
