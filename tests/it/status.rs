//! `auditlake status`.

use insta::assert_snapshot;

use crate::env::Env;
use crate::soundness::assert_sound;

#[test]
fn every_table_is_listed_with_its_rows() {
    let env = Env::with_small();
    // Sizes of files depend on the lake's random key.
    let text = env.run(["status", "--format", "csv"]);
    let without_bytes: Vec<String> = text
        .lines()
        .map(|line| match line.split(',').collect::<Vec<_>>()[..] {
            [table, rows, files, _, min, max, batch] => [table, rows, files, min, max, batch].join(","),
            _ => line.to_string(),
        })
        .collect();
    assert_snapshot!(without_bytes.join("\n"), @r"
    table,rows,files,min_time,max_time,last_batch
    account_change,1,1,2026-01-01T00:00:01Z,2026-01-01T00:00:01Z,1
    authentication,1,1,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,1
    entity_management,1,1,2026-01-01T00:00:02Z,2026-01-01T00:00:02Z,1
    user_access,1,1,2026-01-01T00:00:03Z,2026-01-01T00:00:03Z,1
    group_management,1,1,2026-02-01T00:00:00Z,2026-02-01T00:00:00Z,1
    api_activity,0,0,,,
    other_event,1,1,2026-02-01T00:00:01Z,2026-02-01T00:00:01Z,1
    reject,0,0,,,
    revision,0,0,,,
    ------- stderr -------
    lake [DIR]/auditlake-data (event_month), OCSF 1.6.0, ledger entry 1, [NOW]
    ");
}

#[test]
fn status_tells_what_the_ledger_tells() {
    let env = Env::with_events(1_000);
    let told = assert_sound(&env.path("auditlake-data")).rows();
    let rows = crate::env::values(&env.ok(["status", "--format", "ndjson", "-q"]));
    for row in rows {
        let table = row["table"].as_str().unwrap();
        assert_eq!(row["rows"].as_u64().unwrap(), told.get(table).copied().unwrap_or_default(), "{table}");
        assert_eq!(row["rows"], env.number(&format!("select count(*) from {table}")), "{table}");
    }
}

#[test]
fn quiet_leaves_only_results() {
    let env = Env::with_small();
    let output = env.command(["status", "-q"]).output().unwrap();
    assert!(output.stderr.is_empty() && !output.stdout.is_empty());
}

#[test]
fn the_lake_is_named_by_flag_environment_or_file() {
    let env = Env::with_small();
    std::fs::rename(env.path("auditlake-data"), env.path("elsewhere")).unwrap();
    env.ok(["status", "--lake", "elsewhere"]);
    let output = env.command(["status"]).env("AUDITLAKE_LAKE", "elsewhere").output().unwrap();
    assert!(output.status.success(), "{}", env.text(&output));
    env.write("my.toml", "[lake]\npath = \"elsewhere\"\n");
    env.ok(["status", "--config", "my.toml"]);
    let output = env.command(["status", "--config", "my.toml"]).env("AUDITLAKE_LAKE", "nowhere").output().unwrap();
    assert!(!output.status.success(), "the environment wins over the file");
}
