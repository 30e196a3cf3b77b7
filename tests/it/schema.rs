//! `auditlake schema`.

use insta::assert_snapshot;

use crate::env::Env;

#[test]
fn classes_are_listed() {
    let env = Env::new();
    assert_snapshot!(env.run(["schema"]), @r"
    ┌───────────┬───────────────────┬────────────────────────┬─────────┐
    │ class_uid │ table             │ caption                │ columns │
    ├───────────┼───────────────────┼────────────────────────┼─────────┤
    │      3001 │ account_change    │ Account Change         │     240 │
    │      3002 │ authentication    │ Authentication         │     245 │
    │      3004 │ entity_management │ Entity Management      │     244 │
    │      3005 │ user_access       │ User Access Management │     240 │
    │      3006 │ group_management  │ Group Management       │     240 │
    │      6003 │ api_activity      │ API Activity           │     240 │
    │           │ other_event       │ Other Event            │     138 │
    └───────────┴───────────────────┴────────────────────────┴─────────┘
    ");
}

#[test]
fn a_class_is_known_by_table_caption_and_number() {
    let env = Env::new();
    let text = env.ok(["schema", "authentication", "--format", "csv"]);
    assert_eq!(text, env.ok(["schema", "3002", "--format", "csv"]));
    assert_eq!(text, env.ok(["schema", "Authentication", "--format", "csv"]));
    let wanted = ["time,", "actor.user.email_addr,", "src_endpoint.ip,", "metadata.uid,", "_event_uid,", "_extra,"];
    let missing: Vec<_> = wanted.iter().filter(|path| !text.lines().any(|line| line.starts_with(*path))).collect();
    assert!(missing.is_empty(), "{missing:?} missing in\n{text}");
    assert!(text.lines().count() <= 256 + 8, "more than 256 leaf columns");
    assert_snapshot!(text.lines().filter(|line| line.starts_with("status_id") || line.starts_with("time") || line.starts_with("actor.process")).collect::<Vec<_>>().join("\n"), @r#"
    time,"Timestamp(us, UTC)",timestamp_t,required,typed,
    time_dt,Utf8,datetime_t,optional,typed,
    status_id,Int64,integer_t,recommended,typed,"0 Unknown, 1 Success, 2 Failure, 99 Other"
    actor.process,Utf8,object:process,recommended,cut,
    timezone_offset,Int64,integer_t,recommended,typed,
    "#);
}

#[test]
fn an_unknown_class_is_answered_with_the_nearest() {
    let env = Env::new();
    assert_snapshot!(env.run(["schema", "authentification"]), @r"
    ------- stderr -------
    error: no event class `authentification`
    hint: did you mean `authentication`?
    [exit status: 3]
    ");
}

#[test]
fn a_class_of_ones_own_is_listed() {
    let env = Env::new();
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/schemas");
    let text = env.ok(["schema", "--schemas", schemas, "--format", "csv"]);
    assert!(text.contains("6005,datastore_activity,Datastore Activity,"), "{text}");
}
