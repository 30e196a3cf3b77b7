//! `auditlake connect`: the lines that open the lake in a notebook.
//!
//! Tables are opened through their Delta logs, which name the files of one state and give a table without rows its
//! columns. A view has no files: the program answers it as an Arrow stream. It also does so for a lake whose path the
//! Delta readers of Python escape or decode once too often.

use std::path::Path;

use super::App;
use crate::error::{Error, Result};
use crate::lake::{REJECT_TABLE, REVISION_TABLE};
use crate::typed::nearest;

/// The one view that notebooks are given.
const EVENT: &str = "event";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The library to write the lines for
    #[arg(long = "for", value_enum, value_name = "LIBRARY")]
    library: Library,
    /// The table to open, or `event` for the events of all classes
    #[arg(long, default_value = "authentication")]
    table: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Library {
    Polars,
    Pandas,
    Pyarrow,
    Duckdb,
    Datafusion,
    Spark,
    Sail,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let lake = app.open_lake()?;
    let unknown = lake.unknown_tables();
    app.warn_of_left_out(&unknown);
    let mut tables = lake.loaded_tables();
    tables.extend(unknown.into_iter().map(|(table, _)| table));
    tables.push(EVENT.to_string());
    if !tables.contains(&args.table) {
        let error = Error::input(format!("no table `{}`", args.table));
        return Err(match nearest(&args.table, tables.iter().map(String::as_str)) {
            Some(table) => error.hint(format!("did you mean `{table}`?")),
            None => error.hint("`auditlake status` lists the tables"),
        });
    }
    let has_files = args.table != EVENT && is_read_as_written(lake.root());
    if args.library == Library::Spark && !has_files {
        return Err(Error::input(format!("Spark reads files, and cannot find those of `{}` in this lake", args.table))
            .hint("`--for sail` writes lines for the same language that need no files"));
    }
    let opened = if has_files {
        from_files(args.library, &lake.root().join(&args.table))
    } else {
        from_program(args.library, lake.root(), &args.table)
    };
    let state = lake.state();
    app.screen.print(&format!(
        "# {} as of ledger entry {}, sha256 {}\n# pip install {}\n{opened}{}",
        args.table,
        state.sequence,
        state.hash,
        packages(args.library, has_files),
        question(args.library, has_files, counted(&args.table)),
    ))?;
    Ok(0)
}

/// Returns whether Delta's readers in Python find the files of a lake at this path; they change other characters on the
/// way.
fn is_read_as_written(root: &Path) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=,@~[]".contains(c);
    root.to_str().is_some_and(|path| path.chars().all(is_plain))
}

/// Returns the column whose values the example counts.
fn counted(table: &str) -> &'static str {
    match table {
        EVENT => "action",
        REJECT_TABLE => "reason",
        REVISION_TABLE => "class_uid",
        _ => "activity_name",
    }
}

fn packages(library: Library, has_files: bool) -> &'static str {
    match (library, has_files) {
        (Library::Polars, true) => "polars deltalake",
        (Library::Polars, false) => "polars pyarrow",
        (Library::Pandas, true) => "pandas pyarrow deltalake",
        (Library::Pandas, false) => "pandas pyarrow",
        (Library::Pyarrow, true) => "pyarrow deltalake",
        (Library::Pyarrow, false) => "pyarrow",
        (Library::Duckdb, true) => "duckdb pyarrow deltalake",
        (Library::Duckdb, false) => "duckdb pyarrow",
        (Library::Datafusion, true) => "datafusion deltalake",
        (Library::Datafusion, false) => "datafusion pyarrow",
        (Library::Spark, _) => "pyspark delta-spark  (Spark also needs Java)",
        (Library::Sail, true) => "pysail pyspark-client",
        (Library::Sail, false) => "pysail pyspark-client pyarrow",
    }
}

/// Returns lines that make `events` from the files that the Delta log names.
fn from_files(library: Library, table: &Path) -> String {
    let path = python(&table.to_string_lossy());
    let open = match library {
        Library::Polars => format!("events = pl.scan_delta({path})\n"),
        Library::Spark | Library::Sail => format!("events = spark.read.format(\"delta\").load({path})\n"),
        _ => format!("events = DeltaTable({path}).to_pyarrow_dataset()\n"),
    };
    let delta = match library {
        Library::Polars | Library::Spark | Library::Sail => "",
        _ => "from deltalake import DeltaTable\n",
    };
    format!("{}{delta}\n{}{open}", imports(library), session(library))
}

