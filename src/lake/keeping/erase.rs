//! Replaces a person's identifiers by a pseudonym, in all tables.
//!
//! An identifier is replaced wherever it occurs as a word: as the whole value of a column, in JSON, in a message. The
//! ledger keeps neither the identifier nor anything that would reveal it, only the pseudonym, which is made from the
//! identifier with the lake's key: the same person gets the same one when the command is run again.
//!
//! Files are rewritten one by one, and an entry is written whenever they have many bytes: so memory does not grow with
//! the lake, and the next run finishes one that was cut short. Holds are checked on all rows before the first entry,
//! since a refusal means that nothing was replaced.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, StringArray, StructArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use hmac::{Hmac, KeyInit, Mac};
use object_store::ObjectStore;
use serde::Serialize;
use sha2::Sha256;

use super::super::files::file::FileEntry;
use super::super::files::name::FileName;
use super::super::files::row_digest::row_digest;
use super::super::ledger::change::{Change, paths_of};
use super::super::ledger::entry::{Body, Erase, Erased, Hold};
use super::super::ledger::state::State;
use super::super::writing::stage::Made;
use super::hold::{find, held, mask};
use super::keeper::Keeper;
use super::merge::Rows;
use crate::error::{Context, Error, Kind, Result};
use crate::typed::hex;

/// The number of rounds over files that others wrote meanwhile.
const ROUNDS: u32 = 20;

/// The shortest identifier: a shorter one would occur in the middle of other words.
const LEAST: usize = 4;

/// The result of an erasure, real or foreseen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ErasedRows {
    /// The entries that were written: none when there was nothing to replace, or for a dry run.
    pub entries: Vec<u64>,
    pub pseudonyms: Vec<String>,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    pub files: u64,
    /// Copies in `_replaced/` that were removed.
    pub replaced: u64,
}

/// An identifier, and its replacement.
#[derive(Debug, Clone)]
struct Swap {
    subject: String,
    pseudonym: String,
}

impl Swap {
    /// Returns where the identifier occurs as a word.
    fn places<'t>(&'t self, text: &'t str) -> impl Iterator<Item = usize> + 't {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        text.match_indices(self.subject.as_str()).map(|(at, _)| at).filter(move |at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + self.subject.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    }

    fn is_in(&self, text: &str) -> bool {
        self.places(text).next().is_some()
    }

    fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for at in self.places(text).filter(|at| *at >= from).collect::<Vec<_>>() {
            if at < from {
                continue;
            }
            out.push_str(&text[from..at]);
            out.push_str(&self.pseudonym);
            from = at + self.subject.len();
        }
        out.push_str(&text[from..]);
        out
    }
}

/// The common parts of all entries of one erasure.
struct Erasing<'a> {
    reason: &'a str,
    holds: Vec<Hold>,
}

/// A future entry.
#[derive(Default)]
struct Pending {
    made: Vec<Made>,
    replaced: Vec<Arc<FileEntry>>,
    erased: BTreeMap<String, Erased>,
}

impl Pending {
    /// Counts the changes in the rows of a file.
    fn add(&mut self, file: &FileEntry, sum: &Erased) {
        let told = self.erased.entry(file.table().to_string()).or_default();
        *told = Erased {
            rows: told.rows + sum.rows,
            before: told.before.plus(sum.before),
            after: told.after.plus(sum.after),
        };
    }

    fn bytes(&self) -> u64 {
        self.made.iter().map(|made| made.file.bytes).sum()
    }
}

