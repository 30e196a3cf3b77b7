//! The conventions of `queries/conventions` for everybody who writes SQL, not only for reports.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;

use super::catalog::conventions;
use super::run::view;
use super::views::Views;
use crate::error::{Error, Kind, Result};
use crate::sql;

/// The catalogue's convention views; read when the first of them is asked for.
#[derive(Debug, Default)]
pub struct Conventions {
    views: OnceLock<Option<Views>>,
}

impl Conventions {
    /// They are inside the binary: that they can be read is tested.
    fn views(&self) -> Option<&Views> {
        self.views.get_or_init(|| conventions().ok()).as_ref()
    }
}

#[async_trait]
impl sql::Conventions for Conventions {
    fn list(&self) -> Vec<(String, String)> {
        let views = self.views().into_iter().flat_map(Views::list);
        views.map(|view| (view.name.clone(), view.purpose.clone())).collect()
    }

    fn definition(&self, name: &str) -> Option<String> {
        self.views()
            .and_then(|views| views.list().find(|view| view.name == name))
            .map(|view| view.text.trim().to_string())
    }

    async fn make(
        &self,
        name: &str,
        as_of_us: Option<i64>,
        context: &SessionContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let views = self.views().ok_or_else(|| Error::new(Kind::Internal, "cannot read queries/conventions"))?;
        // Events have whole milliseconds, and one at the very time is seen (C3).
        view(views, name, as_of_us.map(|time_us| time_us.div_euclid(1000)), context).await
    }
}