/// Returns lines that make `events` from the program's answer.
fn from_program(library: Library, lake: &Path, table: &str) -> String {
    let (lake, sql) = (python(&lake.to_string_lossy()), python(&format!("from {table}")));
    let made = match library {
        Library::Polars => "events = pl.from_arrow(events).lazy()\n",
        Library::Sail => "events = spark.createDataFrame(events)\n",
        _ => "",
    };
    format!(
        "import subprocess\nimport pyarrow as pa\n{}\n{}\
         command = [\"auditlake\", \"--lake\", {lake}, \"sql\", \"--format\", \"arrow\", \"-c\", {sql}]\n\
         with subprocess.Popen(command, stdout=subprocess.PIPE) as program:\n    \
         events = pa.ipc.open_stream(program.stdout).read_all()\n{made}",
        imports(library),
        session(library)
    )
}

fn imports(library: Library) -> &'static str {
    match library {
        Library::Polars => "import polars as pl\n",
        Library::Pandas => "import pandas as pd\n",
        Library::Pyarrow => "",
        Library::Duckdb => "import duckdb\n",
        Library::Datafusion => "from datafusion import SessionContext\n",
        Library::Spark => "from delta import configure_spark_with_delta_pip\nfrom pyspark.sql import SparkSession\n",
        Library::Sail => "from pysail.spark import SparkConnectServer\nfrom pyspark.sql import SparkSession\n",
    }
}

/// Returns lines that start an engine which runs outside of the notebook.
fn session(library: Library) -> &'static str {
    match library {
        Library::Spark => {
            "builder = SparkSession.builder.config(\n    \
             map={\n        \
             \"spark.sql.extensions\": \"io.delta.sql.DeltaSparkSessionExtension\",\n        \
             \"spark.sql.catalog.spark_catalog\": \"org.apache.spark.sql.delta.catalog.DeltaCatalog\",\n    \
             }\n)\n\
             spark = configure_spark_with_delta_pip(builder).getOrCreate()\n"
        }
        Library::Sail => {
            "server = SparkConnectServer()\nserver.start()\n_, port = server.listening_address\n\
             spark = SparkSession.builder.remote(f\"sc://localhost:{port}\").getOrCreate()\n"
        }
        _ => "",
    }
}

/// Returns a first question, which shows that it works and how to ask.
fn question(library: Library, has_files: bool, column: &str) -> String {
    let sql = format!("SELECT {column}, count(*) AS events FROM events GROUP BY {column} ORDER BY events DESC");
    // For files, only the named columns are read.
    let columns = if has_files {
        format!("events.to_table(columns=[\"time\", \"{column}\"])")
    } else {
        format!("events.select([\"time\", \"{column}\"])")
    };
    match library {
        Library::Polars => {
            format!("print(events.group_by(\"{column}\").len().sort(\"len\", descending=True).collect())\n")
        }
        Library::Pandas => format!(
            "frame = {columns}.to_pandas(types_mapper=pd.ArrowDtype)\n\
             print(frame.groupby(\"{column}\", dropna=False).size().sort_values(ascending=False))\n"
        ),
        Library::Pyarrow => format!("print({columns}.group_by(\"{column}\").aggregate([([], \"count_all\")]))\n"),
        Library::Duckdb => format!("duckdb.sql(\"{sql}\").show()\n"),
        Library::Datafusion => {
            let register = if has_files {
                "context.register_dataset(\"events\", events)"
            } else {
                "context.from_arrow(events, name=\"events\")"
            };
            format!("context = SessionContext()\n{register}\ncontext.sql(\"{sql}\").show()\n")
        }
        Library::Spark | Library::Sail => {
            format!("events.createOrReplaceTempView(\"events\")\nspark.sql(\"{sql}\").show()\n")
        }
    }
}

/// Writes a text as a Python literal: JSON's escapes are valid in Python, too.
fn python(text: &str) -> String {
    serde_json::Value::String(text.to_string()).to_string()
}
