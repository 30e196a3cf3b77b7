//! Evidence in the hands of somebody who wants it to say something else, and how `report verify` judges it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use auditlake::disk::Unfinished;
use auditlake::lake::Lake;
use auditlake::report::{
    self, Asked, Catalog, Evidence, Log, Order, PROGRAM, Params, Period, Sealer, Span, Stamp, Suppressions,
};
use auditlake::schema::Ocsf;
use auditlake::signing::Signer;
use auditlake::sql::{Options, Session};
use serde_json::Value;

use crate::env::Env;

const ID: &str = "brute-force-by-user";

fn evidence(env: &Env, folder: &str) -> Value {
    serde_json::from_str(&env.read(&format!("{folder}/{ID}/evidence.json"))).unwrap()
}

/// Runs as somebody who has the lake and everything in it, including its key, and who may write any code: `text` runs
/// under the name of our report, and the folder is sealed like ours.
fn forge(env: &Env, text: String, program: &str, signer: Option<Signer>, into: &str) {
    let (lake, into, program) = (env.path("auditlake-data"), env.path(into), program.to_string());
    fs::create_dir(&into).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(64 << 20).build().unwrap();
    runtime.block_on(async {
        let work = tokio::spawn(async move {
            let lake = Lake::open(&lake, Arc::new(Ocsf::load(None).unwrap())).await.unwrap();
            let key = lake.derive_key("evidence").ok();
            let session = Arc::new(Session::new(&lake, &Options::default()).await.unwrap());
            let catalog = Catalog::load(None).unwrap();
            let ours = catalog.get(ID).unwrap();
            let report = catalog.read(&ours.path, &text).unwrap();
            let zone = report::zone("UTC").unwrap();
            let period = Period::parse("2026-01", zone, &auditlake::clock::Clock::Real).unwrap();
            let params = Params::new(&report, &[], Some(period)).unwrap();
            let log = Log::read(session.clone(), [&report]).await.unwrap();
            let facts = log.facts(&report, &params, Span::of(&params, None), &[]).await.unwrap();
            let asked = Asked {
                text: Some("2026-01".to_string()),
                time_zone: "UTC".to_string(),
                from_ms: Some(period.from_ms),
                to_ms: Some(period.to_ms),
            };
            let stamp = Stamp { time_ms: 1_769_904_000_000, user: "cfo".to_string(), program, with_xlsx: false };
            let order = Order {
                folder: report.id.clone(),
                session,
                report,
                params,
                asked,
                facts,
                inputs: Arc::default(),
                suppressions: Suppressions::default(),
                stamp,
                seal: Some(Sealer { key, signer }),
                unfinished: Unfinished::default(),
            };
            report::produce(&order, &into, false).await.unwrap()
        });
        work.await.unwrap();
    });
}

/// Returns the report without the findings about one user.
fn without_one_finding(text: &str, subject: &str) -> String {
    let (before, order) = text.rsplit_once("order by").unwrap();
    let changed = format!("{before}where f.subject_uid <> '{subject}'\norder by{order}");
    assert_ne!(changed, text);
    changed
}

