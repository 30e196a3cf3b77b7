//! Promise 1 to 3 against `kill -9`: whenever a run is killed, the next one makes the lake whole.
//!
//! Fifty kills at random moments; `AUDITLAKE_KILL_ROUNDS` asks for another number. `points` kills at each step.

use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::env::Env;
use crate::soundness::{assert_recoverable, assert_sound, in_parallel, left_over, stored};

const ENTRIES: u64 = 300;

/// The same entries of about 2 kB as one file and as ten.
const ONE: &str = "events.ndjson";
const TEN: &str = "parts";

/// A configuration with some twelve batches per file.
const SMALL_BATCHES: &str = "small.toml";
/// A configuration with which a repair commits what is left at once.
const ONE_BATCH: &str = "one.toml";

fn prepared() -> Env {
    let env = Env::new();
    env.write(SMALL_BATCHES, "[ingest]\nbatch = \"0.05MiB\"\n\n[redact]\nenabled = false\n");
    env.write(ONE_BATCH, "[redact]\nenabled = false\n");
    env.generate(ONE, ENTRIES);
    let text = env.read(ONE);
    let all: Vec<&str> = text.lines().collect();
    for (part, lines) in all.chunks(all.len() / 10).enumerate() {
        env.write(&format!("{TEN}/{part}.ndjson"), crate::env::lines(lines));
    }
    env
}

fn start(env: &Env, input: &str, lake: &str, config: &str) -> Child {
    let mut command = env.command(["ingest", input, "--quiet", "--lake", lake, "--config", config]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_killed_ingest_loses_nothing_and_doubles_nothing() {
    let rounds = std::env::var("AUDITLAKE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_u64);
    let env = prepared();
    let started = Instant::now();
    assert!(start(&env, ONE, "whole", SMALL_BATCHES).wait().unwrap().success());
    let typical = Mutex::new(started.elapsed());
    let events = stored(&env.path("whole"));
    assert_eq!(events.len() as u64, ENTRIES);
    let batches = assert_sound(&env.path("whole")).entries.len();
    assert!(batches > 5, "{batches} entries are too few to hit");

    let mut random = Random(20260101);
    // One kill per round, and two more in every third round: a repair may be killed as well.
    let kills = |round| if round % 3 == 2 { 3 } else { 1 };
    let jobs = (0..rounds).map(|round| (round, (0..kills(round)).map(|_| random.share()).collect::<Vec<f64>>()));
    in_parallel(jobs.collect(), |(round, shares)| {
        let lake = format!("round-{round}");
        let path = env.path(&lake);
        let input = if round % 2 == 0 { TEN } else { ONE };
        for (kill, share) in shares.into_iter().enumerate() {
            loop {
                let after = typical.lock().unwrap().mul_f64(share);
                let Some(took) = kill_at(&env, input, &lake, after) else { break };
                if kill > 0 {
                    break;
                }
                // It was faster than the one that was measured: start again, with this duration.
                *typical.lock().unwrap() = took;
                std::fs::remove_dir_all(&path).unwrap();
            }
            if path.join("_ledger/00000000000000000000.json").exists() {
                let told = assert_recoverable(&path);
                // Whatever a reader sees now was committed: as many rows as the ledger's entries say.
                if round % 5 == 0 {
                    let all = ["sql", "--lake", &lake, "--format", "csv", "-t", "-c", "select count(*) from event"];
                    let seen: u64 = env.ok(all).trim().parse().unwrap();
                    assert_eq!(seen, told.count("accepted"), "round {round}: a half-done batch is visible");
                }
            }
        }
        assert!(start(&env, input, &lake, ONE_BATCH).wait().unwrap().success(), "round {round}");
        let told = assert_sound(&path);
        assert_eq!((told.count("accepted"), told.count("rejected")), (ENTRIES, 0), "round {round}");
        assert!(stored(&path) == events, "round {round}: the events differ");
        // A third run finds nothing to do.
        let last = told.entries.len();
        assert!(start(&env, input, &lake, ONE_BATCH).wait().unwrap().success(), "round {round}");
        assert_eq!(assert_sound(&path).entries.len(), last, "round {round}: a run with nothing to do wrote an entry");
        let litter = left_over(&path);
        assert!(litter.is_empty(), "round {round}: nobody clears away what killed writers left: {litter:?}");
        std::fs::remove_dir_all(&path).unwrap();
    });
    eprintln!("{rounds} rounds; undisturbed an ingest takes {:?}", typical.lock().unwrap());
}

/// Kills an ingest after this time; returns how long it took when it ended before.
fn kill_at(env: &Env, input: &str, lake: &str, after: Duration) -> Option<Duration> {
    let mut child = start(env, input, lake, SMALL_BATCHES);
    let started = Instant::now();
    // The moment of a kill is the only thing here that depends on time.
    while started.elapsed() < after {
        if child.try_wait().unwrap().is_some() {
            return Some(started.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if child.try_wait().unwrap().is_some() {
        return Some(started.elapsed());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// The same moments in every run: a linear congruential generator (Knuth's MMIX).
struct Random(u64);

impl Random {
    /// Returns a number from 0 to 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

#[test]
fn a_reader_sees_only_whole_batches_while_a_run_writes() {
    let env = prepared();
    let mut child = start(&env, TEN, "lake", SMALL_BATCHES);
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
