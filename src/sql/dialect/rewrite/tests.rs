//! Tests of the rewritten form of statements.

use datafusion::sql::parser::Statement;

use super::super::parse::parse;
use super::rewrite;

fn rewritten(sql: &str) -> String {
    let mut statement = match parse(sql).unwrap().pop_front() {
        Some(Statement::Statement(statement)) => *statement,
        other => panic!("{other:?}"),
    };
    match rewrite(sql, &mut statement) {
        Ok(()) => statement.to_string(),
        Err(error) => format!("{error}; {}", error.hint_text().unwrap_or_default()),
    }
}

#[test]
fn columns_are_named_after_the_text_that_was_typed() {
    for (sql, made) in [
        ("select time from t", "SELECT time FROM t"),
        ("select a.time from t a", "SELECT a.time FROM t a"),
        ("select lower( x )||'a' from t", "SELECT lower(x) || 'a' AS \"lower( x )||'a'\" FROM t"),
        ("select actor.user.uid from t", "SELECT actor.user.uid AS \"actor.user.uid\" FROM t"),
        ("select a.actor.user.uid from t a", "SELECT a.actor.user.uid AS \"actor.user.uid\" FROM t a"),
        ("select time::date\n from t order by time", "SELECT time::DATE AS \"time::date\" FROM t ORDER BY time"),
        (
            "select a is distinct from b, 1 from t",
            "SELECT a IS DISTINCT FROM b AS \"a is distinct from b\", 1 AS \"1\" FROM t",
        ),
        ("select distinct on (a) b+1 from t", "SELECT DISTINCT ON (a) b + 1 AS \"b+1\" FROM t"),
        ("select x -- no\n + 1 from t", "SELECT x + 1 AS \"x + 1\" FROM t"),
        ("select 1, 1", "SELECT 1 AS \"1\", 1 AS \"1\u{e000}1\""),
        ("select 1 as x, 2 as X", "SELECT 1 AS x, 2 AS \"x\u{e000}1\""),
        ("select *, time from t", "SELECT *, time AS \"time\u{e000}1\" FROM t"),
        ("select x from t union select lower(x) from t", "SELECT x FROM t UNION SELECT lower(x) FROM t"),
        ("from t select count(*)", "FROM t SELECT count(*) AS \"count(*)\""),
        ("from t limit 1", "FROM t SELECT * LIMIT 1"),
        (
            "with a as (select x.y.z, x.y.z, time::date from t) select 'ü'||z from a",
            "WITH a AS (SELECT x.y.z AS \"z\", x.y.z AS \"z_1\", time::DATE AS \"time\" FROM t) SELECT 'ü' || z AS \"'ü'||z\" FROM a",
        ),
    ] {
        assert_eq!(rewritten(sql), made, "{sql}");
    }
}

#[test]
fn what_is_ordered_by_is_a_place_where_it_is_selected() {
    for (sql, made) in [
        (
            "select distinct u.uid from t order by u.uid desc",
            "SELECT DISTINCT u.uid AS \"u.uid\" FROM t ORDER BY 1 DESC",
        ),
        ("select a, lower(b) as c from t order by lower(b), a", "SELECT a, lower(b) AS c FROM t ORDER BY 2, a"),
        ("select a, b from t order by all desc", "SELECT a, b FROM t ORDER BY 1 DESC, 2 DESC"),
        ("select 2 as x union all select 1 order by all", "SELECT 2 AS x UNION ALL SELECT 1 ORDER BY 1"),
        ("select *, lower(b) from t order by lower(b)", "SELECT *, lower(b) AS \"lower(b)\" FROM t ORDER BY lower(b)"),
    ] {
        assert_eq!(rewritten(sql), made, "{sql}");
    }
    assert!(rewritten("select * from t union select * from s order by all").contains("order by 1, 2"));
}

#[test]
fn paths_into_the_query_around_become_columns_and_members() {
    assert_eq!(
        rewritten("select 1 as x from t a where exists (select 1 from s b where b.u.uid = a.act.u.uid and b.t < a.t)"),
        "SELECT 1 AS x FROM t a WHERE EXISTS (SELECT 1 FROM s b WHERE b.u.uid = a.act['u']['uid'] AND b.t < a.t)"
    );
    assert_eq!(
        rewritten("select x from t where u.uid in (select act.u.uid from s where n = t.u.n)"),
        "SELECT x FROM t WHERE u.uid IN (SELECT act['u']['uid'] AS \"uid\" FROM s WHERE n = t.u['n'])"
    );
    assert_eq!(rewritten("select l[1].name.x as y from t"), "SELECT l[1]['name']['x'] AS y FROM t");
}

