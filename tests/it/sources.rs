//! Folders of logs as they are in the field: rotated, half written, mixed, unreadable; and the message about each file.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::env::{Env, SMALL, assert_same_events, lines, values};
use crate::soundness::assert_sound;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Events that are told from one another by their numbers.
fn event(number: u64) -> String {
    format!(
        r#"{{"class_uid":3002,"time":{},"metadata":{{"uid":"n{number}"}},"activity_id":1}}"#,
        1_767_225_600_000 + number * 1000
    )
}

fn events(numbers: impl IntoIterator<Item = u64>) -> String {
    lines(&numbers.into_iter().map(event).collect::<Vec<_>>())
}

fn states(summary: &Value) -> Vec<(&str, &str)> {
    let sources = summary["sources"].as_array().unwrap();
    sources.iter().map(|source| (source["name"].as_str().unwrap(), source["state"].as_str().unwrap())).collect()
}

fn count(env: &Env, table: &str) -> u64 {
    env.number(&format!("select count(*) from {table}"))
}

/// The cases that analysts collected, as they lie beside the repository; none where it was checked out alone.
fn field_case(name: &str) -> Option<std::path::PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/field-cases").join(name);
    path.exists().then_some(path)
}

#[test]
fn rotated_logs_are_read_oldest_first_and_other_files_are_named() {
    let env = Env::new();
    env.write("logs/audit.log", events([7, 8]));
    env.write("logs/audit.log.1", events([5, 6]));
    env.write("logs/audit.log.2.gz", gzip(events([3, 4]).as_bytes()));
    env.write("logs/audit.log-20251231.GZ", gzip(events([1, 2]).as_bytes()));
    env.write("logs/notes.txt", "hello");
    env.write("logs/x.bak", "hello");
    env.write("logs/.git/config", "hello");
    assert_snapshot!(env.run(["ingest", "logs"]), @r"
    ------- stderr -------
    logs/audit.log-20251231.GZ: 2 lines
    logs/audit.log.2.gz: 2 lines
    logs/audit.log.1: 2 lines
    logs/audit.log: 2 lines
    2 files and 1 directory were not read: logs/.git/, logs/notes.txt, logs/x.bak (--all reads every file, --include those that match)
    authentication                  8 rows
    read 8 = accepted 8 + duplicate 0 + revised 0 + rejected 0 + blank 0
    640 B in [SECONDS] s ([RATE]); 1 files, [SIZE] written
    ");
    let (code, summary) = env.try_ingest(["logs"]);
    assert_eq!((code, &summary["passed_over"]), (0, &json!(["logs/.git/", "logs/notes.txt", "logs/x.bak"])));
    assert!(states(&summary).iter().all(|(_, state)| *state == "skipped"), "{summary}");

    let (code, summary) = env.try_ingest(["logs", "--include", "*.txt", "--finish"]);
    assert_eq!((code, states(&summary)), (4, vec![("logs/notes.txt", "not-events")]));
}

#[test]
fn the_collected_rotated_logs_are_all_read() {
    let Some(case) = field_case("rotated-logs/logs") else { return };
    let env = Env::new();
    let (code, summary) = env.try_ingest([case.to_str().unwrap()]);
    assert_eq!((code, &summary["counts"]["accepted"]), (0, &json!(3)), "{summary}");
}

#[test]
fn a_source_that_cannot_be_read_spoils_only_itself() {
    let env = Env::new();
    env.write("in/1.json", event(1));
    env.write("in/2.json", event(2));
    env.write("in/5.json", event(5));
    symlink("gone", env.path("in/3.json")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(env.path("in/4.log")).status().unwrap().success());
    fs::set_permissions(env.path("in/2.json"), fs::Permissions::from_mode(0o000)).unwrap();
    symlink("..", env.path("in/loop")).unwrap();
    let (code, summary) = env.try_ingest(["in"]);
    let mut expected = vec![
        ("in/3.json", "unreadable"),
        ("in/4.log", "unreadable"),
        ("in/1.json", "complete"),
        ("in/2.json", "unreadable"),
        ("in/5.json", "complete"),
    ];
    // Modes are nothing to the superuser.
    if fs::read(env.path("in/2.json")).is_ok() {
        expected[3].1 = "complete";
    }
    assert_eq!((code, states(&summary)), (4, expected.clone()), "{summary}");
    let unreadable = expected.iter().filter(|(_, state)| *state == "unreadable").count();
    assert_eq!(summary["unreadable"], unreadable);
    let text = env.run(["ingest", "in"]);
    assert!(text.contains("in/3.json: unreadable: it is a link to gone, which does not exist"), "{text}");
    assert!(
        text.contains("in/4.log: unreadable: it is a named pipe") && text.ends_with("[exit status: 4]\n"),
        "{text}"
    );
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn an_unfinished_last_line_is_left_until_it_is_whole() {
    let env = Env::new();
    let text = events(1..=8);
    let cut = events(1..=5).len() + 30;
    env.write("live.ndjson", &text[..cut]);
    assert_snapshot!(env.run(["ingest", "live.ndjson"]), @r"
    ------- stderr -------
    live.ndjson: 5 lines; 30 B of an unfinished line at the end are left for the next run
    authentication                  5 rows
    read 5 = accepted 5 + duplicate 0 + revised 0 + rejected 0 + blank 0
    400 B in [SECONDS] s ([RATE]); 1 files, [SIZE] written
    [exit status: 4]
    ");
    assert_eq!(env.try_ingest(["live.ndjson"]).1["counts"]["read"], 0);
    env.write("live.ndjson", &text);
    assert_eq!(env.try_ingest(["live.ndjson"]).0, 0);
    let ledger = assert_sound(&env.path("auditlake-data"));
    assert_eq!((ledger.count("read"), ledger.count("accepted"), count(&env, "reject")), (8, 8, 0));
    assert_eq!(env.ok(["reject", "retry", "--json"]).matches("\"open\":0").count(), 1);
}

#[test]
fn the_collected_half_written_line_becomes_a_row() {
    let Some(case) = field_case("half-written-line") else { return };
    let env = Env::new();
    for (name, code) in [("one.ndjson", 4), ("two.ndjson", 0)] {
        env.write("live.ndjson", fs::read(case.join(name)).unwrap());
        assert_eq!(env.try_ingest(["live.ndjson"]).0, code, "{name}");
    }
    assert_eq!((count(&env, "event"), count(&env, "reject")), (8, 0));
}

#[test]
fn a_log_that_is_read_at_every_byte_loses_and_doubles_nothing() {
    // Without uids, so that nothing but the place tells one event from another.
    let text = events(1..=4).replace("\"uid\"", "\"correlation_uid\"");
    let env = Env::new();
    for end in (1..text.len()).step_by(23).chain([text.len()]) {
        env.write("live.log", &text[..end]);
        env.try_ingest(["live.log"]);
    }
    assert_eq!((count(&env, "event"), count(&env, "reject")), (4, 0));
    assert_same_events(&values(&text), &values(&env.ok(["export"])));
}

#[test]
fn finish_decides_what_will_not_become_whole() {
    let env = Env::new();
    env.write("old.log", events([1]) + "{\"class_uid\":");
    assert_eq!(env.try_ingest(["old.log"]).0, 4);
    let (code, summary) = env.try_ingest(["old.log", "--finish"]);
    assert_eq!((code, &summary["rejects"]), (0, &json!({"syntax": 1})), "{summary}");
    // It stays decided.
    for args in [&["old.log"][..], &["old.log", "--finish"]] {
        let (code, summary) = env.try_ingest(args);
        assert_eq!((code, states(&summary)), (0, vec![("old.log", "skipped")]), "{summary}");
    }
    assert_eq!(count(&env, "reject"), 1);
}

/// As logrotate does it: by renaming and a new file, or by a copy and truncating; then older files are compressed.
fn rotate(directory: &Path, copies: bool) {
    let log = |suffix: &str| directory.join(format!("audit.log{suffix}"));
    for number in (1..5).rev() {
        let _ = fs::rename(log(&format!(".{number}.gz")), log(&format!(".{}.gz", number + 1)));
    }
    if let Ok(bytes) = fs::read(log(".1")) {
        fs::write(log(".2.gz"), gzip(&bytes)).unwrap();
        fs::remove_file(log(".1")).unwrap();
    }
    if copies {
        fs::copy(log(""), log(".1")).unwrap();
        fs::OpenOptions::new().write(true).truncate(true).open(log("")).unwrap();
    } else {
        fs::rename(log(""), log(".1")).unwrap();
        fs::write(log(""), "").unwrap();
    }
}

#[test]
fn a_log_rotated_between_runs_loses_and_doubles_nothing() {
    for copies in [false, true] {
        let env = Env::new();
        fs::create_dir(env.path("logs")).unwrap();
        let mut all = String::new();
        let mut written = 0;
        for step in 0..12_u64 {
            // Half a line may stand at the end when it is rotated: the writer goes on in the file that it has open, which
            // only renaming leaves in one piece.
            let mut more = events(step * 10..step * 10 + 1 + step % 3).replace("\"uid\"", "\"correlation_uid\"");
            all += &more;
            if !copies && step % 4 == 1 {
                more.truncate(more.len() - 20);
            }
            let mut log = fs::OpenOptions::new().create(true).append(true).open(env.path("logs/audit.log")).unwrap();
            log.write_all(more.as_bytes()).unwrap();
            if step % 2 == 0 {
                env.try_ingest(["logs"]);
            }
            if step % 3 == 1 {
                rotate(&env.path("logs"), copies);
            }
            if !copies && step % 4 == 1 {
                let rest = &all[all.len() - 20..];
                log.write_all(rest.as_bytes()).unwrap();
            }
            written += 1 + step % 3;
        }
        let (code, _) = env.try_ingest(["logs"]);
        assert_eq!((code, count(&env, "event"), count(&env, "reject")), (0, written, 0), "copies: {copies}");
        assert_same_events(&values(&all), &values(&env.ok(["export"])));
    }
}

#[test]
fn a_file_of_which_nothing_is_a_row_is_told_and_never_fine() {
    let env = Env::new();
    let trail = r#"{"Records":[{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"GetObject"}]}"#;
    for (name, bytes, state, told) in [
        ("trail.json", trail.as_bytes().to_vec(), "not-events", "AWS CloudTrail"),
        (
            "docker.json",
            lines(&[r#"{"log":"hello\n","stream":"stdout"}"#; 3]).into_bytes(),
            "not-events",
            "begin with `log`",
        ),
        ("data.csv", b"time,user,action\n1,a,b\n2,c,d\n".to_vec(), "not-events", "CSV"),
        ("page.html", b"<html>\n<body>\n".to_vec(), "not-events", "HTML"),
        ("events.zip", b"PK\x03\x04\x14\0\0\0".to_vec(), "refused", "a zip file"),
        ("events.7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "refused", "a 7z archive"),
        ("events.avro", b"Obj\x01\x04\x16".to_vec(), "refused", "an Avro file"),
        ("events.db", b"SQLite format 3\0\x10".to_vec(), "refused", "an SQLite database"),
        ("events.orc", b"ORC\n\x11\0\0\n".to_vec(), "refused", "an ORC file"),
        ("events.parquet", b"PAR1 and no more".to_vec(), "unreadable", "cannot read"),
        ("text.gz", gzip(b"plain text\n"), "not-events", "text"),
    ] {
        env.write(name, bytes);
        for run in 0..2 {
            let (code, summary) = env.try_ingest([name]);
            assert_eq!((code, states(&summary)), (4, vec![(name, state)]), "{name}, run {run}: {summary}");
            assert!(summary["sources"][0]["detail"].as_str().unwrap().contains(told), "{name}, run {run}: {summary}");
        }
    }
    let text = env.run(["ingest", "data.csv"]);
    assert!(text.contains("data.csv: ") && text.contains("convert it to OCSF JSON"), "{text}");
    // One line of many makes the difference.
    env.write("mixed.json", format!("nonsense\n{}\nnonsense\n", event(1)));
    assert_eq!(env.try_ingest(["mixed.json"]).0, 0);
}

#[test]
fn events_are_taken_out_of_the_envelopes_of_the_field() {
    let small: Vec<Value> = values(&lines(&SMALL));
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let each = |wrap: &dyn Fn(&str) -> String| lines(&SMALL.map(wrap));
    let list = |name: &str| format!("{{\"{name}\":[{}],\"next\":null}}", SMALL.join(","));
    let cloudwatch = |line: &str| format!(r#"{{"id":"1","timestamp":1,"message":{}}}"#, quoted(line));
    let forms = [
        (
            "CloudEvents",
            each(&|line| format!(r#"{{"specversion":"1.0","type":"t","source":"s","id":"1","data":{line}}}"#)),
        ),
        ("Splunk", each(&|line| format!(r#"{{"time":1,"host":"h","event":{line}}}"#))),
        ("Splunk without newlines", each(&|line| format!(r#"{{"event":{}}}"#, quoted(line))).replace('\n', "")),
        ("Docker", each(&|line| format!(r#"{{"log":{},"stream":"stdout"}}"#, quoted(&format!("{line}\n"))))),
        ("Kubernetes", each(&|line| format!("2026-01-01T00:00:00.0Z stdout F {line}"))),
        ("Fluent Bit", each(&|line| format!(r#"{{"date":1.5,"log":{line},"kubernetes":{{}}}}"#))),
        ("Vector", each(&|line| format!(r#"{{"timestamp":"x","message":{}}}"#, quoted(line)))),
        ("CloudWatch", format!(r#"{{"logGroup":"g","logEvents":[{}]}}"#, SMALL.map(cloudwatch).join(","))),
        ("ocsf", each(&|line| format!(r#"{{"ocsf":{line},"vendor":{{}}}}"#))),
        ("Firehose", SMALL.concat()),
        ("Records", list("Records")),
        ("records", list("records")),
        ("data", list("data")),
        ("items", list("items")),
        ("value", list("value")),
        ("logs", list("logs")),
        ("results", list("results")),
        ("pretty", serde_json::to_string_pretty(&json!({"Records": small})).unwrap()),
    ];
    for (name, text) in forms {
        let env = Env::new();
        env.write("in.json", &text);
        let (code, summary) = env.try_ingest(["in.json"]);
        assert_eq!((code, &summary["counts"]["accepted"]), (0, &json!(6)), "{name}: {summary}");
        assert_same_events(&small, &values(&env.ok(["export"])));
        // Known, however it is packed.
        env.write("in.json.gz", gzip(text.as_bytes()));
        assert_eq!(states(&env.try_ingest(["in.json.gz"]).1), [("in.json.gz", "skipped")], "{name}");
    }
    let Some(case) = field_case("wrong-file/records.json") else { return };
    let env = Env::new();
    assert_eq!(env.try_ingest([case.to_str().unwrap()]).1["counts"]["accepted"], 3);
}

#[test]
fn a_bad_event_within_an_envelope_is_a_reject_with_its_place() {
    let env = Env::new();
    let bad = r#"{"class_uid":3002}"#;
    let line =
        format!(r#"{{"log":{}}}"#, serde_json::to_string(&[event(1), bad.to_string(), event(2)].join("\n")).unwrap());
    env.write("in.json", format!("{line}\n"));
    let summary = env.try_ingest(["in.json"]).1;
    assert_eq!(summary["counts"]["read"], 3, "{summary}");
    assert_eq!(
        env.rows("select line, reason, excerpt from reject"),
        [json!({"line": 2, "reason": "missing-time", "excerpt": bad})]
    );
    let retried: Value = serde_json::from_str(&env.ok(["reject", "retry", "--json"])).unwrap();
    assert_eq!(retried["still_rejected"], json!({"missing-time": 1}), "{retried}");
}

#[test]
fn compressed_files_of_every_kind_are_read() {
    let env = Env::new();
    let text = events(1..=50);
    env.write("a.log", &text);
    for (program, name) in [("bzip2", "a.log.bz2"), ("xz", "a.log.xz")] {
        let Ok(output) = env.settle(&mut std::process::Command::new(program)).args(["-c", "a.log"]).output() else {
            continue;
        };
        env.write(name, output.stdout);
        let env2 = Env::new();
        env2.write(name, fs::read(env.path(name)).unwrap());
        let (code, summary) = env2.try_ingest(["."]);
        assert_eq!((code, &summary["counts"]["accepted"]), (0, &json!(50)), "{program}: {summary}");
    }
}

#[test]
fn many_files_are_told_in_counts_and_those_in_trouble_by_name() {
    let env = Env::new();
    for number in 0..40 {
        env.write(&format!("in/{number:02}.json"), event(number));
    }
    env.write("in/17.json", "nonsense\n");
    let text = env.run(["ingest", "in"]);
    assert!(text.contains("in/17.json: none of its lines is a row (1 x syntax)"), "{text}");
    assert!(text.contains("40 files: 39 read, 1 in trouble; --summary-json has each of them"), "{text}");
    assert!(!text.contains("in/16.json"), "{text}");
    let text = env.run(["ingest", "in", "--exclude", "17*"]);
    assert!(text.contains("39 files: 39 already ingested") && !text.contains("exit status"), "{text}");
}

#[test]
fn rejects_are_found_again_from_another_directory() {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nmax_line = \"100\"\n");
    env.write(
        "in/a b%.json",
        events([1]).replace("\"activity_id\":1", "\"message\":\"long enough to be too long for this\""),
    );
    assert_eq!(env.try_ingest(["in/a b%.json"]).1["rejects"], json!({"line-too-long": 1}));
    fs::remove_file(env.path("auditlake.toml")).unwrap();
    fs::create_dir(env.path("elsewhere")).unwrap();
    let mut command = env.command(["reject", "retry", "--json", "--lake", "../auditlake-data"]);
    let output = command.current_dir(env.path("elsewhere")).output().unwrap();
    let retried: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", env.text(&output)));
    assert_eq!(retried["counts"]["accepted"], 1, "{retried}");
    // Now it is a file of which something is a row.
    assert_eq!(states(&env.ingest(["in/a b%.json"])), [("in/a b%.json", "skipped")]);
}

#[test]
fn a_time_that_cannot_be_one_is_a_reject_that_says_why() {
    let env = Env::new();
    let at = |time: &str| format!("{{\"class_uid\":3002,\"time\":{time},\"metadata\":{{\"uid\":\"{time}\"}}}}");
    let times = [
        "1767225600000",
        "1767225600",
        "1767225600000000",
        "1767225600000000000",
        "-1",
        "4102444800000",
        "253402300800000",
        "-62135596800001",
    ];
    env.write("in.json", lines(&times.map(at)));
    assert_snapshot!(env.run(["ingest", "in.json"]), @r"
    ------- stderr -------
    authentication                  2 rows
    reject                          6 rows
    rejected: 6 x bad-time
    warning: 1 x suspicious-time: `time` seems to be in seconds, and was stored as sent
    read 8 = accepted 2 + duplicate 0 + revised 0 + rejected 6 + blank 0
    598 B in [SECONDS] s ([RATE]); 3 files, [SIZE] written
    ");
    let details: Vec<String> = env
        .rows("select line, detail from reject order by line")
        .iter()
        .map(|row| format!("{} {}", row["line"], row["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(
        details,
        [
            "3 `time` is too far ahead for milliseconds: microseconds?",
            "4 `time` is too far ahead for milliseconds: nanoseconds?",
            "5 `time` is before 1970",
            "6 `time` is more than a year ahead of the clock",
            "7 `time` is too far ahead for milliseconds: microseconds?",
            "8 `time` is before 1970",
        ]
    );
    let retried: Value = serde_json::from_str(&env.ok(["reject", "retry", "--keep-odd-times", "--json"])).unwrap();
    // Nanoseconds are in no column's range.
    assert_eq!(
        (&retried["counts"]["accepted"], &retried["still_rejected"]),
        (&json!(5), &json!({"bad-time": 1})),
        "{retried}"
    );
    assert_eq!(env.rows("select distinct event_month from authentication order by 1").len(), 3);
    assert_same_events(
        &values(&lines(&times.map(at)))[..],
        &[values(&env.ok(["export"])), values(&at("1767225600000000000"))].concat(),
    );
}

#[test]
fn the_collected_microseconds_are_a_reject_and_questions_about_months_work() {
    let Some(case) = field_case("time-in-microseconds/events.ndjson") else { return };
    let env = Env::new();
    let (code, summary) = env.try_ingest([case.to_str().unwrap()]);
    assert_eq!((code, &summary["counts"]["accepted"], &summary["rejects"]), (0, &json!(2), &json!({"bad-time": 1})));
    assert_eq!(env.rows("select date_trunc('month', time) m, count(*) n from authentication group by 1").len(), 1);
    let csv = env.ok(["sql", "--format", "csv", "-c", "select timestamp '2026-01-01' - timestamp '2027-01-01' as d"]);
    // No quote before it: it is no text that a spreadsheet would take for a formula. The case writes the span as the engine
    // did then, `-PT31536000S`; today spans read in days and hours.
    assert_eq!(csv.lines().nth(1), Some("-365 days"));
}

#[test]
fn the_collected_times_that_mean_never_are_answered_for() {
    let Some(case) = field_case("far-times/events.ndjson") else { return };
    let env = Env::new();
    assert_eq!(env.ingest([case.to_str().unwrap()])["counts"]["accepted"], 3);
    let column = |sql: &str| -> Vec<Value> {
        env.rows(sql).iter().map(|row| row.as_object().unwrap().values().next().cloned().unwrap_or_default()).collect()
    };
    let months = column("select date_trunc('month', end_time) as m from authentication order by time");
    assert_eq!(months[1..], [json!("9999-12-01T00:00:00Z"), json!("2026-01-01T00:00:00Z")], "{months:?}");
    assert_eq!(column("select count(*) as n from authentication where end_time >= '9999-01-01'"), [json!(1)]);
    let spans = column("select extract(epoch from end_time - time) as s from authentication order by time");
    assert_eq!((spans[1].as_f64(), spans[2].as_f64()), (Some(251_635_067_998.0), Some(86_398.0)), "{spans:?}");
}

#[test]
fn addresses_and_placeholders_are_stored_as_they_came() {
    for case in ["address-with-port", "placeholder-uid"] {
        let Some(case) = field_case(&format!("{case}/events.ndjson")) else { return };
        let env = Env::new();
        env.ingest([case.to_str().unwrap()]);
        assert_same_events(&values(&fs::read_to_string(&case).unwrap()), &values(&env.ok(["export"])));
    }
}

/// The events of [`event`] as a Parquet file, with nulls, a nested struct and the time as a timestamp.
fn parquet(numbers: std::ops::Range<u64>, codec: parquet::basic::Compression) -> Vec<u8> {
    use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, StructArray, TimestampMillisecondArray};
    use arrow::datatypes::{DataType, Field};
    use std::sync::Arc;

    let count = numbers.clone().count();
    let uids: ArrayRef = Arc::new(StringArray::from_iter_values(numbers.clone().map(|number| format!("n{number}"))));
    let metadata = StructArray::from(vec![(Arc::new(Field::new("uid", DataType::Utf8, true)), uids)]);
    let times = numbers.map(|number| 1_767_225_600_000 + number as i64 * 1000);
    let batch = RecordBatch::try_from_iter([
        ("class_uid", Arc::new(Int32Array::from_value(3002, count)) as ArrayRef),
        ("time", Arc::new(TimestampMillisecondArray::from_iter_values(times))),
        ("metadata", Arc::new(metadata)),
        ("activity_id", Arc::new(Int32Array::from_value(1, count))),
        ("message", Arc::new(StringArray::new_null(count))),
    ])
    .unwrap();
    let properties = parquet::file::properties::WriterProperties::builder().set_compression(codec).build();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_of_security_lake_becomes_the_events_that_it_holds() {
    use parquet::basic::Compression;

    let env = Env::new();
    let place = "lake/aws/CLOUD_TRAIL_MGMT/2.0/region=eu-central-1/accountId=123456789012/eventDay=20260101";
    for (number, (name, codec)) in (0..).zip([
        ("a.parquet", Compression::UNCOMPRESSED),
        ("b.snappy.parquet", Compression::SNAPPY),
        ("c.gz.parquet", Compression::GZIP(Default::default())),
        ("d.zstd.parquet", Compression::ZSTD(Default::default())),
        ("e.PARQUET", Compression::LZ4_RAW),
        ("f.parquet", Compression::BROTLI(Default::default())),
    ]) {
        env.write(&format!("{place}/{name}"), parquet(number * 100..number * 100 + 100, codec));
    }
    let summary = env.ingest(["lake"]);
    assert_eq!(summary["counts"]["accepted"], 600, "{summary}");
    assert_same_events(&values(&events(0..600)), &values(&env.ok(["export"])));
    assert!(states(&env.ingest(["lake"])).iter().all(|(_, state)| *state == "skipped"));

    // Cut short it is none, and the others are read all the same.
    let whole = parquet(600..700, Compression::SNAPPY);
    env.write("more/cut.parquet", &whole[..whole.len() - 20]);
    env.write("more/whole.parquet", &whole);
    let (code, summary) = env.try_ingest(["more"]);
    assert_eq!(
        (code, states(&summary)),
        (4, vec![("more/cut.parquet", "unreadable"), ("more/whole.parquet", "complete")]),
        "{summary}"
    );
}
