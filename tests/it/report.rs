//! `auditlake report`: the three reports over lakes made from their fixtures, through the whole program.

use std::fs;

use chrono::DateTime;
use insta::assert_snapshot;
use serde_json::Value;

use crate::env::Env;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/reports");

fn with_fixture(id: &str) -> Env {
    let env = Env::new();
    let text = fs::read_to_string(format!("{DATA}/{id}.ndjson")).unwrap();
    env.write("fixture.ndjson", text);
    env.ok(["ingest", "-q", "fixture.ndjson"]);
    env
}

/// Checks that every case of a fixture gives the rows that were computed without our SQL.
fn check(id: &str) {
    check_cases(id, usize::MAX);
}

/// Checks the first `count` cases of a fixture; all of them run beside the report engine.
fn check_cases(id: &str, count: usize) {
    let env = with_fixture(id);
    let text = fs::read_to_string(format!("{DATA}/{id}.expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    // Optional input tables are given to the library's tests only.
    for case in cases.iter().filter(|case| case["inputs"].is_null()).take(count) {
        let parameters = case["parameters"].as_object().unwrap();
        let mut args =
            vec!["report".to_string(), "run".into(), id.into(), "-q".into(), "--format".into(), "json".into()];
        for (name, value) in parameters {
            args.extend(["--param".to_string(), format!("{name}={}", value.as_str().unwrap())]);
        }
        let rows: Vec<Value> = serde_json::from_str(&env.ok(&args)).unwrap();
        let expected = case["rows"].as_array().unwrap();
        assert_eq!(rows.len(), expected.len(), "{id} {parameters:?}");
        for (number, (row, expected)) in rows.iter().zip(expected).enumerate() {
            let (row, expected) = (row.as_object().unwrap(), expected.as_object().unwrap());
            assert_eq!(row.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (name, value) in expected {
                assert!(
                    is_same(value, &row[name]),
                    "{id} {parameters:?} row {number} {name}: {} is not {value}",
                    row[name]
                );
            }
        }
    }
}

/// Compares two values: the fixtures write times in milliseconds, the program as RFC 3339.
fn is_same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(ms), Value::String(text)) => {
            DateTime::parse_from_rfc3339(text).is_ok_and(|time| Some(time.timestamp_millis()) == ms.as_i64())
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-9 * a.abs().max(1.0)
        }
        _ => expected == actual,
    }
}

#[test]
fn auth_outcome_summary_gives_the_expected_rows() {
    check("auth-outcome-summary");
}

#[test]
fn brute_force_by_user_gives_the_expected_rows() {
    check("brute-force-by-user");
}

#[test]
fn user_provisioning_log_gives_the_expected_rows() {
    check("user-provisioning-log");
}

#[test]
fn reports_on_accounts_access_groups_and_keys_give_the_expected_rows() {
    for id in [
        "access-review-as-of",
        "access-review-diff",
        "account-roster-as-of",
        "api-key-lifecycle",
        "dormant-accounts",
        "group-membership-changes",
        "leaver-residual-access",
        "privileged-grants-log",
        "sod-violations",
        "user-deprovisioning-log",
    ] {
        check_cases(id, 1);
    }
}

#[test]
fn reports_on_events_and_the_log_give_the_expected_rows() {
    for id in [
        "actor-timeline",
        "audit-log-config-changes",
        "burst-deletion",
        "failed-admin-actions",
        "impossible-travel",
        "log-gaps",
        "mandatory-field-completeness",
        "mfa-factor-changes",
        "monthly-executive-summary",
        "off-hours-admin-activity",
        "pci-10-2-1-coverage-matrix",
        "success-after-failures",
    ] {
        check_cases(id, 1);
    }
}

#[test]
fn raw_event_is_the_one_that_came_in() {
    let env = with_fixture("actor-timeline");
    let run = |raw: &str| -> Vec<Value> {
        let period = ["--period", "2026-04-01..2026-04-08", "--param", "entity=agent-1", "--param", raw];
        serde_json::from_str(
            &env.ok([&["report", "run", "actor-timeline", "-q", "--format", "json"], &period[..]].concat()),
        )
        .unwrap()
    };
    let lines = fs::read_to_string(format!("{DATA}/actor-timeline.ndjson")).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows = run("include_raw=true");
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let event = events.iter().find(|event| event["metadata"]["uid"] == row["event_uid"]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(row["raw"].as_str().unwrap()).unwrap(), *event);
    }
    assert!(run("include_raw=false").iter().all(|row| row["raw"].is_null()));
}

