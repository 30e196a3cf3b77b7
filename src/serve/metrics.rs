//! Numbers about the server for Prometheus: no names, no content.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::entries::CacheFigures;

/// The statuses that we answer with; anything else would be a bug, and counts as the last one.
const STATUSES: [u16; 11] = [200, 400, 401, 403, 404, 405, 413, 422, 429, 503, 500];
/// Upper bounds of the buckets of durations.
const BUCKETS_MS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 250, 1000, 5000];

/// Counters of a running server.
#[derive(Debug, Default)]
pub struct Metrics {
    statuses: [AtomicU64; STATUSES.len()],
    /// Pages that were served, by duration; the last bucket has no bound.
    durations: [AtomicU64; BUCKETS_MS.len() + 1],
    duration_us: AtomicU64,
    entries: AtomicU64,
    pub connections: AtomicU64,
    /// Open connections.
    pub open: AtomicU64,
    /// Connections that never became usable: a failed handshake, a header that was too long or too slow.
    pub broken: AtomicU64,
    /// Connections of an address that already had its share.
    pub turned_away: AtomicU64,
}

impl Metrics {
    pub fn answered(&self, status: u16) {
        let place = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        self.statuses[place].fetch_add(1, Ordering::Relaxed);
    }

    pub fn served(&self, entries: usize, duration: Duration) {
        let place = BUCKETS_MS.iter().position(|bound| duration <= Duration::from_millis(*bound));
        self.durations[place.unwrap_or(BUCKETS_MS.len())].fetch_add(1, Ordering::Relaxed);
        self.duration_us.fetch_add(duration.as_micros() as u64, Ordering::Relaxed);
        self.entries.fetch_add(entries as u64, Ordering::Relaxed);
    }

    pub fn render(&self, caches: &[CacheFigures], backlog: u64, ledger_entry: u64) -> String {
        let mut text = Text(String::new());
        text.head("auditlake_requests_total", "counter", "Requests answered, by status.");
        for (status, count) in STATUSES.iter().zip(&self.statuses) {
            text.value(&format!("auditlake_requests_total{{status=\"{status}\"}}"), load(count));
        }
        let name = "auditlake_page_duration_seconds";
        text.head(name, "histogram", "Time to make a page and log that it was read.");
        let mut sum = 0;
        for (bound, count) in BUCKETS_MS.iter().zip(&self.durations) {
            sum += load(count);
            text.value(&format!("{name}_bucket{{le=\"{}\"}}", *bound as f64 / 1e3), sum);
        }
        sum += load(&self.durations[BUCKETS_MS.len()]);
        text.value(&format!("{name}_bucket{{le=\"+Inf\"}}"), sum);
        text.value(&format!("{name}_sum"), load(&self.duration_us) as f64 / 1e6);
        text.value(&format!("{name}_count"), sum);
        text.one("auditlake_entries_served_total", "counter", "Entries in all pages.", load(&self.entries));
        text.one("auditlake_connections_total", "counter", "Connections accepted.", load(&self.connections));
        text.one("auditlake_connections_open", "gauge", "Connections that are open.", load(&self.open));
        text.one("auditlake_connections_broken_total", "counter", "Connections that failed.", load(&self.broken));
        let help = "Connections of an address that had its share.";
        text.one("auditlake_connections_turned_away_total", "counter", help, load(&self.turned_away));
        text.one("auditlake_reads_uncommitted_bytes", "gauge", "Log of reads that waits for the lake.", backlog);
        text.one("auditlake_ledger_entry", "gauge", "The ledger entry that is served.", ledger_entry);
        for (name, kind, help, value) in [
            (
                "auditlake_cache_bytes",
                "gauge",
                "Bytes kept in memory.",
                (|cache| cache.bytes as u64) as fn(&CacheFigures) -> u64,
            ),
            ("auditlake_cache_hits_total", "counter", "Found in memory.", |cache| cache.hits),
            ("auditlake_cache_misses_total", "counter", "Read and decoded.", |cache| cache.misses),
        ] {
            text.head(name, kind, help);
            for cache in caches {
                text.value(&format!("{name}{{cache=\"{}\"}}", cache.name), value(cache));
            }
        }
        text.0
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n").expect("a String takes all text");
    }

    fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        writeln!(self.0, "{name} {value}").expect("a String takes all text");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.value(name, value);
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let metrics = Metrics::default();
        metrics.served(100, Duration::from_millis(2));
        metrics.served(50, Duration::from_secs(60));
        metrics.answered(200);
        metrics.answered(299);
        let text = metrics.render(&[], 0, 7);
        for line in [
            "auditlake_requests_total{status=\"200\"} 1",
            "auditlake_requests_total{status=\"500\"} 1",
            "auditlake_page_duration_seconds_bucket{le=\"0.001\"} 0",
            "auditlake_page_duration_seconds_bucket{le=\"0.002\"} 1",
            "auditlake_page_duration_seconds_bucket{le=\"5\"} 1",
            "auditlake_page_duration_seconds_bucket{le=\"+Inf\"} 2",
            "auditlake_page_duration_seconds_count 2",
            "auditlake_entries_served_total 150",
            "auditlake_ledger_entry 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
