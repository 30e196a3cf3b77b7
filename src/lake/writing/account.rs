//! The account of a poll of an API source, as the look-up decided it.

use chrono::DateTime;

use super::super::ledger::entry::SourceRange;
use super::super::ledger::state::State;
use super::super::parquet::times;
use super::super::tables::reject::RejectRow;
use super::sifted::Sifted;
use crate::error::Result;

/// Fills in what the look-up decided about the poll at hand, which is the last range of its batch; how many rows of
/// it are late.
pub(in crate::lake) fn account(
    ranges: &mut [SourceRange],
    state: &State,
    sifted: &Sifted,
    rejects: &[RejectRow],
) -> Result<u64> {
    let Some(SourceRange { name, poll: Some(poll), .. }) = ranges.last_mut() else { return Ok(0) };
    let known = state.pulls.get(name.as_str());
    poll.duplicate += sifted.duplicates;
    poll.revised += sifted.revised;
    poll.rejected += rejects.len() as u64;
    poll.reject_digests.extend(rejects.iter().map(|reject| format!("{:032x}", reject.digest)));
    for batch in sifted.tables.values().flatten() {
        poll.accepted += batch.num_rows() as u64;
        for time_us in times(batch)?.values() {
            let time_ms = time_us.div_euclid(1000);
            if known.is_some_and(|known| known.is_covered(time_ms)) {
                *poll.late.entry(day_of(time_ms)).or_default() += 1;
            }
        }
    }
    Ok(poll.late.values().sum())
}

fn day_of(time_ms: i64) -> String {
    // What is covered was asked for by a clock, so it is in the calendar.
    DateTime::from_timestamp_millis(time_ms).unwrap_or_default().format("%Y-%m-%d").to_string()
}
