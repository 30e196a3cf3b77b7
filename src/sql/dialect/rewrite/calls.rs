//! Functions of DuckDB, PostgreSQL and Athena that are other words for what the engine has.
//!
//! Those here need another clause or another kind of expression; what is only another name is an alias, and what the
//! engine lacks is a function of its own (`functions`).

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident, LimitClause, ObjectName, ObjectNamePart,
    OrderByExpr, OrderByKind, OrderByOptions, Query, SelectItem, SetExpr, Subscript, TimezoneInfo, UnaryOperator,
    Value, ValueWithSpan, VisitorMut,
};

use super::super::grammar::call;
use crate::error::{Error, Result};

/// A function that is rewritten: name, other names, how it is called, what it does, an example over any events.
pub struct Rewritten {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub kind: &'static str,
    pub syntax: &'static str,
    pub description: &'static str,
    pub example: &'static str,
}

const fn entry(
    name: &'static str,
    aliases: &'static [&'static str],
    kind: &'static str,
    syntax: &'static str,
    description: &'static str,
    example: &'static str,
) -> Rewritten {
    Rewritten { name, aliases, kind, syntax, description, example }
}

/// Every function that [`Calls`] rewrites, for help.
pub const REWRITTEN: &[Rewritten] = &[
    entry(
        "any_value",
        &["arbitrary"],
        "aggregate",
        "any_value(x)",
        "Any value that is not null.",
        "any_value(message)",
    ),
    entry(
        "arg_max",
        &["max_by"],
        "aggregate",
        "arg_max(x, by)",
        "The value of `x` where `by` is largest; rows where one of them is null do not count.",
        "arg_max(message, time)",
    ),
    entry(
        "arg_min",
        &["min_by"],
        "aggregate",
        "arg_min(x, by)",
        "The value of `x` where `by` is smallest; rows where one of them is null do not count.",
        "arg_min(message, time)",
    ),
    entry(
        "count_if",
        &["countif"],
        "aggregate",
        "count_if(condition)",
        "How many rows meet a condition.",
        "count_if(severity_id > 3)",
    ),
    entry(
        "first",
        &[],
        "aggregate",
        "first(x order by y)",
        "The first value, null or not.",
        "first(message order by time)",
    ),
    entry(
        "last",
        &[],
        "aggregate",
        "last(x order by y)",
        "The last value, null or not.",
        "last(message order by time)",
    ),
    entry(
        "quantile",
        &["quantile_disc", "percentile_disc"],
        "aggregate",
        "quantile(x, share)",
        "The smallest value that at least this share of the values does not exceed; of a list of shares, a list.",
        "quantile(severity_id, 0.9)",
    ),
    entry(
        "quantile_cont",
        &[],
        "aggregate",
        "quantile_cont(x, share)",
        "The value at a share of the sorted values, between two values a number between them; of a list of shares, a list.",
        "quantile_cont(severity_id, [0.5, 0.9])",
    ),
    entry(
        "approx_quantile",
        &["approx_percentile"],
        "aggregate",
        "approx_quantile(x, share)",
        "About the value at a share of the sorted values, in little memory.",
        "approx_quantile(severity_id, 0.9)",
    ),
    entry(
        "if",
        &["iff", "iif"],
        "scalar",
        "if(condition, then, otherwise)",
        "One of two values; without a third argument null.",
        "if(severity_id > 3, 'high', 'low')",
    ),
    entry("date", &[], "scalar", "date(x)", "The day of a time, or of a text such as '2026-01-31'.", "date(time)"),
    entry("year", &[], "scalar", "year(time)", "The year of a time.", "year(time)"),
    entry("quarter", &[], "scalar", "quarter(time)", "The quarter of a time, 1 to 4.", "quarter(time)"),
    entry("month", &[], "scalar", "month(time)", "The month of a time, 1 to 12.", "month(time)"),
    entry("week", &["weekofyear", "week_of_year"], "scalar", "week(time)", "The ISO week of a time.", "week(time)"),
    entry("day", &["dayofmonth", "day_of_month"], "scalar", "day(time)", "The day of the month.", "day(time)"),
    entry("dayofyear", &["day_of_year", "doy"], "scalar", "dayofyear(time)", "The day of the year.", "dayofyear(time)"),
    entry(
        "dayofweek",
        &["dow", "weekday"],
        "scalar",
        "dayofweek(time)",
        "The day of the week, Sunday being 0.",
        "dayofweek(time)",
    ),
    entry(
        "isodow",
        &["day_of_week"],
        "scalar",
        "isodow(time)",
        "The day of the week, Monday being 1 and Sunday 7.",
        "isodow(time)",
    ),
    entry("hour", &[], "scalar", "hour(time)", "The hour of a time, 0 to 23.", "hour(time)"),
    entry("minute", &[], "scalar", "minute(time)", "The minute of a time.", "minute(time)"),
    entry("second", &[], "scalar", "second(time)", "The second of a time, whole.", "second(time)"),
    entry(
        "epoch",
        &[],
        "scalar",
        "epoch(time)",
        "Seconds since 1970, or the seconds of a difference of times.",
        "epoch(time)",
    ),
    entry("dayname", &[], "scalar", "dayname(time)", "The name of the day, in English.", "dayname(time)"),
    entry("monthname", &[], "scalar", "monthname(time)", "The name of the month, in English.", "monthname(time)"),
    entry(
        "timezone",
        &[],
        "scalar",
        "timezone(zone, time)",
        "The time as clocks in a zone show it: `time at time zone zone`.",
        "timezone('Europe/Berlin', time)",
    ),
    entry("last_day", &[], "scalar", "last_day(time)", "The last day of the month.", "last_day(time)"),
    entry("age", &[], "scalar", "age(later, earlier)", "The difference of two times.", "age(now(), time)"),
    entry(
        "regexp_extract",
        &[],
        "scalar",
        "regexp_extract(text, pattern, group)",
        "What a regular expression finds first, or a group of it in parentheses; null when it finds nothing.",
        "regexp_extract(message, '(\\w+) (\\w+)', 2)",
    ),
    entry(
        "regexp_full_match",
        &[],
        "scalar",
        "regexp_full_match(text, pattern)",
        "Whether the whole text fits a regular expression.",
        "regexp_full_match(message, 'user .*')",
    ),
    entry(
        "json_extract_string",
        &["json_extract_scalar", "json_value"],
        "scalar",
        "json_extract_string(json, '$.path')",
        "The value at a path such as '$.trace.id' or '$.items[0]', as text.",
        "json_extract_string(unmapped, '$.trace.id')",
    ),
    entry(
        "json_extract",
        &["json_query", "json_extract_path"],
        "scalar",
        "json_extract(json, '$.path')",
        "The value at a path such as '$.trace' or '$.items[0]', as JSON.",
        "json_extract(unmapped, '$.trace')",
    ),
    entry(
        "json_exists",
        &[],
        "scalar",
        "json_exists(json, '$.path')",
        "Whether there is something at a path.",
        "json_exists(unmapped, '$.trace.id')",
    ),
];

