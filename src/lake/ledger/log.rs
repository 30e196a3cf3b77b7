//! The ledger: an append-only, hash-chained list of entries, and the state they add up to.
//!
//! An entry exists when its file exists. It is created with put-if-absent, so of two writers one wins and the other
//! reads what the winner wrote. Everything in the folder needs a witness: the list of names must have no gap, each
//! entry is named by the hash in the next one, and a checkpoint counts when an entry names it.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;

use super::checkpoint::{self, Checkpoint, StreamsPart};
use super::entries::{Put, entries, exists, hash_of, put_entry, read_entry, require};
use super::entry::{Body, CheckpointRef, Entry, SourceRange};
use super::listing::{Listing, gap};
use super::parse::needed_by;
use super::signed::Signing;
use super::state::State;
use super::streams::Streams;
use super::told::{Anchoring, Head};
use crate::error::{Error, Kind, Result};
use crate::failpoint;

/// The ledger of one lake, read up to some entry.
#[derive(Debug, Clone)]
pub struct Ledger {
    store: Arc<dyn ObjectStore>,
    state: Arc<State>,
    streams: StreamsRead,
    /// Bytes of the newest known checkpoint.
    checkpoint_bytes: u64,
    signing: Signing,
    anchoring: Anchoring,
}

/// The streams of a ledger, which are read when they are needed.
#[derive(Debug, Clone)]
enum StreamsRead {
    All(Arc<Streams>),
    /// The streams of a checkpoint, if there was one, and the ranges of the entries since, with their sequences.
    Not {
        at: Option<StreamsPart>,
        since: Vec<(u64, SourceRange)>,
    },
}

/// The result of an attempt to append.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry is committed; its hash.
    Committed(String),
    /// Another writer took the sequence: refresh and look again.
    Lost,
}

/// The time of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub time_ms: i64,
    /// See [`Entry::skew_ms`].
    pub skew_ms: Option<i64>,
}

impl Ledger {
    /// Reads the ledger to its head, or to entry `limit`; returns `None` when there is no entry at all.
    ///
    /// Errors with [`Kind::Integrity`] when the folder holds entries that do not follow one another.
    pub async fn open(store: Arc<dyn ObjectStore>, listing: &Listing, limit: Option<u64>) -> Result<Option<Ledger>> {
        let Some(head) = listing.head()? else { return Ok(None) };
        if limit.is_some_and(|limit| limit > head) {
            return Err(Error::input(format!("no ledger entry {}", limit.unwrap_or_default()))
                .hint(format!("the last one is {head}")));
        }
        let mut ledger = Ledger::load(store, limit.unwrap_or(head)).await?;
        if limit.is_none() {
            // Others may have written since the list was made.
            ledger.refresh().await?;
        }
        Ok(Some(ledger))
    }

    /// Begins a ledger with entry 0; returns `None` when there is one already.
    pub async fn begin(store: Arc<dyn ObjectStore>, entry: Entry, signing: &Signing) -> Result<Option<Ledger>> {
        let bytes = signing.to_bytes(&entry)?;
        match put_entry(&store, &entry, &bytes).await? {
            Put::Taken => Ok(None),
            Put::Ours => Ok(Some(Ledger::at(store, State::begin(&entry, hash_of(&bytes))?))),
        }
    }

    fn at(store: Arc<dyn ObjectStore>, state: State) -> Ledger {
        let streams = StreamsRead::Not { at: None, since: Vec::new() };
        Ledger {
            store,
            state: Arc::new(state),
            streams,
            checkpoint_bytes: 0,
            signing: Signing::default(),
            anchoring: Anchoring::default(),
        }
    }

    /// Loads the state after entry `sequence`, from the checkpoint that the entry names.
    async fn load(store: Arc<dyn ObjectStore>, sequence: u64) -> Result<Ledger> {
        let (entry, hash, bytes) = require(&store, sequence).await?;
        let mut ledger = match usable_checkpoint(&store, entry.checkpoint).await? {
            Some(found) => {
                let mut ledger = Ledger::at(store, found.state);
                ledger.checkpoint_bytes = found.bytes;
                ledger.streams = StreamsRead::Not { at: Some(found.streams), since: Vec::new() };
                ledger
            }
            None => {
                let at_first = match sequence {
                    0 => State::begin(&entry, hash.clone())?,
                    _ => require(&store, 0).await.and_then(|(first, hash, _)| State::begin(&first, hash))?,
                };
                Ledger::at(store, at_first)
            }
        };
        // The entry at hand is not read again: one that replaced thousands of files is large.
        if ledger.state.sequence < sequence {
            ledger.advance(sequence - 1).await?;
            ledger.take(&entry, hash, bytes)?;
        }
        Ok(ledger)
    }

