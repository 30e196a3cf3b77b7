//! Makes everything that a statement needs and the session does not have yet.

use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, col, ident, lit};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use futures::TryStreamExt;

use super::super::engine::first::Told;
use super::super::engine::late::{self, Late};
use super::super::event::{Rows, Template};
use super::super::facts::Facts;
use super::super::functions::{LookupRows, LookupSource, lookup};
use super::super::patience::Patience;
use super::kept::Kept;
use super::load::{Input, Planning};
use super::shelf::Shelf;
use super::steps::{Source, Step};
use crate::lake::State;
use crate::schema::Ocsf;

/// The ingredients of tables.
pub struct Maker {
    pub context: SessionContext,
    pub shelf: Arc<Shelf>,
    pub ocsf: Arc<Ocsf>,
    pub state: Arc<State>,
    /// Tables that the session was given, which replace others.
    pub given: Vec<(String, Arc<dyn TableProvider>)>,
    pub memory_limit: Option<usize>,
    /// None where the session sees other rows than the lake's.
    pub facts: Option<Arc<Facts>>,
}

/// The use of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Rows,
    /// Nothing is evaluated.
    Columns,
}

impl Maker {
    /// Makes the steps in order, each once in a session.
    pub async fn make(self: &Arc<Self>, steps: Vec<Step>, purpose: Purpose, patience: &Patience) -> Result<()> {
        for step in steps {
            let cell = self.shelf.making(&step.name);
            cell.get_or_try_init(|| self.step(step, purpose, patience)).await?;
        }
        Ok(())
    }

    async fn step(self: &Arc<Self>, step: Step, purpose: Purpose, patience: &Patience) -> Result<()> {
        let state = patience.within(self.context.state());
        let name = step.name;
        let table: Arc<dyn TableProvider> = match step.source {
            Source::Lookup { steps, table, column, result } => {
                let filling = Filling { maker: Arc::downgrade(self), steps, table, column };
                self.context.register_udf(lookup(&name, result, Arc::new(filling)));
                return Ok(());
            }
            Source::Visible { table, end_us } => self.visible(&table, end_us).await?,
            Source::Given { view, statement, input, end_us } => {
                self.given(&state, &view, *statement, &input, end_us).await?
            }
            Source::Rows { template, end_us } => {
                let rows = Arc::new(self.rows(&state, *template, end_us).await?);
                if rows.schema_of_facts().is_some() {
                    self.shelf.keep_events(rows.clone());
                }
                Arc::new(Told::nothing(rows))
            }
            Source::View { view, planning, statement } => {
                let plan = plan(&state, *statement).await?;
                match planning {
                    Planning::Once if purpose == Purpose::Rows => self.kept(state, &view, &name, plan).await?,
                    Planning::Once | Planning::Inlined => DataFrame::new(state, plan).into_view(),
                    Planning::Apart => Arc::new(Told::nothing(Arc::new(Late::new(&state, plan)?))),
                }
            }
        };
        self.shelf.put(&name, table);
        Ok(())
    }

    async fn rows(&self, state: &SessionState, template: Template, end_us: Option<i64>) -> Result<Rows> {
        let is_filled = |class: &str| {
            self.given.iter().any(|(given, _)| given == class)
                || self.state.tables.get(class).is_some_and(|table| !table.files.is_empty())
        };
        Rows::new(state, template, self.ocsf.clone(), &is_filled, end_us, self.facts.clone()).await
    }

    /// Returns a class's table up to a time.
    async fn visible(&self, table: &str, end_us: i64) -> Result<Arc<dyn TableProvider>> {
        let provider = self.context.table_provider(table).await?;
        let scan = LogicalPlanBuilder::scan(table, provider_as_source(provider), None)?;
        let plan = scan.filter(before(col("time"), end_us))?.build()?;
        Ok(DataFrame::new(self.context.state(), plan).into_view())
    }

