//! One request for one page: bounded in time and size, to one host only.
//!
//! Redirects are not followed, since the key's header would travel; a proxy is not asked for this machine. Compressed
//! answers are asked for and taken apart here, so that a bomb is found while it grows.

use std::error::Error as _;
use std::io::Read;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, DATE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};

use super::refusal::date_of;
use super::{Endpoint, Key, Page, PageRequest, Refusal};
use crate::clock::Clock;
use crate::error::{Context, Error, Kind, Result};

const KEY_HEADER: &str = "xi-api-key";
const AGENT: &str = concat!("auditlake/", env!("CARGO_PKG_VERSION"));
/// The most bytes of an answer that is not a page that are kept to be shown.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// Bounds of one request.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connect: Duration,
    /// Between two reads.
    pub read: Duration,
    /// From the request to the last byte.
    pub total: Duration,
    /// A larger page is an error, compressed or not.
    pub page_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(15),
            read: Duration::from_secs(60),
            total: Duration::from_secs(240),
            page_bytes: 64 << 20,
        }
    }
}

/// Why no page came.
#[derive(Debug)]
pub enum Failure {
    /// No whole answer, or one that is not a page: worth another attempt.
    Broken(String),
    /// Another status than 200.
    Refused(Refusal),
    /// Another attempt would end the same way.
    Final(Error),
}

/// Asks one endpoint with one key.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    key: Key,
    limits: Limits,
    clock: Clock,
}

impl Client {
    pub fn new(endpoint: Endpoint, key: Key, limits: Limits, clock: Clock) -> Result<Client> {
        let mut headers = HeaderMap::new();
        headers.insert(KEY_HEADER, key.header()?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let mut builder = reqwest::Client::builder()
            .user_agent(AGENT)
            .default_headers(headers)
            .redirect(Policy::none())
            .referer(false)
            // Whatever features other crates turn on, an answer comes as it was sent.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            .https_only(!endpoint.is_loopback())
            .connect_timeout(limits.connect)
            .read_timeout(limits.read)
            .timeout(limits.total);
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        if let Some(addresses) = endpoint.localhost() {
            builder = builder.resolve_to_addrs("localhost", &addresses);
        }
        let http = builder.build().context(Kind::Unavailable, || "cannot set up HTTPS")?;
        Ok(Client { http, endpoint, key, limits, clock })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Asks for a page.
    pub async fn page(&self, request: &PageRequest) -> Result<Page, Failure> {
        let began_ms = self.clock.now_ms();
        let broken = |error: reqwest::Error| Failure::Broken(self.key.scrub_text(&explain(error)));
        let mut response = self.http.get(self.endpoint.page(request)).send().await.map_err(broken)?;
        let status = response.status();
        if status != StatusCode::OK {
            let mut body = self.body(&mut response, began_ms, MAX_REFUSAL_BYTES, true).await.unwrap_or_default();
            if is_gzip(response.headers()) {
                body = gunzip_head(&body);
            }
            body.truncate(MAX_REFUSAL_BYTES);
            let body = self.key.scrub(body);
            let mut refusal = Refusal::new(status.as_u16(), response.headers(), body, self.clock.now_ms());
            refusal.location = refusal.location.map(|location| self.key.scrub_text(&location));
            return Err(Failure::Refused(refusal));
        }
        let date_ms = response.headers().get(DATE).and_then(|date| date_of(date.to_str().ok()?));
        let most = usize::try_from(self.limits.page_bytes).unwrap_or(usize::MAX);
        let body = self.body(&mut response, began_ms, most, false).await?;
        let encoding = response.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
        let body = match encoding.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => body,
            b"gzip" | b"x-gzip" => self.gunzip(&body)?,
            _ => return Err(Failure::Broken("the answer's encoding was not asked for".to_string())),
        };
        // A server that sends the key back must not make us keep it.
        let page = Page::parse(self.key.scrub(body)).map_err(Failure::Broken)?;
        Ok(Page { date_ms, ..page })
    }

    /// Reads at most `most` bytes; more is an error, or the end of what is read.
    async fn body(
        &self,
        response: &mut Response,
        began_ms: i64,
        most: usize,
        is_cut: bool,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            // The library's own limit goes by the machine's time; ours by the clock that we were given.
            let elapsed_ms = self.clock.now_ms().saturating_sub(began_ms);
            if u128::from(elapsed_ms.unsigned_abs()) > self.limits.total.as_millis() {
                return Err(Failure::Broken(format!("no whole answer within {} s", self.limits.total.as_secs())));
            }
            let Some(chunk) = chunk.map_err(|error| Failure::Broken(self.key.scrub_text(&explain(error))))? else {
                return Ok(body);
            };
            body.extend_from_slice(&chunk);
            match body.len() > most {
                true if is_cut => return Ok(body),
                true => return Err(self.too_large()),
                false => {}
            }
        }
    }

    fn gunzip(&self, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut plain = Vec::new();
        let read = MultiGzDecoder::new(bytes).take(self.limits.page_bytes + 1).read_to_end(&mut plain);
        match read {
            Err(error) => Err(Failure::Broken(format!("the answer's gzip is cut off or damaged: {error}"))),
            Ok(_) if plain.len() as u64 > self.limits.page_bytes => Err(self.too_large()),
            Ok(_) => Ok(plain),
        }
    }

    fn too_large(&self) -> Failure {
        let mib = self.limits.page_bytes >> 20;
        let error = Error::input(format!("a page has more than {mib} MiB"));
        Failure::Final(error.hint("ask for less with `[pull] page_size`, or allow more with `[pull] max_page`"))
    }
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| value.as_bytes().ends_with(b"gzip"))
}

/// As much as can be had of an answer that is only shown.
fn gunzip_head(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    // What was decoded before an error is there anyway.
    let _ = MultiGzDecoder::new(bytes).take(MAX_REFUSAL_BYTES as u64).read_to_end(&mut plain);
    plain
}

/// The library's error with its causes; the address, which has the cursor in it, left out.
fn explain(error: reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "the server took too long"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_body() || error.is_decode() {
        "the answer was cut off"
    } else {
        "the request failed"
    };
    let error = error.without_url();
    let mut text = what.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