    /// Sets the key that signs new entries.
    pub fn sign(&mut self, signing: Signing) {
        self.signing = signing;
    }

    /// Sets the receiver of new heads.
    pub fn tell(&mut self, anchoring: Anchoring) {
        self.anchoring = anchoring;
    }

    /// Returns the newest entry that was read.
    pub fn head(&self) -> Head {
        let state = &self.state;
        Head {
            lake_id: state.lake.lake_id.clone(),
            sequence: state.sequence,
            sha256: state.hash.clone(),
            time_ms: state.time_ms,
        }
    }

    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Returns the bytes of the newest known checkpoint.
    #[cfg(test)]
    pub fn checkpoint_bytes(&self) -> u64 {
        self.checkpoint_bytes
    }

    /// Returns how far each stream was read.
    pub async fn streams(&mut self) -> Result<Arc<Streams>> {
        let (at, since) = match &self.streams {
            StreamsRead::All(streams) => return Ok(streams.clone()),
            StreamsRead::Not { at, since } => (at, since),
        };
        let of_checkpoint = match at {
            None => Some(Vec::new()),
            Some(part) => match part.read(&self.store).await {
                Ok(streams) => Some(streams),
                Err(error) if error.kind() == Kind::Integrity => {
                    tracing::warn!(%error, "reading all entries of the ledger instead");
                    None
                }
                Err(error) => return Err(error),
            },
        };
        let streams = match of_checkpoint {
            Some(streams) => {
                let mut streams = Streams::new(streams);
                since.iter().for_each(|(sequence, range)| streams.advance(range, *sequence));
                streams
            }
            None => {
                let mut streams = Streams::default();
                let mut entries = entries(&self.store, 0, self.state.sequence);
                while let Some((entry, _, _)) = entries.try_next().await? {
                    ranges(&entry).for_each(|range| streams.advance(range, entry.sequence));
                }
                streams
            }
        };
        let streams = Arc::new(streams);
        self.streams = StreamsRead::All(streams.clone());
        Ok(streams)
    }

    /// Reads the entries that others wrote since.
    pub async fn refresh(&mut self) -> Result<()> {
        loop {
            let next = self.state.sequence + 1;
            let Some((entry, hash, bytes)) = read_entry(&self.store, next).await? else { break };
            self.take(&entry, hash, bytes)?;
        }
        // A missing entry is not the end if one follows it. An entry that came meanwhile is read next time.
        let (gone, after) = (self.state.sequence + 1, self.state.sequence + 2);
        if exists(&self.store, after).await? && !exists(&self.store, gone).await? {
            return Err(gap(gone, after));
        }
        Ok(())
    }

    /// Reads the entries up to `last`, which exist.
    async fn advance(&mut self, last: u64) -> Result<()> {
        let store = self.store.clone();
        let mut entries = entries(&store, self.state.sequence + 1, last);
        while let Some((entry, hash, bytes)) = entries.try_next().await? {
            self.take(&entry, hash, bytes)?;
        }
        Ok(())
    }

    fn take(&mut self, entry: &Entry, hash: String, bytes: usize) -> Result<()> {
        let known = self.state.checkpoint;
        let state = Arc::make_mut(&mut self.state);
        state.apply(entry, hash)?;
        if state.checkpoint != known {
            state.weight = 0;
        }
        state.weight += checkpoint::weight(bytes);
        match &mut self.streams {
            StreamsRead::All(streams) => {
                let mut ranges = ranges(entry).peekable();
                if ranges.peek().is_some() {
                    let streams = Arc::make_mut(streams);
                    ranges.for_each(|range| streams.advance(range, entry.sequence));
                }
            }
            StreamsRead::Not { since, .. } => {
                since.extend(ranges(entry).filter(|range| range.head.is_some()).map(|r| (entry.sequence, r.clone())));
            }
        }
        Ok(())
    }

    /// Errors with [`Kind::Unavailable`] when a newer program wrote to the lake, so that this one must not.
    pub fn check_writable(&self) -> Result<()> {
        self.state.format.check_writable(&self.state.writer)
    }

    /// Returns the time of an entry that is written when a clock says `now_ms`: never before the previous entry.
    pub fn moment(&self, now_ms: i64) -> Moment {
        let last_ms = self.state.time_ms;
        Moment { time_ms: now_ms.max(last_ms), skew_ms: (now_ms < last_ms).then(|| last_ms.saturating_sub(now_ms)) }
    }

