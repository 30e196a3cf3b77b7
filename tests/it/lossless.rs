//! Tests that everything that came in comes out again.

use serde_json::Value;

use crate::env::{Env, assert_same_events, values};
use crate::soundness::assert_sound;

const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/real.ndjson");
const AS_THEY_CAME: &str = "[redact]\nenabled = false\n";

#[test]
fn generated_events_come_out_as_they_came_in() {
    let env = Env::new();
    env.write("auditlake.toml", AS_THEY_CAME);
    env.generate("events.ndjson", 20_000);
    let summary = env.ingest(["events.ndjson"]);
    assert_eq!(summary["counts"]["accepted"], 20_000, "{summary}");
    env.ok(["export", "-o", "back.ndjson", "--quiet"]);
    assert_same_events(&values(&env.read("events.ndjson")), &values(&env.read("back.ndjson")));
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn redaction_changes_secrets_and_nothing_else() {
    let env = Env::with_events(5_000);
    let by_id = |text: &str| -> std::collections::BTreeMap<String, Value> {
        values(text).into_iter().map(|event| (event["id"].as_str().unwrap().to_string(), event)).collect()
    };
    let (before, after) = (by_id(&env.read("events.ndjson")), by_id(&env.ok(["export"])));
    assert_eq!(before.len(), 5_000);
    assert!(before.keys().eq(after.keys()));
    let mut redacted = 0;
    for (id, event) in &before {
        differences(event, &after[id], &mut |was, is| {
            assert!(is.contains("[REDACTED:"), "{id}: {was} became {is}");
            redacted += 1;
        });
    }
    assert!(redacted > 0, "generated events are made to hold secrets");
}

/// Calls `tell` with each pair of leaves that differ.
fn differences(a: &Value, b: &Value, tell: &mut impl FnMut(String, String)) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names {
                let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                differences(&of(a), &of(b), tell);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| differences(a, b, tell));
        }
        _ if crate::env::canonical(a) == crate::env::canonical(b) => {}
        _ => tell(a.to_string(), b.to_string()),
    }
}

#[test]
fn real_events_come_out_as_they_came_in() {
    let env = Env::new();
    env.write("auditlake.toml", AS_THEY_CAME);
    let summary = env.ingest([REAL]);
    let counts = &summary["counts"];
    let of = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(["read", "accepted", "revised", "rejected"].map(of), [72, 69, 2, 1]);
    let came: Vec<Value> = values(&std::fs::read_to_string(REAL).unwrap());
    let mut out = values(&env.ok(["export"]));
    let mut rest = env.rows("select line, reason as what, excerpt as event from reject");
    // Lines 56 and 57 repeat lines 55 and 50, mapped another way, under the same uids.
    rest.extend(env.rows("select line, 'revision' as what, event from revision order by line"));
    let told: Vec<(u64, &str)> =
        rest.iter().map(|row| (row["line"].as_u64().unwrap(), row["what"].as_str().unwrap())).collect();
    assert_eq!(told, [(70, "bad-time"), (56, "revision"), (57, "revision")]);
    for row in &rest {
        out.push(serde_json::from_str(row["event"].as_str().unwrap()).unwrap());
    }
    assert_same_events(&came, &out);
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn real_events_lose_nothing_but_secrets_by_default() {
    let env = Env::new();
    env.ingest([REAL]);
    let mut rejected = 0;
    let came = values(&std::fs::read_to_string(REAL).unwrap());
    // Events are paired by members that redaction does not touch.
    let key = |event: &Value| format!("{} {} {}", event["class_uid"], event["time"], event["metadata"]["uid"]);
    let mut out = values(&env.ok(["export"]));
    for event in &came {
        let mut pairs = (0..out.len()).filter(|at| key(&out[*at]) == key(event)).collect::<Vec<_>>();
        // The one nearest to it, where several share the key.
        pairs.sort_by_key(|at| {
            let mut count = 0;
            differences(event, &out[*at], &mut |_, _| count += 1);
            count
        });
        let Some(at) = pairs.first() else {
            rejected += 1;
            continue;
        };
        differences(event, &out[*at], &mut |was, is| {
            assert!(is.contains("[REDACTED:"), "{}: {was} became {is}", key(event));
        });
        out.remove(*at);
    }
    assert!(out.is_empty() && rejected == 3, "{} left over, {rejected} not found", out.len());
}

#[test]
fn sql_answers_over_real_events() {
    let env = Env::new();
    env.ingest([REAL]);
    assert_eq!(env.number("select count(*) from event"), 69);
    insta::assert_snapshot!(env.ok(["sql", "--format", "csv", "-c", "select class, count(*) as events from event group by class order by class"]), @r"
    class,events
    account_change,7
    api_activity,1
    authentication,13
    entity_management,3
    other_event,44
    user_access,1
    ");
}

/// Returns the columns of a Parquet file with types and field ids, and its rows.
fn parquet(path: &std::path::Path) -> (Vec<String>, Vec<arrow::array::RecordBatch>) {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let mut columns = Vec::new();
    parquet::schema::printer::print_schema(&mut columns, reader.parquet_schema().root_schema());
    let columns = String::from_utf8(columns).unwrap().lines().map(str::to_string).collect();
    (columns, reader.build().unwrap().map(|batch| batch.unwrap()).collect())
}

#[test]
fn parquet_is_one_file_per_table_with_the_columns_types_and_ids_of_the_lakes_files() {
    let env = Env::with_small();
    env.ok(["export", "--format", "parquet", "-o", "out", "-q"]);
    let names = crate::soundness::files(&env.path("out"));
    assert_eq!(names.len(), 6, "{names:?}");
    for name in &names {
        let table = name.strip_suffix(".parquet").unwrap();
        let folder = env.path("auditlake-data").join(table);
        let ours = crate::soundness::files(&folder).into_iter().find(|path| path.ends_with(".parquet")).unwrap();
        let ((columns, found), (expected, rows)) = (parquet(&env.path("out").join(name)), parquet(&folder.join(ours)));
        assert_eq!(columns, expected, "{table}");
        assert!(columns.iter().any(|column| column.contains("_event_uid") && column.contains("[1]")), "{columns:?}");
        assert_eq!(found.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1, "{table}");
        assert_eq!(found[0].columns(), rows[0].columns(), "{table}");
    }
    // One named table is one file, even without any row; the result of a condition has the same columns.
    env.ok(["export", "authentication", "--format", "parquet", "-o", "one.parquet", "--where", "activity_id = 1"]);
    let (columns, found) = parquet(&env.path("one.parquet"));
    assert_eq!((columns, found.len()), (parquet(&env.path("out/authentication.parquet")).0, 1));
    env.ok(["export", "authentication", "--format", "parquet", "-o", "none.parquet", "--where", "activity_id = 99"]);
    assert!(parquet(&env.path("none.parquet")).1.iter().all(|batch| batch.num_rows() == 0));
    for wrong in [&["export", "--format", "parquet"][..], &["export", "--format", "parquet", "-o", "out"]] {
        let output = env.command(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", env.text(&output));
    }
    // It comes in again.
    env.ok(["ingest", "out/authentication.parquet", "--lake", "again", "-q"]);
    assert!(env.ok(["export", "--lake", "again"]).contains("\"e1\""));
}
