//! The ledgers alone: groups (C15), API keys (C16) and the opening balance (C17); C13 and C14 are in `tests`.

use datafusion::prelude::SessionContext;
use serde_json::{Value as Json, json};

use super::tests::{add_inputs, events_of, over, own, rows_of, session};

fn text(rows: &[Json], columns: &[&str]) -> Vec<String> {
    rows.iter()
        .map(|row| columns.iter().map(|name| row[*name].to_string()).collect::<Vec<_>>().join(" ").replace('"', ""))
        .collect()
}

fn group(key: &str, rest: Json) -> Json {
    let mut event = rest;
    event["group"] = json!({ "uid": key });
    event
}

fn member(key: &str, subject: &str) -> Json {
    group(key, json!({"user": {"uid": subject}, "actor": {"user": {"uid": "boss"}}}))
}

#[tokio::test]
async fn group_ledgers_end_with_the_group_and_the_account() {
    let privileges = |key: &str| group(key, json!({"privileges": ["admin", "viewer"], "resource": {"uid": "r1"}}));
    let nested = |key: &str, sub: &str| group(key, json!({"subgroup": {"uid": sub}}));
    let found = over(
        &[
            (3006, 3, 10, 1, member("g", "stays")),
            (3006, 3, 20, 0, member("g", "stays")),
            (3006, 4, 30, 0, member("g", "stays")),
            (3006, 3, 10, 1, member("g", "left")),
            (3006, 4, 20, 1, member("g", "left")),
            (3006, 3, 10, 1, member("g", "gone")),
            (3001, 6, 20, 1, json!({"user": {"uid": "gone"}})),
            (3006, 3, 10, 2, member("g", "refused")),
            (3006, 3, 10, 1, member("dead", "left")),
            (3006, 1, 10, 1, privileges("dead")),
            (3006, 7, 10, 1, nested("dead", "g")),
            (3006, 7, 10, 1, nested("g", "dead")),
            (3006, 5, 20, 1, group("dead", json!({}))),
            (3006, 3, 20, 1, member("dead", "tie")),
            (3006, 1, 10, 1, privileges("g")),
            (3006, 2, 20, 1, group("g", json!({"privileges": ["admin"], "resource": {"uid": "r1"}}))),
            (3006, 2, 20, 1, group("g", json!({"privileges": ["viewer"]}))),
            (3006, 7, 10, 1, nested("g", "sub")),
            (3006, 5, 30, 0, group("g", json!({}))),
        ],
        "-- kind = \"string\"\n-- group_key = \"string\"\n-- item = \"string\"\n-- resource_uid = \"string\"\n\
         -- since = \"timestamp\"\n-- add_events = \"bigint\"\n-- ambiguous = \"boolean\"\n",
        "select kind, group_key, coalesce(subject_uid, subgroup_key, privilege) as item, resource_uid, since, add_events, \
         ambiguous from group_holding order by kind, group_key, item",
    )
    .await;
    assert_eq!(
        text(&found, &["kind", "group_key", "item", "resource_uid", "since", "add_events", "ambiguous"]),
        [
            "member dead tie null 20 1 true",
            "member g stays null 10 2 false",
            "privilege g viewer r1 10 1 false",
            "subgroup g sub null 10 1 false",
        ]
    );
}

#[tokio::test]
async fn a_group_is_as_privileged_as_what_stands_before_the_event() {
    let grant = |uid: &str| group("g", json!({"privileges": ["admin"], "metadata": {"uid": uid}}));
    let join = |uid: &str| group("g", json!({"user": {"uid": uid}, "metadata": {"uid": uid}}));
    let found = over(
        &[
            (3006, 3, 10, 1, join("a")),
            (3006, 1, 10, 1, grant("b")),
            (3006, 3, 10, 1, join("c")),
            (3006, 2, 20, 1, grant("d")),
            (3006, 3, 20, 1, join("e")),
        ],
        "-- event_uid = \"string\"\n-- is_privileged_group = \"boolean\"\n-- members_after = \"bigint\"\n",
        "select event_uid, is_privileged_group, members_after from group_change order by event_uid",
    )
    .await;
    let found = text(&found, &["event_uid", "is_privileged_group", "members_after"]);
    assert_eq!(found, ["a false 1", "b false 1", "c true 2", "d true 2", "e false 3"]);
}

fn key(uid: &str, rest: Json) -> Json {
    let mut event = rest;
    event["entity"]["uid"] = json!(uid);
    event["entity"]["type"] = json!("API Key");
    event["actor"] = json!({"user": {"uid": "maker"}});
    event
}

