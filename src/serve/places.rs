//! Places of connections: how many exist, how many one address may have, and which one goes when none is left.
//!
//! A connection that is answering a request keeps its place. One that is silent (it has not sent a whole request yet,
//! or waits between two) loses it, the oldest first, when a newcomer would have none: one of the address with most
//! places, or of the newcomer's own when that has its share. So a client that only holds connections stops nobody.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All places.
pub struct Places {
    all: usize,
    /// 0 means no limit.
    of_one: usize,
    taken: Mutex<Taken>,
    /// A place became free, or its connection silent.
    changed: Notify,
}

#[derive(Default)]
struct Taken {
    /// The last number that was given, to a connection or to a silence.
    last: u64,
    places: BTreeMap<u64, Held>,
}

struct Held {
    of: IpAddr,
    /// The start of the silence, as a number that grows; `None` while it answers.
    silent_since: Option<u64>,
    cut: Arc<Notify>,
}

/// One connection's place; free when it is dropped.
pub struct Place {
    number: u64,
    cut: Arc<Notify>,
    places: Arc<Places>,
}

impl Places {
    pub fn new(all: usize, of_one: usize) -> Arc<Places> {
        Arc::new(Places { all: all.max(1), of_one, taken: Mutex::default(), changed: Notify::new() })
    }

    /// Takes a place, waiting while all connections answer requests. Returns `None` when the address has its share, and
    /// all of it is answering.
    pub async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let of = client_of(address);
        loop {
            let changed = self.changed.notified();
            {
                let mut taken = self.lock();
                if self.of_one > 0 && taken.count(of) >= self.of_one && !taken.free_oldest(of) {
                    return None;
                }
                if taken.places.len() < self.all || taken.greediest().is_some_and(|of| taken.free_oldest(of)) {
                    return Some(self.hold(&mut taken, of));
                }
            }
            changed.await;
        }
    }

    fn hold(self: &Arc<Self>, taken: &mut Taken, of: IpAddr) -> Place {
        let (number, cut) = (taken.next(), Arc::new(Notify::new()));
        taken.places.insert(number, Held { of, silent_since: Some(number), cut: cut.clone() });
        Place { number, cut, places: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn count(&self, of: IpAddr) -> usize {
        self.places.values().filter(|held| held.of == of).count()
    }

    /// Returns the address with most places among those that have a silent one.
    fn greediest(&self) -> Option<IpAddr> {
        let silent = self.places.values().filter(|held| held.silent_since.is_some());
        silent.map(|held| held.of).max_by_key(|of| self.count(*of))
    }

    /// Ends the connection of this address that has been silent longest; returns false when none is.
    fn free_oldest(&mut self, of: IpAddr) -> bool {
        let silent = self.places.iter().filter(|(_, held)| held.of == of);
        let oldest = silent.filter_map(|(number, held)| Some((held.silent_since?, *number))).min();
        let Some(held) = oldest.and_then(|(_, number)| self.places.remove(&number)) else { return false };
        held.cut.notify_one();
        true
    }
}

impl Place {
    /// Marks the connection as answering a request from here on.
    pub fn answers(&self) {
        self.set(|_| None);
    }

    /// Marks the connection as waiting for a request from here on.
    pub fn waits(&self) {
        self.set(|taken| Some(taken.next()));
        self.places.changed.notify_one();
    }

    /// Returns when another connection got the place.
    pub async fn is_lost(&self) {
        self.cut.notified().await;
    }

    fn set(&self, since: impl FnOnce(&mut Taken) -> Option<u64>) {
        let mut taken = self.places.lock();
        let silent_since = since(&mut taken);
        if let Some(held) = taken.places.get_mut(&self.number) {
            held.silent_since = silent_since;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().places.remove(&self.number);
        self.places.changed.notify_one();
    }
}

/// Returns the client to which an address belongs: an IPv6 client has a whole /64.
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        of => of,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn is_lost(place: &Place) -> bool {
        tokio::time::timeout(SOON, place.is_lost()).await.is_ok()
    }

    #[tokio::test]
    async fn the_oldest_silent_connection_of_the_greediest_goes_first() {
        let places = Places::new(3, 0);
        let (greedy, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let first = places.take(greedy).await.unwrap();
        let second = places.take(greedy).await.unwrap();
        let bystander = places.take(other).await.unwrap();
        first.answers();
        let _newcomer = places.take(address("192.0.2.3")).await.unwrap();
        assert!(is_lost(&second).await);
        assert!(!is_lost(&first).await && !is_lost(&bystander).await);
    }

    #[tokio::test]
    async fn an_address_gets_no_more_than_its_share() {
        let places = Places::new(10, 2);
        let one = places.take(address("2001:db8::1")).await.unwrap();
        let two = places.take(address("2001:db8::2")).await.unwrap();
        let other = places.take(address("2001:db8:0:1::1")).await.unwrap();
        let three = places.take(address("2001:db8::3")).await.unwrap();
        assert!(is_lost(&one).await, "the three are one client");
        assert!(!is_lost(&two).await && !is_lost(&other).await);
        drop(one);
        two.answers();
        three.answers();
        assert!(places.take(address("2001:db8::4")).await.is_none());
    }

    #[tokio::test]
    async fn who_comes_while_all_answer_waits_for_the_first_to_end() {
        let places = Places::new(1, 0);
        let busy = places.take(address("192.0.2.1")).await.unwrap();
        busy.answers();
        assert!(tokio::time::timeout(SOON, places.take(address("192.0.2.2"))).await.is_err());
        busy.waits();
        let next = tokio::time::timeout(Duration::from_secs(5), places.take(address("192.0.2.2"))).await;
        assert!(next.unwrap().is_some() && is_lost(&busy).await);
    }

    #[test]
    fn a_mapped_address_is_its_own() {
        assert_eq!(client_of(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(client_of(address("2001:db8::ffff:1")), address("2001:db8::"));
    }
}
