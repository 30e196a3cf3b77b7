//! Tests that entries are as the reports and the contract require.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use serde_json::Value;

use super::calendar::{HOUR_MS, MINUTE_MS};
use super::*;

fn bytes(options: &Options) -> (Vec<u8>, Summary) {
    let mut out = Vec::new();
    let summary = run(options, &mut out).unwrap();
    (out, summary)
}

fn entries(options: &Options) -> (Vec<Value>, Summary) {
    let (out, summary) = bytes(options);
    assert_eq!(out.len() as u64, summary.bytes);
    let lines = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (lines.map(|line| serde_json::from_slice(line).unwrap()).collect(), summary)
}

/// Returns the texts of an attribute that occurs once per entry, without parsing whole entries.
fn scan<'b>(out: &'b [u8], prefix: &str) -> Vec<&'b str> {
    let out = std::str::from_utf8(out).unwrap();
    out.lines().map(|line| line.split_once(prefix).unwrap().1.split([',', '"']).next().unwrap()).collect()
}

fn of(count: u64) -> Options {
    Options { count, ..Options::default() }
}

fn at<'v>(entry: &'v Value, path: &str) -> &'v Value {
    entry.pointer(path).unwrap_or(&Value::Null)
}

fn text<'v>(entry: &'v Value, path: &str) -> &'v str {
    at(entry, path).as_str().unwrap_or("")
}

fn int(entry: &Value, path: &str) -> i64 {
    at(entry, path).as_i64().unwrap_or(-1)
}

/// Returns (class_uid, activity_id, status_id).
fn what(entry: &Value) -> (i64, i64, i64) {
    (int(entry, "/class_uid"), int(entry, "/activity_id"), int(entry, "/status_id"))
}

fn contract() -> Value {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/audit-log-api/entries.schema.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn same_options_give_the_same_bytes_and_another_seed_others() {
    let (first, summary) = bytes(&of(3_000));
    assert_eq!(bytes(&of(3_000)), (first.clone(), summary));
    assert_ne!(bytes(&Options { seed: 2, ..of(3_000) }).0, first);
}

/// The whole chain in one number: it changes only when somebody changes the entries on purpose.
#[test]
fn the_bytes_of_a_seed_do_not_drift() {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(bytes(&of(2_500)).0);
    let hex: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "41af1235fb0af798");
}

#[test]
fn count_is_exact() {
    for (count, days, users) in
        [(0, 31, 200), (1, 1, 16), (7, 1, 16), (40, 2, 20), (150, 31, 200), (2_000, 1, 40), (5_001, 90, 1_000)]
    {
        let options = Options { days, users, ..of(count) };
        let (entries, summary) = entries(&options);
        assert_eq!((entries.len() as u64, summary.entries), (count, count), "{options:?}");
    }
}

#[test]
fn impossible_options_are_refused() {
    let refused = [Options { users: 3, ..of(1) }, Options { days: 0, ..of(1) }, Options { start_ms: 5, ..of(1) }];
    for options in refused {
        assert_eq!(run(&options, &mut Vec::new()).unwrap_err().kind(), Kind::Usage);
    }
}

#[test]
fn ids_are_unique_and_times_rise_within_the_period() {
    for options in [of(10_000), Options { days: 3, users: 20, seed: 9, ..of(10_000) }] {
        let (out, _) = bytes(&options);
        let ids: HashSet<&str> = scan(&out, "{\"id\":\"").into_iter().collect();
        assert_eq!(ids.len() as u64, options.count);
        let times: Vec<i64> = scan(&out, "\"time\":").into_iter().map(|time| time.parse().unwrap()).collect();
        assert!(times.is_sorted());
        let end = options.start_ms + i64::from(options.days) * DAY_MS;
        assert!(times[0] >= options.start_ms && times[times.len() - 1] < end);
    }
}

