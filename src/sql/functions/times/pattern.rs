//! Patterns of times: those of C (`%Y-%m-%d`), of PostgreSQL (`YYYY-MM-DD`) and of MySQL and Athena (`%i` are minutes).

use chrono::format::{Item, StrftimeItems};
use datafusion::common::{Result, plan_err};

/// Templates of PostgreSQL, longest first where one begins another.
const TEMPLATES: [(&str, &str); 36] = [
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("am", "%P"),
    ("pm", "%P"),
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("IYYY", "%G"),
    ("Month", "%B"),
    ("Mon", "%b"),
    ("MM", "%m"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("Day", "%A"),
    ("Dy", "%a"),
    ("ID", "%u"),
    ("IW", "%V"),
    ("TZH", "%:z"),
    ("TZ", "%Z"),
    ("OF", "%:z"),
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("mm", "%m"),
    ("dd", "%d"),
    ("hh24", "%H"),
    ("hh12", "%I"),
    ("hh", "%I"),
    ("mi", "%M"),
    ("ss", "%S"),
    ("ms", "%3f"),
];

/// Templates of PostgreSQL without an equivalent here: they would stand for themselves.
const MISSING: [&str; 13] = ["MONTH", "MON", "DAY", "DY", "SSSS", "IDDD", "WW", "RM", "CC", "J", "Q", "W", "D"];

/// The limit of a pattern's letters: each may become a text of its own for each row.
const LONGEST: usize = 1000;

/// Returns a pattern in C's form.
pub fn as_c(pattern: &str) -> Result<String> {
    if pattern.contains('%') {
        return Ok(pattern.to_string());
    }
    let mut made = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        // Text in quotes stands for itself.
        if let Some((quoted, after)) = rest.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
            made.push_str(&quoted.replace('%', "%%"));
            rest = after;
            continue;
        }
        match TEMPLATES.iter().find(|(template, _)| rest.starts_with(template)) {
            Some((template, c)) => {
                made.push_str(c);
                rest = &rest[template.len()..];
            }
            None => {
                if let Some(template) = MISSING.iter().find(|template| rest.starts_with(**template)) {
                    return plan_err!(
                        "no template `{template}`: YYYY, MM, Mon, Month, DD, DDD, Dy, Day, IW, HH24, HH12, MI, SS, MS and AM are there; text stands in double quotes"
                    );
                }
                made.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    Ok(made)
}

/// Returns a pattern of MySQL and Athena in C's form.
pub fn of_mysql(pattern: &str) -> String {
    let mut made = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        made.push_str(match letters.next() {
            Some('i') => "%M",
            Some('s' | 'S') => "%S",
            Some('M') => "%B",
            Some('W') => "%A",
            Some('c') => "%-m",
            Some('e') => "%-d",
            Some('h') => "%I",
            Some('k') => "%-H",
            Some('l') => "%-I",
            Some('f') => "%6f",
            Some('v') => "%V",
            Some('x') => "%G",
            Some('r') => "%I:%M:%S %p",
            Some(other) => {
                made.push('%');
                made.push(other);
                continue;
            }
            None => "%%",
        });
    }
    made
}

/// Returns the parts of a pattern, each of which has a meaning.
pub fn items(pattern: &str) -> Result<Vec<Item<'_>>> {
    if pattern.len() > LONGEST {
        return plan_err!("the pattern has {} bytes; the limit is {LONGEST}", pattern.len());
    }
    let items: Vec<Item<'_>> = StrftimeItems::new(pattern).collect();
    if items.iter().any(|item| matches!(item, Item::Error)) {
        plan_err!("cannot read the pattern `{pattern}`: write it as in '%Y-%m-%d %H:%M:%S' or 'YYYY-MM-DD HH24:MI:SS'")
    } else {
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_three_worlds() {
        let as_c = |pattern: &str| as_c(pattern).unwrap();
        assert_eq!(as_c("YYYY-MM-DD HH24:MI:SS.MS"), "%Y-%m-%d %H:%M:%S.%3f");
        assert_eq!(as_c("%d.%m.%Y"), "%d.%m.%Y");
        assert_eq!(as_c("DD \"of\" Month"), "%d of %B");
        assert_eq!(of_mysql("%Y-%m-%d %H:%i:%s"), "%Y-%m-%d %H:%M:%S");
        for pattern in ["D", "MONTH YYYY", "YYYY Q"] {
            assert!(super::as_c(pattern).is_err(), "{pattern}");
        }
        assert!(items(&"%Y".repeat(600)).is_err());
        assert!(items("%Q").is_err() && items("%Y").is_ok());
    }
}
