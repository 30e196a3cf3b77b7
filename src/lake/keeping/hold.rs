//! The rows that a hold keeps. In doubt a row is held: one that is kept too long can be removed later.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;

use super::super::files::file::FileEntry;
use super::super::ledger::entry::{Body, Hold, HoldStep};
use super::super::ledger::state::State;
use super::super::parquet::times;
use super::super::tables::reject::REJECT_TABLE;
use super::super::tables::revision::REVISION_TABLE;
use super::keeper::Keeper;
use crate::error::{Error, Result};

/// The columns that identify the actor.
const ACTORS: [&str; 4] = ["actor.user.uid", "actor.user.email_addr", "actor.user.name", "actor.app_uid"];

impl Hold {
    /// Returns whether rows of a table can be held at all. Revisions and rejects are not of one class.
    fn concerns(&self, table: &str) -> bool {
        let is_of_all = table == REVISION_TABLE || table == REJECT_TABLE;
        self.classes.is_empty() || is_of_all || self.classes.iter().any(|class| class == table)
    }

    /// Returns whether a file may hold a row of it.
    pub fn may_hold(&self, file: &FileEntry) -> bool {
        let begins = self.from_us.is_none_or(|from| file.max_time_us >= from);
        let ends = self.to_us.is_none_or(|to| file.min_time_us < to);
        // The time of a reject is when it was rejected; its subject is unknown.
        self.concerns(file.table()) && (file.table() == REJECT_TABLE || begins && ends)
    }

    /// Marks the rows of a table that are held.
    fn mark(&self, table: &str, batch: &RecordBatch, held: &mut [bool]) -> Result<()> {
        if !self.concerns(table) {
            return Ok(());
        }
        let times = times(batch)?;
        let is_of_class = table != REVISION_TABLE && table != REJECT_TABLE;
        let mut mine: Vec<bool> = (0..batch.num_rows())
            .map(|row| {
                let time = times.value(row);
                table == REJECT_TABLE
                    || self.from_us.is_none_or(|from| time >= from) && self.to_us.is_none_or(|to| time < to)
            })
            .collect();
        if table == REVISION_TABLE && !self.classes.is_empty() {
            let classes = batch.column_by_name("class").and_then(|column| column.as_string_opt::<i32>());
            let is_meant = |row: usize| {
                classes
                    .is_none_or(|classes| classes.is_null(row) || self.classes.iter().any(|c| c == classes.value(row)))
            };
            mine.iter_mut().enumerate().for_each(|(row, mine)| *mine &= is_meant(row));
        }
        if let Some(actor) = &self.actor {
            let mut found = vec![false; batch.num_rows()];
            for path in ACTORS.iter().filter(|_| is_of_class) {
                if let Some(column) = member(batch, path) {
                    find(&column, &|text| text == actor, &mut found);
                }
            }
            if !is_of_class {
                batch
                    .columns()
                    .iter()
                    .for_each(|column| find(column, &|text| text.contains(actor.as_str()), &mut found));
            }
            mine.iter_mut().zip(found).for_each(|(mine, found)| *mine &= found);
        }
        if let Some(subject) = &self.subject {
            let mut found = vec![false; batch.num_rows()];
            batch.columns().iter().for_each(|column| find(column, &|text| text.contains(subject.as_str()), &mut found));
            mine.iter_mut().zip(found).for_each(|(mine, found)| *mine &= found);
        }
        held.iter_mut().zip(mine).for_each(|(held, mine)| *held |= mine);
        Ok(())
    }
}

/// Returns the rows that any of the holds keeps.
pub fn held(holds: &[Hold], table: &str, batch: &RecordBatch) -> Result<Vec<bool>> {
    let mut held = vec![false; batch.num_rows()];
    for hold in holds {
        hold.mark(table, batch, &mut held)?;
    }
    Ok(held)
}

/// Returns the column at a dotted path.
fn member(batch: &RecordBatch, path: &str) -> Option<ArrayRef> {
    let mut names = path.split('.');
    let mut column = batch.column_by_name(names.next()?)?.clone();
    for name in names {
        column = column.as_struct_opt()?.column_by_name(name)?.clone();
    }
    Some(column)
}

/// Marks the rows that have a text which `is_meant`, at any depth.
pub fn find(array: &ArrayRef, is_meant: &dyn Fn(&str) -> bool, found: &mut [bool]) {
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            for (row, found) in found.iter_mut().enumerate() {
                *found |= texts.is_valid(row) && is_meant(texts.value(row));
            }
        }
        DataType::Struct(_) => array.as_struct().columns().iter().for_each(|column| find(column, is_meant, found)),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let mut items = vec![false; list.values().len()];
            find(list.values(), is_meant, &mut items);
            for (row, found) in found.iter_mut().enumerate() {
                let range = list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
                *found |= list.is_valid(row) && items[range].iter().any(|item| *item);
            }
        }
        _ => {}
    }
}

/// Returns the kept rows as a mask.
pub fn mask(kept: impl Iterator<Item = bool>) -> BooleanArray {
    kept.map(Some).collect()
}

impl Keeper {
    /// Adds a hold. Errors when one of that name is in force.
    pub async fn hold(&mut self, hold: Hold) -> Result<u64> {
        let taken = |state: &State| state.holds.iter().any(|known| known.name == hold.name);
        let body = |state: &State, _: Vec<FileEntry>| {
            if taken(state) {
                Err(Error::usage(format!("there is a hold `{}` already", hold.name))
                    .hint("`auditlake hold list` lists the holds; take another name"))
            } else {
                Ok(Some(Body::Hold(HoldStep::Add(hold.clone()))))
            }
        };
        self.commit(&[], body).await.map(Option::unwrap_or_default)
    }

    /// Ends a hold.
    pub async fn release(&mut self, name: &str, reason: &str, owner: &str) -> Result<u64> {
        let body = |state: &State, _: Vec<FileEntry>| {
            if state.holds.iter().any(|known| known.name == name) {
                Ok(Some(Body::Hold(HoldStep::Release {
                    name: name.to_string(),
                    reason: reason.to_string(),
                    owner: owner.to_string(),
                })))
            } else {
                Err(Error::usage(format!("there is no hold `{name}`")).hint("`auditlake hold list` lists the holds"))
            }
        };
        self.commit(&[], body).await.map(Option::unwrap_or_default)
    }
}
