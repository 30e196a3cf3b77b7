//! Errors of what the lake stores, which come through the engine.

use std::error::Error as StdError;

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use parquet::errors::ParquetError;

use super::engine::first_line;
use crate::error::{Error, Kind};

/// An error of the lake that came through the engine, or one of the engine about what the lake stores.
pub fn about_the_data(error: &DataFusionError) -> Option<Error> {
    if let Some(ours) = Error::within(error) {
        return Some(ours.copy());
    }
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(object_store::Error::NotFound { path, .. }) = error.downcast_ref() {
            return Some(damaged(format!("cannot read {path}: it is missing, and the ledger names it")));
        }
        if let Some(ParquetError::General(text) | ParquetError::EOF(text)) = error.downcast_ref() {
            return Some(damaged(format!("cannot decode a file of the lake: {}", first_line(text))));
        }
        if let Some(ArrowError::ParquetError(text)) = error.downcast_ref() {
            return Some(damaged(format!("cannot decode a file of the lake: {}", first_line(text))));
        }
        next = error.source();
    }
    None
}

fn damaged(message: String) -> Error {
    Error::new(Kind::Integrity, message).hint("restore the file from a backup")
}
