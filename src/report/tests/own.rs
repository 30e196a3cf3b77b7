//! Reports of users: what they may ask, and what must match their head.

use super::*;

async fn failure(columns: &str, sql: &str) -> String {
    let report = own(columns, sql);
    let params = Params::new(&report, &[], None).unwrap();
    let error = run(&report, &params, &session(&[]).session().await).await.err().unwrap();
    format!("{:?}: {error}", error.kind())
}

#[tokio::test]
async fn result_that_differs_from_the_head_is_an_error() {
    let sql = "select count(*) as a, 'x' as b from logon";
    assert_eq!(
        failure("-- b = \"string\"\n-- a = \"int\"\n", sql).await,
        "Internal: report `own` is not what its head says: columns a, b instead of b, a"
    );
    assert_eq!(
        failure("-- a = \"string\"\n-- b = \"string\"\n", sql).await,
        "Internal: report `own` is not what its head says: column `a` is Int64, not string"
    );
}

#[tokio::test]
async fn report_cannot_leave_its_run() {
    let int = "-- a = \"int\"\n";
    assert!(failure(int, "create table t as select 1 as a").await.contains("the lake is read only"));
    assert!(failure(int, "select 1 as a; select 2 as a").await.starts_with("Input: "));
    assert!(failure(int, "select 1 as a from nowhere").await.contains("no table `nowhere`"));
    assert!(failure(int, "select $missing as a").await.contains("`$missing` is no parameter of report `own`"));
}

/// A report goes through the same door as any other statement: with the same functions, limits and messages.
#[tokio::test]
async fn report_is_a_statement_like_any_other() {
    let int = "-- a = \"int\"\n";
    let series = own(int, "select count(*) as a from generate_series(1, 3)");
    assert_eq!(rows_of(&series, &json!({}), &session(&[])).await, [json!({ "a": 3 })]);
    let long = failure(int, &format!("select 1{} as a", "+1".repeat(200_000))).await;
    assert!(long.contains("has 400") && long.contains("bytes; the limit is"), "{long}");
    let deep = failure(int, &format!("select 1{} as a", "+1".repeat(5_000))).await;
    assert!(deep.contains("the statement has 5000 operators; the limit is 2000"), "{deep}");
    let typo = failure(int, "select count(outcom) as a from event").await;
    assert!(typo.contains("no column `outcom`"), "{typo}");
}

#[tokio::test]
async fn parameter_is_never_sql() {
    let report = own("-- a = \"string\"\n", "select $text as a");
    let hostile = "x' union select 'y' --";
    let found = rows_of(&report, &json!({ "text": hostile }), &session(&[])).await;
    assert_eq!(found, [json!({ "a": hostile })]);
}

#[tokio::test]
async fn class_table_in_a_report_ends_at_the_horizon() {
    let report = own("-- n = \"bigint\"\n", "select count(*) as n from authentication");
    let events = fixture("brute-force-by-user");
    let ctx = session(&events);
    let to = 1_773_187_200_000; // 2026-03-11
    let before = events.iter().filter(|e| e["class_uid"] == 3002 && e["time"].as_i64().unwrap() < to).count();
    assert_eq!(rows_of(&report, &json!({}), &ctx).await, [json!({ "n": before })]);
}
