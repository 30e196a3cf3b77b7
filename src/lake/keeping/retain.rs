//! Removes rows for their age, so that nothing of them is left in any file of the lake.
//!
//! ```text
//! file older than the limit        removed, unless a hold may keep a row of it
//! file with rows on both sides     written anew without the old rows
//! files in `_replaced/`            removed when they may hold such rows: they are copies
//! ```
//!
//! The entry names all of them, the policy, and by table how many rows went and their digest: so the remaining rows
//! still add up. From then on nothing older is ingested again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use object_store::ObjectStore;
use serde::Serialize;

use super::super::files::file::FileEntry;
use super::super::ledger::change::{Change, Paths, each, paths_of};
use super::super::ledger::entry::{Body, Removed, Retain};
use super::super::ledger::state::State;
use super::super::parquet::times;
use super::super::tables::reject::REJECT_TABLE;
use super::super::tables::revision::REVISION_TABLE;
use super::super::writing::stage::Made;
use super::hold::{held, mask};
use super::keeper::Keeper;
use super::merge::Rows;
use crate::error::{Error, Kind, Result};

/// The time that rows are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetainPolicy {
    /// The time for tables that are not named; `None` keeps them forever.
    pub keep: Option<Duration>,
    /// The time by table; `None` keeps that table forever.
    pub tables: BTreeMap<String, Option<Duration>>,
}

impl RetainPolicy {
    fn keep(&self, table: &str) -> Option<Duration> {
        self.tables.get(table).copied().unwrap_or(self.keep)
    }

    /// Returns the time before which rows of a table go, microseconds; `None` where they are kept forever.
    pub fn before_us(&self, table: &str, now_ms: i64) -> Option<i64> {
        self.keep(table).map(|keep| before_us(keep, now_ms))
    }

    pub fn is_empty(&self) -> bool {
        self.keep.is_none() && self.tables.values().all(Option::is_none)
    }
}

/// The result of retention, real or foreseen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Retained {
    /// The entries that were written; none for a dry run.
    pub entries: Vec<u64>,
    /// The result by table.
    pub tables: BTreeMap<String, RetainedTable>,
    /// Copies in `_replaced/` that were removed with them.
    pub replaced: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RetainedTable {
    /// Rows before this time go, microseconds since 1970.
    pub before_us: i64,
    pub rows: u64,
    pub held: u64,
    /// Files that were removed as a whole; the next field counts those that were rewritten.
    pub files: u64,
    pub rewritten: u64,
}

/// The limits of a policy at a time.
#[derive(Debug, Clone)]
struct Limits {
    by_table: BTreeMap<String, i64>,
    /// The limits of revisions, which their class decides: by class, and for classes that have no table.
    default_us: Option<i64>,
    policy: BTreeMap<String, String>,
}

impl Limits {
    fn of(policy: &RetainPolicy, tables: &[String], now_ms: i64) -> Limits {
        let before = |keep: Duration| before_us(keep, now_ms);
        let kept = |table: &String| policy.keep(table).map(|keep| (table.clone(), keep));
        let kept: BTreeMap<String, Duration> = tables.iter().filter_map(kept).collect();
        Limits {
            by_table: kept.iter().map(|(table, keep)| (table.clone(), before(*keep))).collect(),
            default_us: policy.keep.map(before),
            policy: kept.iter().map(|(table, keep)| (table.clone(), days(*keep))).collect(),
        }
    }

    /// Returns the latest limit that a row of the table can have.
    fn latest(&self, table: &str) -> Option<i64> {
        match table {
            REVISION_TABLE => {
                let of_classes = self.by_table.iter().filter(|(name, _)| *name != REJECT_TABLE).map(|(_, us)| *us);
                of_classes.chain(self.default_us).max()
            }
            _ => self.by_table.get(table).copied(),
        }
    }

