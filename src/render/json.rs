//! JSON: one array of objects, or one object per line. Every key is present, missing values are `null`.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::Body;
use super::escape::json_string;
use super::names::unique;
use super::value::columns;
use crate::error::Result;

pub(super) struct Json {
    /// `"name":`, ready to be copied.
    keys: Vec<String>,
    is_array: bool,
    is_empty: bool,
}

impl Json {
    pub(super) fn array(schema: &Schema) -> Json {
        Json { keys: keys(schema), is_array: true, is_empty: true }
    }

    pub(super) fn lines(schema: &Schema) -> Json {
        Json { keys: keys(schema), is_array: false, is_empty: true }
    }
}

impl Body for Json {
    fn begin(&mut self, out: &mut String) {
        if self.is_array {
            out.push('[');
        }
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut String) -> Result<()> {
        let columns = columns(batch)?;
        for row in 0..batch.num_rows() {
            if self.is_array && !self.is_empty {
                out.push_str(",\n");
            }
            self.is_empty = false;
            for (index, (key, column)) in self.keys.iter().zip(&columns).enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                out.push_str(key);
                column.write_json(row, out);
            }
            out.push_str(if columns.is_empty() { "{}" } else { "}" });
            if !self.is_array {
                out.push('\n');
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut String) -> Result<()> {
        if self.is_array {
            out.push_str("]\n");
        }
        Ok(())
    }
}

fn keys(schema: &Schema) -> Vec<String> {
    let key = |name: String| {
        let mut key = String::new();
        json_string(&name, &mut key);
        key.push(':');
        key
    };
    unique(schema).into_iter().map(key).collect()
}
