//! Runs jobs that are due, each once and in order.

use serde_json::Value;

use super::calendar::Calendar;
use super::log::{Body, Entry, Log};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// A recurring job.
#[derive(Debug, Clone)]
pub struct Job {
    pub name: String,
    pub calendar: Calendar,
    /// Times up to this one were never due; without it a new job begins with its last time before now.
    pub since_ms: Option<i64>,
    /// Whether a command runs afterwards.
    pub has_afterwards: bool,
}

/// The result of one time at which a job was due.
#[derive(Debug)]
pub enum Acted {
    Done(Value),
    /// Not yet; this time and later ones stay due.
    Waiting(String),
}

/// An event of `run_due`.
#[derive(Debug)]
pub enum Told<'a> {
    Begins { job: &'a Job, due_ms: i64 },
    Done { job: &'a Job, entry: &'a Entry },
    Waiting { job: &'a Job, reason: &'a str },
    Failed { job: &'a Job, error: &'a Error },
    AfterwardsFailed { job: &'a Job, error: &'a Error },
}

impl Job {
    /// Returns the times at which the job is due, the oldest first.
    pub fn due(&self, log: &Log, now_ms: i64) -> Vec<i64> {
        let after = match (log.last_done(&self.name), self.since_ms) {
            (Some(done), _) => done,
            (None, Some(since)) => since,
            // Times before the job existed are not missed.
            (None, None) => return self.calendar.last(now_ms).into_iter().collect(),
        };
        let mut due = Vec::new();
        let mut time = after;
        while let Some(next) = self.calendar.next(time).filter(|next| *next <= now_ms) {
            due.push(next);
            time = next;
        }
        due
    }
}

