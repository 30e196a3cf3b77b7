//! Texts of the engine in words.

use std::sync::LazyLock;

use regex::Regex;

use super::Known;
use super::names::{is_called, no_function, no_member, no_table};
use super::read_only;
use super::values::{cannot_compare, name, not_a_number};
use crate::error::Error;

/// The longest text of the engine that is passed on.
const LONGEST: usize = 240;

/// Says what a text of the engine means.
pub fn said(text: &str, known: &Known) -> Error {
    let text = bare(text);
    if let Some(table) = between(text, "table '", "' not found") {
        return no_table(table.rsplit('.').next().unwrap_or(table), known);
    }
    if let Some(table) = between(text, "table function '", "' not found") {
        return known.at(table, &format!("no table function `{table}`")).hint("`\\df` lists the functions");
    }
    // `get_field` over a struct that has no such member.
    if let Some(wrong) = between(text, "Field ", " not found in struct") {
        return no_member(wrong, known);
    }
    if let Some(wrong) = between(text, "Invalid function '", "'") {
        return no_function(wrong, known);
    }
    if text.contains("Dot access not supported") {
        return Error::input("a member cannot be taken with a dot here").hint("write value['member']");
    }
    if text.contains("Cannot access field at argument") {
        return no_struct(known);
    }
    if let Some(types) = text.split_once("for comparison operation ").map(|(_, types)| types) {
        return cannot_compare(types);
    }
    if let Some((value, kind)) =
        between(text, "Cannot cast string '", " type").and_then(|rest| rest.split_once("' to value of "))
    {
        return match name(kind) {
            "a number" => not_a_number(value, known),
            kind => known.at(value, &format!("cannot read the text '{value}' as {kind}")),
        };
    }
    if let Some(time) = between(text, "Error parsing timestamp from '", "'") {
        return no_time(time, &format!("cannot read the time '{time}'"), known);
    }
    if let Some(time) = between(text, "cannot read the time `", "`") {
        return no_time(time, &first_line(text).replace('`', "'"), known);
    }
    if let Some(error) = call(text, known) {
        return error;
    }
    if let Some(types) = between(text, "Cannot coerce arithmetic expression ", " to valid types") {
        let types = spoken(types);
        let hint = if types.contains("time") {
            "a time is moved by an interval: time + interval '1 day'"
        } else {
            "cast one of them: cast(x as bigint), cast(x as double)"
        };
        return Error::input(format!("{types} cannot be computed")).hint(hint);
    }
    if let Some(operator) = between(text, "binary operator '", "' is not supported") {
        let sign = match operator {
            "AtArrow" => "@>",
            "ArrowAt" => "<@",
            other => other,
        };
        return Error::input(format!("`{sign}` is not supported")).hint(
            "for lists, write array_has_all(a, b) or array_has_any(a, b); for JSON text, compare its members: \
             unmapped->>'key' = 'value'",
        );
    }
    if let Some(types) = text.split_once("for bitwise operation ").map(|(_, types)| types) {
        return Error::input(format!("{} cannot be computed", spoken(types)))
            .hint("to ask whether a network has an address, write cidr_match(address, '10.0.0.0/8')");
    }
    if text.contains("regex parse error") {
        let why = text.lines().find_map(|line| line.trim().strip_prefix("error: "));
        return Error::input(format!("cannot read the regular expression: {}", why.unwrap_or("it is not complete")))
            .hint("a letter that means itself stands behind a backslash: \\( \\. \\[");
    }
    if text.contains("is nested inside") {
        return Error::input("an aggregate stands within an aggregate")
            .hint("aggregate in a query of `with`, and aggregate its rows");
    }
    if text.starts_with("Aggregate functions are not allowed in the WHERE clause") {
        return Error::input("an aggregate cannot stand in `where`, which picks rows before they are aggregated")
            .hint("write it behind `having`, after `group by`");
    }
    if text.starts_with("Too many columns! The subquery should only return one column") {
        return Error::input("a subquery that stands for a value has one column").hint("select one column in it");
    }
    if let Some(table) = text.strip_prefix("Invalid qualifier ") {
        let table = table.trim_matches(['"', '`', '.']);
        return known
            .at(table, &format!("no table `{table}` in this `from`"))
            .hint("a table with an alias is known by the alias alone");
    }
    if let Some((value, kind)) = between(text, "Can't cast value ", "\n")
        .or_else(|| text.strip_prefix("Can't cast value "))
        .and_then(|rest| rest.split_once(" to type "))
    {
        return known.at(value, &format!("{value} is out of the range of {}", sized(kind)));
    }
    if let Some(from) = text.strip_prefix("Unsupported CAST from ") {
        let to = text.rsplit_once(" to ").map_or("another type", |(_, to)| name(to.trim()));
        let error = Error::input(format!("cannot cast {} to {to}", name(from)));
        return match name(from) {
            "a struct" => error.hint("name one of its members, as in actor.user.uid; `\\d TABLE` lists them"),
            _ => error.hint("`\\h` lists the functions"),
        };
    }
    if let Some(column) = between(text, "column \"", "\" must appear in the GROUP BY clause").or_else(|| {
        between(
            text,
            "Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column \"",
            "\"",
        )
    }) {
        let column = column.rsplit('.').next().unwrap_or(column);
        return known
            .at(column, &format!("`{column}` is neither grouped by nor within an aggregate"))
            .hint("write group by all, or put it into an aggregate such as max()");
    }
    if let Some(column) = between(text, "unqualified field name ", " which would be ambiguous")
        .or_else(|| between(text, "duplicate unqualified field name ", " "))
    {
        return super::twice(column.trim_matches('"'), known);
    }
    if text.starts_with("Projections require unique expression names") {
        return Error::input("two columns have one name").hint("give one of them another name: x as other");
    }
    if let Some(what) = between(text, "Physical plan does not support logical expression ", "(") {
        return unplanned(what, known);
    }
    if text.contains("Correlated scalar subquery must be aggregated") {
        return Error::input("a subquery gives one value for each row around, and this one may give several")
            .hint("put the value into an aggregate: max(x), or first(x order by y)");
    }
    if text.contains("null_aware anti join only supports") || text.contains("OuterReferenceColumn") {
        return unplanned("", known);
    }
    if text.contains("Expected LIMIT to be an integer") || text.contains("Expected OFFSET to be an integer") {
        return Error::input("`limit` and `offset` take whole numbers")
            .hint("a parameter is text unless it says so: --param n:int=3");
    }
    if text.starts_with("LIMIT must be >= 0") || text.starts_with("OFFSET must be >=") {
        return Error::input("`limit` and `offset` together are too large, or below nought")
            .hint("write a smaller number");
    }
    if let Some(columns) = between(text, "For SELECT DISTINCT, ORDER BY expressions ", " must appear in select list") {
        let column = columns.rsplit('.').next().unwrap_or(columns);
        return known
            .at(column, &format!("`select distinct` cannot be ordered by `{column}`, which is not selected"))
            .hint("select it as well");
    }
    if text.contains("queries have different number of columns")
        || text.contains("must have the same number of columns")
    {
        return Error::input("the queries of a set operation have different numbers of columns")
            .hint("select as many columns in each; union by name takes them by name");
    }
    if ["DDL not supported", "DML not supported", "Statement not supported"].iter().any(|no| text.contains(no)) {
        return read_only();
    }
    if text.starts_with("Plan: [") {
        return Error::input("the engine makes a plan of this statement that it does not accept itself")
            .hint("do a part of it in a query of `with` that ends in a limit or an aggregate");
    }
    if text.contains("Unsupported ast node") || text.contains("Unsupported SQL") {
        return Error::input("the statement has a form that is not supported")
            .hint("`\\h` shows what the functions take");
    }
    Error::input(spoken(text))
}

