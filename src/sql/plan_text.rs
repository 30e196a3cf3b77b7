//! The engine's text of an operator, in words for a reader of SQL.

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat};
use regex::{Captures, Regex};

/// Characters of one detail: a case expression may have thousands.
const LONGEST: usize = 240;
/// Characters of an expression that a projection computes; a longer one is named only.
const SHORT: usize = 60;

/// Keys of the engine's text that say how rather than what.
const HOW: &[&str] = &[
    "preserve_partitioning",
    "file_groups",
    "file_type",
    "pruning_predicate",
    "required_guarantees",
    "output_ordering",
    "output_orderings",
    "mode",
    "partition_sizes",
    "partitions",
    "ordering_mode",
    "maintains_sort_order",
    "projection_pushdown",
    "filter_pushdown",
    "NullsEqual",
];

/// Splits a name into words: `HashJoinExec` is `Hash join`.
pub fn words(name: &str) -> String {
    let mut text = String::new();
    let name = name.split('(').next().unwrap_or_default();
    for c in name.trim_end_matches("Exec").chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.extend([' ', c.to_ascii_lowercase()]);
        } else {
            text.push(c);
        }
    }
    text
}

/// Returns the columns that a projection computes; those that it only passes on or renames are left out.
pub fn computed(text: &str) -> String {
    let inner = text.strip_prefix("expr=[").and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let is_plain = |expression: &str| {
        plain(expression).chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '(' | ')' | '*'))
    };
    let named = split(inner).into_iter().filter_map(|part| part.rsplit_once(" as "));
    let computed = named.filter(|(expression, name)| !is_plain(expression) && !name.starts_with("__"));
    let parts = computed.map(|(expression, name)| match plain(expression) {
        short if short.chars().count() <= SHORT => format!("{name} = {short}"),
        _ => name.to_string(),
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// Reduces the engine's `key=value, ...` to what a reader wants to know.
pub fn detail(text: &str, is_scan: bool) -> String {
    let mut parts = Vec::new();
    for part in split(text) {
        let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_');
        let (key, value) = part.split_once('=').filter(|(key, _)| is_key(key)).unwrap_or(("", part));
        let value = value.trim();
        let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap_or(value);
        if HOW.contains(&key) || inner.is_empty() {
            continue;
        }
        let inner = match key {
            "projection" if is_scan => paths(inner),
            "gby" => split(inner).into_iter().map(unaliased).collect::<Vec<_>>().join(", "),
            _ => plain(inner),
        };
        let inner = shortened(&inner, LONGEST);
        let fetch = inner.strip_prefix("TopK(fetch=").and_then(|rest| rest.strip_suffix(')'));
        parts.push(match (key, fetch) {
            (_, Some(rows)) => format!("first {rows}"),
            ("" | "expr" | "aggr", _) => inner,
            ("gby", _) => format!("by {inner}"),
            ("predicate" | "filter", _) => format!("where {inner}"),
            ("projection", _) => format!("columns {inner}"),
            ("join_type", _) => inner.to_lowercase(),
            ("fetch", _) => format!("first {inner}"),
            (other, _) => format!("{other} {inner}"),
        });
    }
    parts.join("; ")
}

/// Removes a redundant alias: `outcome@0 as outcome` is `outcome`.
fn unaliased(part: &str) -> String {
    let text = plain(part);
    match text.rsplit_once(" as ") {
        Some((expression, name)) if expression == name || name.starts_with("__") => expression.to_string(),
        Some((_, name)) => name.to_string(),
        None => text,
    }
}

/// Returns the columns and members that a scan's projection reads, each once.
fn paths(projection: &str) -> String {
    let text = plain(projection);
    let mut found: Vec<&str> = Vec::new();
    for part in split(&text) {
        let expression = part.rsplit_once(" as ").map_or(part, |(expression, _)| expression);
        // A name before a parenthesis is a function, and the engine's keywords are in capitals.
        let words = expression.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '(')));
        let is_name = |word: &&str| {
            word.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && !word.contains('(')
                && !word.chars().all(char::is_uppercase)
        };
        for word in words.flat_map(|word| word.rsplit('(').next()).filter(is_name) {
            if !found.contains(&word) {
                found.push(word);
            }
        }
    }
    found.join(", ")
}

