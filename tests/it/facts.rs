//! Facts are a cache: with them, without them and with broken ones the answers are the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use auditlake::lake::Lake;
use auditlake::report::Catalog;
use auditlake::schema::Ocsf;
use auditlake::sql::{Horizon, Options, Params, Session};

use crate::env::Env;
use crate::plans::parameters;

fn facts(env: &Env) -> BTreeMap<String, PathBuf> {
    let Ok(found) = fs::read_dir(env.path("auditlake-data/_facts")) else { return BTreeMap::new() };
    let found = found.map(|entry| entry.unwrap());
    found.map(|entry| (entry.file_name().into_string().unwrap(), entry.path())).collect()
}

/// Data files of the classes: rejects and revisions have no facts.
fn data_files(env: &Env) -> u64 {
    let folders = |path: PathBuf| fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_month = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("event_month=");
    let tables =
        folders(env.path("auditlake-data")).filter(|path| !path.ends_with("reject") && !path.ends_with("revision"));
    tables.flat_map(folders).filter(is_month).flat_map(folders).count() as u64
}

/// A lake with what generated logs do not have: users without a uid, applications, places in deprecated fields, classes of
/// other vendors, events that cannot be told apart by their time.
fn odd_lake() -> Env {
    let env = Env::with_small();
    env.ok(["gen", "800", "--days", "50", "--users", "25", "--out", "e.ndjson"]);
    env.ok(["ingest", "e.ndjson"]);
    let odd = [
        r#"{"metadata":{"uid":"o1"},"class_uid":3002,"activity_id":1,"time":1767225700000,"status":"Denied","actor":{"user":{"email_addr":"ANN@corp.example"}},"user":{"name":" Ann "},"src_endpoint":{"location":{"coordinates":[200.0,100.0]}},"device":{"ip":"::ffff:192.0.2.7","location":{"country":"de"}}}"#,
        r#"{"metadata":{"uid":"o2","product":{"name":"  "}},"class_uid":3002,"activity_id":99,"activity_name":"Odd","time":1767225700000,"status_id":2,"status_code":"403","actor":{"app_name":"svc"},"user":{"name":"x","domain":"CORP"}}"#,
        r#"{"metadata":{"uid":"o3"},"class_uid":3004,"activity_id":9,"time":1767225700001,"entity":{"type":"API Key","uid":"k1"},"unmapped":{"region":"eu"},"message":"leaked"}"#,
        r#"{"metadata":{"uid":"o4"},"class_uid":3006,"activity_id":1,"time":1769904000500,"group":{"uid":"g","name":"G"},"privileges":["admin"],"resource":{"uid":"r"}}"#,
        r#"{"metadata":{"uid":"o5"},"class_uid":6003,"activity_id":2,"time":1769904000500,"actor":{"user":{"uid":"ann"}},"api":{"operation":"op"},"http_request":{"http_method":"GET","url":{"path":"/v1/x"},"user_agent":"curl"}}"#,
        r#"{"metadata":{"uid":"o6"},"class_uid":3002,"activity_id":1,"time":1767225700000,"status_id":1,"is_mfa":true,"auth_protocol_id":5,"user":{"uid":"none","email_addr":"bob@corp.example"},"session":{"uid":"s1","is_vpn":true}}"#,
    ];
    env.write("odd.ndjson", odd.join("\n") + "\n");
    env.ok(["ingest", "odd.ndjson"]);
    env
}

