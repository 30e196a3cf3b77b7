//! Every class of bad input of DESIGN section 4: what is kept, what is said, and that the run goes on.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::env::{Env, SMALL, assert_same_events, lines, values};
use crate::soundness::assert_sound;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// Makes events that do not compress well, so that a cut falls among them.
fn many() -> String {
    let mut state = 1_u64;
    let mut lines = String::new();
    for number in 0..6_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let time = 1_767_225_600_000_u64 + number;
        lines += &format!(r#"{{"class_uid":3002,"time":{time},"metadata":{{"uid":"{state:016x}{number}"}}}}"#);
        lines.push('\n');
    }
    lines
}

/// The outcome of a run over `bytes`: counts, rejects, the source's state, and the exit code.
struct Outcome {
    accepted: u64,
    rejects: Value,
    state: String,
    code: i32,
    events: Vec<Value>,
}

fn ingest(name: &str, bytes: &[u8]) -> Outcome {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nmax_ratio = 50\nmax_line = \"1MiB\"\n\n[redact]\nenabled = false\n");
    env.write("in", bytes);
    let output = env.command(["ingest", "in", "--summary-json", "-", "--quiet"]).output().unwrap();
    let summary: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: {}", env.text(&output)));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.lines().all(|line| line.starts_with("warning: redaction is off")), "{name}: {said}");
    let ledger = assert_sound(&env.path("auditlake-data"));
    assert_eq!(ledger.count("read"), summary["counts"]["read"].as_u64().unwrap(), "{name}");

    // The same once more adds nothing and doubles nothing, whatever the source is like.
    let entries = ledger.entries.len();
    env.command(["ingest", "in", "--quiet"]).output().unwrap();
    assert_eq!(
        assert_sound(&env.path("auditlake-data")).entries.len(),
        entries,
        "{name}: the second run wrote an entry"
    );
    Outcome {
        accepted: summary["counts"]["accepted"].as_u64().unwrap(),
        rejects: summary["rejects"].clone(),
        state: summary["sources"][0]["state"].as_str().unwrap().to_string(),
        code: output.status.code().unwrap(),
        events: if summary["batches"] == 0 { Vec::new() } else { values(&env.ok(["export"])) },
    }
}

#[test]
fn damaged_archives_keep_their_whole_lines() {
    let plain = many();
    let all = values(&plain);
    for (name, packed) in [("gzip", gzip(plain.as_bytes())), ("zstd", zstd(plain.as_bytes()))] {
        let cut = ingest(name, &packed[..packed.len() / 2]);
        assert_eq!((cut.state.as_str(), cut.code), ("truncated", 4), "{name}");
        // The piece of a line at the cut is no verdict: the rest may come.
        assert_eq!(cut.rejects, json!({}), "{name}");
        assert!((1_000..6_000).contains(&cut.accepted), "{name}: {}", cut.accepted);
        assert_same_events(&all[..cut.accepted as usize], &cut.events);

        let mut flipped = packed.clone();
        let middle = packed.len() / 2;
        flipped[middle..middle + 40].fill(0xff);
        let corrupt = ingest(name, &flipped);
        assert_eq!((corrupt.state.as_str(), corrupt.code), ("corrupt", 4), "{name}");
        assert!((1_000..6_000).contains(&corrupt.accepted), "{name}: {}", corrupt.accepted);

        // Cut within the very first line.
        let first = ingest(name, &packed[..40]);
        assert_eq!((first.state.as_str(), first.code, first.accepted), ("truncated", 4, 0), "{name}");
    }
    let mut check = gzip(plain.as_bytes());
    let at = check.len() - 8;
    check[at] ^= 1;
    let wrong = ingest("checksum", &check);
    assert_eq!((wrong.state.as_str(), wrong.code), ("corrupt", 4));
}

#[test]
fn several_members_are_one_stream_and_garbage_behind_them_is_said() {
    let plain = lines(&SMALL);
    let (one, two) = plain.as_bytes().split_at(plain.len() / 2);
    for (name, bytes) in [
        ("gzip members", [gzip(one), gzip(b""), gzip(two), vec![0; 512]].concat()),
        ("zstd frames", [zstd(one), zstd(b""), zstd(two)].concat()),
    ] {
        let outcome = ingest(name, &bytes);
        assert_eq!((outcome.state.as_str(), outcome.code, &outcome.rejects), ("complete", 0, &json!({})), "{name}");
        assert_same_events(&values(&plain), &outcome.events);
    }
    for (name, bytes) in [
        ("gzip and garbage", [gzip(plain.as_bytes()), b"garbage".to_vec()].concat()),
        ("zstd and garbage", [zstd(plain.as_bytes()), b"garbage".to_vec()].concat()),
    ] {
        let outcome = ingest(name, &bytes);
        assert_eq!((outcome.state.as_str(), outcome.code, outcome.accepted), ("corrupt", 4, 6), "{name}");
    }
}

