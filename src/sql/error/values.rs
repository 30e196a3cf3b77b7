//! Values of one type that are compared with another.

use super::Known;
use crate::error::Error;

/// A text that is no number: where ids are meant, the captions that they have.
pub fn not_a_number(text: &str, known: &Known) -> Error {
    let Some(path) = known.compared_with(text) else {
        let error = known.at(text, &format!("cannot read the text '{text}' as a number"));
        let sql = known.sql.to_lowercase();
        return if sql.contains("cast(") || sql.contains("::") {
            error.hint("try_cast(x as bigint) is null where a text is no number")
        } else {
            error.hint("a column of texts is compared with texts: write the number in quotes, or cast the column")
        };
    };
    let error = known.at(text, &format!("`{path}` is a number, and '{text}' is not"));
    // Of the class that the statement reads, if it names one: ids mean something else in each.
    let (named, others): (Vec<_>, Vec<_>) =
        known.ocsf.classes().iter().partition(|class| known.sql.to_lowercase().contains(&class.name));
    let captions = named.into_iter().chain(others).find_map(|class| {
        let attribute = class.attribute(&path).or_else(|| class.attribute(path.split_once('.')?.1))?;
        attribute.captions.as_ref()
    });
    let Some(captions) = captions else { return error.hint("write a number") };
    let entries = captions.entries();
    let same = entries.iter().find(|(_, caption)| caption.eq_ignore_ascii_case(text));
    if let Some((id, caption)) = same {
        return error.hint(format!("{id} is {caption}: write {path} = {id}"));
    }
    let shown: Vec<String> = entries.iter().take(12).map(|(id, caption)| format!("{id} {caption}")).collect();
    let more = if entries.len() > 12 { ", ..." } else { "" };
    error.hint(format!("{path} is one of {}{more}", shown.join(", ")))
}

/// `types` is two types with an operator between them, as the engine writes them.
pub fn cannot_compare(types: &str) -> Error {
    let operators = [" = ", " != ", " < ", " <= ", " > ", " >= ", " IS DISTINCT FROM ", " IS NOT DISTINCT FROM "];
    // A struct's own text has none of them; the last one stands between the two.
    let place = operators.iter().filter_map(|operator| Some((types.rfind(operator)?, operator.len()))).max();
    let Some((at, length)) = place else { return Error::input("cannot compare values of these types") };
    let (left, right) = (name(types[..at].trim()), name(types[at + length..].trim()));
    let error = Error::input(format!("cannot compare {left} with {right}"));
    match (left, right) {
        ("a struct", _) | (_, "a struct") => {
            error.hint("name one of its members, as in actor.user.uid; `\\d TABLE` lists them")
        }
        ("a list", _) | (_, "a list") => error.hint("use array_has(list, value), or one item: list[1]"),
        ("a time", "a number") | ("a number", "a time") => {
            error.hint("write a time as text: '2026-01-31', or as ago('7d')")
        }
        _ => error.hint("cast one of them: cast(x as varchar)"),
    }
}

/// A type of the engine in words.
pub fn name(text: &str) -> &'static str {
    let known = [
        ("Struct", "a struct"),
        ("List", "a list"),
        ("Timestamp", "a time"),
        ("Date", "a date"),
        ("Utf8", "text"),
        ("LargeUtf8", "text"),
        ("Int", "a number"),
        ("UInt", "a number"),
        ("Float", "a number"),
        ("Decimal", "a number"),
        ("Boolean", "true or false"),
        ("Duration", "a length of time"),
        ("Interval", "a length of time"),
        ("Map", "a map"),
        ("Null", "null"),
    ];
    known.iter().find(|(start, _)| text.starts_with(start)).map_or("another type", |(_, name)| name)
}
