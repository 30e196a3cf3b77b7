//! Conventions of single events and of the log alone, and the boundaries of the reports over them.

use datafusion::prelude::SessionContext;
use serde_json::json;

use super::*;

/// The text of the named cells of each row, joined.
fn lines(rows: &[Json], names: &[&str]) -> Vec<String> {
    let cell = |row: &Json, name: &str| row[name].as_str().map_or(row[name].to_string(), str::to_string);
    rows.iter().map(|row| names.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(" ")).collect()
}

/// 2026-03-08, a Sunday.
const SUNDAY: i64 = 1_772_928_000_000;

#[tokio::test]
async fn care_of_the_own_account_is_no_administration() {
    let by = |actor: &str, user: &str| json!({"actor": {"user": {"uid": actor}}, "user": {"uid": user}});
    let found = over(
        &[
            (3001, 3, 1, 1, by("own", "own")),
            (3001, 4, 2, 1, by("own", "own")),
            (3001, 10, 3, 1, by("own", "own")),
            (3001, 11, 4, 1, by("own", "own")),
            (3001, 1, 5, 1, by("own", "own")),
            (3001, 3, 6, 1, by("boss", "ann")),
            (3001, 3, 7, 1, json!({"user": {"uid": "ann"}})),
            (3001, 3, 8, 1, json!({"actor": {"user": {"uid": "boss"}}})),
            (3002, 1, 9, 1, by("ann", "ann")),
            (3004, 2, 10, 1, json!({})),
            (3004, 3, 11, 2, json!({})),
            (3004, 99, 12, 0, json!({})),
            (3005, 1, 13, 1, by("own", "own")),
            (3006, 3, 14, 1, by("own", "own")),
        ],
        "-- time = \"timestamp\"\n",
        "select time from admin_event order by time",
    )
    .await;
    assert_eq!(lines(&found, &["time"]), ["5", "6", "7", "8", "11", "12", "13", "14"]);
}

#[tokio::test]
async fn local_time_is_the_zones_clock() {
    let events: Vec<_> =
        [-1, 0, 86_399_999].map(|after_ms| (3004, 3, SUNDAY + after_ms, 1, json!({}))).into_iter().collect();
    let sql = "select cast(local_time as varchar) as local_time, local_date from admin_event order by time";
    let found = over(&events, "-- local_time = \"string\"\n-- local_date = \"date\"\n", sql).await;
    assert_eq!(
        lines(&found, &["local_time", "local_date"]),
        ["2026-03-07T23:59:59.999 2026-03-07", "2026-03-08T00:00:00 2026-03-08", "2026-03-08T23:59:59.999 2026-03-08"]
    );
}

#[tokio::test]
async fn business_hours_include_their_start_and_not_their_end() {
    let hour = 3_600_000;
    let monday = SUNDAY + 24 * hour;
    let times =
        [SUNDAY + 12 * hour, monday + 8 * hour - 1, monday + 8 * hour, monday + 18 * hour - 1, monday + 18 * hour];
    let events: Vec<_> = times.map(|time| (3004, 3, time, 1, json!({}))).into_iter().collect();
    let sql = "select time, reason from off_hours_event order by time";
    let found = over(&events, "-- time = \"timestamp\"\n-- reason = \"string\"\n", sql).await;
    let expected = [(times[0], "weekend"), (times[1], "before_start"), (times[4], "after_end")];
    assert_eq!(lines(&found, &["time", "reason"]), expected.map(|(time, reason)| format!("{time} {reason}")));
}