    /// Returns which rows are old enough to go.
    fn old(&self, table: &str, batch: &RecordBatch) -> Result<Vec<bool>> {
        let times = times(batch)?;
        let limit = self.by_table.get(table).copied();
        let classes = (table == REVISION_TABLE)
            .then(|| batch.column_by_name("class").and_then(|column| column.as_string_opt::<i32>()))
            .flatten();
        let limit_of = |row: usize| match classes.filter(|classes| classes.is_valid(row)) {
            Some(classes) if self.by_table.contains_key(classes.value(row)) => {
                self.by_table.get(classes.value(row)).copied()
            }
            Some(_) => self.default_us,
            None => limit,
        };
        Ok((0..batch.num_rows()).map(|row| limit_of(row).is_some_and(|limit| times.value(row) < limit)).collect())
    }
}

/// Returns the time that is this long before now, microseconds.
fn before_us(keep: Duration, now_ms: i64) -> i64 {
    now_ms.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX)).saturating_mul(1000)
}

/// Writes a duration in the form of a policy.
fn days(keep: Duration) -> String {
    match keep.as_secs() {
        seconds if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        seconds => format!("{seconds}s"),
    }
}

/// A future entry.
#[derive(Default)]
struct Pending {
    made: Vec<Made>,
    replaced: Vec<Arc<FileEntry>>,
    removed: BTreeMap<String, Removed>,
}

impl Keeper {
    /// Errors when this machine's clock is so far from the newest event that it should be checked first.
    pub fn check_clock(&self) -> Result<()> {
        const FAR_US: i64 = 31 * 86_400_000_000;
        let state = self.state();
        let odd = state.lake.partition.of_odd_times();
        let files = state.tables.iter().filter(|(name, _)| *name != REJECT_TABLE).flat_map(|(_, table)| &table.files);
        let newest = files.filter(|file| file.partition() != odd).map(|file| file.max_time_us).max();
        let now_us = self.now_ms().saturating_mul(1000);
        let Some(newest) = newest.filter(|newest| newest.abs_diff(now_us) > FAR_US as u64) else { return Ok(()) };
        let told = |us: i64| {
            chrono::DateTime::from_timestamp_micros(us)
                .map(|time| time.format("%Y-%m-%d").to_string())
                .unwrap_or_default()
        };
        let message =
            format!("this machine's clock says {}, and the newest event is of {}", told(now_us), told(newest));
        Err(Error::usage(message).hint("when the clock is right, say so with --yes; nothing was removed"))
    }

    /// Removes rows that are older than the policy keeps; a dry run only reports them.
    pub async fn retain(&mut self, policy: &RetainPolicy, is_dry: bool) -> Result<Retained> {
        if !is_dry {
            self.catch_up().await?;
        }
        let tables = self.lake().loaded_tables();
        let limits = Limits::of(policy, &tables, self.now_ms());
        let store: Arc<dyn ObjectStore> = self.lake().store();
        let mut done = Retained::default();
        let mut pending = Pending::default();
        let state = self.lake().state().clone();
        for (name, table) in &state.tables {
            let Some(limit) = limits.latest(name) else { continue };
            for file in table.files.iter().filter(|file| file.min_time_us < limit) {
                let mut told = done.tables.remove(name).unwrap_or_default();
                told.before_us = limit;
                self.take(&store, &limits, file, &mut told, &mut pending, is_dry).await?;
                if told.rows + told.held > 0 {
                    done.tables.insert(name.clone(), told);
                }
                let bytes: u64 = pending.made.iter().map(|made| made.file.bytes).sum();
                if bytes > self.entry_bytes && !is_dry {
                    self.remove(std::mem::take(&mut pending), &limits, &mut done).await?;
                }
            }
        }
        if is_dry {
            let (_, paths) = self.copies(&limits).await?;
            done.replaced = each(&paths).count() as u64;
            return Ok(done);
        }
        self.remove(pending, &limits, &mut done).await?;
        Ok(done)
    }

