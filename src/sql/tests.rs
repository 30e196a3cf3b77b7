//! Tests that pruning never changes the rows, and that files which can be pruned are not opened.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StructArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::MemTable;
use datafusion::optimizer::OptimizerRule;
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use proptest::prelude::*;

use super::engine::context_by;
use super::options::Options;
use super::tables::table::LakeTable;
use crate::lake::{FileEntry, FileName, Home, RowDigest};

const DAY_US: i64 = 86_400_000_000;
/// 2026-01-01.
const NEW_YEAR_US: i64 = 1_767_225_600_000_000;
const FILES: usize = 6;
const ROWS: usize = 60;
const ROW_GROUP: usize = 12;

/// A store that records its reads.
#[derive(Debug)]
struct Counting {
    inner: InMemory,
    reads: Mutex<Vec<String>>,
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, place: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(place, payload, options).await
    }

    async fn put_multipart_opts(&self, place: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(place, options).await
    }

    async fn get_opts(&self, place: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.lock().unwrap().push(place.to_string());
        self.inner.get_opts(place, options).await
    }

    fn delete_stream(&self, places: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(places)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn schema() -> SchemaRef {
    let user = DataType::Struct(
        vec![Field::new("uid", DataType::Utf8, true), Field::new("name", DataType::Utf8, true)].into(),
    );
    let actor = DataType::Struct(
        vec![
            Field::new("user", user, true),
            Field::new("is_mfa", DataType::Boolean, true),
            Field::new("score", DataType::Float64, true),
            Field::new("level", DataType::Int64, true),
        ]
        .into(),
    );
    let tags = DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)));
    Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("id", DataType::Int64, true),
        Field::new("status_id", DataType::Int64, true),
        Field::new("actor", actor, true),
        Field::new("tags", tags, true),
        Field::new("_event_uid", DataType::Utf8, true),
    ]))
}

/// Makes one file's rows: each row group of another day, with values and nulls that differ from group to group.
fn batch(file: usize) -> RecordBatch {
    let rows: Vec<usize> = (file * ROWS..(file + 1) * ROWS).collect();
    let group = |row: usize| row / ROW_GROUP;
    let times =
        rows.iter().map(|&row| NEW_YEAR_US + group(row) as i64 * DAY_US + (row % ROW_GROUP) as i64 * 7_000_000_001);
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"));
    let long = |value: &dyn Fn(usize) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(|&row| value(row)).collect::<Int64Array>())
    };
    let text = |value: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|&row| value(row)).collect::<StringArray>())
    };
    // Every fifth group has no name at all, every seventh row no actor; children of a null are null, as builders do it.
    let is_there = |row: usize| row % 7 != 3;
    let uids = text(&|row| is_there(row).then(|| format!("u{}", (group(row) * 3 + row % 3) % 17)));
    let names = text(&|row| (is_there(row) && group(row) % 5 != 0).then(|| format!("n{}", row % 11)));
    let is_mfa: ArrayRef = Arc::new(
        rows.iter()
            .map(|&row| is_there(row).then_some(group(row) % 3 == 0 || (group(row) % 3 == 1 && row % 2 == 0)))
            .collect::<BooleanArray>(),
    );
    let scores: ArrayRef = Arc::new(
        rows.iter()
            .map(|&row| (is_there(row) && row % 5 != 0).then_some(group(row) as f64 + 0.25))
            .collect::<Float64Array>(),
    );
    let levels = long(&|row| (is_there(row) && group(row) % 4 != 2).then_some(group(row) as i64 % 6));
    let schema = schema();
    let fields = |field: &Field| match field.data_type() {
        DataType::Struct(fields) => fields.clone(),
        _ => unreachable!(),
    };
    let actor_fields = fields(schema.field(3));
    let validity: Vec<bool> = rows.iter().map(|&row| is_there(row)).collect();
    let user = StructArray::new(fields(&actor_fields[0]), vec![uids, names], Some(validity.clone().into()));
    let actor = StructArray::new(actor_fields, vec![Arc::new(user), is_mfa, scores, levels], Some(validity.into()));
    let mut tags = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for &row in &rows {
        (0..row % 3).for_each(|n| tags.values().append_value(format!("t{}", (row + n) % 9)));
        tags.append(row % 4 != 1);
    }
    let columns: Vec<ArrayRef> = vec![
        times,
        long(&|row| Some(row as i64)),
        long(&|row| (group(row) % 6 != 5).then_some((group(row) % 4) as i64)),
        Arc::new(actor),
        Arc::new(tags.finish()),
        text(&|row| Some(format!("e{row}"))),
    ];
    RecordBatch::try_new(schema, columns).unwrap()
}

