//! Texts that are not columns: names of files, reasons, parameters, what was asked of `serve`. None of them keeps a secret,
//! and none of them lets anybody hide what he did.

use std::fs;

use serde_json::{Value, json};

use crate::env::{Env, lines};
use crate::serve::{PATH, Served, reader};
use crate::soundness::files;

/// The same in every test: put together here, lest a scanner of repositories takes it for a real one.
fn secret() -> String {
    format!("sk_{}", "51f0c39dd1e84b2cbb3c2f4b9d1c7a0e51f0c39dd1e84b2c")
}

/// Files below a directory of the environment that hold the secret.
fn holding(env: &Env, folder: &str) -> Vec<String> {
    let secret = secret();
    let dir = env.path(folder);
    let holds = |file: &String| memchr::memmem::find(&fs::read(dir.join(file)).unwrap(), secret.as_bytes()).is_some();
    files(&dir).into_iter().filter(|file| file.contains(&secret) || holds(file)).collect()
}

#[test]
fn a_secret_in_the_name_of_a_file_is_stored_nowhere() {
    let env = Env::new();
    let name = format!("audit-logs?xi-api-key={}.ndjson", secret());
    let event = |more: &str| {
        format!(r#"{{"metadata":{{"uid":"a{}"}},"class_uid":3002,"time":1767225600000{more}}}"#, more.len())
    };
    // A row, a row with an attribute that is named by a secret, and two lines that are no rows.
    env.write(
        &name,
        lines(&[event(""), event(&format!(r#","{}":1"#, secret())), "{".to_string(), event(r#","time":"x""#)]),
    );
    let summary = env.command(["ingest", &name, "--max-rejects", "100%", "--summary-json", "s.json"]).output().unwrap();
    assert!(summary.status.success() || summary.status.code() == Some(4), "{}", env.text(&summary));
    assert_eq!(env.number("select count(*) from authentication"), 2);
    assert_eq!(env.number("select count(*) from reject"), 2);
    assert_eq!(holding(&env, "auditlake-data"), Vec::<String>::new());
    assert!(!env.read("s.json").contains(&secret()));
    let rows = env.rows("select distinct _source from authentication union select distinct _source from reject");
    let source = rows[0]["_source"].as_str().unwrap();
    assert!(rows.len() == 1 && source.starts_with("audit-logs?xi-api-key=[REDACTED:api-key:"), "{rows:?}");
    // The file is known by what it holds, whatever it is called.
    assert_eq!(env.ingest([&name])["counts"]["read"], 0);
    let text = env.run(["reject", "retry"]);
    assert!(text.contains("its name held a secret and was redacted"), "{text}");
    let ordinary = "tokens-2026-01-01.ndjson";
    env.write(ordinary, lines(&[event(r#","message":"x""#)]));
    env.ok(["ingest", ordinary]);
    assert_eq!(env.rows("select _source from authentication where message = 'x'")[0]["_source"], ordinary);
}

#[test]
fn parameters_and_suppressions_are_evidence_without_secrets_and_still_find_rows() {
    let env = Env::new();
    let url = format!("https://x.example/a?token={}", secret());
    let event = json!({
        "metadata": {"uid": "e1"}, "class_uid": 3004, "time": 1_767_225_600_000_u64, "activity_id": 1, "status_id": 1,
        "actor": {"user": {"uid": "token=mallory", "name": "token=mallory"}}, "entity": {"uid": url, "name": url},
    });
    env.write("in.ndjson", lines(&[event.to_string()]));
    env.ok(["ingest", "in.ndjson"]);
    let reason = format!("seen with {} by us", secret());
    env.write(
        "s.toml",
        format!("[[suppression]]\nfinding = \"actor-timeline|x\"\nreason = {reason:?}\nowner = \"sec\"\nexpires = \"2999-12-31\"\n"),
    );
    let run = |name: &str, parameter: &str| {
        env.run([
            "report",
            "run",
            "actor-timeline",
            "--period",
            "2026-01",
            "-o",
            name,
            "--param",
            parameter,
            "--suppressions",
            "s.toml",
        ])
    };
    let text = run("by-entity", &format!("entity={url}"));
    assert!(text.contains("note: parameter `entity` held a secret"), "{text}");
    let evidence: Value = serde_json::from_str(&env.read("by-entity/actor-timeline/evidence.json")).unwrap();
    assert_eq!(evidence["tally"]["rows"], 1, "{evidence}");
    assert_eq!(holding(&env, "by-entity"), Vec::<String>::new());
    env.ok(["report", "verify", "by-entity"]);
    // Whoever calls himself so can still be asked for.
    let text = run("by-name", "subject=token=mallory");
    assert!(!text.contains("note: parameter"), "{text}");
    let evidence: Value = serde_json::from_str(&env.read("by-name/actor-timeline/evidence.json")).unwrap();
    assert_eq!(evidence["tally"]["rows"], 1, "{evidence}");
}

#[test]
fn a_command_that_fails_is_logged_without_its_secrets() {
    let env = Env::with_events(300);
    let config = "[[schedule]]\nname = 'w'\nreports = ['auth-outcome-summary']\nperiod = 'last-week'\ncalendar = 'Mon *-*-* 06:00'\noutput = 'evidence'\n";
    env.write("auditlake.toml", format!("{config}afterwards = ['false', '--token', '{}']\n", secret()));
    let text = env.run(["report", "due", "--now", "2026-01-20T12:00Z"]);
    assert!(text.contains("exit status"), "{text}");
    let log: Vec<Value> = files(&env.path("auditlake-data/_runs"))
        .iter()
        .filter(|name| name.ends_with(".json"))
        .map(|name| serde_json::from_str(&env.read(&format!("auditlake-data/_runs/{name}"))).unwrap())
        .collect();
    let detail = log.iter().find_map(|entry| entry["detail"].as_str().filter(|text| !text.is_empty())).unwrap();
    assert!(detail.contains("`false --token [REDACTED:"), "{detail}");
    assert_eq!(holding(&env, "auditlake-data"), Vec::<String>::new());
}

#[test]
fn nobody_blanks_out_what_he_asked() {
    let env = Env::with_small();
    let key = reader(&env);
    let mut served = Served::start(&env, "rate_per_minute = 0");
    let asked = "limit=1&actor_uid=TARGET&class_name=Authentication&time_from_unix_ms=1767225600000";
    let attacks = [
        format!("Cookie:abc&{asked}"),
        format!("x=cookie:+a&{asked}"),
        format!("authorization:x&{asked}"),
        format!("Authorization:+Bearer+abcdefgh12345678&{asked}"),
        format!("set-cookie=a%3Db%3B&{asked}"),
        format!("password=%0A&{asked}"),
        format!("a=-----BEGIN+PRIVATE+KEY-----&{asked}"),
        format!("a=%7B%22token%22%3A%22&{asked}"),
        format!("token=&{asked}&token=x"),
        format!("a=--password&{asked}"),
        format!("a=%3Ctoken%3E&{asked}"),
        format!("{asked}&Cookie:"),
        format!("xi-api-key={}&{asked}", secret()),
    ];
    for attack in &attacks {
        served.get(&format!("{PATH}?{attack}"), &[("xi-api-key", &key)]);
    }
    assert_eq!(served.stop(), Some(0));
    let rows = env.rows(
        "select unmapped->'asked' as asked, unmapped->'ignored' as ignored, http_request.url.query_string as query \
         from api_activity where activity_id = 2 order by time",
    );
    assert_eq!(rows.len(), attacks.len());
    for row in &rows {
        let told: Value = serde_json::from_str(row["asked"].as_str().unwrap()).unwrap();
        let expected = json!({"limit": "1", "actor_uid": "TARGET", "time_from_unix_ms": "1767225600000"});
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(told[name], *value, "{row}");
        }
        assert!(told["class_name"].as_str().unwrap().starts_with("Authentication"), "{row}");
        // The query string as a whole keeps what is not the secret's own parameter.
        let query = row["query"].as_str().unwrap();
        assert!(query.contains("actor_uid=TARGET&class_name=Authentication"), "{query}");
    }
    assert_eq!(holding(&env, "auditlake-data"), Vec::<String>::new());
}

#[test]
fn house_rules_of_the_configuration_are_applied_and_listed() {
    let env = Env::new();
    let rules = r#"
        [redact]
        own = [
            { name = "badge", names = ["badge_code"] },
            { name = "badge-id", shape = "BDG-[0-9]{6}", needles = ["BDG-"] },
            { name = "acme-token", begins = ["acme_"], min = 24 },
            { name = "acme-links", segments = ["pickup-desk"] },
            { name = "jwt", enabled = false },
        ]
    "#;
    env.write("auditlake.toml", rules);
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghij";
    let event = json!({
        "metadata": {"uid": "e1"}, "class_uid": 3002, "time": 1_767_225_600_000_u64,
        "message": format!("BDG-012345 and acme_aB3dE5gH7jK9mN1pQ3sT5vW7 and {jwt}"),
        "http_request": {"url": {"url_string": "https://x.example/pickup-desk/aB3dE5gH7jK9mN1pQ3sT5vW7"}},
        "unmapped": {"badgeCode": "q7Xp2Lm9Zr4T"},
    });
    env.write("in.ndjson", lines(&[event.to_string()]));
    let text = env.run(["redact", "--explain", "in.ndjson", "--format", "csv"]);
    assert!(text.contains("of your own badge, badge-id, acme-token, acme-links; 4 places would be redacted"), "{text}");
    for rule in ["badge", "badge-id", "acme-token", "acme-links"] {
        assert!(text.contains(&format!(",{rule},")), "{rule}: {text}");
    }
    let list = env.ok(["redact", "--rules", "--format", "csv"]);
    assert!(
        list.contains("badge-id,badge-id,shape,\"BDG-[0-9]{6}\",on,\"[redact] own, number 2\"")
            || list.contains("badge-id,badge-id,shape,BDG-[0-9]{6},on,"),
        "{list}"
    );
    assert!(list.lines().any(|line| line.starts_with("jwt,") && line.contains(",off,the program")), "{list}");
    env.ok(["ingest", "in.ndjson"]);
    let stored = env.ok(["export"]);
    for gone in ["BDG-012345", "acme_a", "aB3dE5gH7jK9", "q7Xp2Lm9Zr4T"] {
        assert!(!stored.contains(gone), "{gone}: {stored}");
    }
    assert!(stored.contains(jwt), "{stored}");
    // What is wrong with a rule stops every command that stores something.
    env.write("auditlake.toml", "[redact]\nown = [{ name = 'x', shape = '(' , needles = ['abc'] }]\n");
    let text = env.run(["ingest", "in.ndjson"]);
    assert!(text.contains("cannot use redaction rule `x` ([redact] own, number 1): shape"), "{text}");
    env.write("auditlake.toml", "[redact]\nenabled = false\n");
    let text = env.run(["redact", "--explain", "in.ndjson"]);
    assert!(text.contains("redaction is off") && text.contains("0 places would be redacted"), "{text}");
}

#[test]
fn what_only_sounds_like_a_secret_stays() {
    let env = Env::new();
    let path = format!("{}/../shared/field-cases/redaction-too-much/events.ndjson", env!("CARGO_MANIFEST_DIR"));
    // The case stands beside a checkout of the project; its three kinds are here as well.
    let own = lines(&[
        r#"{"metadata":{"uid":"w"},"class_uid":3002,"time":1767225600000,"unmapped":{"EventData":{"ElevatedToken":"%%1843","TokenElevationType":"%%1937"}}}"#,
        r#"{"metadata":{"uid":"o"},"class_uid":3002,"time":1767225600001,"unmapped":{"debugData":{"authMethodFirstType":"email_otp:otp:aut2xyz9abc8def7","authMethodSecondType":"okta_password:password:aut1abc"}}}"#,
        r#"{"metadata":{"uid":"g"},"class_uid":3002,"time":1767225600002,"unmapped":{"hashed_token":"zR4t8Xc2Jp0yVn6Lq1sKd9Wm3Bf7Hg5Ae2Tu4Iy6Oo8=","token_sha256":"uHqj8m0XqV0pQG0cM3hYl1n0nT0fJf0mZr1kLwYb9uE="}}"#,
    ]);
    let input = fs::read_to_string(path).unwrap_or_default() + &own;
    env.write("in.ndjson", &input);
    env.ok(["ingest", "in.ndjson"]);
    crate::env::assert_same_events(&crate::env::values(&input), &crate::env::values(&env.ok(["export"])));
}