#[test]
fn a_bomb_stops_its_source_and_not_the_run() {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nmax_ratio = 50\n");
    // 100 MB of blank lines.
    let part = [&[b' '; 999][..], b"\n"].concat().repeat(1_000);
    for (name, part) in [("a.gz", gzip(&part)), ("b.zst", zstd(&part))] {
        env.write(name, [gzip_or(name, lines(&SMALL).as_bytes()), part.repeat(100)].concat());
    }
    env.write("c.ndjson", lines(&[SMALL[0].replace("e1", "last")]));
    let output = env.command(["ingest", "a.gz", "b.zst", "c.ndjson", "--summary-json", "-", "-q"]).output().unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<&str> = (0..3).map(|at| summary["sources"][at]["state"].as_str().unwrap()).collect();
    assert_eq!((states, output.status.code()), (vec!["bomb", "bomb", "complete"], Some(4)));
    assert!(summary["sources"][0]["detail"].as_str().unwrap().contains("more than 50 times as much"), "{summary}");
    assert_eq!(env.number("select count(*) from event"), 7);
}

fn gzip_or(name: &str, bytes: &[u8]) -> Vec<u8> {
    if name.ends_with(".gz") { gzip(bytes) } else { zstd(bytes) }
}

#[test]
fn encodings_and_line_endings() {
    let plain = lines(&SMALL);
    let utf16 = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> { plain.encode_utf16().flat_map(unit).collect() };
    for (name, bytes) in [
        ("little endian", utf16(u16::to_le_bytes)),
        ("big endian", utf16(u16::to_be_bytes)),
        ("with a mark", [b"\xff\xfe".to_vec(), utf16(u16::to_le_bytes)].concat()),
    ] {
        let outcome = ingest(name, &bytes);
        assert_eq!((outcome.state.as_str(), outcome.code, outcome.accepted), ("refused", 4, 0), "{name}");
        assert_eq!(outcome.rejects, json!({}), "{name}");
    }
    for (name, text) in [
        ("BOM", format!("\u{feff}{plain}")),
        ("CRLF", plain.replace('\n', "\r\n")),
        ("BOM and CRLF", format!("\u{feff}{}", plain.replace('\n', "\r\n"))),
        ("no last newline", plain.trim_end().to_string()),
        ("blank lines", plain.replace('\n', "\n \t\r\n\n")),
    ] {
        let outcome = ingest(name, text.as_bytes());
        assert_eq!((outcome.state.as_str(), outcome.code, &outcome.rejects), ("complete", 0, &json!({})), "{name}");
        assert_same_events(&values(&plain), &outcome.events);
    }
    // A block that a file system never wrote, between two lines, and before one on the same line.
    let zeros = [SMALL[0].as_bytes(), b"\n", &[0; 4096], b"\n", &[0; 100], SMALL[1].as_bytes(), b"\n"].concat();
    let outcome = ingest("NUL runs", &zeros);
    assert_eq!((outcome.accepted, &outcome.rejects, outcome.code), (2, &json!({"nul-run": 2}), 0));
}

