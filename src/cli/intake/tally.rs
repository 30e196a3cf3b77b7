//! The results of lines, in the words of every command that ingests some.

use super::super::terminal::screen::Screen;
use crate::lake::{Counts, Notes};
use crate::typed::count;

/// Returns the identity of the counts that holds for every run.
pub fn identity(counts: &Counts) -> String {
    // More is reported only where retention has removed something.
    let outside = match counts.outside {
        0 => String::new(),
        outside => format!(" + outside retention {}", count(outside)),
    };
    format!(
        "read {} = accepted {} + duplicate {} + revised {} + rejected {} + blank {}{outside}",
        count(counts.read),
        count(counts.accepted),
        count(counts.duplicate),
        count(counts.revised),
        count(counts.rejected),
        count(counts.blank)
    )
}

/// Prints notes on some of the lines, one line per note.
pub fn notes(screen: &Screen, counts: &Counts, notes: &Notes) {
    if notes.redelivered > 0 {
        let some = of(notes.redelivered, "duplicate differs", "duplicates differ");
        screen.say(format!("redelivered: {some} in transport fields or in spelling only"));
    }
    if counts.revised > 0 {
        let some = of(counts.revised, "later version of a known event", "later versions of known events");
        screen.say(format!("revised: {some}; `select * from revision` shows what changed"));
    }
    rows(screen, notes);
}

/// Prints notes on rows, of one run or of the whole lake.
pub fn rows(screen: &Screen, notes: &Notes) {
    if notes.shared_uids > 0 {
        let some = of(notes.shared_uids, "row has", "rows have");
        screen.say(format!("shared uids: at least {some} a uid that another event has as well"));
    }
    if notes.without_uid > 0 {
        let (some, doubles) = (of(notes.without_uid, "row", "rows"), count(notes.exact_doubles));
        screen.say(format!(
            "without a uid: {some}, of these exact doubles: {doubles}; another delivery of them is not recognised"
        ));
    }
}

fn of(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}