fn fits(value: &Value, field: &Value) -> bool {
    if value.is_null() {
        return field["nullable"] == true;
    }
    let type_fits = match field["type"].as_str().unwrap() {
        "int" | "long" => value.is_i64(),
        "string" => value.is_string(),
        _ => value.is_object(),
    };
    let allowed = field["enum"].as_array();
    type_fits && allowed.is_none_or(|allowed| allowed.contains(value))
}

#[test]
fn every_entry_has_the_fields_of_the_contract() {
    let contract = contract();
    let classes: HashMap<i64, &Vec<Value>> = contract["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| (class["class_uid"].as_i64().unwrap(), class["fields"].as_array().unwrap()))
        .collect();
    let (entries, _) = entries(&of(10_000));
    let mut seen = BTreeSet::new();
    for entry in &entries {
        let (class_uid, activity_id, _) = what(entry);
        for field in classes[&class_uid] {
            let name = field["name"].as_str().unwrap();
            match entry.get(name) {
                Some(value) => assert!(fits(value, field), "{name} in {entry}"),
                None => assert!(matches!(name, "device" | "http_request"), "no {name} in {entry}"),
            }
        }
        assert_eq!(int(entry, "/type_uid"), class_uid * 100 + activity_id);
        let caption = format!("{}: {}", text(entry, "/class_name"), text(entry, "/activity_name"));
        assert_eq!(text(entry, "/type_name"), caption);
        assert_eq!(at(entry, "/id"), at(entry, "/metadata/uid"));
        let time_dt = chrono::DateTime::parse_from_rfc3339(text(entry, "/time_dt")).unwrap();
        assert_eq!(time_dt.timestamp_millis(), int(entry, "/time"));
        assert!(at(entry, "/actor/user").is_object());
        assert!(!text(entry, "/message").contains(['{', '}']), "{entry}");
        assert!(
            !text(entry, "/http_request/url/path").contains(['{', '}'])
                && !text(entry, "/http_request/url/path").contains("//"),
            "{entry}"
        );
        let object = match class_uid {
            3001 | 3002 => "/user",
            3004 => "/entity",
            3005 => "/privileges",
            _ => "/group",
        };
        assert!(!at(entry, object).is_null(), "no {object} in {entry}");
        seen.insert(class_uid);
    }
    assert_eq!(seen.len(), 5);
    let average = bytes(&of(20_000)).1.bytes / 20_000;
    assert!((1_700..=2_000).contains(&average), "{average} bytes on average");
}

#[test]
fn every_name_of_the_vendor_is_known_and_used() {
    let contract = contract();
    let query = contract["endpoint"]["query"].as_array().unwrap();
    let names = query.iter().find(|field| field["name"] == "activity_name").unwrap()["open_enum"].as_array().unwrap();
    let names: BTreeSet<&str> = names.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names.len(), 130);
    assert_eq!(data::ROWS.iter().map(|row| row.name).collect::<BTreeSet<_>>(), names);
    let (out, _) = bytes(&of(100_000));
    let used: BTreeSet<&str> = scan(&out, "\"activity_name\":\"").into_iter().collect();
    assert_eq!(names.difference(&used).collect::<Vec<_>>(), Vec::<&&str>::new());

    let classes = scan(&out, "\"class_uid\":");
    let share = |class_uid| classes.iter().filter(|class| **class == class_uid).count() * 100 / classes.len();
    let shares = ["3001", "3002", "3004", "3005", "3006"].map(share);
    assert!(shares[2] > 60 && (6..25).contains(&shares[1]) && shares[0] < 8, "{shares:?}");
}

#[test]
fn the_quiet_night_is_empty() {
    for seed in [1, 2, 3] {
        let options = Options { seed, ..of(60_000) };
        let (begin, end) = calendar::quiet_night(options.start_ms, options.days).unwrap();
        assert_eq!(end - begin, 9 * HOUR_MS);
        assert!(calendar::weekday(begin) < 4);
        let (out, summary) = bytes(&options);
        let times = scan(&out, "\"time\":").into_iter().map(|time| time.parse::<i64>().unwrap());
        assert_eq!(times.filter(|time| (begin..end).contains(time)).count(), 0);
        assert!(summary.stories.iter().any(|story| story.name == "quiet night"));
    }
}

