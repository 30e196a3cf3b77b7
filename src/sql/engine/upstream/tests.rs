//! Each fault: the answer of the engine alone, and ours.
//!
//! A failing test of the first kind is good news: an upgrade has fixed the fault, and our remedy can go.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::memory::InMemory;

use crate::schema::Ocsf;
use crate::sql::engine::{guard, late};
use crate::sql::error::{Known, explain};
use crate::sql::{Options, engine, functions};

use super::physical_rules;

/// Returns the engine's own answer to `sql`, without our changes.
fn alone(sql: &str) -> String {
    let config = SessionConfig::new().set_str("datafusion.sql_parser.dialect", "duckdb");
    let mut context = SessionContext::new_with_config(config);
    datafusion_functions_json::register_all(&mut context).unwrap();
    run(async { context.sql(sql).await?.collect().await })
}

/// Returns our answer.
pub fn here(sql: &str) -> String {
    let ocsf = Arc::new(Ocsf::load(None).unwrap());
    let context = engine::context(Arc::new(InMemory::new()), &Options::default()).unwrap();
    functions::register(&context, &ocsf);
    let known = Known {
        ocsf,
        tables: Vec::new(),
        unknown: Vec::new(),
        sql: sql.to_string(),
        place: None,
        memory_limit: None,
        context: context.clone(),
    };
    let statement = match guard::admit(sql, &known) {
        Ok(statement) => statement,
        Err(error) => return format!("error: {error}"),
    };
    run(async {
        let state = context.state();
        let plan = state.statement_to_plan(statement).await?;
        let plan = late::planned(&state, &plan).await?;
        collect(plan, state.task_ctx()).await
    })
}

fn run(answer: impl Future<Output = Result<Vec<RecordBatch>>>) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(answer) {
        Ok(batches) => shown(&batches),
        Err(error) => {
            let known = Known {
                ocsf: Arc::new(Ocsf::load(None).unwrap()),
                tables: Vec::new(),
                unknown: Vec::new(),
                sql: String::new(),
                place: None,
                memory_limit: None,
                context: SessionContext::new(),
            };
            format!("error: {}", explain(error, &known))
        }
    }
}

/// Formats rows: `1,a; 2,null`.
fn shown(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default().with_null("null");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(","));
        }
    }
    rows.join("; ")
}

const PEOPLE: &str = "with g(uid, k) as (values ('ann', 1), (null, 2)), \
    s(uid, k) as (values ('ann', 1), ('bob', 1), ('cid', 2), ('dan', 3), (null, 3), (null, 1)) ";
const NUMBERS: &str = "with g(k, v) as (values (1, 5), (1, 7), (2, 3)), s(k) as (values (0), (1), (2), (3)) ";

