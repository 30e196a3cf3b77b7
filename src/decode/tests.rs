//! One rule, one test. Events are as small as they can be.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use serde_json::{Value, json};

use super::properties::exact;
use super::*;
use crate::schema::{EventBatch, EventClass, Ocsf};

pub(super) static OCSF: LazyLock<Arc<Ocsf>> = LazyLock::new(|| Arc::new(Ocsf::load(None).unwrap()));

pub(super) fn decoder() -> Decoder {
    Decoder::new(Arc::clone(&OCSF), Options::default())
}

fn class(name: &str) -> Arc<EventClass> {
    Arc::clone(OCSF.by_name(name).unwrap())
}

/// The one row that `line` becomes.
pub(super) fn row(line: &str) -> Result<EventBatch, Reject> {
    let mut decoder = decoder();
    let origin = RowOrigin { digest: 7 << 120 | 5, number: 1, offset: 0 };
    let pushed = decoder.push(line.as_bytes(), origin);
    let mut batches = decoder.flush();
    assert_eq!(batches.len(), usize::from(pushed.is_ok()), "a row for a line, and none for a reject");
    pushed?;
    Ok(batches.remove(0))
}

fn reason(line: &[u8]) -> &'static str {
    let mut decoder = decoder();
    let reject = decoder.push(line, RowOrigin::default()).unwrap_err();
    assert!(decoder.flush().is_empty(), "a reject leaves nothing");
    reject.reason
}

pub(super) fn encode(class: &EventClass, batch: &RecordBatch, row: usize) -> String {
    let mut out = Vec::new();
    Encoder::new(class).write(batch, row, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// An authentication event with more members, given as JSON text without braces.
fn event(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"class_uid":3002,"time":1700000000000{comma}{more}}}"#)
}

/// Decodes and encodes; the text that comes back.
fn back(line: &str) -> String {
    let batch = row(line).unwrap();
    encode(&batch.class, &batch.batch, 0)
}

