//! Which texts a column can hold, where the schema or a view says so: for completion, and for a statement that found
//! nothing because it looked for a text that no row has.

use chrono::{DateTime, SecondsFormat};

use crate::schema::{EventClass, Ocsf};
use crate::typed::{Time, nearest, parse_time};

use super::token::{comparisons, is_one_of, named, text, tokens};

/// The values of `outcome`, in every view that has it (catalogue convention C7).
const OUTCOMES: [&str; 4] = ["success", "failure", "other", "unknown"];

/// The texts of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    pub known: Vec<String>,
    /// There are no others; otherwise a source may use its own.
    pub is_all: bool,
}

/// The texts of the column at a path, in the classes among `tables`, or in all classes when none is among them.
pub fn texts(ocsf: &Ocsf, tables: &[String], path: &str) -> Option<Texts> {
    let is_named = |name: &str| tables.iter().any(|table| table == name);
    let is_over_classes = tables.is_empty() || tables.iter().any(|table| ocsf.by_name(table).is_none());
    let all = |known: Vec<String>| Some(Texts { known, is_all: true });
    if is_over_classes {
        match path {
            "outcome" => return all(OUTCOMES.map(str::to_string).to_vec()),
            "class" => return all(ocsf.classes().iter().map(|class| class.name.clone()).collect()),
            _ => {}
        }
    }
    // The action of an event is the caption of its activity.
    let path = if path == "action" && is_over_classes { "activity_name" } else { path };
    let classes = ocsf.classes().iter().filter(|class| is_over_classes || is_named(&class.name));
    let mut known: Vec<String> = Vec::new();
    for text in classes.flat_map(|class| captions(class, path)) {
        if !known.contains(&text) {
            known.push(text);
        }
    }
    if known.is_empty() { None } else { Some(Texts { known, is_all: false }) }
}

/// The captions of an enumeration that a text column carries, or the ids of one that are texts themselves.
fn captions(class: &EventClass, path: &str) -> Vec<String> {
    let (parent, name) = path.rsplit_once('.').map_or((None, path), |(parent, name)| (Some(parent), name));
    let beside = |name: &str| parent.map_or(name.to_string(), |parent| format!("{parent}.{name}"));
    let mut found = Vec::new();
    let own = class.attribute(path).and_then(|attribute| attribute.captions.as_ref());
    for (id, _) in own.iter().flat_map(|captions| captions.entries()) {
        if id.parse::<i64>().is_err() {
            found.push(id.clone());
        }
    }
    // `status` carries the captions of `status_id`, `class_name` those of `class_uid`.
    let stem = name.strip_suffix("_name").unwrap_or(name);
    for id in [format!("{stem}_id"), format!("{stem}_uid"), format!("{name}_id")] {
        let attribute = class.attribute(&beside(&id)).filter(|attribute| attribute.sibling.as_deref() == Some(name));
        let captions = attribute.and_then(|attribute| attribute.captions.as_ref());
        found.extend(captions.iter().flat_map(|captions| captions.entries()).map(|(_, caption)| caption.clone()));
    }
    found
}

/// Notes on a statement that asks for times, none of which is between the oldest and the newest event (in microseconds).
pub fn outside(oldest: i64, newest: i64, now: i64, sql: &str) -> Option<String> {
    let words = tokens(sql);
    let is_time = |word: &str| matches!(word.rsplit('.').next(), Some("time" | "time_dt"));
    if !words.iter().any(|word| is_time(&word.to_lowercase())) {
        return None;
    }
    let asked = words.iter().filter_map(|word| match text(word) {
        // A number alone may be anything.
        Some(text) => text.contains('-').then(|| parse_time(&text).ok()).flatten().map(Time::micros),
        None => is_one_of(word, &["now", "current_timestamp", "current_date", "today"]).then_some(now),
    });
    let asked: Vec<i64> = asked.collect();
    let written =
        |micros| DateTime::from_timestamp_micros(micros).map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
    match asked.iter().max() {
        Some(last) if *last < oldest => Some(format!("the oldest event is of {}", written(oldest)?)),
        Some(_) if asked.iter().all(|time| *time > newest) => {
            Some(format!("the newest event is of {}", written(newest)?))
        }
        _ => None,
    }
}

