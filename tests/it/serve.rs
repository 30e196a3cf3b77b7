//! `auditlake serve`: the program as its clients see it, over loopback, byte by byte.
//!
//! `tests/interop/run` tests how the vendor's own SDK reads it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::env::{Env, SMALL, assert_same_events, lines, values};
use crate::soundness::assert_sound;

mod paging;
mod wire;

pub const PATH: &str = "/v1/workspace/audit-logs";

/// A running server; killed when it goes out of scope.
pub(crate) struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    /// Serves the lake in `./auditlake-data` on a free port, with `options` in the configuration's `[serve]`.
    pub fn start(env: &Env, options: &str) -> Served {
        Served::start_with(env, options, &[])
    }

    fn start_with(env: &Env, options: &str, args: &[&str]) -> Served {
        env.write("serve.toml", format!("[serve]\nlisten = \"127.0.0.1:0\"\n{options}\n"));
        let mut command = env.command(["serve", "--config", "serve.toml"]);
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(rest) = line.trim().split_once("://").map(|(_, rest)| rest) else {
            let mut error = String::new();
            child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("the server said {line:?}\n{error}");
        };
        Served { address: rest.trim_end_matches(PATH).parse().unwrap(), child }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        // The timeout only makes a hanging server fail the test instead of hanging it.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends bytes as they are and reads until the server closes.
    fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(request);
        read_answer(&mut stream)
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers)
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
        self.raw(request.as_bytes())
    }

    fn page(&self, key: &str, query: &str) -> Value {
        let answer = self.get(&format!("{PATH}?{query}"), &[("xi-api-key", key)]);
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()
    }

    /// Returns all entries, page by page.
    fn walk(&self, key: &str, query: &str) -> Vec<Value> {
        let (mut entries, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let next = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let mut page = self.page(key, &format!("{query}{next}"));
            entries.append(page["entries"].as_array_mut().unwrap());
            assert_eq!(page["has_more"].as_bool().unwrap(), page["next_cursor"].is_string());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_string()),
                None => return entries,
            }
        }
    }

    /// Asks it to stop, and returns its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns status and code, as most tests need them.
    fn code(&self) -> (u16, String) {
        (self.status, self.json()["detail"]["code"].as_str().unwrap_or_default().to_string())
    }

    /// Returns the answer without parts that differ from request to request, but with its length.
    fn anonymous(&self) -> String {
        let id = &self.headers["x-request-id"];
        let headers = self.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
        format!("{} {:?} {}", self.status, headers.collect::<Vec<_>>(), self.text().replace(id.as_str(), "[ID]"))
    }
}

fn read_answer(stream: &mut impl Read) -> Answer {
    let mut bytes = Vec::new();
    // After an early refusal the other side may reset the connection after the answer.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut head = head.lines();
    let status = head.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_string())
    };
    let answer = Answer { status, headers: head.map(pair).collect(), body: bytes[end + 4..].to_vec() };
    if let Some(length) = answer.headers.get("content-length").filter(|_| !answer.body.is_empty()) {
        assert_eq!(answer.body.len().to_string(), *length, "the body was cut");
    }
    answer
}

/// Makes a key that may read; `--user reader` unless the test says otherwise.
pub fn reader(env: &Env) -> String {
    key(env, &["--user", "reader", "--permission", "audit_log_read"])
}

fn key(env: &Env, args: &[&str]) -> String {
    env.ok(["key", "create"].iter().chain(args)).trim().to_string()
}

fn key_id(env: &Env, user: &str) -> String {
    let keys = values(&env.ok(["key", "list", "--format", "ndjson"]));
    keys.iter().find(|key| key["user"] == user).unwrap()["id"].as_str().unwrap().to_string()
}

