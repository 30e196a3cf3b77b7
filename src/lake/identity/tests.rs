//! Tests of identity: which events are the same, and which are not.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema};

use super::json::Json;
use super::*;
use crate::schema::{EventClass, Ocsf};

fn same(a: &str, b: &str) -> bool {
    let is_same = Content::of_event(a).unwrap() == Content::of_event(b).unwrap();
    let hasher = Hasher::new([3; 32]);
    let hash = |text| Content::of_event(text).unwrap().hash(&hasher);
    assert_eq!(is_same, hash(a) == hash(b), "{a} {b}");
    assert_eq!(is_same, changes(a, b).is_empty(), "{a} {b}");
    is_same
}

fn changes(a: &str, b: &str) -> Vec<String> {
    Content::of_event(a).unwrap().changes(&Content::of_event(b).unwrap())
}

#[test]
fn spelling_and_what_is_empty_is_no_content() {
    for (a, b) in [
        (r#"{"a":1,"b":[true,null]}"#, r#" { "b" : [ true , null ] , "a" : 1 } "#),
        (r#"{"a":"é\n/😀"}"#, "{\"a\":\"\\u00e9\\u000a\\/\\ud83d\\ude00\"}"),
        (r#"{"a":100}"#, r#"{"a":1e2}"#),
        (r#"{"a":0.00001}"#, r#"{"a":1e-05}"#),
        (r#"{"a":1.50}"#, r#"{"a":15E-1}"#),
        (r#"{"a":-0.0}"#, r#"{"a":0}"#),
        (r#"{"a":0e999999999999999999999}"#, r#"{"a":0}"#),
        (r#"{"a":1,"unmapped":{}}"#, r#"{"a":1}"#),
        (r#"{"a":1,"b":{"c":{"d":[]}},"e":null}"#, r#"{"a":1}"#),
        (r#"{"a":[{},1]}"#, r#"{"a":[null,1]}"#),
        (r#"{"metadata":{"uid":1002}}"#, r#"{"metadata":{"uid":" 1002 "}}"#),
        (r#"{"id":7}"#, r#"{"id":"7"}"#),
    ] {
        assert!(same(a, b), "{a} {b}");
    }
    for (a, b) in [
        (r#"{"a":12345678901234567.1}"#, r#"{"a":12345678901234567.2}"#),
        (r#"{"a":"1"}"#, r#"{"a":1}"#),
        (r#"{"a":""}"#, "{}"),
        (r#"{"a":false}"#, "{}"),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
        (r#"{"a":[null]}"#, r#"{"a":[]}"#),
        (r#"{"a":["x:1"]}"#, r#"{"a":["x","1"]}"#),
        (r#"{"uid":1}"#, r#"{"uid":"1"}"#),
        (r#"{"a":-1}"#, r#"{"a":1}"#),
    ] {
        assert!(!same(a, b), "{a} {b}");
    }
}

#[test]
fn what_the_transport_adds_is_no_content() {
    for name in ["logged_time", "processed_time", "modified_time", "transmit_time"] {
        assert!(same(&format!(r#"{{"metadata":{{"{name}":1,"version":"1"}}}}"#), r#"{"metadata":{"version":"1"}}"#));
        assert!(same(&format!(r#"{{"metadata":{{"{name}_dt":"x"}}}}"#), "{}"), "{name}");
        assert!(!same(&format!(r#"{{"device":{{"{name}":1}}}}"#), "{}"), "{name}");
    }
    assert!(same(r#"{"metadata":{"loggers":[{"name":"l"}]},"enrichments":[1],"observables":[{"a":2}]}"#, "{}"));
    assert!(!same(r#"{"metadata":{"original_time":"x"}}"#, "{}"));
    let extra = |text| Content::of_extra(text).unwrap();
    assert_eq!(extra(r#"{"/metadata/transmit_time":5,"/x":1}"#), extra(r#"{"/x":1.0,"/enrichments/0":"y"}"#));
    assert_ne!(extra(r#"{"/metadata/transmit":5}"#), extra("{}"));
    assert_eq!(extra(r#"{"/x":{}}"#), extra("null"));
}

#[test]
fn changes_are_named_by_their_pointers() {
    assert_eq!(
        changes(
            r#"{"a":{"b":1,"c":[1,2,{"d":3}]},"gone":1,"x/y~z":"a","list":[1]}"#,
            r#"{"a":{"b":2,"c":[1,0,{"d":4}]},"new":1,"x/y~z":"b","list":[1,2]}"#,
        ),
        ["/a/b", "/a/c/1", "/a/c/2/d", "/gone", "/list", "/new", "/x~1y~0z"]
    );
    assert_eq!(changes("1", "2"), [""]);
    // Too many to name each: then the members that they are in.
    let many = |value: u32| {
        let members: Vec<String> = (0..10_000).map(|n| format!(r#""a rather long name {n}":{value}"#)).collect();
        format!(r#"{{"one":{{{}}},"two":{value}}}"#, members.join(","))
    };
    assert_eq!(changes(&many(1), &many(2)), ["/one", "/two"]);
    let wide = |value: u32| format!("{{{}", many(value).replacen(r#"{"one":{"#, "", 1).replacen('}', "", 1));
    assert_eq!(changes(&wide(1), &wide(2)), [""]);
}

#[test]
fn only_other_rules_explain_a_placeholder() {
    let meets = |a: &str, b: &str| {
        let (a, b) = (format!(r#"{{"a":{a}}}"#), format!(r#"{{"a":{b}}}"#));
        let (a, b) = (Content::of_event(&a).unwrap(), Content::of_event(&b).unwrap());
        let meets = a.is_same_but_for_redaction(&b);
        assert_eq!(meets, b.is_same_but_for_redaction(&a));
        meets
    };
    assert!(meets(r#""Bearer abc""#, r#""Bearer [REDACTED:token:00112233]""#));
    assert!(meets(r#""Bearer abc, done""#, r#""Bearer [REDACTED:token:00112233], done""#));
    assert!(meets(r#""[REDACTED:authorization:aa112233]""#, r#""Bearer [REDACTED:token:00112233]""#));
    assert!(meets(r#"{"x":[5]}"#, r#"{"x":["[REDACTED:password:00112233]"]}"#));
    assert!(!meets(r#""Bear""#, r#""Bearer [REDACTED:token:00112233]""#));
    assert!(!meets(r#""Bearer abc, undone""#, r#""Bearer [REDACTED:token:00112233], done!""#));
    assert!(!meets(r#""[REDACTED:token:00112233]""#, r#""[REDACTED:token:44556677]""#), "another secret");
    assert!(!meets(r#"{"x":1,"y":"[REDACTED:a:00112233]"}"#, r#"{"x":2,"y":"b"}"#));
    assert!(!meets(r#""""#, r#""[REDACTED:token:00112233]""#));
}

#[test]
fn damaged_json_is_an_error_and_no_panic() {
    let whole = r#"{"a":[1,{"b":"c\u00e9"}],"d":-1.5e3,"e":null}"#;
    for end in 0..whole.len() {
        assert!(Json::parse(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
    for bad in ["", "{]", r#"{"a"}"#, r#"{a:1}"#, "[1,]", "1 2", r#""\x""#, r#""\ud800""#, "--1", "1e", "tru", "é"] {
        assert!(Json::parse(bad).is_err(), "{bad}");
    }
    assert!(Json::parse(&"[".repeat(100_000)).is_err());
}

/// Two uids that collide under XXH64 whatever its seed.
const COLLIDING: [&str; 2] = [
    "7.cqHdjt-audit-event-uid-filler-RsXxle62-audit-event-uid-filler-",
    "7.cqHT%I-audit-event-uid-filler-R+^x5?u1-audit-event-uid-filler-",
];

#[test]
fn uids_that_collide_for_every_seed_of_xxh64_do_not_collide() {
    for key in 0..100 {
        assert_eq!(crate::lake::hash(key, COLLIDING[0].as_bytes()), crate::lake::hash(key, COLLIDING[1].as_bytes()));
        let hasher = Hasher::new([key as u8; 32]);
        let [one, other] = COLLIDING.map(|uid| hasher.hash(uid.as_bytes()));
        // Neither the whole nor a half of it.
        assert!(one != other && one as u64 != other as u64 && one >> 64 != other >> 64);
    }
    assert_ne!(Hasher::new([1; 32]).hash(b"x"), Hasher::new([2; 32]).hash(b"x"), "the key counts");
}

#[test]
fn the_hash_stays_what_it_is() {
    // It is stored. The vector is that of HighwayHash's reference: the key 0..32, an empty text.
    let key: [u8; 32] = std::array::from_fn(|at| at as u8);
    assert_eq!(Hasher::new(key).hash(b""), 0x3356_5e76_7f09_3e6f_u128 << 64 | 0x0fed_268f_9d8f_fec7);
}

fn class() -> Arc<EventClass> {
    Ocsf::load(None).unwrap().by_name("authentication").unwrap().clone()
}

/// Events with the columns that are given by path; JSON text where that is a column's way.
fn rows(class: &EventClass, cells: &[(&str, &[Option<&str>])]) -> RecordBatch {
    let count = cells[0].1.len();
    let columns = class.arrow.fields().iter().map(|field| column(field, field.name(), cells, count));
    RecordBatch::try_new(class.arrow.clone(), columns.collect()).unwrap()
}

fn column(field: &Field, path: &str, cells: &[(&str, &[Option<&str>])], count: usize) -> ArrayRef {
    match field.data_type() {
        DataType::Struct(members) if cells.iter().any(|(name, _)| name.starts_with(&format!("{path}."))) => {
            let columns =
                members.iter().map(|member| column(member, &format!("{path}.{}", member.name()), cells, count));
            Arc::new(StructArray::new(members.clone(), columns.collect(), None))
        }
        DataType::Timestamp(..) if path == "time" => {
            Arc::new(TimestampMicrosecondArray::from_value(1_767_225_600_000_000, count).with_timezone("UTC"))
        }
        other => match cells.iter().find(|(name, _)| *name == path) {
            Some((_, cells)) => cast(&StringArray::from(cells.to_vec()), other).unwrap(),
            None => new_null_array(other, count),
        },
    }
}

fn keys(batch: &RecordBatch) -> Vec<Option<Key>> {
    Known::of_events(batch).unwrap().keys(&Hasher::new([9; 32])).unwrap()
}

#[test]
fn identity_is_the_uid_within_its_logging_system() {
    let class = class();
    let places = [
        "class_uid",
        "metadata.product.vendor_name",
        "metadata.product.name",
        "metadata.product.uid",
        "metadata.log_name",
        "metadata.log_provider",
        "metadata.tenant_uid",
        "device.uid",
        "device.hostname",
    ];
    let uid: (&str, &[Option<&str>]) = ("_event_uid", &[Some("u"), Some("u"), Some("u")]);
    for place in places {
        let batch = rows(&class, &[uid, (place, &[Some("1"), Some("2"), Some("1")])]);
        let keys = keys(&batch);
        assert!(keys[0] != keys[1] && keys[0] == keys[2], "{place}");
        assert_eq!(keys[0].unwrap().uid, keys[1].unwrap().uid, "{place}");
    }
    for place in ["metadata.version", "metadata.product.version", "severity_id", "message", "device.name"] {
        let keys = keys(&rows(&class, &[uid, (place, &[Some("1"), Some("2"), None])]));
        assert!(keys[0] == keys[1] && keys[0] == keys[2], "{place}");
    }
    // The host counts when the device has no uid, and blanks are nothing.
    let one: &[Option<&str>] = &[Some("d"), Some("d"), Some(" ")];
    let keys_of = |more| keys(&rows(&class, &[uid, ("device.uid", one), ("device.hostname", more)]));
    let with_hosts = keys_of(&[Some("a"), Some("b"), Some("a")]);
    assert!(with_hosts[0] == with_hosts[1] && with_hosts[0] != with_hosts[2]);
    assert_eq!(keys(&rows(&class, &[("_event_uid", &[None, Some("u"), None])]))[0], None);
    // Parts do not run into one another.
    let parts = |vendor, name| {
        keys(&rows(
            &class,
            &[("_event_uid", &[Some("u")]), ("metadata.product.vendor_name", vendor), ("metadata.product.name", name)],
        ))
    };
    assert_ne!(parts(&[Some("ab")], &[Some("c")]), parts(&[Some("a")], &[Some("bc")]));
    assert_ne!(parts(&[Some("a")], &[None]), parts(&[None], &[Some("a")]));
}

#[test]
fn identity_is_found_where_its_type_put_it() {
    let class = class();
    let uid: (&str, &[Option<&str>]) = ("_event_uid", &[Some("u"), Some("u"), Some("u")]);
    let typed = rows(&class, &[uid, ("device.uid", &[Some("17"), None, None])]);
    let elsewhere = rows(
        &class,
        &[uid, ("_extra", &[Some(r#"{"/device/uid":17}"#), Some(r#"{"/device":{"uid":"17"}}"#), Some(r#"{"/x":17}"#)])],
    );
    let (typed, elsewhere) = (keys(&typed), keys(&elsewhere));
    assert!(typed[0] == elsewhere[0] && typed[0] == elsewhere[1] && typed[0] != elsewhere[2]);
    assert_eq!(typed[1], elsewhere[2]);
}

#[test]
fn identity_of_a_cut_object_is_in_its_text() {
    let field = |name, data_type| Field::new(name, data_type, true);
    let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(1_767_225_600_000_000, 2).with_timezone("UTC"));
    let schema = Schema::new(vec![
        field("time", time.data_type().clone()),
        field("metadata", DataType::Utf8),
        field("_event_uid", DataType::Utf8),
        field("class_uid", DataType::Int64),
    ]);
    let text = |text: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(text.to_vec())) };
    let cut = text([r#"{"product":{"name":"1"}}"#, r#"{"log_name":"1"}"#]);
    let columns = vec![time, cut, text(["u", "u"]), Arc::new(Int64Array::from(vec![3002, 3002]))];
    let cut = keys(&RecordBatch::try_new(Arc::new(schema), columns).unwrap());
    let class = class();
    let name: &[Option<&str>] = &[Some("1"), None];
    let log: &[Option<&str>] = &[None, Some("1")];
    let both: &[Option<&str>] = &[Some("u"), Some("u")];
    let uid: &[Option<&str>] = &[Some("3002"), Some("3002")];
    let typed = rows(
        &class,
        &[("_event_uid", both), ("class_uid", uid), ("metadata.product.name", name), ("metadata.log_name", log)],
    );
    assert_eq!(cut, keys(&typed));
}

/// Whether each row of one batch differs from the same row of the other; texts once as they are and once as dictionaries.
fn compared(class: &EventClass, left: &RecordBatch, right: &RecordBatch) -> Vec<bool> {
    let all = UInt32Array::from_iter_values(0..left.num_rows() as u32);
    let plain = differing(class, (left, &all), (right, &all)).unwrap();
    assert_eq!(plain, differing(class, (&coded(left), &all), (right, &all)).unwrap());
    assert_eq!(plain, differing(class, (&coded(left), &all), (&coded(right), &all)).unwrap());
    // The other way round, and in another order.
    let turned: UInt32Array = (0..left.num_rows() as u32).rev().map(Some).collect();
    let mut back = differing(class, (right, &turned), (left, &turned)).unwrap();
    back.reverse();
    assert_eq!(plain, back);
    plain
}

fn coded(batch: &RecordBatch) -> RecordBatch {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(coded_array).collect();
    let fields = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

fn coded_array(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8 => Arc::new(array.as_string::<i32>().iter().collect::<DictionaryArray<Int32Type>>()),
        DataType::Struct(fields) => {
            let array = array.as_struct();
            let columns: Vec<ArrayRef> = array.columns().iter().map(coded_array).collect();
            let fields = fields.iter().zip(&columns);
            let fields: Fields = fields
                .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()))
                .collect();
            Arc::new(StructArray::new(fields, columns, array.nulls().cloned()))
        }
        _ => array.clone(),
    }
}

#[test]
fn columns_tell_rows_apart_and_nothing_else_does() {
    let class = class();
    let left = [Some("1"), Some("2"), None, Some("4")];
    let right = [Some("1"), Some("0"), Some("3"), None];
    let expected = [false, true, true, true];
    for place in ["message", "actor.user.uid", "severity_id", "time_dt", "metadata.original_time", "unmapped"] {
        let (left, right) = (rows(&class, &[(place, &left)]), rows(&class, &[(place, &right)]));
        assert_eq!(compared(&class, &left, &right), expected, "{place}");
    }
    for place in ["metadata.logged_time_dt", "metadata.modified_time_dt", "_source", "_event_uid"] {
        let (left, right) = (rows(&class, &[(place, &left)]), rows(&class, &[(place, &right)]));
        assert_eq!(compared(&class, &left, &right), [false; 4], "{place}");
    }
    let left = [Some(r#"{"b":[1,{}],"a":1}"#), Some("{}"), Some(r#"{"a":1}"#), Some(r#"{"a":1,"b":null}"#)];
    let right = [Some(r#"{"a":1.0,"b":[1,null]}"#), None, Some(r#"{"a":2}"#), Some(r#"{"a":1}"#)];
    let (left, right) = (rows(&class, &[("unmapped", &left)]), rows(&class, &[("unmapped", &right)]));
    assert_eq!(compared(&class, &left, &right), [false, false, true, false]);
}

#[test]
fn lists_are_compared_element_by_element() {
    let class = class();
    let at = class.arrow.index_of("metadata").unwrap();
    let with = |lists: Vec<Option<Vec<Option<&str>>>>| {
        let batch = rows(&class, &[("metadata.version", &vec![Some("1"); lists.len()])]);
        let mut columns = batch.columns().to_vec();
        let metadata = columns[at].as_struct();
        let (fields, mut members, nulls) = metadata.clone().into_parts();
        let (place, field) = fields.find("labels").unwrap();
        let DataType::List(item) = field.data_type() else { panic!("labels are a list") };
        let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new()).with_field(item.clone());
        lists.into_iter().for_each(|list| builder.append_option(list));
        let list: ListArray = builder.finish();
        members[place] = Arc::new(list);
        columns[at] = Arc::new(StructArray::new(fields, members, nulls));
        RecordBatch::try_new(class.arrow.clone(), columns).unwrap()
    };
    let left = with(vec![Some(vec![Some("a"), Some("b")]), Some(vec![]), Some(vec![Some("a")]), Some(vec![None])]);
    let right = with(vec![Some(vec![Some("a"), Some("b")]), None, Some(vec![Some("b")]), Some(vec![])]);
    assert_eq!(compared(&class, &left, &right), [false, false, true, true]);
}