#[test]
fn a_line_that_is_no_event_is_one_reject() {
    let event = |more: &str| format!(r#"{{"class_uid":3002,"time":1767225600000{more}}}"#);
    for (reason, line) in [
        ("syntax", "{\"a\":".as_bytes().to_vec()),
        ("syntax", b"<xml/>".to_vec()),
        ("not-an-object", b"[1,2]".to_vec()),
        ("not-an-object", b"\"text\"".to_vec()),
        ("invalid-utf8", [&event("").as_bytes()[..39], &b",\"m\":\"\xff\xfe\"}"[..]].concat()),
        ("lone-surrogate", event(r#","message":"\ud800""#).into_bytes()),
        ("lone-surrogate", event(r#","message":"\udc00\ud800""#).into_bytes()),
        ("duplicate-key", event(r#","class_uid":3002"#).into_bytes()),
        ("duplicate-key", event(r#","unmapped":{"a":1,"a":1}"#).into_bytes()),
        ("too-deep", event(&format!(r#","x":{}{}"#, "[".repeat(80), "]".repeat(80))).into_bytes()),
        ("too-deep", event(&format!(r#","x":{}1{}"#, "{\"a\":".repeat(80), "}".repeat(80))).into_bytes()),
        ("number-out-of-range", event(r#","count":1e999"#).into_bytes()),
        ("missing-class-uid", br#"{"time":1767225600000}"#.to_vec()),
        ("bad-class-uid", br#"{"class_uid":"3002","time":1767225600000}"#.to_vec()),
        ("missing-time", br#"{"class_uid":3002}"#.to_vec()),
        ("bad-time", br#"{"class_uid":3002,"time":"yesterday"}"#.to_vec()),
        ("line-too-long", event(&format!(r#","message":"{}""#, "x".repeat(1 << 20))).into_bytes()),
    ] {
        let what = format!("{reason}: {}", String::from_utf8_lossy(&line[..line.len().min(80)]));
        let bytes = [SMALL[0].as_bytes(), b"\n", &line, b"\n", SMALL[1].as_bytes(), b"\n"].concat();
        let outcome = ingest(&what, &bytes);
        assert_eq!((outcome.accepted, outcome.rejects, outcome.code), (2, json!({ reason: 1 }), 0), "{what}");
    }
    // Sixty-four levels are fine.
    let deep = event(&format!(r#","x":{}{}"#, "[".repeat(62), "]".repeat(62)));
    assert_eq!(ingest("deep", lines(&[deep]).as_bytes()).accepted, 1);
}

#[test]
fn what_cannot_be_taken_apart_is_rejected_once_and_what_is_cut_off_is_left() {
    for (text, rejects) in [
        (format!("[{},{{\"b\":[1}},{}]", SMALL[0], SMALL[1]), json!({"syntax": 1})),
        (format!("[{},{{\"b\":", SMALL[0]), json!({})),
        (format!("{{\"entries\":[{},{{\"b\":", SMALL[0]), json!({})),
    ] {
        let outcome = ingest(&text, text.as_bytes());
        assert_eq!((outcome.accepted, outcome.state.as_str(), outcome.code), (1, "unterminated", 4), "{text}");
        assert_eq!(outcome.rejects, rejects, "{text}");
    }
}

#[test]
fn a_source_that_was_cut_in_its_first_line_is_left_until_it_is_whole() {
    let env = Env::new();
    let stored = |line: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(line.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    // Two of them: both have taken in nothing, and they are not each other.
    env.write("a.gz", &stored(SMALL[0])[..90]);
    env.write("b.gz", &stored(SMALL[1])[..90]);
    for _ in 0..3 {
        let (code, summary) = env.try_ingest(["a.gz", "b.gz"]);
        assert_eq!((code, &summary["counts"]["read"]), (4, &json!(0)), "{summary}");
    }
    // One is sent again, whole.
    env.write("a.gz", gzip(lines(&SMALL).as_bytes()));
    env.command(["ingest", "a.gz", "b.gz", "-q"]).output().unwrap();
    assert_eq!(env.number("select count(*) from event"), 6);
    assert_eq!(env.number("select count(*) from reject"), 0);
    // Of the other one nothing more will come.
    let (_, summary) = env.try_ingest(["b.gz", "--finish"]);
    assert_eq!(
        (&summary["rejects"], summary["sources"][0]["state"].as_str()),
        (&json!({"truncated": 1}), Some("truncated"))
    );
    let (code, summary) = env.try_ingest(["b.gz", "--finish"]);
    assert_eq!((code, &summary["counts"]["read"]), (4, &json!(0)), "{summary}");
}

/// Runs an ingest of stdin, which `write` fills; its peak of resident memory in MiB, and its output as text.
fn watched(env: &Env, write: impl FnOnce(&mut dyn Write)) -> (u64, String) {
    let mut command: Command = env.command(["ingest", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    write(&mut stdin);
    stdin.flush().unwrap();
    // It waits for more, so that the system still knows of it; a small input is written before the program has begun.
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|text| text.split_whitespace().next()).map_or(0, |kib| kib.parse::<u64>().unwrap() / 1024)
    };
    let mut seen = (0, peak());
    while seen.1 == 0 || seen.0 != seen.1 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        seen = (seen.1, peak());
    }
    let peak = seen.1;
    drop(stdin);
    (peak, env.text(&child.wait_with_output().unwrap()))
}

/// The short form; `tests/fault/badinput` has the full gigabyte and the full million.
#[test]
fn a_huge_line_takes_no_more_memory_than_a_small_one() {
    let env = Env::new();
    let (before, _) = watched(&env, |stdin| stdin.write_all(lines(&SMALL[..2]).as_bytes()).unwrap());
    let (peak, text) = watched(&env, |stdin| {
        stdin.write_all(b"{\"a\":\"").unwrap();
        let block = [b'x'; 1 << 16];
        (0..256 << 4).for_each(|_| stdin.write_all(&block).unwrap());
        stdin.write_all(b"\"}\n").unwrap();
        stdin.write_all(lines(&SMALL[2..]).as_bytes()).unwrap();
    });
    assert!(text.contains("rejected: 1 x line-too-long") && text.contains("accepted 4"), "{text}");
    assert!(peak < before + 100, "{peak} MiB for a line of 256 MiB, {before} MiB for small ones");
    assert_eq!(
        env.rows("select length, sha256 is not null as h from reject"),
        [json!({"length": (256 << 20) + 8, "h": true})]
    );
}

#[test]
fn very_many_bad_lines_are_one_message_and_bounded_memory() {
    let env = Env::new();
    let count = 250_000;
    let (peak, text) = watched(&env, |stdin| {
        let block = "bad\n".repeat(1_000);
        (0..count / 1_000).for_each(|_| stdin.write_all(block.as_bytes()).unwrap());
    });
    let said: Vec<&str> = text.lines().filter(|line| line.contains("reject")).collect();
    assert_eq!(said.len(), 3, "{text}");
    assert!(text.contains("rejected: 250,000 x syntax") && text.contains("rejected 250,000 + blank 0"), "{text}");
    assert!(peak < 400, "{peak} MiB");
    let ledger = assert_sound(&env.path("auditlake-data"));
    assert!(ledger.entries.len() > 2, "all of it was held at once");
    assert_eq!(env.number("select count(*) from reject"), count);
}
