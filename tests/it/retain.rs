//! `retain` and `hold`: old rows are gone from every byte of the lake, and nothing else is.

use std::fs::{self, File};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::env::Env;
use crate::soundness::{assert_sound, files};

const CONFIGURATION: &str = "[ingest]\nbatch = \"1000\"\nthreads = 1\n\n[compact]\nautomatic = false\n\n\
                             [retain]\nkeep = \"400d\"\nclass = { entity_management = \"\" }\n";
const DAY_MS: u64 = 86_400_000;
/// The ages of the events in days, and so how many of them are too old.
const AGES: std::ops::Range<u64> = 1..61;

/// Returns a text that occurs in one event alone.
fn marker(number: u64) -> String {
    format!("marker-{:08x}", number.wrapping_mul(2_654_435_761) as u32)
}

/// Makes an event; ten days lie between two events, and every third is of a class that is kept forever.
fn event(number: u64, more: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 / DAY_MS * DAY_MS;
    let (time, class) = (now - number * 10 * DAY_MS, if number.is_multiple_of(3) { 3004 } else { 3002 });
    let actor = if number % 10 == 1 { "held" } else { "other" };
    format!(
        r#"{{"metadata":{{"uid":"u{number}"}},"class_uid":{class},"time":{time},"message":"{}{more}","actor":{{"user":{{"uid":"{actor}"}}}},"vendor":{{"note":"{}"}}}}"#,
        marker(number),
        marker(number)
    )
}

fn is_old(number: u64) -> bool {
    number >= 40 && !number.is_multiple_of(3)
}

fn is_held(number: u64) -> bool {
    number % 10 == 1
}

/// Returns which texts are in the lake: in the bytes of any file, or in a value of any Parquet file.
fn holds(lake: &Path, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |place: &str, content: &str| {
        found.extend(
            texts.iter().filter(|text| content.contains(text.as_str())).map(|text| format!("{text} in {place}")),
        );
    };
    for path in files(lake) {
        let bytes = fs::read(lake.join(&path)).unwrap();
        look(&path, &String::from_utf8_lossy(&bytes));
        if !path.ends_with(".parquet") {
            continue;
        }
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(lake.join(&path)).unwrap()).unwrap();
        for batch in reader.build().unwrap() {
            for column in batch.unwrap().columns() {
                let options = FormatOptions::default();
                let formatter = ArrayFormatter::try_new(column, &options).unwrap();
                let texts: Vec<String> = (0..column.len()).map(|row| formatter.value(row).to_string()).collect();
                look(&path, &texts.join("\n"));
            }
        }
    }
    found
}

fn grown() -> Env {
    let env = Env::new();
    env.write("auditlake.toml", CONFIGURATION);
    let events: Vec<String> = AGES.map(|number| event(number, "")).collect();
    env.write("events.ndjson", crate::env::lines(&events));
    env.ok(["ingest", "events.ndjson", "-q"]);
    // Later versions of an old event and of a young one.
    env.write("revised.ndjson", crate::env::lines(&[event(50, " later"), event(2, " later")]));
    env.ok(["ingest", "revised.ndjson", "-q"]);
    // The merged files are copies, which must not be left either.
    env.ok(["compact"]);
    env
}