#[test]
fn gates_come_in_order_and_what_is_refused_tells_nothing() {
    let env = Env::with_small();
    let good = reader(&env);
    let none = key(&env, &["--user", "weak", "--service-account"]);
    let ended = key(&env, &["--user", "past", "--permission", "audit_log_read", "--expires", "2020-01-01"]);
    let revoked = key(&env, &["--user", "gone", "--permission", "audit_log_read"]);
    env.ok(["key", "revoke", &key_id(&env, "gone")]);
    let served = Served::start(&env, "");
    let ask = |served: &Served, key: &str, query: &str| served.get(&format!("{PATH}{query}"), &[("xi-api-key", key)]);

    assert_eq!(served.get(PATH, &[]).code(), (401, "missing_api_key".to_string()));
    // Unknown, revoked, expired, empty, two at once: the same bytes, and whatever the parameters are.
    let unknown = ask(&served, "sk_0000", "").anonymous();
    assert!(unknown.contains("invalid_api_key"), "{unknown}");
    for key in [&revoked, &ended, &good[..good.len() - 1], "sk_ä", " "] {
        assert_eq!(ask(&served, key, "").anonymous(), unknown);
        assert_eq!(ask(&served, key, "?limit=0&cursor=x").anonymous(), unknown);
    }
    let two = served.get(PATH, &[("xi-api-key", &good), ("xi-api-key", &good)]);
    assert_eq!(two.anonymous(), unknown);
    // A wrong parameter is not checked before the permission.
    assert_eq!(ask(&served, &none, "?limit=0").code(), (403, "insufficient_permissions".to_string()));
    assert_eq!(ask(&served, &good, "?limit=1").status, 200);
    drop(served);

    // A client without the permission does not learn the tier.
    let served = Served::start(&env, "tier = \"creator\"\nrate_per_minute = 1");
    assert_eq!(ask(&served, &none, "").code(), (403, "insufficient_permissions".to_string()));
    for _ in 0..3 {
        assert_eq!(ask(&served, &good, "?limit=0").code(), (403, "feature_not_available".to_string()));
    }
}

#[test]
fn a_minute_has_so_many_requests_of_a_user_and_no_more() {
    let env = Env::with_small();
    let (one, two) = (reader(&env), reader(&env));
    let other = key(&env, &["--user", "other", "--permission", "audit_log_read"]);
    let served = Served::start(&env, "rate_per_minute = 2");
    let ask = |key: &str, query: &str| served.get(&format!("{PATH}{query}"), &[("xi-api-key", key)]);
    assert_eq!(ask(&one, "").headers["x-ratelimit-remaining"], "1");
    // A request that is refused later has still used up its share.
    assert_eq!(ask(&two, "?limit=x").status, 422);
    let refused = ask(&one, "?limit=x");
    assert_eq!(refused.code(), (429, "rate_limit_exceeded".to_string()));
    let wait: u64 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let reset: i64 = refused.headers["x-ratelimit-reset"].parse().unwrap();
    let now = chrono::Utc::now().timestamp();
    assert!(reset > now && reset <= now + 62, "{reset} at {now}");
    assert_eq!(ask(&other, "").status, 200);
}

