//! Events read from the files that facts have found them in: their facts, and beside them what facts lack.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::internal_err;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType, ident};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::RowSelection;

use super::super::engine::fact::Fact;
use super::super::engine::first::MOST;
use super::super::engine::late::{First, arranged, of_engine, optimized, physical};
use super::super::facts::Made;
use super::super::tables::table::{FILE, LakeTable, Picked, ROW};
use super::beside::BesideExec;
use super::needle::implied;

/// The column that facts and events have in common.
pub const TIME: &str = "time";

/// Rows of some files, by the place of their facts among those that were asked.
pub type Hits = HashMap<usize, Vec<usize>>;

/// Which of the rows that are found are wanted.
pub enum Wanted<'a> {
    All,
    Any(usize),
    First(&'a First),
}

/// The rows for which the filters are true, as far as they are wanted; `None` when there are many.
pub async fn find(state: &SessionState, made: &Made, filters: &[Expr], wanted: Wanted<'_>) -> Result<Option<Hits>> {
    let table = provider_as_source(Arc::new(made.table().with_places()));
    let mut builder = LogicalPlanBuilder::scan("event_row", table, None)?;
    for filter in filters.iter().cloned().chain(filters.iter().filter_map(implied)) {
        builder = builder.filter(filter)?;
    }
    builder = match wanted {
        Wanted::All => builder.limit(0, Some(MOST + 1))?,
        Wanted::Any(count) => builder.limit(0, Some(count.min(MOST + 1)))?,
        Wanted::First(first) => first.of(builder)?,
    };
    let plan = optimized(state, builder.project([ident(FILE), ident(ROW)])?.build()?)?;
    let mut found = execute_stream(arranged(state, &plan).await?, state.task_ctx())?;
    let (mut hits, mut count) = (Hits::new(), 0);
    while let Some(batch) = found.try_next().await? {
        count += batch.num_rows();
        if count > MOST {
            return Ok(None);
        }
        let (files, rows) = (longs(&batch, 0)?, longs(&batch, 1)?);
        for (file, row) in files.zip(rows) {
            hits.entry(file).or_default().push(row);
        }
    }
    hits.values_mut().for_each(|rows| rows.sort_unstable());
    Ok(Some(hits))
}

fn longs(batch: &RecordBatch, at: usize) -> Result<impl Iterator<Item = usize>> {
    match batch.column(at).as_primitive_opt::<Int64Type>() {
        Some(values) if values.null_count() == 0 => Ok(values.values().iter().map(|value| *value as usize)),
        _ => internal_err!("a row stands nowhere"),
    }
}

/// The hits in one class.
pub struct Part {
    /// The facts: the time, then the columns that are wanted of them.
    pub facts: LakeTable,
    pub of_facts: Vec<usize>,
    /// The class's table, when columns of it are wanted: the time first.
    pub events: Option<LogicalPlan>,
}

/// Which rows of which data files these are.
pub fn picked(hits: &Hits, facts: &[Arc<Fact>]) -> Picked {
    let of_file = |(at, rows): (&usize, &Vec<usize>)| {
        let entry = &facts.get(*at)?.entry;
        let ranges = rows.iter().map(|&row| row..row + 1);
        Some((entry.path(), RowSelection::from_consecutive_ranges(ranges, entry.rows as usize)))
    };
    hits.iter().filter_map(of_file).collect()
}

/// Facts dealt to threads; each gets as many rows as the others, as far as files allow that.
pub fn dealt(mut facts: Vec<Arc<Fact>>, threads: usize) -> Vec<Vec<Arc<Fact>>> {
    let mut hands: Vec<(u64, Vec<Arc<Fact>>)> = vec![(0, Vec::new()); threads.clamp(1, facts.len().max(1))];
    facts.sort_by_key(|fact| std::cmp::Reverse(fact.entry.rows));
    for fact in facts {
        if let Some((rows, hand)) = hands.iter_mut().min_by_key(|(rows, _)| *rows) {
            *rows += fact.entry.rows;
            hand.push(fact);
        }
    }
    hands.into_iter().map(|(_, hand)| hand).filter(|hand| !hand.is_empty()).collect()
}

/// The events that were found, with the columns that are wanted of them.
pub struct Found {
    pub parts: Vec<Part>,
    pub schema: SchemaRef,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found(in {} classes)", self.parts.len())
    }
}

impl Part {
    async fn plan(&self, state: &SessionState, names: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let facts = self.facts.scan(state, Some(&self.of_facts), &[], None).await?;
        let plan: Arc<dyn ExecutionPlan> = match &self.events {
            None => facts,
            Some(events) => {
                let events = physical(state, events).await?;
                Arc::new(BesideExec::new([facts, events]))
            }
        };
        let schema = plan.schema();
        let column = |name: &&str| Ok((col(name, &schema)?, name.to_string()));
        let columns: Vec<(Arc<dyn PhysicalExpr>, String)> = names.iter().map(column).collect::<Result<_>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
    }
}

#[async_trait]
impl TableProvider for Found {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let state = of_engine(state)?;
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => self.schema.clone(),
        };
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            parts.push(part.plan(state, &names).await?);
        }
        match parts.len() {
            0 => Ok(Arc::new(EmptyExec::new(schema))),
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }
}
