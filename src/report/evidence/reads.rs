//! The events that a report reads, and how many of them lack what (C18).

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};

use super::super::catalog::verdict::{Element, Need};
use crate::error::{Context, Kind, Result};
use crate::sql::{Horizon, Session};

/// Counts events of a window by what needs distinguish; the columns after those count how many lack each element.
const READS: &str = "select class_uid, activity_id, is_successful, count(*),
      count(*) filter (where time >= $begin),
      count(*) filter (where time >= $begin and subject_uid is null),
      count(*) filter (where time >= $begin and actor_uid is null),
      count(*) filter (where time >= $begin and subject_uid is null and actor_uid is null)";

const WINDOW: &str = " from event where time >= $since and time < $end group by class_uid, activity_id, is_successful";

/// Columns of [`READS`] before those of the elements.
const FIXED: usize = 8;

/// The window that a report reads and the period in it, `[since, end)` and from `begin`, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub since_ms: i64,
    pub begin_ms: i64,
    pub end_ms: i64,
}

/// All events of a window, counted.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    groups: Vec<Group>,
    /// Events of the period.
    pub events: u64,
    pub unnamed: Unnamed,
}

#[derive(Debug, Clone)]
struct Group {
    class: i64,
    activity: Option<i64>,
    is_successful: bool,
    events: u64,
    missing: BTreeMap<Element, u64>,
}

/// Events of the period whose people cannot be named (C5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unnamed {
    pub subject: u64,
    pub actor: u64,
    pub neither: u64,
}

/// Facts about the events of one need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeedRead {
    /// The events as the head writes them.
    pub events: String,
    pub read: u64,
    /// How many of them lack each element.
    pub missing: BTreeMap<Element, u64>,
}

impl Reads {
    /// Counts in one pass. What came before `end` tells who is who, so nothing after it is seen.
    pub async fn count(window: Window, elements: &BTreeSet<Element>, session: &Session) -> Result<Reads> {
        let mut sql = READS.to_string();
        for element in elements {
            sql.push_str(&format!(",\n      count(*) filter (where {})", element.is_missing()));
        }
        sql.push_str(WINDOW);
        let horizon = Horizon::Before { time_ms: window.end_ms };
        let times = [("since", window.since_ms), ("begin", window.begin_ms), ("end", window.end_ms)];
        let found = ask(&sql, &times, horizon, session).await?;
        let mut reads = Reads::default();
        for row in 0..found.num_rows() {
            let is_successful = found.column(2).as_boolean_opt().is_some_and(|column| column.value(row));
            let missing = elements.iter().enumerate();
            reads.groups.push(Group {
                class: integer(&found, 0, row).unwrap_or_default(),
                activity: integer(&found, 1, row),
                is_successful,
                events: number(&found, 3, row),
                missing: missing.map(|(place, element)| (*element, number(&found, FIXED + place, row))).collect(),
            });
            reads.events += number(&found, 4, row);
            reads.unnamed.subject += number(&found, 5, row);
            reads.unnamed.actor += number(&found, 6, row);
            reads.unnamed.neither += number(&found, 7, row);
        }
        Ok(reads)
    }

    /// Returns what the events that a need names carry.
    pub fn of(&self, need: &Need) -> NeedRead {
        let is_read = |group: &&Group| {
            let is_of = |(class, activities): &(i64, Vec<i64>)| {
                *class == group.class
                    && (activities.is_empty() || group.activity.is_some_and(|activity| activities.contains(&activity)))
            };
            (group.is_successful || !need.is_successful) && need.classes.iter().any(is_of)
        };
        let groups: Vec<&Group> = self.groups.iter().filter(is_read).collect();
        let lacks = |element: &Element| {
            groups.iter().map(|group| group.missing.get(element).copied().unwrap_or_default()).sum::<u64>()
        };
        NeedRead {
            events: need.events.clone(),
            read: groups.iter().map(|group| group.events).sum(),
            missing: need.elements.iter().map(|element| (*element, lacks(element))).collect(),
        }
    }
}

impl NeedRead {
    /// Returns the share of its events that lack an element, rounded up to a millionth; `None` when there is no event.
    pub fn share(&self, element: Element) -> Option<f64> {
        let missing = self.missing.get(&element).copied().unwrap_or_default();
        (self.read > 0).then(|| (missing as f64 * 1e6 / self.read as f64).ceil() / 1e6)
    }
}

impl Element {
    /// Returns a condition on rows of `event`.
    fn is_missing(self) -> &'static str {
        match self {
            Element::Subject => "subject_uid is null",
            Element::Actor => "actor_uid is null",
            Element::Outcome => "outcome not in ('success', 'failure')",
            Element::Privileges => "coalesce(cardinality(privileges), 0) = 0",
            Element::Group => "group_key is null",
            Element::Object => "entity_key is null and path is null",
            Element::Address => "src_ip is null",
            Element::Place => "country is null and city is null and (lat is null or long is null)",
            Element::Mfa => "mfa is null",
            Element::Session => "session_uid is null",
        }
    }
}

/// Runs a statement of ours with times for its parameters.
pub(in crate::report) async fn ask(
    sql: &str,
    times: &[(&str, i64)],
    horizon: Horizon,
    session: &Session,
) -> Result<RecordBatch> {
    let time = |time_ms: i64| ScalarValue::TimestampMicrosecond(Some(time_ms.saturating_mul(1000)), Some("UTC".into()));
    let params = times.iter().map(|(name, time_ms)| (name.to_string(), time(*time_ms))).collect();
    let rows = session.query(sql, &params, horizon).await?;
    let schema = rows.schema.clone();
    let batches = rows.collect().await?;
    arrow::compute::concat_batches(&schema, &batches).context(Kind::Internal, || "cannot read the facts of a run")
}

pub(in crate::report) fn time(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    let times = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
    // A fraction of a millisecond does not move a boundary: events have none.
    (row < times.len() && times.is_valid(row)).then(|| times.value(row).div_euclid(1000))
}

fn integer(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    let numbers = batch.column(column).as_primitive_opt::<Int64Type>()?;
    (row < numbers.len() && numbers.is_valid(row)).then(|| numbers.value(row))
}

pub(in crate::report) fn number(batch: &RecordBatch, column: usize, row: usize) -> u64 {
    integer(batch, column, row).map_or(0, |number| number as u64)
}
