//! Promise 4, end to end: one secret of every kind in every place, and none of them anywhere afterwards.

use std::fs;

use serde_json::{Value, json};

use crate::env::{Env, assert_same_events, lines, values};
use crate::soundness::{assert_sound, files};

const TABLES: [&str; 8] = [
    "account_change",
    "authentication",
    "entity_management",
    "user_access",
    "group_management",
    "other_event",
    "reject",
    "revision",
];

/// Kinds that their shape gives away. Put together here, lest a scanner of repositories takes them for real ones.
fn shaped() -> Vec<String> {
    let hex = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978";
    let mixed = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7";
    vec![
        format!("sk_{hex}"),
        format!("sk_live_{}", &mixed[..24]),
        format!("sk-proj-{mixed}"),
        format!("whsec_{}", &mixed[..32]),
        format!("eyJ{}.eyJ{}.{}", "hbGciOiJIUzI1NiJ9", "zdWIiOiIxMjM0NTY3ODkwIn0", mixed),
        format!("ghp_{}", &mixed[..36]),
        format!("glpat-{}", &mixed[..20]),
        format!("xoxb-{}-{}", "123456789012", &mixed[..24]),
        format!("AIza{}", &mixed[..35]),
        format!("ya29.{}", &mixed[..30]),
        format!("npm_{}", &mixed[..36]),
        format!("pypi-AgE{}", &mixed[..36]),
        format!("hf_{}", &mixed[..34]),
        format!("SG.{}.{}", &mixed[..22], mixed),
        format!("123456789:AA{}", &mixed[..33]),
    ]
}

fn encode(text: &str) -> String {
    let byte = |b: u8| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}

/// Events with `secret` in every place. Its shape need not tell: then it stands only where name or place do.
fn events(number: usize, secret: &str, is_shaped: bool) -> Vec<Value> {
    let nested = encode(&format!("https://y.io/?r={}", encode(&format!("https://z.io/?access_token={secret}"))));
    let inner = json!({"user": {"session_token": secret}}).to_string();
    let mut places = vec![
        json!({"http_request": {"url": {"path": format!("/v1/reset/{secret}/done")}}}),
        json!({"http_request": {"url": {"query_string": format!("page=2&token={secret}")}}}),
        json!({"http_request": {"url": {"url_string": format!("https://bob:{secret}@x.io/a?sig={secret}#top")}}}),
        json!({"http_request": {"url": {"url_string": format!("https://x.io/go?redirect={nested}&z=1")}}}),
        json!({"http_request": {"referrer": format!("https://x.io/password-reset/{secret}?lang=en")}}),
        json!({"http_request": {"http_headers": [
            {"name": "Authorization", "value": format!("Bearer {secret}")},
            {"name": "Cookie", "value": format!("sid={secret}; theme=dark")},
            {"name": "X-Api-Key", "value": secret},
        ]}}),
        json!({"unmapped": {"password": secret, "deep": [{"apiKey": secret}], "body": inner}}),
        json!({"unmapped": {"request": {"headers": {"xi-api-key": secret}}, "client_secret": secret}}),
        json!({"vendor_thing": {"credentials": {"sessionToken": secret}, "otp": [secret]}}),
        json!({"vendor_text": format!("login with password={secret}, user=bob")}),
        json!({"message": format!("curl -H 'xi-api-key: {secret}' https://x.io")}),
        json!({"message": json!({"again": inner}).to_string()}),
        json!({"status_detail": format!("body was {{\"password\": \"{secret}\"}} for bob")}),
        json!({"actor": {"user": {"name": format!("token={secret}")}}}),
    ];
    if is_shaped {
        places.extend([
            json!({"message": format!("created {secret}, ok")}),
            json!({"http_request": {"url": {"path": format!("/keys/{secret}/x")}}}),
            json!({"http_request": {"url": {"query_string": format!("q={}", encode(secret))}}}),
            json!({"http_request": {"http_headers": [{"name": "X-Anything", "value": secret}]}}),
            json!({"unmapped": {"note": secret, "list": [1, [secret]]}}),
            json!({"unmapped": {secret: true}}),
            json!({"vendor_thing": {"note": secret}}),
            json!({"user": {"name": secret, "uid": secret}}),
        ]);
    }
    let with_base = |(place, mut event): (usize, Value)| {
        event["class_uid"] = [3001, 3002, 3004, 3005, 3006, 6003][place % 6].into();
        event["time"] = json!(1_767_225_600_000_u64 + place as u64);
        event["metadata"] = json!({"uid": format!("{number}-{place}")});
        event
    };
    places.into_iter().enumerate().map(with_base).collect()
}

/// The same events as lines that cannot be rows, each for another reason.
fn broken(event: &Value) -> Vec<String> {
    let text = event.to_string();
    let body = &text[1..text.len() - 1];
    vec![
        format!("{{{body}"),
        format!("{{{body},}}"),
        text.replace("\"time\"", "\"when\""),
        format!("{{{body},\"class_uid\":3002}}"),
        format!("{{{body},\"x\":\"\\ud800\"}}"),
        format!("{{{body},\"x\":{}{}}}", "[".repeat(80), "]".repeat(80)),
        // Longer than the test's limit.
        format!("{{{body},\"padding\":\"{}\"}}", "x".repeat(9_000)),
    ]
}

fn secrets() -> Vec<(String, bool)> {
    let named = ["hunter2-Xq7zLm4Rp9w", "Zm9vYmFyYmF6cXV4MTIz"].map(|secret| (secret.to_string(), false));
    shaped().into_iter().map(|secret| (secret, true)).chain(named).collect()
}

