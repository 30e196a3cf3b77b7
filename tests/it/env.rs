//! `Env`: a directory of its own, an empty environment, 100 columns, and the program's output as one text.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_auditlake");

/// Six events, one of each class and one of a class without a schema, in the order of their times.
pub const SMALL: [&str; 6] = [
    r#"{"metadata":{"uid":"e1","version":"1.6.0","product":{"name":"P","vendor_name":"V"}},"class_uid":3002,"category_uid":3,"activity_id":1,"severity_id":1,"time":1767225600000,"status_id":1,"actor":{"user":{"uid":"ann","email_addr":"ann@corp.example"}},"user":{"uid":"ann"},"src_endpoint":{"ip":"192.0.2.1"}}"#,
    r#"{"metadata":{"uid":"e2"},"class_uid":3001,"time":1767225601000,"activity_id":1,"status_id":1,"actor":{"user":{"uid":"ann"}},"user":{"uid":"bob","email_addr":"bob@corp.example"}}"#,
    r#"{"metadata":{"uid":"e3"},"class_uid":3004,"time":1767225602000,"activity_id":2,"entity":{"uid":"x","name":"Ä"},"vendor":{"depth":[1,2.5,null]}}"#,
    r#"{"metadata":{"uid":"e4"},"class_uid":3005,"time":1767225603000,"activity_id":1,"privileges":["admin","reader"],"user":{"uid":"bob"}}"#,
    r#"{"metadata":{"uid":"e5"},"class_uid":3006,"time":1769904000000,"activity_id":3,"group":{"uid":"g"},"user":{"uid":"bob"}}"#,
    r#"{"metadata":{"uid":"e6"},"class_uid":1001,"time":1769904001000,"activity_id":1,"file":{"name":"a.txt"}}"#,
];

/// The environment of one test; the directory is removed with it.
pub struct Env {
    dir: TempDir,
}

impl Env {
    pub fn new() -> Env {
        Env { dir: tempfile::tempdir().unwrap() }
    }

    /// Makes one with `count` generated events in `./auditlake-data`, and as they came in `events.ndjson`.
    pub fn with_events(count: u64) -> Env {
        let env = Env::new();
        env.generate("events.ndjson", count);
        env.ok(["ingest", "events.ndjson"]);
        env
    }

    /// Makes one with [`SMALL`] in `./auditlake-data`, and as they came in `small.ndjson`.
    pub fn with_small() -> Env {
        let env = Env::new();
        env.write("small.ndjson", lines(&SMALL));
        env.ok(["ingest", "small.ndjson"]);
        env
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn generate(&self, name: &str, count: u64) {
        self.ok(["gen", &count.to_string(), "--out", name]);
    }

    /// Returns the program in this environment, not started yet.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(PROGRAM);
        self.settle(&mut command).args(args);
        command
    }

    /// Puts any command into this environment.
    pub fn settle<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let programs = Path::new(PROGRAM).parent().unwrap().display();
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"))
            .env("HOME", self.dir.path())
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
    }

    /// Runs the program; returns stdout, stderr and status in one text, without parts that change from run to run.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        self.text(&self.command(args).output().unwrap())
    }

    pub fn run_with_stdin<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, stdin: &[u8]) -> String {
        self.text(&feed(&mut self.command(args), stdin))
    }

    /// Runs a command that must succeed, and returns its stdout as it came.
    pub fn ok<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "{}", self.text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the rows of a query.
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        values(&self.ok(["sql", "--format", "ndjson", "-c", sql]))
    }

    /// Returns the one value of a query.
    pub fn number(&self, sql: &str) -> u64 {
        let rows = self.rows(sql);
        rows[0].as_object().unwrap().values().next().unwrap().as_u64().unwrap()
    }

    /// Runs an `ingest` that must succeed, and returns its summary.
    pub fn ingest<A: AsRef<OsStr>>(&self, inputs: impl IntoIterator<Item = A>) -> Value {
        let (code, summary) = self.try_ingest(inputs);
        assert_eq!(code, 0, "{summary}");
        summary
    }

    /// Runs an `ingest`; returns its exit code and its summary.
    pub fn try_ingest<A: AsRef<OsStr>>(&self, inputs: impl IntoIterator<Item = A>) -> (i32, Value) {
        let output = self.command(["ingest", "--summary-json", "-", "--quiet"]).args(inputs).output().unwrap();
        let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", self.text(&output)));
        (output.status.code().unwrap(), summary)
    }

    /// Returns output in the form that snapshots show.
    pub fn text(&self, output: &Output) -> String {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        if !stderr.is_empty() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str("------- stderr -------\n");
            text.push_str(&stderr);
        }
        match output.status.code() {
            Some(0) => {}
            Some(code) => text.push_str(&format!("[exit status: {code}]\n")),
            None => text.push_str(&format!("[{}]\n", output.status)),
        }
        self.filter(&text)
    }

    /// Removes volatile text; this is the only place that does.
    fn filter(&self, text: &str) -> String {
        static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
            [
                (r"in \d+\.\d s \([^)]*/s\)", "in [SECONDS] s ([RATE])"),
                (r"[\d.]+ k?M?B written", "[SIZE] written"),
                (r"\b[0-9a-f]{64}\b", "[SHA256]"),
                (r"\b[0-9a-f]{32}\b", "[ID]"),
                (r"(REDACTED:[a-z_-]+:)[0-9a-f]{8}", "$1[HEX]"),
                (r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "[NOW]"),
                (r"\d+\.\d{3} s\b", "[SECONDS] s"),
            ]
            .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
            .into()
        });
        let real = self.dir.path().canonicalize().unwrap();
        let mut text = text.replace(&real.display().to_string(), "[DIR]");
        text = text.replace(&self.dir.path().display().to_string(), "[DIR]");
        for (pattern, with) in FILTERS.iter() {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        text
    }
}

/// Runs a command with these bytes on stdin.
pub fn feed(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // A program that stops reading early closes the pipe; its output says why.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

pub fn lines<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(|line| format!("{}\n", line.as_ref())).collect()
}

/// Parses NDJSON into values.
pub fn values(text: &str) -> Vec<Value> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the common form of two spellings of one event: no explicit nulls, `1.0` as `1`. Both are documented as not kept.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let members = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name.clone(), canonical(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(canonical).collect()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                Value::from(float as i64)
            }
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Compares two multisets of events, and shows the first few that differ.
pub fn assert_same_events(expected: &[Value], actual: &[Value]) {
    let count = |values: &[Value]| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for value in values {
            *counts.entry(canonical(value).to_string()).or_default() += 1;
        }
        counts
    };
    let (expected, actual) = (count(expected), count(actual));
    let differ = |a: &BTreeMap<String, i64>, b: &BTreeMap<String, i64>| -> Vec<String> {
        a.iter().filter(|(text, n)| b.get(*text).unwrap_or(&0) < n).map(|(text, _)| text.clone()).collect()
    };
    let (missing, extra) = (differ(&expected, &actual), differ(&actual, &expected));
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{} missing or fewer, {} extra\nmissing: {:#?}\nextra: {:#?}",
        missing.len(),
        extra.len(),
        &missing[..missing.len().min(3)],
        &extra[..extra.len().min(3)]
    );
}
