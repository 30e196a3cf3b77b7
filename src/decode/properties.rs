//! Properties that hold for any event, and for any bytes.
//!
//! Events are grown along the schema from a string of choices, so that a failing one shrinks with its choices.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::Value;

use super::json::write_string;
use super::tests::{OCSF, decoder, encode};
use super::*;
use crate::schema::{EventBatch, EventClass, Kind, Object};

/// Decisions of the generator; all zero, the simplest, when they are used up.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn next(&mut self) -> usize {
        self.0.next().copied().map_or(0, usize::from)
    }

    fn one_of<'t>(&mut self, options: &[&'t str]) -> &'t str {
        options[self.next() % options.len()]
    }
}

const STRINGS: &[&str] =
    &["a", "", "ünï→😀", "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}", " x ", "2026-01-01", "\u{2028}\u{feff}", "0"];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "1700000000000",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "9007199254740993",
    "0.3",
    "1.0",
    "-0.0",
    "1e3",
    "1E-7",
    "2.5e+10",
    "1.7976931348623157e308",
    "5e-324",
    "123456789012345678.5",
    "9223372036854775.0",
    "3.0000000000000000001",
];
const NAMES: &[&str] =
    &["foo", "", "a/b", "~", "~1", "/", "0", "_extra", "_event_uid", "ü", "\"", "parent_process", "uid ", "Name"];

fn any_value(choices: &mut Choices<'_>, depth: usize, out: &mut String) {
    match choices.next() % if depth > 8 { 6 } else { 10 } {
        0 => out.push_str("null"),
        1 => out.push_str(choices.one_of(&["true", "false"])),
        2 | 3 => out.push_str(choices.one_of(NUMBERS)),
        4 | 5 => write_string(choices.one_of(STRINGS), out),
        6 => list(choices, out, |choices, out| any_value(choices, depth + 1, out)),
        7 => {
            // Nine levels of parents, as endpoint products send them.
            (0..9).for_each(|_| out.push_str(r#"{"pid":1,"parent_process":"#));
            any_value(choices, depth + 9, out);
            (0..9).for_each(|_| out.push('}'));
        }
        _ => {
            out.push('{');
            unknown_members(choices, None, depth, "", out);
            out.push('}');
        }
    }
}

fn list(choices: &mut Choices<'_>, out: &mut String, mut element: impl FnMut(&mut Choices<'_>, &mut String)) {
    out.push('[');
    for index in 0..choices.next() % 4 {
        if index > 0 {
            out.push(',');
        }
        element(choices, out);
    }
    out.push(']');
}

/// Up to three members that `object` does not know.
fn unknown_members(
    choices: &mut Choices<'_>,
    object: Option<&Object>,
    depth: usize,
    mut comma: &str,
    out: &mut String,
) {
    let first = choices.next();
    for index in 0..choices.next() % 4 {
        let name = NAMES[(first + index) % NAMES.len()];
        if object.is_some_and(|object| object.index_of(name).is_some()) {
            continue;
        }
        out.push_str(comma);
        comma = ",";
        write_string(name, out);
        out.push(':');
        any_value(choices, depth + 1, out);
    }
}

fn typed_value(choices: &mut Choices<'_>, kind: &Kind, depth: usize, out: &mut String) {
    match kind {
        // One in eight does not fit, one in eight may be anything.
        _ if choices.next() % 8 == 7 => any_value(choices, depth, out),
        Kind::Text => write_string(choices.one_of(STRINGS), out),
        Kind::Long | Kind::Double | Kind::Time => out.push_str(choices.one_of(NUMBERS)),
        Kind::Boolean => out.push_str(choices.one_of(&["true", "false"])),
        Kind::Json => any_value(choices, depth, out),
        Kind::Object(object) => typed_object(choices, object, depth, out),
    }
}

fn typed_object(choices: &mut Choices<'_>, object: &Object, depth: usize, out: &mut String) {
    out.push('{');
    let comma = typed_members(choices, object, depth, "", out);
    unknown_members(choices, Some(object), depth, comma, out);
    out.push('}');
}

/// Some members of `object`, beginning anywhere.
fn typed_members(
    choices: &mut Choices<'_>,
    object: &Object,
    depth: usize,
    mut comma: &'static str,
    out: &mut String,
) -> &'static str {
    let routing = ["class_uid", "time", "class_name", "category_uid"];
    let start = choices.next();
    let wanted = choices.next() % 12;
    for index in 0..wanted.min(object.attributes.len()) {
        let attribute = &object.attributes[(start + index * 7) % object.attributes.len()];
        let is_repeated = (0..index).any(|before| {
            (start + before * 7) % object.attributes.len() == (start + index * 7) % object.attributes.len()
        });
        if is_repeated || depth == 0 && routing.contains(&attribute.name.as_str()) {
            continue;
        }
        write!(out, "{comma}\"{}\":", attribute.name).unwrap();
        comma = ",";
        match (attribute.is_list, choices.next() % 16) {
            (_, 15) => out.push_str("null"),
            (true, 0..=13) => list(choices, out, |choices, out| match choices.next() % 8 {
                7 => out.push_str("null"),
                _ => typed_value(choices, &attribute.kind, depth + 1, out),
            }),
            _ => typed_value(choices, &attribute.kind, depth + 1, out),
        }
    }
    comma
}