/// The `_extra` of an event with `more`, whose way back must give the same.
fn extra(more: &str) -> Value {
    let line = event(more);
    let batch = row(&line).unwrap();
    let text = encode(&batch.class, &batch.batch, 0);
    assert_eq!(exact(&text), exact(&line), "round trip of {line}");
    let extra = batch.batch.column_by_name("_extra").unwrap().as_string::<i32>().clone();
    if extra.is_null(0) { Value::Null } else { parse(extra.value(0)) }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The column at a path of member names.
fn at(batch: &EventBatch, path: &str) -> ArrayRef {
    let mut names = path.split('.');
    let mut column = Arc::clone(batch.batch.column_by_name(names.next().unwrap()).unwrap());
    for name in names {
        column = Arc::clone(column.as_struct().column_by_name(name).unwrap());
    }
    column
}

#[test]
fn every_reason_is_named() {
    let deep = |levels: usize| event(&format!(r#""unmapped":{}1{}"#, "[".repeat(levels), "]".repeat(levels)));
    let cases: [(&str, &[u8]); 35] = [
        ("syntax", b""),
        ("syntax", b"   "),
        ("syntax", b"{"),
        ("syntax", b"{\"class_uid\":3002,}"),
        ("syntax", b"{\"class_uid\":3002} x"),
        ("syntax", b"{\"class_uid\":3002}{}"),
        ("syntax", b"{\"class_uid\":03002}"),
        ("syntax", b"{\"a\":\"\x01\"}"),
        ("syntax", b"{\"a\":\"\\x\"}"),
        ("syntax", b"{\"a\":\"\\u12g4\"}"),
        ("syntax", b"\0"),
        ("not-an-object", b"[]"),
        ("not-an-object", b"3"),
        ("not-an-object", b"null"),
        ("invalid-utf8", b"{\"a\":\"\xff\"}"),
        ("invalid-utf8", b"{\"a\":\"\xed\xa0\x80\"}"),
        ("lone-surrogate", br#"{"a":"\ud800"}"#),
        ("lone-surrogate", br#"{"a":"\udc00"}"#),
        ("lone-surrogate", br#"{"a":"\ud800\u0041"}"#),
        ("lone-surrogate", br#"{"\\\ud83d\ude00\udfff":1}"#),
        ("number-out-of-range", br#"{"a":18446744073709551616}"#),
        ("number-out-of-range", br#"{"a":-9223372036854775809}"#),
        ("number-out-of-range", br#"{"a":1e400}"#),
        ("number-out-of-range", br#"{"a":15e308}"#),
        ("number-out-of-range", br#"{"a":1e-400}"#),
        ("number-out-of-range", br#"{"a":1e40000}"#),
        ("missing-class-uid", b"{}"),
        ("missing-class-uid", br#"{"class_uid":null,"time":1}"#),
        ("bad-class-uid", br#"{"class_uid":"3002","time":1}"#),
        ("bad-class-uid", br#"{"class_uid":1.5,"time":1}"#),
        ("missing-time", br#"{"class_uid":3002}"#),
        ("bad-time", br#"{"class_uid":3002,"time":"2026-01-01"}"#),
        ("bad-time", br#"{"class_uid":3002,"time":1767225600000000}"#),
        ("bad-time", br#"{"class_uid":3002,"time":-1}"#),
        ("bad-time", br#"{"class_uid":3002,"time":9223372036854775807}"#),
    ];
    for (expected, line) in cases {
        assert_eq!(reason(line), expected, "{}", String::from_utf8_lossy(line));
    }
    assert_eq!(reason(deep(64).as_bytes()), "too-deep");
    assert!(row(&deep(63)).is_ok(), "63 arrays in an object are 64 levels");
    assert_eq!(reason("[".repeat(1 << 20).as_bytes()), "too-deep");
}

#[test]
fn a_duplicate_key_is_a_reject_at_any_depth() {
    for more in [
        r#""status":"a","status":"b""#,
        r#""status":"a","message":"c","status":"a""#,
        r#""nope":1,"nope":1"#,
        r#""n\u006fpe":1,"nope":1"#,
        r#""actor":{"user":{"uid":"1","uid":"2"}}"#,
        r#""unmapped":{"a":{"b":1,"b":2}}"#,
        r#""nope":[{"b":1,"b":2}]"#,
        r#""status":{"b":1,"b":2}"#,
    ] {
        assert_eq!(reason(event(more).as_bytes()), "duplicate-key", "{more}");
    }
    let many: Vec<String> = (0..100).map(|key| format!(r#""k{}":1"#, key % 99)).collect();
    assert_eq!(reason(event(&format!(r#""unmapped":{{{}}}"#, many.join(","))).as_bytes()), "duplicate-key");
    assert!(row(&event(r#""actor":{"user":{"uid":"1"}},"user":{"uid":"1"},"uid":"1""#)).is_ok());
}

#[test]
fn a_reject_between_rows_leaves_nothing() {
    let mut decoder = decoder();
    let origin = |number| RowOrigin { digest: 0, number, offset: number * 100 };
    decoder.push(event(r#""status":"a","actor":{"user":{"uid":"1"}}"#).as_bytes(), origin(1)).unwrap();
    decoder
        .push(event(r#""status":"b","actor":{"user":{"uid":"2"},"nope":{"x":1,"x":2}}"#).as_bytes(), origin(2))
        .unwrap_err();
    decoder.push(event(r#""status":"c""#).as_bytes(), origin(3)).unwrap();
    assert_eq!(decoder.rows(), 2);
    let batch = decoder.flush().remove(0);
    assert_eq!(batch.origins, [(1, 100), (3, 300)]);
    let status = at(&batch, "status");
    assert_eq!(status.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(at(&batch, "actor.user.uid").null_count(), 1);
    assert_eq!(decoder.rows(), 0);
    assert!(decoder.drift().unknown.is_empty());
}

#[test]
fn class_uid_chooses_the_table() {
    let table = |line: &str| row(line).unwrap().class.name.clone();
    assert_eq!(table(r#"{"time":1,"class_uid":3001}"#), "account_change");
    assert_eq!(
        table(r#"{"time":1,"class_uid":3002,"class_name":"Authentication","category_uid":3}"#),
        "authentication"
    );
    assert_eq!(table(r#"{"time":1,"class_uid":3002,"class_name":"","category_uid":null}"#), "authentication");
    assert_eq!(table(r#"{"time":1,"class_uid":3002,"class_name":"API Activity"}"#), "other_event");
    assert_eq!(table(r#"{"time":1,"class_uid":3002,"category_uid":6}"#), "other_event");
    assert_eq!(table(r#"{"time":1,"class_uid":999999}"#), "other_event");
    assert_eq!(table(r#"{"time":1,"class_uid":-1}"#), "other_event");
}

#[test]
fn drift_is_counted_once() {
    let mut decoder = decoder();
    for line in [
        event(r#""status":1,"actor":{"user":{"uid":2,"nope":1},"nope":1}"#),
        event(r#""status":[],"actor":{"user":{"nope":1}}"#),
        r#"{"class_uid":3002,"time":1700000000,"class_name":"API Activity"}"#.to_owned(),
    ] {
        decoder.push(line.as_bytes(), RowOrigin::default()).unwrap();
    }
    let drift = decoder.drift();
    let counts = |pairs: &[(&str, u64)]| pairs.iter().map(|(path, count)| (path.to_string(), *count)).collect();
    assert_eq!(drift.misfits, counts(&[("authentication.status", 2), ("authentication.actor.user.uid", 1)]));
    assert_eq!(drift.unknown, counts(&[("authentication.actor", 1), ("authentication.actor.user", 2)]));
    assert_eq!((drift.foreign_era, drift.suspicious_time), (1, 1));
    assert_eq!(decoder.drift(), Drift::default());
}

#[test]
fn the_uid_is_metadata_uid_else_id() {
    let uid = |more: &str| {
        let batch = row(&event(more)).unwrap();
        let uid = at(&batch, "_event_uid");
        uid.as_string::<i32>().iter().next().unwrap().map(str::to_owned)
    };
    assert_eq!(uid(r#""id":"i","metadata":{"uid":" m\n"}"#).unwrap(), "m");
    assert_eq!(uid(r#""metadata":{"uid":"  "},"id":" i ""#).unwrap(), "i");
    assert_eq!(uid(r#""metadata":{"uid":5},"id":"i""#).unwrap(), "5");
    assert_eq!(uid(r#""metadata":{"uid":5.5},"id":"i""#).unwrap(), "i");
    assert_eq!(uid(r#""metadata":{"uid":[]},"id":-7"#).unwrap(), "-7");
    assert_eq!(uid(r#""id":18446744073709551615"#).unwrap(), "18446744073709551615");
    assert_eq!(uid(r#""metadata":"m","id":"""#), None);
    assert_eq!(uid(""), None);
}

#[test]
fn an_integer_is_an_id_and_comes_back_as_a_number() {
    assert_eq!(extra(r#""metadata":{"uid":1002},"id":7"#), json!({"/metadata/uid": 1002, "/id": 7}));
    // The second line of a class goes the fast way.
    let mut decoder = decoder();
    for line in [event(r#""metadata":{"uid":"a"}"#), event(r#""metadata":{"uid":1002}"#)] {
        decoder.push(line.as_bytes(), RowOrigin::default()).unwrap();
    }
    let second = event(r#""metadata":{"uid":1003}"#);
    assert!(decoder.scan(second.as_bytes(), RowOrigin::default()).is_some());
    let batch = decoder.flush().remove(0);
    let uids: Vec<_> = at(&batch, "_event_uid").as_string::<i32>().iter().flatten().map(str::to_owned).collect();
    assert_eq!(uids, ["a", "1002", "1003"]);
    assert_eq!(encode(&batch.class, &batch.batch, 2), back(&second));
    assert_eq!(decoder.drift().unusable_uid, 0);
}

#[test]
fn an_id_that_is_neither_text_nor_integer_is_drift() {
    for (more, drifts) in [
        (r#""metadata":{"uid":1.5}"#, 1),
        (r#""metadata":{"uid":{"a":1}}"#, 1),
        (r#""id":true"#, 1),
        (r#""metadata":{"uid":[1]},"id":null"#, 1),
        (r#""metadata":{"uid":1e3},"id":"i""#, 0),
        (r#""metadata":{"uid":" "},"id":null"#, 0),
        ("", 0),
    ] {
        let mut decoder = decoder();
        for _ in 0..2 {
            decoder.push(event(more).as_bytes(), RowOrigin::default()).unwrap();
        }
        assert_eq!(decoder.drift().unusable_uid, 2 * drifts, "{more}");
    }
}

#[test]
fn columns_of_ours_are_ours() {
    let batch = row(&event(r#""_batch":7,"_extra":{"/status":1}"#)).unwrap();
    let digest = [[7].as_slice(), &[0; 14], &[5]].concat();
    assert_eq!(at(&batch, "_digest").as_binary::<i32>().value(0), digest);
    assert_eq!(at(&batch, "_batch").null_count(), 1);
    assert_eq!(at(&batch, "_source").null_count(), 1);
    assert_eq!(extra(r#""_batch":7,"_extra":{"/status":1}"#), json!({"/_batch": 7, "/_extra": {"/status": 1}}));
}

#[test]
fn milliseconds_become_microseconds() {
    let batch = row(&event(r#""start_time":-1,"end_time":1.5e3"#)).unwrap();
    let micros = |name| at(&batch, name).as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!((micros("time"), micros("start_time"), micros("end_time")), (1700000000000000, -1000, 1500000));
    assert_eq!(parse(&encode(&batch.class, &batch.batch, 0))["end_time"], 1500);
    assert_eq!(extra(r#""start_time":9223372036854775807"#), json!({"/start_time": i64::MAX}));
    assert_eq!(extra(r#""start_time":1.5"#), json!({"/start_time": 1.5}));
    assert_eq!(extra(r#""start_time":"now""#), json!({"/start_time": "now"}));
}

#[test]
fn what_has_no_column_goes_to_extra() {
    assert_eq!(extra(""), Value::Null);
    assert_eq!(extra(r#""status":5"#), json!({"/status": 5}));
    assert_eq!(extra(r#""severity_id":"5""#), json!({"/severity_id": "5"}));
    assert_eq!(extra(r#""severity_id":18446744073709551615"#), json!({"/severity_id": u64::MAX}));
    assert_eq!(extra(r#""severity_id":true"#), json!({"/severity_id": true}));
    assert_eq!(extra(r#""severity_id":1.5"#), json!({"/severity_id": 1.5}));
    assert_eq!(extra(r#""actor":"x""#), json!({"/actor": "x"}));
    assert_eq!(extra(r#""actor":[{}]"#), json!({"/actor": [{}]}));
    assert_eq!(extra(r#""actor":{"user":{"a":{"b":null}}}"#), json!({"/actor/user/a": {"b": null}}));
    assert_eq!(
        extra(r#""":1,"a/b":2,"~1":3,"q\"\\\n":4,"é":5"#),
        json!({"/": 1, "/a~1b": 2, "/~01": 3, "/q\"\\\n": 4, "/é": 5})
    );
}

#[test]
fn nothing_of_a_list_changes_its_place() {
    assert_eq!(extra(r#""observables":[]"#), Value::Null);
    assert_eq!(extra(r#""observables":[null]"#), Value::Null);
    assert_eq!(extra(r#""observables":[null,{"name":"a"},{},null]"#), Value::Null);
    assert_eq!(extra(r#""observables":{"name":"a"}"#), json!({"/observables": {"name": "a"}}));
    let mixed = r#""observables":[{"name":"a"},"b",{"name":7,"foo":[1]},null,[]]"#;
    let places =
        json!({"/observables/1": "b", "/observables/2/name": 7, "/observables/2/foo": [1], "/observables/4": []});
    assert_eq!(extra(mixed), places);
}

#[test]
fn a_list_without_end_goes_to_extra() {
    let objects = |count: usize| format!(r#""observables":[{}]"#, vec!["{}"; count].join(","));
    assert_eq!(extra(&objects(1 << 16)), Value::Null);
    assert_eq!(extra(&objects((1 << 16) + 1))["/observables"].as_array().map(Vec::len), Some((1 << 16) + 1));
}

#[test]
fn objects_without_columns_stay_objects() {
    assert_eq!(extra(r#""actor":{}"#), Value::Null);
    assert_eq!(extra(r#""actor":{"user":{}}"#), Value::Null);
    assert_eq!(extra(r#""actor":{"nope":1}"#), json!({"/actor/nope": 1}));
    assert_eq!(
        parse(&back(&event(r#""actor":{"user":null,"nope":null},"status":null,"nope":null"#))),
        parse(&event(r#""actor":{}"#))
    );
}

#[test]
fn cut_values_are_kept_as_text() {
    for value in [
        r#"{"b":null,"a":[1,2.50,"x\u0001\"\\\ud83d\ude00/"],"":{}}"#,
        "[]",
        "5",
        r#""s""#,
        "false",
        "0.1000000000000000055511151231257827",
    ] {
        let more = format!(r#""unmapped":{value}"#);
        assert_eq!(extra(&more), Value::Null);
    }
    let batch = row(&event(r#""unmapped" : { "b" : 1.0E+2 , "a" : [ 1 , "\u0041\t\/" ] }"#)).unwrap();
    assert_eq!(at(&batch, "unmapped").as_string::<i32>().value(0), r#"{"b":1.0E+2,"a":[1,"A\t/"]}"#);
    assert!(at(&row(&event(r#""unmapped":null"#)).unwrap(), "unmapped").is_null(0));
}

#[test]
fn numbers_keep_their_value() {
    // simd-json makes 0.30000000000000004 of the first one.
    for text in
        ["0.3", "-1.7976931348623157e308", "5e-324", "123456789.123456789", "0.1234567890123456789012345", "1e23"]
    {
        assert!(back(&event(&format!(r#""nope":{text}"#))).contains(&format!(r#""nope":{text}"#)), "{text}");
    }
    assert_eq!(extra(r#""severity_id":-9223372036854775808"#), Value::Null);
    assert!(back(&event(r#""severity_id":1.0"#)).contains(r#""severity_id":1"#));
    assert!(back(&event(r#""severity_id":3e2"#)).contains(r#""severity_id":300"#));
    assert!(back(&event(r#""severity_id":9007199254740993.0"#)).contains("9007199254740993.0"));
    assert!(back(&event(r#""severity_id":1.00000000000000000001"#)).contains("1.00000000000000000001"));
    assert!(back(r#"{"class_uid":3.002e3,"time":1.7e12}"#).contains("1700000000000"));
}

#[test]
fn doubles_take_integers_that_they_can_hold() {
    let (class, path) = double_attribute();
    let event = |number: &str| {
        let (open, close): (Vec<_>, Vec<_>) = path.iter().map(|name| (format!(r#"{{"{name}":"#), "}")).unzip();
        let inner = format!("{}{number}{}", open.concat(), close.concat());
        format!(r#"{{"class_uid":{},"time":1700000000000,{}"#, class.uid.unwrap(), &inner[1..])
    };
    for (number, is_typed) in [
        ("5", true),
        ("0.3", true),
        ("9223372036854775.0", false),
        ("1.50000000000000000000", true),
        ("0.1000000000000000000001", false),
        ("9007199254740993", false),
        ("18446744073709551615", false),
        ("\"5\"", false),
    ] {
        let batch = row(&event(number)).unwrap();
        assert_eq!(at(&batch, "_extra").is_null(0), is_typed, "{number}");
        let text = encode(&batch.class, &batch.batch, 0);
        assert_eq!(exact(&text), exact(&event(number)));
    }
}

/// Some attribute that is a double, and not in a list.
fn double_attribute() -> (Arc<EventClass>, Vec<String>) {
    use crate::schema::{Kind, Object};
    fn find(object: &Object) -> Option<Vec<String>> {
        object.attributes.iter().filter(|attribute| !attribute.is_list).find_map(|attribute| match &attribute.kind {
            Kind::Double => Some(vec![attribute.name.clone()]),
            Kind::Object(inner) => find(inner).map(|path| [vec![attribute.name.clone()], path].concat()),
            _ => None,
        })
    }
    let found = OCSF
        .classes()
        .iter()
        .filter(|class| class.uid.is_some())
        .find_map(|class| Some((Arc::clone(class), find(&class.root)?)));
    found.expect("no class has a double")
}

#[test]
fn members_of_a_null_struct_are_null() {
    let mut decoder = decoder();
    for more in
        [r#""actor":{"user":{"uid":"1"}}"#, "", r#""actor":{}"#, r#""actor":"x""#, r#""actor":{"user":{"uid":"5"}}"#]
    {
        decoder.push(event(more).as_bytes(), RowOrigin::default()).unwrap();
    }
    let batch = decoder.flush().remove(0);
    let valid = |path| (0..5).map(|row| at(&batch, path).is_valid(row)).collect::<Vec<_>>();
    assert_eq!(valid("actor"), [true, false, true, false, true]);
    assert_eq!(valid("actor.user"), [true, false, false, false, true]);
    assert_eq!(valid("actor.user.uid"), [true, false, false, false, true]);
}

#[test]
fn a_full_class_is_sealed() {
    let mut decoder = Decoder::new(Arc::clone(&OCSF), Options { seal_bytes: 4000, ..Options::default() });
    for _ in 0..10 {
        decoder.push(event(r#""status":"a""#).as_bytes(), RowOrigin::default()).unwrap();
    }
    assert!(decoder.is_full());
    assert_eq!(decoder.rows(), 10);
    let rows: Vec<usize> = decoder.flush().iter().map(|batch| batch.batch.num_rows()).collect();
    assert_eq!((rows.iter().sum::<usize>(), rows.len() > 1), (10, true));
    assert!(!decoder.is_full());
}

#[test]
fn a_pointer_that_leads_nowhere_is_an_integrity_error() {
    let batch = row(&event(r#""status":"a","observables":[{}]"#)).unwrap();
    for extra in [
        r#"{"/status":1}"#,
        r#"{"/status/x":1}"#,
        r#"{"/observables/1":1}"#,
        r#"{"/new/x":1}"#,
        r#"{"x":1}"#,
        r#"{"/a":1"#,
        "[]",
        r#"{"/a":1,"/a":2}"#,
    ] {
        let mut columns = batch.batch.columns().to_vec();
        *columns.last_mut().unwrap() = Arc::new(arrow::array::StringArray::from(vec![extra]));
        let changed = RecordBatch::try_new(batch.batch.schema(), columns).unwrap();
        let error = Encoder::new(&class("authentication")).write(&changed, 0, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Integrity, "{extra}");
    }
}
