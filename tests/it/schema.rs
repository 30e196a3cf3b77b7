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

/// Makes two events per day for a month, of a class of the user's own and of one without any schema.
fn foreign() -> String {
    let event = |day: usize, class: i64| {
        let time = 1_767_225_600_000 + day as i64 * 86_400_000;
        format!(
            "{{\"class_uid\":{class},\"time\":{time},\"activity_id\":1,\"metadata\":{{\"uid\":\"{class}-{day}\"}},\
             \"actor\":{{\"user\":{{\"uid\":\"ann\",\"email_addr\":\"ann@corp.example\"}}}}}}\n"
        )
    };
    (0..31).flat_map(|day| [event(day, 6005), event(day, 1001)]).collect()
}

#[test]
fn an_added_class_and_one_without_a_schema_are_in_the_shell_in_reports_and_in_gaps() {
    let env = Env::new();
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/schemas");
    env.write("foreign.ndjson", foreign());
    env.ok(["ingest", "-q", "foreign.ndjson", "--schemas", schemas]);
    let sql = "select class, class_uid, action, actor_label, count(*) as n, count(actor.user.uid) as named from event \
               group by all order by class";
    assert_snapshot!(env.ok(["sql", "--schemas", schemas, "--format", "csv", "-c", sql]), @r"
    class,class_uid,action,actor_label,n,named
    datastore_activity,6005,Read,ann@corp.example,31,31
    other_event,1001,,ann@corp.example,31,31
    ");
    let args = ["report", "run", "-q", "log-gaps", "--period", "2026-01", "--format", "csv", "--schemas", schemas];
    let gaps = env.ok([&args[..], &["--param", "stream_by=all"]].concat());
    assert_eq!(gaps.lines().count(), 1, "no gap: {gaps}");
    let gaps = env.ok([&args[..], &["--param", "stream_by=class"]].concat());
    assert!(gaps.contains("3002") && !gaps.contains("6005") && !gaps.contains("1001"), "{gaps}");
    // A reader without the schema learns what is missing.
    assert_snapshot!(env.run(["sql", "-c", "select count(*) from datastore_activity"]), @r"
    ------- stderr -------
    warning: the table `datastore_activity` has 31 rows, but no schema of that name is loaded: they are left out; pass the directory with its class file: --schemas DIR
    error: the lake has a table `datastore_activity`, but no schema of that name is loaded
    line 1: select count(*) from datastore_activity
                                 ^
    hint: name the folder with its class file: --schemas DIR
    [exit status: 3]
    ");
}
