//! `tests/slt/*.slt`: the meaning of SQL over a lake, each file with a lake and a session of its own.
//!
//! A file may begin with lines `# events: COUNT` (generated ones) or `# event: JSON`, and `# options: FLAGS`, which are
//! those of `auditlake sql`; without events it has the small ones of `Env`. Values are written as in TSV, null as NULL.

use std::fmt::Write;

use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};

use crate::env::Env;

/// A lake behind the program's own command line.
struct Lake {
    env: Env,
    options: Vec<String>,
}

#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl DB for Lake {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let mut command = self.env.command(["sql", "--format", "tsv", "--no-header"]);
        let sql = format!("\\pset null NULL\n{sql}");
        let output = command.args(&self.options).args(["-c", &sql]).output().unwrap();
        if !output.status.success() {
            return Err(Refused(self.env.text(&output)));
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<Vec<String>> = text.lines().map(|line| line.split('\t').map(str::to_string).collect()).collect();
        let columns = rows.first().map_or(0, Vec::len);
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }
}

fn prepare(script: &str) -> Lake {
    let mut env = None;
    let (mut events, mut options) = (String::new(), Vec::new());
    for line in script.lines() {
        if let Some(count) = line.strip_prefix("# events: ") {
            env = Some(Env::with_events(count.trim().parse().unwrap()));
        } else if let Some(event) = line.strip_prefix("# event: ") {
            writeln!(events, "{event}").unwrap();
        } else if let Some(flags) = line.strip_prefix("# options: ") {
            options = flags.split_whitespace().map(str::to_string).collect();
        }
    }
    if !events.is_empty() {
        let own = env.get_or_insert_with(Env::new);
        own.write("own.ndjson", events);
        own.ok(["ingest", "own.ndjson"]);
    }
    Lake { env: env.unwrap_or_else(Env::with_small), options }
}

#[test]
fn sql_means_what_the_scripts_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut scripts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    scripts.sort();
    assert!(scripts.len() >= 4, "{scripts:?}");
    let mut wrong = Vec::new();
    for path in scripts {
        let script = std::fs::read_to_string(&path).unwrap();
        let mut runner = Runner::new(|| async { Ok(prepare(&script)) });
        if let Err(error) = runner.run_script(&script) {
            wrong.push(format!("{}: {}", path.file_name().unwrap().display(), error.display(false)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
