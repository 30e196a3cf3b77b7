//! Rows as everybody else knows them: texts that came as dictionaries become strings.
//!
//! The decoder holds repeated texts once, and files are written from that. What compares or restores rows wants the
//! types of the class's schema.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};

use crate::error::{Context, Kind, Result};

/// The field with strings for dictionaries, at any depth of structs; lists hold none.
pub fn plain_field(field: &FieldRef) -> FieldRef {
    match field.data_type() {
        DataType::Dictionary(_, value) => Arc::new(field.as_ref().clone().with_data_type(value.as_ref().clone())),
        DataType::Struct(members) => {
            let members: Fields = members.iter().map(plain_field).collect();
            let plain: Field = field.as_ref().clone().with_data_type(DataType::Struct(members));
            Arc::new(plain)
        }
        _ => Arc::clone(field),
    }
}

/// The schema with strings for dictionaries.
pub fn plain_schema(schema: &Schema) -> Arc<Schema> {
    let fields: Fields = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The batch with strings for dictionaries.
pub fn plain(batch: &RecordBatch) -> Result<RecordBatch> {
    let failed = || "cannot make the texts of a batch plain";
    let columns = batch.columns().iter().map(plain_array).collect::<Result<_>>()?;
    RecordBatch::try_new(plain_schema(&batch.schema()), columns).context(Kind::Internal, failed)
}

fn plain_array(array: &ArrayRef) -> Result<ArrayRef> {
    let failed = || "cannot make a text column plain";
    match array.data_type() {
        DataType::Dictionary(_, value) => cast(array, value).context(Kind::Internal, failed),
        DataType::Struct(fields) => {
            let array = array.as_struct();
            let fields: Fields = fields.iter().map(plain_field).collect();
            let columns = array.columns().iter().map(plain_array).collect::<Result<_>>()?;
            let plain = StructArray::try_new_with_length(fields, columns, array.nulls().cloned(), array.len());
            Ok(Arc::new(plain.context(Kind::Internal, failed)?))
        }
        _ => Ok(Arc::clone(array)),
    }
}