pub struct Calls;

impl VisitorMut for Calls {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                *expr = call("at_time_zone", vec![timestamp.as_ref().clone(), time_zone.as_ref().clone()]);
            }
            Expr::BinaryOp { left, op, right } if json(op).is_some() => {
                if let Some(function) = json(op) {
                    let mut arguments = steps_of(left);
                    arguments.push(right.as_ref().clone());
                    *expr = call(function, arguments);
                }
            }
            // A power in DuckDB and PostgreSQL; the parser takes it for a bitwise operation.
            Expr::BinaryOp { left, op: BinaryOperator::BitwiseXor, right } => {
                *expr = call("power", vec![left.as_ref().clone(), right.as_ref().clone()]);
            }
            Expr::BinaryOp { op: BinaryOperator::DuckIntegerDivide, .. } => {
                return ControlFlow::Break(
                    Error::input("`//` is not supported")
                        .hint("a / b of whole numbers is a whole number; else write floor(a / b)"),
                );
            }
            Expr::Subquery(query) => first_of(query),
            Expr::Function(function) => {
                let Some(name) = name_of(function) else { return ControlFlow::Continue(()) };
                match rewritten(&name, function) {
                    Ok(Some(made)) => *expr = made,
                    Ok(None) => {}
                    Err(error) => return ControlFlow::Break(error),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `(select x from t order by y limit 1)` is `(select first_value(x order by y) from t)`, which the engine makes a join of
/// also where it names columns of the query around it.
fn first_of(query: &mut Query) {
    let Query { with: None, body, order_by: Some(order_by), limit_clause: Some(limit), .. } = query else { return };
    let LimitClause::LimitOffset { limit: Some(Expr::Value(one)), offset: None, .. } = limit else { return };
    let OrderByKind::Expressions(order) = &order_by.kind else { return };
    let (SetExpr::Select(select), Value::Number(digits, _)) = (body.as_mut(), &one.value) else { return };
    let is_plain = select.distinct.is_none() && select.having.is_none() && select.qualify.is_none();
    let is_ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    if digits != "1" || !is_plain || !is_ungrouped {
        return;
    }
    let (value, name) = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(value)] => (value.clone(), None),
        [SelectItem::ExprWithAlias { expr, alias }] => (expr.clone(), Some(alias.clone())),
        _ => return,
    };
    let order = order.iter().map(|by| {
        let is_value = match &by.expr {
            Expr::Value(ValueWithSpan { value: Value::Number(place, _), .. }) => place == "1",
            Expr::Identifier(ident) => Some(ident) == name.as_ref(),
            _ => false,
        };
        OrderByExpr { expr: if is_value { value.clone() } else { by.expr.clone() }, ..by.clone() }
    });
    let order: Vec<OrderByExpr> = order.collect();
    let mut first = call("first_value", vec![value]);
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut first {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    select.projection = vec![match name {
        Some(alias) => SelectItem::ExprWithAlias { expr: first, alias },
        None => SelectItem::UnnamedExpr(first),
    }];
    query.order_by = None;
    query.limit_clause = None;
}

/// The function behind an operator of JSON text.
fn json(op: &BinaryOperator) -> Option<&'static str> {
    match op {
        // As JSON text, as in psql: the engine's own is one of many types in one.
        BinaryOperator::Arrow => Some("json_get_json"),
        BinaryOperator::LongArrow => Some("json_as_text"),
        BinaryOperator::Question => Some("json_contains"),
        _ => None,
    }
}

