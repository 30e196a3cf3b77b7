//! `auditlake pull` and `auditlake coverage`, against a server that misbehaves.
//!
//! Most of it runs in this process, with a clock that moves only when somebody waits: an hour of backing off takes no
//! time. `AUDITLAKE_PULL_SEEDS` asks for more hostile servers than the usual few dozen; `tests/fault/pull` for 2,000.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;

use auditlake::clock::Clock;
use auditlake::decode::Encoder;
use auditlake::error::{Error, Kind};
use auditlake::ingest::{Event, Origin, PullOptions, PullRun, PullSource, PullSummary, Scope, Stop, pull};
use auditlake::lake::Lake;
use auditlake::redact::{Policy, Rules};
use auditlake::schema::Ocsf;
use auditlake::source::{Budget, Client, Endpoint, Key, Limits, Recording};
use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::env::{Env, assert_same_events};
use crate::hostile::{Fault, KEY, Logged, Order, Server, entry};
use crate::soundness::{assert_sound, files};

const NOW: i64 = 1_772_323_200_000; // 2026-03-01
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

static OCSF: LazyLock<Arc<Ocsf>> = LazyLock::new(|| Arc::new(Ocsf::load(None).unwrap()));

/// One lake, one server, one clock.
struct Rig {
    dir: TempDir,
    runtime: Runtime,
    clock: &'static AtomicI64,
    server: Server,
    options: PullOptions,
    is_redacting: bool,
    record: Option<PathBuf>,
}

/// The messages of a run.
#[derive(Default)]
struct Told {
    waits: Vec<(Duration, String)>,
    notes: Vec<String>,
    pages: u64,
    /// The longest sum of waits without a page in between.
    longest: Duration,
    current: Duration,
}

struct Pulled {
    summary: PullSummary,
    error: Option<Error>,
    told: Told,
}

impl Pulled {
    fn error(&self) -> String {
        self.error.as_ref().map(|error| format!("{error} | {}", error.hint_text().unwrap_or(""))).unwrap_or_default()
    }

    /// Returns a run without trouble.
    fn fine(self) -> Pulled {
        assert!(self.error.is_none(), "{}", self.error());
        self
    }
}

impl Rig {
    fn new(entries: Vec<Logged>) -> Rig {
        let clock: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(NOW)));
        Rig {
            dir: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
            clock,
            server: Server::start(entries, Some(clock)),
            options: PullOptions { page_size: 10, batch_pages: 5, ..PullOptions::default() },
            is_redacting: false,
            record: None,
        }
    }

    fn lake(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    fn origin(&self) -> Origin {
        let clock = Clock::Stepped(self.clock);
        let endpoint = Endpoint::parse(&self.server.base_url()).unwrap();
        let client =
            Client::new(endpoint, Key::new(KEY, "the API key", "test").unwrap(), Limits::default(), clock).unwrap();
        let place = self.lake().join("_pull/user.budget");
        let budget = Budget::new(place, 30, self.options.max_wait * 2);
        Origin::Server { client: Box::new(client), budget }
    }

    fn pull(&self) -> Pulled {
        self.pull_scope(Scope::default())
    }

    /// Pulls only one day, which is walked whatever its number of pages.
    fn pull_day(&self) -> Pulled {
        self.pull_scope(Scope { since_ms: Some(NOW - DAY), ..Scope::default() })
    }

    fn pull_scope(&self, scope: Scope) -> Pulled {
        self.pull_from(&self.lake(), self.origin(), scope, None, Stop::default())
    }

    fn pull_from(
        &self,
        lake: &std::path::Path,
        origin: Origin,
        scope: Scope,
        watch: Option<Duration>,
        stop: Stop,
    ) -> Pulled {
        let told = Arc::new(Mutex::new(Told::default()));
        let hears = told.clone();
        let clock = Clock::Stepped(self.clock);
        let (summary, error) = self.runtime.block_on(async {
            let lake =
                Lake::open_or_create(lake, &auditlake::lake::Options::default(), OCSF.clone(), clock).await.unwrap();
            let policy = if self.is_redacting {
                Policy::new(Rules::embedded(), &lake.derive_key("redact").unwrap()).unwrap()
            } else {
                Policy::off()
            };
            let run = PullRun {
                lake,
                policy: Arc::new(policy),
                redaction_version: String::new(),
                clock,
                options: self.options.clone(),
                scope,
                watch,
                stop,
                tell: Arc::new(move |event| hears.lock().unwrap().hear(event)),
            };
            let source = PullSource { name: "prod".to_string(), origin, since_ms: None, record: self.record.clone() };
            pull(run, vec![source]).await
        });
        let told = std::mem::take(&mut *told.lock().unwrap());
        Pulled { summary, error, told }
    }

    fn step(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Returns every event of a lake.
    fn events(&self, lake: &std::path::Path) -> Vec<Value> {
        self.runtime.block_on(async {
            let lake = Lake::open(lake, OCSF.clone()).await.unwrap();
            let mut events = Vec::new();
            for class in OCSF.classes() {
                let Some(table) = lake.state().tables.get(&class.name) else { continue };
                for file in &table.files {
                    let mut batches = auditlake::lake::rows(&lake.store(), file).await.unwrap();
                    while let Some(batch) = futures::StreamExt::next(&mut batches).await {
                        let batch = batch.unwrap();
                        for row in 0..batch.num_rows() {
                            let mut line = Vec::new();
                            Encoder::new(class).write(&batch, row, &mut line).unwrap();
                            events.push(serde_json::from_slice(&line).unwrap());
                        }
                    }
                }
            }
            events
        })
    }

    /// Asserts that the lake holds exactly the server's entries.
    fn assert_same(&self) {
        let entries: Vec<Value> =
            self.server.state().entries.iter().map(|entry| serde_json::from_str(&entry.json).unwrap()).collect();
        assert_same_events(&entries, &self.events(&self.lake()));
        for (state, poll) in self.polls() {
            let of = |name: &str| poll[name].as_u64().unwrap();
            assert_eq!(
                of("received"),
                of("accepted") + of("duplicate") + of("revised") + of("rejected"),
                "{state} {poll}"
            );
            assert!(of("requests") >= of("pages"), "{state} {poll}");
        }
    }

    /// Returns the ledger's record of the polls, in order.
    fn polls(&self) -> Vec<(String, Value)> {
        let ledger = assert_sound(&self.lake());
        let sources = ledger.entries.iter().filter_map(|entry| entry["sources"].as_array()).flatten();
        sources.map(|source| (source["state"].as_str().unwrap().to_string(), source["poll"].clone())).collect()
    }

    fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.server.state().script.extend(faults);
    }

    fn asked(&self) -> usize {
        self.server.state().asked.len()
    }
}

