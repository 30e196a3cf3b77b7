//! The engine behind a session: its settings, and its share of the machine.

use std::sync::Arc;

use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::optimizer::OptimizerRule;
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectStore;

use super::super::dialect::Relations;
use super::super::functions::frequent;
use super::super::options::Options;
use super::footers::Footers;
use super::registry::LakeOnly;
use super::rules::rules;
use super::spill::Spills;
use super::upstream::{Operators, Types, analyzer, physical_rules};

/// Bytes of decoded footers that are kept from one statement to the next: about a thousand files of 256 columns.
const FOOTERS: usize = 256 << 20;

/// Bytes of bloom filters and of footers that were cut down, the latter about 10 KB per file for each set of columns.
const CUTS: usize = 128 << 20;

pub fn context(store: Arc<dyn ObjectStore>, options: &Options) -> datafusion::error::Result<SessionContext> {
    let mut rules = rules();
    for name in &options.without_rules {
        let all = rules.len();
        rules.retain(|rule| rule.name() != name);
        if rules.len() == all {
            return datafusion::common::plan_err!("there is no rule `{name}` in the optimizer");
        }
    }
    context_by(store, options, rules)
}

/// Makes a context with rules of the optimizer that a test picks.
pub fn context_by(
    store: Arc<dyn ObjectStore>,
    options: &Options,
    rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
) -> datafusion::error::Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .set_str("datafusion.sql_parser.dialect", "duckdb")
        // `now()` and `'...'::timestamptz` are instants like those of the columns, not times without a zone.
        .set_str("datafusion.execution.time_zone", "UTC")
        // `varchar` is the text type of the tables: joins and scans fail when they compare the engine's two text types,
        // one from a cast and the other from a file.
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        // Errors say where in the statement a name is.
        .set_bool("datafusion.sql_parser.collect_spans", true)
        // Scans decide for themselves (`table`); a setting here would hold for all.
        .set_bool("datafusion.execution.parquet.pushdown_filters", false)
        .set_bool("datafusion.execution.parquet.reorder_filters", true)
        // DataFusion 55 lets `min(time)` skip rows that cannot change it, and forgets that a `max(case ...)` beside it
        // may need them (apache/datafusion#24816, mended after 55). Wrong answers, and not always the same ones.
        .set_bool("datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown", false)
        // The logical plan calls more `case` expressions never null than the physical one, and the comparison of the
        // two then rejects correct statements: `select case when m = 'x' and n < 6 then n else 3 end, count(distinct k)
        // ... group by 1` (not reported). Only that check is skipped; no value changes.
        .set_bool("datafusion.execution.skip_physical_aggregate_schema_check", true)
        // Without the Arrow schema in the files, text must not come back as views: tables are declared as Utf8.
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    config.options_mut().execution.collect_statistics = true;
    let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(LakeOnly { store }));
    let mut footers = FOOTERS;
    if let Some(bytes) = options.memory_limit {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        footers = footers.min(bytes / 4);
        // The memory that a sort reserves for merging its spills must itself fit, once for each thread.
        let kept = &mut config.options_mut().execution.sort_spill_reservation_bytes;
        *kept = (*kept).min(bytes / 16);
    }
    let spills = Spills::new(options.spill_folder.clone(), options.spill_limit);
    let disk = DiskManagerBuilder::default().with_temp_file_factory(Arc::new(spills));
    let runtime = runtime.with_disk_manager_builder(disk).with_metadata_cache_limit(footers);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.build_arc()?)
        .with_expr_planners(vec![Arc::new(Operators)])
        .with_default_features()
        .with_analyzer_rules(analyzer())
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rules(physical_rules())
        .with_relation_planners(vec![Arc::new(Relations { frequent: Arc::new(frequent()) })])
        .with_type_planner(Arc::new(Types))
        .build();
    let mut context = SessionContext::new_with_state(state);
    datafusion_functions_json::register_all(&mut context)?;
    Ok(context)
}

/// Makes the memory of files beside whole footers.
pub fn footers(store: Arc<dyn ObjectStore>, context: &SessionContext, options: &Options) -> Footers {
    Footers::new(store, context.runtime_env().cache_manager.get_file_metadata_cache(), cuts(options))
}

/// Returns the bytes that such a memory may hold.
pub fn cuts(options: &Options) -> usize {
    options.memory_limit.map_or(CUTS, |bytes| CUTS.min(bytes / 16))
}
