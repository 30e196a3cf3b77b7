//! A budget of requests per minute and user, over all sources and processes that share the user and the lake.
//!
//! Whether the server's window is fixed or slides is not documented, so requests keep a distance instead of coming in
//! bursts. The next free moment is in a small file that is locked while it is read and moved on: that costs
//! microseconds every two seconds and makes two processes one. Pulls into different lakes do not know of each other;
//! they meet at the server's 429.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::disk;
use crate::error::{Context, Kind, Result};

/// The distance is this much longer than it has to be, in thousandths: requests do not take equally long to arrive.
const SLACK: u64 = 25;

/// One user's budget.
#[derive(Debug, Clone)]
pub struct Budget {
    place: PathBuf,
    interval_ms: i64,
    /// Nobody is made to wait for longer than this by what is in the file.
    longest_ms: i64,
}

impl Budget {
    /// The budget whose next free moment is in `place`. `longest` bounds what the file can ask for.
    pub fn new(place: PathBuf, requests_per_minute: u32, longest: Duration) -> Budget {
        let interval_ms = (60_000 * (1000 + SLACK)).div_ceil(1000 * u64::from(requests_per_minute.max(1))) as i64;
        let longest_ms = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX).max(interval_ms);
        Budget { place, interval_ms, longest_ms }
    }

    /// Takes the next free moment; how long to wait for it.
    pub fn take(&self, now_ms: i64) -> Result<Duration> {
        let mut file = self.lock()?;
        let moment = self.read(&mut file, now_ms).max(now_ms);
        self.write(&mut file, moment + self.interval_ms)?;
        Ok(Duration::from_millis((moment - now_ms) as u64))
    }

    /// Makes everybody wait: the server said so.
    pub fn rest(&self, now_ms: i64, wait: Duration) -> Result<()> {
        let mut file = self.lock()?;
        let until = now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        let moment = self.read(&mut file, now_ms).max(until);
        self.write(&mut file, moment)
    }

    fn lock(&self) -> Result<File> {
        let open = || {
            disk::make_dir(&disk::parent_of(&self.place))?;
            let file = disk::open_private(&self.place)?;
            file.lock()?;
            Ok::<_, std::io::Error>(file)
        };
        open().context(Kind::Unavailable, || format!("cannot lock {}", self.place.display()))
    }

    /// Reads the stored time, unless it is implausible: the clock was set back, or the file is damaged.
    fn read(&self, file: &mut File, now_ms: i64) -> i64 {
        let mut text = String::new();
        let read = file.take(64).read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<i64>().ok());
        read.filter(|moment| *moment <= now_ms.saturating_add(self.longest_ms)).unwrap_or(now_ms)
    }

    fn write(&self, file: &mut File, moment: i64) -> Result<()> {
        // Padded, so that the text before needs no cutting and a reader never sees an empty file.
        let text = format!("{moment:<20}");
        let written = file.rewind().and_then(|()| file.write_all(text.as_bytes()));
        written.context(Kind::Unavailable, || format!("cannot write {}", self.place.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_share_a_user_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let budget = |name: &str| Budget::new(dir.path().join(name), 30, Duration::from_secs(600));
        let (a, b, other) = (budget("u"), budget("u"), budget("v"));
        assert_eq!(a.take(10_000).unwrap().as_millis(), 0);
        assert_eq!(b.take(10_000).unwrap().as_millis(), 2050);
        assert_eq!(a.take(10_000).unwrap().as_millis(), 4100);
        assert_eq!(other.take(10_000).unwrap().as_millis(), 0);
        assert_eq!(a.take(100_000).unwrap().as_millis(), 0);
        b.rest(100_000, Duration::from_secs(30)).unwrap();
        assert_eq!(a.take(100_000).unwrap().as_secs(), 30);
    }

    #[test]
    fn a_clock_that_was_set_back_or_a_damaged_file_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let budget = Budget::new(dir.path().join("u"), 30, Duration::from_secs(60));
        budget.take(1_000_000_000).unwrap();
        assert_eq!(budget.take(5_000).unwrap().as_millis(), 0);
        std::fs::write(dir.path().join("u"), b"\xff\xfe nonsense").unwrap();
        assert_eq!(budget.take(5_000).unwrap().as_millis(), 0);
        assert_eq!(budget.take(5_000).unwrap().as_millis(), 2050);
    }
}
