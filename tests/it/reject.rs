//! `auditlake reject`: the open rejects, and their retry after a fix.

use std::fs;
use std::io::Write;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::env::{Env, SMALL, lines, values};
use crate::soundness::{assert_sound, files};

const SHORT: &str = "[ingest]\nmax_line = \"209\"\n";

/// Makes a line that is too long for [`SHORT`].
fn long(uid: &str) -> String {
    let metadata = if uid.is_empty() { String::new() } else { format!(r#""metadata":{{"uid":"{uid}"}},"#) };
    format!(r#"{{{metadata}"class_uid":3002,"time":1767225600000,"message":"{}"}}"#, "x".repeat(220))
}

/// Makes two lines that are too long, one without a uid; a third that is not JSON; one that revises another.
fn mixed() -> String {
    let taken = SMALL[1].replace("\"bob\"", "\"eve\"");
    lines(&[SMALL[1], &long("l1"), "nonsense", &taken, &long("")])
}

/// Makes an environment with [`mixed`] ingested under the low limit, and a configuration without it.
fn env() -> Env {
    let env = Env::new();
    env.write("auditlake.toml", SHORT);
    env.write("in.ndjson", mixed());
    let summary = env.ingest(["in.ndjson"]);
    assert_eq!(
        summary["counts"],
        json!({"read": 5, "accepted": 1, "duplicate": 0, "revised": 1, "rejected": 3, "blank": 0})
    );
    fs::remove_file(env.path("auditlake.toml")).unwrap();
    env
}

fn retry(env: &Env, more: &[&str]) -> Value {
    let mut command = env.command(["reject", "retry", "--json", "--quiet"]);
    let output = command.args(more).output().unwrap();
    let mut told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", env.text(&output)));
    told["exit"] = output.status.code().into();
    told.as_object_mut().unwrap().remove("seconds");
    told
}

#[test]
fn what_is_a_row_after_a_fix_is_taken_in_once() {
    let env = env();
    assert_snapshot!(env.run(["reject", "retry"]), @r"
    ------- stderr -------
    authentication                  2 rows
    still rejected: 1 x syntax
    without a uid: 1 row, of these exact doubles: 0; another delivery of them is not recognised
    open 3: accepted 2 + duplicate 0 + revised 0 + still rejected 1 + skipped 0
    ");
    assert_eq!(env.number("select count(*) from event"), 3);
    let open = values(&env.ok(["reject", "list", "--format", "ndjson"]));
    let places: Vec<(&Value, &Value)> = open.iter().map(|row| (&row["line"], &row["reason"])).collect();
    assert_eq!(places, [(&json!(3), &json!("syntax"))]);
    assert_eq!(open[0]["excerpt"], "nonsense");
    // Nothing can be ingested twice, not even a line without a uid.
    assert_snapshot!(env.run(["reject", "retry"]), @r"
    ------- stderr -------
    still rejected: 1 x syntax
    open 1: accepted 0 + duplicate 0 + revised 0 + still rejected 1 + skipped 0
    ");
    assert_eq!(env.number("select count(*) from event"), 3);
    // The table of rejects is history, and the log says what became of them.
    assert_eq!(env.number("select count(*) from reject"), 3);
    assert_snapshot!(env.ok(["sql", "--format", "csv", "-c", "select sequence, kind, source, read, accepted, duplicate, revised, rejected from ingest_log order by sequence"]), @r"
    sequence,kind,source,read,accepted,duplicate,revised,rejected
    0,create,,,,,,
    1,ingest,in.ndjson,5,1,0,1,3
    2,retry,in.ndjson,2,2,0,0,0
    ");
    let ledger = assert_sound(&env.path("auditlake-data"));
    assert_eq!(ledger.entries[2]["retried"], json!([{"batch": 1, "source": "in.ndjson", "lines": [[2, 2], [5, 5]]}]));
    // The file itself is known, as it was before.
    assert_eq!(env.ingest(["in.ndjson"])["counts"]["read"], 0);
}

#[test]
fn lines_are_chosen_by_reason_source_and_time() {
    let env = env();
    env.write("auditlake.toml", SHORT);
    env.write("other.ndjson", lines(&[long("o1")]));
    assert_eq!(env.try_ingest(["other.ndjson"]).0, 4);
    fs::remove_file(env.path("auditlake.toml")).unwrap();
    for (filter, open) in [
        (vec!["--reason", "syntax"], 1),
        (vec!["--reason", "syntax", "--reason", "line-too-long"], 4),
        (vec!["--source", "other.ndjson"], 1),
        (vec!["--until", "2020-01-01"], 0),
        (vec!["--since", "2020-01-01T00:00:00Z"], 4),
    ] {
        let listed = env.ok([vec!["reject", "list", "--format", "ndjson"], filter.clone()].concat());
        assert_eq!(values(&listed).len(), open, "{filter:?}");
    }
    assert_eq!(retry(&env, &["--source", "other.ndjson"])["counts"]["accepted"], 1);
    assert_eq!(retry(&env, &["--reason", "syntax"])["still_rejected"], json!({"syntax": 1}));
    assert_eq!(retry(&env, &[])["counts"]["accepted"], 2);
}

#[test]
fn lines_are_found_again_in_every_form() {
    let text = mixed();
    let values: Vec<&str> = text.lines().collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let forms: [(&str, Vec<u8>); 6] = [
        ("lines", text.clone().into_bytes()),
        ("no-last-newline", text.trim_end().as_bytes().to_vec()),
        ("crlf-and-bom", ["\u{feff}", &text.replace('\n', "\r\n")].concat().into_bytes()),
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd::encode_all(text.as_bytes(), 3).unwrap()),
        (
            "array",
            format!("[{}]", [values[0], values[1], "\"nonsense\"", values[3], values[4]].join(",\n")).into_bytes(),
        ),
    ];
    for (name, bytes) in forms {
        // Each line in a batch of its own, too.
        let small = "[ingest]\nmax_line = \"209\"\nbatch = \"52\"\n";
        let configs = if matches!(name, "lines" | "array") { &[SHORT, small][..] } else { &[SHORT] };
        for config in configs {
            let env = Env::new();
            env.write("short.toml", config);
            env.write("in", &bytes);
            env.ok(["ingest", "in", "--config", "short.toml"]);
            assert_eq!(env.number("select count(*) from event"), 1, "{name}");
            let told = retry(&env, &[]);
            assert_eq!((&told["counts"]["accepted"], &told["unread"]), (&json!(2), &json!([])), "{name}: {told}");
            assert_eq!(retry(&env, &[])["counts"]["read"], 0, "{name}");
            assert_eq!(env.number("select count(*) from event"), 3, "{name}");
            assert_sound(&env.path("auditlake-data"));
        }
    }
}

#[test]
fn what_cannot_be_read_again_is_said_with_the_reason() {
    let env = env();
    // The content differs, but not even its length shows it.
    env.write("in.ndjson", mixed().replace("nonsense", "nonsence"));
    assert_snapshot!(env.run(["reject", "retry"]), @r"
    ------- stderr -------
    skipped: 3 lines of in.ndjson: the file is not what it was when the line was read
    open 3: accepted 0 + duplicate 0 + revised 0 + still rejected 0 + skipped 3
    [exit status: 4]
    ");
    fs::remove_file(env.path("in.ndjson")).unwrap();
    assert_snapshot!(env.run(["reject", "retry", "--reason", "syntax"]), @r"
    ------- stderr -------
    skipped: 1 line of in.ndjson: cannot open [DIR]/in.ndjson: No such file or directory (os error 2)
    open 1: accepted 0 + duplicate 0 + revised 0 + still rejected 0 + skipped 1
    [exit status: 4]
    ");
    // It comes back, and has grown: the part that was read is unchanged.
    env.write("in.ndjson", mixed() + SMALL[2] + "\n");
    assert_eq!(retry(&env, &[])["counts"]["accepted"], 2);

    let env = Env::new();
    env.write("short.toml", SHORT);
    let mut command = env.command(["ingest", "-", "--config", "short.toml"]);
    crate::env::feed(&mut command, mixed().as_bytes());
    assert_snapshot!(env.run(["reject", "retry"]), @r"
    ------- stderr -------
    skipped: 3 lines of -: it did not come from a file: send it once more
    open 3: accepted 0 + duplicate 0 + revised 0 + still rejected 0 + skipped 3
    [exit status: 4]
    ");
}

#[test]
fn a_line_that_was_cut_off_is_no_reject_until_nothing_more_will_come() {
    let env = Env::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(lines(&SMALL).as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    env.write("in.gz", &bytes[..bytes.len() / 2]);
    env.run(["ingest", "in.gz"]);
    assert_eq!(retry(&env, &[])["open"], 0);
    env.run(["ingest", "in.gz", "--finish"]);
    // It is complete now, and is read from before the piece.
    env.write("in.gz", &bytes);
    let told = retry(&env, &[]);
    assert_eq!((&told["exit"], &told["counts"]["read"]), (&json!(4), &json!(0)), "{told}");
    env.ingest(["in.gz"]);
    assert_eq!(env.number("select count(*) from event"), 6);
}

#[test]
fn secrets_in_lines_that_are_taken_in_are_replaced() {
    let env = Env::new();
    env.write("auditlake.toml", SHORT);
    let secret = "hunter2-Xq7zLm4Rp9w";
    env.write(
        "in.ndjson",
        lines(&[long("s").replace("xxx\"", &format!("xxx\",\"unmapped\":{{\"password\":\"{secret}\"}}"))]),
    );
    assert_eq!(env.try_ingest(["in.ndjson"]).0, 4);
    fs::remove_file(env.path("auditlake.toml")).unwrap();
    assert_eq!(retry(&env, &[])["counts"]["accepted"], 1);
    let exported = env.ok(["export"]);
    assert!(exported.contains("[REDACTED:password:") && !exported.contains(secret), "{exported}");
    let ledger = assert_sound(&env.path("auditlake-data"));
    assert_eq!(ledger.entries[2]["redacted"], json!({"password": 1}));
    assert!(!ledger.entries[2]["redaction_version"].as_str().unwrap().is_empty());
    let lake = env.path("auditlake-data");
    for file in files(&lake) {
        let bytes = fs::read(lake.join(&file)).unwrap();
        assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{file}");
    }
}
