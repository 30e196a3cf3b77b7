//! Conventions of single events and of the log alone, and the boundaries of the reports over them.

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
    ctx.register_table("ip_geo", ctx.sql(geo).await.unwrap().into_view()).unwrap();
    let places = ["FR Paris 48.9", "DE Ulm null", "null Bonn null", "null null null"];
    assert_eq!(lines(&rows_of(&report, &json!({}), &ctx).await, &names), places);

    ctx.deregister_table("ip_geo").unwrap();
    ctx.register_table("ip_geo", ctx.sql("select 'x' as ip").await.unwrap().into_view()).unwrap();
    let params = Params::new(&report, &[], None).unwrap();
    let error = run(&report, &params, &ctx).await.err().unwrap();
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
    let error = run(&report, &params, &ctx).await.err().unwrap();
    assert_eq!(error.hint_text(), Some("a parameter of the type month makes one"));
    let report = count("select count(*) as n from nowhere.event");
    let error = run(&report, &params, &ctx).await.err().unwrap();
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

/// As [`super::MUTATIONS`].
pub(super) const MUTATIONS: &[(&str, &str, &str)] = &[
    // C10, C11, C12, C14 as of an event
    ("conventions/event.sql", "coalesce((class_uid = 3004) and activity_id = 2, false)", "false"),
    ("conventions/event.sql", "activity_id in (3, 4, 10, 11)", "activity_id in (3, 4, 10, 11, 1)"),
    ("conventions/event.sql", "activity_id in (3, 4, 10, 11)", "activity_id in (4, 10)"),
    ("conventions/event.sql", "and resolved_user = coalesce", "and resolved_user <> coalesce"),
    ("conventions/event.sql", "'[^a-z0-9]+', '_', 'g')", "'x', '_', 'g')"),
    ("conventions/event.sql", "else regexp_like(path, '/api-keys(/|$)')", "else regexp_like(path, '/api-keys/.')"),
    (
        "conventions/event.sql",
        "class_uid = 3006 and activity_id between 1 and 8",
        "class_uid = 3006 and activity_id = 3",
    ),
    ("conventions/admin_event.sql", "at time zone $tz", "at time zone 'UTC'"),
    ("conventions/off_hours_event.sql", ">= 6", ">= 7"),
    ("conventions/off_hours_event.sql", "< cast($business_start", "<= cast($business_start"),
    ("conventions/off_hours_event.sql", ">= cast($business_end", "> cast($business_end"),
    ("conventions/off_hours_event.sql", "$weekend_off and ", ""),
    ("conventions/off_hours_event.sql", "when array_has($holidays", "when not array_has($holidays"),
    ("conventions/privileged_name.sql", "$privileged_pattern, 'i'", "$privileged_pattern"),
    ("conventions/privileged_span.sql", "order by time, effect, coalesce", "order by time, effect desc, coalesce"),
    ("conventions/privileged_span.sql", "where is_effective and is_privileged", "where is_privileged"),
    ("conventions/privileged_span.sql", "where is_effective and is_privileged", "where is_effective"),
    ("conventions/privileged_span.sql", "d.action = 'delete' and d.is_effective", "d.action = 'disable'"),
    ("conventions/privileged_span.sql", "(held > 0) <> (held_before > 0)", "(held > 1) <> (held_before > 1)"),
    ("conventions/event_row.sql", "then endpoint_city else device_city", "then device_city else endpoint_city"),
    // bursts
    ("accounts/burst-deletion.sql", "is_successful and actor_uid", "is_not_failed and actor_uid"),
    ("accounts/burst-deletion.sql", "and actor_uid is not null", ""),
    ("accounts/burst-deletion.sql", "time >= $from - $lookback", "time > $from - $lookback"),
    ("accounts/burst-deletion.sql", "$include_revokes and", ""),
    ("accounts/burst-deletion.sql", "else time + $window", "else time + $window + interval '1 millisecond'"),
    ("accounts/burst-deletion.sql", "in_window >= $threshold then", "in_window > $threshold then"),
    ("accounts/burst-deletion.sql", "next_trigger < time + $window", "next_trigger <= time + $window"),
    ("accounts/burst-deletion.sql", "time < previous + $window", "time <= previous + $window"),
    ("accounts/burst-deletion.sql", "in_window >= $threshold) >= $from", "in_window >= $threshold) > $from"),
    ("accounts/burst-deletion.sql", "in_window >= $threshold) >= $from", "in_window >= 0) >= $from"),
    ("accounts/burst-deletion.sql", "f.actions >= 5 * $threshold", "f.actions > 5 * $threshold"),
    ("accounts/burst-deletion.sql", "f.actions >= 5 * $threshold", "f.actions >= 4 * $threshold"),
    ("accounts/burst-deletion.sql", "f.has_accounts and i.user_type", "i.user_type"),
    ("accounts/burst-deletion.sql", "group_key, path) as target", "group_key) as target"),
    // travel
    ("authentication/impossible-travel.sql", "(is_vpn is distinct from true)", "is_vpn is null"),
    ("authentication/impossible-travel.sql", "(is_vpn is distinct from true)", "true"),
    ("authentication/impossible-travel.sql", "outcome = 'success'", "outcome <> 'failure'"),
    ("authentication/impossible-travel.sql", "time >= $from - $lookback", "time > $from - $lookback"),
    ("authentication/impossible-travel.sql", "and time >= $from\n", "and time > $from\n"),
    ("authentication/impossible-travel.sql", "coalesce(event_uid, ''), src_ip", "src_ip"),
    ("authentication/impossible-travel.sql", "r.distance >= $min", "r.distance > $min"),
    ("authentication/impossible-travel.sql", "r.speed > $max", "r.speed >= $max"),
    ("authentication/impossible-travel.sql", "r.gap_ms = 0 or", ""),
    ("authentication/impossible-travel.sql", "r.prev_ip, true)", "r.prev_ip, false)"),
    ("authentication/impossible-travel.sql", "r.mfa is distinct from true", "r.mfa is null"),
    ("authentication/impossible-travel.sql", "6371.0088", "6371"),
    ("authentication/impossible-travel.sql", "round(r.speed, 1)", "round(r.speed, 2)"),
    // second factors
    ("accounts/mfa-factor-changes.sql", "groups between 1 following", "groups between current row"),
    ("accounts/mfa-factor-changes.sql", "c.next_enable <= c.time", "c.next_enable < c.time"),
    ("accounts/mfa-factor-changes.sql", "+ $reenable_window > $to", "+ $reenable_window >= $to"),
    ("accounts/mfa-factor-changes.sql", "and c.subject_uid is not null", ""),
    ("accounts/mfa-factor-changes.sql", "'mfa_enable' and is_effective", "'mfa_enable'"),
    ("accounts/mfa-factor-changes.sql", "p.since <= c.time", "p.since < c.time"),
    ("accounts/mfa-factor-changes.sql", "c.time < p.until", "c.time <= p.until"),
    ("accounts/mfa-factor-changes.sql", "or m.is_lost and m.by_other and m.privileged", ""),
    ("accounts/mfa-factor-changes.sql", "time >= $from and time < $to", "time > $from and time < $to"),
    // off-hours
    ("behaviour/off-hours-admin-activity.sql", "interval '28 days' and e.time", "interval '27 days' and e.time"),
    ("behaviour/off-hours-admin-activity.sql", "< g.first_time - interval", "<= g.first_time - interval"),
    ("behaviour/off-hours-admin-activity.sql", "or $include_failed", ""),
    ("behaviour/off-hours-admin-activity.sql", "e.is_not_failed or", "e.is_successful or"),
    ("behaviour/off-hours-admin-activity.sql", "array_has($exempt, e.actor_uid), false)", "false, false)"),
    ("behaviour/off-hours-admin-activity.sql", "where time >= $from", "where time > $from"),
    ("behaviour/off-hours-admin-activity.sql", "e.class_uid = 3005 and", ""),
    ("behaviour/off-hours-admin-activity.sql", "filter (where time = first_time)", ""),
    // the log's settings
    ("conventions/event_category.sql", "(class_uid = 3004 and activity_id = 2 or", "("),
    ("conventions/event_category.sql", "upper(http_method)", "http_method"),
    ("conventions/event_category.sql", "lower(concat", "concat_ws('', concat"),
    ("conventions/event_category.sql", "' ', activity_name", "' '"),
    ("behaviour/audit-log-config-changes.sql", "e.time >= $from", "e.time > $from"),
    ("behaviour/audit-log-config-changes.sql", "date_trunc('day', time)", "date_trunc('month', time)"),
    ("behaviour/audit-log-config-changes.sql", "where position = 1", "where position = 2"),
    ("behaviour/audit-log-config-changes.sql", "activity_id in (4, 9, 11, 12)", "activity_id in (4, 9, 11)"),
    ("behaviour/audit-log-config-changes.sql", "case l.category when 'log_config' then 5 else 4 end", "4"),
    ("behaviour/audit-log-config-changes.sql", "and not l.is_approved then 4", "then 4"),
    ("behaviour/audit-log-config-changes.sql", "activity_id in (1, 3)", "activity_id in (1, 3, 8)"),
    ("behaviour/audit-log-config-changes.sql", "when l.status_id = 2 then 2", ""),
    // gaps
    ("conventions/log_gap.sql", "time > prev_time + $max_gap", "time >= prev_time + $max_gap"),
    ("conventions/log_gap.sql", "overlap_start < overlap_end", "overlap_start <= overlap_end"),
    ("conventions/log_gap.sql", "always.distinct_event", "always.event_row"),
    ("conventions/log_gap.sql", "always.distinct_event", "distinct_event"),
    ("conventions/log_gap.sql", "order by time, event_uid nulls last", "order by time desc, event_uid nulls last"),
    ("conventions/log_gap.sql", "order by time, event_uid nulls last", "order by time, event_uid desc nulls last"),
    ("conventions/log_gap.sql", "order by time, coalesce(event_uid, '')", "order by time, coalesce(event_uid, 'zz')"),
    (
        "conventions/log_gap.sql",
        "min(event_uid) as smallest, max(event_uid)",
        "max(event_uid) as smallest, min(event_uid)",
    ),
    ("conventions/log_gap.sql", "and prev_time is not null", ""),
    (
        "log/log-gaps.sql",
        "+ $max_gap + $max_gap + $max_gap + $max_gap then 4",
        "+ $max_gap + $max_gap + $max_gap then 4",
    ),
    (
        "log/log-gaps.sql",
        "gap_end > gap_start + $max_gap + $max_gap then 3",
        "gap_end >= gap_start + $max_gap + $max_gap then 3",
    ),
    // completeness
    ("conventions/event_element.sql", "class_uid <> 3002 or actor_uid is null", "true"),
    ("conventions/event_element.sql", "and activity_id <> 0", ""),
    ("conventions/event_element.sql", "(type_uid = class_uid * 100 + activity_id) and", ""),
    ("conventions/event_element.sql", "status_id in (1, 2)", "status_id in (1, 2, 99)"),
    ("conventions/event_element.sql", "cardinality(privileges), 0) > 0", "cardinality(privileges), 0) >= 0"),
    ("conventions/event_element.sql", "entity_uid, entity_result_uid, entity_name)", "entity_uid, entity_name)"),
    ("log/mandatory-field-completeness.sql", "time >= $from", "time > $from"),
    ("log/mandatory-field-completeness.sql", "> 0.5 then", ">= 0.5 then"),
    ("log/mandatory-field-completeness.sql", "> $max_share", ">= $max_share"),
    // timeline
    ("behaviour/actor-timeline.sql", "interval '90 days'", "interval '91 days'"),
    ("behaviour/actor-timeline.sql", "e.time >= $from - interval '90 days'", "e.time > $from - interval '90 days'"),
    ("behaviour/actor-timeline.sql", "where time >= $from", "where time > $from"),
    ("behaviour/actor-timeline.sql", "> n.previous_time + $burst_gap", ">= n.previous_time + $burst_gap"),
    ("behaviour/actor-timeline.sql", "lower(o.email) = lower(trim($subject))", "o.email = trim($subject)"),
    ("behaviour/actor-timeline.sql", "or s.uid is not null)", ")"),
    ("behaviour/actor-timeline.sql", "coalesce(r.copies, 1)", "1"),
    ("behaviour/actor-timeline.sql", "at time zone $tz", "at time zone 'UTC'"),
    ("behaviour/actor-timeline.sql", "n.nth_of_ip = 1", "n.nth_of_ip <= 2"),
    ("behaviour/actor-timeline.sql", "or e.subgroup_key = trim($entity)", ""),
    // PCI
    ("summaries/pci-10-2-1-coverage-matrix.sql", "interval '90 days'", "interval '91 days'"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "e.time >= $from - interval", "e.time > $from - interval"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "s.since <= e.time", "s.since < e.time"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "e.time < s.until", "e.time <= s.until"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "or e.actor_user_type_id = 2", ""),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "between 1 and 12", "between 1 and 11"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "or e.is_api_key", ""),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "(e.class_uid <> 3002 or e.activity_id = 1)", "true"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "e.has_outcome and", ""),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "coalesce(e.has_object, true)", "true"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "greatest(gap_start, $from)", "gap_start"),
    ("summaries/pci-10-2-1-coverage-matrix.sql", "array_slice(uids, 1, 3)", "array_slice(uids, 1, 4)"),
    // failures
    ("behaviour/failed-admin-actions.sql", "time >= $from and time < $to", "time > $from and time < $to"),
    ("behaviour/failed-admin-actions.sql", "and time >= first_failure", "and time > first_failure"),
    ("behaviour/failed-admin-actions.sql", "is_effective and time", "is_successful and time"),
    ("behaviour/failed-admin-actions.sql", "f.failures >= 3 *", "f.failures > 3 *"),
    ("behaviour/failed-admin-actions.sql", "f.failures >= $min_failures or", "f.failures > $min_failures or"),
    ("behaviour/failed-admin-actions.sql", "or f.later_success is not null\norder", "\norder"),
    ("behaviour/failed-admin-actions.sql", "in (3005, 3006)", "in (3005)"),
    ("authentication/success-after-failures.sql", "f.time < s.time", "f.time <= s.time"),
    ("authentication/success-after-failures.sql", "f.time >= s.time - $window", "f.time > s.time - $window"),
    ("authentication/success-after-failures.sql", "and f.run = s.run", ""),
    ("authentication/success-after-failures.sql", "s.time >= $from", "s.time > $from"),
    ("authentication/success-after-failures.sql", "count(*) >= $threshold", "count(*) > $threshold"),
    ("authentication/success-after-failures.sql", "last_from_ip < time", "last_from_ip <= time"),
    ("authentication/success-after-failures.sql", "(j.mfa is distinct from true)", "j.mfa is null"),
    // the month
    ("conventions/month_metric.sql", "where time >= $from and time < $to", "where time > $from and time < $to"),
    (
        "conventions/month_metric.sql",
        "activity_id = 1 and is_not_failed) as double) as accounts",
        "activity_id = 1) as double) as accounts",
    ),
    (
        "conventions/month_metric.sql",
        "activity_id in (5, 6) and is_successful",
        "activity_id in (5, 6) and is_not_failed",
    ),
    ("conventions/month_metric.sql", "activity_id = 2 and is_successful", "activity_id = 2"),
    ("conventions/month_metric.sql", "activity_id = 11 and is_successful", "activity_id = 11"),
    (
        "conventions/month_metric.sql",
        "is_api_key and activity_id = 1 and is_not_failed",
        "is_api_key and activity_id = 1",
    ),
    (
        "conventions/month_metric.sql",
        "is_api_key and activity_id = 4 and is_successful",
        "is_api_key and activity_id = 4",
    ),
    ("conventions/month_metric.sql", "where is_not_failed and time >= $from", "where time >= $from"),
    ("conventions/month_metric.sql", "and coalesce(s.account_state <> 'deleted', true)", ""),
    ("conventions/month_metric.sql", "in_window >= $bf_threshold) >= $from", "in_window >= $bf_threshold) > $from"),
    ("conventions/month_metric.sql", "next_trigger < time + $bf_window", "next_trigger <= time + $bf_window"),
    ("conventions/month_metric.sql", "coalesce(is_mfa, session_is_mfa)", "coalesce(session_is_mfa, is_mfa)"),
    ("conventions/month_metric.sql", "actor_uid is null and subject_uid is null", "actor_uid is null"),
    ("summaries/monthly-executive-summary.sql", "previous.month_metric", "month_metric"),
];
