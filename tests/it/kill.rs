//! Promise 1 to 3 against `kill -9`: whenever a run is killed, the next one makes the lake whole.
//!
//! `AUDITLAKE_KILL_ROUNDS` asks for more rounds than the usual twelve.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::env::Env;
use crate::soundness::{assert_sound, ledger};

const ENTRIES: u64 = 6_000;

/// Entries of about 2 kB in batches of 1 MiB: a dozen commits that a kill can hit.
fn prepared() -> Env {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nbatch_mib = 1\n\n[redact]\nenabled = false\n");
    env.generate("events.ndjson", ENTRIES);
    env
}

fn start(env: &Env, lake: &str) -> Child {
    let mut command = env.command(["ingest", "events.ndjson", "--quiet", "--lake", lake]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_killed_ingest_loses_nothing_and_doubles_nothing() {
    let rounds = std::env::var("AUDITLAKE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12_u64);
    let env = prepared();
    let started = Instant::now();
    assert!(start(&env, "whole").wait().unwrap().success());
    let typical = started.elapsed();
    let exported = |lake: &str| {
        let mut lines: Vec<String> = env.ok(["export", "-q", "--lake", lake]).lines().map(str::to_string).collect();
        lines.sort();
        lines
    };
    let count = |lake: &str| env.ok(["sql", "--lake", lake, "--format", "csv", "-c", COUNT]);
    let (events, counted) = (exported("whole"), count("whole"));
    assert_eq!(events.len() as u64, ENTRIES);
    let batches = assert_sound(&env.path("whole")).entries.len();
    assert!(batches > 5, "{batches} entries are too few to hit");

    let mut random = Random(20260101);
    let mut hits = 0;
    for round in 0..rounds {
        let lake = format!("round-{round}");
        let path = env.path(&lake);
        // One kill a round, in every third round two more: what is repaired may be killed as well.
        let kills = if round % 3 == 2 { 3 } else { 1 };
        for _ in 0..kills {
            let mut child = start(&env, &lake);
            // The moment of a kill is the one thing here that time decides.
            std::thread::sleep(typical.mul_f64(random.share()));
            hits += u64::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
            // Whatever a reader sees now was committed: as many rows as the ledger's entries say.
            if path.join("_ledger/00000000000000000000.json").exists() {
                let seen: u64 = last_number(&env.ok(["sql", "--lake", &lake, "--format", "csv", "-c", ALL]));
                assert_eq!(seen, ledger(&path).count("accepted"), "round {round}: a half-done batch is visible");
            }
        }
        assert!(start(&env, &lake).wait().unwrap().success(), "round {round}");
        let told = assert_sound(&path);
        assert_eq!(told.count("accepted"), ENTRIES, "round {round}");
        assert_eq!(told.count("rejected"), 0, "round {round}");
        assert_eq!(count(&lake), counted, "round {round}");
        assert!(exported(&lake) == events, "round {round}: the events differ");
        // A third run finds nothing to do.
        let last = told.entries.len();
        assert!(start(&env, &lake).wait().unwrap().success(), "round {round}");
        assert_eq!(assert_sound(&path).entries.len(), last, "round {round}: a run with nothing to do wrote an entry");
        std::fs::remove_dir_all(&path).unwrap();
    }
    eprintln!("{rounds} rounds, {hits} kills hit a running ingest; undisturbed it takes {typical:?}");
    assert!(hits * 3 > rounds, "only {hits} kills in {rounds} rounds hit a running ingest");
}

const ALL: &str = "select count(*) as n from event";
const COUNT: &str = "select class, count(*) as n, count(distinct _event_uid) as uids, min(time), max(time) \
                     from event group by class order by class";

fn last_number(csv: &str) -> u64 {
    csv.lines().last().unwrap().parse().unwrap()
}

/// The same moments in every run: a linear congruential generator (Knuth's MMIX).
struct Random(u64);

impl Random {
    /// From 0 to a little above 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64 * 1.05
    }
}

#[test]
fn a_reader_sees_only_whole_batches_while_a_run_writes() {
    let env = prepared();
    let mut child = start(&env, "lake");
    let lake = env.path("lake");
    let started = Instant::now();
    let mut seen = Vec::new();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "the run does not end");
        if !lake.join("_ledger/00000000000000000001.json").exists() {
            std::thread::yield_now();
            continue;
        }
        // One statement, one state: the two sums must agree whatever is committed meanwhile.
        let sql = "select (select count(*) from event) as rows, (select sum(accepted) from ingest_log) as told";
        let row = env.ok(["sql", "--lake", "lake", "--format", "csv", "-t", "-c", sql]);
        let (rows, told) = row.trim().split_once(',').unwrap();
        assert_eq!(rows, told);
        seen.push(rows.parse::<u64>().unwrap());
    }
    assert!(child.wait().unwrap().success());
    assert!(seen.is_sorted(), "{seen:?}");
    assert_sound(&lake);
}