/// Some hundred statements, each with its name.
fn statements(columns: &[String], views: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for column in columns {
        all.push(format!("select {column} as v, count(*) as n from event group by 1 order by 2 desc, 1 limit 500"));
    }
    let wheres = [
        "actor_uid = 'ann'",
        "actor_uid = 'app:svc'",
        "actor_uid in ('ann', 'bob')",
        "subject_uid = 'bob'",
        "subject_label = 'bob@corp.example'",
        "actor_uid is null",
        "src_ip = '192.0.2.1'",
        "src_ip = '192.0.2.7' or outcome = 'other'",
        "country is not null and lat is null",
        "time >= '2026-01-10' and time < '2026-01-12'",
        "time < '2026-01-01'",
        "class = 'authentication' and is_refused",
        "class_uid in (3004, 3006)",
        "class_uid not in (3002)",
        "class = 'other_event'",
        "class_uid = 1001",
        "is_api_key",
        "not is_effective",
        "mfa is true",
        "array_has(privileges, 'admin')",
        "cardinality(resources) > 0",
        "event_uid = 'o2'",
        "lower(actor_label) like '%ann%'",
        "severity_id > 1",
        "activity_key = 99",
        "path like '/v1/%'",
        "session_uid = 's1'",
        "target_uid = 'k1'",
        "owner_uid is not null",
    ];
    for filter in wheres {
        all.push(format!(
            "select time, actor_label, action, target_label, outcome, country from event where {filter} order by time, event_uid limit 40"
        ));
        all.push(format!(
            "select actor_uid, min(time) as a, max(time) as z from event where {filter} group by 1 order by 1"
        ));
        // Texts that facts do not have.
        all.push(format!(
            "select time, event_uid, message, time_dt, unmapped, actor.user.uid as a, outcome, target_label \
             from event where {filter} order by time desc, event_uid limit 7"
        ));
    }
    for view in views {
        all.push(format!("select * from {view}"));
    }
    all.extend(
        [
            "select * from event where actor_uid = 'ann' order by time desc, event_uid limit 50",
            "select event_uid, status_detail as v from event where class_uid = 3002 order by time, event_uid",
            "select e.event_uid, f.event_uid as other from event e join event f on e.actor_uid = f.subject_uid and e.time = f.time order by 1, 2",
            "select actor.user.uid as u, unmapped->>'region' as r, outcome from event where src_ip is not null order by time, event_uid limit 100",
            "select time, lag(time) over (partition by actor_uid order by time, event_uid) as before from event order by time, event_uid",
            "select distinct class, class_uid, activity_id, action from event order by 1, 2, 3, 4",
            "select count(distinct actor_uid) as a, count(distinct src_ip) as b from event",
            "select _batch, count(*) as n from event group by 1 order by 1",
            "select message, count(*) as n from event group by 1 order by 1",
            "select raw from event where event_uid = 'o3'",
            "select event_uid, message from event where actor_uid = 'ann' and message is not null order by time, event_uid limit 9",
            "select event_uid, outcome from event where unmapped->>'region' = 'eu' order by time desc limit 1",
            "select event_uid, unmapped->>'region' as r from event where class_uid = 3004 and unmapped->>'region' = 'eu'",
            "select event_uid, message from event order by time desc, event_uid limit 5",
            "select event_uid, message, src_ip from event order by src_ip nulls first, time, event_uid limit 5 offset 3",
            "select event_uid, message, lower(action) as a from event order by lower(action), time, event_uid limit 5",
            "select event_uid, message from event where actor_uid is not null order by actor_user_uid desc nulls last, time, event_uid limit 5",
            "select message, n from (select message, severity_id as n, time as t from event order by t desc, event_uid limit 6) order by 1, 2",
            "select count(*) as n, count(message) as m from event where actor_uid in ('ann', 'bob')",
            "select metadata.uid as u from event where event_uid in ('o1', 'o2', 'o3', 'o4', 'o5', 'o6') order by 1",
            "select time, message from event where time > '2027-01-01'",
        ]
        .map(str::to_string),
    );
    all
}

/// Rows as text, or the error. Without an order rows are sorted.
async fn answer(session: &Session, sql: &str, params: &Params, horizon: Horizon) -> Result<Vec<String>, String> {
    let rows = session.query(sql, params, horizon).await.map_err(|error| error.to_string())?;
    let batches = rows.collect().await.map_err(|error| error.to_string())?;
    let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let mut lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.retain(|line| !line.starts_with('+'));
    if !sql.contains("order by") {
        lines.sort();
    }
    Ok(lines)
}