fn event(class: &EventClass, choices: &[u8]) -> String {
    let mut choices = Choices(choices.iter());
    let mut out = format!(r#"{{"class_uid":{}"#, class.uid.unwrap_or(4001));
    typed_members(&mut choices, &class.root, 0, ",", &mut out);
    unknown_members(&mut choices, Some(&class.root), 0, ",", &mut out);
    out.push_str(r#","time":1700000000000}"#);
    out
}

/// The value that the round trip promises to keep: everything but explicit nulls of typed objects and the spelling of numbers.
fn promised(object: &Object, line: &str) -> Value {
    without_nulls(object, exact(line))
}

fn without_nulls(object: &Object, value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let kept = members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let attribute = object.index_of(&name).map(|index| &object.attributes[index]);
        let value = match (attribute.map(|attribute| (&attribute.kind, attribute.is_list)), value) {
            (Some((Kind::Object(inner), true)), Value::Array(elements)) => {
                elements.into_iter().map(|element| without_nulls(inner, element)).collect()
            }
            (Some((Kind::Object(inner), false)), value) => without_nulls(inner, value),
            (_, value) => value,
        };
        (name, value)
    });
    Value::Object(kept.collect())
}

/// JSON text as a value in which numbers are strings of one spelling: serde_json would round them, and not correctly.
pub(super) fn exact(text: &str) -> Value {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let is_number = first == '-' || first.is_ascii_digit();
        let end = match first {
            '"' => string_end(rest),
            _ if is_number => rest.find(|char: char| !"+-.0123456789eE".contains(char)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        if is_number {
            write!(out, "\"#{}\"", one_spelling(&rest[..end])).unwrap()
        } else {
            out.push_str(&rest[..end])
        }
        rest = &rest[end..];
    }
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    let closes = |(_, byte): &(usize, u8)| {
        let quote = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        quote
    };
    text.bytes().enumerate().skip(1).find(closes).unwrap().0 + 1
}

fn one_spelling(number: &str) -> String {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let short = digits.trim_end_matches('0');
    let power = exponent.parse::<i64>().unwrap() - fraction.len() as i64 + (digits.len() - short.len()) as i64;
    match short.trim_start_matches('0') {
        "" => "0".to_owned(),
        short => format!("{sign}{short}e{power}"),
    }
}

fn through_parquet(batch: &RecordBatch) -> RecordBatch {
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
    let batches: Vec<RecordBatch> = reader.with_batch_size(1 << 20).build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1);
    batches.into_iter().next().unwrap()
}

/// Null structs have null members, all the way down.
fn assert_nulls_reach_down(array: &ArrayRef) {
    match array.data_type() {
        DataType::Struct(_) => {
            for member in array.as_struct().columns() {
                for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                    assert!(member.is_null(row));
                }
                assert_nulls_reach_down(member);
            }
        }
        DataType::List(_) => assert_nulls_reach_down(array.as_list::<i32>().values()),
        _ => {}
    }
}

