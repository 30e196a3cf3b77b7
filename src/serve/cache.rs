//! A cache of decoded parts, kept while there is room: the least recently used goes first, and nothing is read twice at
//! once.
//!
//! The bound is in bytes. A value that a request holds stays in memory even after it was dropped here.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::error::Result;

/// Values by key, as many as fit.
pub struct Cache<K, V> {
    limit: usize,
    slots: Mutex<Slots<K, V>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Slots<K, V> {
    by_key: HashMap<K, Slot<V>>,
    /// Keys by the turn in which they were last used.
    by_turn: BTreeMap<u64, K>,
    turn: u64,
    bytes: usize,
}

struct Slot<V> {
    value: Arc<OnceCell<Arc<V>>>,
    /// Known once the value is.
    bytes: usize,
    turn: u64,
}

impl<K: Clone + Eq + Hash, V> Cache<K, V> {
    pub fn new(limit: usize) -> Cache<K, V> {
        let slots = Slots { by_key: HashMap::new(), by_turn: BTreeMap::new(), turn: 0, bytes: 0 };
        Cache { limit, slots: Mutex::new(slots), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Returns the value of `key`; the first caller makes it, the others wait. `size` returns its bytes.
    pub async fn get<F>(&self, key: &K, size: impl FnOnce(&V) -> usize, make: impl FnOnce() -> F) -> Result<Arc<V>>
    where
        F: Future<Output = Result<V>>,
    {
        let cell = self.touch(key);
        let mut is_made = false;
        let value = cell
            .get_or_try_init(|| async {
                is_made = true;
                make().await.map(Arc::new)
            })
            .await?
            .clone();
        if is_made {
            self.misses.fetch_add(1, Ordering::Relaxed);
            self.weigh(key, &cell, size(&value));
        } else {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(value)
    }

    /// Returns whether the value exists or is being made.
    pub fn has(&self, key: &K) -> bool {
        self.lock().by_key.contains_key(key)
    }

    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Returns how often a value was found, and how often it had to be made.
    pub fn uses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slots<K, V>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, key: &K) -> Arc<OnceCell<Arc<V>>> {
        let mut slots = self.lock();
        let slots = &mut *slots;
        slots.turn += 1;
        let turn = slots.turn;
        let slot = slots.by_key.entry(key.clone()).or_insert_with(|| Slot { value: Arc::default(), bytes: 0, turn });
        slots.by_turn.remove(&slot.turn);
        slot.turn = turn;
        slots.by_turn.insert(turn, key.clone());
        slot.value.clone()
    }

    fn weigh(&self, key: &K, cell: &Arc<OnceCell<Arc<V>>>, bytes: usize) {
        let mut slots = self.lock();
        let slots = &mut *slots;
        // It may have been dropped while it was made, and made again by another request.
        if let Some(slot) = slots.by_key.get_mut(key).filter(|slot| Arc::ptr_eq(&slot.value, cell)) {
            slots.bytes += bytes - slot.bytes;
            slot.bytes = bytes;
        }
        while slots.bytes > self.limit {
            let Some((_, oldest)) = slots.by_turn.pop_first() else { break };
            if let Some(slot) = slots.by_key.remove(&oldest) {
                slots.bytes -= slot.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn the_least_recently_used_goes_and_a_failure_is_not_kept() {
        let cache: Cache<u32, u32> = Cache::new(20);
        let get = async |key: u32| *cache.get(&key, |_| 8, || async move { Ok(key * 10) }).await.unwrap();
        assert_eq!((get(1).await, get(2).await, get(1).await), (10, 20, 10));
        assert_eq!(cache.bytes(), 16);
        get(3).await;
        assert_eq!(cache.bytes(), 16);
        assert_eq!(cache.misses.load(Ordering::Relaxed), 3);
        get(1).await;
        assert_eq!(cache.misses.load(Ordering::Relaxed), 3, "1 was used after 2");
        get(2).await;
        assert_eq!(cache.misses.load(Ordering::Relaxed), 4, "2 had gone");
        let failed = cache.get(&9, |_| 8, || async { Err(Error::input("no")) }).await;
        assert!(failed.is_err());
        assert_eq!(get(9).await, 90);
    }

    #[tokio::test]
    async fn those_who_want_the_same_wait_for_one() {
        let cache: Cache<u32, u32> = Cache::new(100);
        let made = AtomicU64::new(0);
        let get = || {
            cache.get(
                &1,
                |_| 8,
                || async {
                    made.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Ok(7)
                },
            )
        };
        let all = futures::future::join_all((0..10).map(|_| get())).await;
        assert!(all.into_iter().all(|value| *value.unwrap() == 7));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
