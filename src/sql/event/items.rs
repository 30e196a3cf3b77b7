//! A row for each item of a list, with what `event` says around it.

use datafusion::sql::sqlparser::ast::Statement as Sql;

use super::super::dialect;
use super::members::attribute;
use crate::schema::{EventClass, Kind, Ocsf};

/// Lists whose items have views of their own: their items are what reviewers count.
const LISTS: [(&str, &str); 3] = [("privileges", "privilege"), ("resources", "resource"), ("policies", "policy")];

/// The views of items: `user_access_privilege` ...
pub fn names(ocsf: &Ocsf) -> Vec<String> {
    ocsf.classes().iter().flat_map(|class| views(class).map(|(_, item)| format!("{}_{item}", class.name))).collect()
}

/// The class, the list and the query of a view of items.
pub fn items<'a>(ocsf: &'a Ocsf, name: &str) -> Option<(&'a str, &'static str, Sql)> {
    let mut all = ocsf.classes().iter().flat_map(|class| views(class).map(move |(list, item)| (class, list, item)));
    let (class, list, item) = all.find(|(class, _, item)| name == format!("{}_{item}", class.name))?;
    // Blank names do not exist (C10).
    let is_text = matches!(attribute(class, list)?.kind, Kind::Text);
    let value = if is_text { format!("trim({item}) as {item}") } else { item.to_string() };
    let is_there = if is_text { format!("trim({item}) <> ''") } else { format!("{item} is not null") };
    let around = "time, class, class_uid, activity_id, action, status_id, outcome, actor_uid, actor_label, target_uid, \
                  target_label, src_ip";
    let sql = format!(
        "select {around}, {value}, _event_uid, _batch \
         from (select {around}, unnest(\"@{list}\") as {item}, _event_uid, _batch from event) where {is_there}"
    );
    let mut statement = dialect::view(&sql).ok()?;
    dialect::rewrite_view(&mut statement).ok()?;
    Some((&class.name, list, statement))
}

fn views(class: &EventClass) -> impl Iterator<Item = (&'static str, &'static str)> {
    LISTS.into_iter().filter(|(list, _)| attribute(class, list).is_some_and(|attribute| attribute.is_list))
}
