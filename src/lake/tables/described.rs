//! The columns of a table with the comments that readers of its Delta log are shown.

use arrow::datatypes::SchemaRef;

use super::reject::{REJECT_TABLE, reject_schema};
use super::revision::{REVISION_TABLE, revision_schema};
use crate::schema::{Comments, Ocsf};

/// Comments on the columns of `reject`.
const REJECT: [(&str, &str); 10] = [
    ("time", "Time. When the line was rejected, in UTC."),
    ("_source", "Source. The file, stream or API that the line was read from."),
    ("line", "Line. The number of the line in its source, from 1."),
    ("byte_offset", "Byte offset. Where the line begins in its decompressed source."),
    ("reason", "Reason. Why the line is not a row, as a code such as syntax or missing-time."),
    ("detail", "Detail. Why the line is not a row, in words."),
    ("length", "Length. The size of the whole line, in bytes."),
    ("sha256", "SHA-256. The hash of the whole line where the excerpt is not the whole line."),
    ("_batch", "Batch. The number of the ledger entry that added the row."),
    ("excerpt", "Excerpt. The line, or its beginning, with secrets replaced."),
];

/// Comments on the columns of `revision`.
const REVISION: [(&str, &str); 18] = [
    ("time", "Event Time. When the event happened, in UTC."),
    ("class", "Class. The table that holds the version of the event that came first."),
    ("class_uid", "Class ID. The event class."),
    ("_event_uid", "Event identifier. The identifier that both versions have."),
    ("product_vendor_name", "Vendor Name. The vendor of the product that reported the event."),
    ("product_name", "Product Name. The name of the product that reported the event."),
    ("product_uid", "Product ID. The identifier of the product that reported the event."),
    ("log_name", "Log Name. The name of the log."),
    ("log_provider", "Log Provider. The service that wrote the log."),
    ("tenant_uid", "Tenant UID. The identifier of the tenant."),
    ("device", "Device. The device that tells logging systems apart."),
    ("changed", "Changed. JSON pointers to the values that differ from the first version."),
    ("_source", "Source. The file, stream or API that this version was read from."),
    ("line", "Line. The number of the line in its source, from 1."),
    ("byte_offset", "Byte offset. Where the line begins in its decompressed source."),
    ("_batch", "Batch. The number of the ledger entry that added the row."),
    ("_digest", "Digest. A keyed hash of this version of the event as it came."),
    ("event", "Event. This version of the event as JSON text, with secrets replaced."),
];

/// Returns the columns of a table with their comments, if it is one of ours or that of a loaded class.
pub fn described(ocsf: &Ocsf, table: &str) -> Option<SchemaRef> {
    match table {
        REJECT_TABLE => Some(Comments::of_columns(&REJECT).in_schema(&reject_schema())),
        REVISION_TABLE => Some(Comments::of_columns(&REVISION).in_schema(&revision_schema())),
        class => ocsf.by_name(class).map(|class| class.comments.in_schema(&class.arrow)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::COMMENT;

    #[test]
    fn every_column_of_every_table_has_a_comment() {
        let ocsf = Ocsf::load(None).unwrap();
        let classes = ocsf.classes().iter().map(|class| class.name.as_str());
        for table in classes.chain([REJECT_TABLE, REVISION_TABLE]) {
            let schema = described(&ocsf, table).unwrap();
            let lacking: Vec<&str> = schema
                .fields()
                .iter()
                .filter(|field| !field.metadata().contains_key(COMMENT))
                .map(|field| field.name().as_str())
                .collect();
            assert_eq!(lacking, [""; 0], "{table}");
        }
        assert!(described(&ocsf, "no_such_table").is_none());
    }
}
