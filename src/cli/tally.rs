//! What became of lines, in the words of every command that takes some in.

use super::screen::{Screen, count};
use crate::lake::{Counts, Notes};

/// The identity that holds for every run.
pub fn identity(counts: &Counts) -> String {
    format!(
        "read {} = accepted {} + duplicate {} + revised {} + rejected {} + blank {}",
        count(counts.read),
        count(counts.accepted),
        count(counts.duplicate),
        count(counts.revised),
        count(counts.rejected),
        count(counts.blank)
    )
}

/// What there is to say of some of the lines, a line each.
pub fn notes(screen: &Screen, counts: &Counts, notes: &Notes) {
    if notes.redelivered > 0 {
        let some = count(notes.redelivered);
        screen.say(format!("redelivered: {some} of the duplicates differ in transport fields or in spelling"));
    }
    if counts.revised > 0 {
        let some = count(counts.revised);
        screen
            .say(format!("revised: {some} later versions of known events; `select * from revision` shows the changes"));
    }
    rows(screen, notes);
}

/// What there is to say of rows, be it of one run or of the whole lake.
pub fn rows(screen: &Screen, notes: &Notes) {
    if notes.shared_uids > 0 {
        let some = count(notes.shared_uids);
        screen.say(format!("shared uids: {some} rows or more have a uid that another event has as well"));
    }
    if notes.without_uid > 0 {
        let (some, doubles) = (count(notes.without_uid), count(notes.exact_doubles));
        screen.say(format!(
            "without a uid: {some} rows, {doubles} of them exact doubles; another delivery of these is not recognised"
        ));
    }
}