/// Returns the error about a statement that the engine cannot plan.
pub fn unplanned(what: &str, known: &Known) -> Error {
    let clause = match what {
        "Exists" => "exists",
        "InSubquery" => "in",
        _ => "select",
    };
    known.at(clause, "this subquery names columns of the query around it in a way that is not supported").hint(
        "a name that the subquery's own tables do not have is taken for one of the query around it: is it spelled as \
             they have it? Else compare with `=`, or join with a query of `with`",
    )
}

/// `unmapped.region`: a member of something that has none.
fn no_struct(known: &Known) -> Error {
    let error = Error::input("a member is taken of something that has no members");
    let json = known.ocsf.classes().iter().find_map(|class| {
        class.describe().into_iter().find_map(|field| {
            let is_json = field.ocsf_type == "json_t" || field.storage.as_str() != "typed" || field.path == "unmapped";
            let tail = known.sql.split(&format!("{}.", field.path)).nth(1)?;
            let key: String = tail.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            (is_json && !key.is_empty()).then(|| (field.path.clone(), key))
        })
    });
    match json {
        Some((path, key)) => known
            .at(&format!("{path}.{key}"), &format!("`{path}` is JSON text, which has no members"))
            .hint(format!("write {path}->>'{key}'")),
        None => {
            error.hint("`\\d TABLE` lists the columns; members of JSON text are taken with ->>: unmapped->>'region'")
        }
    }
}

/// Explains what is wrong with the call of a function.
fn call(text: &str, known: &Known) -> Option<Error> {
    // Functions of ours say themselves what they take.
    if let Some((function, why)) = between(text, "unction '", ". No function matches")
        .and_then(|rest| rest.split_once("' user-defined coercion failed with: "))
    {
        let why = bare(why);
        let is_ours = why.contains(" takes ");
        return Some(if is_ours { known.at(function, &spoken(why)) } else { wrong_call(function, known) });
    }
    let function = between(text, "satisfy a call to '", "' function")
        .or_else(|| between(text, "unction '", "' failed to match any signature"))
        .or_else(|| between(text, "unction '", "' requires "))
        .or_else(|| between(text, "unction '", "' expects "))
        .or_else(|| between(text, "unction '", "' expected "))
        .or_else(|| text.strip_prefix('\'')?.split_once("' does not support zero arguments").map(|(name, _)| name))
        .or_else(|| {
            text.split_once(" does not support type ").map(|(name, _)| name).filter(|name| !name.contains(' '))
        })?;
    let error = wrong_call(function, known);
    // The engine tries every kind of call, and says of each why it is not that one.
    static RECEIVED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"requires (?:Numeric|Integer|Float|Decimal|Duration)\b[^,]*, but received \w+ \(DataType: (\w+)")
            .expect("the pattern is constant")
    });
    match RECEIVED.captures(text) {
        Some(found) if name(&found[1]) != "a number" => {
            Some(known.at(function, &format!("`{function}` takes numbers, and this is {}", name(&found[1]))))
        }
        _ => Some(error),
    }
}

