//! One grammar: a text that one flag accepts, all accept, and SQL as well.

use crate::env::{Env, SMALL, lines};
use crate::soundness::in_parallel;

const TIMES: [&str; 7] = [
    "2026-01-05",
    "2026-01-05 12:00",
    "2026-01-05T12:00",
    "2026-01-05T12:00:00Z",
    "2026-01-05 12:00:00.5+02",
    "2026-01-05T12:00:00+02:00",
    "1767225600000",
];

const NO_TIMES: [&str; 6] =
    ["2026-02-30", "2026-01-05 24:00", "04/24/2026", "1767225600", "yesterday", "2026-01-05T12"];

const DURATIONS: [&str; 8] = ["30s", "1.5h", "250ms", "2d", "1w", "1h30m", "PT15M", "P1DT12H"];

const NO_DURATIONS: [&str; 4] = ["90", "1 month", "P1M", "soon"];

/// Makes a lake, and a source that can be pulled from an empty recording.
fn env() -> Env {
    let env = Env::with_small();
    env.write(
        "auditlake.toml",
        "[[source]]\nname = \"prod\"\nbase_url = \"http://127.0.0.1:1\"\nkey = { env = \"NO\" }\n",
    );
    env
}

/// Command lines with `TEXT` for the value of a flag, and whether `7d` is a time there.
const TIME_FLAGS: [(&[&str], bool); 10] = [
    (&["sql", "--since", "TEXT", "-c", "select 1"], true),
    (&["sql", "--until", "TEXT", "-c", "select 1"], true),
    (&["sql", "--as-of", "TEXT", "-c", "select 1"], true),
    (&["coverage", "--since", "TEXT"], true),
    (&["pull", "--since", "TEXT"], true),
    (&["pull", "--until", "TEXT"], true),
    (&["reject", "list", "--since", "TEXT"], true),
    (&["key", "create", "--user", "u", "--expires", "TEXT"], true),
    (&["report", "due", "--dry-run", "--now", "TEXT"], true),
    (&["report", "run", "auth-outcome-summary", "--param", "from=TEXT", "--param", "to=2026-06-01"], false),
];

const DURATION_FLAGS: [&[&str]; 6] = [
    &["sql", "--timeout", "TEXT", "-c", "select 1"],
    &["sql", "--lock-timeout", "TEXT", "-c", "select 1"],
    &["pull", "--deep", "TEXT"],
    &["pull", "--watch", "TEXT"],
    &["coverage", "--since", "TEXT"],
    &["report", "run", "brute-force-by-user", "--period", "2026-01", "--param", "window=TEXT"],
];

/// Returns whether the command line accepted the text; its use does not matter here.
fn takes(env: &Env, command: &[&str], text: &str) -> Result<(), String> {
    let command: Vec<String> = command.iter().map(|word| word.replace("TEXT", text)).collect();
    let said = env.run(&command);
    let is_refused = ["invalid value", "has the type", "cannot read the time"].iter().any(|words| said.contains(words));
    if is_refused { Err(said) } else { Ok(()) }
}

#[test]
fn all_flags_read_times_alike() {
    let env = env();
    in_parallel(TIME_FLAGS.to_vec(), |(command, is_ago)| {
        for text in TIMES.iter().chain(is_ago.then_some(&"7d")) {
            takes(&env, command, text).unwrap_or_else(|said| panic!("{command:?} {text}: {said}"));
        }
        // A ledger entry may have this many digits.
        let is_entry = |text: &&str| command.contains(&"--as-of") && text.bytes().all(|byte| byte.is_ascii_digit());
        for text in NO_TIMES.iter().filter(|text| !is_entry(text)) {
            let said = takes(&env, command, text).expect_err(text);
            assert!(said.contains("write ") || said.contains("23:59:59"), "{command:?} {text}: {said}");
            assert!(said.contains("[exit status: 2]"), "{command:?} {text}: {said}");
        }
    });
}

#[test]
fn all_flags_read_durations_alike() {
    let env = env();
    in_parallel(DURATION_FLAGS.to_vec(), |command| {
        for text in DURATIONS {
            takes(&env, command, text).unwrap_or_else(|said| panic!("{command:?} {text}: {said}"));
        }
        for text in NO_DURATIONS {
            let said = takes(&env, command, text).expect_err(text);
            assert!(said.contains("write "), "{command:?} {text}: {said}");
        }
    });
}

