//! Tests that plans contain no operator of ours: they survive a trip through their wire format and answer the same. And
//! none is larger than its question.
//!
//! The queries are those of `tests/bench/queries.sql`, which the benchmark asks too.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use auditlake::lake::Lake;
use auditlake::report::{Catalog, Params as ReportParams, Report};
use auditlake::schema::Ocsf;
use auditlake::sql::{Horizon, Options, Params, Session};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion_proto::bytes::{physical_plan_from_bytes, physical_plan_to_bytes};

use crate::env::Env;

/// The size limit of a report's plan, and that of a statement over `event` alone: where original texts are wanted, a
/// few lines for each class. The largest, joiner-mover-leaver, holds two states of accounts and of rights beside each
/// other.
const REPORT_LINES: usize = 250;
const EVENT_LINES: usize = 55;

const QUERIES: &str = include_str!("../bench/queries.sql");

/// Returns the queries by name, in our form.
fn queries(needles: &HashMap<&str, String>) -> Vec<(String, String)> {
    let mut fragments: HashMap<String, String> = HashMap::new();
    let mut queries: Vec<(String, String)> = Vec::new();
    let mut current: Option<&mut String> = None;
    for line in QUERIES.lines() {
        if let Some(name) = line.strip_prefix("-- fragment: ") {
            current = Some(fragments.entry(name.to_string()).or_default());
        } else if let Some(name) = line.strip_prefix("-- query: ") {
            queries.push((name.to_string(), String::new()));
            current = queries.last_mut().map(|(_, sql)| sql);
        } else if line == "-- chdb:" || line == "-- peers:" {
            current = None;
        } else if let (Some(text), false) = (&mut current, line.starts_with("-- ")) {
            text.push_str(line);
            text.push('\n');
        }
    }
    let words = [
        ("days", "cast(cast(day as int) as bigint)".to_string()),
        ("privileged", "regexp_like(privilege, 'admin|owner', 'i')".to_string()),
        ("from_day", "'2026-02-10T00:00:00Z'".to_string()),
        ("to_day", "'2026-02-11T00:00:00Z'".to_string()),
    ];
    for (_, sql) in &mut queries {
        for (name, text) in
            fragments.iter().map(|(name, text)| (name.as_str(), text)).chain(words.iter().map(|(n, t)| (*n, t)))
        {
            *sql = sql.replace(&format!("{{{name}}}"), text.trim());
        }
        for (name, value) in needles {
            *sql = sql.replace(&format!("{{{name}}}"), value);
        }
        *sql = sql.trim().trim_end_matches(';').to_string();
        assert!(!sql.contains('{'), "{sql}");
    }
    queries
}