impl Told {
    fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Page { .. } => {
                self.pages += 1;
                self.current = Duration::ZERO;
            }
            Event::Waiting { wait, why, .. } => {
                self.waits.push((*wait, why.to_string()));
                self.current += *wait;
                self.longest = self.longest.max(self.current);
            }
            Event::Note { text, .. } => self.notes.push(text.to_string()),
            Event::Round { .. } => {}
        }
    }

    fn waited(&self) -> Duration {
        self.waits.iter().map(|(wait, _)| *wait).sum()
    }
}

/// Makes `count` entries, one each `every_ms`, the last one an hour before [`NOW`].
fn entries(count: i64, every_ms: i64) -> Vec<Logged> {
    (0..count).map(|n| entry(&format!("e{n:05}"), NOW - HOUR - (count - 1 - n) * every_ms)).collect()
}

fn status(status: u16) -> Option<Fault> {
    Some(Fault::Status(status, String::new(), String::new()))
}

fn limited(headers: &str) -> Option<Fault> {
    Some(Fault::Status(429, headers.to_string(), String::new()))
}

#[test]
fn the_first_run_takes_the_whole_history_and_the_next_one_what_is_new() {
    let rig = Rig::new(entries(300, HOUR));
    let first = rig.pull().fine();
    assert_eq!(first.summary.counts.accepted, 300);
    rig.assert_same();
    let asked = rig.asked();
    assert!(asked < 90, "{asked} requests for 30 pages");

    rig.step(HOUR);
    rig.server.state().entries.push(entry("new", NOW));
    let second = rig.pull().fine();
    assert_eq!((second.summary.counts.accepted, second.summary.late()), (1, 0));
    assert_eq!(second.summary.counts.duplicate, 24, "the overlap is a day");
    rig.assert_same();
    let covered = rig.covered();
    assert_eq!(covered.len(), 1, "one stretch: {covered:?}");
    assert!(covered[0].0.is_none() && (60_000..120_000).contains(&(rig.now() - covered[0].1)), "{covered:?}");
}

impl Rig {
    fn covered(&self) -> Vec<(Option<i64>, i64)> {
        self.runtime.block_on(async {
            let lake = Lake::open(&self.lake(), OCSF.clone()).await.unwrap();
            let pull = &lake.state().pulls["prod"];
            pull.covered.iter().map(|span| (span.from_ms, span.to_ms)).collect()
        })
    }
}

trait Late {
    fn late(&self) -> u64;
}

impl Late for PullSummary {
    fn late(&self) -> u64 {
        self.sources.iter().map(|source| source.late).sum()
    }
}

#[test]
fn no_order_is_relied_on() {
    for order in [Order::NewestFirst, Order::OldestFirst, Order::Scattered] {
        let rig = Rig::new(entries(150, 20 * 60_000));
        rig.server.state().order = order;
        assert_eq!(rig.pull().fine().summary.counts.accepted, 150, "{order:?}");
        rig.assert_same();
        let told =
            rig.polls().iter().filter_map(|(_, poll)| poll["order"].as_str().map(str::to_string)).collect::<Vec<_>>();
        let expected = match order {
            Order::NewestFirst => "descending",
            Order::OldestFirst => "ascending",
            Order::Scattered => "mixed",
        };
        assert!(told.iter().any(|order| order == expected), "{told:?}");
    }
}

#[test]
fn requests_keep_to_the_budget() {
    let rig = Rig::new(entries(2_000, 60_000));
    rig.pull().fine();
    let times: Vec<i64> = rig.server.state().asked.iter().map(|asked| asked.at_ms).collect();
    assert!(times.len() > 200);
    for window in times.windows(31) {
        assert!(window[30] - window[0] >= 60_000, "31 requests within a minute");
    }
}

#[test]
fn what_arrives_late_is_found_in_the_overlap_and_deeper_when_asked() {
    let mut all = entries(50, HOUR);
    // One arrives ten hours late, one twenty days.
    all.push(Logged { visible_ms: NOW + 10 * HOUR, ..entry("late", NOW - HOUR) });
    all.push(Logged { visible_ms: NOW + 10 * HOUR, ..entry("very-late", NOW - 20 * DAY) });
    let rig = Rig::new(all);
    assert_eq!(rig.pull().fine().summary.counts.accepted, 50);
    rig.step(11 * HOUR);
    let second = rig.pull().fine();
    assert_eq!((second.summary.counts.accepted, second.summary.late()), (1, 1));
    let deep = rig.pull_scope(Scope { deep_ms: Some(30 * DAY), ..Scope::default() }).fine();
    assert_eq!((deep.summary.counts.accepted, deep.summary.late()), (1, 1));
    rig.assert_same();
}

