//! Texts that must be redacted and texts that must stay, through every way into the module.

use super::*;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

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

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

#[test]
fn batches_are_redacted_at_any_depth() {
    let header =
        Fields::from(vec![Field::new("name", DataType::Utf8, true), Field::new("value", DataType::Utf8, true)]);
    let pairs = StructArray::new(
        header.clone(),
        vec![
            texts(&[Some("Host"), Some("Authorization"), None, Some("x-api-key"), Some("X-Url")]),
            texts(&[
                Some("x.io"),
                Some("Bearer hunter2"),
                Some("hunter1"),
                None,
                Some("https://x.io/?sig=hunter2hunter2"),
            ]),
        ],
        Some(NullBuffer::from(vec![true, true, true, true, true])),
    );
    let element = Arc::new(Field::new("element", DataType::Struct(header), true));
    let offsets = OffsetBuffer::new(vec![0, 2, 2, 5].into());
    let headers =
        ListArray::new(element.clone(), offsets, Arc::new(pairs), Some(NullBuffer::from(vec![true, false, true])));
    let words = ListArray::new(
        Arc::new(Field::new("element", DataType::Utf8, true)),
        OffsetBuffer::new(vec![0, 1, 1, 2].into()),
        texts(&[Some("ok"), Some("password=hunter2")]),
        None,
    );
    let request = Fields::from(vec![
        Field::new("http_headers", DataType::List(element), true),
        Field::new("password", DataType::Utf8, true),
        Field::new("credential_uid", DataType::Utf8, true),
        Field::new("words", words.data_type().clone(), true),
    ]);
    let request = StructArray::new(
        request,
        vec![
            Arc::new(headers),
            texts(&[Some("hunter2"), None, Some("***")]),
            texts(&[Some("AKIAIOSFODNN7EXAMPLE"), Some("hunter1"), None]),
            Arc::new(words),
        ],
        Some(NullBuffer::from(vec![true, true, false])),
    );
    let schema = Schema::new(vec![
        Field::new("request", request.data_type().clone(), true),
        Field::new("message", DataType::Utf8, true),
        Field::new("unmapped", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
    ]);
    let message = texts(&[Some("clean"), Some("also clean"), None]);
    let unmapped = texts(&[Some(r#"{"a":{"token":"hunter2"},"b":"x"}"#), None, Some("{}")]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(request.clone()), message.clone(), unmapped, Arc::new(Int64Array::from(vec![1, 2, 3]))];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();

    let mut counts = Counts::default();
    let redacted = POLICY.apply(batch.clone(), &mut counts).unwrap();
    let shown = format!("{redacted:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        shown.contains("hunter1")
            && shown.contains("AKIAIOSFODNN7EXAMPLE")
            && shown.contains("Bearer [REDACTED:authorization:")
    );
    assert_eq!(redacted.schema(), batch.schema());
    assert_eq!(redacted.column(0).nulls(), batch.column(0).nulls());
    let lists = |batch: &RecordBatch| batch.column(0).as_struct().column(0).as_list::<i32>().clone();
    assert_eq!(
        (lists(&redacted).offsets(), lists(&redacted).nulls()),
        (lists(&batch).offsets(), lists(&batch).nulls())
    );
    assert!(Arc::ptr_eq(redacted.column(1), &message));
    assert_eq!(counts.total(), 5);
    assert_eq!(counts.iter().find(|(rule, _)| *rule == "password"), Some(("password", 2)));
    assert_eq!(POLICY.apply(redacted.clone(), &mut counts).unwrap(), redacted);
    assert_eq!(counts.total(), 5);

    // A slice begins in the middle of its buffers.
    let slice = POLICY.apply(batch.slice(1, 2), &mut counts).unwrap();
    assert!(!format!("{slice:?}").contains("password=hunter2"));
    assert_eq!(slice.column(2).as_string::<i32>(), batch.slice(1, 2).column(2).as_string::<i32>());
    assert_eq!(slice, redacted.slice(1, 2));
}

#[test]
fn columns_redact_like_their_texts() {
    let mut values: Vec<Option<String>> = Vec::new();
    for (index, text) in shaped().iter().flat_map(|secret| announced(secret)).enumerate() {
        values.extend([Some(text), None, Some(String::new())]);
        // Clean text in between, so that needles fall on the borders of blocks.
        values.extend((0..index % 7).map(|n| Some(format!("clean text {n} about users_{index} ").repeat(index % 5))));
    }
    let column: StringArray = values.iter().collect();
    let expected: StringArray = values.iter().map(|value| value.as_deref().map(redact)).collect();
    for from in [0, 1, 1000] {
        let batch =
            RecordBatch::try_from_iter([("m", Arc::new(column.slice(from, column.len() - from)) as ArrayRef)]).unwrap();
        let redacted = POLICY.apply(batch, &mut Counts::default()).unwrap();
        assert_eq!(redacted.column(0).as_string::<i32>(), &expected.slice(from, column.len() - from));
    }
}

#[test]
fn unknown_types_of_text_are_refused() {
    let views: ArrayRef = Arc::new(arrow::array::StringViewArray::from(vec!["a"]));
    let error = POLICY.apply(RecordBatch::try_from_iter([("v", views)]).unwrap(), &mut Counts::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot redact column `v` of type Utf8View");
}

/// Text made of the pieces that the rules look for, in any order.
fn jumble() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "token",
            "password",
            "Authorization",
            "cookie",
            "code",
            "PIN 1234 ",
            "root password 'Xq7zLm4Rp9w'",
            "sig",
            "api key",
            "name",
            "value",
            "Bearer ",
            "Basic ",
            "=",
            ":",
            ": ",
            "?",
            "&",
            "#",
            "@",
            "://",
            "/",
            "/reset/",
            "/verify/",
            "%3D",
            "%2F",
            "%25",
            "%22",
            "%7B",
            "\"",
            "\\\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            ";",
            " ",
            "\n",
            "\\n",
            "'",
            "<",
            ">",
            "eyJhbGciOi",
            ".",
            "sk_",
            "0123456789abcdef0123",
            "1234",
            "hunter2",
            "[REDACTED:token:0123abcd]",
            "[REDACTED:",
            "$6$abcdefgh$0123456789abcdefABCDEF",
            "{SSHA}0123456789abcdefABCDEF",
            "-p ",
            "--password ",
            "/+Az09",
            "***",
            "-----BEGIN PRIVATE KEY-----",
            "é",
            "\u{1F600}",
            "\\u0070",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,6}",
        ".{0,3}",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn tree() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        jumble(),
        prop::sample::select(vec!["token", "name", "value", "x", "id", "credentials", "otp"]).prop_map(str::to_owned)
    ];
    let leaf = prop_oneof![
        jumble().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner.clone()), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// The shape of a value: kinds and numbers of members, a redacted number being still a scalar.
fn shape(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            // A redacted key may sort elsewhere.
            let mut shapes: Vec<String> = members.values().map(shape).collect();
            shapes.sort();
            format!("{{{}}}", shapes.join(","))
        }
        _ => "scalar".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redacting_twice_changes_nothing(text in jumble()) {
        let once = redact(&text);
        prop_assert_eq!(&redact(&once), &once);
        let once = excerpt(text.as_bytes());
        prop_assert_eq!(&excerpt(once.as_bytes()), &once);
    }

    #[test]
    fn the_prefilter_misses_nothing(text in jumble(), value in tree()) {
        let engine = POLICY.engine.as_ref().unwrap();
        for text in [text, value.to_string()] {
            let spans = engine.secrets(&text, Scope::Text);
            prop_assert!(engine.may_hold_secret(&text, Scope::Text) || spans.is_empty(), "{} {:?}", text, spans);
        }
    }

    #[test]
    fn the_prefilter_sees_words_behind_what_is_encoded(name in "(PIN|pin|Otp|OTP|pwd)", sign in "(%3D|%3d|%20|%22|%2F)") {
        let engine = POLICY.engine.as_ref().unwrap();
        let text = format!("{sign}{name} 1234 ");
        let spans = engine.secrets(&text, Scope::Text);
        prop_assert!(engine.may_hold_secret(&text, Scope::Text) || spans.is_empty(), "{} {:?}", text, spans);
    }

    #[test]
    fn a_column_redacts_like_its_texts(texts in prop::collection::vec(jumble(), 1..12)) {
        let column: ArrayRef = Arc::new(texts.iter().map(Some).collect::<StringArray>());
        let redacted = POLICY.apply(RecordBatch::try_from_iter([("m", column)]).unwrap(), &mut Counts::default()).unwrap();
        let found: Vec<&str> = redacted.column(0).as_string::<i32>().iter().map(Option::unwrap).collect();
        prop_assert_eq!(found, texts.iter().map(|text| redact(text)).collect::<Vec<_>>());
    }

    #[test]
    fn json_stays_json(value in tree()) {
        let text = value.to_string();
        let once = redact(&text);
        let parsed: Value = serde_json::from_str(&once).map_err(|error| TestCaseError::fail(format!("{error}\n{text}\n{once}")))?;
        prop_assert_eq!(shape(&parsed), shape(&value));
        prop_assert_eq!(&redact(&once), &once);
    }

    #[test]
    fn any_bytes_are_an_excerpt(bytes in prop::collection::vec(any::<u8>(), 0..200), text in jumble()) {
        let mut line = text.into_bytes();
        line.extend(bytes);
        let once = POLICY.bytes(&line, &mut Counts::default());
        prop_assert_eq!(POLICY.bytes(&once, &mut Counts::default()), once);
    }
}

/// Texts that the rules have most to do with, of one piece each: of one kind of rule, and one of each rule.
fn worst_pieces() -> (Vec<String>, Vec<String>) {
    let kinds: Vec<String> = [
        "cookie: allowed ",
        "cookie:allowed;",
        "authorization: required ",
        "cookie: a=b; ",
        "cookie: a",
        "authorization: Digest a=\"",
        "authorization: Digest a=b, ",
        "password: mallory ",
        "password: a b c ",
        "password is ",
        "password changed from ",
        "password changed from x to ",
        "password ",
        "password password",
        "password(",
        "password('",
        "identified by ",
        "identified by '",
        "ConvertTo-SecureString ",
        "net user a ",
        "echo a | chpasswd",
        "echo ",
        "token=",
        "token:",
        "token: ",
        "token=\"",
        "token=\\\"",
        "token={\"",
        "token=[[",
        "token:a:b:",
        "token=${",
        "token=${a",
        "token='a'",
        "token=****",
        "token -> ",
        "token=x -> ",
        "?code=",
        "?token=a",
        "&token=a%20",
        "a=%2525",
        "%25",
        "%41",
        "\\u0070",
        "\\\\",
        "\\\"",
        "&quot;",
        "&#61;",
        "&amp;",
        "{\"",
        "{\"a\":",
        "{\"a\":\"b\",",
        "[\"token\",",
        "{\"token\":[",
        "{\"value\":{\"name\":\"token\",",
        "{\"name\":\"token\",\"value\":",
        "\"a\":\"b\"",
        "[[",
        "[\"-----BEGIN PRIVATE KEY-----\",",
        "name=\"token\" ",
        "name=token ",
        "name: token\n",
        "name=\"token\"\r\n",
        "name=\"token\"; a: b\r\n",
        "value=\"a\" name=\"token\" ",
        "<token>",
        "<a name=\"token\">",
        "<token><![CDATA[",
        "<",
        ">",
        "<a ",
        "</name>",
        "<name>token</name>",
        "token: |\n",
        "token: |\n  a\n",
        "token:\n",
        "token:\n- ",
        "token:\n  a: b\n",
        "token:\n  token:\n",
        "token,a\n",
        "a,token\n",
        "token;",
        "\n",
        "\"token\",\"",
        "--password ",
        "--password --",
        "-p ",
        "-u ",
        "-u a: ",
        "-",
        "- ",
        "mysql -p",
        "mysql ",
        "-p a",
        "://",
        "http://a:",
        "http://a@",
        "http://a:b@",
        "/reset/",
        "/reset/a/",
        "/a/",
        "/",
        "http:\\/\\/a/",
        "http://a/aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7?",
        "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7",
        "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7=",
        "eyJ",
        "eyJhbGciOiJub25lIn0.",
        "ewog",
        "W3siYSI6MX1d=",
        "YWJjOmRlZmc=",
        "=",
        "[REDACTED:",
        "[REDACTED:token:0123abcd]",
        "[REDACTED:token:0123abcd]a",
        "<redacted>",
        "<redacted>a",
        "token=<redacted>",
        "redacted",
        "[",
        "<redacted",
        "-----BEGIN",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----a-----END",
        "---- BEGIN ",
        "Private-Lines: 1\n",
        "Private-Lines: 1\na",
        "<D>",
        "<D>a",
        "$6$",
        "$2a$10$",
        "$argon2",
        "{sha",
        "pbkdf2_",
        "scrypt:1:1:1$",
        "bearer ",
        "basic ",
        "Basic a",
        "0Q~",
        "aaa8Q~",
        "AZDO",
        "aAZDO",
        "+ASt",
        "00D",
        "1000.",
        "jdbc:oracle:thin:a/",
        "hooks.slack.com/services/",
        "discord.com/api/webhooks/1/",
        ":AA",
        "1:AA",
        "0/1",
        "-us1",
        "msh",
        "_mmk",
        "é",
        "а",
        "é=",
        "pа",
        "\u{200b}",
        "п: ",
        "a=é",
        " ",
        "\t",
        "a ",
        "a: ",
        "a=b ",
        "a=b&",
        "a;",
        ",,",
        "''",
        "``",
        "(",
        ")",
        ")]}.,;!",
    ]
    .map(str::to_owned)
    .into();
    let rules = Rules::embedded();
    let each = rules.rules.iter().filter_map(|rule| match &rule.how {
        Some(rules::How::Name(named)) => Some(format!("{}: a b ", named.names[0])),
        Some(rules::How::Begins(begins)) => Some(begins.begins[0].clone()),
        Some(rules::How::Shape(shape)) => Some(shape.needles[0].clone()),
        Some(rules::How::Segment { words, .. }) => Some(format!("/{}/a/", words[0])),
        Some(rules::How::Flag { flags, .. }) => Some(format!("{} a:b ", flags[0])),
        _ => None,
    });
    (kinds, each.collect())
}

#[test]
fn no_text_takes_longer_than_its_length() {
    let engine = POLICY.engine.as_ref().unwrap();
    // Without optimisation a pass over 1 MiB takes a second or two; were it quadratic, hours, and 64 KiB half a minute.
    let check = |piece: &str, text: &str| {
        let begun = std::time::Instant::now();
        engine.secrets_of_excerpt(text);
        let took = begun.elapsed().as_secs();
        assert!(took < 5 + text.len() as u64 / (64 << 10), "{piece:?} takes {took} s for {} bytes", text.len());
    };
    let (kinds, each) = worst_pieces();
    for piece in &kinds {
        let text = piece.repeat((64 << 10) / piece.len());
        check(piece, &format!("{{\"a\":\"{}", text.replace('"', "\\\"")));
        check(piece, &text);
    }
    for piece in kinds.iter().chain(&each) {
        check(piece, &piece.repeat((1 << 20) / piece.len()));
    }
}

#[test]
fn a_secret_of_any_length_in_a_sentence_is_taken_whole() {
    for length in [100, 180, 192, 193, 1006, 5000] {
        let secret = format!("{}s", "iK7".repeat(length / 3));
        for begin in ["password ", "the password is now "] {
            let redacted = redact(&format!("{begin}{secret} x"));
            assert!(!redacted.contains("iK7") && !redacted.contains("]s"), "{length}: {redacted}");
        }
        let redacted = redact(&format!("net user ann {secret}"));
        assert!(redacted.starts_with("net user ann [") && redacted.ends_with(']'), "{length}: {redacted}");
    }
}
