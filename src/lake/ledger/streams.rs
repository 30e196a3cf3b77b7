//! How far each stream was read: only ingests need it.
//!
//! A lake may have ingested a hundred thousand files, so a stream is found by its known parts (the hash of its head, or
//! the mark at which an earlier run stopped), never by looking through all of them.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entry::{Head, Mark, SourceRange};
use crate::typed::hex;

/// The position up to which one stream was read, whatever the file was called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    pub name: String,
    pub head: Head,
    pub mark: Mark,
    /// See [`SourceRange::before`].
    pub before: Mark,
    /// See [`SourceRange::state`].
    pub state: String,
    /// The entry that moved it here.
    pub sequence: u64,
}

/// All streams of a lake, in the order in which they were first seen.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    all: Vec<Stream>,
    /// Streams by length and hash of the head.
    by_head: BTreeMap<(u64, String), Vec<usize>>,
    /// Streams whose position is at a mark, or was at it one chunk before.
    by_mark: HashMap<Mark, Vec<usize>>,
}

impl Streams {
    /// Makes the collection of these streams; `all` is what [`Streams::all`] returned.
    pub fn new(all: Vec<Stream>) -> Streams {
        let mut streams = Streams { all, ..Streams::default() };
        for at in 0..streams.all.len() {
            streams.index(at);
        }
        streams
    }

    pub fn all(&self) -> &[Stream] {
        &self.all
    }

    /// Returns streams that begin like `head`: with all of it, or, since they may have grown, with as much as they had.
    pub fn like(&self, head: &[u8]) -> Vec<&Stream> {
        let mut found = Vec::new();
        let (mut hasher, mut length) = (Sha256::new(), 0);
        // One look-up for each length that a head has, however many heads have it.
        while let Some(next) = self.by_head.range((length as u64 + 1, String::new())..).next().map(|(key, _)| key.0) {
            let Some(more) = usize::try_from(next).ok().and_then(|next| head.get(length..next)) else { break };
            hasher.update(more);
            length += more.len();
            let places = self.by_head.get(&(next, hex(&hasher.clone().finalize())));
            found.extend(places.into_iter().flatten().map(|&at| &self.all[at]));
        }
        found
    }

    /// Returns streams with exactly this head.
    pub fn with_head(&self, head: &Head) -> impl Iterator<Item = &Stream> + use<'_> {
        self.by_head.get(&key(head)).into_iter().flatten().map(|&at| &self.all[at])
    }

    /// Returns streams that were read up to this mark.
    pub fn at(&self, mark: &Mark) -> impl Iterator<Item = &Stream> {
        let stands = move |at: &&usize| self.all[**at].mark == *mark;
        self.by_mark.get(mark).into_iter().flatten().filter(stands).map(|&at| &self.all[at])
    }

    /// Adds a stream that is not in the ledger yet.
    pub fn push(&mut self, stream: Stream) {
        self.all.push(stream);
        self.index(self.all.len() - 1);
    }

    /// Applies a range that entry `sequence` recorded.
    pub fn advance(&mut self, source: &SourceRange, sequence: u64) {
        let Some(head) = &source.head else { return };
        let stream = Stream {
            name: source.name.clone(),
            head: head.clone(),
            mark: source.to.clone(),
            before: source.before.clone(),
            state: source.state.clone(),
            sequence,
        };
        match self.same(source, head) {
            Some(at) => {
                self.forget(at);
                self.all[at] = stream;
                self.index(at);
            }
            None => self.push(stream),
        }
    }

    /// Returns the stream that a range continues; the one that was seen first when there are several.
    fn same(&self, source: &SourceRange, head: &Head) -> Option<usize> {
        let places = |mark: &Mark| self.by_mark.get(mark).into_iter().flatten().copied();
        // The same stream read further replaces its mark. One that was short when it was first seen had a shorter head
        // then; it is known by the mark it was resumed from. If a file began as a copy of another one, both are kept:
        // the shorter one may come again.
        let grown = places(&source.from).filter(|&at| source.from.offset > 0 && self.all[at].name == source.name).min();
        let at_end = places(&source.to).filter(|&at| source.to.offset > 0 && self.all[at].mark == source.to).min();
        // All streams of which nothing was ingested have the same mark: they are known by their heads.
        let unread = self.by_head.get(&key(head)).into_iter().flatten().copied();
        let unread = unread.filter(|&at| source.from.offset == 0 && self.all[at].mark.offset == 0).min();
        [grown, at_end, unread].into_iter().flatten().min()
    }

    fn index(&mut self, at: usize) {
        let stream = &self.all[at];
        let marks = [&stream.mark, &stream.before];
        for mark in marks.into_iter().filter(|mark| mark.offset > 0) {
            let places = self.by_mark.entry(mark.clone()).or_default();
            if places.last() != Some(&at) {
                places.push(at);
            }
        }
        self.by_head.entry(key(&stream.head)).or_default().push(at);
    }

    fn forget(&mut self, at: usize) {
        let stream = &self.all[at];
        for mark in [&stream.mark, &stream.before] {
            if let Some(places) = self.by_mark.get_mut(mark) {
                places.retain(|&place| place != at);
            }
        }
        if let Some(places) = self.by_head.get_mut(&key(&stream.head)) {
            places.retain(|&place| place != at);
        }
    }
}

