//! The table `activity`: captions of classes and activities in the loaded schema.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;

use crate::schema::Ocsf;

/// Returns a row for each activity of each class: `class_uid`, `activity_key`, and the captions `class` and `activity`.
///
/// `event` has the key: 0 for an event without activity, 99 for one that OCSF does not know. Classes without a uid have
/// events of many, and no rows here.
pub fn activities(ocsf: &Ocsf) -> Result<RecordBatch, ArrowError> {
    let (mut classes, mut keys, mut names, mut activities) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for class in ocsf.classes() {
        let captions = class.attribute("activity_id").and_then(|attribute| attribute.captions.as_ref());
        let (Some(uid), Some(captions)) = (class.uid, captions) else { continue };
        for (id, caption) in captions.entries() {
            let Ok(id) = id.parse::<i64>() else { continue };
            classes.push(uid);
            keys.push(id);
            names.push(class.caption.clone());
            activities.push(caption.clone());
        }
    }
    let columns: [(&str, ArrayRef); 4] = [
        ("class_uid", Arc::new(Int64Array::from(classes))),
        ("activity_key", Arc::new(Int64Array::from(keys))),
        ("class", Arc::new(StringArray::from(names))),
        ("activity", Arc::new(StringArray::from(activities))),
    ];
    RecordBatch::try_from_iter(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_with_a_uid_has_its_captions() {
        let ocsf = Ocsf::load(None).unwrap();
        let rows = activities(&ocsf).unwrap();
        let text = arrow::util::pretty::pretty_format_batches(&[rows]).unwrap().to_string();
        for row in ["| 3001      | 12           | Account Change", "| 3004      | 13           | Entity Management"] {
            assert!(text.contains(row), "{text}");
        }
        assert!(!text.contains("Other Event"));
    }
}
