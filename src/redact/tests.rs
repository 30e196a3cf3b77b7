//! Texts that must be redacted and texts that must stay, through every way into the module.

use super::*;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

mod batch;
mod found;
mod properties;

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::new(Rules::embedded(), b"key of the lake").unwrap());

fn redact(text: &str) -> String {
    POLICY.text(text, &mut Counts::default()).unwrap_or_else(|| text.to_owned())
}

fn excerpt(line: &[u8]) -> String {
    String::from_utf8(POLICY.bytes(line, &mut Counts::default())).unwrap()
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// Secrets that their shape gives away, so that they go wherever they are. Put together here, lest a scanner of
/// repositories takes them for real ones.
fn shaped() -> Vec<String> {
    let hex = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978";
    let mixed = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7";
    vec![
        format!("sk_{hex}"),
        format!("sk_live_{}", &mixed[..24]),
        format!("sk-proj-{mixed}"),
        format!("sk-ant-api03-{mixed}"),
        format!("whsec_{}", &mixed[..32]),
        format!("eyJ{}.eyJ{}.{}", "hbGciOiJIUzI1NiJ9", "zdWIiOiIxMjM0NTY3ODkwIn0", mixed),
        format!("ghp_{}", &mixed[..36]),
        format!("github_pat_{}", &mixed[..30]),
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

/// Ways to hold `secret` that make it one by name or place.
fn announced(secret: &str) -> Vec<String> {
    let inner = json!({"user": {"session_token": secret}, "id": 7}).to_string();
    let mut texts = vec![
        format!("https://x.io/a?token={secret}&page=2#top"),
        format!("https://x.io/a?page=2&X-Amz-Signature={secret}"),
        format!("https://x.io/cb?code={secret}&state=1"),
        format!("https://x.io/go?redirect={}&z=1", encode(&format!("https://y.io/?access_token={secret}&b=2"))),
        format!("https://x.io/go?r={}", encode(&format!("https://y.io/?r={}", encode(&format!("/z?sig={secret}"))))),
        format!("https://x.io/?%74oken={secret}"),
        format!("https://bob:{secret}@x.io/a"),
        format!("https://x.io/v1/reset/{secret}/done"),
        format!("https://x.io/password-reset/{secret}?lang=en"),
        format!("/invite/{secret}"),
        format!("token={secret}&page=2"),
        format!("Authorization: Bearer {secret}"),
        format!("GET / HTTP/1.1\r\nCookie: sid={secret}; theme=dark\r\nHost: x.io"),
        format!("curl -H 'xi-api-key: {secret}' https://x.io"),
        format!("login with password={secret}, user=bob"),
        format!("the api key: {secret}"),
        format!("body was {{\"password\": \"{secret}\"}} for bob"),
        format!("body was \"{{\\\"password\\\": \\\"{secret}\\\"}}\" for bob"),
        format!("<login><password>{secret}</password></login>"),
        format!("user[password]={secret}"),
        json!({"client_secret": secret}).to_string(),
        json!({"a": [{"apiKey": [secret, {"b": secret}]}]}).to_string(),
        json!({"credentials": {"accessKeyId": "ASIAXTKM3VWIYVEA5XO7", "sessionToken": secret}}).to_string(),
        json!({"body": inner, "n": 1}).to_string(),
        json!({"body": json!({"again": inner}).to_string()}).to_string(),
        json!({"headers": [{"name": "Authorization", "value": format!("Bearer {secret}")}]}).to_string(),
        format!("{{\"headers\":[{{\"value\":{{\"x\":[\"{secret}\"]}},\"z\":1,\"name\":\"X-Api-Key\"}}]}}"),
        json!({"query": format!("?password={secret}"), "url": format!("https://x.io/verify/{secret}")}).to_string(),
        json!({"/request/headers/cookie": secret}).to_string(),
        format!("{{\"p\\u0061ssword\":\"{secret}\"}}"),
        json!({format!("password={secret}&user=bob"): ""}).to_string(),
    ];
    let broken: Vec<String> =
        texts.iter().filter(|text| text.starts_with('{')).map(|text| text[..text.len() - 1].to_owned()).collect();
    texts.extend(broken);
    texts
}

#[test]
fn no_announced_secret_is_left() {
    for secret in ["hunter2-Xq7zLm4Rp9w", "d9428888-122b-11e1-b85c-61cd3cbb3210", "Zm9vYmFyYmF6cXV4MTIz"] {
        let placeholder = format!(":{}]", placeholder_of(secret));
        for text in announced(secret) {
            let redacted = redact(&text);
            assert!(!redacted.contains(secret), "{text}\n{redacted}");
            assert!(!redacted.contains(&encode(secret)), "{text}\n{redacted}");
            assert!(!excerpt(text.as_bytes()).contains(secret), "{text}");
            assert_eq!(redact(&redacted), redacted, "{text}");
            // The cookie header is one secret, of which this is a part.
            if !text.contains("Cookie: sid") {
                assert!(redacted.contains(&placeholder), "{text}\n{redacted}");
            }
        }
    }
}

fn placeholder_of(secret: &str) -> String {
    let redacted = redact(&json!({ "password": secret }).to_string());
    redacted.trim_end_matches("]\"}").rsplit(':').next().unwrap().to_owned()
}

#[test]
fn no_shaped_secret_is_left_wherever_it_stands() {
    for secret in shaped() {
        let mut texts = announced(&secret);
        texts.extend([
            secret.clone(),
            format!("created {secret}, ok"),
            format!("https://x.io/keys/{secret}/x"),
            format!("https://x.io/?q={}", encode(&secret)),
            format!("q={}", encode(&secret)),
            json!({"note": format!("see {secret}")}).to_string(),
            json!({"note": json!([secret]).to_string()}).to_string(),
            json!({ secret.clone(): 1 }).to_string(),
        ]);
        for text in texts {
            let redacted = redact(&text);
            assert!(!redacted.contains(&secret), "{text}\n{redacted}");
            assert!(!excerpt(text.as_bytes()).contains(&secret), "{text}");
            assert_eq!(redact(&redacted), redacted);
        }
    }
}

#[test]
fn keys_in_blocks_and_webhooks_are_secrets() {
    let lines = "MIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIB";
    let block = format!("-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----");
    for text in [block.clone(), json!({ "note": block }).to_string(), format!("key {} end", block.replace('\n', "\\n"))]
    {
        let redacted = redact(&text);
        assert!(
            redacted.contains("[REDACTED:private-key:") && !redacted.contains("MIIEv") && !redacted.contains("EFAAS"),
            "{redacted}"
        );
    }
    assert!(!excerpt(&block.as_bytes()[..60]).contains("MIIEv"));
    let webhook = redact("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX1");
    assert!(webhook.starts_with("https://hooks.slack.com/services/[REDACTED:slack-webhook:"), "{webhook}");
    assert!(redact("sent Basic dXNlcjpwYXNzd29yZA== to it").starts_with("sent Basic [REDACTED:authorization:"));
}

#[test]
fn what_identifies_survives() {
    for text in [
        "d9428888-122b-11e1-b85c-61cd3cbb3210",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bob@example.com",
        "192.168.0.1",
        "fe80::aa:1",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
        "user_8f2a9b7c6d5e4f3a2b1c",
        "req_0123456789abcdef0123456789",
        "key_0123456789abcdef0123456789",
        "2026-01-01T00:00:00.000Z",
        "arn:aws:iam::112233445566:role/Admin",
        "arn:aws:secretsmanager:eu-west-1:112233445566:secret:prod/db-AbCdEf",
        "AKIAIOSFODNN7EXAMPLE",
        "Password Reset",
        "password reset",
        "Password: reset by admin",
        "password changed by bob",
        "API Key Creation",
        "token was revoked",
        "the session token expired",
        "scope token:read",
        "Basic authentication",
        "Bearer authentication required",
        "https://x.io/v1/users/d9428888-122b-11e1-b85c-61cd3cbb3210?limit=50&page=2",
        "https://x.io/reset/password",
        "https://x.io/settings/verify",
        "git@github.com:a/b.git",
        "https://bob@x.io/",
        "max_tokens=15000&country_code=US",
        "https://x.io/?code=200",
        "status_code: 200",
        "urn:ietf:params:oauth:token-type:jwt",
        "disk_0123456789abcdef0123456789",
        "/sk-slovakia-travel-guide-for-you",
        "authorization: denied",
        "100% of it",
        "token: ***",
        "password=<redacted>",
        "cookie: [REDACTED:cookie:0011aabb]",
        "Authorization: Bearer [REDACTED]",
        "https://x.io/reset/[REDACTED]",
        r#"{"password":null,"token":true,"secret":"","otp":12}"#,
        r#"{"token_count":15000,"max_tokens":4096,"token_type":"bearer","accessKeyId":"ASIAXTKM3VWIYVEA5XO7"}"#,
        r#"{"credential_uid":"AKIAIOSFODNN7EXAMPLE","key_uid":"k-1234567890abcdef","signature_id":"2019401"}"#,
        r#"{"credentials":{"type":"key","expiration":"Mar 23, 2016 2:39:51 AM","accessKeyId":"ASIACQRSTUVWRAOEXAMPLE"}}"#,
        r#"{"signature":"ET SCAN Potential SSH Scan","nextToken":"AAAAAAAAAAAAAAAAAAA1"}"#,
    ] {
        assert_eq!(redact(text), text);
        assert_eq!(excerpt(text.as_bytes()), text);
    }
}

#[test]
fn real_events_keep_all_but_their_secrets() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/real.ndjson");
    let mut findings = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        findings.extend(
            POLICY.explain(line).into_iter().map(|finding| format!("{} {}", finding.rule, &line[finding.range])),
        );
        assert_eq!(
            POLICY.explain(line).is_empty(),
            POLICY.explain(&excerpt(line.as_bytes())).is_empty() && excerpt(line.as_bytes()) == line
        );
    }
    findings.sort();
    findings.dedup();
    // `<encoded session token blob>` of a sample is the description of a token.
    assert_eq!(findings, Vec::<String>::new());
}

#[test]
fn numbers_keep_json_valid() {
    for (text, pointer) in [(json!({"otp": 123456}), "/otp"), (json!({"password": [12345, 1]}), "/password/0")] {
        let nested =
            json!({"body": text.to_string(), "more": json!({"body": text.to_string()}).to_string()}).to_string();
        let redacted: Value = serde_json::from_str(&redact(&text.to_string())).unwrap();
        assert!(redacted.pointer(pointer).unwrap().as_str().unwrap().starts_with("[REDACTED:"));
        let outer: Value = serde_json::from_str(&redact(&nested)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(outer["body"].as_str().unwrap()).unwrap(), redacted);
        let more: Value = serde_json::from_str(outer["more"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(more["body"].as_str().unwrap()).unwrap(), redacted);
    }
}

#[test]
fn excerpts_cut_in_a_secret_leave_no_part_of_it() {
    for line in [
        r#"{"a":1,"password":"hunt"#,
        r#"{"a":1,"note":"sk_hunt"#,
        "x eyJhunt",
        r#"{"u":"https://bob:hunt"#,
        r#"{"h":[{"name":"authorization","value":"Bearer hunt"#,
        r#"{"credentials":{"x":["hunt"#,
    ] {
        let redacted = excerpt(line.as_bytes());
        assert!(!redacted.contains("hunt") && redacted.contains("[REDACTED:"), "{redacted}");
        assert_eq!(excerpt(redacted.as_bytes()), redacted);
    }
    let broken = excerpt(b"{\"a\":\"\xff\",\"token\":\"hunt\xffer\",}");
    assert!(broken.contains('\u{fffd}') && !broken.contains("hunt"), "{broken}");
}

#[test]
fn keys_of_lakes_give_other_placeholders() {
    let other = Policy::new(Rules::embedded(), b"other").unwrap();
    let text = "password=hunter2";
    assert_ne!(other.text(text, &mut Counts::default()), POLICY.text(text, &mut Counts::default()));
    assert_eq!(redact("password=a%26b&x").rsplit(':').next().unwrap().len(), 11);
    assert_eq!(
        redact("https://x?password=a%26b").rsplit(':').next(),
        redact("https://x:a&b@h").rsplit(':').next().map(|s| s.trim_end_matches("@h"))
    );
}

#[test]
fn off_switched_and_own_rules() {
    let off = Policy::off();
    let (mut counts, text) = (Counts::default(), "password=hunter2");
    assert_eq!(off.text(text, &mut counts), None);
    assert_eq!(off.bytes(b"\xff", &mut counts), b"\xff");
    assert!(off.explain(text).is_empty() && counts.is_empty());
    let extra = "[[rule]]\nname='password'\nenabled=false\n[[rule]]\nname='badge'\nkind='badge'\nshape='B-[0-9]{6}'\nneedles=['B-']";
    assert!(Rules::parse(extra, "x").is_err());
    let extra = Rules::parse(&extra.replace("['B-']", "['B-0', 'B-1']"), "x").unwrap();
    let policy = Policy::new(Rules::embedded().merge(extra), b"k").unwrap();
    assert_eq!(policy.text(text, &mut counts), None);
    assert!(policy.text("badge B-012345 of bob", &mut counts).unwrap().starts_with("badge [REDACTED:badge:"));
    assert_eq!(counts.iter().collect::<Vec<_>>(), [("badge", 1)]);
}

#[test]
fn explaining_shows_no_value() {
    let findings = POLICY.explain("token=hunter2hunter2 and https://a:b@c");
    let range = |rule: &str| findings.iter().find(|finding| finding.rule == rule).map(|finding| finding.range.clone());
    assert_eq!((range("token"), range("url-userinfo"), findings.len()), (Some(6..20), Some(35..36), 2));
}
