//! A report whose SQL is changed by the least that matters gives other rows over its fixture.

use super::*;

/// Boundaries, moved by the least that matters: (file, text, other text); more are in mutations.json.
const MUTATIONS: &[(&str, &str, &str)] = &[
    // C4, C5, C6, C7, C8, C10
    ("conventions/email_uid.sql", "last_seen desc", "last_seen"),
    ("conventions/user_object.sql", "'0' as place", "'2' as place"),
    ("conventions/user_object.sql", ", event_uid, chr(1), place", ", place, event_uid"),
    ("conventions/user_object.sql", ", event_uid, chr(1), place", ", place"),
    ("conventions/email_uid.sql", "lower(email) as email", "email as email"),
    ("conventions/event_row.sql", "strpos(subject_name, '@') > 0", "strpos(subject_name, '@') > 99"),
    ("conventions/event_row.sql", "coalesce(endpoint_ip, device_ip, ", "coalesce(device_ip, endpoint_ip, "),
    ("conventions/event_row.sql", "endpoint_ip, device_ip, forwarded_ip)", "endpoint_ip, device_ip)"),
    ("conventions/event_row.sql", "names(privileges)", "privileges"),
    ("conventions/event.sql", "coalesce(app_uid, app_name)", "coalesce(app_name, app_uid)"),
    ("conventions/event.sql", "class_uid = 3002 then coalesce(resolved_user, resolved_actor)", "false then ''"),
    ("conventions/event_row.sql", "is distinct from 2", "= 1"),
    ("conventions/event_row.sql", "is not distinct from 1", "is distinct from 2"),
    ("conventions/identity.sql", "first_value(email order by last_seen desc)", "first_value(email order by last_seen)"),
    ("conventions/identity.sql", "first_value(name order by last_seen desc)", "first_value(name order by last_seen)"),
    (
        "conventions/identity.sql",
        "first_value(type_id order by last_seen desc)",
        "first_value(type_id order by last_seen)",
    ),
    ("conventions/access_fact.sql", "$privileged_pattern, 'i')", "$privileged_pattern)"),
    ("conventions/access_fact.sql", "activity_id in (7, 8)", "activity_id in (8, 8)"),
    ("conventions/access_fact.sql", "activity_id in (1, 2)", "activity_id in (1, 1, 2, 3) and status_id = 1"),
    // accounts
    (
        "accounts/user-provisioning-log.sql",
        "action = 'create' and e.time >= $from",
        "action = 'create' and e.time > $from",
    ),
    ("accounts/user-provisioning-log.sql", "d.time > c.created_time", "d.time >= c.created_time"),
    ("accounts/user-provisioning-log.sql", "and d.is_effective", ""),
    ("accounts/user-provisioning-log.sql", "o.time >= l.created_time", "o.time > l.created_time"),
    ("accounts/user-provisioning-log.sql", "o.time < l.deleted_time", "o.time <= l.deleted_time"),
    ("accounts/user-provisioning-log.sql", "time < created_time + $early", "time <= created_time + $early"),
    ("accounts/user-provisioning-log.sql", "m.time >= c.created_time", "m.time > c.created_time"),
    ("accounts/user-provisioning-log.sql", "filter (where time = first_time and", "filter (where"),
    (
        "accounts/user-provisioning-log.sql",
        "kind = 'member' and effect = 'open' and is_effective",
        "kind = 'member' and effect = 'open'",
    ),
    ("accounts/user-provisioning-log.sql", "l.actor_uid is null or ", ""),
    ("accounts/user-provisioning-log.sql", "when l.is_effective and (l", "when (l"),
    ("accounts/user-provisioning-log.sql", "cardinality($automation_actors) > 0 and", ""),
    ("accounts/user-provisioning-log.sql", "l.event_uid nulls last", "l.event_uid nulls first"),
    // summary
    ("authentication/auth-outcome-summary.sql", "time >= $from and", "time > $from and"),
    ("authentication/auth-outcome-summary.sql", "time at time zone $tz", "time at time zone 'UTC'"),
    ("authentication/auth-outcome-summary.sql", "select $to - interval '1 millisecond'", "select $from"),
    ("authentication/auth-outcome-summary.sql", "'success' and mfa)", "'success')"),
    ("authentication/auth-outcome-summary.sql", "failures >= $min_failures", "failures > $min_failures"),
    ("authentication/auth-outcome-summary.sql", "failures > successes", "failures >= successes"),
    ("authentication/auth-outcome-summary.sql", "key nulls last", "key nulls first"),
    ("authentication/auth-outcome-summary.sql", "not in ('success', 'failure')", "= 'other'"),
    ("conventions/logon.sql", "and activity_id = 1", ""),
    // brute force
    (
        "authentication/brute-force-by-user.sql",
        "time >= $from - $lookback and time < $to",
        "time > $from - $lookback and time < $to",
    ),
    ("authentication/brute-force-by-user.sql", "else time + $window", "else time + $window + interval '1 millisecond'"),
    ("authentication/brute-force-by-user.sql", "else time + $window", "else time + $window - interval '1 millisecond'"),
    ("authentication/brute-force-by-user.sql", "in_window >= $threshold then", "in_window > $threshold then"),
    ("authentication/brute-force-by-user.sql", "next_trigger < time + $window", "next_trigger <= time + $window"),
    ("authentication/brute-force-by-user.sql", "time < previous + $window", "time <= previous + $window"),
    ("authentication/brute-force-by-user.sql", "in_window >= $threshold) >= $from", "in_window >= $threshold) > $from"),
    ("authentication/brute-force-by-user.sql", "in_window >= $threshold) >= $from", "in_window >= 0) >= $from"),
    ("authentication/brute-force-by-user.sql", "e.time <= f.last_time + $window)", "e.time < f.last_time + $window)"),
    (
        "authentication/brute-force-by-user.sql",
        "e.time <= f.last_time + $window)",
        "e.time <= f.last_time + $window + interval '1 millisecond')",
    ),
    ("authentication/brute-force-by-user.sql", "and e.time >= f.first_time", "and e.time > f.first_time"),
    ("authentication/brute-force-by-user.sql", "and e.time >= f.first_time", ""),
    ("authentication/brute-force-by-user.sql", "e.time >= f.trigger_time", "e.time > f.trigger_time"),
    ("authentication/brute-force-by-user.sql", "e.time >= f.trigger_time", "e.time >= f.first_time"),
    (
        "authentication/brute-force-by-user.sql",
        "f.last_time + $success_window",
        "f.last_time + $success_window + interval '1 millisecond'",
    ),
    (
        "authentication/brute-force-by-user.sql",
        "e.time <= f.last_time + $success_window",
        "e.time < f.last_time + $success_window",
    ),
    (
        "authentication/brute-force-by-user.sql",
        "order by e.time, coalesce(e.event_uid, '')",
        "order by e.time, coalesce(e.event_uid, '') desc",
    ),
    ("authentication/brute-force-by-user.sql", "action = 'lock' and is_effective", "action = 'lock'"),
    ("authentication/brute-force-by-user.sql", "filter (where src_ip is not null)", ""),
];

