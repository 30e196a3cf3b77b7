//! Which times an audit event may have, and what another one looks like.
//!
//! OCSF counts milliseconds since 1970. Producers that count in another unit give times that are far away: what cannot
//! be the time of an event is not taken in silently, since one such row moves what every question over time is about.

use super::reject::{BAD_TIME, Reject};

/// In seconds, times stay below this for 3,000 years; in milliseconds they have been above since 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// 9999-12-31T23:59:59.999Z.
const END_OF_CALENDARS_MS: i64 = 253_402_300_799_999;

/// Which times events may have.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Milliseconds since 1970; a later time is odd, and so is one before 1970.
    pub latest_ms: i64,
    /// Events with odd times are stored as they were sent, and are not rejects.
    pub keeps_odd: bool,
}

impl Default for Times {
    fn default() -> Self {
        Times { latest_ms: END_OF_CALENDARS_MS, keeps_odd: false }
    }
}

/// A doubt about a time that is stored, to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    /// It looks like seconds.
    Seconds,
    Odd,
}

/// How many times were in doubt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doubts {
    pub(super) seconds: u64,
    pub(super) odd: u64,
}

impl Doubts {
    #[inline]
    pub(super) fn add(&mut self, doubt: Doubt) {
        match doubt {
            Doubt::None => {}
            Doubt::Seconds => self.seconds += 1,
            Doubt::Odd => self.odd += 1,
        }
    }
}

impl Times {
    /// Judges a time: the doubt to report, or the reject when it cannot or must not be stored.
    #[inline]
    pub(super) fn judge(self, time_ms: i64) -> Result<Doubt, Reject> {
        if (0..=self.latest_ms).contains(&time_ms) {
            return Ok(if time_ms < SECONDS_BELOW { Doubt::Seconds } else { Doubt::None });
        }
        // Columns hold microseconds.
        if self.keeps_odd && time_ms.checked_mul(1000).is_some() {
            return Ok(Doubt::Odd);
        }
        Err(Reject::new(BAD_TIME, self.why(time_ms)))
    }

    /// Why a time is odd, and what its digits fit.
    fn why(self, time_ms: i64) -> &'static str {
        let fits = |divisor: i64| (SECONDS_BELOW..=self.latest_ms).contains(&(time_ms / divisor));
        if time_ms < 0 {
            "`time` is before 1970"
        } else if fits(1000) {
            "`time` is too far ahead for milliseconds: microseconds?"
        } else if fits(1_000_000) {
            "`time` is too far ahead for milliseconds: nanoseconds?"
        } else {
            "`time` is more than a year ahead of the clock"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YEAR: i64 = 1_767_225_600;

    #[test]
    fn units_are_told_apart() {
        let times = Times { latest_ms: (NEW_YEAR + 366 * 86_400) * 1000, keeps_odd: false };
        let kept = Times { keeps_odd: true, ..times };
        let why = |time| times.judge(time).unwrap_err().detail;
        assert_eq!(times.judge(NEW_YEAR * 1000), Ok(Doubt::None));
        assert_eq!(times.judge(NEW_YEAR), Ok(Doubt::Seconds));
        assert_eq!(times.judge(0), Ok(Doubt::Seconds));
        assert_eq!(times.judge(times.latest_ms), Ok(Doubt::None));
        assert!(why(NEW_YEAR * 1_000_000).contains("microseconds?"));
        assert!(why(NEW_YEAR * 1_000_000_000).contains("nanoseconds?"));
        assert!(why(times.latest_ms + 1).contains("a year ahead"));
        assert!(why(-1).contains("before 1970"));
        assert!(why(i64::MIN).contains("before 1970") && why(i64::MAX).contains("a year ahead"));
        for odd in [-1, NEW_YEAR * 1_000_000, times.latest_ms + 1] {
            assert_eq!(kept.judge(odd), Ok(Doubt::Odd), "{odd}");
        }
        // No column can hold these.
        assert!(kept.judge(NEW_YEAR * 1_000_000_000).is_err() && kept.judge(i64::MIN).is_err());
    }
}