#[test]
fn a_merged_column_is_whichever_side_has_it() {
    assert_eq!(
        rewritten("select uid, n from a full join b using (uid) where uid > 'a' order by uid"),
        "SELECT coalesce(\"a\".\"uid\", \"b\".\"uid\") AS uid, n FROM a FULL JOIN b ON \"a\".\"uid\" = \"b\".\"uid\" \
         WHERE coalesce(\"a\".\"uid\", \"b\".\"uid\") > 'a' ORDER BY uid"
    );
    assert_eq!(
        rewritten("select n from a right join b using (k) order by k"),
        "SELECT n FROM a RIGHT JOIN b ON \"a\".\"k\" = \"b\".\"k\" ORDER BY \"b\".\"k\""
    );
    assert_eq!(
        rewritten("select * from a full join b using (k)"),
        "SELECT coalesce(\"a\".\"k\", \"b\".\"k\") AS \"k\", \"a\".* EXCLUDE (\"k\"), \"b\".* EXCLUDE (\"k\") \
         FROM a FULL JOIN b ON \"a\".\"k\" = \"b\".\"k\""
    );
    assert_eq!(
        rewritten("select k from a full join b using (k) full join c using (k)"),
        "SELECT coalesce(coalesce(\"a\".\"k\", \"b\".\"k\"), \"c\".\"k\") AS k FROM a FULL JOIN b ON \
         \"a\".\"k\" = \"b\".\"k\" FULL JOIN c ON coalesce(\"a\".\"k\", \"b\".\"k\") = \"c\".\"k\""
    );
    assert!(rewritten("select 1 from a natural full join b").contains("using (column)"));
    assert_eq!(rewritten("select k from a left join b using (k)"), "SELECT k FROM a LEFT JOIN b USING(k)");
}

#[test]
fn lists_stand_beside_what_they_are_of() {
    assert_eq!(
        rewritten("select p from t cross join unnest(l) as u(p)"),
        "SELECT p FROM (t CROSS JOIN UNNEST(l) AS u (p))"
    );
    assert_eq!(
        rewritten("select 1 as x from a, b, unnest(a.l) as u where true"),
        "SELECT 1 AS x FROM (a CROSS JOIN b CROSS JOIN UNNEST(a.l) AS u (u)) WHERE true"
    );
    assert_eq!(
        rewritten("select 1 as x from a, unnest(a.l) as u join b on b.k = u"),
        "SELECT 1 AS x FROM (a CROSS JOIN UNNEST(a.l) AS u (u)) JOIN b ON b.k = u"
    );
}

#[test]
fn other_words_for_what_the_engine_has() {
    for (sql, made) in [
        ("select count_if(x > 1) as n", "SELECT count(*) FILTER (WHERE x > 1) AS n"),
        ("select if(a, b, c) as n", "SELECT CASE WHEN a THEN b ELSE c END AS n"),
        (
            "select max_by(a, b) as n",
            "SELECT first_value(a ORDER BY b DESC NULLS LAST) FILTER (WHERE a IS NOT NULL AND b IS NOT NULL) AS n",
        ),
        (
            "select hour(t at time zone 'Europe/Berlin') as n",
            "SELECT date_part('hour', at_time_zone(t, 'Europe/Berlin')) AS n",
        ),
        ("select json_extract_scalar(u, '$.a[\"b\"][0].c') as n", "SELECT json_as_text(u, 'a', 'b', 0, 'c') AS n"),
        (
            "select regexp_extract(a, 'x(y)', 1) as n",
            "SELECT array_element(regexp_match(a, concat('(', 'x(y)', ')')), 2) AS n",
        ),
        ("select u->'a'->>'b' as n", "SELECT json_as_text(u, 'a', 'b') AS n"),
        ("select u->'a'->0 as n", "SELECT json_get_json(u, 'a', 0) AS n"),
        ("select u ? 'k' as n", "SELECT json_contains(u, 'k') AS n"),
    ] {
        assert_eq!(rewritten(sql), made, "{sql}");
    }
    assert!(rewritten("select json_value(u, p)").contains("->>"));
}