#[tokio::test]
async fn privileged_spans_do_not_meet() {
    let of = |subject: &str, privilege: &str| json!({"user": {"uid": subject}, "privileges": [privilege]});
    let found = over(
        &[
            (3005, 1, 10, 1, of("overlap", "admin")),
            (3005, 1, 20, 1, of("overlap", "owner")),
            (3005, 2, 30, 1, of("overlap", "admin")),
            (3005, 2, 40, 1, of("overlap", "owner")),
            (3005, 1, 50, 1, of("overlap", "owner")),
            (3005, 1, 10, 1, of("relay", "admin")),
            (3005, 2, 20, 1, of("relay", "admin")),
            (3005, 1, 20, 1, of("relay", "owner")),
            (3005, 1, 10, 1, of("grant wins", "admin")),
            (3005, 2, 10, 1, of("grant wins", "admin")),
            (3005, 1, 10, 1, of("deleted", "admin")),
            (3001, 6, 20, 1, json!({"user": {"uid": "deleted"}})),
            (3005, 1, 10, 1, of("viewer", "viewer")),
            (3005, 1, 10, 2, of("refused", "admin")),
            (3005, 1, 10, 0, of("kept", "admin")),
            (3005, 2, 20, 0, of("kept", "admin")),
        ],
        "-- subject_uid = \"string\"\n-- since = \"timestamp\"\n-- until = \"timestamp\"\n",
        "select subject_uid, since, until from privileged_span order by subject_uid, since",
    )
    .await;
    assert_eq!(
        lines(&found, &["subject_uid", "since", "until"]),
        ["deleted 10 20", "grant wins 10 null", "kept 10 null", "overlap 10 40", "overlap 50 null", "relay 10 null"]
    );
}

#[tokio::test]
async fn api_key_is_told_by_its_type_and_without_one_by_the_path() {
    let entity = |kind: &str, path: &str| json!({"entity": {"type": kind}, "http_request": {"url": {"path": path}}});
    let found = over(
        &[
            (3004, 1, 1, 1, entity("Service-Account API key", "")),
            (3004, 1, 2, 1, entity("agent", "/v1/api-keys/9")),
            (3004, 1, 3, 1, entity(" ", "/v1/api-keys/9")),
            (3004, 1, 4, 1, entity("", "/v1/api-keys")),
            (3004, 1, 5, 1, entity("", "/v1/api-keys-old")),
            (3004, 1, 6, 1, entity("", "/v1/api-keys/third-party-disabling")),
            (3001, 1, 7, 1, json!({"http_request": {"url": {"path": "/v1/api-keys/9"}}})),
        ],
        "-- time = \"timestamp\"\n",
        "select time from event where is_api_key order by time",
    )
    .await;
    assert_eq!(lines(&found, &["time"]), ["1", "3", "4"]);
}

#[tokio::test]
async fn captions_are_those_of_ocsf() {
    let events = [(3001, 12, 1), (3004, 13, 2), (3004, 14, 3), (3006, 0, 4), (3005, 99, 5)];
    let events: Vec<_> = events.iter().map(|&(class, activity, time)| (class, activity, time, 1, json!({}))).collect();
    let sql = "select c.class, c.activity from event e join activity c on c.class_uid = e.class_uid \
               and c.activity_key = e.activity_key order by e.time";
    let found = over(&events, "-- class = \"string\"\n-- activity = \"string\"\n", sql).await;
    assert_eq!(
        lines(&found, &["class", "activity"]),
        [
            "Account Change Unlock",
            "Entity Management Resume",
            "Entity Management Other",
            "Group Management Unknown",
            "User Access Management Other"
        ]
    );
}

