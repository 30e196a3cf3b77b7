//! The template over all classes as one table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, ScalarValue, ToDFSchema};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, col, lit,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::sql::parser::Statement;

use super::super::engine::late::{Memory, analyzed, asked, key, loose, of_engine, optimized, physical};
use super::super::facts::Facts;
use super::members::members;
use super::needle::implied;
use super::template::Template;
use crate::schema::{EventClass, Ocsf};

/// The column with the event as it came.
const RAW: &str = "raw";

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
    flat: Option<Flat>,
}

/// Rows that are there as facts.
struct Flat {
    facts: Arc<Facts>,
    /// The columns that facts have, by their places.
    columns: Vec<usize>,
    schema: SchemaRef,
    /// How the facts of a class are made.
    recipes: Memory,
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
        facts: Option<Arc<Facts>>,
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
            flat: None,
        };
        let Some(first) = rows.classes.first().cloned() else {
            return Err(DataFusionError::Internal("there is no event class".to_string()));
        };
        rows.schema = loose(rows.plan(state, &first).await?.schema().inner());
        rows.flat =
            facts.filter(|facts| rows.template.list.is_none() && facts.are_of(&rows.template.statement)).map(|facts| {
                let columns = flat(&rows.schema, &rows.template, &rows.ocsf);
                let fields: Vec<_> = columns.iter().map(|&at| rows.schema.fields()[at].clone()).collect();
                Flat { facts, columns, schema: Arc::new(Schema::new(fields)), recipes: Memory::default() }
            });
        Ok(rows)
    }

    /// The class of a table, and the plan that makes its facts of its rows.
    pub async fn recipe(&self, state: &SessionState, table: &str) -> Result<(Arc<EventClass>, LogicalPlan)> {
        let class = self.classes.iter().find(|class| class.name == table).zip(self.flat.as_ref());
        let Some((class, flat)) = class else {
            return Err(DataFusionError::Internal(format!("there are no facts of `{table}`")));
        };
        let plan = match flat.recipes.get(table) {
            Some(plan) => plan,
            None => {
                let plan = asked(self.plan(state, class).await?, Some(&flat.columns), &[], None)?;
                let plan = optimized(state, plan)?;
                flat.recipes.put(table.to_string(), &plan);
                plan
            }
        };
        Ok((class.clone(), plan))
    }

    pub fn schema_of_facts(&self) -> Option<SchemaRef> {
        self.flat.as_ref().map(|flat| flat.schema.clone())
    }

    /// The plan over facts, when they have all that is asked for.
    async fn over_facts(
        &self,
        state: &SessionState,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Option<LogicalPlan>> {
        let (Some(flat), Some(projection)) = (&self.flat, projection) else { return Ok(None) };
        // How many events there are the ledger knows: nobody waits for facts that say nothing else.
        if projection.is_empty() && filters.is_empty() {
            return Ok(None);
        }
        let places: Option<Vec<usize>> =
            projection.iter().map(|at| flat.columns.iter().position(|column| column == at)).collect();
        let Some(places) = places else { return Ok(None) };
        let mut named = filters.iter().flat_map(Expr::column_refs);
        if named.any(|column| flat.schema.index_of(&column.name).is_err()) {
            return Ok(None);
        }
        let mut files = Vec::new();
        for class in &self.classes {
            if self.may_match(class, filters)? {
                files.extend_from_slice(flat.facts.files(&class.name));
            }
        }
        let files = flat.facts.candidates(flat.schema.clone(), files).entries(state, filters)?;
        let Some(table) = flat.facts.table(state, &flat.schema, files, self).await? else { return Ok(None) };
        let scan = LogicalPlanBuilder::scan("event_row", provider_as_source(Arc::new(table)), None)?.build()?;
        let filters: Vec<Expr> = filters.iter().cloned().chain(filters.iter().filter_map(implied)).collect();
        optimized(state, asked(scan, Some(&places), &filters, limit)?).map(Some)
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

/// The columns of facts: what the template makes of an event, and of what classes share the numbers and times. Texts as
/// they came and the event as JSON stay where they are.
fn flat(schema: &Schema, template: &Template, ocsf: &Ocsf) -> Vec<usize> {
    let named = template.named();
    let as_they_came: Vec<String> = members(ocsf).into_iter().map(|member| member.name).collect();
    let is_own = |name: &String| *name != RAW && (named.contains(name) || !as_they_came.contains(name));
    let fields = schema.fields().iter().enumerate();
    let is_flat = |field: &Field| match field.data_type() {
        DataType::Utf8 => is_own(field.name()),
        DataType::List(item) => *item.data_type() == DataType::Utf8 && is_own(field.name()),
        // The digests of rows are a third of what facts would weigh, and no question is about them.
        DataType::Struct(_) | DataType::Binary | DataType::FixedSizeBinary(_) => false,
        _ => true,
    };
    fields.filter(|(_, field)| is_flat(field)).map(|(at, _)| at).collect()
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
        let plan = match self.asked_before.get(&asked_for) {
            Some(plan) => Some(plan),
            None => {
                let plan = self.over_facts(state, projection, &filters, limit).await?;
                plan.inspect(|plan| self.asked_before.put(asked_for.clone(), plan))
            }
        };
        if let Some(plan) = plan {
            return physical(state, &plan).await;
        }
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