fn assert_round_trip(lines: &[String]) {
    let mut decoder = decoder();
    for (index, line) in lines.iter().enumerate() {
        let origin = RowOrigin { digest: 0, number: index as u64, offset: 0 };
        if let Err(reject) = decoder.push(line.as_bytes(), origin) {
            // The generator goes nine levels at once; all else that it makes is fine.
            assert_eq!(reject.reason, "too-deep", "{line}");
        }
    }
    for EventBatch { class, batch, origins } in decoder.flush() {
        assert_eq!(batch.schema(), class.arrow);
        assert_eq!(batch.num_rows(), origins.len());
        for column in batch.columns() {
            column.to_data().validate_full().unwrap();
            assert_nulls_reach_down(column);
        }
        let stored = through_parquet(&batch);
        for (row, (number, _)) in origins.iter().enumerate() {
            let line = &lines[*number as usize];
            let back = encode(&class, &batch, row);
            assert_eq!(promised(&class.root, &back), promised(&class.root, line), "\n{line}\n{back}");
            assert_eq!(encode(&class, &stored, row), back, "through Parquet");
        }
    }
}

/// Takes a line both ways; whether the fast one took it. Where it did, they must agree in everything.
fn both_ways(line: &[u8]) -> bool {
    let (mut fast, mut long) = (decoder(), decoder());
    for class in classes() {
        let first = format!(r#"{{"class_uid":{},"time":1}}"#, class.uid.unwrap_or(4001));
        fast.push(first.as_bytes(), RowOrigin::default()).unwrap();
    }
    fast.flush();
    fast.drift();
    let origin = RowOrigin { digest: 7, number: 3, offset: 5 };
    let is_taken = fast.scan(line, origin).is_some();
    if is_taken {
        let shown = || String::from_utf8_lossy(line).into_owned();
        long.parse(line, origin).unwrap_or_else(|reject| panic!("{reject:?} in {}", shown()));
        let (mine, theirs) = (fast.flush(), long.flush());
        assert_eq!(mine.len(), 1, "{}", shown());
        assert_eq!(mine[0].batch, theirs[0].batch, "{}", shown());
        assert_eq!((&mine[0].class.name, &mine[0].origins), (&theirs[0].class.name, &theirs[0].origins));
        assert_eq!(fast.drift(), long.drift(), "{}", shown());
    } else {
        assert!(fast.flush().is_empty(), "a line that is not taken leaves nothing behind");
    }
    is_taken
}

/// Blanks where JSON allows them.
fn spread(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = if first == '"' { string_end(rest) } else { first.len_utf8() };
        let token = &rest[..end];
        out.push_str(if "}]:,".contains(token) { " " } else { "" });
        out.push_str(token);
        out.push_str(if "{[:,".contains(token) { "  " } else { "" });
        rest = &rest[end..];
    }
    out
}

fn classes() -> Vec<Arc<EventClass>> {
    OCSF.classes().iter().chain([OCSF.other()]).map(Arc::clone).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out(
        seeds in prop::collection::vec((any::<usize>(), prop::collection::vec(any::<u8>(), 0..600)), 1..12),
    ) {
        let classes = classes();
        let line = |(class, choices): &(usize, Vec<u8>)| event(&classes[class % classes.len()], choices);
        let lines: Vec<String> = seeds.iter().map(line).collect();
        assert_round_trip(&lines);
    }

    #[test]
    fn the_fast_way_agrees_with_the_long_one(
        class in any::<usize>(),
        choices in prop::collection::vec(any::<u8>(), 0..200),
        damage in prop::collection::vec((any::<prop::sample::Index>(), "[\\x20-\\x7f]"), 0..3),
    ) {
        let classes = classes();
        let line = event(&classes[class % classes.len()], &choices);
        both_ways(line.as_bytes());
        both_ways(spread(&line).as_bytes());
        let mut damaged = line.into_bytes();
        for (at, byte) in &damage {
            let at = at.index(damaged.len());
            damaged[at] = byte.as_bytes()[0];
        }
        both_ways(&damaged);
    }

    #[test]
    fn any_bytes_are_a_row_or_a_reject(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = decoder();
        let pushed = decoder.push(&bytes, RowOrigin::default());
        prop_assert_eq!(decoder.flush().len(), usize::from(pushed.is_ok()));
    }

    /// A damaged event is JSON for us exactly when it is for serde_json.
    #[test]
    fn damage_is_judged_as_serde_json_does(
        choices in prop::collection::vec(any::<u8>(), 0..200),
        damage in prop::collection::vec((any::<prop::sample::Index>(), "[\\x00-\\x7f]"), 1..4),
    ) {
        let mut line = event(&classes()[0], &choices).into_bytes();
        for (at, byte) in &damage {
            let at = at.index(line.len());
            line[at] = byte.as_bytes()[0];
        }
        let pushed = decoder().push(&line, RowOrigin::default());
        let is_json = serde_json::from_slice::<Value>(&line).is_ok();
        // Not `number-out-of-range`: serde_json takes such a number and alters it, which is why we reject it.
        let is_about_json = ["syntax", "invalid-utf8", "lone-surrogate"];
        match pushed {
            Ok(()) => prop_assert!(is_json),
            Err(reject) if is_about_json.contains(&reject.reason) => prop_assert!(!is_json, "{}", reject.reason),
            Err(_) => {}
        }
    }

    #[test]
    fn floats_keep_all_their_digits(
        value in any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()),
        places in 0..25usize,
    ) {
        for text in [format!("{value:?}"), format!("{value:e}"), format!("{:.places$}", value % 1e15)] {
            let line = format!(r#"{{"class_uid":3002,"time":1,"x":{text},"severity_id":{text},"unmapped":{text}}}"#);
            let batch = super::tests::row(&line).unwrap();
            prop_assert_eq!(exact(&encode(&batch.class, &batch.batch, 0)), exact(&line));
        }
    }
}

