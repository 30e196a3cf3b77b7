//! The audit-log endpoint over the lake: what the vendor's own SDK can read, entry for entry.
//!
//! ```text
//! listen (TLS, limits) -> answer (key, gates, rate, parameters) -> entries (page) -> journal (who looked) -> response
//!                           keys, limit, query, cursor              search, part,      commit: into the lake
//!                                                                   entry, cache
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
mod limit;
mod listen;
mod metrics;
mod part;
mod query;
mod reading;
mod refusal;
mod search;
mod stall;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

pub use answer::PERMISSION;
pub use keys::{Holder, KeyRecord, Keyring, NewKey};
pub use listen::Tls;

use crate::clock::Clock;
use crate::error::{Context, Error, Kind, Result};
use crate::lake::Lake;
use crate::redact::Policy;
use answer::{ENTRIES_PATH, Server};
use commit::Committer;
use cursor::Cursors;
use entries::Entries;
use follow::Follower;
use journal::Journal;
use limit::Limiter;
use listen::{Limits, acceptor, bind, serve};
use metrics::Metrics;

/// The category of the classes that the audit-log API has, Identity & Access Management; others are not served.
const CATEGORY: i64 = 3;

/// How the log is served.
#[derive(Debug, Clone)]
pub struct Options {
    /// Host and port; port 0 takes a free one.
    pub listen: String,
    pub tls: Option<Tls>,
    /// Listen where others can reach us, without TLS.
    pub is_insecure_allowed: bool,
    /// The workspace's tier; the endpoint belongs to `enterprise`.
    pub tier: String,
    /// Requests of one user in any minute; 0 is no limit.
    pub per_minute: usize,
    pub connections: usize,
    /// For a handshake, a request's head, an idle connection.
    pub head_time: Duration,
    /// For a page, and for a client to take it.
    pub page_time: Duration,
    pub stop_time: Duration,
    pub cache_bytes: usize,
    /// How long reads wait until they are committed to the lake; they are on the disk before.
    pub reads_interval: Duration,
    /// Threads that decode.
    pub threads: usize,
}

/// What a server is given.
pub struct Run<'a> {
    /// Settled: its newest entry can be read.
    pub lake: Lake,
    pub policy: Arc<Policy>,
    pub redaction_version: String,
    pub clock: Clock,
    pub options: Options,
    /// True when the server is to stop.
    pub stop: watch::Receiver<bool>,
    /// Told once, when requests are taken: the address, and reads that an earlier server had left to be committed.
    pub ready: &'a mut (dyn FnMut(Ready) + Send),
}

/// A server that takes requests.
#[derive(Debug, Clone)]
pub struct Ready {
    pub address: SocketAddr,
    pub url: String,
    pub recovered: u64,
}

/// Serves until it is told to stop; what it logged is committed then.
pub async fn run(run: Run<'_>) -> Result<()> {
    let Run { lake, policy, redaction_version, clock, options, stop, ready } = run;
    let tls = options.tls.as_ref().map(acceptor).transpose()?;
    let listener = bind(&options.listen, tls.is_some(), options.is_insecure_allowed).await?;
    let address = listener.local_addr().context(Kind::Unavailable, || "cannot tell the address")?;

    let folder = lake.serve_folder()?;
    let backlog = Arc::new(AtomicU64::new(0));
    let mut committer = Committer::new(lake.clone(), policy.clone(), redaction_version, clock, backlog.clone())?;
    let recovered = committer.recover(&folder).await?;
    let (sealed, receiver) = mpsc::unbounded_channel();
    let committing = tokio::spawn(committer.run(receiver));
    let journal = Journal::start(folder, lake.ocsf().clone(), policy, options.reads_interval, sealed, backlog.clone())?;

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
        cursors: Cursors::new(lake.derive_key("serve cursors")?),
        entries: Arc::new(Entries::new(ocsf, lake.store(), options.cache_bytes, options.threads)),
        follower: Follower::new(lake, tables),
        journal,
        backlog,
        metrics: Metrics::default(),
        classes,
        page_time: options.page_time,
    });
    // Keys that cannot be read should stop us now, and not every request later.
    server.keyring.records()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    ready(Ready { address, url: format!("{scheme}://{address}{ENTRIES_PATH}"), recovered });
    let limits = Limits {
        connections: options.connections,
        head_time: options.head_time,
        write_time: options.page_time,
        stop_time: options.stop_time,
    };
    serve(listener, tls, server.clone(), limits, stop).await;

    server.journal.close().await?;
    match tokio::time::timeout(options.stop_time, committing).await {
        Ok(done) => done.context(Kind::Internal, || "the commit of reads stopped"),
        Err(_) => Err(Error::new(Kind::Unavailable, "cannot commit the last reads in time")
            .hint("they are on the disk; the next `auditlake serve` commits them")),
    }
}
