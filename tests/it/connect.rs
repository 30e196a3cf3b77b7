//! `auditlake connect`.

use insta::assert_snapshot;

use crate::env::Env;

#[test]
fn each_library_gets_its_lines() {
    let env = Env::with_small();
    let lines = |library: &str, table: &str| env.ok(["connect", "--for", library, "--table", table]);
    for library in ["polars", "pandas", "pyarrow", "duckdb", "datafusion", "spark", "sail"] {
        let text = lines(library, "user_access");
        let head: Vec<&str> = text.lines().take(2).collect();
        assert!(head[0].starts_with("# user_access as of ledger entry 1, sha256 ") && head[0].len() == 107, "{text}");
        assert!(head[1].starts_with("# pip install "), "{text}");
        assert!(text.contains("auditlake-data/user_access\")") && text.contains("activity_name"), "{text}");
    }
    // A view has no files.
    for library in ["polars", "pandas", "pyarrow", "duckdb", "datafusion", "sail"] {
        assert!(
            lines(library, "event").contains(r#"auditlake-data", "sql", "--format", "arrow", "-c", "from event"]"#)
        );
    }
    assert_snapshot!(env.run(["connect", "--for", "spark", "--table", "event"]), @r"
    ------- stderr -------
    error: Spark reads files, and cannot find those of `event` in this lake
    hint: `--for sail` writes lines for the same language that need no files
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["connect", "--for", "polars", "--table", "user_access"]), @r#"
    # user_access as of ledger entry 1, sha256 [SHA256]
    # pip install polars deltalake
    import polars as pl

    events = pl.scan_delta("[DIR]/auditlake-data/user_access")
    print(events.group_by("activity_name").len().sort("len", descending=True).collect())
    "#);
}

#[test]
fn an_unknown_table_or_library_is_refused() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["connect", "--for", "polars", "--table", "authentification"]), @r"
    ------- stderr -------
    error: no table `authentification`
    hint: did you mean `authentication`?
    [exit status: 3]
    ");
    assert_snapshot!(env.run(["connect", "--for", "excel"]), @r"
    ------- stderr -------
    error: invalid value 'excel' for '--for <LIBRARY>'
      [possible values: polars, pandas, pyarrow, duckdb, datafusion, spark, sail]

    For more information, try '--help'.
    [exit status: 2]
    ");
}