fn encode(batch: &RecordBatch) -> Vec<u8> {
    let bloom = ["actor.user.uid", "_event_uid"];
    let mut properties = WriterProperties::builder().set_max_row_group_row_count(Some(ROW_GROUP));
    for path in bloom {
        let path = ColumnPath::new(path.split('.').map(str::to_string).collect());
        properties = properties.set_column_bloom_filter_enabled(path, true);
    }
    // Like the lake's own files: footers with an Arrow schema are not cut down.
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// `stored`, which is pruned, and `plain`, the same rows in memory.
struct Tables {
    context: SessionContext,
    store: Arc<Counting>,
    runtime: tokio::runtime::Runtime,
}

impl Tables {
    fn new() -> Tables {
        Tables::by(super::engine::rules::rules())
    }

    /// Makes them with our functions, and these rules.
    fn by(rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>) -> Tables {
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(16 << 20).build().unwrap();
        let store = Arc::new(Counting { inner: InMemory::new(), reads: Mutex::default() });
        let context = context_by(store.clone(), &Options::default(), rules).unwrap();
        super::functions::register(&context, &Arc::new(crate::schema::Ocsf::load(None).unwrap()));
        let mut files = Vec::new();
        let mut batches = Vec::new();
        for number in 0..FILES {
            let batch = batch(number);
            let bytes = encode(&batch);
            let times = batch.column(0).as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap().values().clone();
            let home = Home { table: "stored", column: "event_month", partition: "2026-01" };
            let name = FileName { sequence: number as u64, part: 0, nonce: [0; 6] };
            let range = (times[0], times[ROWS - 1]);
            let file = FileEntry::of(home, name, &bytes, ROWS as u64, range, RowDigest::default()).unwrap();
            runtime.block_on(store.put(&file.data_path(), bytes.into())).unwrap();
            files.push(Arc::new(file));
            batches.push(batch);
        }
        let footers = Arc::new(super::engine::footers(store.clone(), &context, &Options::default()));
        let stored = LakeTable::new(schema(), "event_month", files, footers);
        context.register_table("stored", Arc::new(stored)).unwrap();
        let whole = concat_batches(&schema(), &batches).unwrap();
        context.register_table("rows", Arc::new(MemTable::try_new(schema(), vec![vec![whole]]).unwrap())).unwrap();
        let plain = runtime.block_on(context.sql("select *, '2026-01' as event_month from rows")).unwrap().into_view();
        context.register_table("plain", plain).unwrap();
        Tables { context, store, runtime }
    }

    /// Returns the rows of a statement, sorted.
    fn answer(&self, sql: &str) -> Vec<String> {
        let known = super::error::Known {
            ocsf: Arc::new(crate::schema::Ocsf::load(None).unwrap()),
            tables: Vec::new(),
            unknown: Vec::new(),
            sql: sql.to_string(),
            place: None,
            memory_limit: None,
            context: self.context.clone(),
        };
        let statement = super::engine::guard::admit(sql, &known).unwrap();
        let batches = self.runtime.block_on(async {
            let state = self.context.state();
            let plan = state.statement_to_plan(statement).await.unwrap();
            let plan =
                super::engine::late::planned(&state, &plan).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            datafusion::physical_plan::collect(plan, state.task_ctx()).await.unwrap()
        });
        let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        let mut rows: Vec<String> = text.lines().skip(3).map(|line| line.replace(' ', "")).collect();
        rows.retain(|row| row.starts_with('|'));
        rows.sort();
        rows
    }

    fn ids(&self, table: &str, predicate: &str) -> std::result::Result<Vec<i64>, String> {
        let sql = format!("select id from {table} where {predicate} order by id");
        let batches = self.runtime.block_on(async {
            self.context.sql(&sql).await.map_err(|e| e.to_string())?.collect().await.map_err(|e| e.to_string())
        })?;
        let ids = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec());
        Ok(ids.collect())
    }

    /// Returns the numbers of the files that planning a statement reads from.
    fn opened(&self, sql: &str) -> Vec<u64> {
        self.store.reads.lock().unwrap().clear();
        self.runtime.block_on(async { self.context.sql(sql).await.unwrap().create_physical_plan().await.unwrap() });
        let mut reads = self.store.reads.lock().unwrap().clone();
        reads.sort();
        reads.dedup();
        let number = |path: &String| path.rsplit('/').next().unwrap().split('-').next().unwrap().parse().unwrap();
        reads.iter().map(number).collect()
    }
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

/// Generates a comparison of each kind that prunes, and of some that must not.
fn comparison() -> impl Strategy<Value = String> {
    let op = || prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"]);
    let text = || prop::sample::select(vec!["actor.user.uid", "actor.user.name", "_event_uid"]);
    let word =
        || (prop::sample::select(vec!["u", "n", "e", "z"]), 0..20).prop_map(|(letter, n)| format!("'{letter}{n}'"));
    let number = || prop::sample::select(vec!["status_id", "actor.level", "actor.score", "id"]);
    let day = || {
        (-2..34_i64).prop_map(|day| {
            let time = chrono::DateTime::from_timestamp_micros(NEW_YEAR_US + day * DAY_US).unwrap();
            time.format("%Y-%m-%d").to_string()
        })
    };
    let unit = || prop::sample::select(vec!["hour", "day", "week", "month", "quarter", "year"]);
    let any = || {
        prop::sample::select(vec![
            "actor.user.uid",
            "actor.user.name",
            "actor.is_mfa",
            "actor.score",
            "actor.level",
            "status_id",
            "actor.user",
            "actor",
            "tags",
        ])
    };
    prop_oneof![
        (text(), op(), word()).prop_map(|(column, op, value)| format!("{column} {op} {value}")),
        (text(), prop::collection::vec(word(), 1..30), any_not())
            .prop_map(|(column, values, not)| { format!("{column} {not} in ({})", values.join(", ")) }),
        (text(), word(), word()).prop_map(|(column, low, high)| format!("{column} between {low} and {high}")),
        (text(), word()).prop_map(|(column, value)| format!("{column} like {}", value.replacen("'", "'%", 1))),
        (text(), word(), any_not())
            .prop_map(|(column, value, not)| format!("{column} {not} like concat({value}, '%')")),
        (number(), op(), -1..31_i64).prop_map(|(column, op, value)| format!("{column} {op} {value}")),
        (number(), op(), -1..31_i64).prop_map(|(column, op, value)| format!("{column} {op} {value}.25")),
        (number(), prop::collection::vec(0..9_i64, 1..6), any_not()).prop_map(|(column, values, not)| {
            let values: Vec<String> = values.iter().map(i64::to_string).collect();
            format!("{column} {not} in ({})", values.join(", "))
        }),
        (number(), -1..20_i64, 0..20_i64).prop_map(|(column, low, high)| format!("{column} between {low} and {high}")),
        (number(), op(), 0..9_i64).prop_map(|(column, op, value)| format!("cast({column} as varchar) {op} '{value}'")),
        (number(), op(), 0..9_i64).prop_map(|(column, op, value)| format!("cast({column} as double) {op} {value}.5")),
        (number(), op(), 0..9_i64).prop_map(|(column, op, value)| format!("{column} + 1 {op} {value}")),
        (any(), any_not()).prop_map(|(column, not)| format!("{column} is {not} null")),
        prop::sample::select(vec![
            "actor.is_mfa",
            "not actor.is_mfa",
            "actor.is_mfa = true",
            "actor.is_mfa is not true",
            "actor.is_mfa = false"
        ])
        .prop_map(str::to_string),
        (op(), day()).prop_map(|(op, day)| format!("time {op} '{day}'")),
        (op(), day()).prop_map(|(op, day)| format!("time {op} to_timestamp('{day}T03:00:00Z')")),
        (unit(), op(), day()).prop_map(|(unit, op, day)| format!("date_trunc('{unit}', time) {op} '{day}'")),
        (op(), day()).prop_map(|(op, day)| format!("'{day}' {op} date_trunc('day', time)")),
        (op(), day()).prop_map(|(op, day)| format!("time::date {op} '{day}'")),
        (day(), day()).prop_map(|(one, other)| format!("date_trunc('day', time) in ('{one}', '{other}')")),
        (day(), day()).prop_map(|(from, to)| format!("time between '{from}' and '{to}'")),
        word().prop_map(|value| format!("coalesce(actor.user.name, actor.user.uid) = {value}")),
        word().prop_map(|value| format!("upper(actor.user.uid) = upper({value})")),
        word().prop_map(|value| format!("tags[1] = {}", value.replacen(|c: char| c.is_alphabetic(), "t", 1))),
        Just("event_month = '2026-01'".to_string()),
        Just("event_month < '2026-01'".to_string()),
    ]
}

fn any_not() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "not"])
}

