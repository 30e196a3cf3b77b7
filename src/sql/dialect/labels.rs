//! Names result columns after the text that the user typed.
//!
//! The engine calls `select lower(x)
//! 'a'` something with `Utf8("a")` in it, which then heads a CSV file, and refuses two columns of one name, which psql
//! and DuckDB allow. So each column of the outermost `select` gets a name here: a path its own, anything else its text;
//! a name that is already taken gets a suffix that nobody types, and that is removed when the plan is made
//! (`unmarked`). Inner queries get usable names: a member its last word, a second `x` is `x_1`.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, SetQuantifier,
    TableFactor, TableWithJoins,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::grammar::AuditDialect;

/// The character that ends a name; a number follows that makes it unique. From the private use area: no typed name has it.
pub const MARK: char = '\u{e000}';

/// Returns the name without its mark.
pub fn unmarked(name: &str) -> &str {
    name.split(MARK).next().unwrap_or_default()
}

/// Names the columns of the outermost query.
pub fn outermost(sql: &str, query: &mut Query) {
    match query.body.as_mut() {
        SetExpr::Query(inner) => outermost(sql, inner),
        body => of_body(sql, body, true),
    }
}

/// Names the columns of a body; `is_first` says that the body gives its names to the result.
fn of_body(sql: &str, body: &mut SetExpr, is_first: bool) {
    match body {
        SetExpr::Select(select) if is_first => name(select, &texts(sql, select)),
        // Its names are not visible, but must still differ.
        SetExpr::Select(select) => within(select),
        SetExpr::Query(query) if is_first => of_body(sql, query.body.as_mut(), true),
        SetExpr::SetOperation { left, right, set_quantifier, .. } => {
            use SetQuantifier::{AllByName, ByName, DistinctByName};
            let is_by_name = matches!(set_quantifier, ByName | AllByName | DistinctByName);
            of_body(sql, left, is_first);
            of_body(sql, right, is_first && is_by_name);
        }
        _ => {}
    }
}

fn name(select: &mut Select, texts: &[String]) {
    let tables = tables(&select.from);
    let is_wild = has_wildcard(select);
    let mut seen = HashSet::new();
    for (place, item) in select.projection.iter_mut().enumerate() {
        let mut unique = |label: &str, is_taken: bool| {
            let is_new = seen.insert(label.to_string()) && !is_taken;
            if is_new { label.to_string() } else { format!("{label}{MARK}{place}") }
        };
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let own = plain(expr, &tables);
                // A wildcard may have a column of that name too.
                let (label, is_taken) = match (&own, texts.get(place)) {
                    (Some(name), _) => (name.clone(), is_wild),
                    (None, Some(text)) if !text.is_empty() => (text.clone(), false),
                    (None, _) => (path(expr, &tables).unwrap_or_else(|| expr.to_string()), false),
                };
                let label = match path(expr, &tables) {
                    Some(path) if own.is_none() => path,
                    _ => label,
                };
                let alias = unique(&label, is_taken);
                if own.as_ref() != Some(&alias) {
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', alias) };
                }
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                let label = folded(alias);
                let made = unique(&label, false);
                if made != label {
                    *alias = Ident::with_quote('"', made);
                }
            }
            _ => {}
        }
    }
}

/// Names the columns of a query within another, so that they can be used outside.
pub fn within(select: &mut Select) {
    let tables = tables(&select.from);
    let mut seen = HashSet::new();
    for item in &mut select.projection {
        let (name, is_named) = match item {
            SelectItem::UnnamedExpr(expr) => match (plain(expr, &tables), member(expr, &tables)) {
                (Some(name), _) => (name, true),
                (None, Some(name)) => (name, false),
                (None, None) => (expr.to_string(), true),
            },
            SelectItem::ExprWithAlias { alias, .. } => (folded(alias), true),
            _ => continue,
        };
        let mut made = name.clone();
        let mut number = 0;
        while !seen.insert(made.clone()) {
            number += 1;
            made = format!("{name}_{number}");
        }
        if is_named && made == name {
            continue;
        }
        let alias = Ident::with_quote('"', made);
        match item {
            SelectItem::UnnamedExpr(expr) => *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias },
            SelectItem::ExprWithAlias { alias: old, .. } => *old = alias,
            _ => {}
        }
    }
}

pub fn has_wildcard(select: &Select) -> bool {
    select.projection.iter().any(is_wildcard)
}

pub fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// Returns the names under which a `from` knows its tables.
pub fn tables(from: &[TableWithJoins]) -> Vec<String> {
    fn add(factor: &TableFactor, names: &mut Vec<String>) {
        match (alias(factor), factor) {
            (Some(name), _) => names.push(name),
            (None, TableFactor::NestedJoin { table_with_joins, .. }) => {
                names.extend(tables(std::slice::from_ref(table_with_joins.as_ref())));
            }
            _ => {}
        }
    }
    let mut names = Vec::new();
    for table in from {
        add(&table.relation, &mut names);
        table.joins.iter().for_each(|join| add(&join.relation, &mut names));
    }
    names
}

/// Returns the name of a table: its alias, else its own.
pub fn alias(factor: &TableFactor) -> Option<String> {
    let (alias, name) = match factor {
        TableFactor::Table { alias, name, .. } => (alias, Some(name)),
        TableFactor::Function { alias, name, .. } => (alias, Some(name)),
        TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. }
        | TableFactor::Pivot { alias, .. } => (alias, None),
        _ => return None,
    };
    match alias {
        Some(alias) => Some(folded(&alias.name)),
        None => last(name?),
    }
}

fn last(name: &ObjectName) -> Option<String> {
    match name.0.last()? {
        ObjectNamePart::Identifier(ident) => Some(folded(ident)),
        ObjectNamePart::Function(_) => None,
    }
}