fn key(head: &Head) -> (u64, String) {
    (head.bytes, head.sha256.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typed::Hash32;

    fn mark(offset: u64) -> Mark {
        Mark { offset, line: offset / 10, blake3: Hash32::sha256(&u64::to_le_bytes(offset)) }
    }

    fn range(name: &str, head: &str, bytes: u64, from: u64, to: u64) -> SourceRange {
        SourceRange {
            name: name.into(),
            head: Some(Head { bytes, sha256: head.into() }),
            from: mark(from),
            to: mark(to),
            ..SourceRange::default()
        }
    }

    fn names(streams: &Streams) -> Vec<(&str, u64)> {
        streams.all().iter().map(|stream| (stream.name.as_str(), stream.mark.offset)).collect()
    }

    #[test]
    fn a_stream_that_grows_stays_one_and_a_copy_that_grew_is_another() {
        let mut streams = Streams::default();
        streams.advance(&range("a", "h", 4096, 0, 500), 1);
        streams.advance(&range("a", "h", 4096, 500, 900), 2);
        assert_eq!(names(&streams), [("a", 900)]);
        // The copy was resumed where the first one stood, and read further.
        streams.advance(&range("b", "h", 4096, 900, 1200), 3);
        assert_eq!(names(&streams), [("a", 900), ("b", 1200)]);
        // The same content again under a third name stands where `b` stands.
        streams.advance(&range("c", "h", 4096, 0, 1200), 4);
        assert_eq!(names(&streams), [("a", 900), ("c", 1200)]);
    }

    #[test]
    fn streams_of_which_nothing_was_taken_are_told_by_their_heads() {
        let mut streams = Streams::default();
        let hash = |head: &str| hex(&Sha256::digest(head));
        streams.advance(&range("a", &hash("abc"), 3, 0, 0), 1);
        streams.advance(&range("b", &hash("xyz"), 3, 0, 0), 2);
        streams.advance(&range("b2", &hash("xyz"), 3, 0, 0), 3);
        streams.advance(&range("c", &hash("abcd"), 4, 0, 0), 4);
        assert_eq!(names(&streams), [("a", 0), ("b2", 0), ("c", 0)]);
        let like = |head: &str| -> Vec<&str> {
            streams.like(head.as_bytes()).iter().map(|stream| stream.name.as_str()).collect()
        };
        assert_eq!(like("abcdef"), ["a", "c"]);
        assert_eq!(like("abc"), ["a"]);
        assert_eq!(like("xyz"), ["b2"]);
        assert_eq!(like("ab"), [""; 0]);
    }

    #[test]
    fn streams_read_back_are_found_as_before() {
        let mut streams = Streams::default();
        for at in 0..50 {
            streams.advance(&range(&format!("f{at}"), &format!("h{at}"), 4096, 0, 100 + at), at);
        }
        let mut again = Streams::new(streams.all().to_vec());
        streams.advance(&range("f7", "h7", 4096, 107, 900), 51);
        again.advance(&range("f7", "h7", 4096, 107, 900), 51);
        assert_eq!(streams.all(), again.all());
        assert_eq!(again.at(&mark(900)).count(), 1);
        assert_eq!(again.at(&mark(107)).count(), 0);
    }
}
