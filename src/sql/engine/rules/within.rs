//! Speeds up joins of events within a span of time of other events.
//!
//! ```text
//! a.who = b.who and b.time between a.time and a.time + 15 minutes
//!     -> a twice, with bucket(a.time) and bucket(a.time) + 1, joined by who and bucket(b.time) as well
//! ```
//!
//! The engine joins by the equal columns and then looks at the times: every grant of a person is compared with every
//! logon of that person, ever. With time cut into buckets as long as the span, everything within the span of an instant
//! lies in its bucket or in the next one, so one side is doubled, once for each, and each pair is found once. The
//! condition stays as it is; the buckets only spare the engine most pairs.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::functions_nested::make_array::make_array;
use datafusion::logical_expr::logical_plan::{Join, Projection};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, cast, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Prefix of the names of buckets: a join that has one is not rewritten again.
const PREFIX: &str = "__within";

/// The longest span, 31 days in microseconds: with longer ones there are too few buckets to help.
const LONGEST_US: i64 = 31 * 86_400_000_000;

#[derive(Debug)]
pub struct JoinsWithin;

impl OptimizerRule for JoinsWithin {
    fn name(&self) -> &str {
        "joins_within"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        let (Some(span), Some(is_left)) = (Span::of(join), doubled(join)) else { return Ok(Transformed::no(plan)) };
        let name = config.alias_generator().next(PREFIX);
        Ok(Transformed::yes(span.bucketed(join, is_left, name)?))
    }
}

/// Chooses the side to double: one whose rows do not appear without a partner, of two the one with fewer rows.
fn doubled(join: &Join) -> Option<bool> {
    let is_done = |expr: &Expr| expr.column_refs().iter().any(|column| column.name.starts_with(PREFIX));
    if join.on.iter().any(|(left, right)| is_done(left) || is_done(right)) || join.null_aware {
        return None;
    }
    match join.join_type {
        JoinType::Inner => Some(rows(&join.left) <= rows(&join.right)),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => Some(false),
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => Some(true),
        _ => None,
    }
}

/// Counts the rows of the tables below, as far as they are known.
fn rows(plan: &LogicalPlan) -> usize {
    match plan {
        LogicalPlan::TableScan(scan) => source_as_provider(&scan.source)
            .ok()
            .and_then(|provider| provider.statistics()?.num_rows.get_value().copied())
            .unwrap_or(0),
        plan => plan.inputs().into_iter().map(rows).sum(),
    }
}

/// `low <= right - left <= high`, in microseconds.
struct Span {
    left: Expr,
    right: Expr,
    low: i64,
    high: i64,
}

impl Span {
    fn of(join: &Join) -> Option<Span> {
        let mut spans: Vec<(Expr, Expr, Option<i64>, Option<i64>)> = Vec::new();
        for part in split_conjunction(join.filter.as_ref()?) {
            let Some((left, right, low, high)) = bound(part, join) else { continue };
            match spans.iter_mut().find(|span| span.0 == left && span.1 == right) {
                Some(span) => {
                    span.2 = span.2.max(low);
                    span.3 = [span.3, high].into_iter().flatten().min();
                }
                None => spans.push((left, right, low, high)),
            }
        }
        spans.into_iter().find_map(|(left, right, low, high)| {
            let span = Span { left, right, low: low?, high: high? };
            (2..=LONGEST_US).contains(&span.high.checked_sub(span.low)?).then_some(span)
        })
    }

