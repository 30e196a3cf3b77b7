//! Clauses that the parser reads and the planner does not.
//!
//! A clause that is silently dropped changes the meaning of a statement: a sample becomes all rows. So each field of
//! the syntax tree is either read by the engine's planner, made into something that it reads (`rewrite`), or refused
//! here. The patterns name every field on purpose: a field that a new version of the parser adds does not compile until
//! somebody has checked what the planner does with it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, Fetch, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr, Join, JoinOperator,
    LimitClause, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectItem, TableAlias, TableFactor,
    TableFunctionArgs, TableWithJoins, Visit, Visitor, WildcardAdditionalOptions, With,
};

use crate::error::{Error, Result};

/// The kind of a function for the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Scalar,
    /// A function of windows only.
    Window,
    /// An aggregate or an unknown function.
    Other,
}

/// Refuses a statement with a clause that nothing would read.
pub fn check<T: Visit>(statement: &T, role: &dyn Fn(&str) -> Role) -> Result<()> {
    match statement.visit(&mut Unread { role }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Unread<'a> {
    role: &'a dyn Fn(&str) -> Role,
}

fn refuse(clause: &str, hint: &str) -> ControlFlow<Error> {
    let error = Error::input(format!("`{clause}` is not supported"));
    ControlFlow::Break(if hint.is_empty() { error } else { error.hint(hint) })
}

/// Refuses the first clause of a list that is set.
fn first_set(clauses: &[(bool, &str, &str)]) -> ControlFlow<Error> {
    match clauses.iter().find(|(is_set, ..)| *is_set) {
        Some((_, clause, hint)) => refuse(clause, hint),
        None => ControlFlow::Continue(()),
    }
}

const SAMPLE: &str = "for some rows, write order by random() limit 100; for a share of them, where random() < 0.1";

impl Visitor for Unread<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let Query {
            with,
            body: _,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        for cte in with.iter().flat_map(|With { with_token: _, recursive: _, cte_tables }| cte_tables) {
            let Cte { alias, query: _, from, materialized: _, closing_paren_token: _ } = cte;
            renamed(Some(alias))?;
            first_set(&[(from.is_some(), "from behind a query of `with`", "")])?;
        }
        if let Some(OrderBy { kind, interpolate }) = order_by {
            first_set(&[(interpolate.is_some(), "interpolate", "")])?;
            if let OrderByKind::Expressions(order) = kind {
                order.iter().try_for_each(ordered)?;
            }
        }
        if let Some(LimitClause::LimitOffset { limit: _, offset: _, limit_by }) = limit_clause {
            let hint = "write qualify row_number() over (partition by ... order by ...) <= n";
            first_set(&[(!limit_by.is_empty(), "limit by", hint)])?;
        }
        if let Some(Fetch { with_ties, percent, quantity: _ }) = fetch {
            first_set(&[
                (*with_ties, "with ties", "write qualify rank() over (order by ...) <= n"),
                (*percent, "fetch percent", "write qualify percent_rank() over (order by ...) <= 0.1"),
                (limit_clause.is_some(), "fetch beside limit", "say it with one of them"),
            ])?;
        }
        first_set(&[
            (!locks.is_empty(), "for update", "the lake is read only: there is nothing to lock; leave it out"),
            (for_clause.is_some(), "for xml, for json", "pick the format with --format or \\pset format"),
            (settings.is_some(), "settings", ""),
            (format_clause.is_some(), "format", "pick the format with --format or \\pset format"),
            (!pipe_operators.is_empty(), "|>", "write it as a query around a query"),
        ])
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct: _,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection: _,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having: _,
            named_window: _,
            qualify: _,
            window_before_qualify: _,
            value_table_mode,
            flavor: _,
        } = select;
        let modifiers = match group_by {
            GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => modifiers,
        };
        first_set(&[
            (!optimizer_hints.is_empty(), "a hint to the optimizer", ""),
            (select_modifiers.is_some(), "a modifier of `select`", ""),
            (top.is_some(), "top", "write limit n at the end"),
            (exclude.is_some(), "exclude at the end of a list", "write * exclude (column)"),
            (into.is_some(), "select into", "write results to a file with `-o FILE`"),
            (!lateral_views.is_empty(), "lateral view", "write cross join unnest(list) as t(item)"),
            (prewhere.is_some(), "prewhere", "write where"),
            (!connect_by.is_empty(), "connect by", "write with recursive"),
            (!modifiers.is_empty(), "group by ... with", "write group by rollup (a, b), cube (a, b) or grouping sets"),
            (!cluster_by.is_empty(), "cluster by", ""),
            (!distribute_by.is_empty(), "distribute by", ""),
            (!sort_by.is_empty(), "sort by", "write order by"),
            (value_table_mode.is_some(), "select as", ""),
        ])?;
        projection.iter().try_for_each(item)?;
        for TableWithJoins { relation: _, joins } in from {
            joins.iter().try_for_each(join)?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        table(factor)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        match expr {
            Expr::Function(function) => self.function(function),
            Expr::Collate { .. } => refuse("collate", "compare lower(text)"),
            Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
                refuse("like any", "write a like b or a like c")
            }
            Expr::JsonAccess { .. } => refuse(":", "take members of JSON text with ->> 'key'"),
            Expr::InUnnest { .. } => refuse("in unnest", "write array_has(list, value)"),
            Expr::MemberOf(_) => refuse("member of", "write array_has(list, value)"),
            Expr::IsNormalized { .. } => refuse("is normalized", ""),
            Expr::OuterJoin(_) => refuse("(+)", "write left join"),
            Expr::Prior(_) => refuse("prior", "write with recursive"),
            Expr::MatchAgainst { .. } => refuse("match against", "write like '%word%'"),
            Expr::Prefixed { .. } => refuse("a character set before a text", "leave it out"),
            Expr::Convert { .. } => refuse("convert", "write cast(x as type)"),
            Expr::Cast { format: Some(_), .. } => refuse("format in a cast", "write to_timestamp(text, format)"),
            Expr::Lambda(_) => ControlFlow::Continue(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Unread<'_> {
    fn function(&self, function: &Function) -> ControlFlow<Error> {
        let Function { name, uses_odbc_syntax: _, parameters, args, filter, null_treatment, over, within_group } =
            function;
        let shown = name.to_string();
        first_set(&[(*parameters != FunctionArguments::None, "parameters before arguments", "")])?;
        let (mut is_distinct, mut is_ordered, mut treats_nulls) = (false, false, null_treatment.is_some());
        if let FunctionArguments::List(list) = args {
            is_distinct = list.duplicate_treatment.is_some();
            for clause in &list.clauses {
                match clause {
                    FunctionArgumentClause::OrderBy(order) => {
                        order.iter().try_for_each(ordered)?;
                        is_ordered = true;
                    }
                    FunctionArgumentClause::IgnoreOrRespectNulls(_) => treats_nulls = true,
                    FunctionArgumentClause::Limit(_) => return refuse("limit in a call", "limit a query within"),
                    FunctionArgumentClause::OnOverflow(_) => return refuse("on overflow", ""),
                    FunctionArgumentClause::Having(_) => return refuse("having in a call", "write filter (where ...)"),
                    FunctionArgumentClause::Separator(_) => {
                        return refuse("separator", "write string_agg(text, ', ')");
                    }
                    FunctionArgumentClause::JsonNullClause(_) | FunctionArgumentClause::JsonReturningClause(_) => {
                        return refuse("null or returning in a call", "");
                    }
                }
            }
        }
        let is_window = over.is_some();
        if is_window && is_ordered {
            return refuse("order by among the arguments of a window function", "order in over (...) instead");
        }
        let unread = |clause: &str| {
            let what = format!("`{shown}` is not an aggregate: it does not take `{clause}`");
            ControlFlow::Break(Error::input(what))
        };
        match (self.role)(&shown.to_lowercase()) {
            Role::Scalar if filter.is_some() => unread("filter"),
            Role::Scalar if is_window => unread("over"),
            Role::Scalar if is_distinct => unread("distinct"),
            Role::Scalar if is_ordered || !within_group.is_empty() => unread("order by"),
            Role::Scalar if treats_nulls => unread("ignore nulls"),
            Role::Window if filter.is_some() => unread("filter"),
            Role::Window if is_distinct => unread("distinct"),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn ordered(order: &OrderByExpr) -> ControlFlow<Error> {
    let OrderByExpr { expr: _, options: _, with_fill } = order;
    first_set(&[(with_fill.is_some(), "with fill", "join with range(...) as the days that there should be")])
}

fn item(item: &SelectItem) -> ControlFlow<Error> {
    let options = match item {
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => return ControlFlow::Continue(()),
        SelectItem::ExprWithAliases { .. } => return refuse("several names for one column", ""),
        SelectItem::QualifiedWildcard(_, options) | SelectItem::Wildcard(options) => options,
    };
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike: _,
        opt_exclude: _,
        opt_except: _,
        opt_replace: _,
        opt_rename,
        opt_alias,
    } = options;
    first_set(&[
        (opt_rename.is_some(), "* rename", "write * exclude (column), column as name"),
        (opt_alias.is_some(), "* as", ""),
    ])
}

fn join(join: &Join) -> ControlFlow<Error> {
    let Join { relation: _, global, join_operator } = join;
    first_set(&[(*global, "global join", "leave `global` out")])?;
    match join_operator {
        JoinOperator::AsOf { .. } => refuse(
            "asof join",
            "join on times, and keep the newest with row_number() over (partition by ... order by time desc)",
        ),
        JoinOperator::CrossApply | JoinOperator::OuterApply => refuse("apply", "write join lateral (...) on true"),
        JoinOperator::StraightJoin(_) => refuse("straight_join", "write join"),
        JoinOperator::ArrayJoin | JoinOperator::LeftArrayJoin | JoinOperator::InnerArrayJoin => {
            refuse("array join", "write cross join unnest(list) as t(item)")
        }
        JoinOperator::Join(_)
        | JoinOperator::Inner(_)
        | JoinOperator::Left(_)
        | JoinOperator::LeftOuter(_)
        | JoinOperator::Right(_)
        | JoinOperator::RightOuter(_)
        | JoinOperator::FullOuter(_)
        | JoinOperator::CrossJoin(_)
        | JoinOperator::Semi(_)
        | JoinOperator::LeftSemi(_)
        | JoinOperator::RightSemi(_)
        | JoinOperator::Anti(_)
        | JoinOperator::LeftAnti(_)
        | JoinOperator::RightAnti(_) => ControlFlow::Continue(()),
    }
}

fn table(factor: &TableFactor) -> ControlFlow<Error> {
    match factor {
        TableFactor::Table {
            name: _,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            renamed(alias.as_ref())?;
            let settings = matches!(args, Some(TableFunctionArgs { args: _, settings: Some(_) }));
            first_set(&[
                (sample.is_some(), "tablesample", SAMPLE),
                (!with_hints.is_empty(), "with (...) behind a table", "leave it out"),
                (!index_hints.is_empty(), "a hint of an index", "leave it out"),
                (version.is_some(), "for system_time, at", "run the statement with --as-of"),
                (*with_ordinality, "with ordinality", "write row_number() over ()"),
                (!partitions.is_empty(), "partition (...)", "write where event_month = '2026-01'"),
                (json_path.is_some(), "a path behind a table", ""),
                (settings, "settings", ""),
            ])
        }
        TableFactor::Derived { lateral: _, subquery: _, alias, sample } => {
            renamed(alias.as_ref())?;
            first_set(&[(sample.is_some(), "tablesample", SAMPLE)])
        }
        TableFactor::UNNEST { alias, array_exprs: _, with_offset, with_offset_alias, with_ordinality } => {
            renamed(alias.as_ref())?;
            first_set(&[
                (*with_offset || with_offset_alias.is_some(), "with offset", "write row_number() over ()"),
                (*with_ordinality, "with ordinality", "write row_number() over ()"),
            ])
        }
        TableFactor::Function { lateral: _, name: _, args: _, with_ordinality, alias } => {
            renamed(alias.as_ref())?;
            first_set(&[(*with_ordinality, "with ordinality", "write row_number() over ()")])
        }
        TableFactor::NestedJoin { table_with_joins, alias } => {
            renamed(alias.as_ref())?;
            table_with_joins.joins.iter().try_for_each(join)
        }
        TableFactor::Pivot { alias, .. } => renamed(alias.as_ref()),
        TableFactor::TableFunction { .. } => refuse("table (...)", "call the function in `from`"),
        TableFactor::Unpivot { .. } => refuse("unpivot", "write one select for each column, with union all"),
        TableFactor::MatchRecognize { .. } => refuse("match_recognize", "use window functions"),
        TableFactor::JsonTable { .. } | TableFactor::OpenJsonTable { .. } | TableFactor::XmlTable { .. } => {
            refuse("json_table, openjson, xmltable", "take members of JSON text with ->> 'key'")
        }
        TableFactor::SemanticView { .. } => refuse("semantic_view", ""),
    }
}

fn renamed(alias: Option<&TableAlias>) -> ControlFlow<Error> {
    let Some(TableAlias { explicit: _, name: _, columns, at }) = alias else { return ControlFlow::Continue(()) };
    first_set(&[
        (columns.iter().any(|column| column.data_type.is_some()), "a type behind a name of a column", "write a cast"),
        (at.is_some(), "at behind a name of a table", ""),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;
    use datafusion::sql::parser::Statement;

    fn said(sql: &str) -> Option<String> {
        let statements = match parse(sql) {
            Ok(statements) => statements,
            Err(error) => return Some(error.to_string()),
        };
        let Some(Statement::Statement(statement)) = statements.front() else { panic!("{sql}") };
        let role = |name: &str| match name {
            "lower" => Role::Scalar,
            "row_number" => Role::Window,
            _ => Role::Other,
        };
        check(statement.as_ref(), &role).err().map(|error| error.to_string())
    }

    #[test]
    fn what_the_planner_would_drop_is_refused() {
        for sql in [
            "select * from t tablesample (10 percent)",
            "select * from t tablesample bernoulli (1)",
            "select * from (select 1) as x tablesample (10 percent)",
            "select * from t for update",
            "select * from t for share",
            "select * from t with (nolock)",
            "select * from t order by x fetch first 5 rows with ties",
            "select * from t fetch first 5 percent rows only",
            "select * from t limit 1 fetch first 2 rows only",
            "select x from t group by x with rollup",
            "select x from t group by x with totals",
            "select top 5 x from t",
            "select x from t limit 5 by x",
            "select x from t sort by x",
            "select lower(distinct x) from t",
            "select lower(x) filter (where y) from t",
            "select lower(x) over () from t",
            "select lower(x) ignore nulls from t",
            "select row_number() filter (where x) over () from t",
            "select array_agg(x order by y) over () from t",
            "select x collate \"C\" from t",
            "select * from t as a(x int)",
            "select 1 from t asof join s on true",
            "select * from range(3) with ordinality",
            "select string_agg(x, ',' limit 2) from t",
        ] {
            let text = said(sql);
            assert!(text.is_some(), "{sql} passed");
        }
    }

    #[test]
    fn what_it_reads_is_not() {
        for sql in [
            "select distinct on (x) x, y from t order by x, y desc nulls last limit 5 offset 2",
            "select x, count(*) filter (where y) over (partition by x order by z rows 2 preceding) from t",
            "select * exclude (x), lower(y) as z from t as a(x, y) join s using (x) qualify row_number() over () = 1",
            "with recursive r(n) as (select 1 union all select n + 1 from r) select * from r fetch first 5 rows only",
            "select x from t group by rollup (x) having count(*) > 1 window w as (order by x)",
            "select array_agg(distinct x order by x) from t",
            "select * replace (lower(x) as x) from t left semi join s on true",
        ] {
            assert_eq!(said(sql), None, "{sql}");
        }
    }
}
