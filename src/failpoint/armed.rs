//! A test build: counts how often each point is reached, and acts at the one that is armed.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{fs, process, thread};

use super::POINTS;
use crate::error::{Context, Error, Kind, Result};

/// As a shell tells of a process that was killed.
const KILLED: i32 = 137;

static ARMED: OnceLock<Mutex<Armed>> = OnceLock::new();

struct Armed {
    action: Action,
    hits: HashMap<&'static str, u64>,
}

enum Action {
    End { point: String, hit: u64 },
    Wait { point: String, hit: u64 },
    Log(fs::File),
}

/// Arms what `spec` gives; nothing when it gives nothing. A process is armed once.
pub fn arm(spec: impl FnOnce() -> Option<String>) -> Result<()> {
    let Some(spec) = spec() else { return Ok(()) };
    let action = parse(&spec)?;
    // A second call, in tests of one process, keeps what is armed.
    let _ = ARMED.set(Mutex::new(Armed { action, hits: HashMap::new() }));
    Ok(())
}

fn parse(spec: &str) -> Result<Action> {
    let wrong = || {
        Error::usage(format!("cannot use the fail point `{spec}`"))
            .hint("write `POINT:HIT`, `POINT:HIT:wait` or `log:FILE`; src/failpoint/mod.rs has the points")
    };
    let (point, rest) = spec.split_once(':').ok_or_else(wrong)?;
    if point == "log" {
        let file = fs::OpenOptions::new().create(true).append(true).open(rest);
        return Ok(Action::Log(file.context(Kind::Usage, || format!("cannot write {rest}"))?));
    }
    let (hit, waits) = match rest.strip_suffix(":wait") {
        Some(hit) => (hit, true),
        None => (rest, false),
    };
    let hit: u64 = hit.parse().map_err(|_| wrong())?;
    if !POINTS.contains(&point) {
        return Err(wrong());
    }
    let point = point.to_string();
    Ok(if waits { Action::Wait { point, hit } } else { Action::End { point, hit } })
}

/// The program is at a point; whoever armed it may end it here.
pub fn reached(point: &'static str) {
    debug_assert!(POINTS.contains(&point), "`{point}` is not among the points");
    let Some(armed) = ARMED.get() else { return };
    let mut armed = armed.lock().unwrap_or_else(PoisonError::into_inner);
    let hits = armed.hits.entry(point).or_default();
    *hits += 1;
    let hits = *hits;
    match &mut armed.action {
        // The log is a test's own; a point that is missing in it fails the test.
        Action::Log(file) => drop(writeln!(file, "{point}")),
        Action::End { point: end, hit } if end == point && *hit == hits => process::exit(KILLED),
        Action::Wait { point: wait, hit } if wait == point && *hit == hits => {
            drop(armed);
            loop {
                thread::park();
            }
        }
        Action::End { .. } | Action::Wait { .. } => {}
    }
}
