//! The purpose of each table and view, and the meaning of the columns of views.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::lake::{REJECT_TABLE, REVISION_TABLE};
use crate::schema::Ocsf;

/// Returns the purpose of a table or view of ours, in one line; report views have theirs in their own files.
pub fn of_table(name: &str, ocsf: &Ocsf) -> Option<String> {
    if name == ocsf.other().name {
        return Some("events of classes that have no table of their own".to_string());
    }
    if let Some(class) = ocsf.by_name(name) {
        let uid = class.uid.map(|uid| format!(" (class_uid {uid})")).unwrap_or_default();
        return Some(format!("OCSF {} events{uid}", class.caption));
    }
    let text = match name {
        REJECT_TABLE => "lines that could not become rows, with the reason",
        REVISION_TABLE => "events that came again with other content: what they were then, and what differs",
        "ingest_log" => "what each ledger entry brought: sources, counts, times",
        "activity" => "the captions of classes and activities, by their ids",
        "coverage" => "the periods that were read from API sources",
        "event" => "every event of every class: when, who, what, to whom, with which outcome, from where",
        "observable" => "one row for each observable of each event",
        _ => return items(name, ocsf),
    };
    Some(text.to_string())
}

/// Describes a view of items: `user_access_privilege` has a row for each item of `user_access.privileges`.
fn items(name: &str, ocsf: &Ocsf) -> Option<String> {
    ocsf.classes().iter().find_map(|class| {
        let item = name.strip_prefix(&class.name)?.strip_prefix('_')?;
        let lists = class.root.attributes.iter().filter(|attribute| attribute.is_list);
        // The item of `policies` is `policy`.
        let many = item.strip_suffix('y').map_or_else(|| format!("{item}s"), |stem| format!("{stem}ies"));
        let is_of = |list: &str| list == many;
        let list = lists.map(|attribute| attribute.name.as_str()).find(|list| is_of(list))?;
        Some(format!("one row for each item of {}.{list}", class.name))
    })
}

/// The meanings of columns by name, or by `table.name` where a table means something of its own by it.
static COLUMNS: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| serde_json::from_str(include_str!("columns.json")).expect("data that a test has read"));

/// Returns the meaning of a column of a view or of a table of ours; of a path into events the one that OCSF gives it.
pub fn of_column(table: &str, path: &str) -> Option<&'static str> {
    let name = path.trim_end_matches("[]");
    COLUMNS.get(&format!("{table}.{name}")).or_else(|| COLUMNS.get(name)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_a_meaning_of_their_table_or_one_for_all() {
        assert_eq!(of_column("event", "outcome"), Some("how it ended: success, failure, other or unknown"));
        assert_eq!(of_column("coverage", "state"), Some("covered or hole"));
        assert_eq!(of_column("event", "privileges[]"), of_column("logon", "privileges"));
        assert_eq!(of_column("event", "nonsense"), None);
    }

    #[test]
    fn item_views_name_their_lists() {
        let ocsf = Ocsf::load(None).unwrap();
        let purpose = |name| of_table(name, &ocsf);
        assert_eq!(
            purpose("user_access_privilege").as_deref(),
            Some("one row for each item of user_access.privileges")
        );
        assert!(purpose("user_access_resource").unwrap().ends_with("user_access.resources"));
        assert!(purpose("account_change_policy").unwrap().ends_with("account_change.policies"));
        assert!(purpose("authentication").unwrap().contains("3002"));
        assert_eq!(purpose("no_such"), None);
    }
}
