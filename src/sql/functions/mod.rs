//! The SQL functions that are ours; each has a file of its own. DataFusion's and the JSON functions are there too.

mod cidr_match;
mod event_json;
mod ocsf_caption;

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::schema::Ocsf;

/// Makes the functions known to a session.
pub fn register(context: &SessionContext, ocsf: &Arc<Ocsf>) {
    context.register_udf(cidr_match::function());
    context.register_udf(event_json::function(ocsf.clone()));
    context.register_udf(ocsf_caption::function(ocsf.clone()));
}