/// Returns the same definitions, with the views that most reports use kept in memory: a fixture is small, and most of a
/// run's time is the planning of inlined views.
fn kept_in_memory(mut files: Vec<(String, String)>) -> Vec<(String, String)> {
    for view in ["event_element", "event_category", "event_authority", "logon"] {
        let path = format!("conventions/{view}.sql");
        let file = files.iter_mut().find(|(name, _)| *name == path).unwrap();
        file.1 = format!("-- evaluate: once\n{}", file.1);
    }
    files
}

#[tokio::test]
#[ignore = "takes minutes; run it after changing a report or its fixture"]
async fn every_moved_boundary_is_noticed() {
    let files = kept_in_memory(catalog::all::embedded().unwrap());
    let mut unnoticed = Vec::new();
    let more: Vec<(String, String, String)> =
        serde_json::from_str(&fs::read_to_string(format!("{DATA}/mutations.json")).unwrap()).unwrap();
    let more = more.iter().map(|(path, text, other)| (path.as_str(), text.as_str(), other.as_str()));
    // The events of a case are decoded once.
    let mut samples: HashMap<String, Vec<Sample>> = HashMap::new();
    // Dependencies of each report; reports with few of them are quick, so they come first.
    let mut stands: Vec<(String, BTreeSet<String>)> = Vec::new();
    for report in Catalog::parse(files.clone(), None).unwrap().list() {
        let cases = read_json(format!("{DATA}/{}.expected.json", report.id));
        let params = Params::new(report, &given(&cases[0]["parameters"]), None).unwrap();
        let made = cases.as_array().unwrap().iter().map(|case| {
            let sample = session(&fixture(&report.id));
            add_inputs(&sample, &case["inputs"]);
            sample
        });
        let made = samples.entry(report.id.clone()).or_insert(made.collect());
        let outcome = run(report, &params, &made[0].session().await).await.unwrap();
        stands.push((report.id.clone(), outcome.used().views.iter().map(|(name, _)| name.clone()).collect()));
        assert_eq!(Json::Array(rows(&outcome.collect().await.unwrap())), cases[0]["rows"], "{}", report.id);
    }
    stands.sort_by_key(|(_, views)| views.len());
    let wanted = std::env::var("MUTATIONS").unwrap_or_default();
    for (path, text, other) in MUTATIONS.iter().chain(boundaries::MUTATIONS).copied().chain(more) {
        if !path.contains(&wanted) {
            continue;
        }
        let view = path.strip_prefix("conventions/").and_then(|file| file.strip_suffix(".sql"));
        let mut files = files.clone();
        let file = files.iter_mut().find(|(name, _)| name == path).unwrap();
        if !file.1.contains(text) {
            unnoticed.push(format!("{path}: no `{text}`"));
            continue;
        }
        file.1 = file.1.replace(text, other);
        let conventions = files
            .iter()
            .filter_map(|(path, text)| path.strip_prefix("conventions/").map(|name| (name.to_string(), text.clone())));
        let conventions = Arc::new(Conventions::parse(&conventions.collect::<Vec<_>>()).unwrap());
        let catalog = Catalog::parse(files, None).unwrap();
        let mut is_noticed = false;
        'reports: for (id, views) in &stands {
            if view.map_or(!path.contains(id.as_str()), |view| !views.contains(view)) {
                continue;
            }
            let report = catalog.get(id).unwrap();
            let cases = read_json(format!("{DATA}/{id}.expected.json"));
            for (case, ctx) in cases.as_array().unwrap().iter().zip(samples.get_mut(id).unwrap()) {
                ctx.set_conventions(conventions.clone());
                let params = Params::new(report, &given(&case["parameters"]), None).unwrap();
                let found = match run(report, &params, &ctx.session().await).await {
                    Ok(outcome) => outcome.collect().await,
                    Err(error) => Err(error),
                };
                is_noticed = found.is_err() || found.is_ok_and(|found| Json::Array(rows(&found)) != case["rows"]);
                if is_noticed {
                    break 'reports;
                }
            }
        }
        if !is_noticed {
            unnoticed.push(format!("{path}: `{text}` became `{other}`"));
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}