/// A poll with the clock forty days ahead, then with the right one: events that came meanwhile are there, and nothing
/// was called covered that the server could not know of.
#[test]
fn a_clock_that_is_ahead_covers_nothing_that_is_yet_to_come() {
    let rig = Rig::new(entries(60, HOUR));
    rig.server.state().ahead_ms = Some(40 * DAY);
    rig.step(40 * DAY);
    let pulled = rig.pull().fine();
    assert!(pulled.told.notes.iter().any(|note| note.contains("set the clock")), "{:?}", pulled.told.notes);
    let covered = |rig: &Rig| {
        let lake = rig.runtime.block_on(Lake::open(&rig.lake(), OCSF.clone())).unwrap();
        lake.state().pulls["prod"].covered.last().unwrap().to_ms
    };
    assert!(covered(&rig) <= NOW, "{}", covered(&rig) - NOW);
    rig.assert_same();
    // The clock is right again, a week later.
    rig.server.state().ahead_ms = Some(0);
    rig.step(7 * DAY - 40 * DAY);
    let new = (0..168).map(|n| entry(&format!("n{n:05}"), NOW + n * HOUR));
    rig.server.state().entries.extend(new);
    let pulled = rig.pull().fine();
    assert!(pulled.told.notes.is_empty(), "{:?}", pulled.told.notes);
    rig.assert_same();
    let last = covered(&rig);
    assert!(NOW + 6 * DAY < last && last < rig.now(), "{}", last - NOW);
}

#[test]
fn silence_is_told_four_times_an_hour_at_most() {
    let rig = Rig::new(entries(5, HOUR));
    rig.pull().fine();
    let before = rig.polls().len();
    for _ in 0..60 {
        rig.step(60_000);
        rig.pull().fine();
    }
    let polls = rig.polls().split_off(before);
    assert!((3..=4).contains(&polls.len()), "{} entries: {polls:#?}", polls.len());
    // In one process the polls between are counted too.
    let stop = Stop::default();
    let rounds = Arc::new(AtomicI64::new(0));
    let (stops, counts) = (stop.clone(), rounds.clone());
    let told = Rig::watch_rounds(&rig, stop, move || {
        if counts.fetch_add(1, Ordering::SeqCst) == 60 {
            stops.set();
        }
    });
    assert!(told.error.is_none());
    let more = rig.polls().split_off(before + polls.len());
    assert!((3..=4).contains(&more.len()), "{} entries: {more:#?}", more.len());
    let counted: u64 = more.iter().map(|(_, poll)| poll["polls"].as_u64().unwrap()).sum();
    assert!(counted > 45, "{counted} polls of 60 are told");
    rig.assert_same();
}

impl Rig {
    /// Watches, and calls `each` at each page.
    fn watch_rounds(rig: &Rig, stop: Stop, each: impl Fn() + Send + Sync + 'static) -> Pulled {
        let clock = Clock::Stepped(rig.clock);
        let (summary, error) = rig.runtime.block_on(async {
            let lake = Lake::open(&rig.lake(), OCSF.clone()).await.unwrap();
            let run = PullRun {
                lake,
                policy: Arc::new(Policy::off()),
                redaction_version: String::new(),
                clock,
                options: rig.options.clone(),
                scope: Scope::default(),
                watch: Some(Duration::from_secs(60)),
                stop,
                tell: Arc::new(move |event| {
                    if matches!(event, Event::Round { .. }) {
                        each();
                    }
                }),
            };
            let origin = rig.origin();
            pull(run, vec![PullSource { name: "prod".to_string(), origin, since_ms: None, record: None }]).await
        });
        Pulled { summary, error, told: Told::default() }
    }
}

#[test]
fn trouble_that_passes_is_waited_for() {
    let faults = [
        status(500),
        status(502),
        status(503),
        status(408),
        Some(Fault::Reset),
        Some(Fault::Slow),
        Some(Fault::CutBody),
        Some(Fault::CutGzip),
        Some(Fault::Html),
        Some(Fault::NotAPage("{}")),
        Some(Fault::NotAPage("[]")),
        Some(Fault::BigHeader),
        Some(Fault::Gzip),
        Some(Fault::Chunked),
    ];
    let rig = Rig::new(entries(100, 60_000));
    rig.script(faults.into_iter().flat_map(|fault| [None, fault]));
    let pulled = rig.pull().fine();
    assert_eq!(pulled.told.waits.len(), 12, "{:?}", pulled.told.waits);
    assert!(pulled.told.waits.iter().any(|(_, why)| why.contains("HTML")), "{:?}", pulled.told.waits);
    rig.assert_same();
}

#[test]
fn a_rate_limit_is_waited_for_as_the_server_says() {
    let rig = Rig::new(entries(40, 60_000));
    let date = chrono::DateTime::from_timestamp_millis(NOW + 200_000).unwrap().to_rfc2822().replace("+0000", "GMT");
    let reset = (NOW + 400_000) / 1000;
    rig.script([
        limited("retry-after: 37\r\n"),
        limited(&format!("retry-after: {date}\r\n")),
        limited(&format!("x-ratelimit-reset: {reset}\r\n")),
        limited(""),
    ]);
    let pulled = rig.pull().fine();
    let ends: Vec<i64> = rig.server.state().asked.iter().map(|asked| asked.at_ms - NOW).collect();
    assert!((37_000..=41_000).contains(&ends[1]), "{ends:?}");
    assert!((200_000..=217_000).contains(&ends[2]), "{ends:?}");
    assert!((400_000..=420_000).contains(&ends[3]), "{ends:?}");
    assert_eq!(pulled.told.waits.len(), 4);
    assert!(pulled.told.waits.iter().all(|(_, why)| why.contains("429")), "{:?}", pulled.told.waits);
    rig.assert_same();
}

