//! The views: `event`, every class in one shape with who did what to whom, from where, and how it ended; and a row for
//! each item of a list.
//!
//! The columns follow the report catalogue's conventions C5 to C9 for one event alone: they name what the event itself
//! carries. Resolution across events is the work of the conventions (`queries/conventions`).

use std::sync::Arc;

use crate::schema::{EventClass, Kind, Object, Ocsf};

/// A view that is planned when a statement first names it.
#[derive(Debug, Clone)]
pub struct View {
    pub name: String,
    pub sql: String,
}

/// Lists whose items have views of their own: their items are what reviewers count.
const LISTS: [(&str, &str); 3] = [("privileges", "privilege"), ("resources", "resource"), ("policies", "policy")];

/// The view over all classes.
pub const EVENT: &str = "event";

/// The view over the observables of all classes.
const OBSERVABLE: &str = "observable";

/// Views that are made of every class.
pub const OVER_ALL: [&str; 2] = [EVENT, OBSERVABLE];

/// All views over the classes.
pub fn views(ocsf: &Ocsf) -> Vec<View> {
    let observables: Vec<String> = ocsf.classes().iter().filter_map(|class| observables(class)).collect();
    let mut views = vec![
        View { name: EVENT.to_string(), sql: event(ocsf, &|_| true) },
        View { name: OBSERVABLE.to_string(), sql: observables.join(BY_NAME) },
    ];
    for class in ocsf.classes() {
        for (list, item) in LISTS {
            if class.attribute(list).is_some_and(|attribute| attribute.is_list) {
                views.push(View { name: format!("{}_{item}", class.name), sql: items(class, list, item) });
            }
        }
    }
    views
}

/// The names of all columns of [`EVENT`].
pub fn event_columns(ocsf: &Ocsf) -> Vec<&'static str> {
    columns(ocsf.other()).into_iter().map(|(name, _)| name).collect()
}

const BY_NAME: &str = "\nUNION ALL BY NAME\n";

/// The view [`EVENT`] with those of its columns that are wanted, and always `time`.
///
/// All columns of all classes take longer to plan than most statements to run.
pub fn event(ocsf: &Ocsf, is_wanted: &dyn Fn(&str) -> bool) -> String {
    let select = |class: &Arc<EventClass>| select(class, "", is_wanted);
    ocsf.classes().iter().map(select).collect::<Vec<_>>().join(BY_NAME)
}

/// A row for each item of a list, with what the event says around it. Blank names do not exist (C10).
fn items(class: &EventClass, list: &str, item: &str) -> String {
    let is_text = class.attribute(list).is_some_and(|attribute| matches!(attribute.kind, Kind::Text));
    let value = if is_text { format!("trim({item}) AS {item}") } else { item.to_string() };
    let is_there = if is_text { format!("trim({item}) <> ''") } else { format!("{item} IS NOT NULL") };
    format!(
        "SELECT time, class_uid, activity_id, action, status_id, outcome, who_uid, who_label, target_uid, \
         target_label, address, {value}, _event_uid, _batch \
         FROM (SELECT *, unnest(\"{list}\") AS {item} FROM ({event})) WHERE {is_there}",
        event = select(class, &format!(", \"{list}\""), &|_| true),
    )
}

fn observables(class: &EventClass) -> Option<String> {
    has(class, "observables").then(|| {
        format!(
            "SELECT time, '{name}' AS class, class_uid, item['type_id'] AS type_id, item['type'] AS type, \
             item['name'] AS name, item['value'] AS value, _event_uid, _batch \
             FROM (SELECT time, class_uid, unnest(observables) AS item, _event_uid, _batch FROM \"{name}\")",
            name = class.name
        )
    })
}

/// `more` are further columns, each after a comma.
fn select(class: &EventClass, more: &str, is_wanted: &dyn Fn(&str) -> bool) -> String {
    let columns: Vec<String> = columns(class)
        .into_iter()
        .filter(|(name, _)| *name == "time" || is_wanted(name))
        .map(|(name, expression)| if name == expression { expression } else { format!("{expression} AS {name}") })
        .collect();
    format!("SELECT {}{more} FROM \"{}\"", columns.join(", "), class.name)
}

/// The columns of [`EVENT`] for one class: name and expression.
fn columns(class: &EventClass) -> Vec<(&'static str, String)> {
    let text = |path| coalesce(class, &[path]);
    let number = |path: &str| if has(class, path) { path.to_string() } else { "CAST(NULL AS BIGINT)".to_string() };
    let status_id = number("status_id");
    let outcome =
        format!("CASE {status_id} WHEN 1 THEN 'success' WHEN 2 THEN 'failure' WHEN 99 THEN 'other' ELSE 'unknown' END");
    let target = target(class);
    // C5: a logon that names no user is about who acted.
    let mut targets = target.map_or(Vec::new(), |object| identity(class, object));
    let mut labels = target.map_or(Vec::new(), |object| label(class, object));
    if target == Some("user") && has(class, "auth_protocol_id") {
        targets.extend(identity(class, "actor.user"));
        labels.extend(label(class, "actor.user"));
    }
    let mut who_labels = label(class, "actor.user");
    who_labels.extend(["actor.app_name", "actor.app_uid"].iter().filter_map(|path| trimmed(class, path)));
    let mut columns = vec![
        ("time", "time".to_string()),
        ("class", format!("'{}'", class.name)),
        ("class_uid", "class_uid".to_string()),
        ("activity_id", number("activity_id")),
        ("activity_name", text("activity_name")),
        ("action", action(class)),
        ("severity_id", number("severity_id")),
        ("status_id", status_id),
        ("outcome", outcome),
        ("who_uid", first(&who(class))),
        ("who_label", first(&who_labels)),
        ("target_uid", first(&targets)),
        ("target_label", first(&labels)),
        ("address", first(&addresses(class))),
        ("place", place(class)),
        ("message", text("message")),
        ("unmapped", text("unmapped")),
    ];
    columns.extend(["_event_uid", "_batch", "_source", "_extra"].map(|name| (name, name.to_string())));
    columns
}

