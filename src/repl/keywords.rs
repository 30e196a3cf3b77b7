//! The words of SQL, for colours and for completion.

/// Words that make up a query, sorted; names of functions and columns are not among them.
pub const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "current_date",
    "current_timestamp",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "escape",
    "except",
    "exclude",
    "exists",
    "explain",
    "false",
    "filter",
    "first",
    "following",
    "from",
    "full",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "interval",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "null",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "preceding",
    "qualify",
    "range",
    "recursive",
    "replace",
    "right",
    "rows",
    "select",
    "show",
    "similar",
    "table",
    "tables",
    "then",
    "true",
    "unbounded",
    "union",
    "unnest",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
];

/// Words that go together, for completion.
pub const PHRASES: &[&str] = &[
    "cross join",
    "group by",
    "is not null",
    "is null",
    "left join",
    "not in",
    "order by",
    "partition by",
    "union all",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_and_phrases_consist_of_them() {
        assert!(KEYWORDS.is_sorted());
        for word in PHRASES.iter().flat_map(|phrase| phrase.split(' ')) {
            assert!(KEYWORDS.binary_search(&word).is_ok(), "{word}");
        }
    }
}
