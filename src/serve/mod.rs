//! The audit-log endpoint over the lake: the vendor's own SDK can read it, entry for entry.
//!
//! ```text
//! listen (TLS, limits) -> answer (key, gates, rate, parameters) -> entries (page) -> journal (who looked) -> response
//!          places           keys, limit, query, cursor              search, part,      refused, series (numbers, seals)
//!                                                                   entry, cache       commit: into the lake
//! ```
//!
//! Hidden here: HTTP, the order of checks, cursors, and how a page is found in files without a query over them all.
//! Every page that was served is in the log of reads before its first byte goes out, and that log is a table of the
//! lake. `follow` keeps up with what others commit meanwhile.

mod answer;
mod cache;
mod commit;
mod cursor;
mod entries;
mod entry;
mod follow;
mod journal;
mod keys;
mod life;
mod limit;
mod listen;
mod metrics;
mod part;
mod places;
mod query;
mod reading;
mod refusal;
mod refused;
mod search;
mod stall;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

pub use answer::{METRICS_PERMISSION, PERMISSION};
pub use keys::{Holder, KeyRecord, Keyring, NewKey};
pub use listen::{Tls, faults};

use crate::clock::Clock;
use crate::error::{Context, Error, Kind, Result};
use crate::ingest::{READS_PURPOSE, Series};
use crate::lake::Lake;
use crate::redact::Policy;
use answer::{Door, ENTRIES_PATH, Server};
use commit::Committer;
use cursor::Cursors;
use entries::Entries;
use follow::Follower;
use journal::{Journal, Made};
use limit::Limiter;
use listen::{Limits, acceptor, bind, serve};
use metrics::Metrics;

/// The category of the classes that the audit-log API has, Identity & Access Management; others are not served.
const CATEGORY: i64 = 3;

/// The connections of the address that serves only metrics.
const METRICS_CONNECTIONS: usize = 16;

/// Options of the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Host and port; port 0 takes a free one.
    pub listen: String,
    pub tls: Option<Tls>,
    /// Whether to listen beyond this machine without TLS.
    pub is_insecure_allowed: bool,
    /// The workspace's tier; the endpoint belongs to `enterprise`.
    pub tier: String,
    /// Requests of one user in any minute; 0 means no limit.
    pub per_minute: usize,
    /// Requests without a valid key from one address in any minute; 0 means no limit.
    pub keyless_per_minute: usize,
    pub connections: usize,
    /// The connections of one address; 0 means no limit.
    pub connections_of_one: usize,
    /// The address where `/metrics` can be read without a key; `None` for nowhere.
    pub metrics_listen: Option<String>,
    /// The time for the first byte of a connection.
    pub first_time: Duration,
    /// The time for a handshake, a request's head, an idle connection.
    pub head_time: Duration,
    /// The time for a page, and for a client to read it.
    pub page_time: Duration,
    pub stop_time: Duration,
    pub cache_bytes: usize,
    /// How long reads wait until they are committed to the lake; they are on the disk before.
    pub reads_interval: Duration,
    /// Threads that decode.
    pub threads: usize,
}

/// The context of a server.
pub struct Run<'a> {
    /// Settled: its newest entry can be read.
    pub lake: Lake,
    pub policy: Arc<Policy>,
    pub redaction_version: String,
    pub clock: Clock,
    pub options: Options,
    /// True when the server must stop.
    pub stop: watch::Receiver<bool>,
    /// Called once, when requests are accepted: the address, and the reads of an earlier server that were still to be
    /// committed.
    pub ready: &'a mut (dyn FnMut(Ready) + Send),
}

/// A server that takes requests.
#[derive(Debug, Clone)]
pub struct Ready {
    pub address: SocketAddr,
    pub url: String,
    /// The address where `/metrics` can be read without a key.
    pub metrics: Option<SocketAddr>,
    pub recovered: u64,
    /// The gaps in the log of reads of earlier servers, in words.
    pub missing: Vec<String>,
}

