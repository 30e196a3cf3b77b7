//! `auditlake connect`: the lines that open the lake in a notebook.

use super::{App, nearest};
use crate::error::{Error, Result};
use crate::lake::own_tables;

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
    let mut tables: Vec<&str> = lake.ocsf().classes().iter().map(|class| class.name.as_str()).collect();
    tables.extend(own_tables().map(|(table, _)| table));
    if !tables.contains(&args.table.as_str()) {
        let error = Error::input(format!("no table `{}`", args.table));
        return Err(match nearest(&args.table, tables) {
            Some(table) => error.hint(format!("did you mean `{table}`?")),
            None => error.hint("`auditlake status` lists the tables"),
        });
    }
    let column = lake.state().lake.partition.column();
    let table = lake.root().join(&args.table).display().to_string();
    // A path may hold any character; Python and SQL each have their own way to quote it.
    let python = serde_json::Value::String(table.clone()).to_string();
    let glob = serde_json::Value::String(format!("{table}/{column}=*/*.parquet")).to_string();
    let sql = format!("{table}/{column}=*/*.parquet").replace('\'', "''");
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
    Ok(0)
}