#[test]
fn sql_reads_times_as_flags_do() {
    let env = Env::with_small();
    // The four events of the first day are at midnight and the seconds after.
    let count = |condition: &str| env.number(&format!("select count(*) from event where {condition}"));
    for text in ["2026-01-01 00:00", "2026-01-01T00:00", "2026-01-01 02:00:00+02", "2026-01-01", "1767225600000"] {
        assert_eq!(count(&format!("time = '{text}'")), 1, "{text}");
        assert_eq!(count(&format!("time in ('{text}', '2026-01-01 00:00:01')")), 2, "{text}");
        assert_eq!(count(&format!("time between '{text}' and '2026-01-31 23:59'")), 4, "{text}");
        assert_eq!(count(&format!("time = timestamp '{text}'")), 1, "{text}");
        assert_eq!(count(&format!("time = cast('{text}' as timestamp)")), 1, "{text}");
        assert_eq!(count(&format!("time = '{text}'::timestamptz")), 1, "{text}");
    }
    assert_eq!(env.number("select cast(timestamp '2026-04-24 12:00' as bigint) / 1000000 as s"), 1_777_032_000);
    assert_eq!(count("time = try_cast('2026-01-01 00:00' as timestamp)"), 1);
    assert_eq!(count("try_cast('24:00' as timestamp) is null"), 6);
    for (text, why) in [
        ("2026-04-24 24:00", "this time of day does not exist"),
        ("2026-02-30", "this day does not exist"),
        ("04/24/2026", "cannot read the time '04/24/2026'"),
        ("soon", "cannot read the time 'soon'"),
    ] {
        for condition in [format!("time >= '{text}'"), format!("time >= timestamp '{text}'")] {
            let said = env.run(["sql", "-c", &format!("select count(*) from event where {condition}")]);
            assert!(said.contains(why) && said.contains("hint: ") && said.contains("[exit status: 3]"), "{said}");
        }
    }
}

#[test]
fn a_time_of_thirteen_digits_is_no_ledger_entry() {
    let env = Env::with_small();
    let run =
        |as_of: &str| env.run(["sql", "--as-of", as_of, "-t", "--format", "csv", "-c", "select count(*) from event"]);
    assert_eq!(run("1"), "6\n");
    assert_eq!(run("0"), "0\n");
    assert!(run("7").contains("no ledger entry 7"));
    assert!(run("1767225600000").contains("the lake did not exist yet at that time"));
    assert_eq!(run("9999999999999"), "6\n");
}

#[test]
fn hostile_names_are_seen_and_not_obeyed() {
    let env = Env::new();
    let name = "a\u{1b}[31mred\u{202e}\u{200b}.ndjson";
    env.write(name, lines(&SMALL));
    for (command, said) in [
        (vec!["ingest", name], "accepted 6"),
        (vec!["ingest", name], "already ingested"),
        (vec!["ingest", "a\u{1b}[31mgone"], "a\\u{1b}[31mgone"),
        (vec!["sql", "--since", "now\u{202e}"], "now\\u{202e}"),
        (vec!["sql", "-c", "\\echo '\u{1b}[31m'"], "\\u{1b}[31m"),
        (vec!["sql", "-o", "r\u{1b}.csv", "-c", "select 1"], ""),
        (vec!["report", "run", "auth-outcome-summary", "--period", "2026-01", "-o", "r\u{1b}"], "page: r\\u{1b}"),
        (vec!["report", "verify", "r\u{1b}"], "r\\u{1b}"),
        (vec!["key", "create", "--user", "u\u{1b}"], "u\\u{1b}"),
    ] {
        let output = env.command(&command).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(said), "{command:?}: {text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{command:?}: {text:?}");
    }
    // As JSON the name is unchanged.
    let summary = env.ingest([name]);
    assert_eq!(summary["sources"][0]["name"], name);
}

#[test]
fn a_class_is_not_named_as_a_table_that_every_lake_has() {
    let env = Env::with_small();
    let class = include_str!("../data/schemas/datastore_activity.json");
    for name in ["coverage", "ingest_log", "observable", "logon", "user_access_privilege", "event", "reject"] {
        env.write(&format!("{name}/{name}.json"), class);
        let text = env.run(["sql", "--schemas", name, "-c", "select 1"]);
        assert!(text.contains(&format!("`{name}`")) && text.contains("[exit status: 2]"), "{name}: {text}");
    }
}