/// A text that is no time. A month is not one either: people mean its first moment, or its last.
fn no_time(time: &str, message: &str, known: &Known) -> Error {
    let error = known.at(time, message);
    let is_month = |text: &str| {
        let (year, month) = text.trim().split_once('-')?;
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        (year > 1000 && (1..=12).contains(&month)).then_some((year, month))
    };
    match is_month(time) {
        Some((year, month)) => {
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            error.hint(format!("a month is time >= '{year}-{month:02}-01' and time < '{next_year}-{next_month:02}-01'"))
        }
        None => error.hint("write '2026-01-31', '2026-01-31 12:00' or '2026-01-31T12:00:00Z'"),
    }
}

/// A type of whole numbers by its name in SQL.
fn sized(kind: &str) -> &'static str {
    let kind = kind.trim();
    let known = [
        ("Int8", "tinyint"),
        ("Int16", "smallint"),
        ("Int32", "integer"),
        ("Int64", "bigint"),
        ("UInt8", "tinyint unsigned"),
        ("UInt16", "smallint unsigned"),
        ("UInt32", "integer unsigned"),
        ("UInt64", "bigint unsigned"),
        ("Date32", "date"),
        ("Decimal", "decimal"),
    ];
    known.iter().find(|(name, _)| kind.starts_with(name)).map_or("its type", |(_, name)| name)
}

pub fn wrong_call(function: &str, known: &Known) -> Error {
    if ["array_element", "array_slice"].contains(&function) && known.sql.contains('[') {
        return Error::input("items are taken of lists, and this is none")
            .hint("letters of a text are substr(text, 1, 3); members of JSON text are taken with ->>");
    }
    let error = known.at(function, &format!("`{function}` cannot be called like this"));
    match known.functions().into_iter().find(|info| is_called(info, function)) {
        Some(function) => error.hint(format!("it is {}; `\\h {}` tells more", function.syntax, function.name)),
        None => error.hint("`\\h` lists the functions"),
    }
}

/// The text without the engine's headings.
fn bare(mut text: &str) -> &str {
    const HEADINGS: [&str; 9] = [
        "Error during planning: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Arrow error: ",
        "Compute error: ",
        "Cast error: ",
        "Parser error: ",
        "Schema error: ",
        "Internal error: ",
    ];
    while let Some(rest) = HEADINGS.iter().find_map(|heading| text.strip_prefix(heading)) {
        text = rest;
    }
    text
}

/// A text of the engine that nobody has put into words: one line, without names of its types.
fn spoken(text: &str) -> String {
    static LITERAL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?:Utf8|Utf8View|LargeUtf8)\("([^"]*)"\)"#).expect("the pattern is constant"));
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:Int8|Int16|Int32|Int64|UInt8|UInt16|UInt32|UInt64|Float32|Float64|Boolean)\(([^()]*)\)")
            .expect("the pattern is constant")
    });
    static TYPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b(?:Timestamp|Interval|Duration)\([^()]*\)|\b(?:Utf8View|LargeUtf8|Utf8|Int64|Int32|Float64|Boolean|Date32)\b")
            .expect("the pattern is constant")
    });
    let line = first_line(text);
    let line = LITERAL.replace_all(&line, "'$1'");
    let line = NUMBER.replace_all(&line, "$1");
    let line = TYPE.replace_all(&line, |found: &regex::Captures<'_>| match &found[0] {
        kind if kind.starts_with("Timestamp") => "time",
        kind if kind.starts_with("Interval") || kind.starts_with("Duration") => "interval",
        kind if kind.starts_with("Date") => "date",
        kind if kind.contains("Utf8") => "text",
        kind if kind.starts_with("Boolean") => "boolean",
        _ => "number",
    });
    // What is left of a syntax tree begins with a brace.
    let line = line.split(" {").next().unwrap_or_default();
    let mut words: String = line.chars().take(LONGEST).collect();
    if words.len() < line.len() {
        words.push_str(" ...");
    }
    let mut letters = words.chars();
    match letters.next() {
        // A name stays as it is.
        Some(first) if words.split(' ').next().is_some_and(|word| word.chars().skip(1).all(char::is_lowercase)) => {
            first.to_lowercase().chain(letters).collect::<String>().trim_end_matches('.').to_string()
        }
        _ => words.trim_end_matches('.').to_string(),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

/// DataFusion appends backtraces and long lists of candidates on lines of their own.
pub fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_string()
}