fn text(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

#[test]
fn every_plan_is_made_of_the_engines_own_operators() {
    let env = Env::new();
    env.ok(["gen", "6000", "--days", "90", "--users", "30", "--out", "e.ndjson"]);
    env.ok(["ingest", "e.ndjson"]);
    let one = |sql: &str| env.ok(["sql", "--format", "csv", "-t", "-c", sql]).trim().to_string();
    let needles = HashMap::from([
        (
            "actor",
            one("select actor.user.uid from entity_management where actor.user.uid is not null order by time limit 1"),
        ),
        (
            "address",
            one(
                "select src_endpoint.ip from entity_management where src_endpoint.ip is not null order by time limit 1",
            ),
        ),
        ("event", one("select _event_uid from entity_management order by time limit 1")),
        (
            "session",
            one(
                "select actor.session.uid from entity_management where actor.session.uid is not null order by time limit 1",
            ),
        ),
    ]);
    let queries = queries(&needles);
    assert_eq!(queries.len(), 20);
    // Threads as deep as the program's: planning is recursive.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(32 << 20).build().unwrap();
    let path = env.path("auditlake-data");
    let run = async move {
        let lake = Lake::open(&path, Arc::new(Ocsf::load(None).unwrap())).await.unwrap();
        let session = Session::new(&lake, &Options::default()).await.unwrap();
        let mut answered = 0;
        for (name, sql) in queries {
            let context = session.context();
            // Not begun: a running sort writes what it has seen into its filters, and a plan that is encoded meanwhile
            // carries that along.
            let plan = session.plan(&sql, &Params::new(), Horizon::All).await;
            let plan = plan.unwrap_or_else(|error| panic!("{name}: {error}"));
            let bytes = physical_plan_to_bytes(plan).unwrap_or_else(|error| panic!("{name}: {error}"));
            let decoded = physical_plan_from_bytes(&bytes, &context.task_ctx());
            let decoded = decoded.unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = datafusion::physical_plan::collect(decoded, context.task_ctx()).await;
            let again = again.unwrap_or_else(|error| panic!("{name}: {error}"));
            let rows = session.query(&sql, &Params::new(), Horizon::All).await.unwrap().collect().await.unwrap();
            let columns = |batches: &[RecordBatch]| -> Vec<RecordBatch> {
                // The session gives columns the names that were asked for.
                let renamed = |(at, field): (usize, &Arc<arrow::datatypes::Field>)| {
                    field.as_ref().clone().with_name(at.to_string())
                };
                let all = batches.iter().filter(|batch| batch.num_rows() > 0);
                all.map(|batch| {
                    let fields: Vec<_> = batch.schema().fields().iter().enumerate().map(renamed).collect();
                    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
                    RecordBatch::try_new(schema, batch.columns().to_vec()).unwrap()
                })
                .collect()
            };
            assert_eq!(text(&columns(&again)), text(&columns(&rows)), "{name}");
            answered += usize::from(rows.iter().any(|batch| batch.num_rows() > 0));
        }
        answered
    };
    let answered = runtime.block_on(async { tokio::spawn(run).await.unwrap() });
    assert!(answered >= 18, "only {answered} of 20 queries have rows: the others prove nothing");
}

/// Writes the operators of a plan, one per line.
fn lines(plan: &Arc<dyn ExecutionPlan>) -> usize {
    displayable(plan.as_ref()).indent(false).to_string().lines().count()
}

/// Returns values for a report's parameters, where it has no default of its own.
pub fn parameters(report: &Report) -> Params {
    let given = [
        ("from", "2026-01-10"),
        ("to", "2026-02-01"),
        ("as_of", "2026-02-01"),
        ("month", "2026-01"),
        ("subject", "ann"),
    ];
    let given: Vec<(String, String)> = given
        .into_iter()
        .filter(|(name, _)| report.parameter(name).is_some_and(|parameter| parameter.default.is_none()))
        .map(|(name, text)| (name.to_string(), text.to_string()))
        .chain((report.id == "actor-timeline").then(|| ("subject".to_string(), "ann".to_string())))
        .collect();
    ReportParams::new(report, &given, None).unwrap().scalars()
}

/// Planning takes as long as plans are large, and they grow by multiplication: a view is copied to each place that names
/// it.
#[test]
fn plans_stay_small() {
    let env = Env::new();
    env.ok(["gen", "2000", "--days", "40", "--users", "30", "--out", "e.ndjson"]);
    env.ok(["ingest", "e.ndjson"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(32 << 20).build().unwrap();
    let path = env.path("auditlake-data");
    let run = async move {
        let lake = Lake::open(&path, Arc::new(Ocsf::load(None).unwrap())).await.unwrap();
        let session = Session::new(&lake, &Options::default()).await.unwrap();
        let mut sizes: Vec<(String, usize, usize)> = Vec::new();
        for report in Catalog::load(None).unwrap().list() {
            let params = parameters(report);
            let plan = session.plan(&report.sql, &params, Horizon::All).await;
            let plan = plan.unwrap_or_else(|error| panic!("{}: {error}", report.id));
            sizes.push((report.id.clone(), lines(&plan), REPORT_LINES));
        }
        for sql in [
            "select count(*) from event",
            "select time, actor_label, action, target_label, outcome from event where actor_uid = 'x' order by time desc limit 20",
            "select actor.user.uid, unmapped->>'region' from event where src_endpoint.ip = '192.0.2.1'",
            "select outcome, count(*) from event where class_uid = 3002 group by outcome",
            "select * from event where subject_uid is null",
        ] {
            let plan =
                session.plan(sql, &Params::new(), Horizon::All).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            sizes.push((sql.to_string(), lines(&plan), EVENT_LINES));
        }
        sizes
    };
    let sizes = runtime.block_on(async { tokio::spawn(run).await.unwrap() });
    let large: Vec<&(String, usize, usize)> = sizes.iter().filter(|(_, lines, limit)| lines > limit).collect();
    assert!(large.is_empty(), "larger than they may be: {large:#?}\nall: {sizes:#?}");
}