/// Each of our rules is removed alone: what it rewrites means the same without it.
#[test]
fn no_rule_of_the_optimizer_changes_an_answer() {
    const OURS: [&str; 6] =
        ["counted_distinct", "window_leaves", "fixed_intervals", "rounded_times", "named_leaves", "joins_within"];
    const STATEMENTS: [&str; 16] = [
        "select a.id, b.id from stored a join stored b on a.actor.user.uid = b.actor.user.uid and b.time between a.time and a.time + interval '3 days'",
        "select count(*) from stored a left join stored b on a.actor.level = b.actor.level and b.time - a.time < interval '20 hours' and b.time >= a.time",
        "select a.id from stored a where exists (select 1 from stored b where b.actor.user.name = a.actor.user.name and b.time < a.time and b.time > a.time - interval '2 days')",
        "select a.id from stored a where not exists (select 1 from stored b where b.status_id = a.status_id and b.time > a.time and b.time <= a.time + interval '36 hours')",
        "select status_id, count(distinct actor.user.uid), count(*), sum(id) filter (where id > 30), max(time) from stored group by 1",
        "select actor.user.name, count(distinct actor.level), count(actor.score) from stored group by 1",
        "select count(distinct actor.level), count(*) from stored",
        "select id, row_number() over (partition by actor.user.uid order by time, id), lag(actor.score) over (partition by actor.user.name order by time, id) from stored",
        "select id, n from (select id, actor.user.uid as who, count(*) over (partition by actor.user.uid) as n from stored) where who = 'u3' and n > 2",
        "select date_trunc('month', time), date_trunc('week', time), time::date, count(*) from stored group by 1, 2, 3",
        "select date_trunc('day', time) as d, status_id, count(*) from stored group by rollup (d, status_id)",
        "select id from stored where time > timestamptz '2026-01-03' + interval '1 day 2 hours' and time < timestamptz '2026-01-09' - interval '90 minutes'",
        "select id, time + interval '1 month', time - interval '36 hours' from stored where date_trunc('day', time) in ('2026-01-05', '2026-01-06')",
        "select who, count(*) from (select actor.user.uid as who, time from stored union all select actor.user.name, time from stored) where who > 'n2' group by who",
        "select t, count(*) from stored cross join unnest(tags) as u(t) where actor.user.uid is not null group by t",
        "select a.id from stored a where a.actor.score > (select avg(b.actor.score) from stored b where b.actor.level = a.actor.level)",
    ];
    let whole = Tables::new();
    let right: Vec<Vec<String>> = STATEMENTS.iter().map(|sql| whole.answer(sql)).collect();
    assert!(right.iter().all(|rows| !rows.is_empty()));
    for rule in OURS {
        let kept: Vec<_> = super::engine::rules::rules().into_iter().filter(|other| other.name() != rule).collect();
        assert!(kept.len() < super::engine::rules::rules().len(), "{rule} is not there");
        let tables = Tables::by(kept);
        for (sql, right) in STATEMENTS.iter().zip(&right) {
            assert_eq!(tables.answer(sql), *right, "without {rule}: {sql}");
        }
    }
}

