//! Rate limits: requests of a user, or refusals of an address, in any 60 seconds.
//!
//! The window slides: the times of a user's last requests are kept, and a request is refused while the allowed number
//! of them lies within the last minute. A fixed window would let twice as many through around its edge, a bucket that
//! refills nearly so; a client that keeps to the vendor's 30 per minute passes any of them. Refused requests do not
//! count, so a client that hammers is served again when its time has come. A restart of the server forgets all counts.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

const WINDOW_MS: u64 = 60_000;

/// At most this many are counted separately; a client can choose addresses. When there are more within a minute, the
/// next one waits as if it had had its share.
const COUNTED: usize = 100_000;

/// Counts requests of each user, or of each address.
pub struct Limiter<K> {
    /// 0 means no limit.
    per_minute: usize,
    users: Mutex<HashMap<K, VecDeque<u64>>>,
}

impl<K: Eq + Hash + Clone> Limiter<K> {
    pub fn new(per_minute: usize) -> Limiter<K> {
        Limiter { per_minute, users: Mutex::default() }
    }

    /// Counts a request of `user` at `now_ms` of a clock that never goes back.
    ///
    /// Returns the requests that are left, `None` where no limit is set; or the milliseconds until one is allowed again.
    pub fn take<Q>(&self, user: &Q, now_ms: u64) -> Result<Option<usize>, u64>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if self.per_minute == 0 {
            return Ok(None);
        }
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if !users.contains_key(user) {
            if users.len() >= COUNTED {
                users.retain(|_, times| times.back().is_some_and(|last| last + WINDOW_MS > now_ms));
            }
            if users.len() >= COUNTED {
                return Err(WINDOW_MS);
            }
            users.insert(user.to_owned(), VecDeque::new());
        }
        let Some(times) = users.get_mut(user) else { return Ok(None) };
        while times.front().is_some_and(|first| first + WINDOW_MS <= now_ms) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= self.per_minute => Err((first + WINDOW_MS).saturating_sub(now_ms)),
            _ => {
                times.push_back(now_ms);
                Ok(Some(self.per_minute - times.len()))
            }
        }
    }

    pub fn per_minute(&self) -> usize {
        self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_than_is_allowed_wherever_it_begins() {
        let limiter = Limiter::<String>::new(3);
        assert_eq!(limiter.take("ann", 0), Ok(Some(2)));
        assert_eq!(limiter.take("ann", 50_000), Ok(Some(1)));
        assert_eq!(limiter.take("ann", 59_000), Ok(Some(0)));
        assert_eq!(limiter.take("ann", 59_999), Err(1));
        assert_eq!(limiter.take("ann", 60_000), Ok(Some(0)));
        assert_eq!(limiter.take("ann", 60_000), Err(50_000));
        assert_eq!(limiter.take("bob", 60_000), Ok(Some(2)));
    }

    #[test]
    fn refused_requests_do_not_count() {
        let limiter = Limiter::<String>::new(1);
        assert_eq!(limiter.take("ann", 0), Ok(Some(0)));
        for now in 1..60_000 {
            assert_eq!(limiter.take("ann", now), Err(60_000 - now));
        }
        assert_eq!(limiter.take("ann", 60_000), Ok(Some(0)));
        assert_eq!(Limiter::<String>::new(0).take("ann", 0), Ok(None));
    }
    #[test]
    fn addresses_do_not_fill_the_memory() {
        let limiter = Limiter::<u32>::new(2);
        let addresses = COUNTED as u32;
        assert!((0..addresses).all(|address| limiter.take(&address, 0).is_ok()));
        assert_eq!(limiter.take(&addresses, 1), Err(WINDOW_MS));
        assert!(limiter.take(&0, 1).is_ok(), "who is counted has the rest of the share");
        assert!(limiter.take(&addresses, WINDOW_MS + 1).is_ok());
        assert!(limiter.users.lock().unwrap().len() < 3);
    }
}
