//! Versions of events that the table `revision` has already: a revision that comes again is a duplicate of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use hashbrown::{HashMap as FastMap, HashSet as FastSet};

use super::REVISION_TABLE;
use super::dedupe::{Candidate, Match};
use super::entry::{Body, FileEntry};
use super::identity::{Content, Key};
use super::read;
use super::sift::{long, text};
use super::writer::Writer;
use crate::error::{Context, Kind, Result};

/// What the lake has of some identities.
#[derive(Default)]
pub(super) struct Stored {
    /// Digests of lines.
    pub lines: FastSet<u128>,
    /// Identities with hashes of contents.
    pub contents: FastSet<(u128, u128)>,
    /// By identity, the events that were redacted by other rules than those of today.
    others: FastMap<u128, Vec<String>>,
}

impl Stored {
    /// Whether a version is there that differs in nothing but what was redacted.
    pub fn is_masked(&self, key: &Key, event: &str) -> Result<bool> {
        let Some(others) = self.others.get(&key.identity) else { return Ok(false) };
        let content = Content::of_event(event)?;
        for other in others {
            if Content::of_event(other)?.is_same_but_for_redaction(&content) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Writer {
    /// Reads the revisions of some identities, each file once.
    pub(super) async fn stored_versions(&mut self, wanted: &[Candidate<'_>], redaction: &str) -> Result<Stored> {
        let mut stored = Stored::default();
        let state = self.lake.state().clone();
        let Some(table) = state.tables.get(REVISION_TABLE) else { return Ok(stored) };
        let mut by_file: BTreeMap<String, (Arc<FileEntry>, BTreeMap<u64, u128>)> = BTreeMap::new();
        let found = |i: usize, file: &Arc<FileEntry>, of: Match| {
            if let Match::Twin { row, digest } = of {
                stored.lines.insert(digest);
                let rows = by_file.entry(file.sha256.clone()).or_insert_with(|| (file.clone(), BTreeMap::new()));
                rows.1.insert(row, wanted[i].key.identity);
            }
        };
        let store = self.lake.store();
        self.index.look_up(&store, table.files.iter(), wanted, found).await?;
        for (file, rows) in by_file.into_values() {
            let numbers: Vec<u64> = rows.keys().copied().collect();
            let mut identities = rows.into_values();
            let mut parts = read::selected(&store, &file, &numbers).await?;
            while let Some(part) = parts.try_next().await.context(Kind::Unavailable, || read::cannot_read(&file))? {
                let columns = (text(&part, "event"), long(&part, "_batch"));
                let (Some(events), Some(sequences)) = columns else { return Err(read::lacks_columns(&file)) };
                for (row, identity) in (0..part.num_rows()).zip(identities.by_ref()) {
                    let event = events.value(row);
                    let content = Content::of_event(event)?.hash(&self.contents);
                    stored.contents.insert((identity, content));
                    if self.redaction_of(sequences.value(row) as u64).await? != redaction {
                        stored.others.entry(identity).or_default().push(event.to_string());
                    }
                }
            }
        }
        Ok(stored)
    }

    /// The version of the redaction rules that an entry's rows went through.
    pub(super) async fn redaction_of(&mut self, sequence: u64) -> Result<String> {
        if let Some(version) = self.redactions.get(&sequence) {
            return Ok(version.clone());
        }
        let version = match self.lake.entry(sequence).await?.0.body {
            Body::Ingest(ingest) => ingest.redaction_version,
            Body::Create(_) => String::new(),
        };
        self.redactions.insert(sequence, version.clone());
        Ok(version)
    }
}
