//! Turns a request into a response: path, method, key, gates, rate, parameters, page, log of the read, in this order.
//!
//! Each step sees only what passed the one before. A client without a valid key learns nothing but that; one without
//! the permission does not learn the workspace's tier; parameters are checked last, so their errors tell nothing to
//! clients who may not ask. Numbers about the server need a key of their own kind, or come from their own address; the
//! health check and the description need none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};

use super::cursor::Cursors;
use super::entries::{Entries, Page};
use super::follow::Follower;
use super::journal::Journal;
use super::keys::{KeyRecord, Keyring};
use super::limit::Limiter;
use super::metrics::Metrics;
use super::places::client_of;
use super::query::{Asked, Query, read};
use super::reading::{Reading, blank};
use super::refusal::Refusal;
use super::search::Search;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::lake::random_hex;

pub const ENTRIES_PATH: &str = "/v1/workspace/audit-logs";
/// The permission that a key needs, and the tier that the workspace must have.
pub const PERMISSION: &str = "audit_log_read";
pub const TIER: &str = "enterprise";
/// The permission that a key needs for `/metrics` at the address of the log.
pub const METRICS_PERMISSION: &str = "metrics_read";

const OPENAPI: &str = include_str!("openapi.json");
const KEY_HEADER: &str = "xi-api-key";
/// The most bytes of a header that are logged.
const SAID_BYTES: usize = 512;
const JSON: &str = "application/json";

type Answer = Response<Full<Bytes>>;

/// The address at which a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The log, behind keys.
    Log,
    /// Numbers about the server only.
    Metrics,
}

/// Everything that requests share.
pub struct Server {
    pub clock: Clock,
    pub started: Instant,
    pub keyring: Keyring,
    pub tier: String,
    pub limiter: Limiter<String>,
    /// The limiter of requests without a valid key, by address.
    pub keyless: Limiter<IpAddr>,
    pub cursors: Cursors,
    pub follower: Follower,
    pub entries: Arc<Entries>,
    pub journal: Journal,
    pub backlog: Arc<AtomicU64>,
    pub metrics: Metrics,
    /// Caption and table of each class that is served.
    pub classes: Vec<(String, String)>,
    pub page_time: Duration,
}

