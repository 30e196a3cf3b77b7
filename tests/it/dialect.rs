//! SQL as people type it: names of results, errors, limits, and every example that help shows.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::env::{Env, PROGRAM};

#[test]
fn columns_are_named_after_what_was_typed() {
    let env = Env::with_small();
    let sql = "select lower( activity_name ) || '!', actor.user.uid, a.time, count(*), count(*)\nfrom authentication a group by all";
    assert_snapshot!(env.run(["sql", "--csv", "-c", sql]), @r"
    lower( activity_name ) || '!',actor.user.uid,time,count(*),count(*)
    ,ann,2026-01-01T00:00:00Z,1,1
    ");
    assert_snapshot!(env.run(["sql", "--format", "ndjson", "-c", "select 1 as x, 2 as x, 'é' || 'a'"]), @r#"{"x":1,"x_1":2,"'é' || 'a'":"éa"}"#);
    let ordered = "select mode() within group (order by class_uid), count(*) from authentication";
    assert!(
        env.ok(["sql", "--csv", "-c", ordered]).starts_with("mode() within group (order by class_uid),count(*)\n3002,")
    );
    assert_snapshot!(env.run(["sql", "--csv", "-c", "select uid, n from (select actor.user.uid, count(*) as n from authentication group by 1) order by n desc, uid nulls last limit 2"]), @r"
    uid,n
    ann,1
    ");
}

#[test]
fn an_error_shows_the_place_and_what_to_write() {
    let env = Env::with_small();
    let said = |sql: &str| env.run(["sql", "-c", sql]);
    assert_snapshot!(said("selct 1"), @r"
    ------- stderr -------
    error: cannot parse the statement: expected an SQL statement, found `selct`
    line 1: selct 1
            ^
    hint: did you mean `select`?
    [exit status: 3]
    ");
    assert_snapshot!(said("select *\nform authentication"), @r"
    ------- stderr -------
    error: cannot parse the statement: expected end of statement, found `form`
    line 2: form authentication
            ^
    hint: did you mean `from`?
    [exit status: 3]
    ");
    assert_snapshot!(said("select count(*) as many from event where many > 1"), @r"
    ------- stderr -------
    error: an aggregate cannot stand in `where`, which picks rows before they are aggregated
    hint: write it behind `having`, after `group by`
    [exit status: 3]
    ");
    assert_snapshot!(said("select many, count(*) as many from event group by 1"), @r"
    ------- stderr -------
    error: no column `many`
    line 1: select many, count(*) as many from event group by 1
                   ^
    hint: a name that `select` gives is known in `where` and to what follows it, not before it, in `on` or in a subquery: repeat the expression
    [exit status: 3]
    ");
    // The caret is under the second of two places, which is the wrong one.
    assert_snapshot!(said("select a.x from (select 1 x) a, (select 2 y) b where b.x = a.x"), @r"
    ------- stderr -------
    error: no column `b.x`
    line 1: select a.x from (select 1 x) a, (select 2 y) b where b.x = a.x
                                                                 ^
    hint: write `a.x`
    [exit status: 3]
    ");
    assert_snapshot!(said("select actor.user.uid from observable"), @r"
    ------- stderr -------
    error: no column `actor.user.uid`
    line 1: select actor.user.uid from observable
                   ^
    hint: `actor.user.uid` is in account_change, authentication, entity_management, user_access, ...
    [exit status: 3]
    ");
    assert_snapshot!(said("select count(*) from event where severity_id = 'high'"), @r"
    ------- stderr -------
    error: `severity_id` is a number, and 'high' is not
    line 1: select count(*) from event where severity_id = 'high'
                                                           ^
    hint: 4 is High: write severity_id = 4
    [exit status: 3]
    ");
    assert_snapshot!(said("select count(*) from event where class = 3001"), @r"
    ------- stderr -------
    error: cannot read the text 'account_change' as a number
    hint: a column of texts is compared with texts: write the number in quotes, or cast the column
    [exit status: 3]
    ");
    assert_snapshot!(said("select class, count(*) from event"), @r"
    ------- stderr -------
    error: `class` is neither grouped by nor within an aggregate
    line 1: select class, count(*) from event
                   ^
    hint: write group by all, or put it into an aggregate such as max()
    [exit status: 3]
    ");
    assert_snapshot!(said("select unmapped.workspace_id from authentication"), @r"
    ------- stderr -------
    error: `unmapped` is JSON text, which has no members
    line 1: select unmapped.workspace_id from authentication
                   ^
    hint: write unmapped->>'workspace_id'
    [exit status: 3]
    ");
    assert_snapshot!(said("select \"ann@corp.example\" from authentication"), @r"
    ------- stderr -------
    error: no column `ann@corp.example`
    hint: double quotes are for names; text stands in single quotes: 'text'
    [exit status: 3]
    ");
    assert_snapshot!(said("select sum(class) from event"), @r"
    ------- stderr -------
    error: `sum` takes numbers, and this is text
    line 1: select sum(class) from event
                   ^
    [exit status: 3]
    ");
    assert_snapshot!(said("select actor.user.emal_addr from event"), @r"
    ------- stderr -------
    error: no field `emal_addr`
    line 1: select actor.user.emal_addr from event
                              ^
    hint: did you mean `actor.user.email_addr`?
    [exit status: 3]
    ");
    assert_snapshot!(said("select cast('x' as int)"), @r"
    ------- stderr -------
    error: cannot read the text 'x' as a number
    line 1: select cast('x' as int)
                        ^
    hint: try_cast(x as bigint) is null where a text is no number
    [exit status: 3]
    ");
    assert_snapshot!(said("select message[1] from authentication"), @r"
    ------- stderr -------
    error: items are taken of lists, and this is none
    hint: letters of a text are substr(text, 1, 3); members of JSON text are taken with ->>
    [exit status: 3]
    ");
    assert_snapshot!(said("select sumx(severity_id) from event"), @r"
    ------- stderr -------
    error: no function `sumx`
    line 1: select sumx(severity_id) from event
                   ^
    hint: did you mean `sum`?
    [exit status: 3]
    ");
    assert_snapshot!(said("pivot event on outcome using count(*)"), @r"
    ------- stderr -------
    error: `pivot` is not a statement here
    line 1: pivot event on outcome using count(*)
            ^
    hint: write select * from TABLE pivot (count(*) for outcome in ('success', 'failure')), or count(*) filter (where outcome = 'success') as success
    [exit status: 3]
    ");
    assert_snapshot!(said("select count(*) from authentication using sample 10"), @r"
    ------- stderr -------
    error: samples are not taken here
    line 1: select count(*) from authentication using sample 10
                                                ^
    hint: write order by random() limit 100
    [exit status: 3]
    ");
    assert_snapshot!(said("select time from authentication where time >= 'soon'"), @r"
    ------- stderr -------
    error: cannot read the time 'soon'
    line 1: select time from authentication where time >= 'soon'
                                                          ^
    hint: write '2026-01-31', '2026-01-31 12:00' or '2026-01-31T12:00:00Z'
    [exit status: 3]
    ");
    assert_snapshot!(said("select time from authentication limit 'x'"), @r"
    ------- stderr -------
    error: `limit` and `offset` take whole numbers
    hint: a parameter is text unless it says so: --param n:int=3
    [exit status: 3]
    ");
    assert_snapshot!(said("select time, user.uid from authentication where user.uid in (select uid from a)"), @r"
    ------- stderr -------
    error: no table `a`
    line 1: ... where user.uid in (select uid from a)
                                                   ^
    hint: `\d` lists the tables
    [exit status: 3]
    ");
}

#[test]
fn what_cannot_be_planned_in_time_is_refused_or_given_up() {
    let env = Env::with_small();
    let begun = Instant::now();
    let doubled: Vec<String> =
        (1..=20).map(|n| format!("a{n} as (select a.x from a{p} a, a{p} b)", p = n - 1)).collect();
    let doubled = format!("with a0 as (select 1 x), {} select count(*) from a20", doubled.join(", "));
    let long = |head: &str, link: &str, links: usize| format!("{head}{}", link.repeat(links));
    env.write("null.sql", long("select 1", " is null", 30_000));
    env.write("in.sql", long("select 1", " in (1)", 30_000));
    env.write("zone.sql", format!("select time{} from authentication", " at time zone 'utc'".repeat(12_000)));
    env.write("comma.sql", format!("select 1 from coverage t0{}", ", t".repeat(5_000)));
    let chain: Vec<String> = (1..6_000).map(|n| format!("a{n} as (select * from a{})", n - 1)).collect();
    env.write("chain.sql", format!("with a0 as (select 1), {} select * from a5999", chain.join(", ")));
    env.write("doubled.sql", doubled);
    for file in ["null.sql", "in.sql", "zone.sql", "comma.sql", "chain.sql", "doubled.sql"] {
        let text = env.run(["sql", "-f", file]);
        assert!(text.contains("limit is") || text.contains("levels deep"), "{file}: {text}");
        assert!(text.ends_with("[exit status: 3]\n"), "{file}: {text}");
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    // A large but allowed statement ends at its time limit.
    let joins = (0..60).map(|n| format!(" join event e{n} on e{n}._event_uid = e._event_uid")).collect::<String>();
    let begun = Instant::now();
    let text = env.run(["sql", "--timeout", "2s", "-c", &format!("select count(*) from event e{joins}")]);
    assert!(text.contains("took longer than 2s"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
}

#[test]
fn no_function_makes_a_value_of_any_size() {
    let env = Env::with_small();
    let doubled = |first: &str, step: &str, levels: usize| {
        let names: Vec<String> =
            (1..=levels).map(|n| format!("a{n} as (select {} as s from a{})", step, n - 1)).collect();
        format!("with a0 as (select {first} as s), {} select length(s::text) from a{levels}", names.join(", "))
    };
    let many = vec!["repeat('x', 20000000)"; 60].join(", ");
    let statements = [
        format!("select length(make_array({many})::text)"),
        format!("select length([{many}]::text)"),
        format!("select length(concat({many}))"),
        format!("select length(concat_ws(repeat('y', 40000000), {}))", vec!["'a'"; 30].join(", ")),
        doubled("repeat('x', 20000000)", "s || s", 15),
        doubled("[repeat('x', 20000000)]", "array_concat(s, s)", 15),
        "select length(regexp_replace(repeat('a', 10000000), 'a', repeat('b', 1000), 'g'))".to_string(),
        "select length(array_to_string(range(0, 1000000), repeat('x', 10000)))".to_string(),
        "select length(reverse(repeat('x', 200000000)))".to_string(),
        "select length(replace(repeat('a', 10000000), 'a', repeat('b', 1000)))".to_string(),
        "select strpos(message, repeat('x', 60000000)) from authentication, range(0, 20000)".to_string(),
    ];
    for sql in &statements {
        let output = std::process::Command::new("/usr/bin/env")
            .args([
                "sh",
                "-c",
                "ulimit -v 6000000; exec \"$0\" \"$@\"",
                PROGRAM,
                "sql",
                "--memory-limit",
                "256MiB",
                "-c",
                sql,
            ])
            .current_dir(env.path("."))
            .output()
            .unwrap();
        let text = env.text(&output);
        assert!(
            text.contains("would make more than") || text.contains("may hold"),
            "{}: {text}",
            &sql[..60.min(sql.len())]
        );
        assert!(text.ends_with("[exit status: 3]\n"), "{text}");
    }
}

/// Runs every function's example, on all events and on one class.
#[test]
fn every_example_of_a_function_runs() {
    let env = Env::with_small();
    let shown = env.run_with_stdin(["sql", "--format", "list"], b"\\df\n");
    assert!(shown.contains("date_diff") && shown.contains("arg_max"), "{shown}");
    let mut script = String::new();
    let examples = auditlake_examples(&env);
    assert!(examples.len() > 100, "{}", examples.len());
    for example in &examples {
        script.push_str(&format!("{example};\n"));
        if example.contains(" from event") {
            script.push_str(&format!("{};\n", example.replace(" from event", " from authentication")));
        }
    }
    env.write("examples.sql", &script);
    let text = env.run(["sql", "--format", "list", "--keep-going", "-f", "examples.sql"]);
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error")).collect();
    assert!(errors.is_empty(), "{}\n{text}", errors.join("\n"));
}

/// Returns the examples in the library's list.
fn auditlake_examples(env: &Env) -> Vec<String> {
    use std::sync::Arc;

    use auditlake::lake::Lake;
    use auditlake::schema::Ocsf;
    use auditlake::sql::{Options, Session};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ocsf = Arc::new(Ocsf::load(None).unwrap());
        let lake = Lake::open(&env.path("auditlake-data"), ocsf).await.unwrap();
        let session = Session::new(&lake, &Options::default()).await.unwrap();
        session.functions().into_iter().filter_map(|function| function.example).collect()
    })
}