#[test]
fn synthetic_events_go_the_fast_way() {
    let mut ndjson = Vec::new();
    let options = crate::r#gen::Options { count: 300, ..Default::default() };
    crate::r#gen::run(&options, &mut ndjson).unwrap();
    let lines: Vec<&str> = std::str::from_utf8(&ndjson).unwrap().lines().collect();
    let taken = lines.iter().filter(|line| both_ways(line.as_bytes())).count();
    assert!(taken * 100 >= lines.len() * 95, "{taken} of {}", lines.len());
    let taken = lines.iter().filter(|line| both_ways(spread(line).as_bytes())).count();
    assert!(taken * 100 >= lines.len() * 95, "{taken} of {} with blanks", lines.len());
}

#[test]
fn odd_lines_are_the_same_both_ways() {
    let odd = [
        r#"{"class_uid":3002,"time":1,"message":"a\"b\u00e9","metadata":{"uid":" x "},"id":"y"}"#,
        r#"{"class_uid":3002,"time":1,"metadata":{"uid":1002},"id":-7}"#,
        r#"{"class_uid":3002,"time":1,"metadata":{"uid":10.5},"id": 7 }"#,
        r#"{"class_uid":3002,"class_uid":3002,"time":1}"#,
        r#"{"class_uid":3002,"time":1,"x":{"a":1,"a":2}}"#,
        r#"{"class_uid":3002,"time":1,"x":{"a":[1,{"b":2.5}]},"y":null,"status_id":"1"}"#,
        r#"{"class_uid":3002,"time":1,"actor":7,"metadata":"m","unmapped":[ {"q" : "w w"} , 3 ]}"#,
        r#"{"class_uid":3002,"time":1,"class_name":"File System Activity"}"#,
        r#"{"x":{"class_uid":3001},"class_uid":3002,"time":1}"#,
        r#"{"time":1,"class_uid":3002,"actor":{"user":{"uid":"u","groups":[{"name":"a"},null,{"zz":1}]}}}"#,
        r#"{"class_uid":3002,"time":999999999999999999}"#,
        r#"{"class_uid":3002,"time":1} "#,
        r#"{"class_uid":3002,"time":1,}"#,
        r#"{"class_uid":3002 "time":1}"#,
    ];
    let taken: Vec<bool> = odd.iter().map(|line| both_ways(line.as_bytes())).collect();
    assert_eq!(
        taken,
        [true, true, false, false, false, true, true, false, false, true, false, false, false, false],
        "what is taken may grow; look at it when it does"
    );
}

#[test]
fn real_events_come_back() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/real.ndjson");
    let lines: Vec<String> = std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 72);
    let mut decoder = decoder();
    let mut rejects = Vec::new();
    let mut accepted = Vec::new();
    for line in lines {
        match decoder.push(line.as_bytes(), RowOrigin::default()) {
            Ok(()) => accepted.push(line),
            Err(reject) => rejects.push(reject.reason),
        }
    }
    // One has its time in a string, eight are API Activity from before OCSF 1.0, three tell the time in seconds.
    assert_eq!(rejects, ["bad-time"]);
    let drift = decoder.drift();
    assert_eq!((drift.foreign_era, drift.suspicious_time), (8, 3));
    assert_round_trip(&accepted);
}