fn predicate() -> impl Strategy<Value = String> {
    comparison().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn pruning_changes_no_result(predicate in predicate()) {
        let (stored, plain) = (TABLES.ids("stored", &predicate), TABLES.ids("plain", &predicate));
        match (stored, plain) {
            (Ok(stored), Ok(plain)) => prop_assert_eq!(stored, plain, "{}", predicate),
            // Values that one table cannot compare the other cannot compare either.
            (stored, plain) => prop_assert_eq!(stored.is_err(), plain.is_err(), "{}: {:?} {:?}", predicate, stored, plain),
        }
    }
}

#[test]
fn planning_opens_no_file_that_the_ledger_excludes() {
    let tables = Tables::new();
    // Each file has five days.
    let none: [u64; 0] = [];
    for (predicate, opened) in [
        ("time >= '2026-01-07' and time < '2026-01-08'", &none[..]),
        ("time < '2026-01-08' and time >= '2026-01-07' and actor.user.uid = 'u1'", &[1]),
        ("date_trunc('day', time) = '2026-01-12' and actor.user.uid = 'u1'", &[2]),
        ("time::date = '2026-01-12' and actor.user.uid = 'u1'", &[2]),
        ("time < '2025-01-01' and actor.user.uid = 'u1'", &none[..]),
        ("event_month = '2026-02' and actor.user.uid = 'u1'", &none[..]),
    ] {
        // Nothing is remembered of the files yet.
        let tables = Tables::new();
        assert_eq!(tables.opened(&format!("select id from stored where {predicate}")), opened, "{predicate}");
        // Now everything is remembered.
        assert_eq!(tables.opened(&format!("select id from stored where {predicate}")), none, "{predicate}");
    }
    // Questions that statistics can answer read nothing else.
    for sql in ["select count(*) from stored", "select min(time), max(time) from stored"] {
        assert_eq!(tables.opened(sql), none, "{sql}");
        let batches =
            tables.runtime.block_on(async { tables.context.sql(sql).await.unwrap().collect().await.unwrap() });
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
        assert!(tables.store.reads.lock().unwrap().is_empty(), "{sql}");
    }
}