/// Notes on a statement that found no row: texts that no row can have, and texts that were cut by a screen.
pub fn doubts(ocsf: &Ocsf, is_table: impl Fn(&str) -> bool, sql: &str) -> Vec<String> {
    let words = tokens(sql);
    let tables = named(&words, is_table);
    let names: Vec<String> = tables.iter().map(|(name, _)| name.clone()).collect();
    let mut told: Vec<String> = Vec::new();
    for (path, value) in comparisons(&words) {
        let prefix = |name: &str| path.strip_prefix(name)?.strip_prefix('.');
        let prefixes = tables.iter().flat_map(|(name, alias)| [Some(name.as_str()), *alias]).flatten();
        let path = prefixes.into_iter().find_map(prefix).unwrap_or(path);
        let note = if value.ends_with('…') {
            Some(format!("'{value}' ends as a cell that was cut does: take the whole value from `\\gx`"))
        } else {
            texts(ocsf, &names, path).and_then(|texts| wrong(path, &value, &texts))
        };
        told.extend(note.filter(|note| !told.contains(note)));
    }
    told
}

fn wrong(path: &str, value: &str, texts: &Texts) -> Option<String> {
    if texts.known.iter().any(|known| known == value) {
        return None;
    }
    let like = texts.known.iter().find(|known| known.to_lowercase() == value.to_lowercase());
    let near = || nearest(value, texts.known.iter().map(String::as_str));
    let meant = like.map(String::as_str).or_else(near);
    match (meant, texts.is_all) {
        (Some(meant), true) => Some(format!("`{path}` is never '{value}'; did you mean '{meant}'?")),
        (Some(meant), false) => Some(format!("`{path}` may never be '{value}'; did you mean '{meant}'?")),
        (None, true) => Some(format!("`{path}` is never '{value}'; it is one of {}", texts.known.join(", "))),
        // A source may use words of its own.
        (None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(sql: &str) -> Vec<String> {
        super::doubts(&Ocsf::load(None).unwrap(), |name| ["event", "authentication", "logon"].contains(&name), sql)
    }

    #[test]
    fn columns_of_enumerations_know_their_texts() {
        let ocsf = Ocsf::load(None).unwrap();
        let known = |tables: &[&str], path| {
            texts(&ocsf, &tables.iter().map(|table| table.to_string()).collect::<Vec<_>>(), path)
                .map(|texts| texts.known)
        };
        assert_eq!(known(&["event"], "outcome").unwrap(), OUTCOMES);
        assert!(known(&["event"], "class").unwrap().contains(&"user_access".to_string()));
        assert!(known(&["authentication"], "status").unwrap().contains(&"Failure".to_string()));
        assert!(known(&["authentication"], "activity_name").unwrap().contains(&"Logon".to_string()));
        assert_eq!(known(&["authentication"], "class_name").unwrap(), ["Authentication"]);
        assert_eq!(known(&["authentication"], "message"), None);
        assert_eq!(known(&["authentication"], "outcome"), None, "a class has no such column");
    }

    #[test]
    fn times_before_and_behind_all_events_are_told() {
        let day = |text: &str| parse_time(text).unwrap().micros();
        let told = |sql: &str| outside(day("2026-01-01"), day("2026-01-31"), day("2026-11-27"), sql);
        let (newest, oldest) =
            ("the newest event is of 2026-01-31T00:00:00.000Z", "the oldest event is of 2026-01-01T00:00:00.000Z");
        for sql in [
            "select * from event where time > '2026-02-01'",
            "select * from event e where e.time between timestamp '2026-03-01' and '2026-03-02'",
            "select * from event where time > now() - interval '1 day'",
        ] {
            assert_eq!(told(sql).as_deref(), Some(newest), "{sql}");
        }
        assert_eq!(told("from event where time < '2025-12-31'").as_deref(), Some(oldest));
        for sql in [
            "from event where time > '2026-01-02'",
            "from event where time between '2025-01-01' and '2026-02-01'",
            "from event where message = '2027-01-01'",
        ] {
            assert_eq!(told(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_text_that_no_row_has_is_told() {
        assert_eq!(
            doubts("select * from event e where e.outcome = 'Failure'"),
            ["`outcome` is never 'Failure'; did you mean 'failure'?"]
        );
        assert_eq!(
            doubts("select * from event where class in ('Authentication')"),
            ["`class` is never 'Authentication'; did you mean 'authentication'?"]
        );
        assert_eq!(
            doubts("select * from event where action = 'logon'"),
            ["`action` may never be 'logon'; did you mean 'Logon'?"]
        );
        assert!(doubts("select * from logon where outcome = 'zzz'")[0].contains("one of success, failure"));
        assert!(doubts("select * from event where _event_uid = 'WTDiK0Acsf…'")[0].contains("cut"));
        for fine in
            ["where outcome = 'failure'", "where outcome <> 'zzz'", "where action = 'Own word'", "where message = 'x'"]
        {
            assert_eq!(doubts(&format!("select * from event {fine}")), [""; 0], "{fine}");
        }
    }
}
