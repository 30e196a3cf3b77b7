//! Tests of whole output, format by format.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Int8Type, Int32Type, IntervalDayTime, Schema, TimeUnit};
use insta::assert_snapshot;
use serde_json::json;

use super::*;

/// Makes two rows as the lake has them, hostile text and a row of nulls.
fn events() -> RecordBatch {
    let time = TimestampMicrosecondArray::from(vec![Some(1_768_471_200_123_000), Some(1_768_471_200_000_000), None])
        .with_timezone("UTC");
    let name: ArrayRef =
        Arc::new(StringArray::from(vec![Some("Ada, \"Countess\""), Some("\u{202e}evil\u{1b}[2J"), None]));
    let level: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, None]));
    let members: Fields =
        vec![Field::new("name", DataType::Utf8, true), Field::new("level", DataType::Int64, true)].into();
    let user = StructArray::new(members, vec![name, level], Some(NullBuffer::from(vec![true, true, false])));
    let tags = ListArray::new(
        Arc::new(Field::new("element", DataType::Utf8, true)),
        OffsetBuffer::new(vec![0, 2, 2, 2].into()),
        Arc::new(StringArray::from(vec![Some("a|b"), None])),
        Some(NullBuffer::from(vec![true, true, false])),
    );
    let message: StringViewArray = vec![Some("=1+1\nsecond `line` <b> [x](y)"), Some(""), None].into_iter().collect();
    let score = Float64Array::from(vec![Some(0.1), Some(f64::NAN), None]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(time)),
        ("count", Arc::new(Int64Array::from(vec![Some(-5), Some(9_007_199_254_740_993), None]))),
        ("score", Arc::new(score)),
        ("is_mfa", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("user", Arc::new(user)),
        ("tags", Arc::new(tags)),
        ("message", Arc::new(message)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn one(name: &str, array: impl Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, Arc::new(array) as ArrayRef, true)]).unwrap()
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    one("n", Int64Array::from_iter_values(from..to))
}