    /// Returns a table that the session was given, with the columns and types of the view that stands for it.
    async fn given(
        &self,
        state: &SessionState,
        name: &str,
        view: Sql,
        input: &Input,
        end_us: Option<i64>,
    ) -> Result<Arc<dyn TableProvider>> {
        let Some((_, provider)) = self.given.iter().find(|(given, _)| given == name) else {
            return Err(DataFusionError::Internal(format!("the table `{name}` is not there any more")));
        };
        let plan = plan(state, view).await?;
        let (schema, expected) = (provider.schema(), plan.schema().fields());
        if let Some(missing) = expected.iter().find(|field| schema.column_with_name(field.name()).is_none()) {
            let names: Vec<&str> = expected.iter().map(|field| field.name().as_str()).collect();
            let error = crate::error::Error::input(format!("table `{name}` has no column `{}`", missing.name()))
                .hint(format!("it needs {}", names.join(", ")));
            return Err(DataFusionError::External(Box::new(error)));
        }
        let columns: Vec<Expr> = expected
            .iter()
            .map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name()))
            .collect();
        let scan = LogicalPlanBuilder::scan(name, provider_as_source(provider.clone()), None)?.project(columns)?;
        let plan = match (input, end_us) {
            (Input::By(column), Some(end_us)) => scan.filter(before(ident(column), end_us))?.build()?,
            _ => scan.build()?,
        };
        Ok(DataFrame::new(state.clone(), plan).into_view())
    }

    /// Computes the rows of a view. Without rows it becomes a relation that the optimizer knows to be empty.
    async fn kept(
        &self,
        state: SessionState,
        view: &str,
        name: &str,
        plan: LogicalPlan,
    ) -> Result<Arc<dyn TableProvider>> {
        let rows = execute_stream(late::planned(&state, &plan).await?, state.task_ctx())?;
        let kept = Kept::new(view, rows, &self.context.runtime_env(), self.memory_limit).await?;
        if kept.is_empty() {
            return Ok(DataFrame::new(state, Kept::nothing(&plan)).into_view());
        }
        let kept = Arc::new(kept);
        self.shelf.keep(name, kept.clone());
        Ok(kept)
    }
}

/// The source of the rows of a lookup.
struct Filling {
    /// The session's maker; functions are registered in its engine, so they must not keep it alive.
    maker: Weak<Maker>,
    steps: Vec<Step>,
    table: String,
    column: String,
}

#[async_trait]
impl LookupSource for Filling {
    async fn read(&self, patience: &Patience) -> Result<LookupRows> {
        let Some(maker) = self.maker.upgrade() else {
            return Err(DataFusionError::Internal("the session is gone".to_string()));
        };
        maker.make(self.steps.clone(), Purpose::Rows, patience).await?;
        let schema = maker.shelf.get(&self.table).map(|table| table.schema());
        let Some(at) = schema.and_then(|schema| schema.index_of(&self.column).ok()) else {
            let view = self.table.split('@').next().unwrap_or(&self.table);
            return Err(DataFusionError::Plan(format!("the view `{view}` has no column `{}`", self.column)));
        };
        let runtime = maker.context.runtime_env();
        let batches: Vec<RecordBatch> = match maker.shelf.kept(&self.table) {
            Some(kept) => kept.read(&runtime)?.try_collect().await?,
            None => Vec::new(),
        };
        let reservation = MemoryConsumer::new(format!("keys of {}", self.table)).register(&runtime.memory_pool);
        LookupRows::new(&batches, at, Some(reservation))
    }
}

async fn plan(state: &SessionState, statement: Sql) -> Result<LogicalPlan> {
    state.statement_to_plan(Statement::Statement(Box::new(statement))).await
}

fn before(time: Expr, end_us: i64) -> Expr {
    time.lt(lit(ScalarValue::TimestampMicrosecond(Some(end_us), Some("UTC".into()))))
}