/// Splits at the commas outside of brackets and strings.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start, mut is_string) = (Vec::new(), 0_i32, 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => is_string = !is_string,
            _ if is_string => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn shortened(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// Writes the engine's expressions as a person would: `n@1` is `n`, `get_field(a, b)` is `a.b`, `Int64(1)` is `1`, and
/// microseconds since the epoch are a time.
fn plain(text: &str) -> String {
    let mut text = text.to_string();
    for (pattern, written) in WRITTEN.iter() {
        text = pattern.replace_all(&text, *written).into_owned();
    }
    let text = MEMBER.replace_all(&text, |found: &Captures<'_>| found[1].replace(", ", "."));
    let time = |found: &Captures<'_>| {
        let time = found[0].parse().ok().and_then(DateTime::from_timestamp_micros);
        time.map_or(found[0].to_string(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    };
    MICROS.replace_all(&text, time).into_owned()
}

static WRITTEN: LazyLock<[(Regex, &str); 8]> = LazyLock::new(|| {
    [
        // This must not match in a text such as an address at 163.com.
        (r"([\w)])@\d+($|[ ,)\]])", "$1$2"),
        (r"count\((?:Int64\()?1\)?\)", "count(*)"),
        (r"\bU?Int(?:8|16|32|64)\((-?\d+)\)", "$1"),
        (r"\bFloat(?:32|64)\((-?[\d.e]+)\)", "$1"),
        (r#"\bUtf8(?:View)?\("([^"]*)"\)"#, "'$1'"),
        (r"\bBoolean\((\w+)\)", "$1"),
        // The engine writes texts without quotes, and an empty one not at all.
        (r", ([,)])", ", ''$1"),
        (r"(!=|<|>|=) ?($| (?:AND|OR|THEN|ELSE|END)\b|\))", "$1 ''$2"),
    ]
    .map(|(pattern, written)| (compiled(pattern), written))
});
static MEMBER: LazyLock<Regex> = LazyLock::new(|| compiled(r"get_field\((\w+(?:, \w+)+)\)"));
/// Microseconds of times between 2001 and 2096.
static MICROS: LazyLock<Regex> = LazyLock::new(|| compiled(r"\b[1-3]\d{15}\b"));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants, which a test compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_says_what_it_does_and_not_how() {
        let said = |text| detail(text, false);
        assert_eq!(words("HashJoinExec"), "Hash join");
        assert_eq!(words("SortExec(TopK)"), "Sort");
        assert_eq!(said("expr=[n@1 DESC NULLS LAST], preserve_partitioning=[false]"), "n DESC NULLS LAST");
        assert_eq!(said("who@0 = x@163.com AND b@1 > 2"), "who = x@163.com AND b > 2");
        assert_eq!(said("nullif(btrim(a@0), ) != "), "nullif(btrim(a), '') != ''");
        assert_eq!(said("a@0 =  AND b@1 IS NOT NULL"), "a = '' AND b IS NOT NULL");
        assert_eq!(said("TopK(fetch=5), expr=[n@1 DESC]"), "first 5; n DESC");
        assert_eq!(
            said("mode=FinalPartitioned, gby=[outcome@0 as outcome], aggr=[count(Int64(1))]"),
            "by outcome; count(*)"
        );
        assert_eq!(said("get_field(actor@1, user, uid) = 'a, b'"), "actor.user.uid = 'a, b'");
        assert_eq!(
            detail(
                "file_groups={1 group: [[a/b.parquet, c]]}, projection=[time, get_field(actor@3, user, uid) as __x, \
                 CASE WHEN lower(status_id@1) = 1 THEN time END as y], predicate=time@0 > 1772323200000000",
                true
            ),
            "columns time, actor.user.uid, status_id; where time > 2026-03-01T00:00:00Z"
        );
    }

    #[test]
    fn a_projection_tells_what_it_computes() {
        assert_eq!(computed("expr=[who@0 as who, count(Int64(1))@1 as n, __common_expr_1@2 as x]"), "");
        assert_eq!(computed("expr=[who@0 as who, count(*)@1 as n]"), "");
        assert_eq!(computed("expr=[who@0 as who, a@1 + b@2 as sum]"), "sum = a + b");
        assert_eq!(computed(&format!("expr=[{} as long]", "a@1 + ".repeat(40))), "long");
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_said(text in "[a-c@1(),'=\\[\\] ]{0,40}") {
            detail(&text, true);
            computed(&text);
        }
    }
}