fn render(format: Format, options: Options, batches: &[RecordBatch]) -> String {
    let mut out = Vec::new();
    let mut renderer = Renderer::new(format, batches[0].schema(), options, &mut out);
    for batch in batches {
        renderer.write(batch).unwrap();
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(renderer.finish().unwrap().rows, rows as u64);
    String::from_utf8(out).unwrap()
}

fn plain(format: Format, batches: &[RecordBatch]) -> String {
    render(format, Options::default(), batches)
}

#[test]
fn csv_quotes_and_neutralises() {
    assert_snapshot!(plain(Format::Csv, &[events()]), @r#"
    time,count,score,is_mfa,user,tags,message
    2026-01-15T10:00:00.123Z,-5,0.1,true,"{""name"":""Ada, \""Countess\"""",""level"":1}","[""a|b"",null]","'=1+1
    second `line` <b> [x](y)"
    2026-01-15T10:00:00Z,9007199254740993,NaN,false,"{""name"":""\u202eevil\u001b[2J"",""level"":null}",[],""
    ,,,,,,
    "#);
    let options =
        Options { neutralise_formulas: false, header: false, null: Some("NULL".into()), ..Options::default() };
    let text: StringArray = vec![Some("=x"), Some("NULL"), None, Some("")].into_iter().collect();
    assert_eq!(render(Format::Csv, options, &[one("t", text)]), "=x\n\"NULL\"\nNULL\n\"\"\n");
}

/// Parses RFC 4180; small enough to be right.
fn parse_csv(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !is_quoted);
    rows
}

#[test]
fn csv_and_tsv_parse_back() {
    let texts = ["a,b", "tab\there", "\"", "\"\"", "line\r\nbreak", " blank ", "\u{202e}", "é😀", "-5"];
    let batch = RecordBatch::try_from_iter([
        ("te\"xt", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef),
        ("n", Arc::new(Int32Array::from_iter_values(0..texts.len() as i32))),
    ])
    .unwrap();
    for (format, separator) in [(Format::Csv, ','), (Format::Tsv, '\t')] {
        let rows = parse_csv(&plain(format, &[batch.clone(), batch.clone()]), separator);
        assert_eq!(rows[0], ["te\"xt", "n"]);
        for (index, text) in texts.iter().chain(&texts).enumerate() {
            assert_eq!(rows[index + 1], [text.to_string(), (index % texts.len()).to_string()]);
        }
    }
}

#[test]
fn single_null_keeps_its_row() {
    assert_eq!(plain(Format::Csv, &[one("n", Int8Array::from(vec![None, Some(1)]))]), "n\n\"\"\n1\n");
}

#[test]
fn csv_on_a_terminal_is_escaped() {
    let options = Options { is_terminal: true, ..Options::default() };
    assert_eq!(render(Format::Csv, options, &[one("t", StringArray::from(vec!["\u{1b}[2J"]))]), "t\n\\u{1b}[2J\n");
}

#[test]
fn json_is_what_the_row_is() {
    let expected = json!([
        {"time": "2026-01-15T10:00:00.123Z", "count": -5, "score": 0.1, "is_mfa": true,
         "user": {"name": "Ada, \"Countess\"", "level": 1}, "tags": ["a|b", null],
         "message": "=1+1\nsecond `line` <b> [x](y)"},
        {"time": "2026-01-15T10:00:00Z", "count": 9_007_199_254_740_993_i64, "score": null, "is_mfa": false,
         "user": {"name": "\u{202e}evil\u{1b}[2J", "level": null}, "tags": [], "message": ""},
        {"time": null, "count": null, "score": null, "is_mfa": null, "user": null, "tags": null, "message": null},
    ]);
    let text = plain(Format::Json, &[events()]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
    assert_snapshot!(text, @r#"
    [{"time":"2026-01-15T10:00:00.123Z","count":-5,"score":0.1,"is_mfa":true,"user":{"name":"Ada, \"Countess\"","level":1},"tags":["a|b",null],"message":"=1+1\nsecond `line` <b> [x](y)"},
    {"time":"2026-01-15T10:00:00Z","count":9007199254740993,"score":null,"is_mfa":false,"user":{"name":"\u202eevil\u001b[2J","level":null},"tags":[],"message":""},
    {"time":null,"count":null,"score":null,"is_mfa":null,"user":null,"tags":null,"message":null}]
    "#);
    let lines = plain(Format::Ndjson, &[events().slice(0, 1), events().slice(1, 2)]);
    let rows: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(serde_json::Value::from(rows), expected);
}

#[test]
fn columns_of_one_name_are_all_there() {
    let field = |name| Field::new(name, DataType::Int32, true);
    let schema = Arc::new(Schema::new(vec![field("id"), field("id"), field("id_1"), field("id")]));
    let column = |n| Arc::new(Int32Array::from(vec![n])) as ArrayRef;
    let batch = RecordBatch::try_new(schema, vec![column(1), column(2), column(3), column(4)]).unwrap();
    assert_eq!(plain(Format::Ndjson, &[batch]), "{\"id\":1,\"id_2\":2,\"id_1\":3,\"id_3\":4}\n");
}

#[test]
fn markdown_cells_are_only_text() {
    assert_snapshot!(plain(Format::Markdown, &[events()]), @r#"
    | time | count | score | is_mfa | user | tags | message |
    | --- | ---: | ---: | --- | --- | --- | --- |
    | 2026-01-15T10:00:00.123Z | -5 | 0.1 | true | {"name":"Ada, \\"Countess\\"","level":1} | \["a\|b",null\] | =1+1\nsecond \`line\` \<b\> \[x\](y) |
    | 2026-01-15T10:00:00Z | 9007199254740993 | NaN | false | {"name":"\\u202eevil\\u001b\[2J","level":null} | \[\] |  |
    |  |  |  |  |  |  |  |
    "#);
    let text = one("a_b", StringArray::from(vec!["__x__ user_access \\ $1 & *"]));
    assert_eq!(plain(Format::Markdown, &[text]), "| a_b |\n| --- |\n| \\_\\_x\\_\\_ user_access \\\\ \\$1 \\& \\* |\n");
}

#[test]
fn markdown_names_nobody_on_a_forge() {
    let text = StringArray::from(vec!["@mallory (@org/team) #1 !2 ann@corp.example a#1 @ 5 % #"]);
    let cell = "@&#8203;mallory (@&#8203;org/team) #&#8203;1 !&#8203;2 ann@corp.example a#1 @ 5 % #";
    assert_eq!(plain(Format::Markdown, &[one("t", text)]), format!("| t |\n| --- |\n| {cell} |\n"));
}

#[test]
fn line_cuts_nothing() {
    assert_snapshot!(plain(Format::Line, &[events()]), @r#"
    -[ RECORD 1 ]-
    time       | 2026-01-15T10:00:00.123Z
    count      | -5
    score      | 0.1
    is_mfa     | true
    user.name  | Ada, "Countess"
    user.level | 1
    tags       | ["a|b",null]
    message    | =1+1\nsecond `line` <b> [x](y)
    -[ RECORD 2 ]-
    time      | 2026-01-15T10:00:00Z
    count     | 9007199254740993
    score     | NaN
    is_mfa    | false
    user.name | \u{202e}evil\u{1b}[2J
    tags      | []
    message   |
    -[ RECORD 3 ]-
    "#);
}

#[test]
fn table_is_a_box() {
    assert_snapshot!(plain(Format::Table, &[events().slice(0, 1), events().slice(1, 2)]), @r#"
    ┌──────────────────────────┬──────────────────┬───────┬────────┬─────────────────────────────────────────────┬──────────────┬────────────────────────────────┐
    │ time                     │            count │ score │ is_mfa │ user                                        │ tags         │ message                        │
    ├──────────────────────────┼──────────────────┼───────┼────────┼─────────────────────────────────────────────┼──────────────┼────────────────────────────────┤
    │ 2026-01-15T10:00:00.123Z │               -5 │   0.1 │ true   │ {"name":"Ada, \"Countess\"","level":1}      │ ["a|b",null] │ =1+1\nsecond `line` <b> [x](y) │
    │ 2026-01-15T10:00:00Z     │ 9007199254740993 │   NaN │ false  │ {"name":"\u202eevil\u001b[2J","level":null} │ []           │                                │
    │                          │                  │       │        │                                             │              │                                │
    └──────────────────────────┴──────────────────┴───────┴────────┴─────────────────────────────────────────────┴──────────────┴────────────────────────────────┘
    "#);
}

#[test]
fn table_fits_the_terminal() {
    let options = Options { width: Some(80), ..Options::default() };
    let text = render(Format::Table, options, &[events()]);
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    assert_snapshot!(text, @r#"
    ┌──────────────────────┬──────────────────┬───────┬───────────────────────┬───┐
    │ time                 │            count │ score │ user.name             │ … │
    ├──────────────────────┼──────────────────┼───────┼───────────────────────┼───┤
    │ 2026-01-15T10:00:00Z │               -5 │   0.1 │ Ada, "Countess"       │ … │
    │ 2026-01-15T10:00:00Z │ 9007199254740993 │   NaN │ \u{202e}evil\u{1b}[2J │ … │
    │                      │                  │       │                       │ … │
    └──────────────────────┴──────────────────┴───────┴───────────────────────┴───┘
    "#);
    let options = Options { width: Some(130), null: Some("∅".into()), ..Options::default() };
    assert_snapshot!(render(Format::Table, options, &[events()]), @r#"
    ┌──────────────────────┬──────────────────┬───────┬────────┬───────────────────────┬───────────┬──────────────┬──────────────────┐
    │ time                 │            count │ score │ is_mfa │ user.name             │     user. │ tags         │ message          │
    │                      │                  │       │        │                       │     level │              │                  │
    ├──────────────────────┼──────────────────┼───────┼────────┼───────────────────────┼───────────┼──────────────┼──────────────────┤
    │ 2026-01-15T10:00:00Z │               -5 │   0.1 │ true   │ Ada, "Countess"       │         1 │ ["a|b",null] │ =1+1\nsecond `l… │
    │ 2026-01-15T10:00:00Z │ 9007199254740993 │   NaN │ false  │ \u{202e}evil\u{1b}[2J │         ∅ │ []           │                  │
    │ ∅                    │                ∅ │     ∅ │ ∅      │ ∅                     │         ∅ │ ∅            │ ∅                │
    └──────────────────────┴──────────────────┴───────┴────────┴───────────────────────┴───────────┴──────────────┴──────────────────┘
    "#);
}

#[test]
fn wide_characters_are_cut_by_their_width() {
    let options = Options { width: Some(24), ..Options::default() };
    let batch = one("t", StringArray::from(vec!["漢字".repeat(500), "é".repeat(19), "x".repeat(21)]));
    assert_snapshot!(render(Format::Table, options, &[batch]), @r"
    ┌──────────────────────┐
    │ t                    │
    ├──────────────────────┤
    │ 漢字漢字漢字漢字漢…  │
    │ ééééééééééééééééééé  │
    │ xxxxxxxxxxxxxxxxxxx… │
    └──────────────────────┘
    ");
}

#[test]
fn long_results_show_head_and_tail() {
    let options = || Options { max_rows: Some(5), ..Options::default() };
    let batches = [numbers(0, 3), numbers(3, 4), numbers(4, 40), numbers(40, 41), numbers(41, 100)];
    assert_snapshot!(render(Format::Table, options(), &batches), @r"
    ┌────┐
    │  n │
    ├────┤
    │  0 │
    │  1 │
    │  2 │
    │  · │
    │ 98 │
    │ 99 │
    └────┘
    ");
    let five = render(Format::Table, options(), &[numbers(0, 4), numbers(4, 5)]);
    assert!(!five.contains('·') && five.lines().count() == 9, "{five}");
}

#[test]
fn pages_make_one_box() {
    for rows in [9_999, 10_000, 10_001, 20_000, 20_001] {
        let text = plain(Format::Table, &[numbers(0, rows)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), rows as usize + 4);
        assert_eq!((lines[0].chars().next(), text.matches('└').count()), (Some('┌'), 1));
        assert!(lines.last().unwrap().starts_with('└'));
    }
    let late = plain(Format::Table, &[numbers(0, 10_000), numbers(123_456_789, 123_456_790)]);
    assert!(late.contains("│ 123456789 │"), "a later page cuts nothing");
}

#[test]
fn too_wide_becomes_lines() {
    let options = |width| Options { width: Some(width), line_if_wide: true, max_rows: Some(2), ..Options::default() };
    let batch = numbers(1_000_000, 1_000_009);
    assert_eq!(
        render(Format::Table, options(9), std::slice::from_ref(&batch)),
        "-[ RECORD 1 ]-\nn | 1000000\n·\n-[ RECORD 9 ]-\nn | 1000008\n"
    );
    assert!(render(Format::Table, options(11), &[batch]).starts_with('┌'));
}

#[test]
fn empty_results_differ_by_format() {
    let none = [numbers(0, 0)];
    let outputs = [Format::Csv, Format::Tsv, Format::Json, Format::Ndjson, Format::Line, Format::Markdown]
        .map(|format| plain(format, &none));
    assert_eq!(outputs, ["n\n", "n\n", "[]\n", "", "", "| n |\n| ---: |\n"]);
    assert_snapshot!(plain(Format::Table, &none), @r"
    ┌───┐
    │ n │
    ├───┤
    └───┘
    ");
    let options = Options { header: false, ..Options::default() };
    assert_eq!(render(Format::Table, options, &none), "");
}

#[test]
fn every_type_has_a_text() {
    let dictionary: DictionaryArray<Int8Type> = vec![Some("x"), None].into_iter().collect();
    let unused: DictionaryArray<Int8Type> = vec![None::<&str>, None].into_iter().collect();
    let runs: RunArray<Int32Type> = vec![Some("r"), None].into_iter().collect();
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("k\"");
    map.values().append_value(1);
    map.append(true).unwrap();
    map.append(false).unwrap();
    let decimal = Decimal128Array::from(vec![Some(-12_345), None]).with_precision_and_scale(10, 2).unwrap();
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None], 2);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("null", Arc::new(NullArray::new(2))),
        ("u64", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("f32", Arc::new(Float32Array::from(vec![Some(1e20), None]))),
        ("f64", Arc::new(Float64Array::from(vec![Some(f64::INFINITY), None]))),
        ("large", Arc::new(LargeStringArray::from(vec![Some("l"), None]))),
        ("s", Arc::new(TimestampSecondArray::from(vec![Some(0), None]))),
        ("far", Arc::new(TimestampSecondArray::from(vec![Some(i64::MAX), None]))),
        ("ms", Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None]).with_timezone("+02:00"))),
        ("us", Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]))),
        ("ns", Arc::new(TimestampNanosecondArray::from(vec![Some(1), None]).with_timezone("UTC"))),
        ("date", Arc::new(Date32Array::from(vec![Some(20_468), None]))),
        ("clock", Arc::new(Time64MicrosecondArray::from(vec![Some(3_600_000_001), None]))),
        ("took", Arc::new(DurationMillisecondArray::from(vec![Some(1_500), None]))),
        ("interval", Arc::new(IntervalDayTimeArray::from(vec![Some(IntervalDayTime::new(1, 500)), None]))),
        ("decimal", Arc::new(decimal)),
        ("hex", Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None]))),
        ("fixed", Arc::new(fixed)),
        ("map", Arc::new(map.finish())),
        ("dictionary", Arc::new(dictionary)),
        ("runs", Arc::new(runs)),
        ("unused", Arc::new(unused)),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    assert_eq!(batch.schema().field(5).data_type(), &DataType::Timestamp(TimeUnit::Second, None));
    let json = plain(Format::Ndjson, std::slice::from_ref(&batch));
    let second: serde_json::Map<_, _> = serde_json::from_str(json.lines().nth(1).unwrap()).unwrap();
    assert!(second.len() == batch.num_columns() && second.values().all(serde_json::Value::is_null));
    assert_snapshot!(json.lines().next().unwrap(), @r#"{"null":null,"u64":18446744073709551615,"f32":1e20,"f64":null,"large":"l","s":"1970-01-01T00:00:00","far":"9223372036854775807","ms":"1970-01-01T01:59:59.999+02:00","us":"1970-01-01T00:00:00.000001","ns":"1970-01-01T00:00:00.000000001Z","date":"2026-01-15","clock":"01:00:00.000001","took":"00:00:01.500","interval":"1 day 00:00:00.500","decimal":"-123.45","hex":"00ff","fixed":[1,null],"map":{"k\"":1},"dictionary":"x","runs":"r","unused":null}"#);
    assert_snapshot!(plain(Format::Line, &[batch.slice(0, 1)]), @r#"
    -[ RECORD 1 ]-
    u64        | 18446744073709551615
    f32        | 1e20
    f64        | inf
    large      | l
    s          | 1970-01-01T00:00:00
    far        | 9223372036854775807
    ms         | 1970-01-01T01:59:59.999+02:00
    us         | 1970-01-01T00:00:00.000001
    ns         | 1970-01-01T00:00:00.000000001Z
    date       | 2026-01-15
    clock      | 01:00:00.000001
    took       | 00:00:01.500
    interval   | 1 day 00:00:00.500
    decimal    | -123.45
    hex        | 00ff
    fixed      | [1,null]
    map        | {
               |   "k\"": 1
               | }
    dictionary | x
    runs       | r
    "#);
}

#[test]
fn a_sliced_batch_gives_its_own_rows() {
    let text = plain(Format::Ndjson, &[events().slice(1, 1)]);
    assert!(text.contains("\\u202eevil") && text.contains("\"tags\":[]"), "{text}");
}

#[test]
fn a_closed_pipe_is_recognised() {
    struct Closed(io::ErrorKind);
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = |kind| {
        let batch = numbers(0, 1);
        let mut renderer = Renderer::new(Format::Csv, batch.schema(), Options::default(), Closed(kind));
        renderer.write(&batch).unwrap_err()
    };
    assert!(is_closed_pipe(&error(io::ErrorKind::BrokenPipe)));
    assert!(!is_closed_pipe(&error(io::ErrorKind::StorageFull)));
    assert_eq!(error(io::ErrorKind::BrokenPipe).message(), "cannot write the result");
}

#[test]
fn html_escapes_everything_and_loads_nothing() {
    assert_snapshot!(render(Format::Html, Options::default(), &[events()]), @r##"
    <!doctype html>
    <meta charset="utf-8">
    <table>
    <tr><th>time</th><th>count</th><th>score</th><th>is_mfa</th><th>user</th><th>tags</th><th>message</th></tr>
    <tr><td>2026-01-15T10:00:00.123Z</td><td align="right">-5</td><td align="right">0.1</td><td>true</td><td>{&quot;name&quot;:&quot;Ada, \&quot;Countess\&quot;&quot;,&quot;level&quot;:1}</td><td>[&quot;a|b&quot;,null]</td><td>=1+1\nsecond `line` &lt;b&gt; [x](y)</td></tr>
    <tr><td>2026-01-15T10:00:00Z</td><td align="right">9007199254740993</td><td align="right">NaN</td><td>false</td><td>{&quot;name&quot;:&quot;\u202eevil\u001b[2J&quot;,&quot;level&quot;:null}</td><td>[]</td><td></td></tr>
    <tr><td></td><td align="right"></td><td align="right"></td><td></td><td></td><td></td><td></td></tr>
    </table>
    "##);
    let bare = render(
        Format::Html,
        Options { header: false, null: Some("<null>".into()), ..Options::default() },
        &[numbers(0, 1)],
    );
    assert_eq!(
        bare,
        "<!doctype html>\n<meta charset=\"utf-8\">\n<table>\n<tr><td align=\"right\">0</td></tr>\n</table>\n"
    );
}

#[test]
fn a_list_has_a_row_a_line() {
    assert_snapshot!(render(Format::List, Options::default(), &[events()]), @r##"
    time|count|score|is_mfa|user|tags|message
    2026-01-15T10:00:00.123Z|-5|0.1|true|{"name":"Ada, \"Countess\"","level":1}|["a|b",null]|=1+1\nsecond `line` <b> [x](y)
    2026-01-15T10:00:00Z|9007199254740993|NaN|false|{"name":"\u202eevil\u001b[2J","level":null}|[]|
    ||||||
    "##);
    let options =
        Options { header: false, separator: Some(" ; ".into()), null: Some("-".into()), ..Options::default() };
    assert!(render(Format::List, options, &[events()]).ends_with("\n- ; - ; - ; - ; - ; - ; -\n"));
}

/// Writes a file of a binary format.
fn file(format: Format, options: Options, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut renderer = Renderer::new(format, batches[0].schema(), options, &mut out);
    for batch in batches {
        renderer.write(batch).unwrap();
    }
    renderer.finish().unwrap();
    out
}

#[test]
fn parquet_and_arrow_files_hold_the_rows() {
    let twice = RecordBatch::try_new(
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("n", DataType::Utf8, true)])),
        vec![Arc::new(Int64Array::from(vec![1])), Arc::new(StringArray::from(vec!["x"]))],
    )
    .unwrap();
    for (batches, names) in [
        (vec![events(), events()], "time,count,score,is_mfa,user,tags,message"),
        (vec![events().slice(0, 0)], "time,count,score,is_mfa,user,tags,message"),
        (vec![twice], "n,n_1"),
    ] {
        let expected = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        let parquet = bytes::Bytes::from(file(Format::Parquet, Options::default(), &batches));
        let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
        let read: Vec<RecordBatch> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
        let ipc = file(Format::Arrow, Options::default(), &batches);
        let reader = arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(ipc), None).unwrap();
        let shown: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(shown.join(","), names);
        let from_ipc: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
        for read in [read, from_ipc] {
            let rows: usize = read.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(rows, expected.num_rows());
            if rows > 0 {
                let read = arrow::compute::concat_batches(&read[0].schema(), &read).unwrap();
                assert_eq!(read.columns(), expected.columns());
            }
        }
    }
}

#[test]
fn what_parquet_has_no_type_for_is_an_error() {
    let interval = IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 2)]);
    let months = IntervalMonthDayNanoArray::from(vec![arrow::datatypes::IntervalMonthDayNano::new(1, 2, 3)]);
    let mut out = Vec::new();
    let batch = one("i", months);
    let mut renderer = Renderer::new(Format::Parquet, batch.schema(), Options::default(), &mut out);
    assert!(renderer.write(&batch).and_then(|()| renderer.finish()).is_err());
    assert!(!file(Format::Parquet, Options::default(), &[one("i", interval)]).is_empty());
}

#[test]
fn a_workbook_is_a_file_of_one_sheet() {
    let bytes = file(Format::Xlsx, Options::default(), &[events(), events()]);
    assert!(bytes.starts_with(b"PK"));
    assert_eq!(bytes, file(Format::Xlsx, Options::default(), &[events(), events()]), "equal results are equal bytes");
    assert_ne!(bytes, file(Format::Xlsx, Options::default(), &[events()]));
}
