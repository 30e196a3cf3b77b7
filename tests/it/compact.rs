//! `compact`: small files become larger ones, and no reader sees other rows, whether before, during or after it.

use std::fs;
use std::process::Stdio;

use crate::env::{Env, assert_same_events, values};
use crate::soundness::{assert_sound, files, stored};

/// A configuration with a batch, and so a file, for every line or two.
const SMALL_STEPS: &str = "[ingest]\nbatch = \"1000\"\nthreads = 1\n\n[compact]\nautomatic = false\n";

/// Makes a lake of many small files, with rejects and a revision.
fn small_files() -> Env {
    let env = Env::new();
    env.write("auditlake.toml", SMALL_STEPS);
    env.generate("events.ndjson", 120);
    let first = env.read("events.ndjson").lines().next().unwrap().to_string();
    let revised = first.replacen('{', "{\"message\":\"said otherwise\",", 1);
    env.ok(["ingest", "events.ndjson", "-q"]);
    for number in 0..3 {
        env.write(
            "odd.ndjson",
            format!("not an event {number}\n{}\n", revised.replace("otherwise", &number.to_string())),
        );
        env.command(["ingest", "odd.ndjson", "-q"]).output().unwrap();
    }
    env
}

const ROWS: &str = "select * from reject order by all; select * from revision order by all; \
                    select * from event order by all; select _batch, count(*) from authentication group by 1 order by 1";

fn parquet_files(env: &Env) -> usize {
    let is_data =
        |path: &&String| path.ends_with(".parquet") && path.contains("/event_month=") && !path.starts_with('_');
    files(&env.path("auditlake-data")).iter().filter(is_data).count()
}

#[test]
fn a_compacted_lake_has_the_same_rows_and_few_files() {
    let env = small_files();
    let lake = env.path("auditlake-data");
    let (before, count, rows) = (stored(&lake), parquet_files(&env), env.ok(["sql", "-c", ROWS, "--format", "csv"]));
    let head = assert_sound(&lake).entries.len() as u64 - 1;

    let foreseen = env.ok(["compact", "--dry-run", "--json"]);
    assert_eq!(parquet_files(&env), count);
    let foreseen: serde_json::Value = serde_json::from_str(&foreseen).unwrap();
    let done: serde_json::Value = serde_json::from_str(&env.ok(["compact", "--json"])).unwrap();
    for what in ["files_before", "files_after", "rows", "bytes_before"] {
        assert_eq!(foreseen[what], done[what], "{what}");
    }
    let ledger = assert_sound(&lake);
    assert_eq!(ledger.entries.len() as u64, head + 2);
    assert_eq!(ledger.entries.last().unwrap()["kind"], "compact");
    assert_eq!(
        (ledger.entries.last().unwrap()["format"].as_u64(), ledger.entries[0]["format"].as_u64()),
        (Some(2), Some(1))
    );
    assert!(parquet_files(&env) * 4 < count, "{} of {count}", parquet_files(&env));
    assert_eq!(stored(&lake), before);
    assert_eq!(env.ok(["sql", "-c", ROWS, "--format", "csv"]), rows);
    assert_eq!(env.ok(["sql", "--as-of", &head.to_string(), "-c", ROWS, "--format", "csv"]), rows);
    for level in ["0", "1", "2", "3"] {
        env.ok(["verify", "--level", level]);
    }
    env.ok(["repair"]);
    assert_eq!(assert_sound(&lake).entries.len() as u64, head + 2);
    assert_eq!(env.ok(["compact"]), "nothing to do\n");

    // Everything comes again, and all of it is known.
    env.write("again.ndjson", format!("\n{}", env.read("events.ndjson")));
    env.ok(["ingest", "again.ndjson", "-q"]);
    assert_eq!(stored(&lake), before);
    assert_sound(&lake);
}

