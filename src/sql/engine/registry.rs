//! The object stores that a session may reach: the lake's, and no other.
//!
//! DataFusion's own registry resolves `file://` to the whole disk; this one knows one URL.

use std::sync::Arc;

use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use object_store::ObjectStore;
use url::Url;

/// The URL that stands for the lake's store in plans.
pub const LAKE_URL: &str = "auditlake://lake/";

pub fn lake_url() -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(LAKE_URL)
}

#[derive(Debug)]
pub struct LakeOnly {
    pub store: Arc<dyn ObjectStore>,
}

impl ObjectStoreRegistry for LakeOnly {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if url.as_str().starts_with(LAKE_URL) {
            return Ok(self.store.clone());
        }
        plan_err!("only the lake can be read, not {url}")
    }
}