/// What names an object within its own event (C5): its uid, else its e-mail in lower case, else its name.
fn identity(class: &EventClass, object: &str) -> Vec<String> {
    let of = |field: &str| trimmed(class, &format!("{object}.{field}"));
    let name = of("name");
    // Failed logons often carry what was typed as the name; with an @ it is an e-mail address.
    let typed = name.as_ref().map(|name| format!("CASE WHEN strpos({name}, '@') > 0 THEN lower({name}) END"));
    let email = of("email_addr").map(|email| format!("lower({email})"));
    let is_user = email.is_some();
    [of("uid"), email, typed.filter(|_| is_user), name].into_iter().flatten().collect()
}

/// What people call it: the e-mail as written, else the name, else the uid.
fn label(class: &EventClass, object: &str) -> Vec<String> {
    ["email_addr", "name", "uid"].iter().filter_map(|field| trimmed(class, &format!("{object}.{field}"))).collect()
}

/// C8; the forwarded address is what a client said of itself.
fn addresses(class: &EventClass) -> Vec<String> {
    let mut found: Vec<String> =
        ["src_endpoint.ip", "device.ip"].iter().filter_map(|path| trimmed(class, path)).collect();
    if has(class, "http_request.x_forwarded_for") {
        found.push("nullif(trim(http_request.x_forwarded_for[1]), '')".to_string());
    }
    found
}

/// C9: the country of one location, of the endpoint if it has any, in upper case.
fn place(class: &EventClass) -> String {
    let country = |object: &str| trimmed(class, &format!("{object}.location.country"));
    let is_there = |object: &str| {
        let paths = ["city", "country", "lat", "long"].map(|field| format!("{object}.location.{field}"));
        let known: Vec<String> =
            paths.iter().filter(|path| has(class, path)).map(|path| format!("{} IS NOT NULL", quote(path))).collect();
        known.join(" OR ")
    };
    match (country("src_endpoint"), country("device")) {
        (Some(endpoint), Some(device)) => {
            format!("upper(CASE WHEN {} THEN {endpoint} ELSE {device} END)", is_there("src_endpoint"))
        }
        (Some(one), None) | (None, Some(one)) => format!("upper({one})"),
        (None, None) => NULL.to_string(),
    }
}

/// The text at a path without blanks around it; blank text is no text.
fn trimmed(class: &EventClass, path: &str) -> Option<String> {
    has(class, path).then(|| format!("nullif(trim({}), '')", quote(path)))
}

/// The acting user, else the application that acted.
fn who(class: &EventClass) -> Vec<String> {
    let mut candidates = identity(class, "actor.user");
    let apps = ["actor.app_uid", "actor.app_name"].into_iter().filter_map(|path| trimmed(class, path));
    candidates.extend(apps.map(|app| format!("'app:' || {app}")));
    candidates
}

fn first(candidates: &[String]) -> String {
    match candidates {
        [] => NULL.to_string(),
        [one] => one.clone(),
        many => format!("coalesce({})", many.join(", ")),
    }
}

const NULL: &str = "CAST(NULL AS VARCHAR)";

/// The object that the class's events are about.
fn target(class: &EventClass) -> Option<&'static str> {
    ["entity", "group", "user"].into_iter().find(|object| has(class, &format!("{object}.uid")))
}

/// The OCSF caption of the activity, whatever the vendor calls its event.
fn action(class: &EventClass) -> String {
    let captions = class.root.index_of("activity_id").and_then(|i| class.root.attributes[i].captions.as_ref());
    let Some(captions) = captions else { return coalesce(class, &["activity_name"]) };
    let cases: String = captions
        .entries()
        .iter()
        .map(|(id, caption)| format!(" WHEN {id} THEN '{}'", caption.replace('\'', "''")))
        .collect();
    format!("CASE activity_id{cases} ELSE activity_name END")
}

/// The first of the paths that is not null, of those that the class has.
fn coalesce(class: &EventClass, paths: &[&str]) -> String {
    let known: Vec<&str> = paths.iter().copied().filter(|path| has(class, path)).collect();
    match known.as_slice() {
        [] => NULL.to_string(),
        [one] => quote(one),
        many => format!("coalesce({})", many.iter().map(|path| quote(path)).collect::<Vec<_>>().join(", ")),
    }
}

/// A path whose first name may be a keyword, such as `group`.
fn quote(path: &str) -> String {
    path.split('.').map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(".")
}

/// Whether the class has a typed column at a dotted path.
fn has(class: &EventClass, path: &str) -> bool {
    fn walk(object: &Object, path: &str) -> bool {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(index) = object.index_of(name) else { return false };
        match (&object.attributes[index].kind, rest) {
            (_, None) => true,
            (Kind::Object(child), Some(rest)) => walk(child, rest),
            _ => false,
        }
    }
    walk(&class.root, path)
}