#[test]
fn a_key_is_shown_once_and_stored_nowhere() {
    let env = Env::with_small();
    let key = reader(&env);
    assert!(key.starts_with("sk_") && key.len() == 67, "{key}");
    for file in crate::soundness::files(&env.path("auditlake-data")) {
        let bytes = std::fs::read(env.path("auditlake-data").join(&file)).unwrap();
        assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "the key is in {file}");
    }
    let listed = env.ok(["key", "list", "--format", "csv"]);
    assert!(listed.contains(",reader,user,audit_log_read,live,") && !listed.contains(&key[..12]), "{listed}");

    let served = Served::start(&env, "");
    assert_eq!(served.page(&key, "limit=1")["entries"].as_array().unwrap().len(), 1);
    let id = key_id(&env, "reader");
    let text = env.run(["key", "revoke", &id]).replace(&id, "[KEY]");
    assert_snapshot!(text, @r"
    ------- stderr -------
    revoked [KEY]
    ");
    let refused = served.get(PATH, &[("xi-api-key", &key)]);
    assert_eq!(refused.code(), (401, "invalid_api_key".to_string()));
    let text = env.run(["key", "revoke", &id]).replace(&id, "[KEY]");
    assert_snapshot!(text, @r"
    ------- stderr -------
    [KEY] was already revoked
    ");
    assert_snapshot!(env.run(["key", "revoke", "key_x"]), @r"
    ------- stderr -------
    error: no key `key_x`
    hint: `auditlake key list` shows the ids; the key itself is not its id
    [exit status: 3]
    ");
}

/// The fields that every entry has.
const FIELDS: [&str; 19] = [
    "id",
    "time",
    "time_dt",
    "class_uid",
    "class_name",
    "activity_id",
    "activity_name",
    "category_uid",
    "category_name",
    "type_uid",
    "type_name",
    "severity_id",
    "status_id",
    "message",
    "actor",
    "device",
    "http_request",
    "metadata",
    "unmapped",
];

#[test]
fn an_entry_is_what_came_in_with_what_is_absent_filled_in() {
    let env = Env::new();
    let odd = json!({
        "id": "odd", "metadata": {"uid": "e9"}, "class_uid": 3005, "time": 1767225609000_i64, "activity_id": "many",
        "severity_id": 99, "device": "a toaster", "actor": {"user": 7, "app_name": "A"}, "http_request": {"url": {}},
        "unmapped": {"a": [1, {"b": null}]}, "message": ["no", "text"], "new": {"deep": [1.5]},
    });
    env.write("small.ndjson", lines(&SMALL));
    env.write("odd.ndjson", lines(&[odd.to_string()]));
    env.ok(["ingest", "small.ndjson", "odd.ndjson"]);
    let key = reader(&env);
    let served = Served::start(&env, "");
    let entries = served.walk(&key, "limit=2");
    // The sixth event is of a class that the API does not have.
    let ids: Vec<&str> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["e5", "odd", "e4", "e3", "e2", "e1"]);
    for entry in &entries {
        for field in FIELDS {
            assert!(entry.get(field).is_some(), "{field} is missing in {entry}");
        }
    }
    let of = |id: &str| entries.iter().find(|entry| entry["id"] == id).unwrap().clone();
    let filled = of("e4");
    assert_eq!(filled["time_dt"], "2026-01-01T00:00:03.000Z");
    assert_eq!((&filled["class_name"], &filled["category_uid"]), (&json!("User Access Management"), &json!(3)));
    assert_eq!(filled["category_name"], "Identity & Access Management");
    assert_eq!((&filled["activity_name"], &filled["type_uid"]), (&json!("Assign Privileges"), &json!(300501)));
    assert_eq!(filled["type_name"], "User Access Management: Assign Privileges");
    assert_eq!((&filled["severity_id"], &filled["status_id"], &filled["message"]), (&json!(1), &json!(0), &json!("")));
    assert_eq!(filled["actor"], json!({"user": {}}));
    assert_eq!((&filled["device"], &filled["http_request"]), (&Value::Null, &Value::Null));
    assert_eq!((&filled["metadata"], &filled["unmapped"]), (&json!({"uid": "e4"}), &json!({})));
    // A value of another type than its column's is served as it came.
    let served_odd = of("odd");
    for (field, value) in odd.as_object().unwrap() {
        if field != "http_request" {
            assert_eq!(served_odd[field], *value, "{field}");
        }
    }
    assert_eq!(served_odd["http_request"], json!({"url": {}, "http_method": ""}));
    // All of the others are complete.
    for (text, id) in SMALL.iter().zip(["e1", "e2", "e3", "e4", "e5"]) {
        let (came, goes): (Value, Value) = (serde_json::from_str(text).unwrap(), of(id));
        let goes: serde_json::Map<String, Value> =
            goes.as_object().unwrap().clone().into_iter().filter(|(name, _)| came.get(name).is_some()).collect();
        let mut goes = Value::Object(goes);
        if came["actor"].is_null() {
            goes.as_object_mut().unwrap().remove("actor");
        }
        assert_same_events(&[came], &[goes]);
    }
}

#[test]
fn an_empty_object_is_not_an_absent_one() {
    let env = Env::new();
    let event = |id: &str, rest: &str| {
        format!(r#"{{"id":"{id}","class_uid":3002,"time":1767225600000,"activity_id":1{rest}}}"#)
    };
    env.write(
        "in.ndjson",
        lines(&[
            event("a", r#","device":{},"actor":{"session":{}},"policies":[],"auth_factors":[{},{"device":{}}]"#),
            event("b", r#","http_request":{"x_forwarded_for":[],"url":{}},"metadata":{"product":{}}"#),
            event("c", ""),
        ]),
    );
    env.ok(["ingest", "in.ndjson"]);
    let key = reader(&env);
    let served = Served::start(&env, "");
    let entries = served.walk(&key, "");
    let [c, b, a] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((&a["device"], &a["actor"]), (&json!({}), &json!({"user": {}, "session": {}})));
    assert_eq!((&a["policies"], &a["auth_factors"]), (&json!([]), &json!([{}, {"device": {}}])));
    assert_eq!(b["http_request"], json!({"http_method": "", "x_forwarded_for": [], "url": {}}));
    assert_eq!((&b["metadata"], &b["device"]), (&json!({"product": {}}), &Value::Null));
    assert_eq!((&c["metadata"], &c["actor"]), (&json!({}), &json!({"user": {}})));
    assert!(c.get("auth_factors").is_none() && b.get("policies").is_none());
}

#[test]
fn who_looked_is_in_the_lake_when_the_server_stops() {
    let env = Env::with_small();
    let key = reader(&env);
    let mut served = Served::start(&env, "rate_per_minute = 3");
    served.page(&key, "limit=2&class_name=Authentication");
    // A secret where none belongs.
    let secret = "sk_51f0c39dd1e84b2cbb3c2f4b9d1c7a0e51f0c39dd1e84b2c";
    let agent = ("User-Agent", "curious/1.0");
    let forwarded = ("X-Forwarded-For", "203.0.113.7, 10.0.0.1");
    served.get(&format!("{PATH}?limit=1&xi-api-key={secret}"), &[("xi-api-key", &key), agent, forwarded]);
    served.get(&format!("{PATH}?cursor=nonsense"), &[("xi-api-key", &key)]);
    for _ in 0..4 {
        served.get(PATH, &[("xi-api-key", &key)]);
        served.get(PATH, &[]);
    }
    assert_eq!(served.stop(), Some(0));
    assert_sound(&env.path("auditlake-data"));
    let rows = env.rows(
        "select actor.user.uid as who, status_code as status, status_detail as why, count as n, \
         unmapped->>'entries' as entries, http_request.user_agent as agent, \
         http_request.x_forwarded_for[1] as forwarded, api.operation as what \
         from api_activity where activity_id = 2 order by status, why, agent nulls last, n",
    );
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    assert_snapshot!(text, @r#"
    {"agent":"curious/1.0","entries":"1","forwarded":"203.0.113.7","n":1,"status":"200","what":"ListAuditLogs","who":"reader","why":null}
    {"agent":null,"entries":"1","forwarded":null,"n":1,"status":"200","what":"ListAuditLogs","who":"reader","why":null}
    {"agent":null,"entries":null,"forwarded":null,"n":1,"status":"400","what":"ListAuditLogs","who":"reader","why":"invalid_cursor"}
    {"agent":null,"entries":null,"forwarded":null,"n":1,"status":"401","what":"ListAuditLogs","who":null,"why":"missing_api_key"}
    {"agent":null,"entries":null,"forwarded":null,"n":3,"status":"401","what":"ListAuditLogs","who":null,"why":"missing_api_key"}
    {"agent":null,"entries":null,"forwarded":null,"n":1,"status":"429","what":"ListAuditLogs","who":"reader","why":"rate_limit_exceeded"}
    {"agent":null,"entries":null,"forwarded":null,"n":3,"status":"429","what":"ListAuditLogs","who":"reader","why":"rate_limit_exceeded"}
    "#);
    let queries = env.ok(["sql", "-c", "select http_request.url.query_string from api_activity", "--format", "csv"]);
    assert!(queries.contains("[REDACTED:") && !queries.contains(secret), "{queries}");
    // The log of reads is not part of the log that is read.
    let served = Served::start(&env, "");
    assert_eq!(served.walk(&key, "").len(), 5);
}

#[test]
fn a_read_outlives_a_server_that_is_killed() {
    let env = Env::with_small();
    let key = reader(&env);
    let mut served = Served::start(&env, "rate_per_minute = 0");
    for _ in 0..7 {
        served.page(&key, "");
    }
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    assert_eq!(env.number(READS), 0);
    // A torn line, which a crash leaves, was never acknowledged.
    let (place, record) = (reads(&env), only(&env, "server-"));
    let kept: Vec<_> = [own_files(&env, "reads-"), vec![record.clone()]]
        .concat()
        .into_iter()
        .map(|place| (std::fs::read(&place).unwrap(), place))
        .collect();
    let mut torn = std::fs::read(&place).unwrap();
    torn.extend_from_slice(b"0f0f\t{\"time\":17672");
    std::fs::write(&place, torn).unwrap();

    let mut next = Served::start(&env, "");
    assert_eq!(env.number(READS), 7);
    assert!(!place.exists() && !record.exists());
    // Killed between the commit and the removal: the lines come again, and add nothing.
    for (bytes, place) in kept {
        std::fs::write(place, bytes).unwrap();
    }
    assert_eq!(next.stop(), Some(0));
    let mut last = Served::start(&env, "");
    assert_eq!(last.stop(), Some(0));
    assert_eq!(env.number(READS), 7);
    assert_eq!(env.number("select count(*) from reject"), 0);
    assert_eq!(env.number(MISSING), 0);
    assert_sound(&env.path("auditlake-data"));
}

const READS: &str = "select count(*) from api_activity where activity_id = 2";
const MISSING: &str = "select count(*) from api_activity where api.operation = 'MissReads'";

/// Returns the server's own files whose names begin this way.
fn own_files(env: &Env, begin: &str) -> Vec<std::path::PathBuf> {
    let folder = env.path("auditlake-data/_serve");
    let names = crate::soundness::files(&folder).into_iter().filter(|name| name.starts_with(begin));
    names.map(|name| folder.join(name)).collect()
}

fn only(env: &Env, begin: &str) -> std::path::PathBuf {
    let found = own_files(env, begin);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Returns the piece of the log of reads that holds the reads; the beginning of the server is in the lake, or soon will be.
fn reads(env: &Env) -> std::path::PathBuf {
    let is_it = |place: &std::path::PathBuf| std::fs::read_to_string(place).unwrap().contains("ListAuditLogs");
    own_files(env, "reads-").into_iter().find(is_it).unwrap()
}

/// Kills a server after seven reads, and returns its remaining files.
fn killed(env: &Env) -> (std::path::PathBuf, std::path::PathBuf) {
    let key = reader(env);
    let mut served = Served::start(env, "rate_per_minute = 0");
    for _ in 0..7 {
        served.page(&key, "");
    }
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    (reads(env), only(env, "server-"))
}

/// Returns the gaps that the next server reports when it starts, which are then in the lake.
fn missing(env: &Env) -> Vec<String> {
    let mut next = Served::start(env, "");
    let mut said = String::new();
    let mut stderr = next.child.stderr.take().unwrap();
    assert_eq!(next.stop(), Some(0));
    stderr.read_to_string(&mut said).unwrap();
    let rows = env.rows("select message from api_activity where api.operation = 'MissReads' order by message");
    let told: Vec<String> = rows.iter().map(|row| row["message"].as_str().unwrap().to_string()).collect();
    for message in &told {
        assert!(said.contains(&format!("warning: {message}")), "{said}");
    }
    told
}

#[test]
fn a_piece_of_the_log_of_reads_that_is_taken_away_is_missed() {
    let env = Env::with_small();
    let (place, _) = killed(&env);
    std::fs::remove_file(place).unwrap();
    let told = missing(&env);
    assert!(told.len() == 1 && told[0].ends_with("is incomplete from number 2 on: a piece is missing"), "{told:?}");
    assert_eq!(env.number(READS), 0);
}

#[test]
fn a_line_of_the_log_of_reads_that_is_changed_or_taken_out_is_missed() {
    let env = Env::with_small();
    let (place, _) = killed(&env);
    let text = std::fs::read_to_string(&place).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::write(&place, [&lines[..3], &lines[4..]].concat().concat()).unwrap();
    let told = missing(&env);
    assert!(told.len() == 1 && told[0].ends_with("from number 5 on: a line is not as it was written"), "{told:?}");
    // The trustworthy lines are in the lake, and the rest is kept for inspection.
    assert_eq!(env.number(READS), 3);
    assert_eq!(own_files(&env, "damaged-reads-").len(), 1);
    assert!(env.ok(["status"]).contains("api_activity"));
}

#[test]
fn a_record_that_is_taken_away_is_missed_and_the_reads_are_not_lost() {
    let env = Env::with_small();
    let (_, record) = killed(&env);
    std::fs::remove_file(record).unwrap();
    let told = missing(&env);
    assert!(told.len() == 1 && told[0].ends_with("its record is missing"), "{told:?}");
    assert_eq!(env.number(READS), 7);
}

/// The queries of README and SECURITY.md find servers whose numbers have holes, and those without an end.
#[test]
fn holes_in_the_log_of_reads_are_seen_in_the_lake() {
    let env = Env::with_small();
    let key = reader(&env);
    let mut served = Served::start(&env, "");
    served.page(&key, "");
    assert_eq!(served.stop(), Some(0));
    let holes = "select unmapped->>'server' as server, max(metadata.sequence) - count(*) as missing, \
         bool_or(api.operation in ('EndServing')) as has_end from api_activity \
         where metadata.log_name = 'audit-log reads' group by 1 order by 2";
    let rows = env.rows(holes);
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["missing"], &rows[0]["has_end"]), (&json!(0), &json!(true)), "{rows:?}");
    // Killed, and all of its files removed: no file here shows it, but the lake does.
    killed(&env);
    for place in own_files(&env, "reads-").iter().chain(&own_files(&env, "server-")) {
        std::fs::remove_file(place).unwrap();
    }
    let mut next = Served::start(&env, "");
    assert_eq!(next.stop(), Some(0));
    let rows = env.rows(holes);
    let open = rows.iter().filter(|row| row["has_end"] == json!(false)).count();
    assert_eq!((rows.len(), open), (3, 1), "{rows:?}");
}

/// Twenty guesses of one and one of a bystander were "the bystander, 22 times", and gone when the server was killed.
#[test]
fn guesses_are_on_the_disk_and_limited_by_address() {
    let env = Env::with_small();
    let good = reader(&env);
    let mut served = Served::start(&env, "keyless_per_minute = 12");
    let guess = |served: &Served, number: usize| {
        let key = format!("sk_{number:064}");
        served.get(PATH, &[("xi-api-key", &key), ("User-Agent", "bruteforce-A")]).code()
    };
    for number in 0..12 {
        assert_eq!(guess(&served, number), (401, "invalid_api_key".to_string()));
    }
    assert_eq!(guess(&served, 13), (429, "rate_limit_exceeded".to_string()));
    assert_eq!(served.get(PATH, &[]).status, 429);
    // Others may share the address.
    served.page(&good, "limit=1");
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let mut next = Served::start(&env, "");
    assert_eq!(next.stop(), Some(0));
    let rows = env.rows(
        "select status_detail as why, sum(count) as n, max(http_request.user_agent) as agent, max(src_endpoint.ip) as ip \
         from api_activity where status_code in ('401', '429') group by 1 order by 1",
    );
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    assert_snapshot!(text, @r#"
    {"agent":"bruteforce-A","ip":"127.0.0.1","n":10,"why":"invalid_api_key"}
    {"agent":"bruteforce-A","ip":"127.0.0.1","n":1,"why":"rate_limit_exceeded"}
    "#);
}

#[test]
fn two_servers_of_one_lake_leave_each_others_reads_alone() {
    let env = Env::with_small();
    let key = reader(&env);
    let mut first = Served::start(&env, "");
    first.page(&key, "");
    let mut second = Served::start(&env, "");
    second.page(&key, "");
    assert_eq!(env.number(READS), 0, "the second took what the first still writes");
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));
    assert_eq!(env.number(READS), 2);
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn health_and_the_document_need_no_key_and_numbers_one_of_their_own() {
    let env = Env::with_small();
    let reading = reader(&env);
    let numbers = key(&env, &["--user", "prometheus", "--permission", "metrics_read"]);
    let served = Served::start(&env, "");
    let key = reading;
    served.page(&key, "");
    served.get(PATH, &[]);
    assert_eq!(served.get("/healthz", &[]).text(), "ok\n");
    assert_eq!(served.get("/metrics", &[]).code(), (401, "missing_api_key".to_string()));
    assert_eq!(served.get("/metrics", &[("xi-api-key", &key)]).code(), (403, "insufficient_permissions".to_string()));
    assert_eq!(served.get(PATH, &[("xi-api-key", &numbers)]).code(), (403, "insufficient_permissions".to_string()));
    let metrics = served.get("/metrics", &[("xi-api-key", &numbers)]).text();
    for line in [
        "auditlake_requests_total{status=\"200\"} 2",
        "auditlake_requests_total{status=\"401\"} 2",
        "auditlake_entries_served_total 5",
        "auditlake_page_duration_seconds_count 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("reader"), "{metrics}");
    let document = served.get("/openapi.json", &[]).json();
    assert_eq!(document["openapi"], "3.1.0");
    let entry = &document["components"]["schemas"]["Entry"]["required"];
    assert_eq!(*entry, json!(FIELDS), "the document and the entries have the same fields");
    assert_eq!(served.get("/v1/workspace", &[]).status, 404);
    drop(served);

    // At their own address numbers need no key, and nothing else is served.
    let mut served = Served::start(&env, "metrics_listen = \"127.0.0.1:0\"");
    // The reads that the previous server had logged are reported first.
    let said = BufReader::new(served.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = said.into_iter().find_map(|line| Some(line.strip_prefix("metrics at http://")?.to_string())).unwrap();
    let address = address.strip_suffix("/metrics").unwrap();
    let log = std::mem::replace(&mut served.address, address.parse().unwrap());
    assert!(served.get("/metrics", &[]).text().contains("auditlake_ledger_entry "));
    assert_eq!(served.get("/healthz", &[]).status, 200);
    for path in [PATH, "/openapi.json", "/"] {
        assert_eq!(served.get(path, &[("xi-api-key", &key)]).status, 404, "{path}");
    }
    served.address = log;
    assert_eq!(served.get(&format!("{PATH}/"), &[("xi-api-key", &key)]).status, 404);
}