/// What a step is taken from: another one's text and steps, so that the text is read once.
fn steps_of(json: &Expr) -> Vec<Expr> {
    match json {
        Expr::Function(function) if name_of(function).as_deref() == Some("json_get_json") => {
            arguments(function).unwrap_or_else(|| vec![json.clone()])
        }
        other => vec![other.clone()],
    }
}

fn name_of(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident.value.to_lowercase()),
        _ => None,
    }
}

/// Plain arguments; `None` when one is named or a `*`.
fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

fn rewritten(name: &str, function: &Function) -> Result<Option<Expr>> {
    let Some(args) = arguments(function) else { return Ok(None) };
    Ok(match (name, args.as_slice()) {
        ("count_if" | "countif", [condition]) => {
            let mut made = function.clone();
            rename(&mut made, "count");
            set_arguments(&mut made, vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]);
            add_filter(&mut made, condition.clone());
            Some(Expr::Function(made))
        }
        ("arg_max" | "max_by" | "arg_min" | "min_by", [value, by]) => {
            let mut made = function.clone();
            rename(&mut made, "first_value");
            set_arguments(&mut made, vec![plain(value.clone())]);
            add_filter(&mut made, and(is_not_null(value.clone()), is_not_null(by.clone())));
            order_by(&mut made, by.clone(), matches!(name, "arg_min" | "min_by"));
            Some(Expr::Function(made))
        }
        ("any_value" | "arbitrary", [value]) => {
            let mut made = function.clone();
            rename(&mut made, "first_value");
            add_filter(&mut made, is_not_null(value.clone()));
            Some(Expr::Function(made))
        }
        ("first", [_]) => Some(renamed(function, "first_value")),
        ("last", [_]) => Some(renamed(function, "last_value")),
        ("quantile" | "quantile_disc", [value, share]) => Some(each(share, |share| discrete(function, value, share))),
        // `percentile_disc(0.5) within group (order by x)`.
        ("percentile_disc", [share]) => match function.within_group.as_slice() {
            [by] => Some(each(share, |share| discrete(function, &by.expr, share))),
            _ => None,
        },
        ("mode", []) => match function.within_group.as_slice() {
            [by] => {
                let mut made = renamed_function(function, "mode");
                made.within_group.clear();
                set_arguments(&mut made, vec![plain(by.expr.clone())]);
                Some(Expr::Function(made))
            }
            _ => None,
        },
        ("quantile_cont", [value, share]) => {
            Some(each(share, |share| with_arguments(function, "percentile_cont", vec![value.clone(), share.clone()])))
        }
        ("approx_quantile" | "approx_percentile", [value, share]) => Some(each(share, |share| {
            with_arguments(function, "approx_percentile_cont", vec![value.clone(), share.clone()])
        })),
        ("if" | "iff" | "iif", [condition, then, rest @ ..]) if rest.len() < 2 => Some(Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand: None,
            conditions: vec![CaseWhen { condition: condition.clone(), result: then.clone() }],
            else_result: rest.first().cloned().map(Box::new),
        }),
        ("date", [value]) => Some(cast(value.clone(), DataType::Date)),
        ("from_iso8601_timestamp", [value]) => {
            Some(cast(value.clone(), DataType::Timestamp(None, TimezoneInfo::WithTimeZone)))
        }
        ("from_iso8601_date", [value]) => Some(cast(value.clone(), DataType::Date)),
        ("timezone", [zone, time]) => Some(call("at_time_zone", vec![time.clone(), zone.clone()])),
        ("age", [later, earlier]) => Some(minus(later.clone(), earlier.clone())),
        ("epoch", [time]) => Some(part("epoch", time)),
        ("dayname", [time]) => Some(call("to_char", vec![time.clone(), text("%A")])),
        ("monthname", [time]) => Some(call("to_char", vec![time.clone(), text("%B")])),
        (_, [time]) if part_of(name).is_some() => part_of(name).map(|field| part(field, time)),
        ("regexp_extract", [subject, pattern, rest @ ..]) if rest.len() < 2 => {
            // The whole becomes the first group.
            let whole = call("concat", vec![text("("), pattern.clone(), text(")")]);
            let found = call("regexp_match", vec![subject.clone(), whole]);
            let group = match rest.first() {
                None => number("1"),
                Some(Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. })) => {
                    let group: u32 = digits.parse().map_err(|_| Error::input("a group is a whole number"))?;
                    number(&(group + 1).to_string())
                }
                Some(group) => plus(group.clone(), number("1")),
            };
            Some(call("array_element", vec![found, group]))
        }
        ("regexp_full_match", [subject, pattern]) => {
            let whole = call("concat", vec![text("^(?:"), pattern.clone(), text(")$")]);
            Some(call("regexp_like", vec![subject.clone(), whole]))
        }
        ("json_extract_string" | "json_extract_scalar" | "json_value", [json, path]) => {
            Some(call("json_as_text", steps(name, json, path)?))
        }
        ("json_extract" | "json_query" | "json_extract_path", [json, path]) => {
            Some(call("json_get_json", steps(name, json, path)?))
        }
        ("filter", [_, Expr::Lambda(_)]) => Some(renamed(function, "array_filter")),
        ("transform" | "apply" | "array_apply" | "list_apply", [_, Expr::Lambda(_)]) => {
            Some(renamed(function, "array_transform"))
        }
        ("none_match", [_, Expr::Lambda(_)]) => Some(not(renamed(function, "array_any_match"))),
        ("all_match", [list, Expr::Lambda(lambda)]) => {
            let mut opposite = lambda.clone();
            opposite.body = Box::new(not(Expr::Nested(opposite.body)));
            Some(not(with_arguments(function, "array_any_match", vec![list.clone(), Expr::Lambda(opposite)])))
        }
        // Of a map by a key, of a list by a place.
        ("element_at", [_, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. })]) => None,
        ("element_at", [_, _]) => Some(renamed(function, "array_element")),
        ("last_day", [time]) => {
            let month = call("date_trunc", vec![text("month"), time.clone()]);
            let next = call("date_add", vec![text("month"), number("1"), month]);
            Some(cast(call("date_add", vec![text("day"), number("-1"), next]), DataType::Date))
        }
        ("date_add", [time, by]) => Some(plus(time.clone(), by.clone())),
        ("date_sub", [time, by]) => Some(minus(time.clone(), by.clone())),
        ("json_get", [_, _, ..]) => Some(renamed(function, "json_get_json")),
        ("json_exists", [json, path]) => Some(call("json_contains", steps(name, json, path)?)),
        _ => None,
    })
}