#[test]
fn patience_ends_with_the_cursor_kept() {
    let rig = Rig::new(entries(100, 60_000));
    rig.script(std::iter::repeat_n(None, 4).chain(std::iter::repeat_n(status(503), 200)));
    let pulled = rig.pull_day();
    assert_eq!(pulled.error.as_ref().map(Error::kind), Some(Kind::Unavailable));
    assert!(pulled.error().contains("gave up after") && pulled.error().contains("503"), "{}", pulled.error());
    assert!(pulled.told.longest <= rig.options.max_wait && pulled.told.longest > Duration::from_secs(700));
    let (state, poll) = rig.polls().pop().unwrap();
    assert_eq!(state, "unavailable");
    let cursor = poll["cursor"].as_str().unwrap().to_string();
    let asked = rig.asked();
    rig.server.state().script.clear();
    rig.pull_day().fine();
    let goes_on = rig.server.state().asked[asked].query.clone();
    let sent: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("cursor", &cursor).finish();
    assert!(goes_on.contains(&sent), "{goes_on} lacks {sent}");
    let after: Vec<bool> =
        rig.server.state().asked[asked..].iter().map(|asked| asked.query.contains("cursor=")).collect();
    assert_eq!(after.iter().take_while(|has_cursor| **has_cursor).count(), 6, "six of ten pages are not there");
    assert_eq!(after.len(), 16, "and then the overlap");
    rig.assert_same();

    // A wait that is longer than our patience is not begun.
    rig.step(HOUR);
    rig.script([limited("retry-after: 86400\r\n")]);
    let pulled = rig.pull_day();
    assert!(pulled.error().contains("asks to wait 86400 s"), "{}", pulled.error());
    assert!(pulled.told.waits.is_empty());
}

#[test]
fn a_cursor_that_expired_begins_the_window_anew() {
    let rig = Rig::new(entries(100, 60_000));
    rig.script([None, None, None, None, None, Some(Fault::CursorExpired)]);
    let pulled = rig.pull_day().fine();
    assert!(pulled.told.notes.iter().any(|note| note.contains("begins anew")), "{:?}", pulled.told.notes);
    rig.assert_same();
    // One that always refuses its own cursors is not asked for ever.
    let rig = Rig::new(entries(100, 60_000));
    rig.script(std::iter::repeat_n([None, Some(Fault::CursorExpired)], 50).flatten());
    let pulled = rig.pull_day();
    assert!(pulled.error().contains("refuses its own cursors"), "{}", pulled.error());
    rig.server.state().script.clear();
    rig.pull_day().fine();
    rig.assert_same();
}

#[test]
fn a_walk_in_circles_is_named_and_covers_nothing() {
    for (fault, says) in
        [(Fault::SameCursor, "the server sent the cursor `stuck|0` twice"), (Fault::NoCursor, "gives no cursor")]
    {
        let rig = Rig::new(entries(100, 60_000));
        rig.script([None, None, Some(fault.clone())]);
        let pulled = rig.pull_day();
        assert!(pulled.error().contains(says), "{}", pulled.error());
        assert_eq!(pulled.error.unwrap().kind().exit_code(), 3);
        assert_eq!(rig.polls().last().unwrap().0, "looping");
        assert_eq!(rig.covered(), []);
        rig.server.mend();
        rig.pull_day().fine();
        rig.assert_same();
    }
    let rig = Rig::new(entries(100, 60_000));
    rig.script([None, None].into_iter().chain(std::iter::repeat_n(Some(Fault::Again), 40)));
    assert!(rig.pull_day().error().contains("the server repeats the same page"));
    rig.server.state().script.clear();
    rig.pull_day().fine();
    rig.assert_same();
}

#[test]
fn the_gate_that_is_shut_is_named() {
    let body = |code: &str| {
        format!(r#"{{"detail":{{"type":"authorization_error","code":"{code}","message":"no\u0007 {KEY}"}}}}"#)
    };
    for (code, number, says) in [
        ("insufficient_permissions", 403, "lacks the permission `audit_log_read`"),
        ("missing_permissions", 401, "lacks the permission `audit_log_read`"),
        ("feature_not_available", 403, "tier has no audit log"),
        ("invalid_api_key", 401, "does not know the key"),
        ("whatever", 403, "does not say which gate"),
    ] {
        let rig = Rig::new(entries(100, 60_000));
        rig.script([None, None, Some(Fault::Status(number, String::new(), body(code)))]);
        let pulled = rig.pull_day();
        let error = pulled.error();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains(KEY) && error.contains("[REDACTED:api-key]"), "{error}");
        assert_eq!(rig.asked(), 3, "it is final");
        rig.pull_day().fine();
        rig.assert_same();
    }
    let rig = Rig::new(Vec::new());
    let secret = "sk_0123456789abcdef0123456789abcdef0123456789abcdef";
    rig.script([Some(Fault::Status(
        422,
        String::new(),
        format!("{{\"detail\":[{{\"msg\":\"limit\n\u{1b}[31m {secret}\"}}]}}"),
    ))]);
    let mut rig = rig;
    rig.is_redacting = true;
    let error = rig.pull_day().error();
    assert!(error.contains("422") && error.contains("\\n\\u{1b}[31m"), "{error}");
    assert!(!error.contains(secret) && error.contains("[REDACTED:"), "{error}");
}

#[test]
fn the_key_goes_to_no_other_host() {
    let rig = Rig::new(entries(100, 60_000));
    rig.script([None, Some(Fault::Redirect)]);
    let pulled = rig.pull_day();
    assert!(pulled.error().contains("points to") && pulled.error().contains("not followed"), "{}", pulled.error());
    assert_eq!(rig.server.strays(), "");
    rig.pull_day().fine();
    rig.assert_same();
    assert!(rig.server.state().asked.iter().all(|asked| asked.has_key));
}