#[test]
fn what_is_old_enough_is_in_no_byte_of_the_lake() {
    let env = grown();
    let lake = env.path("auditlake-data");
    env.ok(["hold", "add", "case-7", "--reason", "litigation", "--owner", "legal", "--actor", "held"]);
    let foreseen: Value = serde_json::from_str(&env.ok(["retain", "--dry-run", "--json"])).unwrap();
    let done: Value = serde_json::from_str(&env.ok(["retain", "--json"])).unwrap();
    for (name, table) in foreseen["tables"].as_object().unwrap() {
        for what in ["rows", "held", "files", "rewritten"] {
            assert_eq!(table[what], done["tables"][name][what], "{what} of {name}");
        }
    }
    assert_eq!(foreseen["replaced"], done["replaced"]);

    let gone: Vec<u64> = AGES.filter(|number| is_old(*number) && !is_held(*number)).collect();
    let held = AGES.filter(|number| is_old(*number) && is_held(*number)).count() as u64;
    assert!(gone.len() > 5 && held > 0);
    let told = &done["tables"]["authentication"];
    assert_eq!((told["rows"].as_u64(), told["held"].as_u64()), (Some(gone.len() as u64), Some(held)), "{done}");
    assert_eq!(done["tables"]["revision"]["rows"], 1, "{done}");
    assert!(done["tables"]["entity_management"].is_null(), "{done}");
    assert_eq!(holds(&lake, &gone.iter().map(|number| marker(*number)).collect::<Vec<_>>()), Vec::<String>::new());
    let kept: Vec<String> = AGES.filter(|number| !gone.contains(number)).map(marker).collect();
    for text in &kept {
        assert!(!holds(&lake, std::slice::from_ref(text)).is_empty(), "{text} is gone");
    }
    assert_sound(&lake);
    let verified: Value = serde_json::from_str(&env.ok(["verify", "--level", "3", "--json"])).unwrap();
    // Fingerprints of files that are no more would be noted.
    assert_eq!(verified["notes"], json!([]), "{verified}");
    assert!(lake.join("_fingerprints").read_dir().unwrap().next().is_some());
    env.ok(["repair"]);
    let entries = assert_sound(&lake).entries.len();
    env.ok(["retain"]);
    assert_eq!(assert_sound(&lake).entries.len(), entries, "there was nothing left to remove");

    let sequence = done["entries"][0].as_u64().unwrap();
    let receipt: Value = serde_json::from_str(&env.read(&format!("receipts/retain-{sequence}.json"))).unwrap();
    assert_eq!(receipt["removed"]["authentication"]["rows"], gone.len() as u64);
    assert_eq!((&receipt["policy"]["authentication"], &receipt["holds"][0]), (&"400d".into(), &"case-7".into()));
    assert!(env.read(&format!("receipts/retain-{sequence}.html")).contains("case-7"));

    // Everything comes again, in another file: removed rows do not come back.
    let again: Vec<String> = AGES.map(|number| event(number, "")).collect();
    env.write("again.ndjson", format!("\n{}", crate::env::lines(&again)));
    let summary = env.ingest(["again.ndjson"]);
    let old = AGES.filter(|number| is_old(*number)).count() as u64;
    assert_eq!(summary["counts"]["outside"], old, "{summary}");
    assert_eq!(summary["counts"]["duplicate"], AGES.count() as u64 - old, "{summary}");
    assert_eq!(summary["counts"]["accepted"], 0, "{summary}");
    let output = env.command(["ingest", "again.ndjson"]).output().unwrap();
    assert!(output.status.success());

    // The hold ends, and its rows go.
    env.ok(["hold", "release", "case-7", "--reason", "settled", "--owner", "legal"]);
    env.ok(["retain"]);
    let all: Vec<String> = AGES.filter(|number| is_old(*number)).map(marker).collect();
    assert_eq!(holds(&lake, &all), Vec::<String>::new());
    assert_sound(&lake);
    env.ok(["verify", "--level", "3"]);
}

