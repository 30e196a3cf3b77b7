//! The purpose of each table and view, and the meaning of the columns of views.

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

/// Returns the meaning of a column that several views have under one name.
pub fn of_column(name: &str) -> Option<&'static str> {
    COLUMNS.binary_search_by_key(&name, |(known, _)| known).ok().map(|at| COLUMNS[at].1)
}

/// The vocabulary of the views, sorted by name.
const COLUMNS: &[(&str, &str)] = &[
    ("_batch", "the ledger entry that brought the row"),
    ("_digest", "a hash of the event's content"),
    ("_event_uid", "the event's id in the log that it comes from"),
    ("_extra", "attributes that the schema does not know, as JSON by their pointers"),
    ("_source", "the file or API that the row came from"),
    ("action", "what was done: the caption of the activity"),
    ("activity_id", "what was done, as an OCSF id of the class"),
    ("activity_key", "the activity as the reports count it: unknown ids are 99, missing ones 0"),
    ("activity_name", "what was done, as the source words it"),
    ("actor_label", "who did it, as people call them: e-mail address, else name, else id"),
    ("actor_uid", "who did it: the id, else the e-mail address, else the name"),
    ("class", "the event class, which is the table's name"),
    ("class_uid", "the event class, as an OCSF id"),
    ("country", "where it was done from: country code of the address"),
    ("effect", "open or close: whether access begins or ends"),
    ("email", "an e-mail address in lower case"),
    ("event_uid", "the event's id in the log that it comes from"),
    ("group_uid", "the group"),
    ("is_admin", "whether it is an administrative act"),
    ("is_api_key", "whether it is about an API key"),
    ("is_effective", "whether it took effect: closing acts when they succeeded, others unless they failed"),
    ("is_mfa", "whether a second factor was used"),
    ("is_not_failed", "whether it did not fail"),
    ("is_privileged", "whether the privilege is an administrative one"),
    ("is_successful", "whether it succeeded"),
    ("is_user_actor", "whether a person did it, not an application"),
    ("item", "the item of the list"),
    ("item_uid", "the id of the item"),
    ("key_uid", "the API key"),
    ("label", "the person as people call them: e-mail address, else name, else id"),
    ("local_date", "the day on the clock of the zone"),
    ("local_time", "the time on the clock of the zone"),
    ("message", "the event in the words of the source"),
    ("name", "the name"),
    ("outcome", "how it ended: success, failure, other or unknown"),
    ("owner_uid", "who owns it"),
    ("policy", "one policy of the event"),
    ("privilege", "one privilege of the event"),
    ("resource", "one resource of the event"),
    ("resource_uid", "the resource that a privilege is for"),
    ("severity_id", "how severe it is: 1 informational to 6 fatal"),
    ("since", "from when on"),
    ("src_ip", "where it was done from: the address"),
    ("status_id", "how it ended, as an OCSF id: 1 success, 2 failure"),
    ("subject_label", "whom it is about, as people call them: e-mail address, else name, else id"),
    ("subject_uid", "whom it is about: the id of the account, else its e-mail address, else its name"),
    ("target_label", "what it was done to, as people call it"),
    ("target_uid", "what it was done to: the id, else the name"),
    ("time", "when it happened"),
    ("type_id", "the kind, as an OCSF id"),
    ("uid", "the id"),
    ("unmapped", "what the source sends beyond OCSF, as JSON: unmapped->>'key'"),
    ("until", "until when"),
    ("user_uid", "the user that the event names"),
    ("value", "the value"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_sorted_and_has_no_word_twice() {
        assert!(COLUMNS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(of_column("outcome"), Some("how it ended: success, failure, other or unknown"));
        assert_eq!(of_column("nonsense"), None);
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
