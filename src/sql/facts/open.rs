//! The facts of a session, and where they are.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use object_store::ObjectStore;

use super::super::bind::bind;
use super::super::conventions::Conventions;
use super::super::engine;
use super::super::engine::footers::Footers;
use super::super::options::Options;
use super::place::{Place, Places};
use super::{Definition, EVENTS, Facts};
use crate::error::Result;
use crate::lake::{self, Lake, State};

/// The facts of a session; none when it sees other events than those of the lake.
pub fn open(
    lake: &Lake,
    state: &Arc<State>,
    conventions: &Conventions,
    options: &Options,
    context: &SessionContext,
    footers: Arc<Footers>,
) -> Result<Option<Arc<Facts>>> {
    let ocsf = lake.ocsf();
    let is_other = options.given.iter().any(|(name, _)| ocsf.by_name(name).is_some());
    if options.without_facts || is_other || options.since_us.is_some() || options.until_us.is_some() {
        return Ok(None);
    }
    let Some(view) = conventions.view(EVENTS) else { return Ok(None) };
    let mut statement = view.statement.clone();
    bind(&mut statement, &|name| conventions.value(name).cloned())?;
    let (whole, limit) = (context.runtime_env().cache_manager.get_file_metadata_cache(), engine::cuts(options));
    let place = move |store: Arc<dyn ObjectStore>, may_be_written| {
        let footers = Arc::new(Footers::new(store.clone(), whole.clone(), limit));
        Arc::new(Place::new(store, footers, may_be_written))
    };
    let in_lake = place(lake.store(), lake.is_writable());
    let folder = options.facts_folder.as_ref().map(|folder| folder.join(&state.lake.lake_id));
    let elsewhere = move || match lake::cache(folder.as_ref()?) {
        Ok(store) => Some(place(store, true)),
        Err(error) => {
            tracing::debug!(%error, "there is no folder for facts");
            None
        }
    };
    let places = Places::new(in_lake, Box::new(elsewhere));
    let definition = Definition::new(&statement, ocsf);
    Ok(Some(Arc::new(Facts::new(definition, state.clone(), places, (lake.store(), footers)))))
}
