//! One page, however many requests it takes: within the budget, with patience, and not forever.

use std::time::Duration;

use super::{Event, Shared};
use crate::error::{Error, Kind, Result};
use crate::lake::hash;
use crate::redact::Counts;
use crate::source::{Budget, Client, Failure, Gate, Page, PageRequest, Refusal};
use crate::typed::visible;

/// Waits double from one second up to this.
const LONGEST_STEP: Duration = Duration::from_secs(60);
/// At most this many characters of an answer's body are shown.
const SHOWN: usize = 800;

/// A server, and when it may be asked.
#[derive(Debug)]
pub(super) struct Live {
    pub client: Client,
    pub budget: Budget,
    /// Requests made since the count was last taken.
    pub requests: u64,
    pub waited: Duration,
}

/// The result of a request for a page.
pub(super) enum Fetched {
    Page(Page),
    /// The server does not accept the cursor (any more); with its answer.
    CursorRefused(String),
    Stopped,
}

/// Trouble that ends a walk: the state in the account, and the error for the user.
#[derive(Debug)]
pub(super) struct Trouble {
    pub state: &'static str,
    pub error: Error,
}

/// The decision about a failure.
enum Verdict {
    Again { why: String, told: Option<Duration>, is_rate_limit: bool },
    CursorRefused(String),
    End(Trouble),
}

impl Live {
    /// Asks for a page until it comes, the patience ends, or the run is told to stop.
    pub async fn page(&mut self, shared: &Shared, source: &str, request: &PageRequest) -> Result<Fetched, Trouble> {
        let clock = shared.clock;
        let mut since_ms = None;
        let mut attempt = 0_u32;
        loop {
            if !self.wait_for_turn(shared).await.map_err(|error| Trouble { state: "unavailable", error })? {
                return Ok(Fetched::Stopped);
            }
            self.requests += 1;
            let began_ms = clock.now_ms();
            let failure = match self.client.page(request).await {
                Ok(page) => return Ok(Fetched::Page(page)),
                Err(failure) => failure,
            };
            let (why, told, is_rate_limit) = match self.judge(shared, source, request, failure) {
                Verdict::Again { why, told, is_rate_limit } => (why, told, is_rate_limit),
                Verdict::CursorRefused(why) => return Ok(Fetched::CursorRefused(why)),
                Verdict::End(trouble) => return Err(trouble),
            };
            let now_ms = clock.now_ms();
            let spent = Duration::from_millis(now_ms.abs_diff(*since_ms.get_or_insert(began_ms)));
            let wait = step(attempt, told, jitter(shared.options.jitter_seed, now_ms, attempt));
            attempt += 1;
            if spent + wait > shared.options.max_wait {
                return Err(gave_up(source, &why, attempt, spent, told));
            }
            (shared.tell)(&Event::Waiting { source, wait, why: &why });
            if is_rate_limit {
                // The pause applies to everybody who shares the user.
                self.budget.rest(now_ms, wait).map_err(|error| Trouble { state: "unavailable", error })?;
            }
            self.waited += wait;
            if !pause(shared, wait).await {
                return Ok(Fetched::Stopped);
            }
        }
    }

    /// Waits for the next free moment of the user's budget; returns false when the run is told to stop.
    async fn wait_for_turn(&mut self, shared: &Shared) -> Result<bool> {
        if shared.stop.is_set() {
            return Ok(false);
        }
        let wait = self.budget.take(shared.clock.now_ms())?;
        Ok(wait.is_zero() || pause(shared, wait).await)
    }

    fn judge(&self, shared: &Shared, source: &str, request: &PageRequest, failure: Failure) -> Verdict {
        match failure {
            Failure::Broken(why) => Verdict::Again { why, told: None, is_rate_limit: false },
            Failure::Final(error) => {
                let hint = error.hint_text().unwrap_or_default().to_string();
                let error = Error::new(error.kind(), format!("source `{source}`: {error}")).hint(hint);
                Verdict::End(Trouble { state: "refused", error })
            }
            Failure::Refused(refusal) if request.cursor.is_some() && refusal.may_mean_cursor() => {
                Verdict::CursorRefused(format!("{} {}", refusal.status, shown(shared, &refusal.body)))
            }
            Failure::Refused(refusal) if refusal.is_passing() => {
                let is_rate_limit = refusal.is_rate_limit();
                let what = if is_rate_limit { " (more requests than it allows)" } else { "" };
                let why = format!("the server answered {}{what}", refusal.status);
                Verdict::Again { why, told: refusal.wait, is_rate_limit }
            }
            Failure::Refused(refusal) => Verdict::End(refused(shared, source, &refusal)),
        }
    }
}