#[tokio::test]
async fn place_of_an_address_comes_from_a_table_where_the_event_has_none() {
    let events = [
        json!({"class_uid": 3002, "activity_id": 1, "time": 1, "device": {"ip": "10.0.0.1"}}),
        json!({"class_uid": 3002, "activity_id": 1, "time": 2, "src_endpoint": {"ip": "10.0.0.2"}}),
        json!({"class_uid": 3002, "activity_id": 1, "time": 3, "device": {"ip": "10.0.0.1", "location": {"city": "Bonn"}}}),
        json!({"class_uid": 3002, "activity_id": 1, "time": 4, "device": {"ip": "10.0.0.3"}}),
    ];
    let report = own(
        "-- country = \"string\"\n-- city = \"string\"\n-- lat = \"double\"\n",
        "select country, city, lat from logon order by time",
    );
    let names = ["country", "city", "lat"];
    let ctx = session(&events);
    let nothing = ["null null null", "null null null", "null Bonn null", "null null null"];
    assert_eq!(lines(&rows_of(&report, &json!({}), &ctx).await, &names), nothing);

    let geo = "select * from (values ('10.0.0.1', 'fr', 'Paris', 48.9, 2.4), (' 10.0.0.1', 'us', null, 1.0, 1.0), \
               ('10.0.0.2', 'de', 'Ulm', 0.0, 0.0)) as t(ip, country, city, lat, long)";
    let view = async |sql: &str| SessionContext::new().sql(sql).await.unwrap().into_view();
    ctx.give("ip_geo", view(geo).await);
    let places = ["FR Paris 48.9", "DE Ulm null", "null Bonn null", "null null null"];
    assert_eq!(lines(&rows_of(&report, &json!({}), &ctx).await, &names), places);

    ctx.give("ip_geo", view("select 'x' as ip").await);
    let params = Params::new(&report, &[], None).unwrap();
    let error = run(&report, &params, &ctx.session().await).await.err().unwrap();
    assert_eq!(error.hint_text(), Some("it needs ip, country, city, lat, long"));
}

#[tokio::test]
async fn scopes_see_their_own_horizons() {
    let events = fixture("monthly-executive-summary");
    let ctx = session(&events);
    let count = |sql: &str| own("-- n = \"bigint\"\n", sql);
    let always = count("select count(*) as n from always.event_row where time >= $to");
    let beyond = events.iter().filter(|e| e["time"].as_i64().is_some_and(|time| time >= 1_773_187_200_000)).count();
    assert!(beyond > 0);
    assert_eq!(rows_of(&always, &json!({}), &ctx).await, [json!({ "n": beyond })]);

    let report = count("select count(*) as n from previous.event");
    let params = Params::new(&report, &[], None).unwrap();
    let error = run(&report, &params, &ctx.session().await).await.err().unwrap();
    assert_eq!(error.hint_text(), Some("a parameter of the type month makes one"));
    let report = count("select count(*) as n from nowhere.event");
    let error = run(&report, &params, &ctx.session().await).await.err().unwrap();
    assert_eq!(error.hint_text(), Some("a view is named alone, or as always.name or previous.name"));
}

#[test]
fn timeline_needs_a_selector() {
    let catalog = Catalog::load(None).unwrap();
    let period = [("from", "2026-01-01"), ("to", "2026-02-01"), ("ip", " ")];
    let given = period.map(|(name, text)| (name.to_string(), text.to_string()));
    let error = Params::new(catalog.get("actor-timeline").unwrap(), &given, None).unwrap_err();
    assert_eq!(error.message(), "report `actor-timeline` needs one of subject, ip, session, entity");
    assert_eq!(error.hint_text(), Some("pass --param subject=..."));
}

#[test]
fn patterns_that_are_not_given_stay() {
    let catalog = Catalog::load(None).unwrap();
    let report = catalog.get("audit-log-config-changes").unwrap();
    let with = |patterns: &str| {
        let given = [("from", "2026-01-01"), ("to", "2026-02-01"), ("patterns", patterns)];
        Params::new(report, &given.map(|(name, text)| (name.to_string(), text.to_string())), None)
    };
    let params = with(r#"{"key_policy": "x"}"#).unwrap();
    let Some(Value::Map(entries)) = params.get("patterns") else { panic!("{params:?}") };
    assert_eq!(entries.len(), 6);
    assert!(entries.iter().any(|(name, pattern)| name == "log_access" && pattern.starts_with("audit")));
    assert!(entries.contains(&("key_policy".to_string(), "x".to_string())));
    for wrong in [r#"{"key_police": "x"}"#, r#"{"key_policy": "("}"#, "key_policy", r#"{"key_policy": 1}"#] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}
