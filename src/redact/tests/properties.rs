//! Whatever the text is: idempotent, JSON stays JSON, and the time follows the length.

use super::*;

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
        "*",
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
