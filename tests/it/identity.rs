//! When two lines are one event: identity, content, transport; and revisions, which are later versions of an event.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::env::{Env, SMALL, lines, values};
use crate::soundness::assert_sound;

const HOSTS: &str = "../shared/field-cases/same-uid-two-hosts";
const NUMERIC: &str = "../shared/field-cases/numeric-uid";

fn case(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn counts(accepted: u64, duplicate: u64, revised: u64) -> Value {
    let read = accepted + duplicate + revised;
    json!({"read": read, "accepted": accepted, "duplicate": duplicate, "revised": revised, "rejected": 0, "blank": 0})
}

/// An event that is made of its uid and a message.
fn event(uid: &str, message: &str) -> String {
    format!(r#"{{"metadata":{{"uid":"{uid}"}},"class_uid":3002,"time":1767225600000,"message":"{message}"}}"#)
}

#[test]
fn one_uid_on_two_hosts_is_two_events_however_the_input_is_cut() {
    let (first, second) = (case(&format!("{HOSTS}/dc1.ndjson")), case(&format!("{HOSTS}/dc2.ndjson")));
    for files in
        [vec![case(&format!("{HOSTS}/hosts.ndjson"))], vec![first.clone(), second.clone()], vec![second, first]]
    {
        let env = Env::new();
        for (number, text) in files.iter().enumerate() {
            env.write(&format!("{number}.ndjson"), text);
            let summary = env.ingest([format!("{number}.ndjson")]);
            assert_eq!(summary["counts"]["accepted"], text.lines().count(), "{summary}");
        }
        assert_eq!(env.number("select count(*) from authentication"), 4);
        let period =
            ["report", "run", "auth-outcome-summary", "--period", "2026-01-01..2026-01-02", "--format", "json"];
        let report = env.ok(period);
        assert!(report.contains("\"successes\":4,"), "{report}");
        // The same lines again, in one file.
        env.write("again.ndjson", files.iter().rev().cloned().collect::<String>() + "\n");
        assert_eq!(env.ingest(["again.ndjson"])["counts"]["accepted"], 0);
        assert_sound(&env.path("auditlake-data"));
    }
    let env = Env::new();
    env.write("hosts.ndjson", case(&format!("{HOSTS}/hosts.ndjson")));
    assert_eq!(env.ingest(["hosts.ndjson"])["shared_uids"], 2);
    let status = env.run(["status"]);
    assert!(status.contains("shared uids: at least 2 rows have a uid that another event has as well"), "{status}");
    // The same uid, machine, product and time with other content is another version.
    let changed = case(&format!("{HOSTS}/dc1.ndjson")).replace("\"u1\"", "\"u9\"");
    env.write("changed.ndjson", changed);
    assert_eq!(env.ingest(["changed.ndjson"])["counts"], counts(0, 1, 1));
    assert_eq!(env.number("select count(*) from authentication"), 4);
    assert_eq!(env.number("select count(*) from reject"), 0);
}

#[test]
fn an_id_that_is_a_number_is_an_id() {
    let env = Env::new();
    env.write("first.ndjson", case(&format!("{NUMERIC}/first.ndjson")));
    env.write("second.ndjson", case(&format!("{NUMERIC}/second.ndjson")));
    assert_eq!(env.ingest(["first.ndjson"])["counts"], counts(4, 0, 0));
    assert_eq!(env.ingest(["second.ndjson"])["counts"], counts(2, 2, 0));
    let uids = env.rows("select _event_uid as uid from authentication order by time");
    assert_eq!(
        uids.iter().map(|row| row["uid"].as_str().unwrap()).collect::<Vec<_>>(),
        ["1000", "1001", "1002", "1003", "1004", "1005"]
    );
    let exported = values(&env.ok(["export"]));
    assert!(exported.iter().all(|event| event["metadata"]["uid"].is_u64()), "{exported:?}");
    // As a text it is the same id.
    env.write("text.ndjson", case(&format!("{NUMERIC}/second.ndjson")).replace("\"uid\": 1005", "\"uid\": \"1005\""));
    assert_eq!(env.ingest(["text.ndjson"])["counts"], counts(0, 4, 0));
}

#[test]
fn an_id_that_is_no_id_costs_the_dedupe_and_that_is_said() {
    let env = Env::new();
    let odd = event("odd", "x").replace("\"odd\"", "1.5");
    env.write("odd.ndjson", lines(&[&odd, &odd]));
    assert_snapshot!(env.run(["ingest", "odd.ndjson"]), @r"
    ------- stderr -------
    authentication                  2 rows
    warning: 2 x unusable-uid: the id is neither a text nor an integer, so another delivery is not recognised
    without a uid: 2 rows, of these exact doubles: 1; another delivery of them is not recognised
    read 2 = accepted 2 + duplicate 0 + revised 0 + rejected 0 + blank 0
    154 B in [SECONDS] s ([RATE]); 1 files, [SIZE] written
    ");
    let status = env.run(["status"]);
    assert!(status.contains("without a uid: 2 rows, of these exact doubles: 1;"), "{status}");
}

#[test]
fn an_event_of_another_time_is_another_event_in_any_batching() {
    let later = event("e", "m").replace("1767225600000", "1770681600000");
    for files in [vec![lines(&[&event("e", "m"), &later])], vec![lines(&[event("e", "m")]), lines(&[later])]] {
        let env = Env::new();
        for (number, text) in files.iter().enumerate() {
            env.write(&format!("{number}.ndjson"), text);
            env.ingest([format!("{number}.ndjson")]);
        }
        assert_eq!(env.number("select count(*) from authentication"), 2);
    }
}

/// The ways in which one event comes again without saying anything else.
fn redelivered(line: &str) -> Vec<String> {
    let with = |edit: fn(&mut Value)| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        edit(&mut event);
        event.to_string()
    };
    vec![
        with(|event| event["metadata"]["logged_time"] = json!(1)),
        with(|event| event["metadata"]["processed_time"] = json!(2)),
        with(|event| event["metadata"]["modified_time_dt"] = json!("2026-01-01T00:00:00Z")),
        with(|event| event["metadata"]["transmit_time"] = json!(3)),
        with(|event| event["metadata"]["loggers"] = json!([{"name": "l"}])),
        with(|event| event["enrichments"] = json!([{"name": "n", "value": "v", "data": {}}])),
        with(|event| event["observables"] = json!([{"name": "o", "type_id": 2}])),
        with(|event| event["unmapped"] = json!({})),
        with(|event| event["actor"] = json!({"user": {}, "session": null})),
        with(|event| event["resources"] = json!([])),
        // Members in the order of their names, and blanks.
        with(|_| {}).replace(",\"", " , \""),
        line.replace("1767225600000", "1767225600000.0"),
    ]
}

#[test]
fn what_the_transport_adds_makes_no_other_event() {
    let line = event("e", "m");
    let again = redelivered(&line);
    let count = again.len() as u64;
    // In runs of their own, in one batch with the first one, and in both orders.
    let env = Env::new();
    env.write("first.ndjson", lines(&[&line]));
    env.ingest(["first.ndjson"]);
    for (number, line) in again.iter().enumerate() {
        env.write(&format!("{number}.ndjson"), lines(&[line]));
        let summary = env.ingest([format!("{number}.ndjson")]);
        assert_eq!((&summary["counts"], &summary["redelivered"]), (&counts(0, 1, 0), &json!(1)), "{line}");
    }
    for turn in [false, true] {
        let mut all = [vec![line.clone()], again.clone()].concat();
        if turn {
            all.reverse();
        }
        let env = Env::new();
        env.write("all.ndjson", lines(&all));
        let summary = env.ingest(["all.ndjson"]);
        assert_eq!((&summary["counts"], &summary["redelivered"]), (&counts(1, count, 0), &json!(count)));
    }
    assert_snapshot!(env.run_with_stdin(["ingest", "-"], lines(&again[..3]).as_bytes()), @r"
    ------- stderr -------
    redelivered: 3 duplicates differ in transport fields or in spelling only
    read 3 = accepted 0 + duplicate 3 + revised 0 + rejected 0 + blank 0
    308 B in [SECONDS] s ([RATE]); 0 files, [SIZE] written
    ");
}

#[test]
fn a_whole_log_that_comes_again_in_other_words_is_known() {
    let env = Env::with_events(1_500);
    let lines_of = |edit: fn(&mut Value)| {
        // serde_json sorts members by name.
        let events = values(&env.read("events.ndjson")).into_iter().map(|mut event| {
            edit(&mut event);
            event.to_string()
        });
        lines(&events.collect::<Vec<_>>())
    };
    let files = env.number("select sum(files) from ingest_log");
    let stamp = |event: &mut Value| event["metadata"]["processed_time"] = json!(1_800_000_000_000_u64);
    for (name, text) in [("turned", lines_of(|_| {})), ("stamped", lines_of(stamp))] {
        env.write(&format!("{name}.ndjson"), text);
        let summary = env.ingest([format!("{name}.ndjson")]);
        assert_eq!((&summary["counts"], &summary["redelivered"]), (&counts(0, 1_500, 0), &json!(1_500)), "{name}");
        assert!(summary["files_looked_up"].as_u64().unwrap() <= files, "{summary}");
    }
    env.write("revised.ndjson", lines_of(|event| event["severity_id"] = json!(5)));
    let told = env.ingest(["revised.ndjson"])["counts"]["revised"].as_u64().unwrap();
    assert_eq!(told, env.number("select count(*) from event where severity_id is distinct from 5"));
    assert_eq!(env.rows("select distinct changed from revision"), [json!({"changed": ["/severity_id"]})]);
}

#[test]
fn a_later_version_is_a_row_of_the_table_revision() {
    let env = Env::with_small();
    let changed = SMALL[1].replace("\"bob\"", "\"eve\"").replace("\"status_id\":1,", "");
    env.write("other.ndjson", lines(&[changed]));
    assert_snapshot!(env.run(["ingest", "other.ndjson"]), @r"
    ------- stderr -------
    revision                        1 rows
    revised: 1 later version of a known event; `select * from revision` shows what changed
    read 1 = accepted 0 + duplicate 0 + revised 1 + rejected 0 + blank 0
    164 B in [SECONDS] s ([RATE]); 1 files, [SIZE] written
    ");
    assert_eq!(env.rows("select user.uid as uid from account_change"), [json!({"uid": "bob"})]);
    assert_snapshot!(env.ok(["sql", "--format", "ndjson", "-c", "select * exclude (_digest) from revision"]), @r#"{"time":"2026-01-01T00:00:01Z","class":"account_change","class_uid":3001,"_event_uid":"e2","product_vendor_name":null,"product_name":null,"product_uid":null,"log_name":null,"log_provider":null,"tenant_uid":null,"device":null,"changed":["/status_id","/user/uid"],"_source":"other.ndjson","line":1,"byte_offset":0,"_batch":2,"event":"{\"time\":1767225601000,\"class_uid\":3001,\"activity_id\":1,\"actor\":{\"user\":{\"uid\":\"ann\"}},\"user\":{\"uid\":\"eve\",\"email_addr\":\"bob@corp.example\"},\"metadata\":{\"uid\":\"e2\"}}","event_month":"2026-01"}"#);
    assert_eq!(env.number("select length(encode(_digest, 'hex')) from revision"), 32);
    // A revision that comes again is a duplicate of it, and a third version another revision.
    let third = SMALL[1].replace("\"bob\"", "\"mallory\"");
    let again = values(&env.ok(["sql", "--format", "ndjson", "-c", "select event from revision"]));
    env.write("third.ndjson", lines(&[again[0]["event"].as_str().unwrap(), &third, &third, SMALL[1]]));
    assert_eq!(env.ingest(["third.ndjson"])["counts"], counts(0, 3, 1));
    assert_eq!(env.number("select sum(revised) from ingest_log"), 2);
    let status = env.ok(["status", "--format", "ndjson"]);
    assert!(status.contains(r#""table":"revision","rows":2"#), "{status}");
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn the_version_that_comes_first_in_a_file_is_the_row() {
    let env = Env::new();
    env.write("both.ndjson", lines(&[event("e", "one"), event("e", "two"), event("e", "two"), event("e", "one")]));
    assert_eq!(env.ingest(["both.ndjson"])["counts"], counts(1, 2, 1));
    assert_eq!(env.rows("select message from authentication"), [json!({"message": "one"})]);
    assert_eq!(
        env.rows("select line, class, changed from revision"),
        [json!({"line": 2, "class": "authentication", "changed": ["/message"]})]
    );
    // Another class is another identity.
    let other = event("e", "one").replace("3002", "3001");
    env.write("class.ndjson", lines(&[other]));
    assert_eq!(env.ingest(["class.ndjson"])["counts"], counts(1, 0, 0));
}

#[test]
fn what_collides_under_xxh64_is_kept_apart() {
    let uids = [
        "7.cqHdjt-audit-event-uid-filler-RsXxle62-audit-event-uid-filler-",
        "7.cqHT%I-audit-event-uid-filler-R+^x5?u1-audit-event-uid-filler-",
    ];
    let env = Env::new();
    env.write("uids.ndjson", lines(&uids.map(|uid| event(uid, "m"))));
    assert_eq!(env.ingest(["uids.ndjson"])["counts"], counts(2, 0, 0));
    // At a multiple of 32 bytes in otherwise equal lines their hashes were the same, and the second line was gone.
    let aligned = |text: &str| {
        let head = r#"{"class_uid":3002,"metadata":{"uid":"e"},"time":1767225600000,"message":""#;
        format!("{head}{}{text}\"}}", "_".repeat(head.len().next_multiple_of(32) - head.len()))
    };
    for files in [vec![lines(&uids.map(aligned))], uids.map(|uid| lines(&[aligned(uid)])).to_vec()] {
        let env = Env::new();
        for (number, text) in files.iter().enumerate() {
            env.write(&format!("{number}.ndjson"), text);
            env.ingest([format!("{number}.ndjson")]);
        }
        assert_eq!(env.number("select count(*) from revision"), 1);
    }
}

#[test]
fn other_redaction_rules_make_no_revision_and_other_secrets_do() {
    let secret =
        |text: &str| event("e", "m").replace("\"time\"", &format!("\"unmapped\":{{\"password\":\"{text}\"}},\"time\""));
    let env = Env::new();
    env.write("off.toml", "[redact]\nenabled = false\n");
    env.write("first.ndjson", lines(&[secret("hunter2-Xq7z")]));
    env.ok(["ingest", "first.ndjson", "--config", "off.toml"]);
    // The line is another one by its members' order, so that the events have to be compared.
    let turned = |line: &str| serde_json::from_str::<Value>(line).unwrap().to_string();
    env.write("second.ndjson", lines(&[turned(&secret("hunter2-Xq7z"))]));
    assert_eq!(env.ingest(["second.ndjson"])["counts"], counts(0, 1, 0));

    let env = Env::new();
    env.write("first.ndjson", lines(&[secret("hunter2-Xq7z")]));
    env.ingest(["first.ndjson"]);
    for (number, (line, expected)) in [
        (turned(&secret("hunter2-Xq7z")), counts(0, 1, 0)),
        (secret("another-Lm4R"), counts(0, 0, 1)),
        (turned(&secret("another-Lm4R")), counts(0, 1, 0)),
        (event("e", "m"), counts(0, 0, 1)),
    ]
    .into_iter()
    .enumerate()
    {
        env.write(&format!("{number}.ndjson"), lines(&[line]));
        assert_eq!(env.ingest([format!("{number}.ndjson")])["counts"], expected, "{number}");
    }
    assert_eq!(env.number("select count(*) from revision where event like '%hunter2%' or event like '%another%'"), 0);
}

#[test]
fn an_event_is_known_after_its_class_got_a_schema() {
    let env = Env::new();
    let line = r#"{"metadata":{"uid":"f","product":{"name":"P"}},"class_uid":9001,"time":1767225600000,"thing":{"a":[1,null]}}"#;
    env.write("one.ndjson", lines(&[line]));
    env.ingest(["one.ndjson"]);
    env.write(
        "classes/thing_activity.json",
        r#"{"ocsf":"1.6.0","caption":"Thing Activity","uid":9001,"category_uid":9,
            "attributes":{"time":"timestamp_t!","class_uid":"integer_t!","metadata":"metadata!","message":"string_t"},
            "cut":["metadata.product","metadata.loggers","metadata.extensions","metadata.transformation_info_list"]}"#,
    );
    let changed = line.replace("null]", "2]");
    env.write("two.ndjson", lines(&[&line.replace("\"time\"", "\"unmapped\":{},\"time\""), &changed]));
    let mut command = env.command(["ingest", "--summary-json", "-", "--quiet", "--schemas", "classes", "two.ndjson"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", env.text(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["counts"], counts(0, 1, 1));
    assert_eq!(env.rows("select changed from revision"), [json!({"changed": ["/thing/a/1"]})]);
}

/// Numbers that look random, the same ones for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit as u64) as usize
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// One line, and what it says: nothing for a line without a uid.
fn line_of(dice: &mut Dice) -> (String, Option<(String, String)>) {
    let (uid, class) = (dice.below(6), [3001, 3002, 3004, 1001][dice.below(4)]);
    let time = [1_767_225_600_000_u64, 1_767_225_600_001, 1_770_681_600_000][dice.below(3)];
    let (host, version) = (["", "dc1", "dc2"][dice.below(3)], dice.below(3));
    let mut event = json!({"class_uid": class, "time": time, "message": format!("version {version}"),
        "metadata": {"version": "1.6.0"}, "unmapped": {"b": [1, 2], "a": {"x": 1.5}}});
    if dice.below(8) == 0 {
        return (event.to_string(), None);
    }
    event["metadata"]["uid"] = if dice.below(2) == 0 { json!(uid) } else { json!(uid.to_string()) };
    if !host.is_empty() {
        event["device"] = json!({"hostname": host});
    }
    let line = event.to_string();
    let mut again = redelivered(&line);
    again.retain(|line| !line.contains("\"unmapped\":{}"));
    again.push(line);
    let line = again.swap_remove(dice.below(again.len()));
    (line, Some((format!("{uid} {class} {time} {host}"), format!("version {version}"))))
}

/// Returns the content of a lake: each event and each revision by identity and version; and how many rows have no uid.
fn held(env: &Env) -> (BTreeMap<(String, String), u64>, u64) {
    let mut all = values(&env.ok(["export"]));
    let nameless = all.len();
    all.retain(|event| event["metadata"]["uid"] != Value::Null);
    let nameless = nameless - all.len();
    let revisions = env.rows("select event from revision");
    all.extend(revisions.iter().map(|row| serde_json::from_str(row["event"].as_str().unwrap()).unwrap()));
    let mut held: BTreeMap<(String, String), u64> = BTreeMap::new();
    for event in all {
        let uid =
            event["metadata"]["uid"].as_str().map_or_else(|| event["metadata"]["uid"].to_string(), str::to_string);
        let host = event["device"]["hostname"].as_str().unwrap_or_default();
        let key = format!("{uid} {} {} {host}", event["class_uid"], event["time"]);
        *held.entry((key, event["message"].as_str().unwrap_or_default().to_string())).or_default() += 1;
    }
    (held, nameless as u64)
}

/// `AUDITLAKE_ROUNDS` makes more of it.
#[test]
fn the_same_lines_give_the_same_lake_however_they_come() {
    let rounds = std::env::var("AUDITLAKE_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let mut dice = Dice(round * 7919 + 1);
        let mut corpus: Vec<(String, Option<(String, String)>)> = (0..150).map(|_| line_of(&mut dice)).collect();
        dice.shuffle(&mut corpus);
        let said: BTreeSet<_> = corpus.iter().filter_map(|(_, said)| said.clone()).collect();
        let identities: BTreeSet<_> = said.iter().map(|(identity, _)| identity.clone()).collect();
        let nameless = corpus.iter().filter(|(_, said)| said.is_none()).count() as u64;

        let env = Env::new();
        let batch = ["96MiB", "2KB", "400"][dice.below(3)];
        env.write("auditlake.toml", format!("[ingest]\nbatch = \"{batch}\"\n"));
        let files = 1 + dice.below(6);
        let mut texts: Vec<Vec<&str>> = vec![Vec::new(); files];
        corpus.iter().for_each(|(line, _)| texts[dice.below(files)].push(line));
        // A file that is a copy of another one would be passed over: each begins with a blank line more.
        for (number, text) in texts.iter().enumerate() {
            env.write(&format!("{number}.ndjson"), "\n".repeat(number) + &lines(text));
        }
        let mut names: Vec<String> = (0..files).map(|number| format!("{number}.ndjson")).collect();
        dice.shuffle(&mut names);
        let (one, other) = names.split_at(dice.below(files + 1));
        let run = |names: &[String]| {
            let mut command = env.command(["ingest", "--quiet"]);
            command.args(names).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let runs = if dice.below(2) == 0 {
            // Two writers at once; and one after the other.
            [one, other]
                .map(|names| (!names.is_empty()).then(|| run(names)))
                .map(|child| child.map(|child| child.wait_with_output().unwrap()))
        } else {
            [one, other].map(|names| (!names.is_empty()).then(|| run(names).wait_with_output().unwrap()))
        };
        for output in runs.into_iter().flatten() {
            assert!(output.status.success(), "round {round}: {}", env.text(&output));
        }
        let ledger = assert_sound(&env.path("auditlake-data"));
        let accepted = identities.len() as u64 + nameless;
        let revised = (said.len() - identities.len()) as u64;
        let told = ["accepted", "revised", "duplicate", "rejected"].map(|name| ledger.count(name));
        assert_eq!(told, [accepted, revised, corpus.len() as u64 - accepted - revised, 0], "round {round}");
        let (held, rows_without_uid) = held(&env);
        assert_eq!(held, said.into_iter().map(|said| (said, 1)).collect(), "round {round}");
        assert_eq!(rows_without_uid, nameless, "round {round}");
    }
}