    /// Decides about one file.
    async fn take(
        &self,
        store: &Arc<dyn ObjectStore>,
        limits: &Limits,
        file: &Arc<FileEntry>,
        told: &mut RetainedTable,
        pending: &mut Pending,
        is_dry: bool,
    ) -> Result<()> {
        let table = file.table().to_string();
        let holds: Vec<_> = self.state().holds.iter().filter(|hold| hold.may_hold(file)).cloned().collect();
        let is_plain = table != REVISION_TABLE && limits.latest(&table).is_some_and(|limit| file.max_time_us < limit);
        let removed = pending.removed.entry(table.clone()).or_default();
        if is_plain && holds.is_empty() {
            (removed.rows, removed.digest) = (removed.rows + file.rows, removed.digest.plus(file.digest));
            pending.replaced.push(file.clone());
            (told.rows, told.files) = (told.rows + file.rows, told.files + 1);
            return Ok(());
        }
        let mut rows = Rows::read(store, file).await?;
        let mut kept_by_hold = 0;
        let (gone, digest) = rows.filter(|batch| -> Result<BooleanArray> {
            let (old, held) = (limits.old(&table, batch)?, held(&holds, &table, batch)?);
            Ok(mask(old.into_iter().zip(held).map(|(old, held)| !old || held)))
        })?;
        for batch in rows.batches() {
            kept_by_hold += limits.old(&table, batch)?.into_iter().filter(|old| *old).count() as u64;
        }
        removed.held += kept_by_hold;
        told.held += kept_by_hold;
        if gone == 0 {
            return Ok(());
        }
        (removed.rows, removed.digest) = (removed.rows + gone, removed.digest.plus(digest));
        pending.replaced.push(file.clone());
        told.rows += gone;
        if gone == file.rows {
            told.files += 1;
            return Ok(());
        }
        told.rewritten += 1;
        if !is_dry {
            let left = file.digest.minus(digest);
            let made = self.merged(vec![rows]).await?.filter(|made| made.file.digest == left);
            let why =
                || Error::new(Kind::Integrity, format!("cannot write {file} anew: its rows are not what was written"));
            pending.made.push(made.ok_or_else(why)?);
        }
        Ok(())
    }

    /// Returns the entries whose replaced files may hold rows that go, and those files.
    async fn copies(&self, limits: &Limits) -> Result<(Vec<u64>, Paths)> {
        let state = self.state();
        let partition = state.lake.partition;
        let mut settled = Vec::new();
        let mut all = Paths::new();
        for aside in &state.aside {
            let paths = self.set_aside_by(&[aside.sequence]).await?;
            let may_hold = |(table, path): (&str, &str)| {
                let value = path.split_once('/').and_then(|(folder, _)| folder.split_once('=')).map(|(_, value)| value);
                // Dates sort like texts; the partition of odd times comes first.
                limits.latest(table).is_some_and(|us| value.is_none_or(|value| value <= partition.value(us).as_str()))
            };
            if each(&paths).any(may_hold) {
                settled.push(aside.sequence);
                for (table, mut more) in paths {
                    all.entry(table).or_default().append(&mut more);
                }
            }
        }
        Ok((settled, all))
    }

    /// Writes an entry for the rows and files that go.
    async fn remove(&mut self, pending: Pending, limits: &Limits, done: &mut Retained) -> Result<()> {
        let Pending { made, replaced, mut removed } = pending;
        let (settled, copies) = self.copies(limits).await?;
        if replaced.is_empty() && settled.is_empty() {
            return Ok(());
        }
        removed.retain(|_, removed| removed.rows + removed.held > 0);
        let replaced = paths_of(replaced.iter().map(Arc::as_ref));
        let mut dropped = replaced.clone();
        for (table, more) in &copies {
            dropped.entry(table.clone()).or_default().extend(more.iter().cloned());
        }
        let holds = self.state().holds.clone();
        let body = |state: &State, files: Vec<FileEntry>| {
            // A hold that began meanwhile may concern the chosen rows.
            if state.holds != holds {
                return Ok(None);
            }
            let change =
                Change { files, replaced: replaced.clone(), dropped: dropped.clone(), settled: settled.clone() };
            Ok(Some(Body::Retain(Retain {
                change,
                before_us: limits.by_table.clone(),
                policy: limits.policy.clone(),
                removed: removed.clone(),
                holds: holds.iter().map(|hold| hold.name.clone()).collect(),
            })))
        };
        match self.commit(&made, body).await? {
            Some(sequence) => {
                done.entries.push(sequence);
                done.replaced += each(&copies).count() as u64;
                Ok(())
            }
            None => Err(Error::new(Kind::Conflict, "another run changed the files or the holds at the same time")
                .hint("nothing was removed by this entry; run the command again")),
        }
    }
}
