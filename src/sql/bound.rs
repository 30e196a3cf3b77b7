//! The state that the tasks of a session share, and the way from a statement to its plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Ident, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Statement as Sql,
};

use super::bind::Params;
use super::conventions::{Conventions, Horizon, Maker, Purpose, Sources, Steps, Used, declared};
use super::dialect;
use super::engine::{guard, late};
use super::error::{Known, explain, missing};
use super::event;
use super::patience::Patience;
use crate::error::{Context, Kind, Result};
use crate::lake::{FileCheck, State, own_tables};
use crate::schema::Ocsf;

pub const INGEST_LOG: &str = "ingest_log";
pub const COVERAGE: &str = "coverage";
pub const ACTIVITY: &str = "activity";

/// The conventions that are about events and not about what reports make of them.
pub const OWN_VIEWS: [&str; 2] = ["event", "observable"];

/// The state that the tasks of a session share.
pub struct Bound {
    pub context: SessionContext,
    pub ocsf: Arc<Ocsf>,
    pub state: Arc<State>,
    pub conventions: Arc<Conventions>,
    pub maker: Arc<Maker>,
    pub memory_limit: Option<usize>,
    pub timeout: Option<Duration>,
    /// Tables with rows that no schema is loaded for; with their rows.
    pub left_out: Vec<(String, u64)>,
    /// A statement asked for all events, and these tables were left out.
    pub is_short: AtomicBool,
    pub files: FileCheck,
}

/// A statement that is ready to run.
pub struct Planned {
    pub plan: Arc<dyn ExecutionPlan>,
    pub task: Arc<TaskContext>,
    pub used: Used,
}

impl Bound {
    /// From a statement's text to its plan.
    pub async fn plan(
        &self,
        sql: &str,
        params: &Params,
        horizon: Horizon,
        order: &[String],
        known: &Known,
        patience: &Patience,
    ) -> Result<Planned> {
        let explained = |error| explain(error, known);
        let mut statement = guard::admit(sql, known)?;
        let mut used = Used::default();
        let is_plain = guard::is_plain(&statement);
        if let Some(inner) = guard::inner(&mut statement) {
            let mut steps = Steps::new(self.sources(false), params, horizon);
            steps.settle(inner)?;
            let (steps, found) = steps.finish();
            used = found;
            if used.is_over_classes && !self.left_out.is_empty() {
                self.is_short.store(true, Ordering::Relaxed);
            }
            self.maker.make(steps, Purpose::Rows, patience).await.map_err(explained)?;
        }
        self.declare(&statement, is_plain, known).await?;
        if order.is_empty() {
            return self.physical(statement, used, known, patience).await;
        }
        let mut ordered = statement.clone();
        order_by(&mut ordered, order);
        match self.physical(ordered, used.clone(), known, patience).await {
            Ok(planned) => Ok(planned),
            // Without the order what is wrong is said in the statement's own terms; or nothing is, and then the caller
            // finds that the columns are not what they should be.
            Err(_) => self.physical(statement, used, known, patience).await,
        }
    }

    async fn physical(&self, statement: Statement, used: Used, known: &Known, patience: &Patience) -> Result<Planned> {
        let explained = |error| explain(error, known);
        let state = patience.within(self.context.state());
        let plan = logical(&state, statement, known).await?;
        guard::options().verify_plan(&plan).map_err(explained)?;
        let task = state.task_ctx();
        let plan = late::planned(&state, &plan).await.map_err(explained)?;
        Ok(Planned { plan, task, used })
    }

    /// Gives the engine the columns of views that a question about tables may ask for.
    async fn declare(&self, statement: &Statement, is_plain: bool, known: &Known) -> Result<()> {
        let references =
            self.context.state().resolve_table_references(statement).map_err(|error| explain(error, known))?;
        let is_about_all =
            !is_plain || references.iter().any(|reference| reference.schema() == Some("information_schema"));
        if !is_about_all {
            return Ok(());
        }
        let mut names = self.own_views();
        names.extend(references.iter().map(|reference| reference.table().to_string()));
        for name in names {
            let is_there =
                self.context.table_exist(quoted(&name)).context(Kind::Internal, || cannot_register(&name))?;
            if !is_there && let Some(schema) = self.columns(&name).await? {
                // Another statement may have been faster.
                let _ = self.context.register_table(quoted(&name), declared(schema));
            }
        }
        Ok(())
    }