/// Runs the jobs that are due. A job that waits or fails keeps its later times due; other jobs continue.
///
/// The follow-up command runs at least once for each entry: a stop between its end and our note of it repeats it.
/// Returns the first error; it has already been reported and logged.
pub fn run_due(
    jobs: &[Job],
    log: &mut Log,
    clock: &Clock,
    act: &mut dyn FnMut(&Job, i64) -> Result<Acted>,
    afterwards: &mut dyn FnMut(&Job, &Value) -> Result<()>,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Option<Error>> {
    let mut first = None;
    for job in jobs {
        end(job, log, clock, afterwards, tell, &mut first)?;
        for due_ms in job.due(log, clock.now_ms()) {
            tell(Told::Begins { job, due_ms });
            match act(job, due_ms) {
                Ok(Acted::Done(summary)) => {
                    let body = Body::Done { job: job.name.clone(), due_ms, summary };
                    let entry = log.append(clock.now_ms(), body)?;
                    tell(Told::Done { job, entry });
                    end(job, log, clock, afterwards, tell, &mut first)?;
                }
                Ok(Acted::Waiting(reason)) => {
                    tell(Told::Waiting { job, reason: &reason });
                    break;
                }
                Err(error) => {
                    tell(Told::Failed { job, error: &error });
                    let body = Body::Failed { job: job.name.clone(), due_ms, reason: error.to_string() };
                    log.append(clock.now_ms(), body)?;
                    first.get_or_insert(error);
                    break;
                }
            }
        }
    }
    Ok(first)
}

/// Runs the follow-up commands that have not run after completed entries.
fn end(
    job: &Job,
    log: &mut Log,
    clock: &Clock,
    afterwards: &mut dyn FnMut(&Job, &Value) -> Result<()>,
    tell: &mut dyn FnMut(Told<'_>),
    first: &mut Option<Error>,
) -> Result<()> {
    if !job.has_afterwards {
        return Ok(());
    }
    for of in log.open_ends(&job.name) {
        let Some(Body::Done { summary, .. }) = log.entries().get(of as usize - 1).map(|entry| entry.body.clone())
        else {
            continue;
        };
        let ended = afterwards(job, &summary);
        let (is_fine, detail) = match &ended {
            Ok(()) => (true, String::new()),
            Err(error) => (false, error.to_string()),
        };
        log.append(clock.now_ms(), Body::Afterwards { of, is_fine, detail })?;
        if let Err(error) = ended {
            tell(Told::AfterwardsFailed { job, error: &error });
            first.get_or_insert(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::error::Kind;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    fn job(since: Option<&str>, has_afterwards: bool) -> Job {
        let calendar = Calendar::parse("0 6 1 * *", chrono_tz::Tz::UTC).unwrap();
        Job { name: "monthly".to_string(), calendar, since_ms: since.map(ms), has_afterwards }
    }

    /// Runs the jobs that are due at `now`; `act` decides the result of each month.
    fn run(log: &mut Log, job: &Job, now: &str, act: &mut dyn FnMut(i64) -> Result<Acted>) -> Vec<String> {
        let clock = Clock::Fixed(now.parse().unwrap());
        let mut told = Vec::new();
        let month = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap().format("%b").to_string();
        run_due(
            std::slice::from_ref(job),
            log,
            &clock,
            &mut |_, due_ms| act(due_ms),
            &mut |_, _| Ok(()),
            &mut |what| {
                told.push(match what {
                    Told::Begins { due_ms, .. } => month(due_ms),
                    Told::Done { .. } => "done".to_string(),
                    Told::Waiting { .. } => "waiting".to_string(),
                    Told::Failed { .. } => "failed".to_string(),
                    Told::AfterwardsFailed { .. } => "afterwards failed".to_string(),
                });
            },
        )
        .unwrap();
        told
    }

    #[test]
    fn missed_times_are_caught_up_in_order_and_each_is_done_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(&dir.path().join("r"), str::to_owned).unwrap();
        let mut done = |_| Ok(Acted::Done(json!({})));
        // A new job runs for its last time only.
        assert_eq!(run(&mut log, &job(None, false), "2026-03-15T00:00:00Z", &mut done), ["Mar", "done"]);
        assert!(run(&mut log, &job(None, false), "2026-03-31T00:00:00Z", &mut done).is_empty());
        let told = run(&mut log, &job(None, false), "2026-06-01T06:00:00Z", &mut done);
        assert_eq!(told, ["Apr", "done", "May", "done", "Jun", "done"]);
        assert!(run(&mut log, &job(None, false), "2026-06-30T00:00:00Z", &mut done).is_empty());
    }

    #[test]
    fn what_waits_or_fails_stays_due_and_holds_up_what_follows() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(&dir.path().join("r"), str::to_owned).unwrap();
        let job = job(Some("2026-01-01T07:00:00Z"), false);
        let now = "2026-04-02T00:00:00Z";
        let march = ms("2026-03-01T06:00:00Z");
        let mut fails = |due_ms| {
            if due_ms == march { Err(Error::new(Kind::Unavailable, "disk full")) } else { Ok(Acted::Done(json!({}))) }
        };
        assert_eq!(run(&mut log, &job, now, &mut fails), ["Feb", "done", "Mar", "failed"]);
        assert!(matches!(&log.entries()[1].body, Body::Failed { reason, .. } if reason == "disk full"));
        let mut waits = |_| Ok(Acted::Waiting("coverage".to_string()));
        assert_eq!(run(&mut log, &job, now, &mut waits), ["Mar", "waiting"]);
        let mut done = |_| Ok(Acted::Done(json!({})));
        assert_eq!(run(&mut log, &job, now, &mut done), ["Mar", "done", "Apr", "done"]);
    }

    #[test]
    fn what_runs_afterwards_is_tried_until_it_was_fine() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(&dir.path().join("r"), str::to_owned).unwrap();
        let jobs = [job(None, true)];
        let clock = Clock::Fixed("2026-03-15T00:00:00Z".parse().unwrap());
        let mut calls = Vec::new();
        for is_fine in [false, true, true] {
            let error = run_due(
                &jobs,
                &mut log,
                &clock,
                &mut |_, _| Ok(Acted::Done(json!({ "n": 7 }))),
                &mut |_, summary| {
                    calls.push(summary["n"].as_i64());
                    if is_fine { Ok(()) } else { Err(Error::new(Kind::Unavailable, "no mail")) }
                },
                &mut |_| {},
            );
            assert_eq!(error.unwrap().is_none(), is_fine);
        }
        assert_eq!(calls, [Some(7), Some(7)]);
    }
}
