//! Synthetic entries in the exact shape of the vendor's audit-log API, the same bytes for the same options everywhere.
//!
//! ```text
//! Calendar: when ---> Traffic: who does what ---+
//!                        | changes, asks        +--> Event --> Entries --> NDJSON
//!                     Workspace                 |
//!                        | cast                 |
//!                     stories: planned events --+
//! ```
//!
//! Nothing here is random beyond the seed: integers only in every decision, and no map is ever iterated. The stories
//! are what reports should find; the summary says what was hidden and where.

mod activity;
mod calendar;
mod data;
mod entry;
mod event;
mod extras;
mod json;
mod people;
mod places;
mod random;
mod rights;
mod story;
mod teams;
#[cfg(test)]
mod tests;
mod traffic;
mod wording;
mod workspace;

use std::io::Write;

use crate::error::{Context, Error, Kind, Result};

use calendar::{Calendar, DAY_MS};
use entry::Entries;
use event::{Event, Outcome};
use json::Json;
use people::Standing;
use random::Dice;
use traffic::Traffic;
use workspace::Workspace;

/// The number of users below which the cast has too few players.
const USERS_AT_LEAST: u32 = 16;
/// The number of entries from which on all stories are told; below, stories get at most half of the entries.
const COUNT_FOR_ALL_STORIES: u64 = 2_000;
const FLUSH_BYTES: usize = 1 << 20;

#[derive(Debug, Clone)]
pub struct Options {
    /// The exact number of entries.
    pub count: u64,
    pub seed: u64,
    /// The length of the period.
    pub days: u32,
    /// The number of people that the workspace has room for; service accounts come on top.
    pub users: u32,
    /// The first instant: a midnight, UTC.
    pub start_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        // 2026-01-01T00:00:00Z
        Options { count: 10_000, seed: 1, days: 31, users: 200, start_ms: 1_767_225_600_000 }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub entries: u64,
    pub bytes: u64,
    pub stories: Vec<Story>,
}

/// An incident that a report should find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    pub name: &'static str,
    /// One line with actor, activity and time.
    pub text: String,
}

/// Writes `count` entries, one per line, times not decreasing.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<Summary> {
    check(options)?;
    let dice = |stream| Dice::new(options.seed, stream);
    let mut workspace = Workspace::new(options.users as usize, story::CAST, &mut dice(1));
    let room = if options.count < COUNT_FOR_ALL_STORIES { options.count / 2 } else { options.count };
    let period = (options.start_ms, options.days);
    let (planned, mut stories) = story::plan(period, room, &mut workspace, &mut dice(2));
    let quiet = calendar::quiet_night(options.start_ms, options.days);
    if let Some((begin, end)) = quiet {
        let text = format!("no entry at all from {} to {}", story::instant(begin), story::instant(end));
        stories.push(Story { name: "quiet night", text });
    }

    let mut times = dice(3);
    let regular = options.count - planned.len() as u64;
    let mut calendar = Calendar::new(options.start_ms, options.days, regular, quiet, &mut times);
    let mut traffic = Traffic::new(&workspace, dice(4));
    let mut entries = Entries::new(options.seed, dice(5));
    let mut planned = planned.into_iter().peekable();
    let mut next = calendar.next(&mut times);
    let mut json = Json::default();
    let mut summary = Summary { stories, ..Summary::default() };
    loop {
        let before = next.map_or(i64::MAX, |(time_ms, _)| time_ms);
        let event = if let Some(event) = planned.next_if(|event| event.time_ms <= before) {
            settle(&event, &mut workspace);
            event
        } else if let Some((time_ms, human_permille)) = next {
            next = calendar.next(&mut times);
            traffic.event(time_ms, human_permille, &mut workspace)
        } else {
            break;
        };
        entries.write(&mut json, &event, &workspace);
        summary.entries += 1;
        if json.bytes.len() >= FLUSH_BYTES {
            flush(&mut json, out, &mut summary)?;
        }
    }
    flush(&mut json, out, &mut summary)?;
    out.flush().context(Kind::Unavailable, || "cannot write entries")?;
    Ok(summary)
}

fn check(options: &Options) -> Result<()> {
    if options.users < USERS_AT_LEAST {
        return Err(Error::usage(format!("cannot make entries of {} users", options.users))
            .hint(format!("the stories need at least {USERS_AT_LEAST}")));
    }
    if !(1..=36_500).contains(&options.days) {
        return Err(Error::usage(format!("cannot make entries of {} days", options.days)).hint("pass 1 to 36500"));
    }
    if options.start_ms.rem_euclid(DAY_MS) != 0 {
        return Err(Error::usage(format!("cannot start at {}: not midnight UTC", story::instant(options.start_ms))));
    }
    Ok(())
}

/// Applies a planned event to its subject, so that regular traffic is consistent with it.
fn settle(event: &Event, workspace: &mut Workspace) {
    let activity = &data::ROWS[event.row];
    if activity.class_uid != activity::ACCOUNT || event.outcome != Outcome::Success {
        return;
    }
    if let Some(slot) = event.subject {
        match activity.id {
            // A locked account does as little as a disabled one.
            5 | 9 => workspace.people[slot].standing = Standing::Disabled,
            12 => workspace.people[slot].standing = Standing::Active,
            10 | 11 => workspace.people[slot].has_mfa = activity.id == 10,
            _ => {}
        }
    }
}

fn flush(json: &mut Json, out: &mut dyn Write, summary: &mut Summary) -> Result<()> {
    out.write_all(&json.bytes).context(Kind::Unavailable, || "cannot write entries")?;
    summary.bytes += json.bytes.len() as u64;
    json.bytes.clear();
    Ok(())
}
