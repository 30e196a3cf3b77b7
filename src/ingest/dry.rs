//! What an ingest would do, up to the lake: decoded, redacted, counted, and nothing written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::feed::{Fed, Feed};
use super::pending::Pending;
use super::work::Worker;
use super::{Options, Summary};
use crate::error::Result;
use crate::lake::Hasher;
use crate::redact::Policy;
use crate::schema::Ocsf;
use crate::source::Input;

/// Reads all inputs from their beginning. Duplicates are not looked up, so every row counts as accepted.
pub async fn dry_run(ocsf: Arc<Ocsf>, policy: Arc<Policy>, options: &Options, inputs: &[Input]) -> Result<Summary> {
    let started = Instant::now();
    // Nothing is looked up, so any key will do.
    let worker = Worker { ocsf, policy, lines: Hasher::new([0; 32]) };
    let mut feed = Feed::start(inputs.to_vec(), Arc::default(), worker, options, Arc::new(AtomicBool::new(false)));
    let mut summary = Summary::default();
    let mut pending = Pending::new(String::new());
    while let Some(fed) = feed.next().await {
        match fed? {
            Fed::Begin { name, resumed } => pending.begin(name, resumed),
            Fed::End(outcome) => summary.sources.push(pending.end(outcome)),
            Fed::Chunk(chunk) => {
                let mut rows: BTreeMap<String, u64> = BTreeMap::new();
                for events in &chunk.events {
                    *rows.entry(events.class.name.clone()).or_default() += events.batch.num_rows() as u64;
                }
                for reject in &chunk.rejects {
                    *summary.rejects.entry(reject.reason.clone()).or_default() += 1;
                }
                let counts = &mut summary.counts;
                counts.read += chunk.read;
                counts.blank += chunk.blank;
                counts.rejected += chunk.rejects.len() as u64;
                counts.accepted += rows.values().sum::<u64>();
                for (table, rows) in rows {
                    *summary.rows.entry(table).or_default() += rows;
                }
                pending.add(*chunk);
                // Counted, and given back.
                pending.take(&mut summary);
            }
        }
    }
    summary.counts.check()?;
    summary.seconds = started.elapsed().as_secs_f64();
    Ok(summary)
}