fn input() -> String {
    let mut text = Vec::new();
    for (number, (secret, is_shaped)) in secrets().iter().enumerate() {
        let events = events(number, secret, *is_shaped);
        text.extend(events.iter().flat_map(broken));
        text.extend(events.iter().map(Value::to_string));
        // Another version of an event.
        text.push(events[0].to_string().replace("\"time\"", "\"more\":1,\"time\""));
    }
    lines(&text)
}

/// Everything that a run leaves or says: each place with its bytes.
fn traces(env: &Env, config: &str) -> Vec<(String, Vec<u8>)> {
    env.write("auditlake.toml", format!("[ingest]\nmax_line = \"8388\"\n\n[redact]\nenabled = {config}\n"));
    env.write("in.ndjson", input());
    let mut traces = Vec::new();
    let mut told = |name: &str, mut command: std::process::Command| {
        // Every word that we, and the libraries, have to say.
        let output = command.env("AUDITLAKE_LOG", "trace").output().unwrap();
        assert!(output.status.success() || output.status.code() == Some(4), "{name}: {}", env.text(&output));
        traces.push((format!("{name}, stdout"), output.stdout));
        traces.push((format!("{name}, stderr"), output.stderr));
    };
    told("dry run", env.command(["ingest", "in.ndjson", "--dry-run", "--summary-json", "-"]));
    told("ingest", env.command(["ingest", "in.ndjson", "--summary-json", "-", "--progress", "json"]));
    told("explain", env.command(["redact", "--explain", "in.ndjson"]));
    told("export", env.command(["export"]));
    told("list", env.command(["reject", "list", "--format", "ndjson"]));
    told("status", env.command(["status"]));
    for table in TABLES {
        let sql = format!("select * from {table}");
        told(table, env.command(["sql", "--format", "ndjson", "-c", &sql]));
    }
    let lake = env.path("auditlake-data");
    traces.extend(files(&lake).into_iter().map(|file| (file.clone(), fs::read(lake.join(&file)).unwrap())));
    traces
}

/// Where something secret is left, in plain or percent-encoded.
fn leaks(traces: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut leaks = Vec::new();
    for (secret, _) in secrets() {
        for needle in [secret.clone(), encode(&secret)] {
            for (place, bytes) in traces {
                if memchr::memmem::find(bytes, needle.as_bytes()).is_some() {
                    leaks.push(format!("{needle} in {place}"));
                }
            }
        }
    }
    leaks
}

#[test]
fn one_secret_of_every_kind_in_every_place_is_left_nowhere() {
    let env = Env::new();
    let found = leaks(&traces(&env, "true"));
    assert!(found.is_empty(), "{} leaks, among them\n{}", found.len(), found[..found.len().min(20)].join("\n"));

    // Rules and their counts are on record, and every event is still there.
    let ledger = assert_sound(&env.path("auditlake-data"));
    let events: usize = secrets().iter().map(|(secret, is_shaped)| events(0, secret, *is_shaped).len()).sum();
    assert_eq!(ledger.count("accepted"), events as u64);
    assert_eq!(ledger.count("rejected"), events as u64 * 7);
    assert_eq!(ledger.count("revised"), secrets().len() as u64);
    let entry = &ledger.entries[1];
    assert!(!entry["redaction_version"].as_str().unwrap().is_empty(), "{entry}");
    let counts = entry["redacted"].as_object().unwrap();
    for rule in ["jwt", "github", "slack", "sk-key", "password", "token", "cookie", "authorization", "url-userinfo"] {
        assert!(counts[rule].as_u64().unwrap() > 0, "{rule} of {counts:?}");
    }
}

/// The search above finds what is there.
#[test]
fn without_redaction_the_search_finds_every_secret() {
    let env = Env::new();
    let found = leaks(&traces(&env, "false"));
    for (secret, _) in secrets() {
        for place in ["authentication, stdout", "export, stdout", "reject, stdout", "revision, stdout", "list, stdout"]
        {
            assert!(found.contains(&format!("{secret} in {place}")), "{secret} is not found in {place}");
        }
    }
    // Redaction off is on record as well.
    assert_eq!(assert_sound(&env.path("auditlake-data")).entries[1]["redaction_version"], "");
}

#[test]
fn what_identifies_survives_in_every_place() {
    let env = Env::new();
    let names = [
        "d9428888-122b-11e1-b85c-61cd3cbb3210",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bob@example.com",
        "user_8f2a9b7c6d5e4f3a2b1c",
        "req_0123456789abcdef0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "arn:aws:iam::112233445566:role/Admin",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    let mut events = Vec::new();
    for (number, name) in names.iter().enumerate() {
        for (place, mut event) in [
            json!({"metadata": {"correlation_uid": name}, "message": format!("done by {name}, ok")}),
            json!({"actor": {"user": {"uid": name, "email_addr": name, "credential_uid": name}}, "user": {"uid": name}}),
            json!({"http_request": {"uid": name, "url": {"path": format!("/v1/users/{name}"), "query_string": format!("id={name}&page=2")}}}),
            json!({"http_request": {"http_headers": [{"name": "X-Request-Id", "value": name}]}}),
            json!({"unmapped": {"workspace_id": name, "inner": json!({"id": name}).to_string()}}),
            json!({"vendor_thing": {"key_uid": name, "hash": name}}),
        ]
        .into_iter()
        .enumerate()
        {
            event["class_uid"] = [3001, 3002, 3004, 3005, 3006, 6003][place].into();
            event["time"] = 1_767_225_600_000_u64.into();
            event["metadata"]["uid"] = format!("{name}/{number}-{place}").into();
            events.push(event);
        }
    }
    let text: Vec<String> = events.iter().map(Value::to_string).collect();
    env.write("in.ndjson", lines(&text));
    let summary = env.ingest(["in.ndjson"]);
    assert_eq!(summary["redacted"], json!({}));
    assert_same_events(&events, &values(&env.ok(["export"])));
}