    fn bucketed(self, join: &Join, is_left: bool, name: String) -> Result<LogicalPlan> {
        let length = self.high - self.low;
        // Whole numbers do not overflow: a bucket is a quotient, and the one around 1970 is twice as long.
        let bucket = |time: Expr, by: i64| {
            let instant = cast(time, DataType::Int64);
            (if by == 0 { instant } else { instant + lit(by) }) / lit(length)
        };
        // The partners of an instant lie between it, moved by `start`, and `length` later.
        let (twice, start, once) =
            if is_left { (self.left, self.low, self.right) } else { (self.right, -self.high, self.left) };
        let (first, side) = (bucket(twice, start), if is_left { &join.left } else { &join.right });
        let mut columns: Vec<Expr> = side.schema().columns().into_iter().map(Expr::Column).collect();
        columns.push(make_array(vec![first.clone(), first + lit(1_i64)]).alias(&name));
        let side = LogicalPlanBuilder::from(side.as_ref().clone()).project(columns)?;
        let side = Arc::new(side.unnest_column(Column::new_unqualified(&name))?.build()?);
        let (own, other) = (Expr::Column(Column::new_unqualified(&name)), bucket(once, 0));
        let mut on = join.on.clone();
        on.push(if is_left { (own, other) } else { (other, own) });
        let (left, right) = if is_left { (side, join.right.clone()) } else { (join.left.clone(), side) };
        let joined = Join::try_new(
            left,
            right,
            on,
            join.filter.clone(),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let columns = join.schema.columns().into_iter().map(Expr::Column).collect();
        let made = Projection::try_new_with_schema(columns, LogicalPlan::Join(joined).into(), join.schema.clone())?;
        Ok(LogicalPlan::Projection(made))
    }
}

/// Returns the lower and upper bound of `right - left` that a comparison of a left time with a right one sets.
fn bound(part: &Expr, join: &Join) -> Option<(Expr, Expr, Option<i64>, Option<i64>)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else { return None };
    let is_greater = match op {
        Operator::Gt | Operator::GtEq => true,
        Operator::Lt | Operator::LtEq => false,
        _ => return None,
    };
    // `one - other < length` is `one < other + length`.
    let ((one, one_by), (other, other_by)) = match (left.as_ref(), length(right)) {
        (Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }), Some(by)) => {
            ((left.as_ref(), 0), (right.as_ref(), by))
        }
        _ => (moved(left), moved(right)),
    };
    let (of_left, of_right) = (join.left.schema(), join.right.schema());
    // one + one_by >= other + other_by, so one - other >= other_by - one_by.
    if is_time(one, of_right) && is_time(other, of_left) {
        let by = other_by.checked_sub(one_by)?;
        let (low, high) = if is_greater { (Some(by), None) } else { (None, Some(by)) };
        return Some((other.clone(), one.clone(), low, high));
    }
    if is_time(one, of_left) && is_time(other, of_right) {
        let by = one_by.checked_sub(other_by)?;
        let (low, high) = if is_greater { (None, Some(by)) } else { (Some(by), None) };
        return Some((one.clone(), other.clone(), low, high));
    }
    None
}

/// Returns a time and the microseconds that are added to it.
fn moved(expr: &Expr) -> (&Expr, i64) {
    if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr
        && let Some(by) = length(right)
    {
        match op {
            Operator::Plus => return (left, by),
            Operator::Minus if by != i64::MIN => return (left, -by),
            _ => {}
        }
    }
    (expr, 0)
}

fn length(expr: &Expr) -> Option<i64> {
    let Expr::Literal(ScalarValue::DurationMicrosecond(length), _) = expr else { return None };
    *length
}

