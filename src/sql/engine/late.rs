//! Views that are planned by themselves, for the columns and filters that each place asks for.
//!
//! The engine copies the plan of a view to every place that names it and optimizes the copies, all columns of all
//! classes each time: planning `event` this way took longer than running most questions over it. The plan of a late
//! view is hidden from the statement around it, which sees a table. When that table is scanned, the request is put on
//! top of the hidden plan, columns that are not needed are removed first, and only the rest is optimized.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Column, DataFusionError};
use datafusion::error::Result;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, ident};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use datafusion::physical_plan::ExecutionPlan;

use super::super::functions::fill_lookups;
use super::super::patience::Patience;
use super::upstream::{calmer, is_theirs, physical_rules};

/// Optimized plans that are remembered for each view.
const REMEMBERED: usize = 256;

/// The first rows in an order of columns. A table may give more than these.
#[derive(Debug, Clone, PartialEq)]
pub struct First {
    pub keys: Vec<Key>,
    pub count: usize,
}

/// A column of the table, and its sort order.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub column: String,
    pub asc: bool,
    pub nulls_first: bool,
}

impl First {
    /// Takes the first rows of a plan.
    pub fn of(&self, plan: LogicalPlanBuilder) -> Result<LogicalPlanBuilder> {
        let keys = self.keys.iter().map(|key| SortExpr::new(ident(&key.column), key.asc, key.nulls_first));
        plan.sort_with_limit(keys.collect::<Vec<_>>(), Some(self.count))
    }
}

/// Rows that can learn which of them come first. `first::Told` is their table, whose filters are exact.
#[async_trait]
pub trait Telling: fmt::Debug + Send + Sync {
    fn schema(&self) -> SchemaRef;

    /// Plans a scan: at least the first rows, where only those are wanted.
    async fn scanned(
        &self,
        state: &SessionState,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        first: Option<&First>,
    ) -> Result<Arc<dyn ExecutionPlan>>;
}

/// A view whose plan is hidden until it is scanned.
#[derive(Debug)]
pub struct Late {
    /// Analyzed, not optimized.
    plan: LogicalPlan,
    schema: SchemaRef,
    asked_before: Memory,
}

/// Plans by request: reports ask for the same columns again and again.
#[derive(Debug, Default)]
pub struct Memory {
    plans: Mutex<HashMap<String, LogicalPlan>>,
}

impl Memory {
    pub fn get(&self, key: &str) -> Option<LogicalPlan> {
        self.lock().get(key).cloned()
    }

    pub fn put(&self, key: String, plan: &LogicalPlan) {
        let mut plans = self.lock();
        if plans.len() >= REMEMBERED {
            plans.clear();
        }
        plans.insert(key, plan.clone());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, LogicalPlan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Builds a key from a scan's request. Members of structs are pushed down or not, as the session is set.
pub fn key(
    state: &SessionState,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
    limit: Option<usize>,
    first: Option<&First>,
) -> String {
    let pushes = state.config_options().optimizer.enable_leaf_expression_pushdown;
    format!("{pushes}|{projection:?}|{limit:?}|{first:?}|{filters:?}")
}

impl Late {
    pub fn new(state: &SessionState, plan: LogicalPlan) -> Result<Late> {
        let plan = analyzed(state, plan)?;
        let schema = loose(plan.schema().inner());
        Ok(Late { plan, schema, asked_before: Memory::default() })
    }
}

#[async_trait]
impl Telling for Late {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    async fn scanned(
        &self,
        state: &SessionState,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        first: Option<&First>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let key = key(state, projection, filters, limit, first);
        let plan = match self.asked_before.get(&key) {
            Some(plan) => plan,
            None => {
                let mut plan = optimized(state, asked(self.plan.clone(), projection, filters, limit, first)?)?;
                if filled(state, &plan).await? {
                    plan = state.optimizer().optimize(plan, state, |_, _| {})?;
                }
                self.asked_before.put(key, &plan);
                plan
            }
        };
        physical(state, &plan).await
    }
}

/// Returns the plan with types coerced, as the engine's first step leaves it.
pub fn analyzed(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})
}

/// Returns the plan with a scan's request on top of it.
pub fn asked(
    plan: LogicalPlan,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
    limit: Option<usize>,
    first: Option<&First>,
) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = match projection {
        Some(projection) => {
            projection.iter().map(|at| Expr::Column(Column::from(plan.schema().qualified_field(*at)))).collect()
        }
        None => Vec::new(),
    };
    let mut builder = LogicalPlanBuilder::from(plan);
    for filter in filters {
        builder = builder.filter(filter.clone())?;
    }
    if let Some(first) = first {
        builder = first.of(builder)?;
    }
    if projection.is_some() {
        builder = builder.project(columns)?;
    }
    builder.limit(0, limit)?.build()
}

/// Returns the optimized plan; columns that nobody needs go first, so that the other rules see few.
pub fn optimized(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let narrow = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
    let context = OptimizerContext::new().with_max_passes(1);
    let plan = narrow.optimize(plan, &context, |_, _| {})?;
    state.optimizer().optimize(plan, state, |_, _| {})
}

/// Plans a statement with its lookups read: `SessionState::create_physical_plan` does the rest of it otherwise.
pub async fn planned(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    match planned_at_once(state, plan).await {
        Err(error) if is_theirs(&error) => planned_at_once(&calmer(state), plan).await.map_err(|_| error),
        planned => planned,
    }
}

async fn planned_at_once(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let mut plan = state.optimize(plan)?;
    if filled(state, &plan).await? {
        plan = state.optimizer().optimize(plan, state, |_, _| {})?;
    }
    state.query_planner().create_physical_plan(&plan, state).await
}

/// Reads the lookups of a plan; returns `true` when it may do without some of them.
async fn filled(state: &SessionState, plan: &LogicalPlan) -> Result<bool> {
    fill_lookups(plan, &Patience::of(state.config_options())).await
}

/// Plans it to run by itself, while another is made: a scan sees a session without the rules that arrange operators.
pub async fn arranged(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let whole = SessionStateBuilder::new_from_existing(state.clone());
    let whole = whole.with_physical_optimizer_rules(physical_rules()).build();
    whole.query_planner().create_physical_plan(plan, &whole).await
}

/// Returns the operators of the plan, not yet arranged: the rules for that run once, over the whole statement.
pub async fn physical(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let bare = SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(Vec::new()).build();
    bare.query_planner().create_physical_plan(plan, &bare).await
}

pub fn of_engine(state: &dyn Session) -> Result<&SessionState> {
    let found = state.as_any().downcast_ref::<SessionState>();
    found.ok_or_else(|| DataFusionError::Internal("a view is scanned by a foreign session".to_string()))
}

/// Returns the schema with every column nullable. The optimizer and operators determine separately whether a column can
/// be null, and do not always agree; nullable holds in any case.
pub fn loose(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| Field::new(field.name(), field.data_type().clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