    /// Appends an entry at the head. This sets the fields that belong to the chain.
    pub async fn append(&mut self, writer_id: &str, moment: Moment, body: Body) -> Result<Appended> {
        self.check_writable()?;
        self.state.check(&body)?;
        let entry = Entry {
            sequence: self.state.sequence + 1,
            previous: Some(self.state.hash.clone()),
            time_ms: moment.time_ms,
            skew_ms: moment.skew_ms,
            writer: super::super::WRITER.to_string(),
            writer_id: writer_id.to_string(),
            format: self.state.format.raised_by(needed_by(&body)),
            checkpoint: self.state.checkpoint,
            body,
            signature: None,
        };
        let bytes = self.signing.to_bytes(&entry)?;
        failpoint::reached("ledger.append");
        let put = put_entry(&self.store, &entry, &bytes).await?;
        failpoint::reached("ledger.appended");
        match put {
            Put::Taken => Ok(Appended::Lost),
            Put::Ours => {
                let hash = hash_of(&bytes);
                self.take(&entry, hash.clone(), bytes.len())?;
                self.anchoring.tell(|| self.head());
                Ok(Appended::Committed(hash))
            }
        }
    }

    /// Writes a checkpoint of the head when one is due: the next entry names it.
    ///
    /// Losing it loses nothing, so trouble is logged and not returned. Returns true when one was written.
    pub async fn checkpoint_if_due(&mut self) -> bool {
        if !checkpoint::is_due(&self.state, self.checkpoint_bytes) {
            return false;
        }
        let written = async {
            let streams = self.streams().await?;
            checkpoint::write(&self.store, &self.state, &streams).await
        };
        match written.await {
            Ok((checkpoint, bytes)) => {
                let state = Arc::make_mut(&mut self.state);
                state.checkpoint = Some(checkpoint);
                state.weight = 0;
                self.checkpoint_bytes = bytes;
                true
            }
            Err(error) => {
                tracing::warn!(sequence = self.state.sequence, %error, "cannot write a ledger checkpoint");
                false
            }
        }
    }

    /// Returns the state after entry `sequence`, which must exist.
    pub async fn state_at(&self, sequence: u64) -> Result<State> {
        if sequence == self.state.sequence {
            return Ok(self.state.as_ref().clone());
        }
        if sequence > self.state.sequence {
            return Err(Error::input(format!("no ledger entry {sequence}"))
                .hint(format!("the last one is {}", self.state.sequence)));
        }
        let ledger = Ledger::load(self.store.clone(), sequence).await?;
        Ok(Arc::unwrap_or_clone(ledger.state))
    }

    /// Reads one entry, with the hash of its bytes.
    pub async fn entry(&self, sequence: u64) -> Result<(Entry, String)> {
        require(&self.store, sequence).await.map(|(entry, hash, _)| (entry, hash))
    }

    /// Calls `tell` with the entries from `first` to `last` in their order, each with the hash of its bytes; many are
    /// read at a time.
    pub async fn entries(
        &self,
        first: u64,
        last: u64,
        mut tell: impl FnMut(Entry, String) -> Result<()>,
    ) -> Result<()> {
        let mut entries = entries(&self.store, first, last);
        while let Some((entry, hash, _)) = entries.try_next().await? {
            tell(entry, hash)?;
        }
        Ok(())
    }
}

fn ranges(entry: &Entry) -> impl Iterator<Item = &SourceRange> {
    match &entry.body {
        Body::Ingest(ingest) => ingest.sources.iter(),
        _ => [].iter(),
    }
}

/// Returns the newest usable checkpoint: the one that is named, or one that the entries before it name.
async fn usable_checkpoint(store: &Arc<dyn ObjectStore>, named: Option<CheckpointRef>) -> Result<Option<Checkpoint>> {
    let (mut next, mut is_newest) = (named, true);
    while let Some(named) = next {
        match checkpoint::read(store, &named).await {
            Ok(Some(found)) => return Ok(Some(found)),
            // Older ones are thinned out.
            Ok(None) if !is_newest => {}
            Ok(None) => tracing::warn!(
                sequence = named.sequence,
                "the newest checkpoint of the ledger is missing; reading an older one and the entries instead"
            ),
            Err(error) if error.kind() == Kind::Integrity => {
                tracing::warn!(%error, "reading an older one and the entries instead");
            }
            Err(error) => return Err(error),
        }
        is_newest = false;
        next = require(store, named.sequence).await?.0.checkpoint;
    }
    Ok(None)
}
