//! The times of entries: office hours of every time zone, slow week-ends, and one night of silence.
//!
//! The period is cut into buckets of ten minutes. A bucket gets its share of the entries by weight, and spreads them
//! over its length with a random step. So times never decrease, the sum is exact, and nothing needs to be sorted.

use super::data::DATA;
use super::random::Dice;

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
const BUCKET_MS: i64 = 10 * MINUTE_MS;

/// The constant load of machines, as a share of the load of people in a full hour of all cities (percent).
const MACHINE_PERCENT: u64 = 18;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    weight: u64,
    /// The people's share of it.
    human_permille: u64,
}

#[derive(Debug)]
pub struct Calendar {
    start_ms: i64,
    buckets: Vec<Bucket>,
    total_weight: u64,
    entries: u64,
    // The present position: the bucket, its start, the number of its entries, and how many of them are out.
    bucket: usize,
    weight_before: u64,
    in_bucket: u64,
    done: u64,
}

impl Calendar {
    /// Spreads `entries` over `days`; `quiet` is a stretch without any.
    pub fn new(start_ms: i64, days: u32, entries: u64, quiet: Option<(i64, i64)>, dice: &mut Dice) -> Calendar {
        let all_cities: u64 = DATA.cities.iter().map(|city| city.weight).sum::<u64>() * 100;
        let machine = all_cities * MACHINE_PERCENT / 100;
        let mut buckets = Vec::new();
        for number in 0..i64::from(days) * (DAY_MS / BUCKET_MS) {
            let from = start_ms + number * BUCKET_MS;
            let human: u64 = DATA.cities.iter().map(|city| city.weight * busyness(from, city.offset_minutes)).sum();
            let is_quiet = quiet.is_some_and(|(begin, end)| from < end && from + BUCKET_MS > begin);
            // No two buckets of a real log are alike.
            let weight = if is_quiet { 0 } else { (human + machine) * (60 + dice.below(81)) };
            buckets.push(Bucket { weight, human_permille: human * 1000 / (human + machine) });
        }
        let total_weight = buckets.iter().map(|bucket| bucket.weight).sum();
        let mut calendar =
            Calendar { start_ms, buckets, total_weight, entries, bucket: 0, weight_before: 0, in_bucket: 0, done: 0 };
        calendar.in_bucket = calendar.share();
        calendar
    }

    /// Returns the next time, and how many of a thousand entries there are people's; `None` after the last entry.
    pub fn next(&mut self, dice: &mut Dice) -> Option<(i64, u64)> {
        while self.done == self.in_bucket {
            self.weight_before += self.buckets.get(self.bucket)?.weight;
            self.bucket += 1;
            self.done = 0;
            self.in_bucket = self.share();
        }
        let bucket = self.buckets.get(self.bucket)?;
        let step = self.done as i64 * BUCKET_MS + dice.below(BUCKET_MS as u64) as i64;
        self.done += 1;
        let begin = self.start_ms + self.bucket as i64 * BUCKET_MS;
        Some((begin + step / self.in_bucket as i64, bucket.human_permille))
    }

    fn share(&self) -> u64 {
        let Some(bucket) = self.buckets.get(self.bucket) else { return 0 };
        let upto = |weight: u64| u128::from(self.entries) * u128::from(weight) / u128::from(self.total_weight.max(1));
        (upto(self.weight_before + bucket.weight) - upto(self.weight_before)) as u64
    }
}

/// Returns the percentage of the people at this offset who are at work.
pub fn busyness(time_ms: i64, offset_minutes: i64) -> u64 {
    const HOURS: [u64; 24] = [1, 1, 0, 0, 0, 1, 4, 16, 52, 92, 100, 95, 68, 84, 96, 92, 80, 56, 26, 12, 8, 6, 4, 2];
    let local = time_ms + offset_minutes * MINUTE_MS;
    let hour = HOURS[(local.rem_euclid(DAY_MS) / HOUR_MS) as usize];
    if weekday(local) >= 5 { hour.div_ceil(12) } else { hour }
}

/// Returns the weekday; 0 is Monday.
pub fn weekday(time_ms: i64) -> i64 {
    // The first day of the epoch was a Thursday.
    (time_ms.div_euclid(DAY_MS) + 3).rem_euclid(7)
}

/// Returns nine hours from 20:00 UTC of a Monday to Thursday, past the middle of the period if possible.
pub fn quiet_night(start_ms: i64, days: u32) -> Option<(i64, i64)> {
    let days = i64::from(days);
    let nights = (days * 6 / 10..days - 1).chain(0..days * 6 / 10);
    let mut evenings = nights.filter(|day| day + 1 < days).map(|day| start_ms + day * DAY_MS + 20 * HOUR_MS);
    evenings.find(|&evening| weekday(evening) < 4).map(|evening| (evening, evening + 9 * HOUR_MS))
}