#[test]
fn what_is_no_entry_is_rejected_once() {
    let rig = Rig::new(entries(5, HOUR));
    let odd = [
        ("a", r#"{"id":"odd","time":"noon","class_uid":3002}"#.to_string()),
        ("b", r#""text""#.to_string()),
        ("c", entry("nameless", NOW - HOUR).json.replace(r#""id":"nameless","#, "")),
        ("d", entry("e00004", NOW - HOUR).json.replace("m e00004", "changed")),
    ];
    for (id, json) in odd {
        rig.server.state().entries.push(Logged { json, ..entry(id, NOW - HOUR) });
    }
    let counts = rig.pull().fine().summary.counts;
    // The entry that says something else under a known id is a later version of it.
    assert_eq!((counts.accepted, counts.revised, counts.rejected), (5, 1, 3));
    for _ in 0..3 {
        rig.step(HOUR);
        let counts = rig.pull().fine().summary.counts;
        assert_eq!((counts.accepted, counts.revised, counts.rejected, counts.duplicate), (0, 0, 0, 9));
    }
    let ledger = assert_sound(&rig.lake());
    assert_eq!(["accepted", "revised", "rejected"].map(|name| ledger.count(name)), [5, 1, 3]);
}

#[test]
fn a_recording_gives_the_same_lake_without_a_server() {
    let mut rig = Rig::new(entries(200, HOUR));
    let tape = rig.dir.path().join("tape");
    rig.record = Some(tape.clone());
    rig.is_redacting = true;
    let secret = "token sk_0123456789abcdef0123456789abcdef0123456789abcdef";
    rig.server.state().entries.iter_mut().take(1).for_each(|entry| entry.json = entry.json.replace("m e00000", secret));
    rig.pull().fine();
    rig.step(HOUR);
    rig.server.state().entries.push(entry("new", NOW));
    rig.pull().fine();
    let asked = rig.asked();
    for file in files(&tape) {
        let bytes = std::fs::read(tape.join(&file)).unwrap();
        assert!(memchr::memmem::find(&bytes, b"sk_0123456789").is_none(), "{file} holds a secret");
        assert!(memchr::memmem::find(&bytes, KEY.as_bytes()).is_none(), "{file} holds the key");
    }

    let again = rig.dir.path().join("again");
    rig.record = None;
    let origin = || Origin::Recording(Recording::open(&tape, "prod").unwrap());
    let replayed = rig.pull_from(&again, origin(), Scope::default(), None, Stop::default()).fine();
    assert_eq!(rig.asked(), asked, "a replay asks nobody");
    assert_eq!(replayed.summary.counts.accepted, 201);
    let texts = |lake: &std::path::Path| {
        let mut texts: Vec<String> = rig.events(lake).iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    let without_hex = |texts: Vec<String>| {
        let hex = regex::Regex::new("(REDACTED:[^:]+):[0-9a-f]{8}").unwrap();
        texts.iter().map(|text| hex.replace_all(text, "$1").into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(without_hex(texts(&rig.lake())), without_hex(texts(&again)));
    let covered = |lake: &std::path::Path| {
        let open = async { Lake::open(lake, OCSF.clone()).await.unwrap().state().pulls["prod"].covered.clone() };
        rig.runtime.block_on(open)
    };
    assert_eq!(covered(&rig.lake()), covered(&again));
    // Once more: nothing new.
    let counts = rig.pull_from(&again, origin(), Scope::default(), None, Stop::default()).fine().summary.counts;
    assert_eq!((counts.accepted, counts.rejected), (0, 0));
}

/// The same servers in every run: a linear congruential generator (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }

    fn fault(&mut self, now_ms: i64) -> Fault {
        let wait = self.below(100) + 1;
        let date = chrono::DateTime::from_timestamp_millis(now_ms + wait as i64 * 1000).unwrap();
        let date = date.to_rfc2822().replace("+0000", "GMT");
        let code = |status, body: &str| Fault::Status(status, String::new(), body.to_string());
        match self.below(27) {
            0 => limited(&format!("retry-after: {wait}\r\n")).unwrap(),
            1 => limited(&format!("retry-after: {date}\r\n")).unwrap(),
            2 => limited(&format!("x-ratelimit-reset: {}\r\n", now_ms / 1000 + wait as i64)).unwrap(),
            3 => limited("").unwrap(),
            4 => code(500, KEY),
            5 => code(502, "<html>"),
            6 => code(503, ""),
            7 | 8 => Fault::Reset,
            9 => Fault::Slow,
            10 => Fault::CutBody,
            11 => Fault::CutGzip,
            12 => Fault::Html,
            13 => Fault::NotAPage("{\"entries\":[],\"has_more\":fals"),
            14 | 15 => Fault::Again,
            16 => Fault::Shuffled,
            17 => Fault::Overlapping,
            18 => Fault::EmptyPage,
            19 => Fault::SameCursor,
            20 => Fault::NoCursor,
            21 => Fault::CursorExpired,
            22 => code(401, r#"{"detail":{"code":"invalid_api_key"}}"#),
            23 => Fault::Redirect,
            24 => Fault::BigHeader,
            25 => Fault::Gzip,
            _ => Fault::Chunked,
        }
    }
}

/// Names the seed of a test that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it was AUDITLAKE_PULL_SEEDS=1 AUDITLAKE_PULL_FIRST_SEED={}", self.0);
        }
    }
}

/// Returns the outcome of one hostile server, for the tally.
fn survive(seed: u64) -> BTreeMap<&'static str, u64> {
    let _named = Named(seed);
    let mut random = Random(seed.wrapping_mul(0x9e3779b97f4a7c15));
    for _ in 0..4 {
        random.below(2);
    }
    let count = random.below(220) as i64;
    let every_ms = [1000, 60_000, HOUR, 9 * HOUR][random.below(4) as usize];
    let mut all = entries(count, every_ms);
    for entry in &mut all {
        // Some are seen a while after they happened; always within the overlap of the next poll.
        if random.below(8) == 0 && NOW - entry.time_ms < 20 * HOUR {
            entry.visible_ms = NOW + random.below(3) as i64 * HOUR;
        }
    }
    let mut rig = Rig::new(all);
    rig.options.page_size = 3 + random.below(20) as u32;
    rig.options.batch_pages = 1 + random.below(9);
    rig.options.jitter_seed = seed;
    rig.server.state().order = [Order::NewestFirst, Order::OldestFirst, Order::Scattered][random.below(3) as usize];
    let script: Vec<Option<Fault>> =
        (0..10 + random.below(60)).map(|_| (random.below(3) == 0).then(|| random.fault(NOW))).collect();
    rig.script(script);

    let mut tally = BTreeMap::new();
    for round in 0.. {
        assert!(round < 60, "seed {seed}: no end");
        let began_ms = rig.now();
        let pulled = rig.pull();
        let Pulled { summary, error, told } = &pulled;
        assert!(!summary.sources.is_empty(), "seed {seed}: nothing was pulled: {error:?}");
        // Waiting is bounded, and every wait was reported.
        assert!(told.longest <= rig.options.max_wait, "seed {seed}: waited {:?}", told.longest);
        assert!((summary.sources[0].waited_seconds - told.waited().as_secs_f64()).abs() < 0.001, "seed {seed}");
        let requests = summary.sources[0].requests as i64;
        let most_ms = told.waited().as_millis() as i64 + requests * 2_051 + 600_000 * told.waits.len() as i64;
        assert!(rig.now() - began_ms <= most_ms + 2_051, "seed {seed}: a wait was not told");
        let text = format!("{:?}{}{}", told.waits, pulled.error(), told.notes.join(""));
        assert!(!text.contains(KEY), "seed {seed}: {text}");
        summary.counts.check().unwrap();
        *tally.entry(error.as_ref().map_or("fine", |_| "ended in trouble")).or_default() += 1;
        *tally.entry("waits").or_default() += told.waits.len() as u64;
        *tally.entry("late").or_default() += summary.late();
        rig.server.mend();
        rig.step(HOUR);
        let is_over = rig.server.state().script.is_empty() && rig.now() > NOW + 3 * HOUR;
        if error.is_none() && is_over {
            rig.pull().fine();
            break;
        }
    }
    assert_eq!(rig.server.strays(), "", "seed {seed}: somebody came to the other host");
    rig.assert_same();
    for file in files(&rig.lake()) {
        let bytes = std::fs::read(rig.lake().join(&file)).unwrap();
        assert!(memchr::memmem::find(&bytes, KEY.as_bytes()).is_none(), "seed {seed}: {file} holds the key");
    }
    let covered = rig.covered();
    assert!(covered.len() == 1 && covered[0].0.is_none(), "seed {seed}: holes in {covered:?}");
    tally
}

#[test]
fn any_hostile_server_loses_and_doubles_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("AUDITLAKE_PULL_FIRST_SEED").unwrap_or(0);
    let seeds = number("AUDITLAKE_PULL_SEEDS").unwrap_or(36);
    let next = Arc::new(AtomicI64::new(first as i64));
    let tally = Arc::new(Mutex::new(BTreeMap::<&str, u64>::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (next, tally) = (next.clone(), tally.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst) as u64;
                    if seed >= first + seeds {
                        return;
                    }
                    let came = survive(seed);
                    let mut tally = tally.lock().unwrap();
                    for (what, count) in came {
                        *tally.entry(what).or_default() += count;
                    }
                    if (seed + 1 - first).is_multiple_of(100) {
                        eprintln!("{} servers of {seeds}: {tally:?}", seed + 1 - first);
                    }
                }
            });
        }
    });
    let tally = tally.lock().unwrap();
    eprintln!("{seeds} servers: {tally:?}");
    assert!(tally["fine"] > 0 && tally["ended in trouble"] > 0 && tally["waits"] > 0 && tally["late"] > 0);
}

