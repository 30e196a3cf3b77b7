//! `auditlake gen`.

use crate::env::{Env, values};

#[test]
fn one_seed_gives_one_file() {
    let env = Env::new();
    let text = env.ok(["gen", "500"]);
    env.ok(["gen", "500", "--out", "again.ndjson"]);
    assert!(text == env.read("again.ndjson"));
    assert!(text != env.ok(["gen", "500", "--seed", "2"]));
    assert_eq!(text.lines().count(), 500);
}

#[test]
fn entries_keep_to_the_days_asked_for() {
    let env = Env::new();
    let from = 1_769_904_000_000; // 2026-02-01
    for event in values(&env.ok(["gen", "500", "--from", "2026-02-01", "--days", "7", "--users", "16"])) {
        let time = event["time"].as_i64().unwrap();
        assert!((from..from + 7 * 86_400_000).contains(&time), "{time}");
    }
}

#[test]
fn every_entry_is_a_row() {
    let env = Env::with_events(2_000);
    assert_eq!(env.number("select count(*) from event"), 2_000);
    assert_eq!(env.number("select count(*) from reject"), 0);
    assert_eq!(env.number("select count(*) from other_event"), 0);
}

#[test]
fn a_count_that_is_no_number_is_a_usage_error() {
    let env = Env::new();
    insta::assert_snapshot!(env.run(["gen", "many"]), @r"
    ------- stderr -------
    error: invalid value 'many' for '<COUNT>': write 12345 or 12,345

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert!(env.run(["gen", "5", "--out", "no/such/place"]).contains("[exit status: 3]"));
}