/// The ledgers of the report catalogue, in short: what closes was open, and an account that is created did not exist.
#[test]
fn what_closes_was_open_before() {
    let (entries, _) = entries(&Options { users: 60, ..of(30_000) });
    let mut open: HashSet<(&str, &str, &str)> = HashSet::new();
    let (mut accounts, mut closes) = (HashSet::new(), 0);
    for entry in entries.iter().filter(|entry| int(entry, "/status_id") == 1) {
        let (class_uid, id, _) = what(entry);
        let (subject, entity, group) =
            (text(entry, "/user/uid"), text(entry, "/entity/uid"), text(entry, "/group/uid"));
        let privilege = text(entry, "/privileges/0");
        let (key, is_open) = match (class_uid, id) {
            (3004, 1 | 4) if text(entry, "/entity/type").ends_with("api_key") => {
                assert_ne!(text(entry, "/entity/user/uid"), "");
                (("key", entity, ""), id == 1)
            }
            (3005, _) => ((subject, privilege, text(entry, "/resources/0/uid")), id == 1),
            (3006, 1 | 2) => ((group, privilege, "right"), id == 1),
            (3006, 3 | 4) => ((group, subject, "member"), id == 3),
            (3006, 7 | 8) => ((group, text(entry, "/subgroup/uid"), "nested"), id == 7),
            (3006, 5) => {
                open.retain(|key| key.0 != group && key.1 != group);
                continue;
            }
            (3001, 1) => {
                assert!(accounts.insert(subject), "{subject} is created twice");
                continue;
            }
            _ => {
                accounts.insert(text(entry, "/actor/user/uid"));
                continue;
            }
        };
        let was_open = if is_open { !open.insert(key) } else { !open.remove(&key) };
        closes += usize::from(!is_open);
        assert!(!was_open, "{key:?} at {entry}");
    }
    assert!(closes > 300, "{closes}");
}