impl Server {
    pub async fn answer<B: Body>(&self, door: Door, peer: SocketAddr, request: Request<B>) -> Answer {
        let request_id = random_hex::<16>().unwrap_or_else(|_| "0".repeat(32));
        let answered = match request.uri().path() {
            _ if !names_host(&request) => Err(Refusal::host()),
            "/metrics" | "/healthz" if request.method() != Method::GET => Err(Refusal::method()),
            "/healthz" => self.health().await,
            "/metrics" => self.numbers(door, peer, request.headers()).await,
            ENTRIES_PATH | "/openapi.json" if door == Door::Log && request.method() != Method::GET => {
                Err(Refusal::method())
            }
            ENTRIES_PATH if door == Door::Log => self.entries(peer, &request, &request_id).await,
            "/openapi.json" if door == Door::Log => Ok(answer(JSON, OPENAPI)),
            _ => Err(Refusal::path()),
        };
        let mut answer = answered.unwrap_or_else(|refusal| self.refuse(&refusal, &request_id));
        if !request.body().is_end_stream() {
            // The rest of what a client sends is not read.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        set(answer.headers_mut(), "x-request-id", &request_id);
        self.metrics.answered(answer.status().as_u16());
        answer
    }

    async fn health(&self) -> Result<Answer, Refusal> {
        self.follower.view().await.map_err(|error| unavailable(&error))?;
        Ok(answer("text/plain; charset=utf-8", "ok\n"))
    }

    async fn numbers(&self, door: Door, peer: SocketAddr, headers: &HeaderMap) -> Result<Answer, Refusal> {
        if door == Door::Log {
            let key = self.key(headers).map_err(|refusal| self.without_key(peer, refusal))?;
            if !key.may(METRICS_PERMISSION) {
                return Err(Refusal::permission(METRICS_PERMISSION));
            }
        }
        let view = self.follower.view().await.map_err(|error| unavailable(&error))?;
        let backlog = self.backlog.load(Ordering::Relaxed);
        let text = self.metrics.render(&self.entries.cache_figures(), backlog, view.sequence);
        Ok(answer("text/plain; version=0.0.4; charset=utf-8", text))
    }

    async fn entries<B: Body>(
        &self,
        peer: SocketAddr,
        request: &Request<B>,
        request_id: &str,
    ) -> Result<Answer, Refusal> {
        let begun = Instant::now();
        if !request.body().is_end_stream() {
            return Err(Refusal::body());
        }
        let mut reading = blank(request_id.to_string(), peer, self.clock.now_ms(), ENTRIES_PATH);
        reading.query = request.uri().query().map(str::to_string);
        reading.asked = Asked::new(request.uri().query().unwrap_or_default());
        reading.user_agent = request.headers().get(header::USER_AGENT).map(said);
        if let Some(forwarded) = request.headers().get("x-forwarded-for").map(said) {
            reading.forwarded_for = forwarded.split(',').map(|address| address.trim().to_string()).collect();
        }
        let left = match self.admit(request.headers(), &mut reading) {
            Ok(left) => left,
            Err(refusal) => {
                let refusal = self.without_key(peer, refusal);
                note(&mut reading, &refusal, begun);
                // Our own trouble is not an attempt of the client.
                if !refusal.status.is_server_error() {
                    self.journal.refused(reading).await;
                }
                return Err(refusal);
            }
        };
        let made = match tokio::time::timeout(self.page_time, self.page(&mut reading)).await {
            Ok(made) => made,
            Err(_) => Err(unavailable(&Error::new(Kind::Unavailable, "a page took too long"))),
        };
        match &made {
            Ok(_) => reading.status = StatusCode::OK.as_u16(),
            Err(refusal) => note(&mut reading, refusal, begun),
        }
        reading.duration_ms = begun.elapsed().as_millis() as i64;
        let entries = reading.entries;
        // The log line is on the disk before the first byte goes out; a read that cannot be logged does not happen.
        self.journal.record(reading).await.map_err(|error| unavailable(&error))?;
        let mut answer = answer(JSON, made?);
        if let Some(left) = left {
            set(answer.headers_mut(), "x-ratelimit-limit", &self.limiter.per_minute().to_string());
            set(answer.headers_mut(), "x-ratelimit-remaining", &left.to_string());
        }
        self.metrics.served(entries, begun.elapsed());
        Ok(answer)
    }

    /// Checks key, permission, tier and rate. Returns how many of the user's requests are left in this minute.
    fn admit(&self, headers: &HeaderMap, reading: &mut Reading) -> Result<Option<usize>, Refusal> {
        let key = self.key(headers)?;
        reading.set_key(&key);
        if !key.may(PERMISSION) {
            return Err(Refusal::permission(PERMISSION));
        }
        if self.tier != TIER {
            return Err(Refusal::tier(TIER));
        }
        let now_ms = self.started.elapsed().as_millis() as u64;
        let per_minute = self.limiter.per_minute();
        self.limiter.take(&key.user, now_ms).map_err(|wait_ms| Refusal::rate(per_minute, wait_ms))
    }

    /// Refuses a request without a valid key from an address that has sent too many of them. One with a valid key is
    /// served anyway: others may share the address.
    fn without_key(&self, peer: SocketAddr, refusal: Refusal) -> Refusal {
        if refusal.status != StatusCode::UNAUTHORIZED {
            return refusal;
        }
        let now_ms = self.started.elapsed().as_millis() as u64;
        match self.keyless.take(&client_of(peer.ip()), now_ms) {
            Ok(_) => refusal,
            Err(wait_ms) => Refusal::keyless(self.keyless.per_minute(), wait_ms),
        }
    }

    fn key(&self, headers: &HeaderMap) -> Result<KeyRecord, Refusal> {
        let mut presented = headers.get_all(KEY_HEADER).iter();
        let Some(key) = presented.next() else { return Err(Refusal::missing_key()) };
        // Of two keys, neither counts.
        let bytes = if presented.next().is_none() { key.as_bytes() } else { b"" };
        let known = self.keyring.identify(bytes, self.clock.now_ms()).map_err(|error| unavailable(&error))?;
        known.ok_or_else(Refusal::invalid_key)
    }

    async fn page(&self, reading: &mut Reading) -> Result<Vec<u8>, Refusal> {
        let captions: Vec<&str> = self.classes.iter().map(|(caption, _)| caption.as_str()).collect();
        let query = read(&reading.asked, &captions).map_err(Refusal::parameters)?;
        let position = match &query.cursor {
            None => None,
            Some(cursor) => Some(self.cursors.open(cursor, &query.filters).ok_or_else(Refusal::cursor)?),
        };
        let class = query.filters.class_name.as_deref();
        let table = self.classes.iter().find(|(caption, _)| Some(caption.as_str()) == class);
        let search = Search {
            filters: &query.filters,
            table: table.map(|(_, table)| table.as_str()),
            limit: query.limit,
            from: position,
        };
        let page = match self.read(&search, reading).await {
            // Maintenance may have moved a file's rows into another one since; then the newest state has them.
            Err(error) if error.kind() == Kind::Unavailable => self.read(&search, reading).await,
            page => page,
        };
        let page = page.map_err(|error| match error.kind() {
            Kind::Internal | Kind::Integrity => {
                tracing::error!(%error, "cannot serve a page");
                Refusal::internal()
            }
            _ => unavailable(&error),
        })?;
        reading.entries = page.count;
        reading.has_more = page.next.is_some();
        (reading.newest_ms, reading.oldest_ms) = (page.newest_ms, page.oldest_ms);
        Ok(self.body(&page, &query))
    }

    async fn read(&self, search: &Search<'_>, reading: &mut Reading) -> Result<Page> {
        let view = self.follower.view().await?;
        reading.ledger_entry = view.sequence;
        self.entries.page(&view, search).await
    }

    fn body(&self, page: &Page, query: &Query) -> Vec<u8> {
        let mut body = Vec::with_capacity(page.json.len() + 256);
        body.extend_from_slice(b"{\"entries\":[");
        body.extend_from_slice(&page.json);
        let end = match &page.next {
            // Digits only, so nothing to escape.
            Some(next) => {
                format!("],\"has_more\":true,\"next_cursor\":\"{}\"}}", self.cursors.seal(next, &query.filters))
            }
            None => "],\"has_more\":false,\"next_cursor\":null}".to_string(),
        };
        body.extend_from_slice(end.as_bytes());
        body
    }

    fn refuse(&self, refusal: &Refusal, request_id: &str) -> Answer {
        let mut answer = answer(JSON, refusal.to_json(request_id).to_string());
        *answer.status_mut() = refusal.status;
        let headers = answer.headers_mut();
        if let Some(seconds) = refusal.retry_after {
            set(headers, "retry-after", &seconds.to_string());
            if refusal.status == StatusCode::TOO_MANY_REQUESTS {
                // Rounded up: at that second the next request is allowed.
                let reset = self.clock.now_ms().div_euclid(1000) + 1 + seconds as i64;
                set(headers, "x-ratelimit-reset", &reset.to_string());
                set(headers, "x-ratelimit-limit", &self.limiter.per_minute().to_string());
                set(headers, "x-ratelimit-remaining", "0");
            }
        }
        if let Some(allow) = refusal.allow {
            set(headers, "allow", allow);
        }
        answer
    }
}

fn names_host<B>(request: &Request<B>) -> bool {
    request.version() != Version::HTTP_11 || request.headers().get_all(header::HOST).iter().count() == 1
}

fn note(reading: &mut Reading, refusal: &Refusal, begun: Instant) {
    reading.status = refusal.status.as_u16();
    reading.code = Some(refusal.code);
    reading.duration_ms = begun.elapsed().as_millis() as i64;
}

fn unavailable(error: &Error) -> Refusal {
    tracing::error!(%error, "cannot answer a request");
    Refusal::unavailable()
}

/// Returns the part of a client's header that is logged.
fn said(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(SAID_BYTES)]).into_owned()
}

fn answer(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Sets a header to digits or words of ours.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