impl Keeper {
    /// Replaces identifiers of one person by pseudonyms.
    ///
    /// Errors with [`Kind::Usage`] when a hold keeps a row of them.
    pub async fn erase(&mut self, subjects: &[String], reason: &str, is_dry: bool) -> Result<ErasedRows> {
        let swaps = self.swaps(subjects)?;
        self.catch_up().await?;
        let pseudonyms: Vec<String> = swaps.iter().map(|swap| swap.pseudonym.clone()).collect();
        if is_dry || !self.state().holds.is_empty() {
            let foreseen = self.foresee(&swaps).await?;
            if is_dry {
                return Ok(ErasedRows { pseudonyms, ..foreseen });
            }
        }
        let erasing = Erasing { reason, holds: self.state().holds.clone() };
        let store: Arc<dyn ObjectStore> = self.lake().store();
        let mut done = ErasedRows { pseudonyms, ..ErasedRows::default() };
        let mut looked: HashSet<FileName> = HashSet::new();
        for _ in 0..ROUNDS {
            let files = self.lake().files().filter(|file| !looked.contains(&file.name()));
            let files: Vec<Arc<FileEntry>> = files.cloned().collect();
            let mut pending = Pending::default();
            for file in &files {
                looked.insert(file.name());
                let mut rows = Rows::read(&store, file).await?;
                let sum = self.swap(&swaps, file, &mut rows)?;
                if sum.rows == 0 {
                    continue;
                }
                let after = file.digest.minus(sum.before).plus(sum.after);
                let one = self.merged(vec![rows]).await?.filter(|made| made.file.digest == after);
                pending.made.push(one.ok_or_else(|| {
                    Error::new(Kind::Integrity, format!("cannot write {file} anew: its rows are not what was written"))
                })?);
                pending.replaced.push(file.clone());
                pending.add(file, &sum);
                if pending.bytes() > self.entry_bytes {
                    self.record_erasure(std::mem::take(&mut pending), &erasing, &mut looked, &mut done).await?;
                }
            }
            self.record_erasure(pending, &erasing, &mut looked, &mut done).await?;
            self.catch_up().await?;
            if self.lake().files().all(|file| looked.contains(&file.name())) {
                return Ok(done);
            }
        }
        Err(Error::new(Kind::Conflict, "other runs write to the lake faster than it can be looked through")
            .hint("run the command again when they have ended: it goes on"))
    }

    /// Counts the rows that would be replaced. Errors when a hold keeps one of them.
    async fn foresee(&self, swaps: &[Swap]) -> Result<ErasedRows> {
        let store: Arc<dyn ObjectStore> = self.lake().store();
        let mut done = ErasedRows::default();
        for file in self.lake().files() {
            let sum = self.swap(swaps, file, &mut Rows::read(&store, file).await?)?;
            if sum.rows > 0 {
                *done.rows.entry(file.table().to_string()).or_default() += sum.rows;
                done.files += 1;
            }
        }
        Ok(done)
    }

    /// Writes an entry for the new files, and for the copies in `_replaced/`, which may name the person. Where another
    /// run has replaced one of the files, nothing is changed, and they are read again.
    async fn record_erasure(
        &mut self,
        pending: Pending,
        erasing: &Erasing<'_>,
        looked: &mut HashSet<FileName>,
        done: &mut ErasedRows,
    ) -> Result<()> {
        let settled: Vec<u64> = self.state().aside.iter().map(|aside| aside.sequence).collect();
        let copies = self.set_aside_by(&settled).await?;
        let Pending { made, replaced, erased } = pending;
        if made.is_empty() && copies.is_empty() {
            return Ok(());
        }
        let paths = paths_of(replaced.iter().map(Arc::as_ref));
        let mut dropped = paths.clone();
        for (table, more) in &copies {
            dropped.entry(table.clone()).or_default().extend(more.iter().cloned());
        }
        let pseudonyms = done.pseudonyms.clone();
        let body = |state: &State, files: Vec<FileEntry>| {
            if state.holds != erasing.holds {
                return Err(Error::new(Kind::Conflict, "a hold began or ended at the same time")
                    .hint("run the command again: it goes on"));
            }
            let change = Change { files, replaced: paths.clone(), dropped: dropped.clone(), settled: settled.clone() };
            Ok(Some(Body::Erase(Erase {
                change,
                reason: erasing.reason.to_string(),
                pseudonyms: pseudonyms.clone(),
                erased: erased.clone(),
            })))
        };
        match self.commit(&made, body).await? {
            Some(sequence) => {
                let ours = self.lake().files().filter(|file| file.name().sequence == sequence);
                looked.extend(ours.map(|file| file.name()));
                done.entries.push(sequence);
                done.files += replaced.len() as u64;
                done.replaced += copies.values().map(|paths| paths.len() as u64).sum::<u64>();
                for (table, told) in erased {
                    *done.rows.entry(table).or_default() += told.rows;
                }
            }
            None => replaced.iter().for_each(|file| {
                looked.remove(&file.name());
            }),
        }
        Ok(())
    }