/// Looks for each story as a report would.
#[test]
fn every_story_is_told() {
    for (count, seed) in [(2_000, 1), (2_000, 5), (5_000, 1)] {
        let (entries, summary) = entries(&Options { seed, ..of(count) });
        let names: Vec<&str> = summary.stories.iter().map(|story| story.name).collect();
        assert_eq!(names.len(), 10, "{names:?}");
        let told = |name: &str| summary.stories.iter().find(|story| story.name == name).unwrap().text.as_str();
        let hero = |name: &str| told(name).split(':').next().unwrap().to_owned();
        let about = |email: &str| -> Vec<&Value> {
            let is_it = |entry: &&Value| text(entry, "/user/email_addr") == email || text(entry, "/user/name") == email;
            entries.iter().filter(is_it).collect()
        };
        let by = |email: &str| -> Vec<&Value> {
            entries.iter().filter(|entry| text(entry, "/actor/user/email_addr") == email).collect()
        };
        let time = |entry: &Value| int(entry, "/time");
        let ip = |entry: &Value| {
            let known = ["/src_endpoint/ip", "/device/ip", "/http_request/x_forwarded_for/0"];
            known.map(|path| text(entry, path)).into_iter().find(|ip| !ip.is_empty()).unwrap_or("").to_owned()
        };

        let victim = hero("brute force");
        let logons: Vec<&Value> = about(&victim).into_iter().filter(|entry| ip(entry) == "192.0.2.66").collect();
        assert_eq!(logons.iter().filter(|entry| what(entry) == (3002, 1, 2)).count(), 12);
        assert!(time(logons[11]) - time(logons[0]) < 6 * MINUTE_MS);
        assert_eq!(what(logons[12]), (3002, 1, 1));
        let is_key = |entry: &&&Value| what(entry) == (3004, 1, 1) && ip(entry) == "192.0.2.66";
        let key = by(&victim).iter().find(is_key).map(|entry| text(entry, "/entity/type"));
        assert_eq!(key, Some("user_api_key"));

        let locked = hero("lock-out");
        assert!(about(&locked).iter().any(|entry| what(entry) == (3001, 9, 1)));

        let leaver = hero("leaver with open access");
        let off = about(&leaver).into_iter().find(|entry| what(entry) == (3001, 5, 1)).map(time).unwrap();
        let after: Vec<&Value> = by(&leaver).into_iter().filter(|entry| time(entry) > off).collect();
        assert_eq!(after.len(), 3);
        let used = text(after[0], "/actor/session/credential_uid");
        assert!(by(&leaver).iter().any(|entry| what(entry) == (3004, 1, 1) && text(entry, "/entity/uid") == used));
        assert!(!entries.iter().any(|entry| what(entry) == (3004, 4, 1) && text(entry, "/entity/uid") == used));
        assert!(!about(&leaver).iter().any(|entry| what(entry) == (3005, 2, 1)));

        let granter = hero("self-granted privilege");
        let is_self =
            |entry: &&Value| what(entry) == (3005, 1, 1) && at(entry, "/actor/user/uid") == at(entry, "/user/uid");
        let self_grants: Vec<&Value> = entries.iter().filter(is_self).collect();
        assert_eq!(self_grants.len(), 1);
        assert_eq!(text(self_grants[0], "/user/email_addr"), granter);
        assert_eq!(text(self_grants[0], "/privileges/0"), "workspace_admin");

        let is_admin_mfa = |entry: &&Value| what(entry) == (3001, 11, 1) && int(entry, "/user/type_id") == 2;
        assert_eq!(entries.iter().filter(is_admin_mfa).count(), 1);

        let destroyer = hero("burst of deletions");
        let deleted: Vec<i64> =
            by(&destroyer).into_iter().filter(|entry| what(entry) == (3004, 4, 1)).map(time).collect();
        assert!(deleted.windows(30).any(|burst| burst[29] - burst[0] < 4 * MINUTE_MS));

        let traveller = hero("impossible travel");
        let logons: Vec<&Value> = about(&traveller).into_iter().filter(|entry| what(entry) == (3002, 1, 1)).collect();
        assert_eq!(logons.len(), 2);
        assert_eq!(time(logons[1]) - time(logons[0]), 20 * MINUTE_MS);
        let continent = |entry: &Value| text(entry, "/src_endpoint/location/continent").to_owned();
        assert_ne!(continent(logons[0]), continent(logons[1]));
        assert!(at(logons[1], "/src_endpoint/location/lat").is_f64());

        let sprayed = entries.iter().filter(|entry| ip(entry) == "192.0.2.133" && what(entry) == (3002, 1, 2));
        assert_eq!(sprayed.map(|entry| text(entry, "/user/name")).collect::<HashSet<_>>().len(), 25);

        let dormant = hero("dormant account");
        let last = by(&dormant).into_iter().map(time).max().unwrap();
        assert!(last < of(0).start_ms + DAY_MS);
        assert!(about(&dormant).iter().any(|entry| what(entry) == (3005, 1, 1)));
    }
}

#[test]
fn the_untidy_parts_of_real_logs_occur() {
    let (entries, _) = entries(&of(12_000));
    let count = |is_it: &dyn Fn(&Value) -> bool| entries.iter().filter(|entry| is_it(entry)).count();
    assert!(count(&|entry| entry["device"].is_null()) > 50);
    assert!(count(&|entry| entry.get("http_request").is_none()) > 50);
    assert!(count(&|entry| entry.get("vendor_trace").is_some()) > 50);
    assert!(count(&|entry| int(entry, "/status_id") == 2 && !text(entry, "/status_detail").is_empty()) > 50);
    assert!(count(&|entry| int(entry, "/status_id") == 0) > 10);
    let is_typed = |entry: &Value| at(entry, "/user/uid").is_null() && text(entry, "/user/name").contains('@');
    assert!(count(&is_typed) > 20);
    assert!(count(&|entry| !text(entry, "/actor/user/full_name").is_ascii()) > 1_000);
}