#[test]
fn a_clock_that_is_far_from_the_newest_event_asks_first() {
    let env = Env::with_small();
    env.write("auditlake.toml", "[retain]\nkeep = \"1d\"\n");
    let output = env.command(["retain"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("this machine's clock says") && error.contains("--yes"), "{error}");
    env.ok(["retain", "--yes"]);
    assert_eq!(env.number("select count(*) from event"), 0);
    assert_sound(&env.path("auditlake-data"));
}

#[test]
fn holds_are_named_once_and_listed() {
    let env = Env::with_small();
    let add = ["hold", "add", "one", "--reason", "r", "--owner", "o", "--subject", "bob", "--since", "2026-01-01"];
    env.ok(add);
    assert_eq!(env.command(add).output().unwrap().status.code(), Some(2));
    let listed = env.ok(["hold", "list", "--format", "csv"]);
    assert!(listed.contains("one,r,o,,2026-01-01"), "{listed}");
    env.ok(["hold", "release", "one", "--reason", "r", "--owner", "o"]);
    assert!(!env.ok(["hold", "list", "--format", "csv"]).contains("one"));
    env.ok(["verify", "--level", "3"]);
}

#[test]
fn a_person_is_erased_from_every_byte_of_the_lake() {
    let env = Env::new();
    env.write("auditlake.toml", "[ingest]\nbatch = \"1000\"\nthreads = 1\n\n[compact]\nautomatic = false\n");
    let (uid, mail) = ("usr-4711-ann", "ann.other@corp.example");
    let event = |number: u64, more: &str| {
        let time = 1_767_225_600_000 + number * DAY_MS;
        let (by, to) = if number.is_multiple_of(4) { (uid, mail) } else { ("usr-1", "bob@corp.example") };
        format!(
            r#"{{"metadata":{{"uid":"u{number}"}},"class_uid":300{},"time":{time},"message":"by <{by}>{more}","actor":{{"user":{{"uid":"{by}","email_addr":"{to}"}}}},"vendor":{{"who":["{to}","x{uid}"]}}}}"#,
            [1, 2, 4][number as usize % 3]
        )
    };
    let events: Vec<String> = (1..=40).map(|number| event(number, "")).collect();
    env.write("events.ndjson", crate::env::lines(&events));
    env.ok(["ingest", "events.ndjson", "-q"]);
    env.write("more.ndjson", crate::env::lines(&[event(8, " later"), format!("no event of {uid}")]));
    env.command(["ingest", "more.ndjson", "-q"]).output().unwrap();
    env.ok(["compact"]);
    let lake = env.path("auditlake-data");
    let rows = assert_sound(&lake).rows();
    let erase = ["erase", "--subject", uid, "--subject", mail, "--reason", "request 12"];

    env.ok(["hold", "add", "h", "--reason", "r", "--owner", "o", "--until", "2026-01-10"]);
    let output = env.command(erase).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", env.text(&output));
    env.ok(["hold", "release", "h", "--reason", "r", "--owner", "o"]);

    let foreseen: Value = serde_json::from_str(&env.ok(erase.iter().chain(&["--dry-run", "--json"]))).unwrap();
    let done: Value = serde_json::from_str(&env.ok(erase.iter().chain(&["--json"]))).unwrap();
    assert_eq!(foreseen["rows"], done["rows"]);
    let sum: u64 = done["rows"].as_object().unwrap().values().map(|rows| rows.as_u64().unwrap()).sum();
    assert_eq!(sum, 12, "{done}");
    // As a part of another word it belongs to somebody else.
    let left = holds(&lake, &[mail.to_string(), format!("\"{uid}"), format!("<{uid}")]);
    assert_eq!(left, Vec::<String>::new());
    assert!(!holds(&lake, &[format!("x{uid}")]).is_empty());
    assert_eq!(assert_sound(&lake).rows(), rows);
    env.ok(["verify", "--level", "3"]);
    env.ok(["repair"]);
    let pseudonym = done["pseudonyms"][0].as_str().unwrap();
    assert!(pseudonym.starts_with("erased-"));
    let of = |name: &str| env.number(&format!("select count(*) from event where \"{name}\" like 'erased-%'"));
    assert_eq!(of("actor_uid"), 10);
    let receipt = env.read(&format!("receipts/erase-{}.json", done["entries"][0]));
    assert!(receipt.contains("request 12") && !receipt.contains(uid), "{receipt}");
    // The same lines come again, and are still known.
    env.write("again.ndjson", format!("\n{}", crate::env::lines(&events)));
    assert_eq!(env.ingest(["again.ndjson"])["counts"]["duplicate"], 40);
    assert_eq!(env.ok(erase), "no row names the person\n");
}

#[test]
fn a_backup_is_the_lake_again_and_forgets_what_the_lake_forgets() {
    let env = grown();
    let lake = env.path("auditlake-data");
    let copy = env.path("copy");
    env.ok(["backup", "copy"]);
    assert_eq!(crate::soundness::stored(&copy), crate::soundness::stored(&lake));
    let again: Value = serde_json::from_str(&env.ok(["backup", "copy", "--json"])).unwrap();
    assert_eq!((again["copied"].as_u64(), again["removed"].as_u64()), (Some(0), Some(0)), "{again}");
    env.write("more.ndjson", crate::env::lines(&[event(1, "").replace("\"u1\"", "\"v1\"")]));
    env.ok(["ingest", "more.ndjson", "-q"]);
    env.ok(["compact"]);
    env.ok(["retain"]);
    let more: Value = serde_json::from_str(&env.ok(["backup", "copy", "--json"])).unwrap();
    assert!(more["removed"].as_u64().unwrap() > 0, "{more}");
    assert_sound(&copy);
    let gone: Vec<String> = AGES.filter(|number| is_old(*number)).map(marker).collect();
    assert_eq!(holds(&copy, &gone), Vec::<String>::new());
    assert_eq!(crate::soundness::stored(&copy), crate::soundness::stored(&lake));
    env.ok(["verify", "--lake", "copy", "--level", "3"]);
    // For another lake it is not.
    env.ok(["ingest", "events.ndjson", "-q", "--lake", "other"]);
    assert_eq!(env.command(["backup", "copy", "--lake", "other"]).output().unwrap().status.code(), Some(6));
}

#[test]
fn an_export_takes_what_was_asked_for() {
    let env = Env::with_small();
    let all = env.ok(["export"]);
    let lines = |args: &[&str]| env.ok(["export"].iter().chain(args)).lines().map(str::to_string).collect::<Vec<_>>();
    let early = lines(&["--until", "2026-01-15"]);
    assert_eq!((early.len(), lines(&["--since", "2026-01-15"]).len()), (4, 2));
    assert!(early.iter().all(|line| all.contains(line.as_str())));
    assert_eq!(lines(&["account_change", "--where", "user.uid = 'bob' -- he"]).len(), 1);
    assert_eq!(lines(&["--where", "activity_id = 1", "--since", "2026-02-01"]).len(), 1);
    let output = env.command(["export", "--where", "no_such_column = 1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn what_lies_beside_the_lake_goes_with_the_rows_that_it_was_derived_from() {
    let env = grown();
    let lake = env.path("auditlake-data");
    let id = assert_sound(&lake).entries[0]["lake_id"].as_str().unwrap().to_string();
    // Facts of a reader who may not write to the lake: of a file that stays, and of a file that the lake does not have.
    let kept = files(&lake.join("entity_management")).into_iter().find(|path| path.ends_with(".parquet")).unwrap();
    let kept = auditlake::typed::Hash32::sha256(&fs::read(lake.join("entity_management").join(kept)).unwrap());
    let of_kept = format!("cache/auditlake/facts/{id}/_facts/{kept}-00112233445566aa.parquet");
    let of_gone = format!("cache/auditlake/facts/{id}/_facts/{}-00112233445566aa.parquet", "0".repeat(64));
    let other = format!("cache/auditlake/facts/{}/_facts/{}-00112233445566aa.parquet", "0".repeat(32), "0".repeat(64));
    for name in [&of_kept, &of_gone, &other] {
        env.write(name, "facts");
    }
    // Logs of reads: one of a command that was killed long ago, one of today, and those of a server.
    let logs = [
        "_access/old.ndjson",
        "_access/new.ndjson",
        "_serve/damaged-reads-a-000000000001.log",
        "_serve/reads-b-000000000001.log",
    ];
    for name in logs {
        let path = format!("auditlake-data/{name}");
        env.write(&path, "{}\n");
        if !name.contains("new") {
            let old = SystemTime::now() - std::time::Duration::from_millis(500 * DAY_MS);
            File::options().write(true).open(env.path(&path)).unwrap().set_modified(old).unwrap();
        }
    }
    let there = |name: &str| env.path(name).exists();
    let retain = |args: &[&str]| {
        let mut command = env.command(["retain"].iter().chain(args));
        let output = command.env("XDG_CACHE_HOME", env.path("cache")).output().unwrap();
        assert!(output.status.success(), "{}", env.text(&output));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(retain(&["--dry-run"]).contains("old.ndjson: a log of reads that was never taken in would be removed"));
    assert!(there(&of_gone) && logs.iter().all(|name| there(&format!("auditlake-data/{name}"))));
    let told = retain(&[]);
    assert!(told.contains("1 logs of reads that a stopped server left"), "{told}");
    assert!(there(&of_kept) && there(&other) && !there(&of_gone));
    let left: Vec<bool> = logs.iter().map(|name| there(&format!("auditlake-data/{name}"))).collect();
    assert_eq!(left, [false, true, false, true]);
    // No server could have written that log.
    fs::remove_file(lake.join("_serve/reads-b-000000000001.log")).unwrap();
    env.ok(["verify", "--level", "3"]);
}