#[test]
fn replaced_files_go_when_their_time_is_over_and_older_states_say_so() {
    let env = small_files();
    let lake = env.path("auditlake-data");
    let (before, head) = (stored(&lake), assert_sound(&lake).entries.len() - 1);
    env.ok(["compact", "--grace", "0s"]);
    let ledger = assert_sound(&lake);
    assert_eq!(ledger.entries.last().unwrap()["kind"], "drop");
    assert!(files(&lake.join("_replaced")).is_empty());
    assert_eq!(stored(&lake), before);
    env.ok(["verify", "--level", "3"]);
    env.ok(["repair"]);
    let output = env.command(["sql", "--as-of", &head.to_string(), "-c", "select 1"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("were removed since"), "{error}");
}

#[test]
fn a_delta_log_and_tables_that_are_gone_are_made_anew_after_a_compaction() {
    let env = small_files();
    let lake = env.path("auditlake-data");
    env.ok(["compact"]);
    let before = stored(&lake);
    for table in ["authentication", "reject"] {
        fs::remove_dir_all(lake.join(table).join("_delta_log")).unwrap();
    }
    env.ok(["repair", "-q"]);
    assert_sound(&lake);
    fs::remove_dir_all(lake.join("authentication/_delta_log")).unwrap();
    // The next writer does the same.
    env.write("more.ndjson", env.read("events.ndjson").lines().next().unwrap());
    env.ok(["ingest", "more.ndjson", "-q", "--finish"]);
    assert_sound(&lake);
    assert_eq!(stored(&lake), before);
}

#[test]
fn many_small_files_are_merged_after_an_ingest() {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nbatch = \"1000\"\nthreads = 1\n\n[compact]\nfiles = 4\n");
    env.generate("events.ndjson", 60);
    let output = env.command(["ingest", "events.ndjson"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("small files into"), "{told}");
    assert_sound(&env.path("auditlake-data"));
    env.ok(["verify", "--level", "3"]);
}

/// Locks lock nothing, as on some disks that several machines share, and every step takes its time.
///
/// `AUDITLAKE_UNLOCKED_ROUNDS=100` asks for more rounds than a few; `tests/fault/compact` does.
#[test]
fn compactions_race_one_another_and_writers_and_no_row_changes() {
    if auditlake::failpoint::POINTS.is_empty() {
        return;
    }
    let rounds: u64 = std::env::var("AUDITLAKE_UNLOCKED_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut compactions = 0;
    for round in 0..rounds {
        let env = Env::new();
        env.write(
            "auditlake.toml",
            "[ingest]\nbatch = \"3KB\"\nthreads = 1\n\n[redact]\nenabled = false\n\n[compact]\nautomatic = false\n",
        );
        env.generate("events.ndjson", 40);
        let text = env.read("events.ndjson");
        let all: Vec<&str> = text.lines().collect();
        env.write("first.ndjson", crate::env::lines(&all[..24]));
        env.ok(["ingest", "first.ndjson", "-q"]);
        env.write("second.ndjson", crate::env::lines(&all[20..]));
        let commands = [
            &["ingest", "second.ndjson"][..],
            &["compact"],
            &["compact"],
            &["sql", "-c", "select count(*) from event"],
        ];
        let mut children = Vec::new();
        for (part, command) in commands.iter().enumerate() {
            let mut command = env.command(*command);
            command.arg("-q").env("AUDITLAKE_FAIL_POINT", format!("unlocked:{}", round * 4 + part as u64));
            children.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        }
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "round {round}: {}", env.text(&output));
        }
        // A run with nothing to do clears away what the losers of races left.
        env.ok(["ingest", "first.ndjson", "-q"]);
        let ledger = assert_sound(&env.path("auditlake-data"));
        compactions += ledger.entries.iter().filter(|entry| entry["kind"] == "compact").count();
        assert_eq!(ledger.count("accepted"), 40, "round {round}");
        assert_same_events(&values(&text), &values(&env.ok(["export"])));
        env.ok(["verify", "--level", "3"]);
    }
    assert!(compactions as u64 >= rounds);
}

#[test]
fn evidence_is_run_again_while_its_files_are_kept_and_compared_with_the_ledger_afterwards() {
    let env = small_files();
    env.command(["report", "run", "auth-outcome-summary", "--period", "2026-01", "-o", "evidence"]).output().unwrap();
    env.ok(["compact"]);
    let told = env.ok(["report", "verify", "evidence"]);
    assert!(!told.contains("not run again"), "{told}");
    env.ok(["compact", "--grace", "0s"]);
    let told = env.ok(["report", "verify", "evidence"]);
    assert!(told.contains("not run again") && told.contains("kept every row"), "{told}");
}

#[test]
fn a_repair_steps_back_from_a_compaction_and_puts_back_what_it_replaced() {
    for is_readable in [true, false] {
        let env = small_files();
        let lake = env.path("auditlake-data");
        let before = stored(&lake);
        env.ok(["compact"]);
        let ledger = assert_sound(&lake);
        let last = ledger.entries.len() - 1;
        if is_readable {
            // A file that it wrote is gone.

            let file = &ledger.entries[last]["files"][0];
            let path = lake.join(file["table"].as_str().unwrap()).join(file["path"].as_str().unwrap());
            fs::remove_file(path).unwrap();
        } else {
            fs::write(lake.join(format!("_ledger/{last:020}.json")), "{").unwrap()
        }
        assert_eq!(env.command(["repair"]).output().unwrap().status.code(), Some(6));
        env.ok(["repair", "--drop-incomplete"]);
        assert_eq!(assert_sound(&lake).entries.len(), last);
        assert_eq!(stored(&lake), before);
        env.ok(["verify", "--level", "3"]);
    }
}
