//! The view `event`: every class in one shape, with who did what to whom, from where, and how it ended.
//!
//! The columns follow the report catalogue's conventions C5 to C8 for one event alone: they name what the event itself
//! carries. Resolution across events is the reports' work.

use crate::schema::{EventClass, Kind, Object, Ocsf};

/// The statement that defines `event` over all classes.
pub fn event_view(ocsf: &Ocsf) -> String {
    let parts: Vec<String> = ocsf.classes().iter().map(|class| select(class)).collect();
    parts.join("\nUNION ALL BY NAME\n")
}

fn select(class: &EventClass) -> String {
    let text = |paths: &[&str]| coalesce(class, paths);
    let target = target(class);
    let target_uid = target.map_or(NULL.to_string(), |object| first(&identity(class, object)));
    let labels = target.map_or(Vec::new(), |object| {
        ["email_addr", "name", "uid"].iter().map(|field| format!("{object}.{field}")).collect()
    });
    let target_label = text(&labels.iter().map(String::as_str).collect::<Vec<_>>());
    let first_hop = match has(class, "http_request.x_forwarded_for") {
        true => ", http_request.x_forwarded_for[1]",
        false => "",
    };
    let address = match text(&["src_endpoint.ip", "device.ip"]).as_str() {
        NULL => NULL.to_string(),
        paths => format!("coalesce({paths}{first_hop})"),
    };
    let number = |path: &str| if has(class, path) { path.to_string() } else { "CAST(NULL AS BIGINT)".to_string() };
    format!(
        "SELECT time, '{table}' AS class, class_uid, {activity_id} AS activity_id, {activity_name} AS activity_name, \
         {action} AS action, {severity_id} AS severity_id, {status_id} AS status_id, \
         CASE {status_id} WHEN 1 THEN 'success' WHEN 2 THEN 'failure' WHEN 99 THEN 'other' ELSE 'unknown' END AS outcome, \
         {who_uid} AS who_uid, {who_label} AS who_label, {target_uid} AS target_uid, {target_label} AS target_label, \
         {address} AS address, {place} AS place, {message} AS message, {unmapped} AS unmapped, \
         _event_uid, _batch, _source, _extra FROM {table}",
        table = class.name,
        activity_id = number("activity_id"),
        activity_name = text(&["activity_name"]),
        action = action(class),
        severity_id = number("severity_id"),
        status_id = number("status_id"),
        who_uid = first(&who(class)),
        who_label =
            text(&["actor.user.email_addr", "actor.user.name", "actor.user.uid", "actor.app_name", "actor.app_uid"]),
        place = text(&["src_endpoint.location.country", "device.location.country"]),
        message = text(&["message"]),
        unmapped = text(&["unmapped"]),
    )
}

/// What names an object within its own event (C5): its uid, else its e-mail in lower case, else its name.
fn identity(class: &EventClass, object: &str) -> Vec<String> {
    [("uid", "nullif(trim({}), '')"), ("email_addr", "lower({})"), ("name", "{}")]
        .into_iter()
        .map(|(field, form)| (format!("{object}.{field}"), form))
        .filter(|(path, _)| has(class, path))
        .map(|(path, form)| form.replace("{}", &quote(&path)))
        .collect()
}

/// The acting user, else the application that acted.
fn who(class: &EventClass) -> Vec<String> {
    let mut candidates = identity(class, "actor.user");
    let apps = ["actor.app_uid", "actor.app_name"].into_iter().filter(|path| has(class, path));
    candidates.extend(apps.map(|path| format!("'app:' || {}", quote(path))));
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