/// Lists statement, the engine's wrong answer, the right one. An error is wrong too where an answer exists.
fn faults() -> Vec<(String, &'static str, &'static str)> {
    let people = |sql: &str| format!("{PEOPLE}{sql}");
    let numbers = |sql: &str| format!("{NUMBERS}{sql}");
    let plain = |sql: &str| sql.to_string();
    let lists = |condition: &str| {
        format!(
            "select a from (values (1, 1), (2, 3), (3, 4), (null, 5)) t(a, b) where {condition} order by 1 nulls last"
        )
    };
    vec![
        // `in` lists beside each other
        (lists("a not in (1, 0, null) and a in (3, 4, null)"), "3", ""),
        (lists("a not in (10, 11, 12, 13) or a not in (20, 21, 22, 23)"), "1; 2; 3; null", "1; 2; 3"),
        (lists("not (a in (10, 11, 12, 13) and a in (20, 21, 22, 23))"), "1; 2; 3; null", "1; 2; 3"),
        (lists("not ((a = 1 or a = 2 or a = 4) and (a = 5 or a = 6 or a = 8))"), "1; 2; 3; null", "1; 2; 3"),
        (lists("a in (b, 12, 13, 14) and a in (b - 0, 22, 23, 24)"), "", "1"),
        (lists("a in (b, 22, 23, 24) and a not in (1, 22, 23, 24)"), "1", ""),
        (lists("not (a in (1, null) and a not in (1))"), "", "1"),
        (lists("(a in (1, 2, 3, 4) and a not in (1, 2, 3, 4)) is null"), "", "null"),
        // One column merged by several joins
        (
            plain(
                "with a(k, x) as (values (1, 10), (2, 20)), b(k, y) as (values (1, 100), (3, 300)), c(k, z) as (values (1, 7), (4, 8)) select k, x, y, z from c left join a using (k) left join b using (k) order by k",
            ),
            "error: `k` is a column of several tables",
            "1,10,100,7; 4,null,null,8",
        ),
        // Constants of the outer side of a join
        (
            plain(
                "select x, y from (values (3), (1), (2), (1)) t(y) left join (select x from (values (1), (5)) v(x) where x = 1) a on a.x = t.y order by x nulls first, y",
            ),
            "1,1; 1,1; null,2; null,3",
            "null,2; null,3; 1,1; 1,1",
        ),
        // #12956, #12955
        (
            plain(
                "select * from (values (1), (1), (1), (2)) a(k) except all select * from (values (1), (3)) b(k) order by 1",
            ),
            "2",
            "1; 1; 2",
        ),
        (
            plain(
                "select * from (values (1), (1), (1), (2)) a(k) intersect all select * from (values (1), (1), (3)) b(k) order by 1",
            ),
            "1; 1; 1",
            "1; 1",
        ),
        // #22881
        (
            plain(
                "with a(k, n) as (values (1, 1), (2, 2)), b(k, m) as (values (1, 5), (3, 7)) select k, n, m from a full join b using (k) order by coalesce(n, m)",
            ),
            "1,1,5; 2,2,null; null,null,7",
            "1,1,5; 2,2,null; 3,null,7",
        ),
        (
            plain(
                "with a(k) as (values (1)), b(k) as (values (1), (3)) select k from a right join b using (k) order by b.k",
            ),
            "1; null",
            "1; 3",
        ),
        // #25480, #25347
        (
            people("select uid, k from s where uid not in (select g.uid from g where g.k = s.k) order by k, uid"),
            "error: this subquery names columns of the query around it in a way that is not supported",
            "bob,1; dan,3; null,3",
        ),
        (
            people(
                "select uid, k from s where uid not in (select g.uid from g where g.k = s.k) or k = 99 order by k, uid",
            ),
            "bob,1; null,1; cid,2; dan,3; null,3",
            "bob,1; dan,3; null,3",
        ),
        (
            people("select uid from s where uid not in (select g.uid from g where g.uid = s.uid) order by uid"),
            "",
            "bob; cid; dan; null; null",
        ),
        // #24960
        (
            numbers("select k from s where exists (select count(*) from g where g.k = s.k) order by 1"),
            "1; 2",
            "0; 1; 2; 3",
        ),
        (numbers("select k from s where k in (select count(*) from g where g.k = s.k) order by 1"), "", "0"),
        (
            numbers("select k from s where exists (select 1 from g where g.k = s.k having count(*) = 0) order by 1"),
            "",
            "0; 3",
        ),
        // Not reported.
        (
            numbers("select k from s where exists (select 1 from g where g.k = s.k offset 1) order by 1"),
            "1; 2",
            "error: `limit` or `offset` is not supported in a subquery that names columns of the query around it",
        ),
        (
            numbers(
                "select k from s where 1 in (select row_number() over (order by v) from g where g.k = s.k) order by 1",
            ),
            "2",
            "1; 2",
        ),
        // #25243
        (plain("select 2 as x union all select 1 order by all"), "2; 1", "1; 2"),
        // Not reported.
        (
            plain(
                "select x, count(*) from (values (1), (2), (2)) t(x) where x = 2 group by rollup (x) order by x nulls last",
            ),
            "null,2; 2,2",
            "2,2; null,2",
        ),
        // #12140, #17539, #3520
        (
            plain("select 9223372036854775807 + 1"),
            "-9223372036854775808",
            "error: `+`: the result is out of the range of bigint; cast a value to double first",
        ),
        (
            plain("select x * 3 from (values (9223372036854775807)) t(x)"),
            "9223372036854775805",
            "error: `*`: the result is out of the range of bigint; cast a value to double first",
        ),
        (
            plain("select -9223372036854775807 - x from (values (10)) t(x)"),
            "9223372036854775799",
            "error: `-`: the result is out of the range of bigint; cast a value to double first",
        ),
        (
            plain("select sum(x) from (values (9223372036854775807), (1)) t(x)"),
            "-9223372036854775808",
            "error: `sum`: the result is out of the range of bigint; cast a value to double first",
        ),
        (
            plain("select sum(x) over (order by y) from (values (9223372036854775807, 1), (1, 2)) t(x, y) order by y"),
            "9223372036854775807; -9223372036854775808",
            "error: `sum`: the result is out of the range of bigint; cast a value to double first",
        ),
        // The parser's fault.
        (plain("select 2 ^ 3"), "1", "8.0"),
        (plain("select '{\"k\": \"v\"}'->>'k' || 'x'"), "null", "vx"),
        // Nanoseconds.
        (
            plain("select timestamp '9999-12-31' > timestamp '1601-01-01'"),
            "error: overflow converting 9999-12-31 00:00:00 to Nanosecond. The dates that can be represented as nanoseconds have to be between 1677-09-21T00:12:44.0 and 2262-04-11T23:47:16.854775804",
            "true",
        ),
        (
            plain(
                "select extract(epoch from arrow_cast('9999-12-31', 'Timestamp(Microsecond, None)') - arrow_cast('2026-01-01', 'Timestamp(Microsecond, None)'))",
            ),
            "null",
            "251634988800.0",
        ),
        (
            plain("select date_trunc('month', arrow_cast('9999-12-31', 'Timestamp(Microsecond, None)'))::text"),
            "error: timestamp 253402214400000000 out of range",
            "9999-12-01T00:00:00",
        ),
        (
            plain(
                "select date_bin(interval '1 day', arrow_cast('2026-03-28T23:30:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))') at time zone 'Europe/Berlin')::text",
            ),
            "2026-03-28T01:00:00+01:00",
            "2026-03-29T00:00:00+01:00",
        ),
        (plain("select interval '1 day' = interval '24 hours'"), "false", "true"),
        (
            plain("select (timestamp '2026-03-29 02:30:00' at time zone 'Europe/Berlin')::text"),
            "error: cannot cast timezone to different timezone",
            "2026-03-29T03:30:00+02:00",
        ),
        // A pattern of PostgreSQL is not a pattern to the engine.
        (
            plain("select to_char(timestamp '2026-01-31 12:30:00', 'YYYY-MM-DD HH24:MI')"),
            "YYYY-MM-DD HH24:MI",
            "2026-01-31 12:30",
        ),
        // Clauses that the engine drops.
        (plain("select count(*) from (values (1), (2)) t(x) for update"), "2", "error: `for update` is not supported"),
        (plain("select lower(distinct 'A')"), "a", "error: `lower` is not an aggregate: it does not take `distinct`"),
    ]
}

