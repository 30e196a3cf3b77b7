//! The configuration in force, who may write it, and what the commands that it names can see.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use insta::assert_snapshot;

use crate::env::{Env, SMALL, lines};

/// Some user who is neither root nor us.
const STRANGER: u32 = 65_534;

fn set_mode(env: &Env, name: &str, mode: u32) {
    fs::set_permissions(env.path(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_where_one_happens_to_stand_is_read_only_when_nobody_else_can_write_it() {
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    env.write("auditlake.toml", "[redact]\nenabled = false\n");
    set_mode(&env, "auditlake.toml", 0o646);
    assert_snapshot!(env.run(["ingest", "small.ndjson"]), @r"
    ------- stderr -------
    error: cannot read the configuration from auditlake.toml: others may write it (mode 0646)
    hint: chmod go-w auditlake.toml; or name it, if you trust it: --config auditlake.toml
    [exit status: 2]
    ");
    assert!(!env.path("auditlake-data").exists());
    // A named file is read: the user chose it.
    env.ok(["ingest", "small.ndjson", "--config", "auditlake.toml"]);
    set_mode(&env, "auditlake.toml", 0o644);
    env.ok(["status"]);

    if std::os::unix::fs::lchown(env.path("auditlake.toml"), Some(STRANGER), None).is_err() {
        return eprintln!("skipped: only root can make a file of another user");
    }
    let text = env.run(["status"]);
    assert!(text.contains("it belongs to another user (65534)") && text.contains("[exit status: 2]"), "{text}");
    // The same holds for a link that somebody else made, whatever its target.
    fs::remove_file(env.path("auditlake.toml")).unwrap();
    env.write("mine.toml", "");
    symlink("mine.toml", env.path("auditlake.toml")).unwrap();
    env.ok(["status"]);
    std::os::unix::fs::lchown(env.path("auditlake.toml"), Some(STRANGER), None).unwrap();
    let text = env.run(["status"]);
    assert!(text.contains("a symbolic link of another user (65534)") && text.contains("[exit status: 2]"), "{text}");
}

#[test]
fn the_file_in_force_is_said_when_asked() {
    let env = Env::with_small();
    let first = |args: &[&str]| {
        let output = env.command(args).output().unwrap();
        String::from_utf8(output.stderr).unwrap().lines().next().unwrap_or_default().to_string()
    };
    let none = first(&["status", "--verbose"]);
    assert_eq!(none, "configuration: the program's defaults; there is no ./auditlake.toml");
    env.write("auditlake.toml", "");
    let local = first(&["status", "--verbose"]);
    assert_eq!(local, "configuration: ./auditlake.toml, found in the working directory");
    env.write("other.toml", "");
    assert_eq!(first(&["status", "--verbose", "--config", "other.toml"]), "configuration: other.toml");
    assert!(!first(&["status"]).contains("configuration"));
}

#[test]
fn the_defaults_can_be_printed_whatever_the_file_is() {
    let env = Env::new();
    env.write("auditlake.toml", "[lake]\nbroken\n");
    let defaults = env.ok(["config", "default"]);
    assert_eq!(defaults, include_str!("../../src/config/default.toml"));
    // A file of the defaults changes nothing.
    env.write("copy.toml", &defaults);
    env.ok(["config", "check", "copy.toml"]);
    assert_snapshot!(env.run(["config", "check"]), @r"
    ------- stderr -------
    error: cannot use the configuration auditlake.toml:2: key with no value, expected `=`
    hint: `auditlake config default` prints every key with its default; other keys are not known
    [exit status: 2]
    ");
}

#[test]
fn a_server_that_could_not_start_is_a_fault_of_the_file() {
    let env = Env::new();
    let check = |serve: &str| {
        env.write("c.toml", format!("[serve]\n{serve}"));
        env.run(["config", "check", "c.toml"])
    };
    let fine = check("listen = \"127.0.0.1:0\"\nmetrics_listen = \"localhost:9000\"\n");
    assert!(fine.contains("no fault found"), "{fine}");
    let faults = [
        ("listen = \"0.0.0.0:8080\"", "cannot listen on 0.0.0.0:8080: keys and log entries would be sent in clear"),
        ("listen = \"nowhere\"", "cannot listen on nowhere"),
        ("metrics_listen = \"127.0.0.1:99999\"", "cannot listen on 127.0.0.1:99999"),
        ("tls_cert = \"absent.pem\"", "cannot read absent.pem as PEM"),
        ("tls_cert = \"c.toml\"\ntls_key = \"c.toml\"", "c.toml as PEM: it holds no certificate"),
        ("max_connections = 0", "a server without connections answers nobody"),
    ];
    for (written, told) in faults {
        let text = check(written);
        assert!(text.contains(told) && text.contains("1 fault found") && text.contains("[exit status: 2]"), "{text}");
    }
}

#[test]
fn all_faults_of_a_file_are_found_before_anything_runs() {
    let env = Env::new();
    env.write(
        "good.toml",
        "[ingest]\nbatch = \"8MiB\"\n[[source]]\nname = \"prod\"\n\
        base_url = \"https://api.example\"\nkey = { env = \"ABSENT\" }\n",
    );
    assert_snapshot!(env.run(["config", "check", "good.toml"]), @r#"
    ┌──────────────┬─────────┬─────────┐
    │ key          │ value   │ default │
    ├──────────────┼─────────┼─────────┤
    │ ingest.batch │ "8MiB"  │ "64MiB" │
    │ source       │ 1 entry │ none    │
    └──────────────┴─────────┴─────────┘
    ------- stderr -------
    no fault found in good.toml
    "#);
    let schedule = "[[schedule]]\nname = \"s\"\nreports = [\"brute-force\"]\nperiod = \"last-month\"\n\
        calendar = \"0 6 1 * *\"\noutput = \"out\"\n";
    let own = "[redact]\nown = [{ name = \"x\", shape = \"(\", needles = [\"x\"] }]\n";
    let rest = "[report]\nsuppressions = \"absent.toml\"\n[input]\nleavers = \"absent.csv\"\n";
    env.write("bad.toml", format!("schemas = \"absent\"\n{own}{rest}{schedule}"));
    assert_snapshot!(env.run(["config", "check", "bad.toml"]), @r#"
    ┌─────────────────────┬───────────────┬─────────┐
    │ key                 │ value         │ default │
    ├─────────────────────┼───────────────┼─────────┤
    │ input.leavers       │ "absent.csv"  │         │
    │ redact.own          │ 1 entry       │ none    │
    │ report.suppressions │ "absent.toml" │ ""      │
    │ schedule            │ 1 entry       │         │
    │ schemas             │ "absent"      │ ""      │
    └─────────────────────┴───────────────┴─────────┘
    ------- stderr -------
    error: cannot use redaction rule `x` ([redact] own, number 1): shape: regex parse error:
        (
        ^
    error: unclosed group
    error: cannot read the schema folder absent: No such file or directory (os error 2)
    error: schedule `s`: no report `brute-force`
    hint: did you mean `brute-force-by-user`? `report list` lists them all
    error: cannot read the input `leavers` from absent.csv: No such file or directory (os error 2)
    error: cannot read the suppressions absent.toml: No such file or directory (os error 2)
    5 faults found in bad.toml
    [exit status: 2]
    "#);
    assert!(!env.path("auditlake-data").exists());
}

#[test]
fn redaction_that_is_off_is_said_each_time_and_loudly() {
    let env = Env::new();
    env.write("small.ndjson", lines(&SMALL));
    env.write("auditlake.toml", "[redact]\nenabled = false\n");
    for args in [&["ingest", "small.ndjson", "--quiet"][..], &["ingest", "small.ndjson", "--dry-run"]] {
        let text = env.run(args);
        let said =
            "warning: redaction is off: secrets are stored as they are sent (`[redact] enabled` in ./auditlake.toml";
        assert!(text.contains(said), "{text}");
    }
    fs::remove_file(env.path("auditlake.toml")).unwrap();
    assert!(!env.run(["ingest", "small.ndjson"]).contains("warning"));
}

#[test]
fn commands_do_not_see_our_keys() {
    let env = Env::with_small();
    let run = |config: &str| {
        env.write("auditlake.toml", config);
        let args = [
            "report",
            "run",
            "auth-outcome-summary",
            "--period",
            "2026-01",
            "-o",
            "out.csv",
            "--hook",
            "env > env.txt",
        ];
        let mut command = env.command(args);
        command.env("ELEVENLABS_API_KEY", "k-123").env("AWS_PROFILE", "audit").env("LC_ALL", "C");
        let output = command.output().unwrap();
        assert!(env.path("env.txt").exists(), "{}", env.text(&output));
        env.read("env.txt")
    };
    let seen = run("");
    assert!(seen.contains("PATH=") && seen.contains("HOME=") && seen.contains("LC_ALL=C"), "{seen}");
    assert!(!seen.contains("k-123") && !seen.contains("AWS_PROFILE"), "{seen}");
    let seen = run("[commands]\nenvironment = [\"AWS_PROFILE\"]\n");
    assert!(seen.contains("AWS_PROFILE=audit") && !seen.contains("k-123"), "{seen}");
}

#[test]
fn commands_run_only_from_a_file_that_is_ours_alone() {
    let env = Env::with_small();
    let source = "[[source]]\nname = \"prod\"\nbase_url = \"http://127.0.0.1:1\"\n";
    env.write("key.toml", format!("{source}key = {{ command = [\"touch\", \"ran\"] }}\n"));
    let schedule = "[[schedule]]\nname = \"s\"\nreports = [\"auth-outcome-summary\"]\nperiod = \"last-month\"\n\
                    calendar = \"0 6 1 * *\"\noutput = \"out\"\nafterwards = [\"touch\", \"ran\"]\n";
    env.write("schedule.toml", schedule);
    for (file, args, what) in [
        ("key.toml", &["pull"][..], "source `prod`"),
        ("schedule.toml", &["report", "due"], "schedule `s`"),
        ("schedule.toml", &["schedule"], "schedule `s`"),
    ] {
        set_mode(&env, file, 0o666);
        let text = env.run([args, &["--config", file]].concat());
        assert!(text.contains(&format!("{what} would run a command from {file}")), "{text}");
        assert!(text.contains(&format!("hint: chmod go-w {file}")) && text.contains("[exit status: 2]"), "{text}");
        assert!(!env.path("ran").exists());
    }
    set_mode(&env, "key.toml", 0o644);
    env.run(["pull", "--config", "key.toml"]);
    assert!(env.path("ran").exists());
}
