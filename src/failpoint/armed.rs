//! A test build: counts how often each point is reached, and acts at the armed one.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{fs, process, thread};

use super::POINTS;
use crate::error::{Context, Error, Kind, Result};

/// The exit code that a shell reports for a killed process.
const KILLED: i32 = 137;

static ARMED: OnceLock<Mutex<Armed>> = OnceLock::new();

struct Armed {
    action: Action,
    hits: HashMap<&'static str, u64>,
}

enum Action {
    End {
        point: String,
        hit: u64,
    },
    Wait {
        point: String,
        hit: u64,
    },
    Log(fs::File),
    /// The state of a small random number generator.
    Unlocked(u64),
}

/// Arms what `spec` returns, if anything. A process is armed once.
pub fn arm(spec: impl FnOnce() -> Option<String>) -> Result<()> {
    let Some(spec) = spec() else { return Ok(()) };
    let action = parse(&spec)?;
    // A second call, in tests of one process, keeps what is armed.
    let _ = ARMED.set(Mutex::new(Armed { action, hits: HashMap::new() }));
    Ok(())
}

fn parse(spec: &str) -> Result<Action> {
    let wrong = || {
        Error::usage(format!("cannot use the fail point `{spec}`")).hint(
            "write `POINT:HIT`, `POINT:HIT:wait`, `log:FILE` or `unlocked:SEED`; src/failpoint/mod.rs has the points",
        )
    };
    let (point, rest) = spec.split_once(':').ok_or_else(wrong)?;
    if point == "log" {
        let file = fs::OpenOptions::new().create(true).append(true).open(rest);
        return Ok(Action::Log(file.context(Kind::Usage, || format!("cannot write {rest}"))?));
    }
    if point == "unlocked" {
        return Ok(Action::Unlocked(rest.parse::<u64>().map_err(|_| wrong())? * 2 + 1));
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

/// Marks that the program is at a point; an armed process may end here.
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
        Action::Unlocked(state) => {
            // Knuth's multiplier; the high bits are the random ones.
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let wait = Duration::from_micros((*state >> 40) % 10_000);
            drop(armed);
            thread::sleep(wait);
        }
        Action::End { .. } | Action::Wait { .. } => {}
    }
}

/// Returns whether locks must lock nothing, as on some disks that several machines share.
pub fn is_unlocked() -> bool {
    let armed = ARMED.get().map(|armed| armed.lock().unwrap_or_else(PoisonError::into_inner));
    armed.is_some_and(|armed| matches!(armed.action, Action::Unlocked(_)))
}
