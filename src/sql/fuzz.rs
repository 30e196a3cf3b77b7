//! The guard admits or refuses any text: it never panics, and nothing that it lets pass is too deep for the parser.
//!
//! A stack that overflows is not a panic: it ends the process, including this one. So each case has the stack that the
//! program gives its threads, and no more.

use std::time::Duration;

use proptest::prelude::*;

use super::dialect::{self, Role};
use super::engine::guard::{check, inner};
use crate::typed::{cases, mutants, worked};

/// The stack size that `cli` uses.
const STACK_BYTES: usize = 32 << 20;

fn seeds() -> Vec<String> {
    let seeds = [
        "select actor.user.uid, count(*) filter (where status_id = 2) from authentication group by 1 order by 2 desc",
        "with recursive a(n) as (select 1 union all select n + 1 from a where n < 5) select * from a, a b where a.n is null",
        "select 1 is null is true notnull in (1) between 1 and 2 like 'a' escape 'b' at time zone 'utc' collate \"c\"",
        "select unmapped->'a'->>'b', a[1].b, x::bigint, interval '1 day', case when 1 then 2 else 3 end from event e \
         left join lateral (select 1) s on true where exists (select 1) and not (1 = any (select 2))",
        "explain analyze select * from event where time >= $from and time < $to union (select 1 intersect select 2)",
        "select array[1, 2, [3]], {'a': 1}, map {1: 2}, f(a => 1), row_number() over (partition by a order by b rows \
         between unbounded preceding and current row) from t tablesample (10) limit 1 offset 2",
        "copy (select 1) to 'x'; insert into t select 1; set a = 1; create external table t stored as csv location '/'",
    ];
    seeds.map(str::to_string).to_vec()
}

/// Does the guard's work before it knows any table.
fn admit(sql: &str) -> bool {
    if check(sql).is_err() {
        return false;
    }
    let Ok(mut statements) = dialect::parse(sql) else { return false };
    let mut is_fine = true;
    for statement in &mut statements {
        if let Some(inner) = inner(statement) {
            let checked = dialect::check(inner, &|_| Role::Other).and_then(|()| dialect::rewrite(sql, inner));
            is_fine &= checked.is_ok();
            // Later steps walk the tree as deeply.
            let _ = inner.to_string();
        }
    }
    is_fine
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_statement_is_admitted_or_refused(sql in mutants(seeds())) {
        let text = sql.clone();
        let work = move || {
            admit(&text);
            worked()
        };
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap();
        let spent = thread.join();
        prop_assert!(spent.is_ok(), "it panicked");
        prop_assert!(spent.is_ok_and(|spent| spent < Duration::from_secs(20)), "{} bytes took too long", sql.len());
    }
}

/// Each chain once ended the process: 240 kB of them pass every count of operators that forgets one.
#[test]
fn long_chains_of_anything_end_with_an_answer() {
    let chains = [
        " is null",
        " is not null",
        " is true",
        " notnull",
        " in (1)",
        " between 1 and 2",
        " like 'a'",
        "::bigint",
        "[1]",
        ".b",
        "->'a'",
        " at time zone 'utc'",
        " collate \"c\"",
        " is distinct from 1",
        " ~ 'a'",
        " || 1",
        " and 1",
        " union select 1",
        " intersect select 1",
        ", 1",
        " over ()",
    ];
    for chain in chains {
        // A debug build takes seconds for the whole length of one; each kind of it that ended the process is that long.
        let bytes = if [" is null", " in (1)"].contains(&chain) { 240_000 } else { 60_000 };
        let sql = format!("select 1{}", chain.repeat(bytes / chain.len()));
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || admit(&sql)).unwrap();
        assert!(thread.join().is_ok(), "{chain}");
    }
    let before = ["not ", "- ", "(", "case when ", "exists (select ", "f(", "[", "{'a': "];
    for chain in before {
        let sql = format!("select {}1", chain.repeat(60_000 / chain.len()));
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || admit(&sql)).unwrap();
        assert!(thread.join().is_ok(), "{chain}");
    }
}
