//! The time: real, or fixed for tests and for runs that must repeat.
//!
//! Nothing else in the library asks the operating system for the time of day.

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the time in UTC, to the millisecond (OCSF's resolution).
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    #[default]
    Real,
    Fixed(DateTime<Utc>),
}

impl Clock {
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Clock::Real => Utc::now().trunc_subsecs(3),
            Clock::Fixed(at) => *at,
        }
    }

    pub fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }
}