#[test]
fn statements_and_reports_answer_the_same_with_facts_and_without() {
    let env = odd_lake();
    let path = env.path("auditlake-data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(32 << 20).build().unwrap();
    let run = async move {
        let lake = Lake::open(&path, Arc::new(Ocsf::load(None).unwrap())).await.unwrap();
        let with = Session::new(&lake, &Options::default()).await.unwrap();
        let without = Session::new(&lake, &Options { without_facts: true, ..Options::default() }).await.unwrap();
        let catalog = Catalog::load(None).unwrap();
        let columns = with.query("select * from event limit 0", &Params::new(), Horizon::All).await.unwrap();
        let columns = columns.schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        assert!(columns.len() > 40, "{columns:?}");
        let views: Vec<String> =
            with.tables().into_iter().filter(|table| table.kind == "report view").map(|t| t.name).collect();
        let values = [("from", "2026-01-10"), ("to", "2026-02-01"), ("as_of", "2026-02-01")];
        let time = |text: &str| auditlake::sql::parse_param(&format!("x:timestamp={text}")).unwrap().1;
        let params: Params = values.iter().map(|(name, text)| (name.to_string(), time(text))).collect();
        let (mut asked, mut answered) = (0, 0);
        for sql in statements(&columns, &views) {
            let of_view = sql.ends_with(|c: char| c.is_alphabetic()) && !sql.contains("order by");
            let params = if of_view { params.clone() } else { Params::new() };
            let (one, other) =
                (answer(&with, &sql, &params, Horizon::All).await, answer(&without, &sql, &params, Horizon::All).await);
            assert_eq!(one, other, "{sql}");
            asked += 1;
            answered += usize::from(one.is_ok_and(|rows| rows.len() > 1));
        }
        assert!(asked > 150 && answered > 110, "{answered} of {asked} have rows");
        let mut with_rows = 0;
        for report in catalog.list() {
            let params = parameters(report);
            let horizon = Horizon::up_to(1_769_904_000_000);
            let (one, other) = (
                answer(&with, &report.sql, &params, horizon).await,
                answer(&without, &report.sql, &params, horizon).await,
            );
            assert_eq!(one, other, "{}", report.id);
            with_rows += usize::from(one.is_ok_and(|rows| rows.len() > 1));
        }
        assert!(with_rows > 20, "only {with_rows} reports have rows");
    };
    runtime.block_on(async { tokio::spawn(run).await.unwrap() });
    assert_eq!(facts(&env).len() as u64, data_files(&env), "each data file has its facts");
    env.ok(["verify", "--level", "3"]);
}

/// The texts of an actor's latest events are read, and no others.
#[test]
fn facts_find_the_rows_and_the_tables_give_the_texts() {
    let env = Env::new();
    env.generate("e.ndjson", 3_000);
    env.ok(["ingest", "e.ndjson"]);
    let path = env.path("auditlake-data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(32 << 20).build().unwrap();
    let run = async move {
        let lake = Lake::open(&path, Arc::new(Ocsf::load(None).unwrap())).await.unwrap();
        let session = Session::new(&lake, &Options::default()).await.unwrap();
        let ask = async |sql: &str| answer(&session, sql, &Params::new(), Horizon::All).await.unwrap();
        let most = ask("select actor_uid from event group by 1 order by count(*) desc limit 1").await;
        let actor = most[1].trim_matches(|c: char| !c.is_alphanumeric()).to_string();
        let sql = format!("select * from event where actor_uid = '{actor}' order by time desc limit 20");
        assert_eq!(ask(&sql).await.len(), 21);
        let rows = session.query(&sql, &Params::new(), Horizon::All).await.unwrap();
        let gauge = rows.gauge();
        rows.collect().await.unwrap();
        let (mut scans, mut open, mut beside) = (Vec::new(), vec![gauge.tree()], 0);
        while let Some(node) = open.pop() {
            beside += usize::from(node.name == "Beside");
            scans.extend(node.scan.is_some().then_some(node.rows.unwrap_or_default()));
            open.extend(node.inputs);
        }
        assert!(beside > 0 && scans.len() == 2 * beside, "{scans:?}");
        assert_eq!(scans.iter().sum::<u64>(), 40, "twenty rows of facts, and twenty of events: {scans:?}");
    };
    runtime.block_on(async { tokio::spawn(run).await.unwrap() });
}

const QUESTION: &str = "select class, outcome, count(*) as n from event group by 1, 2 order by 1, 2";

#[test]
fn facts_that_are_missing_torn_or_of_something_else_are_made_anew() {
    let env = Env::with_events(300);
    let ask = |sql: &str| env.ok(["sql", "--csv", "-c", sql]);
    assert!(facts(&env).is_empty(), "few rows are left to the first reader");
    let answer = ask(QUESTION);
    let made = facts(&env);
    assert!(made.len() > 3);
    let bytes: Vec<Vec<u8>> = made.values().map(|path| fs::read(path).unwrap()).collect();
    let paths: Vec<&PathBuf> = made.values().collect();
    fs::remove_file(paths[0]).unwrap();
    fs::write(paths[1], &bytes[1][..bytes[1].len() / 2]).unwrap();
    fs::write(paths[2], &bytes[3]).unwrap();
    fs::write(paths[3], b"").unwrap();
    assert_eq!(ask(QUESTION), answer);
    for (path, bytes) in made.values().zip(&bytes) {
        assert!(fs::read(path).unwrap() == *bytes, "{} is as it was", path.display());
    }
    env.ok(["verify", "--level", "3"]);
}

#[test]
fn facts_that_say_something_else_are_found_and_removed() {
    let env = Env::with_events(300);
    env.ok(["sql", "--csv", "-c", QUESTION]);
    let made = facts(&env);
    // A bit of a value: the file is whole, and tells something else.
    let path = made.values().next().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[40] ^= 1;
    fs::write(path, &bytes).unwrap();
    // Hashes are taken out of outputs.
    let name = format!("[SHA256]{}", &path.file_name().unwrap().to_str().unwrap()[64..]);
    env.write(&format!("auditlake-data/_facts/{}-0000.parquet", "0".repeat(64)), "left over");
    let text = env.run(["verify", "--level", "3"]);
    assert!(text.contains(&format!("_facts/{name}: these facts are not what the tables of classes say")), "{text}");
    assert!(text.contains("[exit status: 6]") && text.contains("note: _facts/[SHA256]-0000.parquet"), "{text}");
    let text = env.run(["repair", "--dry-run"]);
    assert!(text.contains(&format!("_facts/{name}: removed")) && path.exists(), "{text}");
    let text = env.run(["repair"]);
    assert!(text.contains(&format!("_facts/{name}: removed")), "{text}");
    assert_eq!(facts(&env).len(), made.len() - 1);
    env.ok(["verify", "--level", "3"]);
}

#[test]
fn a_data_file_that_was_changed_is_not_hidden_by_its_facts() {
    let env = Env::with_events(300);
    env.ok(["sql", "--csv", "-c", QUESTION]);
    let mut months =
        fs::read_dir(env.path("auditlake-data/authentication")).unwrap().map(|entry| entry.unwrap().path());
    let month = months.find(|path| path.to_str().unwrap().contains("event_month")).unwrap();
    let file = fs::read_dir(month).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&file).unwrap();
    let mut other = bytes.clone();
    let at = other.len() - 20;
    other[at] ^= 1;
    fs::write(&file, &other).unwrap();
    let text = env.run(["sql", "--csv", "-c", QUESTION]);
    assert!(text.contains("is not the file that the ledger records"), "{text}");
    fs::remove_file(&file).unwrap();
    let text = env.run(["sql", "--csv", "-c", QUESTION]);
    assert!(text.contains("is missing, and the ledger names it"), "{text}");
}

#[test]
fn where_the_lake_takes_no_facts_a_folder_for_caches_does() {
    let env = Env::with_events(300);
    let without = env.ok(["sql", "--csv", "-c", QUESTION]);
    for path in facts(&env).values() {
        fs::remove_file(path).unwrap();
    }
    fs::remove_dir(env.path("auditlake-data/_facts")).unwrap();
    fs::write(env.path("auditlake-data/_facts"), "in the way").unwrap();
    assert_eq!(env.ok(["sql", "--csv", "-c", QUESTION]), without);
    let cache = env.path(".cache/auditlake/facts");
    let lake = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_dir(lake.join("_facts")).unwrap().count() > 3);
    // And where there is no folder either, the tables answer.
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "in the way").unwrap();
    assert_eq!(env.ok(["sql", "--csv", "-c", QUESTION]), without);
}

#[test]
fn the_first_reader_makes_facts_and_an_option_makes_none() {
    let env = Env::new();
    env.write("off.toml", "[sql]\nfacts = false\n");
    env.generate("e.ndjson", 25_000);
    env.ok(["ingest", "e.ndjson"]);
    assert!(facts(&env).is_empty(), "an ingest ends when its rows are safe");
    let without = env.ok(["--config", "off.toml", "sql", "--csv", "-c", QUESTION]);
    assert!(facts(&env).is_empty());
    assert_eq!(env.ok(["sql", "--csv", "-c", QUESTION]), without);
    assert!(facts(&env).len() > 3, "the first reader makes them");
}