#[tokio::test]
async fn an_api_key_has_a_life_for_each_create() {
    let path = |path: &str| json!({"http_request": {"url": {"path": path}}});
    let found = over(
        &[
            (3004, 1, 10, 1, key("again", json!({"entity": {"user": {"uid": "one"}}}))),
            (3004, 4, 20, 1, key("again", json!({}))),
            (3004, 1, 20, 0, key("again", json!({}))),
            (3004, 4, 30, 0, key("again", json!({}))),
            (3004, 1, 10, 1, key("owned late", json!({}))),
            (3004, 3, 20, 1, key("owned late", json!({"entity": {"user": {"uid": "two"}}}))),
            (3004, 4, 20, 1, key("twice deleted", json!({}))),
            (3004, 4, 30, 1, key("twice deleted", json!({}))),
            (3004, 1, 10, 2, key("refused", json!({}))),
            (3004, 1, 10, 1, json!({"entity": {"type": "webhook", "uid": "hook"}})),
            (3004, 3, 10, 1, path("/v1/service-accounts/sa/api-keys/by-path")),
            (3004, 3, 10, 1, path("/v1/workspaces/api-keys/third-party-disabling")),
        ],
        "-- key_uid = \"string\"\n-- owner_uid = \"string\"\n-- created_time = \"timestamp\"\n\
         -- first_seen = \"timestamp\"\n-- deleted_time = \"timestamp\"\n-- updates = \"bigint\"\n",
        "select key_uid, owner_uid, created_time, first_seen, deleted_time, updates from api_key order by key_uid, life",
    )
    .await;
    assert_eq!(
        text(&found, &["key_uid", "owner_uid", "created_time", "first_seen", "deleted_time", "updates"]),
        [
            "again one 10 10 20 0",
            "again maker 20 20 null 0",
            "by-path sa null 10 null 1",
            "owned late two 10 10 null 1",
            "twice deleted null null 20 20 0",
        ]
    );
}

const OPEN: &str = "select 'access' as what, subject_uid, privilege as item, granted_by as who, granted_time as since \
    from access_holding union all \
    select kind, subject_uid, group_key, added_by, since from group_holding union all \
    select 'api_key', owner_uid, key_uid, created_by, created_time from api_key order by what, item, subject_uid";

#[tokio::test]
async fn an_opening_balance_replaces_the_log_before_it() {
    let grant =
        |subject: &str| json!({"user": {"uid": subject}, "privileges": ["viewer"], "actor": {"user": {"uid": "boss"}}});
    let events = events_of(&[
        (3005, 1, 99, 1, grant("forgotten")),
        (3005, 1, 100, 1, grant("same ms")),
        (3005, 2, 100, 1, grant("listed, revoked at once")),
        (3005, 2, 101, 1, grant("listed, revoked")),
        (3006, 3, 99, 1, member("forgotten", "x")),
        (3006, 7, 99, 1, group("kept", json!({"subgroup": {"uid": "sub"}}))),
        (3004, 1, 99, 1, key("forgotten", json!({}))),
    ]);
    let report = own(
        "-- what = \"string\"\n-- subject_uid = \"string\"\n-- item = \"string\"\n-- who = \"string\"\n\
         -- since = \"timestamp\"\n",
        OPEN,
    );
    let ctx = session(&events);
    let row = |subject: &str, kind: &str, item: &str, time: i64| json!({"subject_uid": subject, "item_type": kind, "item": item, "taken_at": time});
    let horizon = 1_773_187_200_000_i64; // the default `to` of `own`
    add_inputs(
        &ctx,
        &json!({"snapshot_access": [
            row("listed", "privilege", "viewer", 100),
            row("listed, revoked at once", "privilege", "viewer", 100),
            row("listed, revoked", "privilege", "viewer", 100),
            row("listed", "group", "team", 100),
            row("listed", "api_key", "key", 100),
            row("of an older snapshot", "privilege", "viewer", 99),
            row("after the horizon", "privilege", "viewer", horizon),
        ]}),
    );
    assert_eq!(
        text(&rows_of(&report, &json!({}), &ctx).await, &["what", "item", "subject_uid", "who", "since"]),
        [
            "access viewer listed null 100",
            "access viewer listed, revoked at once null 100",
            "access viewer same ms boss 100",
            "api_key key listed null 100",
            "member team listed null 100",
            "subgroup kept null null 99",
        ]
    );
}

#[tokio::test]
async fn an_input_without_a_column_is_refused() {
    let report = own("-- email = \"string\"\n", "select email from leavers");
    assert!(rows_of(&report, &json!({}), &session(&[])).await.is_empty(), "without the table nobody left");
    let ctx = session(&[]);
    let leavers = SessionContext::new().sql("select 'a@corp.example' as email").await.unwrap();
    ctx.give("leavers", leavers.into_view());
    let params = super::Params::new(&report, &[], None).unwrap();
    let error = super::run(&report, &params, &ctx.session().await).await.err().unwrap();
    assert_eq!(error.hint_text(), Some("it needs email, left_time"));
    assert!(format!("{error}").contains("table `leavers` has no column `left_time`"), "{error}");
}

#[tokio::test]
async fn what_nobody_can_name_is_counted() {
    let found = over(
        &[
            (3001, 1, 10, 1, json!({})),
            (3001, 1, 10, 1, json!({"user": {"name": "named"}})),
            (3002, 1, 10, 2, json!({"user": {"uid": " "}})),
            (3002, 2, 10, 1, json!({})),
            (3005, 1, 10, 1, json!({"privileges": ["viewer"]})),
            (3006, 3, 10, 1, group("g", json!({}))),
            (3006, 1, 10, 1, json!({"privileges": ["viewer"]})),
            (3004, 1, 10, 1, json!({"entity": {"type": "api_key"}})),
            (3004, 1, 10, 1, json!({})),
        ],
        "-- what = \"string\"\n-- n = \"bigint\"\n",
        "select what, count(*) as n from unnamed_event group by what order by what",
    )
    .await;
    assert_eq!(text(&found, &["what", "n"]), ["account 4", "api_key 1", "group 1"]);
}
