//! Versions of events: which of them are new, and which the table `revision` has already.
//!
//! A revision that comes again is a duplicate of it, whatever else came in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::UInt32Array;
use futures::TryStreamExt;
use hashbrown::{HashMap as FastMap, HashSet as FastSet};

use super::super::REVISION_TABLE;
use super::super::files::file::FileEntry;
use super::super::identity::Content;
use super::super::ledger::entry::Body;
use super::super::reading::read::{self, long, text};
use super::super::tables::revision::{RevisionRow, revision_batch};
use super::indexed::{Candidate, Match};
use super::judge::{Doubt, Place, Verdict};
use super::sift::Columns;
use super::sifted::Sifted;
use super::writer::{Batch, Writer};
use crate::error::Result;
use crate::typed::Hash32;

/// Revisions that are made at a time: their texts are held twice meanwhile.
const AT_A_TIME: usize = 4096;

/// The versions that the lake has of some identities.
#[derive(Default)]
struct Stored {
    /// Digests of lines.
    lines: FastSet<u128>,
    /// Identities with hashes of contents.
    contents: FastSet<(u128, u128)>,
    /// By identity, the events that were redacted by other rules than those of today.
    others: FastMap<u128, Vec<String>>,
}

impl Stored {
    /// Whether one of `others` differs from an event in nothing but what was redacted.
    fn is_masked(others: &[String], event: &str) -> Result<bool> {
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
    /// Tells new versions of events from versions that are there already.
    pub(in crate::lake) async fn tell_versions(
        &mut self,
        batch: &Batch,
        columns: &[Columns<'_>],
        doubts: &[Doubt],
        verdicts: Vec<Verdict>,
        sifted: &mut Sifted,
    ) -> Result<()> {
        let mut versions = Vec::new();
        for (doubt, verdict) in doubts.iter().zip(verdicts) {
            let place = doubt.place;
            let Verdict::Other(version) = verdict else {
                sifted.redelivered();
                continue;
            };
            let is_redacted_anew = match version.redacted_by {
                Some(sequence) => self.redaction_of(sequence).await? != batch.redaction_version,
                None => false,
            };
            match columns[place.0].keys[place.1].filter(|_| !is_redacted_anew) {
                Some(key) => versions.push((place, key, version)),
                None => sifted.redelivered(),
            }
        }
        if versions.is_empty() {
            return Ok(());
        }
        let wanted: Vec<Candidate<'_>> =
            versions.iter().map(|(place, key, _)| columns[place.0].candidate(place.1, Some(*key))).collect();
        let mut stored = self.stored_versions(&wanted, &batch.redaction_version).await?;
        let mut new: Vec<(Place, Vec<String>)> = Vec::new();
        for (place, key, version) in versions {
            let others = stored.others.get(&key.identity);
            let is_masked = || match others {
                None => Ok(false),
                Some(others) => {
                    let rows = UInt32Array::from(vec![place.1 as u32]);
                    Stored::is_masked(others, &self.events(&batch.events[place.0].events, rows)?.concat())
                }
            };
            if stored.lines.contains(&columns[place.0].digests[place.1]) {
                sifted.duplicates += 1;
            } else if !stored.contents.insert((key.identity, version.content)) || is_masked()? {
                sifted.redelivered();
            } else {
                new.push((place, version.changed));
            }
        }
        sifted.revised = new.len() as u64;
        // Sorted by time, as they are written.
        new.sort_by_key(|((number, row), _)| columns[*number].known.time_us(*row));
        while !new.is_empty() {
            let some: Vec<_> = new.drain(..new.len().min(AT_A_TIME)).collect();
            sifted.revisions.push(revision_batch(&self.revisions(batch, columns, some)?)?);
        }
        Ok(())
    }

    /// Makes rows of the table `revision`.
    fn revisions(
        &self,
        batch: &Batch,
        columns: &[Columns<'_>],
        new: Vec<(Place, Vec<String>)>,
    ) -> Result<Vec<RevisionRow>> {
        let mut by_batch: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, ((number, _), _)) in new.iter().enumerate() {
            by_batch.entry(*number).or_default().push(at);
        }
        let mut texts = vec![String::new(); new.len()];
        for (number, places) in by_batch {
            let rows = places.iter().map(|at| Some(new[*at].0.1 as u32)).collect();
            for (at, text) in places.iter().zip(self.events(&batch.events[number].events, rows)?) {
                texts[*at] = text;
            }
        }
        let row = |(((number, row), changed), event): ((Place, Vec<String>), String)| {
            let (arrived, columns) = (&batch.events[number], &columns[number]);
            let (line, offset) = arrived.events.origins.get(row).copied().unwrap_or_default();
            Ok(RevisionRow {
                parts: columns.known.parts(row)?,
                class: arrived.events.class.name.clone(),
                source: arrived.source.to_string(),
                line,
                offset,
                changed,
                event,
                digest: columns.digests[row],
            })
        };
        new.into_iter().zip(texts).map(row).collect()
    }

    /// Reads the revisions of some identities, each file once.
    async fn stored_versions(&mut self, wanted: &[Candidate<'_>], redaction: &str) -> Result<Stored> {
        let mut stored = Stored::default();
        let state = self.lake.state().clone();
        let Some(table) = state.tables.get(REVISION_TABLE) else { return Ok(stored) };
        let mut by_file: BTreeMap<Hash32, (Arc<FileEntry>, BTreeMap<u64, u128>)> = BTreeMap::new();
        let found = |i: usize, file: &Arc<FileEntry>, of: Match| {
            if let Match::Twin { row, digest } = of {
                stored.lines.insert(digest);
                let rows = by_file.entry(file.sha256).or_insert_with(|| (file.clone(), BTreeMap::new()));
                rows.1.insert(row, wanted[i].key.identity);
            }
        };
        let store = self.lake.store();
        self.index.look_up(&store, table.files.iter(), wanted, found).await?;
        for (file, rows) in by_file.into_values() {
            let numbers: Vec<u64> = rows.keys().copied().collect();
            let mut identities = rows.into_values();
            let mut parts = read::selected(&store, &file, &numbers).await?;
            while let Some(part) = parts.try_next().await? {
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
    async fn redaction_of(&mut self, sequence: u64) -> Result<String> {
        if let Some(version) = self.redactions.get(&sequence) {
            return Ok(version.clone());
        }
        let version = match self.lake.entry(sequence).await?.0.body {
            Body::Ingest(ingest) => ingest.redaction_version,
            _ => String::new(),
        };
        self.redactions.insert(sequence, version.clone());
        Ok(version)
    }
}
