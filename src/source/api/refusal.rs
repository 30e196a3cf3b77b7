//! An answer that is not 200: whether it passes, how long to wait, and which gate was shut.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

/// A number in `X-RateLimit-Reset` below this is not a time of day: some servers send seconds to wait, and which of the
/// two is meant is not documented for this one.
const FIRST_PLAUSIBLE_RESET: i64 = 1_000_000_000;

/// The answer of a server that did not send a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// The first bytes of the body, scrubbed of the key, not redacted.
    pub body: Vec<u8>,
    /// How long the server asks to wait.
    pub wait: Option<Duration>,
    /// Where a redirect would have led, scrubbed of the key.
    pub location: Option<String>,
}

/// A gate between a key and the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// No key, or one that is not known.
    Key,
    /// The key's user or service account lacks `audit_log_read`.
    Permission,
    /// The workspace's tier does not have the audit log.
    Tier,
    /// The answer does not tell.
    Unknown,
}

impl Refusal {
    pub(super) fn new(status: u16, headers: &HeaderMap, body: Vec<u8>, now_ms: i64) -> Refusal {
        let location = headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Refusal { status, body, wait: wait(headers, now_ms), location }
    }

    /// Whether the same request may be answered later.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 409 | 425 | 429 | 500..=599)
    }

    pub fn is_rate_limit(&self) -> bool {
        self.status == 429
    }

    pub fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// Whether it may be the cursor that was refused, and not the request.
    pub fn may_mean_cursor(&self) -> bool {
        matches!(self.status, 400 | 404 | 410 | 422)
    }

    /// Which gate was shut. Both gates, and the key before them, may answer 401 as well as 403: older answers of this
    /// API do, so the body's words decide before the number.
    pub fn gate(&self) -> Gate {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let word = |name: &str| body["detail"][name].as_str().unwrap_or_default();
        // From the most particular to the least; `type` names a whole family.
        for word in [word("code"), word("status"), word("type")] {
            match word {
                "missing_api_key" | "invalid_api_key" | "authentication_error" => return Gate::Key,
                "insufficient_permissions" | "missing_permissions" => return Gate::Permission,
                "feature_not_available" | "subscription_required" => return Gate::Tier,
                _ => {}
            }
        }
        if self.status == 401 { Gate::Key } else { Gate::Unknown }
    }
}

/// `Retry-After` in seconds or as a date, else `X-RateLimit-Reset`. What is not in the future is no answer.
fn wait(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().ok().map(|text| text.trim().to_string());
    let header = |name: &str| headers.get(name).and_then(text);
    // The server's times are by its own clock, and so is the difference.
    let there_ms = header(DATE.as_str()).and_then(|date| date_of(&date)).unwrap_or(now_ms);
    let until = |time_ms: i64| u64::try_from(time_ms.saturating_sub(there_ms)).ok().map(Duration::from_millis);
    let after = header(RETRY_AFTER.as_str()).and_then(|text| match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => until(date_of(&text)?),
    });
    let reset = || {
        let seconds = header("x-ratelimit-reset")?.parse::<i64>().ok()?;
        if seconds < FIRST_PLAUSIBLE_RESET {
            u64::try_from(seconds).ok().map(Duration::from_secs)
        } else {
            until(seconds.checked_mul(1000)?)
        }
    };
    after.filter(|wait| !wait.is_zero()).or_else(|| reset().filter(|wait| !wait.is_zero()))
}

/// An HTTP date, `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn date_of(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal { status, body: body.as_bytes().to_vec(), ..Refusal::default() }
    }

    #[test]
    fn the_gate_is_told_by_the_bodys_words() {
        for (status, body, gate) in [
            (401, r#"{"detail":{"type":"authentication_error","code":"invalid_api_key"}}"#, Gate::Key),
            (401, r#"{"detail":{"status":"missing_permissions","message":"x"}}"#, Gate::Permission),
            (403, r#"{"detail":{"type":"authorization_error","code":"insufficient_permissions"}}"#, Gate::Permission),
            (403, r#"{"detail":{"type":"authorization_error","code":"feature_not_available"}}"#, Gate::Tier),
            (403, r#"{"detail":{"code":"subscription_required"}}"#, Gate::Tier),
            (401, "<html>", Gate::Key),
            (403, "{}", Gate::Unknown),
            (403, r#"{"detail":"no"}"#, Gate::Unknown),
        ] {
            assert_eq!(refusal(status, body).gate(), gate, "{status} {body}");
        }
    }

    #[test]
    fn waits_are_told_in_three_ways() {
        let seconds = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            wait(&headers, 1_767_225_600_000).map(|wait| wait.as_secs())
        };
        assert_eq!(seconds(&[("retry-after", "7")]), Some(7));
        assert_eq!(seconds(&[("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT")]), Some(30));
        // The server's clock is ten minutes ahead.
        let ahead = ("date", "Thu, 01 Jan 2026 00:10:00 GMT");
        assert_eq!(seconds(&[("retry-after", "Thu, 01 Jan 2026 00:10:05 GMT"), ahead]), Some(5));
        assert_eq!(seconds(&[("x-ratelimit-reset", "1767225611")]), Some(11));
        assert_eq!(seconds(&[("x-ratelimit-reset", "12")]), Some(12));
        assert_eq!(seconds(&[("retry-after", "0"), ("x-ratelimit-reset", "1767225609")]), Some(9));
        for nothing in ["0", "-5", "1.5", "soon", "Thu, 01 Jan 2020 00:00:00 GMT"] {
            assert_eq!(seconds(&[("retry-after", nothing)]), None, "{nothing}");
        }
        assert_eq!(seconds(&[("x-ratelimit-reset", "1700000000")]), None);
    }
}
