//! Conventions of single events and of the log alone, and the boundaries of the reports over them.

use datafusion::prelude::SessionContext;
use serde_json::json;

use super::*;

/// Returns the text of the named cells of each row, joined.
fn lines(rows: &[Json], names: &[&str]) -> Vec<String> {
    let cell = |row: &Json, name: &str| row[name].as_str().map_or(row[name].to_string(), str::to_string);
    rows.iter().map(|row| names.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(" ")).collect()
}

/// 2026-03-08, a Sunday.
const SUNDAY: i64 = 1_772_928_000_000;

#[tokio::test]
async fn what_members_do_to_their_own_things_is_no_administration() {
    let by = |actor: &str, user: &str| json!({"actor": {"user": {"uid": actor}}, "user": {"uid": user}});
    let admin = |uid: &str| json!({"actor": {"user": {"uid": uid, "type_id": 2}}});
    let mut own_admin = admin("admin");
    own_admin["user"] = json!({"uid": "admin"});
    let grant = json!({"actor": {"user": {"uid": "boss"}}, "user": {"uid": "holder"}, "privileges": ["owner"]});
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
            (3004, 2, 10, 1, admin("admin")),
            (3004, 3, 11, 2, admin("admin")),
            (3004, 99, 12, 0, by("admin", "x")),
            (3005, 1, 13, 1, by("own", "own")),
            (3006, 3, 14, 1, by("own", "own")),
            (3004, 3, 15, 1, by("own", "own")),
            (3004, 3, 16, 1, json!({})),
            (3001, 1, 17, 1, own_admin.clone()),
            (3001, 3, 18, 1, own_admin),
            (3005, 1, 20, 1, grant.clone()),
            (3004, 3, 19, 1, by("holder", "x")),
            (3004, 3, 20, 1, by("holder", "x")),
            (3005, 2, 22, 1, grant),
            (3004, 3, 22, 1, by("holder", "x")),
            // The event itself decides, even if nobody knows who it was.
            (3004, 3, 23, 1, json!({"actor": {"user": {"type_id": 2}}})),
            (3004, 3, 24, 1, json!({"actor": {"user": {"uid": "once", "type_id": 1}}})),
            (3004, 3, 22, 1, admin("once")),
        ],
        "-- time = \"timestamp\"\n",
        "select time from admin_event order by time",
    )
    .await;
    let expected = ["6", "7", "8", "11", "12", "13", "14", "17", "20", "20", "22", "22", "23"];
    assert_eq!(lines(&found, &["time"]), expected);
}