/// Serves until it is told to stop; the reads that it logged are then committed.
pub async fn run(run: Run<'_>) -> Result<()> {
    let Run { lake, policy, redaction_version, clock, options, stop, ready } = run;
    let tls = options.tls.as_ref().map(acceptor).transpose()?;
    let listener = bind(&options.listen, tls.is_some(), options.is_insecure_allowed).await?;
    let address = listener.local_addr().context(Kind::Unavailable, || "cannot tell the address")?;

    let metrics_listener = match &options.metrics_listen {
        // That address serves only numbers.
        Some(address) => Some(bind(address, false, true).await?),
        None => None,
    };
    let metrics_address = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok());

    let folder = lake.serve_folder()?;
    let key = lake.derive_key(READS_PURPOSE)?;
    let backlog = Arc::new(AtomicU64::new(0));
    let mut committer = Committer::new(lake.clone(), policy.clone(), redaction_version, clock, backlog.clone())?;
    let series = Arc::new(Series::begin(&folder, key)?);
    let (sealed, receiver) = mpsc::unbounded_channel();
    let made = Made {
        folder: folder.clone(),
        series: series.clone(),
        ocsf: lake.ocsf().clone(),
        policy,
        clock,
        interval: options.reads_interval,
    };
    let journal = Journal::start(made, sealed, backlog.clone())?;
    let recovered = committer.recover(&folder, key).await?;
    let (lines, mut missing) = (recovered.lines, Vec::new());
    for turn in &recovered.turns {
        journal.tell(turn.clone()).await?;
        missing.extend(turn.missing());
    }
    recovered.forget()?;
    let committing = tokio::spawn(committer.run(series.clone(), receiver));

    let ocsf = lake.ocsf().clone();
    let served = ocsf.classes().iter().filter(|class| class.category_uid == Some(CATEGORY));
    let classes: Vec<(String, String)> = served.map(|class| (class.caption.clone(), class.name.clone())).collect();
    let tables = classes.iter().map(|(_, table)| table.clone()).collect();
    let server = Arc::new(Server {
        clock,
        started: Instant::now(),
        keyring: Keyring::new(&lake)?,
        tier: options.tier.clone(),
        limiter: Limiter::new(options.per_minute),
        keyless: Limiter::new(options.keyless_per_minute),
        cursors: Cursors::new(lake.derive_key("serve cursors")?),
        entries: Arc::new(Entries::new(ocsf, lake.store(), options.cache_bytes, options.threads)),
        follower: Follower::new(lake, tables),
        journal,
        backlog,
        metrics: Metrics::default(),
        classes,
        page_time: options.page_time,
    });
    // Unreadable keys should stop us now, and not every request later.
    server.keyring.records()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}{ENTRIES_PATH}");
    ready(Ready { address, url, metrics: metrics_address, recovered: lines, missing });
    let limits = Limits {
        connections: options.connections,
        connections_of_one: options.connections_of_one,
        first_time: options.first_time,
        head_time: options.head_time,
        write_time: options.page_time,
        stop_time: options.stop_time,
    };
    let numbers = metrics_listener.map(|listener| {
        let limits = Limits { connections: METRICS_CONNECTIONS, connections_of_one: 0, ..limits.clone() };
        tokio::spawn(serve(listener, None, (server.clone(), Door::Metrics), limits, stop.clone()))
    });
    serve(listener, tls, (server.clone(), Door::Log), limits, stop).await;
    if let Some(numbers) = numbers {
        numbers.await.context(Kind::Internal, || "the address of the metrics stopped")?;
    }

    server.journal.close().await?;
    match tokio::time::timeout(options.stop_time, committing).await {
        Ok(done) => {
            done.context(Kind::Internal, || "the commit of reads stopped")?;
            series.end()
        }
        Err(_) => Err(Error::new(Kind::Unavailable, "cannot commit the last reads in time")
            .hint("they are on the disk, and the next `auditlake serve` commits them")),
    }
}
