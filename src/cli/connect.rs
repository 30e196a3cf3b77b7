//! `auditlake connect`: the lines that open the lake in a notebook.

use super::App;
use crate::error::{Error, Kind, Result};
use crate::typed::nearest;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The library to write the lines for
    #[arg(long = "for", value_enum, value_name = "LIBRARY")]
    library: Library,
    /// The table to open
    #[arg(long, default_value = "authentication")]
    table: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Library {
    Polars,
    Pandas,
    Duckdb,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let lake = app.open_lake()?;
    let unknown = lake.unknown_tables();
    app.warn_of_left_out(&unknown);
    let mut tables = lake.loaded_tables();
    tables.extend(unknown.into_iter().map(|(table, _)| table));
    if !tables.contains(&args.table) {
        let error = Error::input(format!("no table `{}`", args.table));
        return Err(match nearest(&args.table, tables.iter().map(String::as_str)) {
            Some(table) => error.hint(format!("did you mean `{table}`?")),
            None => error.hint("`auditlake status` lists the tables"),
        });
    }
    let column = lake.state().lake.partition.column();
    let table = lake.root().join(&args.table).display().to_string();
    // A path may hold any character; Python and SQL each have their own way to quote it.
    let python = serde_json::Value::String(table.clone()).to_string();
    let pattern = format!("{}/{column}=*/*.parquet", without_patterns(&table));
    let glob = serde_json::Value::String(pattern.clone()).to_string();
    let sql = pattern.replace('\'', "''");
    let text = match args.library {
        Library::Polars => format!(
            "# pip install polars\nimport polars as pl\n\n\
             events = pl.scan_parquet({glob}, hive_partitioning=True)\n\
             print(events.select(pl.len(), pl.col(\"time\").min().alias(\"first\"), pl.col(\"time\").max().alias(\"last\")).collect())\n\
             print(events.group_by(pl.col(\"actor\").struct.field(\"user\").struct.field(\"email_addr\")).len().sort(\"len\", descending=True).head(10).collect())\n"
        ),
        Library::Pandas => format!(
            "# pip install deltalake pandas pyarrow\nfrom deltalake import DeltaTable\n\n\
             table = DeltaTable({python})\n\
             events = table.to_pandas(columns=[\"time\", \"activity_name\", \"status_id\", \"{column}\"])\n\
             print(events.groupby([\"{column}\", \"activity_name\"]).size())\n"
        ),
        Library::Duckdb => format!(
            "-- In Python: pip install duckdb; import duckdb; duckdb.sql(\"...\")\n\
             SELECT actor.user.email_addr AS who, count(*) AS events\n\
             FROM read_parquet('{sql}', hive_partitioning = true)\n\
             GROUP BY ALL ORDER BY events DESC LIMIT 10;\n"
        ),
    };
    app.screen.print(&text)?;
    if args.library == Library::Pandas && table.contains('%') {
        app.screen.say(
            "the package `deltalake` decodes `%` in paths and may not find this one: \
             `--for polars` and `--for duckdb` do, or give the lake another path",
        );
        return Ok(Kind::Finding.exit_code());
    }
    // A pattern that matches no file is an error in these two; Delta's readers give no rows with all columns.
    let is_empty = lake.state().tables.get(&args.table).is_none_or(|table| table.files.is_empty());
    if is_empty && args.library != Library::Pandas {
        app.screen.say(format!(
            "the table `{}` has no rows yet: these lines work when it has; `--for pandas` reads it now, with no rows",
            args.table
        ));
        return Ok(Kind::Finding.exit_code());
    }
    Ok(0)
}

/// The path as a pattern that means itself: what a pattern would take for a set of characters stands in a set of one.
fn without_patterns(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '[' | '*' | '?' => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
    }
    pattern
}