    fn swaps(&self, subjects: &[String]) -> Result<Vec<Swap>> {
        let key = self.lake().derive_key("erasure")?;
        let mut swaps = Vec::new();
        for subject in subjects {
            if subject.chars().count() < LEAST {
                return Err(Error::usage(format!("an identifier of fewer than {LEAST} characters cannot be erased"))
                    .hint("it would be met in what is meant otherwise; name the uid or the email address"));
            }
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).context(Kind::Internal, || "cannot make a pseudonym")?;
            mac.update(subject.as_bytes());
            let pseudonym = format!("erased-{}", hex(&mac.finalize().into_bytes()[..8]));
            swaps.push(Swap { subject: subject.clone(), pseudonym });
        }
        // The longest comes first: an email address may hold another identifier.
        swaps.sort_by_key(|swap| std::cmp::Reverse(swap.subject.len()));
        Ok(swaps)
    }

    /// Replaces identifiers in the rows of a file; returns how many rows changed, with their digests before and after.
    fn swap(&self, swaps: &[Swap], file: &FileEntry, rows: &mut Rows) -> Result<Erased> {
        let mut sum = Erased::default();
        for batch in rows.batches_mut() {
            let mut hit = vec![false; batch.num_rows()];
            let is_meant = |text: &str| swaps.iter().any(|swap| swap.is_in(text));
            batch.columns().iter().for_each(|column| find(column, &is_meant, &mut hit));
            if !hit.contains(&true) {
                continue;
            }
            for hold in self.state().holds.iter().filter(|hold| hold.may_hold(file)) {
                let kept = held(std::slice::from_ref(hold), file.table(), batch)?;
                if kept.iter().zip(&hit).any(|(kept, hit)| *kept && *hit) {
                    return Err(Error::usage(format!("the hold `{}` keeps rows that name the person", hold.name))
                        .hint("nothing was replaced; `auditlake hold list` says whose hold it is"));
                }
            }
            let chosen: BooleanArray = mask(hit.iter().copied());
            let choose = |batch: &RecordBatch| {
                filter_record_batch(batch, &chosen).context(Kind::Internal, || "cannot choose rows")
            };
            let before = row_digest([&choose(batch)?])?;
            let columns = batch.columns().iter().map(|column| swapped(column, swaps)).collect::<Result<_>>()?;
            *batch = RecordBatch::try_new(batch.schema(), columns)
                .context(Kind::Internal, || "cannot replace identifiers")?;
            sum.rows += hit.iter().filter(|hit| **hit).count() as u64;
            sum.before = sum.before.plus(before);
            sum.after = sum.after.plus(row_digest([&choose(batch)?])?);
        }
        Ok(sum)
    }
}

/// Returns the column with pseudonyms for identifiers, at any depth.
fn swapped(array: &ArrayRef, swaps: &[Swap]) -> Result<ArrayRef> {
    let cannot = || "cannot replace identifiers";
    Ok(match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let replaced = texts.iter().map(|text| {
                text.map(|text| {
                    let mut text = std::borrow::Cow::Borrowed(text);
                    for swap in swaps.iter().filter(|swap| !swap.subject.is_empty()) {
                        if swap.is_in(&text) {
                            text = swap.replace(&text).into();
                        }
                    }
                    text
                })
            });
            Arc::new(replaced.collect::<StringArray>())
        }
        DataType::Struct(fields) => {
            let array = array.as_struct();
            let columns = array.columns().iter().map(|column| swapped(column, swaps)).collect::<Result<_>>()?;
            let built = StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len());
            Arc::new(built.context(Kind::Internal, cannot)?)
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let values = swapped(list.values(), swaps)?;
            let built = ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned());
            Arc::new(built.context(Kind::Internal, cannot)?)
        }
        _ => array.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_replaced_as_a_word_and_nowhere_else() {
        let swap = Swap { subject: "ann@corp.example".into(), pseudonym: "erased-1".into() };
        assert_eq!(swap.replace("ann@corp.example"), "erased-1");
        assert_eq!(swap.replace(r#"{"by":"ann@corp.example","n":1}"#), r#"{"by":"erased-1","n":1}"#);
        assert_eq!(swap.replace("ann@corp.example, ann@corp.example."), "erased-1, erased-1.");
        for other in ["joann@corp.example", "ann@corp.examples", "ann@corp", ""] {
            assert_eq!(swap.replace(other), other);
        }
    }
}
