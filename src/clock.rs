//! The time: real, or fixed for tests and for runs that must repeat.
//!
//! Nothing else in the library asks the operating system for the time of day. Waits that a test must not sit through
//! go through it too.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the time in UTC, to the millisecond (OCSF's resolution).
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    #[default]
    Real,
    Fixed(DateTime<Utc>),
    /// Milliseconds since the epoch. The clock stands still until somebody waits, or moves it from outside: waiting
    /// takes no time, and is the only time that passes.
    Stepped(&'static AtomicI64),
}

impl Clock {
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::Real => Utc::now().trunc_subsecs(3),
            Clock::Fixed(at) => *at,
            // Nobody steps outside of chrono's calendar.
            Clock::Stepped(ms) => DateTime::from_timestamp_millis(ms.load(Ordering::SeqCst)).unwrap_or_default(),
        }
    }

    pub fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }

    /// Waits; under a clock that is still it returns at once.
    pub async fn sleep(&self, duration: Duration) {
        match self {
            Clock::Real => tokio::time::sleep(duration).await,
            Clock::Fixed(_) => {}
            Clock::Stepped(ms) => {
                let step = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
                ms.fetch_add(step, Ordering::SeqCst);
                // Others that wait on the same clock get their turn.
                tokio::task::yield_now().await;
            }
        }
    }
}