/// Returns the name as the engine sees it.
pub fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        None => ident.value.to_lowercase(),
        Some(_) => ident.value.clone(),
    }
}

/// Returns the name of a column that is selected as it is.
fn plain(expr: &Expr, tables: &[String]) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(folded(ident)),
        Expr::CompoundIdentifier(idents) => match idents.as_slice() {
            [table, column] if tables.contains(&folded(table)) => Some(folded(column)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns `actor.user.uid`, without the table that it may begin with.
fn path(expr: &Expr, tables: &[String]) -> Option<String> {
    let idents = match expr {
        Expr::CompoundIdentifier(idents) => idents.clone(),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let mut idents = match root.as_ref() {
                Expr::Identifier(ident) => vec![ident.clone()],
                _ => return None,
            };
            for access in access_chain {
                match access {
                    AccessExpr::Dot(Expr::Identifier(ident)) => idents.push(ident.clone()),
                    _ => return None,
                }
            }
            idents
        }
        _ => return None,
    };
    let skipped = usize::from(idents.len() > 1 && tables.contains(&folded(&idents[0])));
    Some(idents[skipped..].iter().map(folded).collect::<Vec<_>>().join("."))
}

/// Returns the last word of a path, also below a cast: DuckDB and Trino name a member this way.
fn member(expr: &Expr, tables: &[String]) -> Option<String> {
    match expr {
        Expr::Cast { expr, .. } => member(expr, tables).or_else(|| plain(expr, tables)),
        Expr::Nested(inner) => member(inner, tables),
        _ => path(expr, tables).map(|path| path.rsplit('.').next().unwrap_or_default().to_string()),
    }
}

/// Returns the text of each item of a `select`, with single blanks; empty when the text cannot be trusted.
fn texts(sql: &str, select: &Select) -> Vec<String> {
    let begin = select.select_token.0.span.start;
    // A `select` that we made has no place in the text.
    if begin.line == 0 {
        return Vec::new();
    }
    let Ok(tokens) = Tokenizer::new(&AuditDialect, sql).tokenize_with_location() else { return Vec::new() };
    let lines: Vec<usize> = std::iter::once(0).chain(sql.match_indices('\n').map(|(place, _)| place + 1)).collect();
    let place = |location: Location| -> Option<usize> {
        let line = *lines.get(usize::try_from(location.line.checked_sub(1)?).ok()?)?;
        let column = usize::try_from(location.column.checked_sub(1)?).ok()?;
        let rest = sql.get(line..)?;
        rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column).map(|at| line + at)
    };
    let tokens: Vec<&TokenWithSpan> = tokens
        .iter()
        .filter(|token| (token.span.start.line, token.span.start.column) > (begin.line, begin.column))
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .collect();
    let mut items: Vec<Vec<&TokenWithSpan>> = vec![Vec::new()];
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => break,
            },
            Token::SemiColon | Token::EOF if depth == 0 => break,
            Token::Comma if depth == 0 => {
                items.push(Vec::new());
                continue;
            }
            Token::Word(word) if depth == 0 && word.quote_style.is_none() && ends(word.keyword) => {
                // `a is distinct from b`.
                let before = at.checked_sub(1).map(|at| &tokens[at].token);
                let is_part = word.keyword == Keyword::FROM
                    && matches!(before, Some(Token::Word(word)) if word.keyword == Keyword::DISTINCT);
                // `mode() within group (order by a)`.
                let is_part = is_part
                    || word.keyword == Keyword::GROUP
                        && matches!(before, Some(Token::Word(word)) if word.keyword == Keyword::WITHIN);
                // `a.group` is a path.
                if !is_part && before != Some(&Token::Period) {
                    break;
                }
            }
            _ => {}
        }
        if let Some(item) = items.last_mut() {
            item.push(token);
        }
    }
    // The list may end with a comma.
    if items.last().is_some_and(Vec::is_empty) {
        items.pop();
    }
    if items.len() != select.projection.len() {
        return Vec::new();
    }
    let text = |item: &Vec<&TokenWithSpan>| {
        let (first, last) = (item.first()?, item.last()?);
        let typed = sql.get(place(first.span.start)?..place(last.span.end)?)?;
        let letters: String = typed.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // A comment inside would change the text.
        (!typed.contains("--") && !typed.contains("/*"))
            .then(|| letters.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
    };
    // `distinct` and `distinct on (...)` come before the first item.
    if let Some(first) = items.first_mut() {
        drop_distinct(first);
    }
    items.iter().map(|item| text(item).unwrap_or_default()).map(|text| text.chars().take(200).collect()).collect()
}

fn drop_distinct(item: &mut Vec<&TokenWithSpan>) {
    let is = |token: Option<&&TokenWithSpan>, keyword: Keyword| matches!(token, Some(TokenWithSpan { token: Token::Word(word), .. }) if word.keyword == keyword);
    if is(item.first(), Keyword::ALL) {
        item.remove(0);
    }
    if !is(item.first(), Keyword::DISTINCT) {
        return;
    }
    item.remove(0);
    if is(item.first(), Keyword::ON) {
        let mut depth = 0_usize;
        let end = item.iter().position(|token| {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            token.token == Token::RParen && depth == 0
        });
        item.drain(..end.map_or(0, |end| end + 1));
    }
}

/// Returns whether a word ends the list of a `select`.
fn ends(keyword: Keyword) -> bool {
    use Keyword as K;
    matches!(
        keyword,
        K::FROM
            | K::WHERE
            | K::GROUP
            | K::HAVING
            | K::WINDOW
            | K::QUALIFY
            | K::UNION
            | K::EXCEPT
            | K::INTERSECT
            | K::ORDER
            | K::LIMIT
            | K::OFFSET
            | K::FETCH
    )
}