/// Waits, unless the run is told to stop; returns true when the time is over.
pub(super) async fn pause(shared: &Shared, wait: Duration) -> bool {
    tokio::select! {
        biased;
        () = shared.stop.wait() => false,
        () = shared.clock.sleep(wait) => !shared.stop.is_set(),
    }
}

/// Returns the next wait: what the server asks for and up to a tenth more, else twice the wait before, give or take a
/// quarter.
fn step(attempt: u32, told: Option<Duration>, jitter: f64) -> Duration {
    match told {
        Some(told) => told.mul_f64(1.0 + 0.1 * jitter),
        None => {
            let step = Duration::from_secs(1_u64 << attempt.min(16)).min(LONGEST_STEP);
            step.mul_f64(0.75 + 0.5 * jitter)
        }
    }
}

/// Returns a number from 0 to 1; processes that failed together do not come back together.
fn jitter(seed: u64, now_ms: i64, attempt: u32) -> f64 {
    let text = [now_ms.to_le_bytes(), i64::from(attempt).to_le_bytes()].concat();
    (hash(seed, &text) >> 11) as f64 / (1_u64 << 53) as f64
}

fn gave_up(source: &str, why: &str, attempts: u32, spent: Duration, told: Option<Duration>) -> Trouble {
    let spent = spent.as_secs();
    let text = match told {
        Some(told) => format!("source `{source}`: {why} and asks to wait {} s, which is too long", told.as_secs()),
        None => format!("source `{source}`: gave up after {attempts} attempts in {spent} s: {why}"),
    };
    let hint = "nothing is lost: the same command continues from here; `[pull] max_wait` allows more patience";
    Trouble { state: "unavailable", error: Error::new(Kind::Unavailable, text).hint(hint) }
}

/// Describes a refusal that no waiting mends.
fn refused(shared: &Shared, source: &str, refusal: &Refusal) -> Trouble {
    let (status, body) = (refusal.status, shown(shared, &refusal.body));
    let said = if body.is_empty() { String::new() } else { format!(": {body}") };
    let unavailable = |text: String| Error::new(Kind::Unavailable, format!("source `{source}`: {text}"));
    if refusal.is_redirect() {
        let to = shown(shared, refusal.location.as_deref().unwrap_or("nowhere").as_bytes());
        let error = unavailable(format!("the server answered {status} and points to {to}")).hint(
            "redirects are not followed, because the key would be sent along; if that address is right, set `base_url`",
        );
        return Trouble { state: "refused", error };
    }
    if !matches!(status, 401 | 403) {
        let error = Error::input(format!("source `{source}`: the server answered {status}{said}"));
        return Trouble { state: "refused", error };
    }
    let error = match refusal.gate() {
        Gate::Key => unavailable(format!("the server does not know the key ({status}){said}"))
            .hint("check where `key` of this source points, and whether the key was revoked"),
        Gate::Permission => unavailable(format!("the key lacks the permission `audit_log_read` ({status}){said}"))
            .hint("grant it to the key's user or service account; the workspace's tier is sufficient"),
        Gate::Tier => unavailable(format!("the workspace's tier has no audit log ({status}){said}"))
            .hint("the audit log needs the Enterprise tier; the key and its permission are sufficient"),
        Gate::Unknown => unavailable(format!("the server refuses access ({status}){said}")).hint(
            "the answer does not say which gate is shut: the Enterprise tier, or the permission `audit_log_read`",
        ),
    };
    Trouble { state: "denied", error }
}

/// Returns a server's words as they may be shown: redacted, on one line, not too long.
fn shown(shared: &Shared, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = shared.worker.policy.text(&text, &mut Counts::default()).unwrap_or_else(|| text.into_owned());
    let text = text.trim();
    let mut escaped = String::new();
    visible(&text.chars().take(SHOWN).collect::<String>(), &mut escaped);
    if text.chars().count() > SHOWN {
        escaped.push_str("...");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let seconds: Vec<f64> = (0..9).map(|attempt| step(attempt, None, 0.5).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
        assert_eq!(step(40, None, 0.0).as_secs(), 45);
        assert_eq!(step(3, Some(Duration::from_secs(10)), 1.0).as_secs(), 11);
        let jitters: Vec<f64> = (0..100).map(|attempt| jitter(7, 1_767_225_600_000, attempt)).collect();
        assert!(jitters.iter().all(|jitter| (0.0..1.0).contains(jitter)));
        assert!(jitters.iter().any(|jitter| *jitter < 0.2) && jitters.iter().any(|jitter| *jitter > 0.8));
    }
}
