//! Several processes write into one lake at once.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::env::{Env, assert_same_events, values};
use crate::soundness::assert_sound;

#[test]
fn four_writers_of_overlapping_files_make_one_lake() {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nbatch = \"1MiB\"\n\n[redact]\nenabled = false\n");
    env.generate("events.ndjson", 4_000);
    let text = env.read("events.ndjson");
    let all: Vec<&str> = text.lines().collect();
    for part in 0..4 {
        let lines: String = (0..2_000).map(|at| format!("{}\n", all[(part * 1_000 + at) % 4_000])).collect();
        env.write(&format!("part-{part}.ndjson"), lines);
    }
    // A new lake: its creation is raced for as well.
    let children: Vec<_> = (0..4)
        .map(|part| {
            let mut command = env.command(["ingest", &format!("part-{part}.ndjson"), "--quiet"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", env.text(&output));
    }
    let ledger = assert_sound(&env.path("auditlake-data"));
    assert_eq!(ledger.count("read"), 8_000);
    assert_eq!(ledger.count("accepted"), 4_000);
    assert_eq!(ledger.count("duplicate"), 4_000);
    assert_eq!(ledger.rows().values().sum::<u64>(), 4_000);
    assert_same_events(&values(&text), &values(&env.ok(["export"])));
    assert_eq!(env.number("select count(*) - count(distinct _event_uid) from event"), 0);
}

#[test]
fn writers_of_the_same_file_share_the_work() {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nbatch = \"1MiB\"\n");
    env.generate("events.ndjson", 2_000);
    let children: Vec<_> = (0..3)
        .map(|_| {
            let mut command = env.command(["ingest", "events.ndjson", "--quiet"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", env.text(&output));
    }
    let ledger = assert_sound(&env.path("auditlake-data"));
    assert_eq!(ledger.count("accepted"), 2_000);
    assert_eq!(env.number("select count(distinct _event_uid) from event"), 2_000);
    // The file is known from now on.
    let summary = env.ingest(["events.ndjson"]);
    assert_eq!(summary["counts"]["read"], 0, "{summary}");
}

/// Locks lock nothing, as on some disks that several machines share, and every step takes its time.
///
/// `AUDITLAKE_UNLOCKED_ROUNDS=100` asks for more rounds than a few.
#[test]
fn writers_without_a_lock_lose_nothing_double_nothing_and_break_nothing() {
    if auditlake::failpoint::POINTS.is_empty() {
        return;
    }
    let rounds: u64 = std::env::var("AUDITLAKE_UNLOCKED_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    for round in 0..rounds {
        let env = Env::new();
        // A batch for every few lines.
        env.write("auditlake.toml", "[ingest]\nbatch = \"3KB\"\nthreads = 1\n\n[redact]\nenabled = false\n");
        env.generate("events.ndjson", 24);
        let text = env.read("events.ndjson");
        let all: Vec<&str> = text.lines().collect();
        // Of three parts, each event is in two.
        for part in 0..3 {
            let lines: String = (0..16).map(|at| format!("{}\n", all[(part * 8 + at) % 24])).collect();
            env.write(&format!("part-{part}.ndjson"), lines);
        }
        env.write("first.ndjson", format!("{}\n", all[0]));
        env.ok(["ingest", "first.ndjson", "-q"]);
        let mut children: Vec<_> = (0..3)
            .map(|part| {
                let mut command = env.command(["ingest", &format!("part-{part}.ndjson"), "--quiet"]);
                command.env("AUDITLAKE_FAIL_POINT", format!("unlocked:{}", round * 3 + part));
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        // Readers finish what they find half done, and interfere.
        let mut reader = env.command(["sql", "-q", "-c", "select count(*) from event"]);
        reader.env("AUDITLAKE_FAIL_POINT", "unlocked:7").stdout(Stdio::piped()).stderr(Stdio::piped());
        children.push(reader.spawn().unwrap());
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "round {round}: {}", env.text(&output));
        }
        // A run with nothing to do clears away what the losers of races left.
        env.ok(["ingest", "first.ndjson", "-q"]);
        let ledger = assert_sound(&env.path("auditlake-data"));
        // The first part continues where the first file ended, which it begins with.
        assert_eq!((ledger.count("read"), ledger.count("accepted")), (48, 24), "round {round}");
        assert_same_events(&values(&text), &values(&env.ok(["export"])));
    }
}

#[test]
fn a_creation_that_was_cut_short_is_taken_up() {
    // The files that a writer has made at each step before the first entry.
    for left in [vec!["_lock"], vec!["_lock", "._key.0123456789abcdef.tmp"], vec!["_lock", "_key"]] {
        let env = Env::new();
        env.write("small.ndjson", crate::env::lines(&crate::env::SMALL));
        for name in &left {
            let content = if *name == "_key" { "0123456789abcdef".repeat(4) } else { String::new() };
            env.write(&format!("auditlake-data/{name}"), content);
            fs::set_permissions(env.path(&format!("auditlake-data/{name}")), PermissionsExt::from_mode(0o600)).unwrap();
        }
        let text = env.run(["ingest", "small.ndjson"]);
        assert!(text.contains("accepted 6"), "{left:?}: {text}");
        assert_sound(&env.path("auditlake-data"));
    }
}

#[test]
fn a_run_that_waits_says_for_whom_and_does_not_wait_for_ever() {
    let env = Env::with_small();
    env.write("more.ndjson", crate::env::lines(&[r#"{"metadata":{"uid":"m"},"class_uid":3002,"time":1767225600000}"#]));
    let lock = env.path("auditlake-data/_lock");
    assert_eq!(fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o600);
    let mut held = fs::OpenOptions::new().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    held.write_all(b"4711\n").unwrap();
    let run = |more: &[&str]| env.run([&["ingest", "more.ndjson", "--summary-json", "-", "-q"], more].concat());
    let text = env.run(["ingest", "more.ndjson", "--lock-timeout", "1500ms"]);
    assert!(text.contains("waiting for another run (process 4711, since "), "{text}");
    assert!(text.contains("4711, since ") && text.contains("still holds it after 1.5 s"), "{text}");
    assert!(text.contains("hint: see what process 4711 does") && text.contains("[exit status: 5]"), "{text}");
    // The wait is shorter than a second, so there is no message.
    let text = run(&["--lock-timeout", "0s"]);
    assert!(!text.contains("waiting for") && text.contains("[exit status: 5]"), "{text}");
    env.write("auditlake.toml", "[lake]\nlock_timeout = \"10ms\"\n");
    assert!(run(&[]).contains("[exit status: 5]"));
    // Readers wait for nobody, and nobody waits for a process that ends.
    assert_eq!(env.number("select count(*) from event"), 6);
    drop(held);
    assert!(run(&[]).contains("\"accepted\":1"), "the lock is free");
}