    /// The columns of a table or a view; `None` when there is none of that name.
    pub async fn columns(&self, name: &str) -> Result<Option<SchemaRef>> {
        if let Ok(table) = self.context.table_provider(quoted(name)).await {
            return Ok(Some(table.schema()));
        }
        if !self.names().iter().any(|known| known == name) {
            return Ok(None);
        }
        let sql = format!("select * from \"{name}\"");
        let known = self.known(&sql);
        let explained = |error| explain(error, &known);
        let mut statement = guard::admit(&sql, &known)?;
        let Some(inner) = guard::inner(&mut statement) else { return Ok(None) };
        // The columns of a view are the same whatever its parameters are; those that have no default are anything.
        let params = Params::new();
        let mut steps = Steps::new(self.sources(true), &params, Horizon::All);
        steps.settle(inner)?;
        let table = steps.table(name);
        self.maker.make(steps.finish().0, Purpose::Columns, &Patience::default()).await.map_err(explained)?;
        Ok(table.and_then(|table| self.maker.shelf.get(&table)).map(|table| table.schema()))
    }

    pub fn known(&self, sql: &str) -> Known {
        Known {
            ocsf: self.ocsf.clone(),
            tables: self.names(),
            unknown: self.left_out.iter().map(|(name, _)| name.clone()).collect(),
            sql: sql.to_string(),
            place: None,
            memory_limit: self.memory_limit,
            context: self.context.clone(),
        }
    }

    fn sources(&self, is_for_columns: bool) -> Sources<'_> {
        Sources { conventions: &self.conventions, ocsf: &self.ocsf, given: &self.maker.given, is_for_columns }
    }

    /// The views that questions about all tables list: those of events.
    fn own_views(&self) -> Vec<String> {
        let mut names = OWN_VIEWS.map(str::to_string).to_vec();
        names.extend(event::names(&self.ocsf));
        names
    }

    pub fn names(&self) -> Vec<String> {
        names(&self.ocsf, &self.conventions)
    }
}

/// All tables and views of a session.
pub fn names(ocsf: &Ocsf, conventions: &Conventions) -> Vec<String> {
    let mut names: Vec<String> = ocsf.classes().iter().map(|class| class.name.clone()).collect();
    names.extend(own_tables().map(|(table, _)| table.to_string()));
    names.extend([INGEST_LOG, COVERAGE].map(str::to_string));
    // What most people look for stands before what most reports are made of.
    let views = || conventions.list().map(|view| view.name.clone());
    names.extend(views().filter(|name| OWN_VIEWS.contains(&name.as_str())));
    names.push(ACTIVITY.to_string());
    names.extend(event::names(ocsf));
    names.extend(views().filter(|name| !OWN_VIEWS.contains(&name.as_str())));
    names
}

/// The engine's plan of a statement. Where it finds no column of a name that `select` gives, the name is what it stands for.
async fn logical(state: &SessionState, mut statement: Statement, known: &Known) -> Result<LogicalPlan> {
    loop {
        let error = match state.statement_to_plan(statement.clone()).await {
            Ok(plan) => return Ok(plan),
            Err(error) => error,
        };
        let is_put = match (missing(&error), guard::inner(&mut statement)) {
            (Some(place), Some(inner)) => dialect::lateral(inner, place),
            _ => false,
        };
        if !is_put {
            return Err(explain(error, known));
        }
        // An expression of two names that are expressions of two names ... doubles each time.
        dialect::measured(&statement)?;
    }
}

/// Appends columns to the order of a query's rows. What a statement leaves open would come differently from run to run.
fn order_by(statement: &mut Statement, columns: &[String]) {
    let Some(Sql::Query(query)) = guard::inner(statement) else { return };
    let options = OrderByOptions { asc: Some(true), nulls_first: Some(false) };
    let columns = columns.iter().map(|column| OrderByExpr {
        expr: SqlExpr::Identifier(Ident::with_quote('"', column)),
        options,
        with_fill: None,
    });
    match &mut query.order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) => order.extend(columns),
        Some(_) => {}
        None => query.order_by = Some(OrderBy { kind: OrderByKind::Expressions(columns.collect()), interpolate: None }),
    }
}

/// A reference to a table whatever letters its name has.
pub fn quoted(name: &str) -> datafusion::common::TableReference {
    datafusion::common::TableReference::bare(name)
}

pub fn cannot_register(table: &str) -> String {
    format!("cannot register the table `{table}`")
}
