//! `auditlake ingest`: every form of input, and the fate of every line.

use std::fs;
use std::io::Write;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::env::{Env, SMALL, assert_same_events, feed, lines, values};
use crate::soundness::{assert_sound, files};

/// Returns the input as values.
fn small() -> Vec<Value> {
    values(&lines(&SMALL))
}

#[test]
fn lines_go_into_the_tables_of_their_classes() {
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    assert_snapshot!(env.run(["ingest", "small.ndjson"]), @r"
    ------- stderr -------
    account_change                  1 rows
    authentication                  1 rows
    entity_management               1 rows
    group_management                1 rows
    other_event                     1 rows
    user_access                     1 rows
    read 6 = accepted 6 + duplicate 0 + revised 0 + rejected 0 + blank 0
    985 B in [SECONDS] s ([RATE]); 6 files, [SIZE] written
    ");
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn every_form_gives_the_same_rows() {
    let values = small();
    let ndjson = lines(&SMALL);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(ndjson.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let forms: [(&str, Vec<u8>); 8] = [
        ("lines.ndjson", ndjson.clone().into_bytes()),
        ("crlf.ndjson", ndjson.replace('\n', "\r\n").into_bytes()),
        ("array.json", serde_json::to_vec_pretty(&values).unwrap()),
        ("page.json", json!({"entries": values, "has_more": false, "next_cursor": null}).to_string().into_bytes()),
        ("bundle.json", json!({"events": values}).to_string().into_bytes()),
        ("lines.ndjson.gz", gzip.clone()),
        ("lines.ndjson.zst", zstd::encode_all(ndjson.as_bytes(), 3).unwrap()),
        ("no-ending-at-all", gzip),
    ];
    for (name, bytes) in forms {
        let env = Env::new();
        env.write(name, bytes);
        let summary = env.ingest([name]);
        assert_eq!(summary["counts"]["accepted"], 6, "{name}: {summary}");
        assert_eq!(summary["counts"]["rejected"], 0, "{name}: {summary}");
        assert_same_events(&values, &crate::env::values(&env.ok(["export"])));
    }
}

#[test]
fn directories_patterns_and_stdin_give_the_same_rows() {
    let halves = [lines(&SMALL[..3]), lines(&SMALL[3..])];
    let with_halves = || {
        let env = Env::new();
        env.write("in/a.ndjson", &halves[0]);
        env.write("in/deep/b.json", &halves[1]);
        env.write("in/README.txt", "not an event");
        env
    };
    for inputs in [vec!["in"], vec!["in/*.ndjson", "in/*/b.json"], vec!["in/a.ndjson", "in/deep/b.json", "in"]] {
        let env = with_halves();
        let summary = env.ingest(&inputs);
        assert_eq!(summary["counts"]["read"], 6, "{inputs:?}: {summary}");
        assert_same_events(&small(), &values(&env.ok(["export"])));
    }
    for args in [vec!["ingest"], vec!["ingest", "-"]] {
        let env = Env::new();
        let output = feed(&mut env.command(&args), lines(&SMALL).as_bytes());
        assert!(output.status.success(), "{}", env.text(&output));
        assert_same_events(&small(), &values(&env.ok(["export"])));
    }
}

#[test]
fn what_was_ingested_is_skipped_and_said_so() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["ingest", "small.ndjson"]), @r"
    ------- stderr -------
    small.ndjson: already ingested, nothing new
    read 0 = accepted 0 + duplicate 0 + revised 0 + rejected 0 + blank 0
    0 B in [SECONDS] s ([RATE]); 0 files, [SIZE] written
    ");
    assert_eq!(env.number("select count(*) from event"), 6);
}

#[test]
fn a_file_is_known_under_another_name() {
    let env = Env::with_small();
    fs::copy(env.path("small.ndjson"), env.path("copy.ndjson")).unwrap();
    assert_snapshot!(env.run(["ingest", "copy.ndjson"]), @r"
    ------- stderr -------
    copy.ndjson: already ingested, nothing new
    read 0 = accepted 0 + duplicate 0 + revised 0 + rejected 0 + blank 0
    0 B in [SECONDS] s ([RATE]); 0 files, [SIZE] written
    ");
}

#[test]
fn stdin_twice_adds_nothing() {
    let env = Env::with_small();
    assert_snapshot!(env.run_with_stdin(["ingest", "-"], lines(&SMALL).as_bytes()), @r"
    ------- stderr -------
    read 6 = accepted 0 + duplicate 6 + revised 0 + rejected 0 + blank 0
    985 B in [SECONDS] s ([RATE]); 0 files, [SIZE] written
    ");
}

#[test]
fn overlapping_files_share_their_rows() {
    let env = Env::new();
    env.write("a.ndjson", lines(&SMALL[..4]));
    env.write("b.ndjson", lines(&SMALL[2..]));
    let summary = env.ingest(["a.ndjson", "b.ndjson"]);
    assert_eq!(
        summary["counts"],
        json!({"read": 8, "accepted": 6, "duplicate": 2, "revised": 0, "rejected": 0, "blank": 0})
    );
    assert_same_events(&small(), &values(&env.ok(["export"])));

    let env = Env::new();
    env.write("a.ndjson", lines(&SMALL[..4]));
    env.write("b.ndjson", lines(&SMALL[2..]));
    env.ingest(["a.ndjson"]);
    let summary = env.ingest(["b.ndjson"]);
    assert_eq!(
        summary["counts"],
        json!({"read": 4, "accepted": 2, "duplicate": 2, "revised": 0, "rejected": 0, "blank": 0})
    );
}

#[test]
fn a_file_and_its_copy_in_one_run_are_one() {
    let env = Env::new();
    let nameless = SMALL.map(|line| line.replace("\"uid\":\"e", "\"correlation_uid\":\"e"));
    env.write("a.ndjson", lines(&nameless));
    env.write("b.ndjson", lines(&nameless));
    env.write("c.ndjson", lines(&nameless) + SMALL[0] + "\n" + SMALL[1] + "\n");
    // One chunk per line: a stream is known by its last two chunks.
    env.write("auditlake.toml", "[ingest]\nbatch = \"104\"\n");
    let summary = env.ingest(["a.ndjson", "b.ndjson", "c.ndjson"]);
    assert_eq!(summary["counts"]["accepted"], 8, "{summary}");
    let states: Vec<&Value> = (0..3).map(|at| &summary["sources"][at]["state"]).collect();
    assert_eq!(states, ["complete", "skipped", "complete"]);
    assert_eq!(env.ingest(["a.ndjson", "b.ndjson", "c.ndjson"])["counts"]["read"], 0);
}

#[test]
fn a_bad_line_is_a_reject_with_its_place_and_reason() {
    let env = Env::new();
    let mut text = lines(&[
        SMALL[0],
        "",
        "{\"broken\": ",
        "{\"time\":1767225602000}",
        "{\"class_uid\":3001}",
        "{\"class_uid\":3001,\"time\":\"soon\"}",
        "{\"class_uid\":\"x\",\"time\":1767225602000}",
        "[1,2]",
        "{\"class_uid\":3001,\"class_uid\":3002,\"time\":1767225602000}",
        "{\"class_uid\":3001,\"time\":1767225602000,\"message\":\"\\ud800\"}",
        "{\"class_uid\":3001,\"time\":1767225602000,\"count\":1e999}",
    ])
    .into_bytes();
    text.extend(b"{\"class_uid\":3001,\"time\":1767225602000,\"message\":\"\xff\"}\n");
    text.extend(format!("{{\"class_uid\":3001,\"time\":1,\"x\":{}{}}}\n", "[".repeat(80), "]".repeat(80)).as_bytes());
    text.extend(SMALL[1].as_bytes());
    env.write("bad.ndjson", &text);
    assert_snapshot!(env.run(["ingest", "bad.ndjson"]), @r"
    ------- stderr -------
    account_change                  1 rows
    authentication                  1 rows
    reject                         11 rows
    rejected: 1 x bad-class-uid
    rejected: 1 x bad-time
    rejected: 1 x duplicate-key
    rejected: 1 x invalid-utf8
    rejected: 1 x lone-surrogate
    rejected: 1 x missing-class-uid
    rejected: 1 x missing-time
    rejected: 1 x not-an-object
    rejected: 1 x number-out-of-range
    rejected: 1 x syntax
    rejected: 1 x too-deep
    read 14 = accepted 2 + duplicate 0 + revised 0 + rejected 11 + blank 1
    1.0 kB in [SECONDS] s ([RATE]); 3 files, [SIZE] written
    ");
    assert_snapshot!(env.ok(["sql", "--format", "csv", "-c", "select _source, line, byte_offset, length, reason from reject order by line"]), @r"
    _source,line,byte_offset,length,reason
    bad.ndjson,3,305,11,syntax
    bad.ndjson,4,317,22,missing-class-uid
    bad.ndjson,5,340,18,missing-time
    bad.ndjson,6,359,32,bad-time
    bad.ndjson,7,392,38,bad-class-uid
    bad.ndjson,8,431,5,not-an-object
    bad.ndjson,9,437,56,duplicate-key
    bad.ndjson,10,494,58,lone-surrogate
    bad.ndjson,11,553,53,number-out-of-range
    bad.ndjson,12,607,53,invalid-utf8
    bad.ndjson,13,661,192,too-deep
    ");
    // The place is the place: the bytes at the offset are the line.
    for row in env.rows("select byte_offset, length, excerpt from reject where reason = 'bad-time'") {
        let at = row["byte_offset"].as_u64().unwrap() as usize;
        let line = &text[at..at + row["length"].as_u64().unwrap() as usize];
        assert_eq!(line, row["excerpt"].as_str().unwrap().as_bytes());
    }
}

#[test]
fn the_summary_accounts_for_every_line() {
    let env = Env::new();
    env.write("in.ndjson", lines(&[SMALL[0], "", "nonsense", SMALL[1], SMALL[0]]));
    let mut summary = env.ingest(["in.ndjson"]);
    for volatile in ["seconds", "bytes_written", "redacted"] {
        summary.as_object_mut().unwrap().remove(volatile);
    }
    assert_snapshot!(serde_json::to_string_pretty(&summary).unwrap(), @r#"
    {
      "batches": 1,
      "bytes_read": 796,
      "counts": {
        "accepted": 2,
        "blank": 1,
        "duplicate": 1,
        "read": 5,
        "rejected": 1,
        "revised": 0
      },
      "drift": {},
      "exact_doubles": 0,
      "files_looked_up": 0,
      "files_written": 3,
      "has_too_many_rejects": false,
      "is_interrupted": false,
      "last_sequence": 1,
      "passed_over": [],
      "redelivered": 0,
      "rejects": {
        "syntax": 1
      },
      "rows": {
        "account_change": 1,
        "authentication": 1,
        "reject": 1
      },
      "shared_uids": 0,
      "sources": [
        {
          "detail": "",
          "lines": 5,
          "name": "in.ndjson",
          "rejected": 1,
          "resumed_lines": 0,
          "state": "complete"
        }
      ],
      "unreadable": 0,
      "without_uid": 0
    }
    "#);
}

#[test]
fn an_unknown_class_and_another_era_go_to_other_event() {
    let env = Env::new();
    env.write(
        "in.ndjson",
        lines(&[
            r#"{"metadata":{"uid":"1"},"class_uid":424242,"time":1767225600000,"strange":{"a":[1]}}"#,
            r#"{"metadata":{"uid":"2"},"class_uid":3005,"class_name":"API Activity","time":1767225600000,"api":{"operation":"x"}}"#,
            r#"{"metadata":{"uid":"3"},"class_uid":3005,"category_uid":6,"time":1767225600000}"#,
            r#"{"metadata":{"uid":"4"},"class_uid":3005,"class_name":"User Access Management","time":1767225600000}"#,
        ]),
    );
    assert_snapshot!(env.run(["ingest", "in.ndjson"]), @r"
    ------- stderr -------
    other_event                     3 rows
    user_access                     1 rows
    warning: 2 x foreign-era: the class name or category contradicts `class_uid`; the events are in other_event
    read 4 = accepted 4 + duplicate 0 + revised 0 + rejected 0 + blank 0
    381 B in [SECONDS] s ([RATE]); 2 files, [SIZE] written
    ");
    assert_snapshot!(env.ok(["sql", "--format", "csv", "-c", "select class, _event_uid from event order by _event_uid"]), @r"
    class,_event_uid
    other_event,1
    other_event,2
    other_event,3
    user_access,4
    ");
}

#[test]
fn a_grown_file_is_read_from_where_it_ended() {
    let env = Env::new();
    env.write("log.ndjson", lines(&SMALL[..3]));
    env.ingest(["log.ndjson"]);
    env.write("log.ndjson", lines(&SMALL));
    assert_snapshot!(env.run(["ingest", "log.ndjson"]), @r"
    ------- stderr -------
    log.ndjson: resumed after line 3, 3 lines
    group_management                1 rows
    other_event                     1 rows
    user_access                     1 rows
    read 3 = accepted 3 + duplicate 0 + revised 0 + rejected 0 + blank 0
    358 B in [SECONDS] s ([RATE]); 3 files, [SIZE] written
    ");
    assert_same_events(&small(), &values(&env.ok(["export"])));
}

#[test]
fn a_line_that_was_half_written_is_read_when_it_is_whole() {
    let env = Env::new();
    let text = lines(&SMALL);
    let cut = lines(&SMALL[..3]).len() + 30;
    env.write("log.ndjson", &text[..cut]);
    assert_eq!(env.try_ingest(["log.ndjson"]).0, 4);
    env.write("log.ndjson", &text);
    env.ingest(["log.ndjson"]);
    assert_same_events(&small(), &values(&env.ok(["export"])));
}

#[test]
fn a_truncated_gzip_keeps_its_whole_lines_and_says_incomplete() {
    let env = Env::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(lines(&SMALL).as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    env.write("cut.ndjson.gz", &bytes[..bytes.len() / 2]);
    let text = env.run(["ingest", "cut.ndjson.gz"]);
    assert!(text.contains("incomplete") && text.contains("[exit status: 4]"), "{text}");
    let rows = env.number("select count(*) from event");
    assert!((1..6).contains(&rows), "{rows} rows");
}

#[test]
fn secrets_do_not_reach_the_disk() {
    let env = Env::new();
    let secret = "sk_0123456789abcdef0123456789abcdef0123456789abcdef";
    env.write(
        "in.ndjson",
        lines(&[
            format!(r#"{{"metadata":{{"uid":"1"}},"class_uid":3002,"time":1767225600000,"message":"key {secret}","unmapped":{{"password":"hunter2hunter2"}}}}"#),
            format!(r#"{{"metadata":{{"uid":"2"}},"class_uid":3002,"message":"no time {secret}"}}"#),
        ]),
    );
    env.ingest(["in.ndjson"]);
    let exported = env.ok(["export"]);
    let rejects = env.ok(["sql", "--format", "json", "-c", "select * from reject"]);
    for text in [&exported, &rejects] {
        assert!(text.contains("[REDACTED:") && !text.contains(secret) && !text.contains("hunter2"), "{text}");
    }
    let lake = env.path("auditlake-data");
    for file in files(&lake) {
        let bytes = fs::read(lake.join(&file)).unwrap();
        assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{file} holds the secret");
    }
}

#[test]
fn a_directory_that_is_no_lake_is_left_alone() {
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    env.write("photos/cat.jpg", "meow");
    assert_snapshot!(env.run(["ingest", "small.ndjson", "--lake", "photos"]), @r"
    ------- stderr -------
    error: photos is not a lake, and not empty
    hint: name an empty or a new directory with `--lake DIR`; nothing was written
    [exit status: 2]
    ");
    assert_eq!(files(&env.path("photos")), ["cat.jpg"]);
    assert_snapshot!(env.run(["status", "--lake", "photos"]), @r"
    ------- stderr -------
    error: photos is not a lake, and not empty
    hint: name an empty or a new directory with `--lake DIR`; nothing was written
    [exit status: 2]
    ");
}

#[test]
fn a_missing_lake_is_said_with_what_makes_one() {
    let env = Env::new();
    for command in
        ["status", "export", "sql", "connect --for polars", "report run user-provisioning-log --period 2026-01"]
    {
        let text = env.run(command.split(' '));
        assert!(text.contains("error: no lake at") && text.contains("hint: `auditlake ingest FILE`"), "{text}");
        assert!(text.contains("[exit status: 3]"), "{text}");
    }
    assert!(!env.path("auditlake-data").exists());
}

#[test]
fn an_input_that_is_not_there_is_a_usage_error() {
    let env = Env::new();
    assert_snapshot!(env.run(["ingest", "nowhere.ndjson"]), @r"
    ------- stderr -------
    error: cannot find `nowhere.ndjson`
    [exit status: 2]
    ");
    assert!(!env.path("auditlake-data").exists());
}

#[test]
fn a_configuration_that_does_not_parse_stops_with_file_and_line() {
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    env.write("auditlake.toml", "[lake]\npath = \"x\"\n[ingest]\nbatch = \n");
    assert_snapshot!(env.run(["ingest", "small.ndjson"]), @r"
    ------- stderr -------
    error: cannot use the configuration auditlake.toml:4: string values must be quoted, expected literal string
    hint: `auditlake config default` prints every key with its default; other keys are not known
    [exit status: 2]
    ");
    env.write("auditlake.toml", "[lake]\npath = \"x\"\n[ingest]\nbatch_mb = 1\n");
    assert_snapshot!(env.run(["status"]), @r"
    ------- stderr -------
    error: cannot use the configuration auditlake.toml:4: unknown field `batch_mb`, expected one of `batch`, `batch_age`, `threads`, `max_line`, `max_ratio`, `keep_odd_times`
    hint: `auditlake config default` prints every key with its default; other keys are not known
    [exit status: 2]
    ");
    assert_snapshot!(env.run(["status", "--config", "absent.toml"]), @r"
    ------- stderr -------
    error: cannot read the configuration absent.toml: No such file or directory (os error 2)
    [exit status: 2]
    ");
    assert!(!env.path("x").exists() && !env.path("auditlake-data").exists());
}

#[test]
fn a_schema_that_does_not_parse_stops_with_file_and_line() {
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    env.write("mine/thing.json", "{\n  \"ocsf\": \"1.6.0\",\n  \"caption\" \"Thing\"\n}\n");
    assert_snapshot!(env.run(["ingest", "small.ndjson", "--schemas", "mine"]), @r"
    ------- stderr -------
    error: cannot use mine/thing.json:3: expected `:`
    [exit status: 2]
    ");
    env.write("mine/thing.json", "{\n  \"ocsf\": \"1.6.0\",\n  \"caption\": \"Thing\",\n  \"uid\": 7777,\n  \"category_uid\": 7,\n  \"attributes\": {\n    \"time\": \"no_such_t\"\n  }\n}\n");
    assert_snapshot!(env.run(["schema", "--schemas", "mine"]), @r"
    ------- stderr -------
    error: cannot use mine/thing.json:7: unknown type `no_such_t`
    [exit status: 2]
    ");
    assert!(!env.path("auditlake-data").exists());
}

#[test]
fn a_class_of_ones_own_gets_its_table() {
    let env = Env::new();
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/schemas");
    env.write(
        "in.ndjson",
        lines(&[
            r#"{"metadata":{"uid":"1"},"class_uid":6005,"class_name":"Datastore Activity","category_uid":6,"time":1767225600000,"api":{"operation":"PutObject"},"actor":{"user":{"uid":"ann"}}}"#,
            SMALL[0],
        ]),
    );
    let text = env.run(["ingest", "in.ndjson", "--schemas", schemas]);
    assert!(text.contains("datastore_activity") && !text.contains("other_event"), "{text}");
    let sql = "select api.operation as operation, actor.user.uid as who from datastore_activity";
    assert_snapshot!(env.ok(["sql", "--schemas", schemas, "--format", "csv", "-c", sql]), @r"
    operation,who
    PutObject,ann
    ");
    let sql = "select class, _event_uid from event order by 2";
    assert_snapshot!(env.ok(["sql", "--schemas", schemas, "--format", "csv", "-c", sql]), @r"
    class,_event_uid
    datastore_activity,1
    authentication,e1
    ");
    assert_same_events(&values(&env.read("in.ndjson")), &values(&env.ok(["export", "--schemas", schemas])));
}

#[test]
fn a_lake_by_day_has_day_partitions() {
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    env.write("auditlake.toml", "[create]\npartition = \"day\"\n");
    env.ingest(["small.ndjson"]);
    assert!(env.path("auditlake-data/authentication/event_day=2026-01-01").is_dir());
    assert_eq!(env.number("select count(*) from event"), 6);
    assert_sound(&env.path("auditlake-data"));
}
