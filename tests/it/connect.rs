//! `auditlake connect`.

use insta::assert_snapshot;

use crate::env::Env;

#[test]
fn each_library_gets_its_lines() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["connect", "--for", "polars"]), @r#"
    # pip install polars
    import polars as pl

    events = pl.scan_parquet("[DIR]/auditlake-data/authentication/event_month=*/*.parquet", hive_partitioning=True)
    print(events.select(pl.len(), pl.col("time").min().alias("first"), pl.col("time").max().alias("last")).collect())
    print(events.group_by(pl.col("actor").struct.field("user").struct.field("email_addr")).len().sort("len", descending=True).head(10).collect())
    "#);
    assert_snapshot!(env.run(["connect", "--for", "pandas", "--table", "user_access"]), @r#"
    # pip install deltalake pandas pyarrow
    from deltalake import DeltaTable

    table = DeltaTable("[DIR]/auditlake-data/user_access")
    events = table.to_pandas(columns=["time", "activity_name", "status_id", "event_month"])
    print(events.groupby(["event_month", "activity_name"]).size())
    "#);
    assert_snapshot!(env.run(["connect", "--for", "duckdb"]), @r#"
    -- In Python: pip install duckdb; import duckdb; duckdb.sql("...")
    SELECT actor.user.email_addr AS who, count(*) AS events
    FROM read_parquet('[DIR]/auditlake-data/authentication/event_month=*/*.parquet', hive_partitioning = true)
    GROUP BY ALL ORDER BY events DESC LIMIT 10;
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
      [possible values: polars, pandas, duckdb]

    For more information, try '--help'.
    [exit status: 2]
    ");
}