#[test]
fn sources_of_one_user_share_its_requests() {
    let rig = Rig::new(entries(600, 60_000));
    let run = |names: [&str; 2]| {
        let clock = Clock::Stepped(rig.clock);
        let sources =
            names.map(|name| PullSource { name: name.to_string(), origin: rig.origin(), since_ms: None, record: None });
        rig.runtime.block_on(async {
            let lake = Lake::open_or_create(&rig.lake(), &auditlake::lake::Options::default(), OCSF.clone(), clock)
                .await
                .unwrap();
            let run = PullRun {
                lake,
                policy: Arc::new(Policy::off()),
                redaction_version: String::new(),
                clock,
                options: rig.options.clone(),
                scope: Scope::default(),
                watch: None,
                stop: Stop::default(),
                tell: Arc::new(|_| ()),
            };
            pull(run, sources.into()).await
        })
    };
    let (summary, error) = run(["a", "b"]);
    assert!(error.is_none());
    // Two workspaces never have the same entries; here the second one finds that all is there.
    assert_eq!((summary.counts.accepted, summary.sources.len()), (600, 2));
    rig.assert_same();
    let mut times: Vec<i64> = rig.server.state().asked.iter().map(|asked| asked.at_ms).collect();
    times.sort_unstable();
    assert!(times.len() > 120);
    // A request may be sent a little after its moment, when the other's wait moved the clock.
    for window in times.windows(32) {
        assert!(window[31] - window[0] >= 60_000, "32 requests within a minute");
    }
}

/// The program against a server, by the real clock.
struct Outside {
    env: Env,
    server: Server,
}

impl Outside {
    fn new(count: i64) -> Outside {
        let mut all = entries(count, 60_000);
        for logged in &mut all {
            *logged = entry(&logged.id, logged.time_ms - 200 * DAY);
        }
        let server = Server::start(all, None);
        let env = Env::new();
        let config = format!(
            "[[source]]\nname = \"prod\"\nbase_url = \"{}\"\nkey = {{ env = \"PROD_KEY\" }}\n\
             requests_per_minute = 600000\nsince = \"2025-08-01\"\n\n\
             [pull]\npage_size = 10\nbatch_pages = 1\nmax_wait = \"20s\"\n\n[redact]\nenabled = false\n",
            server.base_url()
        );
        env.write("auditlake.toml", config);
        Outside { env, server }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.env("PROD_KEY", KEY);
        command
    }