#[test]
fn a_needle_in_a_struct_is_read_from_its_row_groups_alone() {
    let tables = Tables::new();
    let read = |predicate: &str| {
        let sql = format!("explain analyze select id from stored where {predicate}");
        let batches =
            tables.runtime.block_on(async { tables.context.sql(&sql).await.unwrap().collect().await.unwrap() });
        let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        let (_, rest) = text.split_once("pushdown_rows_matched=").unwrap_or(("", "0,"));
        let (_, pruned) = text.split_once("pushdown_rows_pruned=").unwrap_or(("", "0,"));
        let number = |text: &str| text.split([',', ']']).next().unwrap().trim().parse::<usize>().unwrap();
        number(rest) + number(pruned)
    };
    let all = FILES * ROWS;
    // Each uid is in some groups only; every other row group is skipped.
    let one = read("actor.user.uid = 'u3'");
    assert!(one > 0 && one < all / 3, "{one} of {all} rows were looked at");
    // Statistics work for numbers and booleans as filters do for text.
    assert!(read("actor.score > 28.0") <= 2 * ROW_GROUP);
    assert!(read("actor.user.uid = 'u3' or actor.user.uid = 'nobody'") <= one);
    assert!(read("actor.user.uid in ('nobody', 'none')") == 0);
    assert!(read("lower(actor.user.uid) = 'u3'") == all);
}
