//! The template over all classes as one table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, ScalarValue, ToDFSchema};
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType, col, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::sql::parser::Statement;

use super::super::late::{Memory, analyzed, asked, key, loose, of_engine, optimized, physical};
use super::template::Template;
use crate::schema::{EventClass, Ocsf};

/// Events of all classes in one shape, up to a time.
pub struct Rows {
    template: Template,
    ocsf: Arc<Ocsf>,
    /// The classes that have rows, or at least one of them.
    classes: Vec<Arc<EventClass>>,
    end_us: Option<i64>,
    schema: SchemaRef,
    /// The plans of classes, analyzed; made when a scan first needs one.
    plans: Memory,
    asked_before: Memory,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows(before {:?})", self.end_us)
    }
}

impl Rows {
    /// `is_filled` says of a class whether it has rows; those without are not planned.
    pub async fn new(
        state: &SessionState,
        template: Template,
        ocsf: Arc<Ocsf>,
        is_filled: &(dyn Fn(&str) -> bool + Sync),
        end_us: Option<i64>,
    ) -> Result<Rows> {
        let only = template.list.as_ref().map(|(class, _)| class.clone());
        let is_meant = |class: &&Arc<EventClass>| only.as_ref().is_none_or(|only| *only == class.name);
        let all: Vec<Arc<EventClass>> = ocsf.classes().iter().filter(is_meant).cloned().collect();
        let mut classes: Vec<Arc<EventClass>> = all.iter().filter(|class| is_filled(&class.name)).cloned().collect();
        if classes.is_empty() {
            classes.extend(all.first().cloned());
        }
        let mut rows = Rows {
            template,
            ocsf,
            classes,
            end_us,
            schema: Arc::new(Schema::empty()),
            plans: Memory::default(),
            asked_before: Memory::default(),
        };
        let Some(first) = rows.classes.first().cloned() else {
            return Err(DataFusionError::Internal("there is no event class".to_string()));
        };
        rows.schema = loose(rows.plan(state, &first).await?.schema().inner());
        Ok(rows)
    }

    /// What the template makes of one class.
    async fn plan(&self, state: &SessionState, class: &EventClass) -> Result<LogicalPlan> {
        if let Some(plan) = self.plans.get(&class.name) {
            return Ok(plan);
        }
        let statement = self.template.instance(class, &self.ocsf);
        let statement = statement.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let plan = analyzed(state, state.statement_to_plan(Statement::Statement(Box::new(statement))).await?)?;
        self.plans.put(class.name.clone(), &plan);
        Ok(plan)
    }

    /// Whether events of a class may meet the filters, as far as its name and number decide.
    fn may_match(&self, class: &EventClass, filters: &[Expr]) -> Result<bool> {
        let known = |expr: Expr| match &expr {
            Expr::Column(column) if column.name == "class" => Ok(Transformed::yes(lit(class.name.as_str()))),
            Expr::Column(column) if column.name == "class_uid" => Ok(match class.uid {
                Some(uid) => Transformed::yes(lit(uid)),
                None => Transformed::no(expr),
            }),
            _ => Ok(Transformed::no(expr)),
        };
        let schema = Arc::new(self.schema.as_ref().clone().to_dfschema()?);
        let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(schema).build());
        for filter in filters {
            let names = filter.column_refs();
            if names.iter().all(|column| column.name != "class" && column.name != "class_uid") {
                continue;
            }
            let simple = simplifier.simplify(filter.clone().transform_up(known)?.data)?;
            if matches!(simple, Expr::Literal(ScalarValue::Boolean(None | Some(false)), _)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl TableProvider for Rows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let state = of_engine(state)?;
        let end = self.end_us.map(|time_us| ScalarValue::TimestampMicrosecond(Some(time_us), Some("UTC".into())));
        let filters: Vec<Expr> = end.map(|end| col("time").lt(lit(end))).into_iter().chain(filters.to_vec()).collect();
        let asked_for = key(state, projection, &filters, limit);
        let mut parts = Vec::new();
        for class in &self.classes {
            if self.may_match(class, &filters)? {
                let key = format!("{}|{asked_for}", class.name);
                let plan = match self.asked_before.get(&key) {
                    Some(plan) => plan,
                    None => {
                        let plan = asked(self.plan(state, class).await?, projection, &filters, limit)?;
                        let plan = optimized(state, plan)?;
                        self.asked_before.put(key, &plan);
                        plan
                    }
                };
                parts.push(physical(state, &plan).await?);
            }
        }
        match parts.len() {
            0 => {
                let schema = match projection {
                    Some(projection) => Arc::new(self.schema.project(projection)?),
                    None => self.schema.clone(),
                };
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }
}