/// The field of `date_part` that a function of that name takes.
fn part_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "year" => "year",
        "quarter" => "quarter",
        "month" => "month",
        "week" | "weekofyear" | "week_of_year" => "week",
        "day" | "dayofmonth" | "day_of_month" => "day",
        "dayofyear" | "day_of_year" | "doy" => "doy",
        "dayofweek" | "dow" | "weekday" => "dow",
        "isodow" | "day_of_week" => "isodow",
        "hour" => "hour",
        "minute" => "minute",
        "second" => "second",
        _ => return None,
    })
}

fn part(field: &str, time: &Expr) -> Expr {
    call("date_part", vec![text(field), time.clone()])
}

/// One result, or a list of results for a list of shares.
fn each(share: &Expr, one: impl Fn(&Expr) -> Expr) -> Expr {
    match share {
        Expr::Array(array) => call("make_array", array.elem.iter().map(one).collect()),
        share => one(share),
    }
}

/// The sorted values, and the one at the share of their number.
fn discrete(function: &Function, value: &Expr, share: &Expr) -> Expr {
    let mut values = renamed_function(function, "array_agg");
    values.within_group.clear();
    set_arguments(&mut values, vec![plain(value.clone())]);
    add_filter(&mut values, is_not_null(value.clone()));
    order_by(&mut values, value.clone(), true);
    let mut count = renamed_function(function, "count");
    count.within_group.clear();
    set_arguments(&mut count, vec![plain(value.clone())]);
    let product = Expr::BinaryOp {
        left: Box::new(cast(Expr::Nested(Box::new(share.clone())), DataType::DoublePrecision)),
        op: BinaryOperator::Multiply,
        right: Box::new(Expr::Function(count)),
    };
    let at = cast(call("ceil", vec![product]), DataType::BigInt(None));
    let index = call("greatest", vec![number("1"), at]);
    Expr::CompoundFieldAccess {
        root: Box::new(Expr::Nested(Box::new(Expr::Function(values)))),
        access_chain: vec![AccessExpr::Subscript(Subscript::Index { index })],
    }
}