fn is_time(expr: &Expr, side: &DFSchema) -> bool {
    let columns = expr.column_refs();
    !columns.is_empty()
        && columns.iter().all(|column| side.has_column(column))
        && !expr.is_volatile()
        && matches!(expr.get_type(side), Ok(DataType::Timestamp(TimeUnit::Microsecond, _)))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch, TimestampMicrosecondArray};
    use arrow::datatypes::{Field, Schema};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::prelude::SessionContext;
    use proptest::prelude::*;

    use super::*;
    use crate::sql::engine::rules::rules;

    type Rows = Vec<(Option<i64>, Option<i64>)>;

    fn table(rows: &Rows) -> RecordBatch {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let fields = vec![Field::new("who", DataType::Int64, true), Field::new("time", time, true)];
        let times: TimestampMicrosecondArray = rows.iter().map(|row| row.1).collect();
        let who: Int64Array = rows.iter().map(|row| row.0).collect();
        let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(who), Arc::new(times.with_timezone("UTC"))];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    async fn answer(context: &SessionContext, sql: &str, rows: [&Rows; 2]) -> (String, bool) {
        for (name, rows) in ["a", "b"].into_iter().zip(rows) {
            let _ = context.deregister_table(name).unwrap();
            context.register_batch(name, table(rows)).unwrap();
        }
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.clone().into_optimized_plan().unwrap().display_indent().to_string();
        let batches = frame.collect().await.unwrap();
        (pretty_format_batches(&batches).unwrap().to_string(), plan.contains(PREFIX))
    }

    /// Compares the rows with our rules and without.
    async fn compare(sql: &str, rows: [&Rows; 2]) -> bool {
        let ours = SessionStateBuilder::new().with_default_features().with_optimizer_rules(rules()).build();
        let (ours, is_rewritten) = answer(&SessionContext::new_with_state(ours), sql, rows).await;
        let (theirs, _) = answer(&SessionContext::new(), sql, rows).await;
        assert_eq!(ours, theirs, "{sql}\n{rows:?}");
        is_rewritten
    }

    const CONDITIONS: [&str; 6] = [
        "b.time >= a.time and b.time < a.time + interval '10 microseconds'",
        "a.time < b.time and b.time <= a.time + interval '10 microseconds'",
        "b.time between a.time - interval '3 microseconds' and a.time + interval '7 microseconds'",
        "b.time - interval '9 microseconds' < a.time and a.time < b.time",
        "b.time - a.time <= interval '5 microseconds' and b.time - a.time >= interval '0 microseconds'",
        "a.time >= b.time - interval '20 microseconds' and b.time >= a.time and b.time < a.time + interval '4 microseconds'",
    ];

    fn queries() -> Vec<String> {
        let all = "select a.who, a.time, b.who, b.time from a";
        let order = "order by a.who, a.time, b.who, b.time";
        let own = "select who, time from a where";
        CONDITIONS
            .iter()
            .flat_map(|is_within| {
                let mut of: Vec<String> = ["join", "left join", "right join", "full join"]
                    .iter()
                    .map(|join| format!("{all} {join} b on a.who = b.who and {is_within} {order}"))
                    .collect();
                of.push(format!("{all}, b where {is_within} {order}"));
                for not in ["", "not"] {
                    of.push(format!(
                        "{own} {not} exists (select 1 from b where a.who = b.who and {is_within}) order by who, time"
                    ));
                }
                of
            })
            .collect()
    }

    fn rows() -> impl Strategy<Value = Rows> {
        // Around 1970, where buckets meet their mirror images.
        let row = (proptest::option::weighted(0.9, 0..3_i64), proptest::option::weighted(0.9, -45..45_i64));
        proptest::collection::vec(row, 0..25)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 12 } else { 64 }))]
        #[test]
        fn each_pair_within_the_span_is_found_once(a in rows(), b in rows()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for sql in queries() {
                let is_rewritten = runtime.block_on(compare(&sql, [&a, &b]));
                let is_full = sql.contains("full join");
                // The engine knows that an empty side joins no rows.
                prop_assert!(is_rewritten != is_full || a.is_empty() || b.is_empty(), "{sql}");
            }
        }
    }

    #[tokio::test]
    async fn what_has_no_fixed_span_is_left_alone() {
        let rows = vec![(Some(1), Some(5)), (Some(1), Some(7))];
        for condition in [
            "b.time >= a.time",
            "b.time >= a.time and b.time < a.time + interval '1 month'",
            "b.time >= a.time and b.time < a.time + interval '40 days'",
            "b.time >= a.time and b.time <= a.time",
        ] {
            let sql = format!("select count(*) from a join b on a.who = b.who and {condition}");
            assert!(!compare(&sql, [&rows, &rows]).await, "{condition}");
        }
    }
}