#[tokio::test]
async fn local_time_is_the_zones_clock() {
    let events: Vec<_> =
        [-1, 0, 86_399_999].map(|after_ms| (3006, 3, SUNDAY + after_ms, 1, json!({}))).into_iter().collect();
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
    let events: Vec<_> = times.map(|time| (3006, 3, time, 1, json!({}))).into_iter().collect();
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
async fn one_record_number_of_two_hosts_is_two_events() {
    let of = |host: &str| json!({"metadata": {"uid": "4711"}, "device": {"hostname": host}, "user": {"uid": host}});
    let found = over(
        &[(3002, 1, 10, 1, of("dc1")), (3002, 1, 10, 1, of("dc2")), (3001, 3, 10, 1, of("dc1"))],
        "-- class_uid = \"bigint\"\n-- subject_uid = \"string\"\n",
        "select class_uid, subject_uid from event order by class_uid, subject_uid",
    )
    .await;
    assert_eq!(lines(&found, &["class_uid", "subject_uid"]), ["3001 dc1", "3002 dc1", "3002 dc2"]);
}

#[tokio::test]
async fn stand_ins_are_nobody_and_a_name_is_known_by_its_domain() {
    let user = |user: Json| json!({ "user": user });
    let found = over(
        &[
            (3002, 1, 1, 2, user(json!({"uid": "NULL SID", "name": "ann", "domain": "CORP"}))),
            (3002, 1, 2, 2, user(json!({"name": "ann", "domain": "other"}))),
            (3002, 1, 3, 2, user(json!({"name": "ann"}))),
            (3002, 1, 4, 2, user(json!({"uid": "-", "name": "N/A", "email_addr": "unknown"}))),
            (3002, 1, 5, 1, user(json!({"uid": "S-1-5-21-7", "name": "Ann", "domain": "corp"}))),
            (3002, 1, 6, 2, user(json!({"name": "CORP\\ann", "domain": "CORP"}))),
        ],
        "-- time = \"timestamp\"\n-- subject_uid = \"string\"\n",
        "select time, subject_uid from event order by time",
    )
    .await;
    let expected = ["1 S-1-5-21-7", "2 other\\ann", "3 ann", "4 null", "5 S-1-5-21-7", "6 CORP\\ann"];
    assert_eq!(lines(&found, &["time", "subject_uid"]), expected);
}

#[tokio::test]
async fn silence_that_the_collector_asked_for_is_walked() {
    let report = own(
        "-- since = \"timestamp\"\n-- until = \"timestamp\"\n",
        "select since, until from walked_window order by since",
    );
    let ctx = session(&[]);
    let span = |source: &str, state: &str, from: i64, to: i64| json!({"source": source, "state": state, "from_time": from, "to_time": to});
    add_inputs(
        &ctx,
        &json!({"coverage": [
            span("a", "covered", 10, 20), span("b", "covered", 20, 30), span("b", "covered", 40, 60), span("a", "hole", 45, 50),
            span("a", "hole", 70, 80), span("a", "covered", 90, 100), span("b", "covered", 95, 96),
        ]}),
    );
    let found = rows_of(&report, &json!({}), &ctx).await;
    assert_eq!(lines(&found, &["since", "until"]), ["10 30", "40 45", "50 60", "90 100"]);
}

#[tokio::test]
async fn keys_of_findings_are_different_and_can_be_read_back() {
    let report = own(
        "-- finding_key = \"string\"\n",
        "select finding_key('own', a, b, time) as finding_key from (values ('x|y', null, 5), ('x', '\\', 5), ('x', '\\', 5), \
         ('x', '\\', 6)) as t(a, b, ms) cross join (select time from logon) order by a, b",
    );
    let ctx = session(&events_of(&[(3002, 1, 7, 1, json!({}))]));
    let found = rows_of(&report, &json!({}), &ctx).await;
    let expected = [r"own|x|\\|7", r"own|x|\\|7|2", r"own|x|\\|7|3", r"own|x\|y||7"];
    assert_eq!(lines(&found, &["finding_key"]), expected);
}

fn millis(text: &str) -> i64 {
    crate::typed::parse_time(text).unwrap().millis().unwrap()
}

#[test]
fn as_of_a_day_is_its_end() {
    let catalog = Catalog::load(None).unwrap();
    let as_of = |report: &Report, given: &[(&str, &str)]| {
        let given: Vec<_> = given.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        Params::new(report, &given, None).unwrap().timestamp("as_of").unwrap()
    };
    let roster = catalog.get("account-roster-as-of").unwrap();
    let noon = millis("2026-03-10T12:00:00Z");
    let end = millis("2026-03-10T23:59:59.999Z");
    assert_eq!(as_of(roster, &[("as_of", "2026-03-10T12:00:00Z")]), noon);
    assert_eq!(as_of(roster, &[("as_of", "2026-03-10")]), end);
    assert_eq!(as_of(roster, &[("as_of", "2026-03-10T00:00Z")]), end - 86_399_999);
    let keys = Params::new(
        catalog.get("api-key-lifecycle").unwrap(),
        &[("as_of".to_string(), "2026-03-10".to_string())],
        None,
    );
    assert_eq!(keys.unwrap().timestamp("from"), Some(end - 90 * 86_400_000));

    let zoned = own("-- a = \"int\"\n", "select 1 as a").text.replace(
        "-- to =",
        "-- as_of = { type = \"timestamp\" }\n-- tz = { type = \"timezone\", default = \"UTC\" }\n-- to =",
    );
    let zoned = catalog.read("zoned.sql", &zoned).unwrap();
    let berlin = as_of(&zoned, &[("as_of", "2026-03-10"), ("tz", "Europe/Berlin")]);
    assert_eq!((as_of(&zoned, &[("as_of", "2026-03-10")]), berlin), (end, end - 3_600_000));
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
    assert_eq!(error.hint_text(), Some("a view is named alone, or as always.name, previous.name or logged.name"));
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
    assert_eq!(entries.len(), 7);
    assert!(entries.iter().any(|(name, pattern)| name == "log_access" && pattern.starts_with("audit")));
    assert!(entries.contains(&("key_policy".to_string(), "x".to_string())));
    for wrong in [r#"{"key_police": "x"}"#, r#"{"key_policy": "("}"#, "key_policy", r#"{"key_policy": 1}"#] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}
