//! The template over all classes as one table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, ScalarValue, ToDFSchema};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::sql::parser::Statement;

use super::super::engine::late::{First, Memory, Telling, analyzed, asked, key, loose, optimized, physical};
use super::super::facts::{Facts, Made, over_table};
use super::super::tables::table::LakeTable;
use super::flat::{Flat, columns, places};
use super::found::{Found, Hits, Part, TIME, Wanted, dealt, find, picked};
use super::needle::implied;
use super::template::Template;
use crate::schema::{EventClass, Ocsf};

/// Columns of facts from which on it is faster to read them beside the others than to work them out of the others.
const WIDE: usize = 8;

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

/// The columns and filters that a scan asks for.
struct Asked<'a> {
    projection: Option<&'a Vec<usize>>,
    filters: Vec<Expr>,
    limit: Option<usize>,
    first: Option<&'a First>,
}

impl<'a> Asked<'a> {
    fn columns(projection: &'a Vec<usize>) -> Asked<'a> {
        Asked { projection: Some(projection), filters: Vec::new(), limit: None, first: None }
    }

    fn key(&self, state: &SessionState) -> String {
        key(state, self.projection, &self.filters, self.limit, self.first)
    }
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
                let columns = columns(&rows.schema, &rows.template, &rows.ocsf);
                Flat::new(facts, columns, &rows.schema)
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
                let plan = asked(self.plan(state, class).await?, Some(&flat.columns), &[], None, None)?;
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

    /// Returns the columns that facts lack; none when there are no facts.
    pub fn beyond_facts(&self) -> Option<Vec<String>> {
        let flat = self.flat.as_ref()?;
        let others = self.schema.fields().iter().filter(|field| flat.schema.index_of(field.name()).is_err());
        Some(others.map(|field| field.name().clone()).collect())
    }

    /// The plan over facts, when they have all that is asked for.
    async fn over_facts(&self, state: &SessionState, asked_for: &Asked<'_>) -> Result<Option<LogicalPlan>> {
        let (Some(flat), Some(projection)) = (&self.flat, asked_for.projection) else { return Ok(None) };
        // How many events there are the ledger knows: nobody waits for facts that say nothing else.
        if projection.is_empty() && asked_for.filters.is_empty() {
            return Ok(None);
        }
        let Some(places) = places(projection, &flat.columns) else { return Ok(None) };
        if !asked_for.filters.iter().all(|filter| flat.has_all_of(filter)) {
            return Ok(None);
        }
        let Some(made) = self.made(state, flat, &asked_for.filters, true).await? else { return Ok(None) };
        let scan = LogicalPlanBuilder::scan("event_row", provider_as_source(Arc::new(made.table())), None)?.build()?;
        let filters: Vec<Expr> =
            asked_for.filters.iter().cloned().chain(asked_for.filters.iter().filter_map(implied)).collect();
        optimized(state, asked(scan, Some(&places), &filters, asked_for.limit, None)?).map(Some)
    }

    /// The plan over facts and the tables of classes: these are read for what facts do not have, and of few rows when facts
    /// find few.
    async fn over_both(&self, state: &SessionState, asked_for: &Asked<'_>) -> Result<Option<LogicalPlan>> {
        let (Some(flat), Some(projection)) = (&self.flat, asked_for.projection) else { return Ok(None) };
        let (known, other): (Vec<Expr>, Vec<Expr>) =
            asked_for.filters.iter().cloned().partition(|filter| flat.has_all_of(filter));
        let is_flat = |first: &&First| first.keys.iter().all(|key| flat.schema.index_of(&key.column).is_ok());
        // The first rows of those that other filters leave are not the first of all.
        let wanted = match (asked_for.first.filter(is_flat), asked_for.limit) {
            (Some(first), _) if other.is_empty() => Wanted::First(first),
            (None, Some(limit)) if other.is_empty() => Wanted::Any(limit),
            _ => Wanted::All,
        };
        let is_filtered = known.len() > usize::from(self.end_us.is_some());
        let may_be_few = is_filtered || !matches!(wanted, Wanted::All);
        let worked_out = projection.iter().filter(|at| flat.columns.contains(at)).count();
        let is_wide = worked_out >= WIDE && other.is_empty();
        if !may_be_few && !is_wide {
            return Ok(None);
        }
        // Nobody waits for facts who asks for some events only.
        let may_make = is_filtered || !may_be_few;
        let Some(made) = self.made(state, flat, &known, may_make).await? else { return Ok(None) };
        let hits = if may_be_few { find(state, &made, &known, wanted).await? } else { None };
        if hits.is_none() && !is_wide {
            return Ok(None);
        }
        let filters = if hits.is_some() { other } else { asked_for.filters.clone() };
        let named = filters.iter().flat_map(Expr::column_refs);
        let named =
            named.map(|column| self.schema.index_of(&column.name)).collect::<std::result::Result<Vec<_>, _>>()?;
        let mut columns: Vec<usize> = projection.iter().copied().chain(named).collect();
        columns.sort_unstable();
        columns.dedup();
        let found = Arc::new(self.found(state, flat, &made, hits.as_ref(), &columns).await?);
        let scan = LogicalPlanBuilder::scan("event_row", provider_as_source(found), None)?.build()?;
        let Some(places) = places(projection, &columns) else { return Ok(None) };
        optimized(state, asked(scan, Some(&places), &filters, asked_for.limit, None)?).map(Some)
    }

    /// The rows that were found, or all, class by class.
    async fn found(
        &self,
        state: &SessionState,
        flat: &Flat,
        made: &Made,
        hits: Option<&Hits>,
        columns: &[usize],
    ) -> Result<Found> {
        let time = [self.schema.index_of(TIME)?];
        let others = |of_facts: bool| columns.iter().copied().filter(move |at| flat.columns.contains(at) == of_facts);
        let of_facts: Vec<usize> = time.into_iter().chain(others(true).filter(|at| *at != time[0])).collect();
        let of_events: Vec<usize> = time.into_iter().chain(others(false)).collect();
        let of_facts = places(&of_facts, &flat.columns).unwrap_or_default();
        let picked = hits.map(|hits| Arc::new(picked(hits, &made.facts)));
        let pick = |table: LakeTable| match &picked {
            Some(picked) => table.picking(picked.clone()),
            None => table.in_order(),
        };
        let threads = if hits.is_some() { 1 } else { state.config().target_partitions() };
        let mut parts = Vec::new();
        for class in &self.classes {
            let is_hit = |at: &usize| hits.is_none_or(|hits| hits.contains_key(at));
            let facts = made.facts.iter().enumerate();
            let facts = facts.filter(|(at, fact)| fact.entry.table() == class.name && is_hit(at));
            for facts in dealt(facts.map(|(_, fact)| fact.clone()).collect(), threads) {
                let events = match of_events.len() {
                    1 => None,
                    _ => {
                        let plan = self.of_class(state, class, &Asked::columns(&of_events)).await?;
                        let files = facts.iter().map(|fact| fact.entry.clone()).collect();
                        Some(over_table(&plan, pick(flat.facts.data(class, files)))?)
                    }
                };
                parts.push(Part { facts: pick(made.of(facts)), of_facts: of_facts.clone(), events });
            }
        }
        Ok(Found { parts, schema: Arc::new(self.schema.project(columns)?) })
    }

    /// The facts of the files that may have rows for which the filters are true.
    async fn made(&self, state: &SessionState, flat: &Flat, filters: &[Expr], may_make: bool) -> Result<Option<Made>> {
        let mut files = Vec::new();
        for class in &self.classes {
            if self.may_match(class, filters)? {
                files.extend_from_slice(flat.facts.files(&class.name));
            }
        }
        let files = flat.facts.candidates(flat.schema.clone(), files).entries(state, filters)?;
        flat.facts.of_files(state, &flat.schema, &files, self, may_make).await
    }

    /// The plan of one class with what is asked for put on it.
    async fn of_class(&self, state: &SessionState, class: &EventClass, asked_for: &Asked<'_>) -> Result<LogicalPlan> {
        let key = format!("{}|{}", class.name, asked_for.key(state));
        if let Some(plan) = self.asked_before.get(&key) {
            return Ok(plan);
        }
        let Asked { projection, filters, limit, .. } = asked_for;
        let plan = optimized(state, asked(self.plan(state, class).await?, *projection, filters, *limit, None)?)?;
        self.asked_before.put(key, &plan);
        Ok(plan)
    }

    /// Plans the template over one class.
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
impl Telling for Rows {
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
        let end = self.end_us.map(|time_us| ScalarValue::TimestampMicrosecond(Some(time_us), Some("UTC".into())));
        let filters: Vec<Expr> = end.map(|end| col("time").lt(lit(end))).into_iter().chain(filters.to_vec()).collect();
        let asked_for = Asked { projection, filters, limit, first };
        let key = asked_for.key(state);
        let plan = match self.asked_before.get(&key) {
            Some(plan) => Some(plan),
            None => {
                let plan = match self.over_facts(state, &asked_for).await? {
                    Some(plan) => Some(plan),
                    None => self.over_both(state, &asked_for).await?,
                };
                plan.inspect(|plan| self.asked_before.put(key, plan))
            }
        };
        if let Some(plan) = plan {
            return physical(state, &plan).await;
        }
        let mut parts = Vec::new();
        for class in &self.classes {
            if self.may_match(class, &asked_for.filters)? {
                parts.push(physical(state, &self.of_class(state, class, &asked_for).await?).await?);
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