/// The arguments of a JSON function, from a path such as `$.a.b[0]`.
fn steps(name: &str, json: &Expr, path: &Expr) -> Result<Vec<Expr>> {
    let wrong = || {
        Error::input(format!("`{name}` takes a path as text, such as '$.trace.id'"))
            .hint("a computed key stands behind ->>: unmapped->>key")
    };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(path), .. }) = path else { return Err(wrong()) };
    let mut arguments = vec![json.clone()];
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    if !path.starts_with('$') {
        // DuckDB and psql name a key alone.
        arguments.push(text(path));
        return Ok(arguments);
    }
    while !rest.is_empty() {
        let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']').ok_or_else(wrong)?;
            let index = index.trim();
            match index.strip_prefix(['\'', '"']).and_then(|index| index.strip_suffix(['\'', '"'])) {
                Some(key) => (text(key), after),
                None if !index.is_empty() && index.chars().all(|c| c.is_ascii_digit()) => (number(index), after),
                None => return Err(wrong()),
            }
        } else {
            let inner = rest.strip_prefix('.').ok_or_else(wrong)?;
            match inner.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
                Some((key, after)) => (text(key), after),
                None => {
                    let end = inner.find(['.', '[']).unwrap_or(inner.len());
                    if end == 0 || inner.starts_with('*') {
                        return Err(wrong());
                    }
                    (text(&inner[..end]), &inner[end..])
                }
            }
        };
        arguments.push(step);
        rest = after;
    }
    Ok(arguments)
}

fn renamed_function(function: &Function, name: &str) -> Function {
    let mut made = function.clone();
    rename(&mut made, name);
    made
}

fn renamed(function: &Function, name: &str) -> Expr {
    Expr::Function(renamed_function(function, name))
}

fn with_arguments(function: &Function, name: &str, arguments: Vec<Expr>) -> Expr {
    let mut made = renamed_function(function, name);
    set_arguments(&mut made, arguments.into_iter().map(plain).collect());
    Expr::Function(made)
}

fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName::from(vec![Ident::new(name)]);
}

fn plain(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn set_arguments(function: &mut Function, arguments: Vec<FunctionArg>) {
    if let FunctionArguments::List(list) = &mut function.args {
        list.args = arguments;
    }
}

fn add_filter(function: &mut Function, condition: Expr) {
    function.filter = Some(Box::new(match function.filter.take() {
        Some(old) => and(Expr::Nested(old), Expr::Nested(Box::new(condition))),
        None => condition,
    }));
}

/// Orders the arguments, or the window that the function runs over.
fn order_by(function: &mut Function, expr: Expr, is_ascending: bool) {
    let options = OrderByOptions { asc: Some(is_ascending), nulls_first: Some(false) };
    let by = OrderByExpr { expr, options, with_fill: None };
    if let FunctionArguments::List(list) = &mut function.args {
        list.clauses.push(FunctionArgumentClause::OrderBy(vec![by]));
    }
}

fn is_not_null(expr: Expr) -> Expr {
    Expr::IsNotNull(Box::new(expr))
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}

fn minus(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Minus, right: Box::new(right) }
}

fn plus(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Plus, right: Box::new(right) }
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_string()).into())
}

fn number(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.to_string(), false).into())
}
