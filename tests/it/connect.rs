//! `auditlake connect`.

use insta::assert_snapshot;

use crate::env::Env;

#[test]
fn each_library_gets_its_lines() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["connect", "--for", "polars"]), @"");
    assert_snapshot!(env.run(["connect", "--for", "pandas", "--table", "user_access"]), @"");
    assert_snapshot!(env.run(["connect", "--for", "duckdb"]), @"");
}

#[test]
fn an_unknown_table_or_library_is_refused() {
    let env = Env::with_small();
    assert_snapshot!(env.run(["connect", "--for", "polars", "--table", "authentification"]), @"");
    assert_snapshot!(env.run(["connect", "--for", "excel"]), @"");
}
