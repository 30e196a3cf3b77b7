//! A dry run of an ingest, up to the lake: lines are decoded, redacted and counted, and nothing is written.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::feed::Feed;
use super::pending::Pending;
use super::work::Worker;
use super::{Options, Summary, times};
use crate::clock::Clock;
use crate::error::Result;
use crate::lake::{Hasher, latest_time_ms};
use crate::redact::Policy;
use crate::schema::Ocsf;
use crate::source::Inputs;

/// Reads all inputs from their beginning. Duplicates are not looked up, so every row counts as accepted.
pub async fn dry_run(
    ocsf: Arc<Ocsf>,
    policy: Arc<Policy>,
    clock: Clock,
    options: &Options,
    inputs: &Inputs,
) -> Result<Summary> {
    let started = Instant::now();
    let times = times(latest_time_ms(clock.now_ms()), options);
    // No duplicates are looked up, so any key will do.
    let worker = Worker { ocsf, policy, lines: Hasher::new([0; 32]), times };
    let mut feed = Feed::start(inputs.found.clone(), Arc::default(), worker, options, Arc::new(AtomicBool::new(false)));
    let mut summary = Summary::of(inputs);
    let mut pending = Pending::new(String::new());
    while let Some(loaded) = feed.next().await {
        let loaded = loaded?;
        for events in &loaded.events {
            let rows = events.batch.num_rows() as u64;
            *summary.rows.entry(events.class.name.clone()).or_default() += rows;
            summary.counts.accepted += rows;
        }
        for piece in &loaded.pieces {
            for reject in &piece.rejects {
                *summary.rejects.entry(reject.reason.clone()).or_default() += 1;
            }
            summary.counts.read += piece.read;
            summary.counts.blank += piece.blank;
            summary.counts.rejected += piece.rejects.len() as u64;
        }
        summary.sources.extend(pending.add(*loaded));
        // The batch is counted, and dropped.
        pending.take(&mut summary);
    }
    summary.finish(started)?;
    Ok(summary)
}
