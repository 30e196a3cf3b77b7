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
    // `event` has no files: the program answers of facts, and says what they do not have.
    for library in ["polars", "pandas", "pyarrow", "duckdb", "datafusion", "spark", "sail"] {
        let text = lines(library, "event");
        let statement = r#""-c", "select * exclude (message, time_dt, unmapped) from event"]"#;
        assert!(text.contains(statement), "{text}");
        assert!(text.contains("answer.check_returncode()"), "a part of the rows is no answer: {text}");
        assert!(!text.contains("delta"), "{text}");
    }
    assert_snapshot!(env.run(["connect", "--for", "pandas", "--table", "event"]), @r##"
    # event as of ledger entry 1, sha256 [SHA256]
    # pip install pandas pyarrow
    import subprocess
    import pyarrow as pa
    import pandas as pd

    # auditlake answers from its facts, a cache of flat rows that it brings up to date first. When
    # facts were removed, it makes them anew: run the lines again, there is no file to look for.
    # Columns that facts do not have, so that reading them takes longer: message, time_dt, unmapped.
    # For the rows of this ledger entry whatever comes later, add "--as-of", "1" to the command.
    command = ["auditlake", "--lake", "[DIR]/auditlake-data", "sql", "--format", "arrow", "-c", "select * exclude (message, time_dt, unmapped) from event"]
    answer = subprocess.run(command, capture_output=True)
    print(answer.stderr.decode(), end="")
    answer.check_returncode()
    events = pa.ipc.open_stream(answer.stdout).read_all()
    frame = events.select(["time", "action"]).to_pandas(types_mapper=pd.ArrowDtype)
    print(frame.groupby("action", dropna=False).size().sort_values(ascending=False))
    "##);
    // Without facts there is nothing that takes longer.
    env.write("facts.toml", "[sql]\nfacts = false\n");
    let text = env.ok(["--config", "facts.toml", "connect", "--for", "polars", "--table", "event"]);
    assert!(text.contains(r#""-c", "select * from event"]"#), "{text}");
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