#[test]
fn a_finding_that_was_left_out_by_other_sql_is_noticed_whatever_seals_it() {
    let env = Env::with_events(3_000);
    env.ok(["report", "run", ID, "--period", "2026-01", "-o", "honest"]);
    let honest = evidence(&env, "honest");
    assert_eq!(honest["tally"]["findings"], 2);
    let rows: Vec<Value> = serde_json::from_str(&env.read(&format!("honest/{ID}/result.json"))).unwrap();
    let subject = rows[0]["subject_uid"].as_str().unwrap();
    let text = honest["report"]["text"].as_str().unwrap();

    forge(&env, text.to_string(), PROGRAM, None, "again");
    let said = env.run(["report", "verify", "again"]);
    assert!(said.contains("unsigned: detects accidents, not insiders") && !said.contains("exit status"), "{said}");

    let lie = without_one_finding(text, subject);
    forge(&env, lie.clone(), PROGRAM, None, "forged");
    assert_eq!(evidence(&env, "forged")["tally"]["findings"], 1);
    let said = env.run(["report", "verify", "forged"]);
    let named = format!("what was run is not the report `{ID}` of {PROGRAM}: its text was changed");
    assert!(said.contains(&named) && said.contains("[exit status: 6]"), "{said}");
    // Comparing the question needs no lake; a message names what was not checked.
    let said = env.run(["report", "verify", "forged", "--files-only"]);
    assert!(said.contains(&named) && said.contains("[exit status: 6]"), "{said}");
    let said = env.run(["report", "verify", "again", "--files-only"]);
    assert!(said.contains("not checked: the ledger, the lake's files, the run again"), "{said}");

    // A claim that another version made it is not silently believed: stdout says so, not only stderr.
    forge(&env, lie, "auditlake 0.0.9", None, "older");
    let said = env.command(["report", "verify", "older", "-q"]).output().unwrap();
    let stdout = String::from_utf8(said.stdout).unwrap();
    assert!(stdout.contains("note: the report `brute-force-by-user` of auditlake 0.0.9 is not the one of"), "{stdout}");

    // The attack: the SQL in the folder is changed, verify is stopped while it runs it, and its result is used.
    let path = env.path(&format!("honest/{ID}/evidence.json"));
    let changed = without_one_finding(text, subject);
    let mut value: Evidence = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    value.report.sha256 = crate::soundness::sha256(changed.as_bytes());
    value.report.text = changed;
    fs::write(&path, value.to_bytes().unwrap()).unwrap();
    let before = everything(&env.path("honest"));
    fs::create_dir(env.path("tmp")).unwrap();
    let output = env.command(["report", "verify", "honest"]).env("TMPDIR", env.path("tmp")).output().unwrap();
    let said = env.text(&output);
    assert!(said.contains("its seal is not of this content") && said.contains("[exit status: 6]"), "{said}");
    // Nothing was run: a run would have said that it differs.
    assert!(!said.contains("when run again"), "{said}");
    assert_eq!(everything(&env.path("honest")), before);
    assert_eq!(everything(&env.path("tmp")), Vec::<PathBuf>::new());
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn a_signature_needs_nothing_but_the_folder_and_the_public_key() {
    let env = Env::with_events(3_000);
    env.ok(["keys", "signing", "create", "signing.key"]);
    env.ok(["key", "signing", "create", "other.key"]);
    assert!(env.run(["key", "signing", "create", "other.key"]).contains("already exists"));
    let args = ["report", "run", ID, "auth-outcome-summary", "--period", "2026-01", "-o"];
    env.ok([&args[..], &["unsigned"]].concat());
    env.write("auditlake.toml", "[signing]\nkey = { file = \"signing.key\" }\n");
    env.ok([&args[..], &["signed"]].concat());
    assert_eq!(env.ok(["key", "signing", "public"]), env.read("signing.key.pub"));

    // This is elsewhere: without lake, configuration or key.
    let away = Env::new();
    for name in ["signed", "unsigned"] {
        assert!(Command::new("cp").arg("-r").arg(env.path(name)).arg(away.path(name)).status().unwrap().success());
    }
    for name in ["signing.key.pub", "other.key.pub"] {
        fs::copy(env.path(name), away.path(name)).unwrap();
    }
    let verify = |folder: &str, key: &str| away.run(["report", "verify", folder, "--public-key", key]);
    let said = verify("signed", "signing.key.pub");
    assert!(said.contains("not checked: the ledger") && said.contains("; signed\n"), "{said}");
    assert!(!said.contains("exit status"), "{said}");
    let said = verify("signed", "other.key.pub");
    assert!(
        said.contains("is not signed by the owner of that public key") && said.contains("[exit status: 6]"),
        "{said}"
    );
    let said = verify("unsigned", "signing.key.pub");
    assert!(said.contains("evidence.json is not signed") && said.contains("manifest.json is not signed"), "{said}");
    assert!(said.contains("[exit status: 6]"), "{said}");
    let said = verify("signed", "signed/index.html");
    assert!(said.contains("it is no Ed25519 public key") && said.contains("[exit status: 2]"), "{said}");
    assert!(env.run(["report", "verify", "signed"]).contains("its signature was not checked"));
    assert!(env.run(["report", "verify", "signed", "--public-key", "signing.key.pub"]).contains("gives it; signed"));

    // Somebody with the lake and its key, but without the private key, can seal but cannot sign.
    let text = evidence(&env, "signed")["report"]["text"].as_str().unwrap().to_string();
    forge(&env, text.clone(), PROGRAM, None, "forged");
    let said = env.run(["report", "verify", "forged", "--public-key", "signing.key.pub"]);
    assert!(said.contains("evidence.json is not signed") && said.contains("[exit status: 6]"), "{said}");
    forge(&env, text, PROGRAM, Some(Signer::create().unwrap()), "self-signed");
    let said = env.run(["report", "verify", "self-signed", "--public-key", "signing.key.pub"]);
    assert!(said.contains("is not signed by the owner") && said.contains("[exit status: 6]"), "{said}");

    // A key that others may read signs nothing.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(env.path("signing.key"), mode).unwrap();
    let said = env.run([&args[..], &["open"]].concat());
    assert!(said.contains("others may read or write it") && said.contains("[exit status: 2]"), "{said}");
}

#[test]
fn a_signed_ledger_shows_what_others_wrote() {
    let env = Env::new();
    env.ok(["gen", "300", "--out", "first.ndjson", "-q"]);
    env.ok(["gen", "200", "--seed", "7", "--out", "second.ndjson", "-q"]);
    env.ok(["key", "signing", "create", "signing.key"]);
    env.ok(["key", "signing", "create", "other.key"]);
    env.write("auditlake.toml", "[signing]\nkey = { file = \"signing.key\" }\n");
    env.ok(["ingest", "first.ndjson", "--lake", "lake", "-q"]);
    let verify = |key: &str| env.run(["verify", "--lake", "lake", "--public-key", key]);
    let said = verify("signing.key.pub");
    assert!(said.contains(", signed\n") && !said.contains("exit status"), "{said}");
    let said = verify("other.key.pub");
    assert!(
        said.contains("its signature is not one that this key has made of it")
            && said.contains("no entry of the ledger is signed by this key")
            && said.contains("[exit status: 6]"),
        "{said}"
    );

    // Somebody who can write to the lake without the private key adds entries that nobody vouches for.
    fs::rename(env.path("auditlake.toml"), env.path("signing.toml")).unwrap();
    env.ok(["ingest", "second.ndjson", "--lake", "lake", "-q"]);
    let said = verify("signing.key.pub");
    assert!(said.contains("the last one that this key vouches for") && said.contains("[exit status: 6]"), "{said}");
    assert!(!env.run(["verify", "--lake", "lake"]).contains("exit status"));

    // The owner of the key vouches for everything that exists when he writes.
    fs::rename(env.path("signing.toml"), env.path("auditlake.toml")).unwrap();
    env.ok(["gen", "100", "--seed", "8", "--out", "third.ndjson", "-q"]);
    env.ok(["ingest", "third.ndjson", "--lake", "lake", "-q"]);
    assert!(verify("signing.key.pub").contains(", signed\n"));

    // Reading needs no private key, and writing refuses one that others could have read.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(env.path("signing.key"), mode).unwrap();
    assert_eq!(env.ok(["sql", "-c", "select 1 as one", "--format", "csv", "--lake", "lake"]), "one\n1\n");
    env.ok(["gen", "100", "--seed", "9", "--out", "fourth.ndjson", "-q"]);
    let said = env.run(["ingest", "fourth.ndjson", "--lake", "lake", "-q"]);
    assert!(said.contains("others may read or write it") && said.contains("[exit status: 2]"), "{said}");
}

#[test]
fn a_hostile_folder_is_looked_at_and_not_followed() {
    let env = Env::with_events(3_000);
    env.ok(["report", "run", ID, "auth-outcome-summary", "--period", "2026-01", "-o", "out"]);
    let inside = env.path(&format!("out/{ID}"));
    let verify = || {
        let output = env.command(["report", "verify", "out", "--files-only"]).output().unwrap();
        let said = env.text(&output);
        assert!(said.contains("[exit status: 6]"), "{said}");
        said
    };
    assert!(Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap().success());
    assert!(verify().contains("pipe is a pipe, and no file of a run"));
    fs::remove_file(inside.join("pipe")).unwrap();
    symlink("/dev/zero", inside.join("zero")).unwrap();
    assert!(verify().contains("zero is a symbolic link, and no file of a run"));
    fs::remove_file(inside.join("zero")).unwrap();

    // A file that is a link to what it was.
    fs::rename(inside.join("result.csv"), env.path("elsewhere.csv")).unwrap();
    symlink(env.path("elsewhere.csv"), inside.join("result.csv")).unwrap();
    assert!(verify().contains("result.csv is a symbolic link"));
    fs::remove_file(inside.join("result.csv")).unwrap();
    fs::rename(env.path("elsewhere.csv"), inside.join("result.csv")).unwrap();

    // The evidence itself, and the whole folder.
    let evidence = inside.join("evidence.json");
    let text = fs::read_to_string(&evidence).unwrap();
    fs::remove_file(&evidence).unwrap();
    assert!(Command::new("mkfifo").arg(&evidence).status().unwrap().success());
    assert!(verify().contains("it is a pipe"));
    fs::remove_file(&evidence).unwrap();
    fs::write(&evidence, &text).unwrap();
    fs::rename(&inside, env.path("elsewhere")).unwrap();
    symlink(env.path("elsewhere"), &inside).unwrap();
    assert!(verify().contains(&format!("{ID}/evidence.json is no file of a run")));
    fs::remove_file(&inside).unwrap();
    fs::rename(env.path("elsewhere"), &inside).unwrap();

    // The manifest names a file that is not the run's.
    let manifest = env.read("out/manifest.json");
    for name in ["/etc/passwd", "../../etc/passwd", "a/b/evidence.json", ".."] {
        env.write("out/manifest.json", manifest.replacen("index.html", name, 1));
        assert!(verify().contains(&format!("no run writes `{name}`")), "{name}");
    }
    env.write("out/manifest.json", &manifest);

    // A name must not look like a line of ours, nor reach the terminal.
    fs::write(inside.join("x\nout: 6 files, as ledger entry 1 gives it\u{1b}]0;t"), "x").unwrap();
    let said = verify();
    assert!(
        !said.contains('\u{1b}') && !said.lines().any(|line| line == "out: 6 files, as ledger entry 1 gives it"),
        "{said}"
    );
}

const OWN: &str = "--- report\n-- id = \"own-logons\"\n-- title = \"T\"\n-- question = \"?\"\n\
    -- kind = \"evidence listing\"\n-- order = \"actor_uid\"\n-- [parameters]\n-- from = { type = \"timestamp\" }\n\
    -- to = { type = \"timestamp\" }\n-- [columns]\n-- actor_uid = \"string\"\n---\n\
    select distinct actor_uid from logon where time >= $from and time < $to order by actor_uid\n";

#[test]
fn a_report_of_ones_own_is_checked_against_the_file_that_is_named() {
    let env = Env::with_events(3_000);
    env.write("own/own-logons.sql", OWN);
    env.write("with.toml", "[report]\ndirectory = \"own\"\n");
    env.ok(["--config", "with.toml", "report", "run", "own-logons", "--period", "2026-01", "-o", "out"]);
    // The verifier's own directory supplies the report.
    let said = env.run(["--config", "with.toml", "report", "verify", "out"]);
    assert!(
        said.contains("note: the report is the one in own/own-logons.sql") && !said.contains("exit status"),
        "{said}"
    );
    // Without it only the folder supplies it.
    let said = env.run(["report", "verify", "out"]);
    assert!(said.contains("the report `own-logons` is none of this program's"), "{said}");
    assert!(said.contains("--report own-logons.sql") && said.contains("[exit status: 2]"), "{said}");
    let said = env.run(["report", "verify", "out", "--report", "own/own-logons.sql"]);
    assert!(
        said.contains("note: the report is the one in own/own-logons.sql") && !said.contains("exit status"),
        "{said}"
    );
    env.write("other.sql", OWN.replace("distinct ", "distinct  "));
    let said = env.run(["report", "verify", "out", "--report", "other.sql"]);
    assert!(
        said.contains("what was run is not the report in other.sql") && said.contains("[exit status: 6]"),
        "{said}"
    );
}

#[test]
fn an_input_is_checked_used_and_kept_with_the_evidence() {
    let env = Env::with_events(3_000);
    let leaver =
        env.rows("select subject_label as email from event where class_uid = 3001 and activity_id = 6 limit 1");
    let csv = match leaver.first() {
        Some(row) => format!("email,left_time\n{},2026-01-01\n", row["email"].as_str().unwrap_or("x@y.example")),
        None => "email,left_time\nx@y.example,2026-01-01\n".to_string(),
    };
    env.write("leavers.csv", &csv);
    let id = "user-deprovisioning-log";
    let args = ["report", "run", id, "--period", "2026-01", "-o"];
    env.ok([&args[..], &["without"]].concat());
    env.ok([&args[..], &["with", "--input", "leavers=leavers.csv"]].concat());
    let read =
        |folder: &str| -> Value { serde_json::from_str(&env.read(&format!("{folder}/{id}/evidence.json"))).unwrap() };
    let (without, with) = (read("without"), read("with"));
    assert_eq!(without["facts"]["reasons"][0]["missing"], "leavers");
    assert_eq!(with["facts"]["reasons"], serde_json::json!([]));
    assert_eq!(with["inputs"][0]["sha256"], crate::soundness::sha256(csv.as_bytes()));
    assert_eq!(env.read(&format!("with/{id}/input-leavers.csv")), csv);
    // It is run again with the copy, wherever the file is now.
    fs::remove_file(env.path("leavers.csv")).unwrap();
    assert!(!env.run(["report", "verify", "with"]).contains("exit status"));
    env.write(&format!("with/{id}/input-leavers.csv"), csv.replace("2026-01-01", "2026-01-02"));
    let said = env.run(["report", "verify", "with"]);
    assert!(said.contains("input-leavers.csv was changed") && said.contains("[exit status: 6]"), "{said}");

    // Mistakes are reported before anything runs, and the configuration may name it too.
    env.write("bad.csv", "mail,left_time\n");
    let said = env.run([&args[..], &["bad", "--input", "leavers=bad.csv"]].concat());
    assert!(said.contains("did you mean `email`?") && said.contains("[exit status: 2]"), "{said}");
    assert!(!env.path("bad").exists());
    env.write("good.csv", &csv);
    env.write("auditlake.toml", "[input]\nleavers = \"good.csv\"\n");
    env.ok([&args[..], &["configured"]].concat());
    assert_eq!(read("configured")["inputs"][0]["name"], "leavers");
    let said = env.run(["report", "run", ID, "--period", "2026-01", "-o", "x", "--input", "leavers=good.csv"]);
    assert!(said.contains("note: no report of this run reads the input `leavers`"), "{said}");
    let listed = env.ok(["report", "inputs", "--format", "csv"]);
    assert!(listed.contains(&format!("{id},leavers,")) && listed.contains("good.csv"), "{listed}");
    assert!(listed.contains("impossible-travel,ip_geo,") && listed.contains("nothing can be assessed"), "{listed}");
}

#[test]
fn a_database_of_places_is_an_input_and_the_evidence_keeps_what_it_said() {
    let env = Env::new();
    let logon = |uid: &str, hour: u32, ip: &str| {
        format!(
            "{{\"class_uid\":3002,\"activity_id\":1,\"status_id\":1,\"severity_id\":1,\"time\":{},\"metadata\":{{\"uid\":\"{uid}\",\
             \"version\":\"1.6.0\",\"product\":{{\"name\":\"p\"}}}},\"user\":{{\"uid\":\"ann\"}},\"actor\":{{\"user\":{{\"uid\":\"ann\"}}}},\
             \"src_endpoint\":{{\"ip\":\"{ip}\"}}}}\n",
            1_767_600_000_000_i64 + i64::from(hour) * 3_600_000
        )
    };
    let lines = [logon("a", 0, "198.51.100.7"), logon("b", 1, "198.51.100.200"), logon("c", 2, "192.0.2.1")];
    env.write("e.ndjson", lines.concat());
    env.ok(["ingest", "e.ndjson", "-q"]);
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/places.mmdb"), env.path("places.mmdb")).unwrap();
    let id = "impossible-travel";
    let args = ["report", "run", id, "--period", "2026-01", "-o"];
    env.run([&args[..], &["out", "--input", "ip_geo=places.mmdb"]].concat());
    // Berlin to Auckland within an hour.
    let rows = env.read(&format!("out/{id}/result.csv"));
    assert!(rows.lines().count() >= 2 && rows.contains("ann"), "{rows}");
    assert_eq!(
        env.read(&format!("out/{id}/input-ip_geo.csv")),
        "ip,country,city,lat,long\n192.0.2.1,US,,,\n198.51.100.200,NZ,Auckland,-36.85,174.76\n198.51.100.7,DE,Berlin,52.52,13.405\n"
    );
    // The database is not needed to run it again.
    fs::remove_file(env.path("places.mmdb")).unwrap();
    assert!(!env.run(["report", "verify", "out"]).contains("exit status"));

    env.write("bad.mmdb", "no database");
    let said = env.run([&args[..], &["bad", "--input", "ip_geo=bad.mmdb"]].concat());
    assert!(said.contains("cannot use bad.mmdb as the input `ip_geo`") && said.contains("[exit status: 2]"), "{said}");
    let said = env.run([&args[..], &["bad", "--input", "leavers=bad.mmdb"]].concat());
    assert!(said.contains("it is a database of places") && said.contains("[exit status: 2]"), "{said}");
}