#[test]
fn the_engine_still_has_every_fault_that_is_amended_here() {
    let mut mended = Vec::new();
    for (sql, wrong, _) in faults() {
        let said = alone(&sql);
        if said.lines().next().unwrap_or_default() != wrong {
            mended.push(format!("{sql}\n  now: {said}\n  was: {wrong}"));
        }
    }
    assert!(mended.is_empty(), "{}", mended.join("\n"));
}

#[test]
fn what_the_engine_answers_wrongly_is_answered_rightly_or_refused() {
    let mut wrong = Vec::new();
    for (sql, _, right) in faults() {
        let said = here(&sql);
        if said.lines().next().unwrap_or_default() != right {
            wrong.push(format!("{sql}\n  said: {said}\n right: {right}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn subqueries_are_answered_wherever_they_stand() {
    let people = |sql: &str| format!("{PEOPLE}{sql}");
    let numbers = |sql: &str| format!("{NUMBERS}{sql}");
    for (sql, right) in [
        (
            people("select uid, k, uid in (select g.uid from g where g.k = s.k) from s order by k, uid"),
            "ann,1,true; bob,1,false; null,1,null; cid,2,null; dan,3,false; null,3,false",
        ),
        (
            people("select uid, k, uid not in (select uid from g) from s order by k, uid"),
            "ann,1,false; bob,1,null; null,1,null; cid,2,null; dan,3,null; null,3,null",
        ),
        (
            people("select uid from s where not (uid in (select g.uid from g where g.k = s.k)) order by k, uid"),
            "bob; dan; null",
        ),
        (people("select uid, k from s where uid not in (select uid from g) or k = 3 order by k, uid"), "dan,3; null,3"),
        (
            numbers("select k, exists (select 1 from g where g.k = s.k) from s order by 1"),
            "0,false; 1,true; 2,true; 3,false",
        ),
        (
            numbers(
                "select count(*) filter (where exists (select 1 from g where g.k = s.k)), count_if(k in (select v from g)) from s",
            ),
            "2,1",
        ),
        (
            numbers("select k from s where exists (select 1 from g where g.k = s.k order by v limit 1) order by 1"),
            "1; 2",
        ),
        (numbers("select k from s where not exists (select 1 from g where g.k = s.k limit 5) order by 1"), "0; 3"),
        (numbers("select k from s where k not in (select max(k) from g where g.k = s.k) order by 1"), ""),
        (
            numbers("select k, (select v from g where g.k = s.k order by v desc limit 1) from s order by 1"),
            "0,null; 1,7; 2,3; 3,null",
        ),
        (
            numbers(
                "select s.k, g.v from s join g on s.k = g.k and exists (select 1 from g as h where h.v > g.v) order by 1, 2",
            ),
            "1,5; 2,3",
        ),
        (numbers("select k, (select count(*) from g where g.k = s.k) from s order by 1"), "0,0; 1,2; 2,1; 3,0"),
    ] {
        assert_eq!(here(&sql), right, "{sql}");
    }
}

#[test]
fn set_operations_and_joins_keep_their_names_and_copies() {
    for (sql, right) in [
        ("select 1 as a, 'x' as b from range(3) except all select 1, 'x' from range(2)", "1,x"),
        ("select null::int as a from range(3) except all select null from range(1)", "null; null"),
        ("(select 1 as a union all select 1 union all select 2) except all (select 1) order by 1", "1; 2"),
        ("select distinct x from (values (1), (1), (2)) t(x) except all select 1 order by 1", "2"),
        (
            "with a(k, n) as (values (1, 1)), b(k, m) as (values (2, 5)) select * from a full join b using (k) order by k",
            "1,1,null; 2,null,5",
        ),
        (
            "with a(k) as (values (1)), b(k) as (values (2)), c(k, z) as (values (2, 3)) select k, z from a full join b using (k) full join c using (k) order by k",
            "1,null; 2,3",
        ),
        (
            "with a(k) as (values (1)), b(k) as (values (2)) select k, count(*) from a full join b using (k) where k > 1 group by k having k < 5",
            "2,1",
        ),
        (
            "select x, grouping(x), count(*) from (values (1), (2), (2)) t(x) group by rollup (x) order by x nulls first",
            "null,1,3; 1,0,1; 2,0,2",
        ),
    ] {
        assert_eq!(here(sql), right, "{sql}");
    }
}

/// A filter above a join of files whose columns have one name: `a.x = 5` is asked instead of `b.x = 5`.
const OF_TWO: &str = "select b.x, a.x from b right join a on a.k = b.k where a.x > 3 or b.x = 5 order by 2";

#[test]
fn the_engine_still_hands_a_filter_to_the_wrong_column_of_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let said = |rules: Option<Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>>| {
        let config = SessionConfig::new()
            .with_target_partitions(1)
            .set_bool("datafusion.execution.parquet.pushdown_filters", true);
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features();
        if let Some(rules) = rules {
            state = state.with_physical_optimizer_rules(rules);
        }
        let context = SessionContext::new_with_state(state.build());
        run(async {
            for (name, rows) in [("a", "(1, 1), (1, 2), (3, 30), (4, 4), (5, 5)"), ("b", "(1, 5), (2, 6)")] {
                let path = folder.path().join(format!("{name}.parquet"));
                let path = path.to_str().unwrap();
                let copy = format!("copy (select * from (values {rows}) t(k, x)) to '{path}'");
                context.sql(&copy).await?.collect().await?;
                context.register_parquet(name, path, Default::default()).await?;
            }
            context.sql(OF_TWO).await?.collect().await
        })
    };
    let right = "5,1; 5,2; null,4; null,5; null,30";
    assert_ne!(said(None), right, "mended: `pushdown` can go");
    assert_eq!(said(Some(physical_rules())), right);
}

#[test]
fn a_star_has_the_column_of_the_left_side() {
    const TABLES: &str = "with a(k, x, m) as (values (1, 'a', 1), (2, 'b', 2)), b(m, k, y) as (values (5, 2, 'c'), (6, 3, 'd')), \
        c(k, z) as (values (3, 'e'))";
    for (from, right) in [
        ("b left join a using (k)", "5,2,c,b,2; 6,3,d,null,null"),
        ("b join a using (k)", "5,2,c,b,2"),
        ("b left join a using (k, m)", "5,2,c,null; 6,3,d,null"),
        ("c left join b using (k) left join a using (k)", "3,e,6,d,null,null"),
        ("c join b using (k) join (select 3 as k, 'q' as q) using (k)", "3,e,6,d,q"),
        ("(select 2 as k, 'q' as q) join a using (k)", "2,q,b,2"),
        ("c semi join b using (k) left join a using (k)", "3,e,null,null"),
        ("a left join c using (k)", "1,a,1,null; 2,b,2,null"),
        ("b full join c using (k)", "2,5,c,null; 3,6,d,e"),
    ] {
        let sql = format!("{TABLES} select * from {from} order by 1");
        assert_eq!(here(&sql), right, "{from}");
    }
    let alone = alone(&format!("{TABLES} select * from b left join a using (k) order by 1"));
    assert!(alone.contains("null,b,2") || alone.contains("6,d,null"), "mended: a part of `merged` can go: {alone}");
}

#[test]
fn the_engine_still_gives_up_on_its_own_plans() {
    // One plan calls the result of a `case` never null, the other maybe null.
    let cases = "select case when m = 'v' and n <= 6 then n else 3 end, count(distinct s) \
        from (values ('v', 1, 2), ('w', 2, 2), (null, null, 3)) t(m, n, s) group by 1 order by 1";
    assert!(alone(cases).contains("physical input schema"), "mended: the check of `engine` can be on");
    assert_eq!(here(cases), "1,1; 3,2");
    // Constants of a union are in order within each partition, until a projection goes into the join.
    let constants = "select c, row_number() over (order by c) from (select 'a' c, x from (values (2)) v(x) \
        union all select 'b', x from (values (2)) v(x)) u join (values (2)) t(s) on t.s = u.x order by 2";
    assert!(alone(constants).starts_with("error"), "mended: its text in `error` can go");
    assert!(here(constants).contains("does not accept itself"), "{}", here(constants));
    // The engine panics here.
    assert_eq!(here("select distinct on (x) x, y from (values (1, 2), (1, 3)) t(x, y) order by x, y desc, x"), "1,3");
}

#[test]
fn a_subquery_may_name_what_is_two_queries_out() {
    const TABLES: &str = "with a(id, k, s) as (values (1, 1, 'x'), (2, 2, 'y'), (3, null, 'x')), \
        b(k, s) as (values (1, 'x'), (2, 'z'), (2, 'y')), c(k, s) as (values (1, 'x'), (2, 'x'))";
    for (condition, right) in [
        ("exists (select 1 from b where b.k = a.k and exists (select 1 from c where c.k = b.k and c.s = a.s))", "1"),
        (
            "exists (select 1 from b where b.k = a.k and not exists (select 1 from c where c.k < b.k and c.s = a.s))",
            "1; 2",
        ),
        ("not exists (select 1 from b where b.s = a.s and not exists (select 1 from c where c.k = a.k))", "1; 2"),
        ("a.k in (select b.k from b where b.s in (select c.s from c where c.k = a.k))", "1"),
        ("a.id not in (select b.k from b where exists (select 1 from c where c.s = a.s and c.k = b.k))", "2; 3"),
        ("(select count(*) from b where (select count(*) from c where c.s = a.s and c.k <= b.k) > 1) = 2", "1; 3"),
        ("exists (select 1 from b where b.k > a.k and a.s in (select c.s from c where c.k = 2))", "1"),
        ("a.id not in (select b.k from b where a.s in (select c.s from c))", "2; 3"),
        (
            "exists (select 1 from b where exists (select 1 from c where c.k = b.k and \
             exists (select 1 from b d where d.k = c.k and d.s = a.s)))",
            "1; 2; 3",
        ),
    ] {
        let sql = format!("{TABLES} select id from a where {condition} order by id");
        assert_eq!(here(&sql), right, "{condition}");
    }
    let alone = alone(&format!(
        "{TABLES} select id from a where exists (select 1 from b where b.k = a.k and \
         exists (select 1 from c where c.k = b.k and c.s = a.s))"
    ));
    assert!(alone.starts_with("error"), "mended: `further` can go: {alone}");
}