    /// Returns the output of a command, without the warning that these lakes keep secrets.
    fn run(&self, args: &[&str]) -> String {
        let mut output = self.command(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let lines = said.split_inclusive('\n').filter(|line| !line.starts_with("warning: redaction is off"));
        output.stderr = lines.collect::<String>().into_bytes();
        self.env.text(&output)
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Holds the next request with this number, counted from here: it reports when it has come, and waits for its answer.
    fn hold(&self, number: usize) -> mpsc::Receiver<()> {
        let (told, hears) = mpsc::channel();
        let mut state = self.server.state();
        let number = state.asked.len() + number;
        state.hold = Some((number, told));
        hears
    }

    fn assert_same(&self, lake: &str) {
        let entries: Vec<Value> =
            self.server.state().entries.iter().map(|entry| serde_json::from_str(&entry.json).unwrap()).collect();
        assert_same_events(&entries, &crate::env::values(&self.env.ok(["export", "--lake", lake])));
        assert_sound(&self.env.path(lake));
    }
}

/// Longer than any step of these tests takes; it ends a test that hangs.
const LONG: Duration = Duration::from_secs(120);

#[test]
fn a_killed_pull_loses_nothing_and_doubles_nothing() {
    let rounds = std::env::var("AUDITLAKE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6_u64);
    let outside = Outside::new(120);
    assert!(outside.run(&["pull", "--lake", "whole", "-q"]).is_empty());
    let requests = outside.server.state().asked.len() as u64;
    outside.assert_same("whole");
    let mut random = Random(7);
    for round in 0..rounds {
        let lake = format!("round-{round}");
        let args = ["pull", "--lake", &lake, "-q"];
        // In every third round the run that continues is killed as well.
        for kill in 0..=(round % 3 / 2) {
            let number = 1 + random.below(requests - 2 * kill) as usize;
            let hears = match round % 2 {
                0 => outside.hold(number),
                // The page is on its way when the process dies: it may get as far as any line of the commit.
                _ => {
                    let (told, hears) = mpsc::channel();
                    let mut state = outside.server.state();
                    state.after = Some((state.asked.len() + number, told));
                    hears
                }
            };
            let mut child = outside.start(&args);
            let came = hears.recv_timeout(LONG);
            if round % 2 == 1 {
                // The moment of a kill is the only thing here that depends on time.
                std::thread::sleep(Duration::from_millis(random.below(40)));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            let mut state = outside.server.state();
            (state.hold, state.after) = (None, None);
            assert!(came.is_ok() || kill > 0, "round {round}: request {number} did not come");
        }
        let text = outside.run(&args);
        assert!(text.is_empty(), "round {round}: {text}");
        outside.assert_same(&lake);
        let covered = outside.env.ok(["coverage", "--lake", &lake, "--format", "csv", "-q"]);
        assert_eq!(covered.lines().count(), 2, "round {round}: {covered}");
        std::fs::remove_dir_all(outside.env.path(&lake)).unwrap();
    }
}

#[test]
fn the_key_shows_nowhere() {
    let outside = Outside::new(20);
    let hears = outside.hold(1);
    outside.server.state().script.push_back(Some(Fault::Status(500, String::new(), KEY.to_string())));
    let child = outside
        .command(&["pull", "--record", "tape"])
        .env("AUDITLAKE_LOG", "trace")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    hears.recv_timeout(LONG).unwrap();
    let read = |name: &str| std::fs::read(format!("/proc/{}/{name}", child.id())).unwrap();
    assert!(memchr::memmem::find(&read("cmdline"), KEY.as_bytes()).is_none());
    let filter = String::from_utf8(read("coredump_filter")).unwrap();
    assert_eq!(u32::from_str_radix(filter.trim(), 16), Ok(0), "no memory goes into a core file");
    outside.server.answer();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", outside.env.text(&output));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("hyper") && !log.contains(KEY), "the log is on, and the key is not in it");
    for file in files(&outside.env.path(".")) {
        let bytes = std::fs::read(outside.env.path(&file)).unwrap();
        assert!(memchr::memmem::find(&bytes, KEY.as_bytes()).is_none(), "{file} holds the key");
    }
}

#[test]
fn a_key_comes_from_a_file_or_a_command() {
    use std::os::unix::fs::PermissionsExt;
    let outside = Outside::new(10);
    let config = outside.env.read("auditlake.toml");
    let with = |key: &str| config.replace("{ env = \"PROD_KEY\" }", key);
    outside.env.write("prod.key", format!("{KEY}\n"));
    outside.env.write("auditlake.toml", with("{ file = \"prod.key\" }"));
    let mode = |mode| {
        std::fs::set_permissions(outside.env.path("prod.key"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    assert_snapshot!(outside.env.run(["pull"]), @r"
    ------- stderr -------
    error: cannot read the API key from prod.key: others may read or write it (mode 0644)
    hint: chmod 600 prod.key
    [exit status: 2]
    ");
    assert!(!outside.env.path("auditlake-data").exists());
    mode(0o600);
    outside.env.ok(["pull"]);
    outside.env.write("auditlake.toml", with("{ command = [\"cat\", \"prod.key\"] }"));
    outside.env.ok(["pull", "--lake", "other"]);
    outside.assert_same("other");
    outside.env.write("auditlake.toml", &config);
    assert_snapshot!(outside.env.run(["pull"]), @r"
    ------- stderr -------
    error: cannot get the API key: the environment has no PROD_KEY
    [exit status: 2]
    ");
    outside
        .env
        .write("auditlake.toml", config.replace("base_url = \"http://127.0.0.1", "base_url = \"http://192.0.2.1"));
    assert_snapshot!(outside.run(&["pull"]), @r"
    ------- stderr -------
    error: source `prod`: cannot use a source's `base_url`: plain HTTP would send the key in the clear; only loopback may be asked so
    hint: write it like https://api.elevenlabs.io, without user, query or fragment
    [exit status: 2]
    ");
}

#[test]
fn a_source_must_be_configured() {
    let env = Env::new();
    let text = env.run(["pull"]);
    assert!(text.contains("names no source to pull") && text.contains("[[source]]"), "{text}");
    assert!(text.contains("[exit status: 2]"), "{text}");
    let outside = Outside::new(0);
    assert_snapshot!(outside.run(&["pull", "prud"]), @r"
    ------- stderr -------
    error: the configuration names no source `prud`
    hint: did you mean `prod`?
    [exit status: 2]
    ");
}

#[test]
fn a_signal_finishes_the_page_and_commits() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let outside = Outside::new(100);
        let hears = outside.hold(4);
        let child = outside.start(&["pull", "--watch", "1h", "--summary-json", "-", "--since", "2025-08-12"]);
        hears.recv_timeout(LONG).unwrap();
        assert!(Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", child.id())).status().unwrap().success());
        // The answer waits until the signal was received: then the program says so.
        let mut child = child;
        let mut said = String::new();
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        while !said.contains("stopping after this page") {
            assert!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() > 0, "{said}");
        }
        outside.server.answer();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["is_interrupted"], true);
        assert_eq!(summary["sources"][0]["state"], "stopped");
        let rows = outside.env.number("select count(*) from event");
        assert_eq!(summary["counts"]["accepted"].as_u64(), Some(rows));
        let asked = outside.server.state().asked.len();
        assert_eq!(asked, 4, "no request after the signal");
        assert!(outside.run(&["pull", "-q"]).is_empty());
        outside.assert_same("auditlake-data");
    }
}

#[test]
fn one_run_at_a_time_pulls_a_source() {
    let outside = Outside::new(10);
    let hears = outside.hold(1);
    let mut first = outside.start(&["pull"]);
    hears.recv_timeout(LONG).unwrap();
    assert_snapshot!(outside.run(&["pull"]), @r"
    ------- stderr -------
    error: another run is pulling the source `prod` into this lake
    hint: wait for it, or stop it; it commits what it has
    [exit status: 5]
    ");
    outside.server.answer();
    assert!(first.wait().unwrap().success());
}

#[test]
fn coverage_shows_holes_and_ends_with_4() {
    let outside = Outside::new(10);
    let config = outside.env.read("auditlake.toml").replace("since = \"2025-08-01\"\n", "");
    outside.env.write("auditlake.toml", config);
    let text = outside.run(&["coverage"]);
    assert!(text.contains("no lake at"), "{text}");
    outside.run(&["pull", "-q", "--since", "2025-01-01", "--until", "2025-02-01"]);
    outside.run(&["pull", "-q", "--since", "2025-03-01", "--until", "2025-04-01"]);
    assert_snapshot!(outside.run(&["coverage", "--format", "csv"]), @r"
    source,state,from_time,to_time,late
    prod,covered,2025-01-01T00:00:00Z,2025-02-01T00:00:00Z,0
    prod,hole,2025-02-01T00:00:00Z,2025-03-01T00:00:00Z,0
    prod,covered,2025-03-01T00:00:00Z,2025-04-01T00:00:00Z,0
    ------- stderr -------
    prod: 2 polls, 2 pages, 0 entries received, 0 late; last told [NOW] (complete)
    [exit status: 4]
    ");
    assert_snapshot!(outside.env.run(["coverage", "--since", "2025-03-02", "--until", "2025-03-03", "--format", "csv", "-q"]), @r"
    source,state,from_time,to_time,late
    prod,covered,2025-03-02T00:00:00Z,2025-03-03T00:00:00Z,0
    ");
    let sql = "select source, state, from_time, to_time, late from coverage order by from_time";
    assert_snapshot!(outside.env.ok(["sql", "--format", "csv", "-c", sql]), @r"
    source,state,from_time,to_time,late
    prod,covered,2025-01-01T00:00:00Z,2025-02-01T00:00:00Z,0
    prod,hole,2025-02-01T00:00:00Z,2025-03-01T00:00:00Z,0
    prod,covered,2025-03-01T00:00:00Z,2025-04-01T00:00:00Z,0
    ");
    // A plain run fills the hole, and everything else.
    outside.run(&["pull", "-q"]);
    outside.assert_same("auditlake-data");
    let rows = outside.env.rows("select state, from_time from coverage");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0]["state"].as_str(), rows[0]["from_time"].is_null()), (Some("covered"), true));
    let told = outside.env.rows(
        "select kind, source, state, window_from, window_to, requests, pages, cursor from ingest_log where sequence = 1",
    );
    assert_eq!(
        told[0].to_string(),
        r#"{"cursor":null,"kind":"ingest","pages":1,"requests":1,"source":"prod","state":"complete","window_from":"2025-01-01T00:00:00Z","window_to":"2025-01-31T23:59:59.999Z"}"#
    );
    // Files cover nothing.
    let env = Env::with_small();
    let text = env.run(["coverage"]);
    assert!(text.contains("no source was pulled") && text.contains("[exit status: 4]"), "{text}");
}

#[test]
fn a_replay_needs_neither_server_nor_key() {
    let outside = Outside::new(30);
    outside.run(&["pull", "-q", "--record", "tape"]);
    outside.env.write("auditlake.toml", "[redact]\nenabled = false\n");
    let asked = outside.server.state().asked.len();
    let text = outside.env.run(["pull", "--replay", "tape", "--lake", "again"]);
    assert!(text.contains("read 30 = accepted 30 + duplicate 0 + revised 0 + rejected 0 + blank 0"), "{text}");
    assert_eq!(outside.server.state().asked.len(), asked);
    outside.assert_same("again");
    let text = outside.env.run(["pull", "--replay", "nowhere"]);
    assert!(text.contains("cannot replay nowhere"), "{text}");
    // `ingest` accepts the pages, too.
    outside.env.ok(["ingest", "tape/prod/0*.json", "--lake", "files"]);
    outside.assert_same("files");
}

/// A well-behaved server to try things by hand: `cargo test --test it pull::serve_by_hand -- --ignored --nocapture`.
#[test]
#[ignore = "for trying things by hand; it does not end"]
fn serve_by_hand() {
    let now_ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let all = (0..20_000).map(|n| entry(&format!("e{n:05}"), now_ms - n * 400_000)).collect();
    let server = Server::start(all, None);
    eprintln!("[[source]]\nname = \"hand\"\nbase_url = \"{}\"", server.base_url());
    eprintln!("key = {{ command = [\"echo\", \"{KEY}\"] }}\nrequests_per_minute = 600");
    loop {
        std::thread::park();
    }
}