#[test]
fn the_list_needs_no_lake() {
    let env = Env::new();
    let text = env.ok(["report", "list", "--format", "csv"]);
    let ids: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    for id in ["auth-outcome-summary", "brute-force-by-user", "user-provisioning-log"] {
        assert!(ids.contains(&id), "{text}");
    }
    assert!(ids.is_sorted(), "{text}");
}

#[test]
fn a_report_shows_what_it_takes_and_gives() {
    let env = Env::new();
    let text = env.run(["report", "show", "brute-force-by-user"]);
    assert_snapshot!(text.split("\n\nwith ").next().unwrap().split("\n\n--").next().unwrap(), @r"
    brute-force-by-user: Brute force against one account

    Which accounts took a burst of failed logons, from where, and did the attack get in or end in a lock?

    parameters
      from                   timestamp      required
      to                     timestamp      required
      threshold              int            = 5
      window                 duration       = PT15M
      lookback               duration       = P1D
      success_window         duration       = PT1H
      max_missing            double         = 0.2

    columns
      subject_uid            string
      subject_label          string
      first_time             timestamp
      trigger_time           timestamp
      last_time              timestamp
      failures               bigint
      max_in_window          bigint
      distinct_ips           bigint
      src_ips                list<string>
      lockout_time           timestamp
      success_time           timestamp
      success_ip             string
      severity_id            int
      finding_key            string

    controls
      soc2                   CC6.1, CC6.6, CC7.2, CC7.3
      iso                    A.8.5, A.8.16
      nist                   AC-7, AU-6, SI-4
      csf                    DE.CM-03, DE.AE-02, PR.AA-03
      pci                    8.3.4, 10.2.1.4, 10.4.1.1
      hipaa                  164.308(a)(5)(ii)(C), 164.308(a)(6)(ii)
      gdpr                   32(1)(b), 33(1)
      cis                    8.11

    how to read this, and its limits
      A row is an episode: at least `threshold` failed logons of one account within `window`. `success_time` means that a
      logon succeeded while it lasted or soon after, which is what severity 4 points at; `lockout_time` means that the
      account was locked.

      A forgotten password and a device with an old one look the same. Look at the addresses: the attack usually comes
      from one that the account never used.

      Failures that name nobody cannot be counted to an account.
    ");
}

#[test]
fn a_period_fills_from_and_to() {
    let env = Env::with_events(3_000);
    let run =
        |args: &[&str]| env.ok([&["report", "run", "auth-outcome-summary", "-q", "--format", "json"], args].concat());
    let month = run(&["--period", "2026-01"]);
    assert_eq!(month, run(&["--param", "from=2026-01-01", "--param", "to=2026-02-01"]));
    assert_eq!(month, run(&["--period", "2026-01-01..2026-02-01"]));
    let days: Vec<Value> = serde_json::from_str(&month).unwrap();
    assert!((28..=31).contains(&days.len()), "{} days", days.len());
    let text = env.run(["report", "run", "auth-outcome-summary", "--period", "2026-01", "-o", "out.csv"]);
    assert_snapshot!(text, @r"
    ------- stderr -------
    report auth-outcome-summary: Logon outcomes
      from = 2026-01-01T00:00:00Z
      to = 2026-02-01T00:00:00Z
      tz = UTC
      bucket = day
      by = all
      min_failures = 20
      max_missing = 0.2
      ledger entry 1, sha256 [SHA256]
      coverage 100 %
      31 rows: evidence
    ");
    assert_eq!(env.read("out.csv").lines().count(), days.len() + 1);
}

#[test]
fn parameters_are_checked_before_anything_runs() {
    let env = Env::with_small();
    let run = |args: &[&str]| env.run([&["report", "run", "brute-force-by-user"], args].concat());
    assert_snapshot!(run(&[]), @r"
    ------- stderr -------
    error: report `brute-force-by-user` needs parameter `from`
    hint: pass --param from=2026-01-01, or --period 2026-Q1
    [exit status: 2]
    ");
    assert_snapshot!(run(&["--period", "2026-13"]), @r"
    ------- stderr -------
    error: `2026-13` is no period
    hint: write 2026-01, 2026-Q1, 2026, 2026-01-15, 2026-01-15..2026-02-15 (end excluded) or last-month
    [exit status: 2]
    ");
    assert_snapshot!(run(&["--period", "2026-01", "--param", "treshold=3"]), @r"
    ------- stderr -------
    error: report `brute-force-by-user` has no parameter `treshold`
    hint: did you mean `threshold`?
    [exit status: 2]
    ");
    assert_snapshot!(run(&["--period", "2026-01", "--param", "threshold=many"]), @r"
    ------- stderr -------
    error: parameter `threshold` has the type int, not `many`
    hint: write a whole number
    [exit status: 2]
    ");
    assert_snapshot!(run(&["--period", "2026-01", "--param", "from=2026-01-01"]), @r"
    ------- stderr -------
    error: a period and `from` or `to` exclude each other
    [exit status: 2]
    ");
    assert_snapshot!(run(&["--period", "2026-01", "--param", "threshold"]), @r"
    ------- stderr -------
    error: invalid value 'threshold' for '--param <NAME=VALUE>': write NAME=VALUE

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert_snapshot!(env.run(["report", "run", "brute-forse", "--period", "2026-01"]), @r"
    ------- stderr -------
    error: no report `brute-forse`
    hint: did you mean `brute-force-by-user`? `report list` lists them all
    [exit status: 2]
    ");
    env.write("rows.what", "mine");
    assert_snapshot!(run(&["--period", "2026-01", "-o", "rows.what"]), @r"
    ------- stderr -------
    error: cannot tell a format from rows.what
    hint: use a suffix such as .csv, or say it with --format; a directory gets everything
    [exit status: 2]
    ");
    assert_eq!(env.read("rows.what"), "mine", "refused, and yet the file was emptied");
}

#[test]
fn a_parameter_is_a_value_and_never_sql() {
    let env = Env::with_small();
    let text =
        env.run(["report", "run", "auth-outcome-summary", "--period", "2026-01", "--param", "tz=UTC' or '1'='1"]);
    assert!(text.contains("error: ") && text.contains("[exit status: 2]"), "{text}");
    let text = env.run([
        "report",
        "run",
        "user-provisioning-log",
        "--period",
        "2026-01",
        "--param",
        "automation_actors=x'); drop table event; --",
        "--format",
        "csv",
    ]);
    assert!(!text.contains("error: "), "{text}");
}

/// A terminal, or a program that reads a pipe, once got a workbook's bytes.
#[test]
fn a_format_of_bytes_goes_to_a_file_only() {
    let env = Env::with_events(3_000);
    let run =
        |args: &[&str]| env.run([&["report", "run", "auth-outcome-summary", "--period", "2026-01"], args].concat());
    // An Arrow stream is made to be read from a pipe.
    let stream = env.command(["report", "run", "auth-outcome-summary", "--period", "2026-01", "--format", "arrow"]);
    assert!({ stream }.output().unwrap().stdout.starts_with(&[0xff; 4]));
    for format in ["parquet", "xlsx"] {
        let text = run(&["--format", format]);
        assert_eq!(
            text,
            format!(
                "------- stderr -------\nerror: {format} is written to a file only\n\
                 hint: name one: `-o result.{format}`, or `\\g result.{format}` in the shell\n[exit status: 2]\n"
            )
        );
    }
    for format in ["parquet", "arrow", "xlsx"] {
        let file = format!("rows.{format}");
        assert!(!run(&["-o", &file]).contains("exit status"));
        assert!(!run(&["--format", format, "-o", "plain"]).contains("exit status"));
        let read = |name: &str| fs::read(env.path(name)).unwrap();
        assert!(read(&file) == read("plain"), "{format}: the suffix and the name mean two things");
    }
    // The same files as in a folder of evidence.
    assert!(!run(&["--xlsx", "-o", "out"]).contains("exit status"));
    let read = |name: &str| fs::read(env.path(name)).unwrap();
    assert!(read("rows.parquet") == read("out/auth-outcome-summary/result.parquet"));
    // The sheet of a listing has columns for decisions; that of a detection has none.
    assert!(read("rows.xlsx") != read("out/auth-outcome-summary/result.xlsx"));
    let detection = |args: &[&str]| {
        let said = env.run([&["report", "run", "brute-force-by-user", "--period", "2026-01"], args].concat());
        assert!(!said.contains("exit status"), "{said}");
    };
    detection(&["-o", "found.xlsx"]);
    detection(&["--xlsx", "-o", "found"]);
    assert!(read("found.xlsx") == read("found/brute-force-by-user/result.xlsx"));
    let arrow = fs::File::open(env.path("rows.arrow")).unwrap();
    let rows: usize =
        arrow::ipc::reader::FileReader::try_new(arrow, None).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 31);
}

#[test]
fn a_month_a_holiday_and_one_of_some_reach_the_rows() {
    let env = Env::with_events(3_000);
    let rows = |args: &[&str]| -> Vec<Value> {
        serde_json::from_str(&env.ok([&["report", "run", "-q", "--format", "json"], args].concat())).unwrap()
    };
    let by_month = rows(&["monthly-executive-summary", "--param", "month=2026-01"]);
    assert_eq!(by_month, rows(&["monthly-executive-summary", "--period", "2026-01"]));
    let metric = |rows: &[Value], name: &str| rows.iter().find(|row| row["metric"] == name).unwrap().clone();
    assert_eq!(metric(&by_month, "events_total")["value"].as_f64(), Some(3_000.0));
    let february = rows(&["monthly-executive-summary", "--param", "month=2026-02"]);
    assert_eq!(metric(&february, "events_total")["value"].as_f64(), Some(0.0));
    assert_eq!(metric(&february, "events_total")["previous"].as_f64(), Some(3_000.0));

    // 2026-01-14 is a Wednesday, on which somebody worked from 8 to 18.
    let day = "2026-01-14";
    let off_hours = |args: &[&str]| rows(&[&["off-hours-admin-activity", "--period", day], args].concat());
    let reasons = |rows: &[Value]| -> Vec<String> {
        let mut found: Vec<String> = rows.iter().map(|row| row["reason"].as_str().unwrap().to_string()).collect();
        found.sort();
        found.dedup();
        found
    };
    let usual = off_hours(&[]);
    assert!(!reasons(&usual).contains(&"holiday".to_string()));
    assert_eq!(reasons(&off_hours(&["--param", "holidays=2026-01-13, 2026-01-14"])), ["holiday"]);
    assert_eq!(off_hours(&["--param", "holidays=2026-01-13,2026-01-15"]), usual);

    let timeline = ["report", "run", "actor-timeline", "--period", "2026-01"];
    assert_snapshot!(env.run(timeline), @r"
    ------- stderr -------
    error: report `actor-timeline` needs one of subject, ip, session, entity
    hint: pass --param subject=...
    [exit status: 2]
    ");
    let address = env.rows("select src_endpoint.ip as ip, count(*) as n from authentication where src_endpoint.ip is not null group by 1 order by 2 desc, 1 limit 1");
    let ip = format!("ip={}", address[0]["ip"].as_str().unwrap());
    let found = rows(&["actor-timeline", "--period", "2026-01", "--param", &ip]);
    assert!(found.len() as u64 >= address[0]["n"].as_u64().unwrap());
    assert!(found.iter().all(|row| format!("ip={}", row["src_ip"].as_str().unwrap()) == ip));
}

#[test]
fn severe_rows_of_a_listing_reach_the_exit_code() {
    let env = with_fixture("api-key-lifecycle");
    let run = |as_of: &str| {
        let as_of = format!("as_of={as_of}");
        let report = ["report", "run", "api-key-lifecycle", "--format", "ndjson", "--fail-on", "critical"];
        env.run([&report[..], &["--param", &as_of]].concat())
    };
    // A key that was found in public and that nobody deleted.
    let found = run("2026-03-31");
    assert!(found.contains("[exit status: 1]") && found.contains(" to look at"), "{found}");
    // A time before there was any.
    let before = run("2025-01-01");
    assert!(!before.contains("[exit status") && !before.contains("to look at"), "{before}");
}
