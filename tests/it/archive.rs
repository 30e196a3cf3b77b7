//! `archive`: a closed range in one tar, which is checked by itself, and which others can unpack and read.
//!
//! `AUDITLAKE_FLIPS=all` flips every byte of an archive in turn, instead of a few hundred.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::env::{Env, SMALL, canonical, lines, values};
use crate::soundness::in_parallel;

const PLAIN: &str = "[redact]\nenabled = false\n";
const RANGE: [&str; 5] = ["archive", "--since", "2026-01-01", "--until", "2026-02-01"];
const BLOCK: usize = 512;

/// Makes a lake of three entries: four events of January and a revision of one, two of February, and a reject of today.
fn grown(configuration: &str) -> Env {
    let env = Env::new();
    env.write("auditlake.toml", configuration);
    let revised = SMALL[0].replacen("\"class_uid\"", "\"message\":\"said otherwise\",\"class_uid\"", 1);
    for part in [&SMALL[..3], &SMALL[3..], &["not an event", &revised]] {
        env.write("part.ndjson", lines(part));
        env.command(["ingest", "part.ndjson", "-q"]).output().unwrap();
    }
    env
}

/// Returns the exit code, and everything that was printed.
fn run(env: &Env, args: &[&str]) -> (Option<i32>, String) {
    let output = env.command(args).output().unwrap();
    (
        output.status.code(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    )
}

fn pack(env: &Env, name: &str) -> String {
    let (code, told) = run(env, &[&RANGE[..], &["-o", name]].concat());
    assert_eq!(code, Some(0), "{told}");
    told
}

/// Returns where each member begins, with its path.
fn members(tar: &[u8]) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while tar[at] != 0 {
        let text =
            |range: std::ops::Range<usize>| String::from_utf8_lossy(&tar[range]).trim_end_matches('\0').to_string();
        let size = usize::from_str_radix(&text(at + 124..at + 135), 8).unwrap();
        let (prefix, name) = (text(at + 345..at + 500), text(at..at + 100));
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        found.push((at, path, size));
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
    found
}

#[test]
fn an_archive_is_checked_as_it_is_at_every_level() {
    let env = grown(PLAIN);
    let told = pack(&env, "january.tar");
    assert!(
        told.contains("5 rows in 5 files from 2026-01-01 to before 2026-02-01") && told.contains("not signed"),
        "{told}"
    );
    pack(&env, "again.tar");
    assert_eq!(fs::read(env.path("january.tar")).unwrap(), fs::read(env.path("again.tar")).unwrap());
    env.write("head", env.ok(["ledger", "head"]));
    fs::rename(env.path("auditlake-data"), env.path("elsewhere")).unwrap();
    for level in ["0", "1", "2", "3"] {
        let (code, told) = run(&env, &["verify", "january.tar", "--level", level, "--anchor", "head"]);
        assert_eq!(code, Some(0), "{told}");
        let expected =
            format!("sound at level {level} from 2026-01-01 to before 2026-02-01: 4 entries, 5 files, 5 rows");
        assert!(told.starts_with(&expected), "{told}");
    }
    let found: Value = serde_json::from_str(&env.ok(["verify", "january.tar", "--json"])).unwrap();
    assert_eq!(found["archive"]["since"], "2026-01-01");
    assert_eq!(found["archive"]["tables"]["authentication"]["rows"], 1);
}

#[test]
fn entries_after_an_archive_are_not_in_it_and_its_head_is_compared_with_older_ones_only() {
    let env = grown(PLAIN);
    env.write("before", env.ok(["ledger", "head"]));
    pack(&env, "old.tar");
    env.write("late.ndjson", lines(&[r#"{"time":1767225700000,"class_uid":3002,"metadata":{"uid":"late"}}"#]));
    env.ok(["ingest", "late.ndjson", "-q"]);
    env.write("after", env.ok(["ledger", "head"]));
    pack(&env, "new.tar");
    for (archive, head, code) in
        [("old.tar", "before", 0), ("new.tar", "before", 0), ("new.tar", "after", 0), ("old.tar", "after", 6)]
    {
        let (found, told) = run(&env, &["verify", archive, "--anchor", head]);
        assert_eq!(found, Some(code), "{archive} {head}: {told}");
    }
    assert!(run(&env, &["verify", "new.tar"]).1.contains("6 files, 6 rows"));
    // After compaction the range has other files and the same rows; an erased person is in no later archive.
    env.ok(["compact", "-q"]);
    env.ok(["erase", "--subject", "ann@corp.example", "--reason", "request 1", "-q"]);
    pack(&env, "erased.tar");
    assert!(run(&env, &["verify", "erased.tar", "--level", "3"]).1.contains("6 rows"));
    assert!(run(&env, &["verify", "new.tar", "--level", "3", "--anchor", "after"]).1.contains("6 rows"));
}

#[test]
fn a_range_that_cuts_a_partition_or_is_not_over_is_refused_and_nothing_is_written() {
    let env = grown(PLAIN);
    for (since, until, said) in [
        ("2026-01-02", "2026-02-01", "--since cuts the month 2026-01"),
        ("2026-01-01", "2026-01-31", "write --until 2026-01-01 or --until 2026-02-01"),
        ("2026-02-01", "2026-01-01", "the period is empty"),
        ("2026-01-01", "2999-01-01", "is not over before 2999-01-01"),
    ] {
        let (code, told) = run(&env, &["archive", "--since", since, "--until", until, "-o", "a.tar"]);
        assert!(code == Some(2) && told.contains(said), "{since} {until}: {told}");
        assert!(!env.path("a.tar").exists());
    }
    // An empty range can be proved to be empty.
    let (code, told) = run(&env, &["archive", "--since", "2025-01-01", "--until", "2025-02-01", "-o", "a.tar"]);
    assert!(code == Some(0) && told.contains("0 rows in 0 files"), "{told}");
    assert_eq!(run(&env, &["verify", "a.tar", "--level", "3"]).0, Some(0));
}

#[test]
fn a_day_is_the_unit_of_a_lake_of_days() {
    let env = grown(&format!("{PLAIN}\n[create]\npartition = \"day\"\n"));
    let (code, told) = run(&env, &["archive", "--since", "2026-02-01", "--until", "2026-02-02", "-o", "day.tar"]);
    assert!(code == Some(0) && told.contains("2 rows in 2 files"), "{told}");
    assert_eq!(run(&env, &["verify", "day.tar", "--level", "3"]).0, Some(0));
}

#[test]
fn what_is_damaged_in_the_lake_is_not_packed() {
    let env = grown(PLAIN);
    let lake = env.path("auditlake-data");
    let data = crate::soundness::files(&lake).into_iter().find(|path| path.contains("event_month=2026-01/")).unwrap();
    let mut bytes = fs::read(lake.join(&data)).unwrap();
    bytes[20] ^= 1;
    fs::write(lake.join(&data), bytes).unwrap();
    let (code, told) = run(&env, &[&RANGE[..], &["-o", "a.tar"]].concat());
    assert!(code == Some(6) && told.contains(&data), "{told}");
    assert!(!env.path("a.tar").exists());
}

#[test]
fn every_flipped_byte_of_an_archive_is_found() {
    let env = grown(PLAIN);
    env.ok(["key", "signing", "create", "key", "-q"]);
    env.write("auditlake.toml", format!("{PLAIN}[signing]\nkey = {{ file = \"key\" }}\n"));
    pack(&env, "a.tar");
    let tar = fs::read(env.path("a.tar")).unwrap();
    let inside: Vec<usize> = match std::env::var("AUDITLAKE_FLIPS").as_deref() {
        Ok("all") => (0..tar.len()).collect(),
        _ => {
            // For each member: the beginning of its header and of its bytes, its last byte and the one after it.
            let of_member = |(at, _, size): (usize, String, usize)| {
                [at + 1, at + 130, at + 160, at + BLOCK, at + BLOCK + size - 1, at + BLOCK + size]
            };
            members(&tar).into_iter().flat_map(of_member).chain([tar.len() - 1]).collect()
        }
    };
    in_parallel(inside, |at: usize| {
        let mut other = tar.clone();
        other[at] ^= 1 << (at % 8);
        let name = format!("flipped-{at}.tar");
        env.write(&name, other);
        let (code, told) = run(&env, &["verify", &name]);
        assert_eq!(code, Some(6), "byte {at} of {}: {told}", tar.len());
        fs::remove_file(env.path(&name)).unwrap();
    });
}

#[test]
fn members_that_are_removed_added_doubled_or_moved_are_found_and_named() {
    let env = grown(PLAIN);
    pack(&env, "a.tar");
    let tar = fs::read(env.path("a.tar")).unwrap();
    let all = members(&tar);
    let whole = |(at, _, size): &(usize, String, usize)| &tar[*at..at + BLOCK + size.next_multiple_of(BLOCK)];
    let below = |path: &str| path.split_once('/').unwrap().1.to_string();
    let judge = |name: &str, parts: Vec<&[u8]>, path: &str| {
        env.write(name, [parts.concat(), vec![0; 2 * BLOCK]].concat());
        let (code, told) = run(&env, &["verify", name]);
        assert!(code == Some(6) && told.contains(path), "{name}: {path}: {told}");
    };
    for gone in 0..all.len() {
        let parts = all.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, member)| whole(member));
        judge("removed.tar", parts.collect(), &below(&all[gone].1));
        let doubled = all.iter().map(whole).chain([whole(&all[gone])]);
        judge("doubled.tar", doubled.collect(), &format!("{}: it is in the archive twice", below(&all[gone].1)));
    }
    let mut swapped: Vec<&[u8]> = all.iter().map(whole).collect();
    swapped.swap(3, 4);
    judge("swapped.tar", swapped, "in another order");
    judge("cut.tar", vec![&tar[..tar.len() / 2 / BLOCK * BLOCK]], "");
    env.write("short.tar", &tar[..tar.len() - BLOCK]);
    assert_eq!(run(&env, &["verify", "short.tar"]).0, Some(6));
    env.write("long.tar", [&tar[..], b"more"].concat());
    assert_eq!(run(&env, &["verify", "long.tar"]).0, Some(6));

    // Whole members of another archive of the same lake.
    env.ok(["archive", "--since", "2026-02-01", "--until", "2026-03-01", "-o", "other.tar", "-q"]);
    let other = fs::read(env.path("other.tar")).unwrap();
    let (at, path, size) = members(&other).pop().unwrap();
    let stranger = &other[at..at + BLOCK + size.next_multiple_of(BLOCK)];
    let parts = all.iter().map(whole).chain([stranger]);
    judge("added.tar", parts.collect(), &path);
}

/// Makes a header that `tar` would follow out of the folder, or to another file.
fn hostile(path: &str, kind: tar::EntryType) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    let bytes = header.as_mut_bytes();
    bytes[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    if kind == tar::EntryType::Symlink {
        header.set_link_name("/etc").unwrap();
    }
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn a_member_that_would_be_unpacked_elsewhere_is_a_fault_and_nothing_is_ever_unpacked() {
    let env = grown(PLAIN);
    pack(&env, "a.tar");
    let tar = fs::read(env.path("a.tar")).unwrap();
    let body = &tar[..tar.len() - 2 * BLOCK];
    let folder = "auditlake-2026-01-01-2026-02-01";
    let regular = tar::EntryType::Regular;
    for (path, kind) in [
        ("../escaped".to_string(), regular),
        ("/escaped".to_string(), regular),
        (format!("{folder}/../../escaped"), regular),
        (format!("{folder}/a//b"), regular),
        (format!("{folder}/schema"), tar::EntryType::Symlink),
        (format!("{folder}/folder"), tar::EntryType::Directory),
        (format!("{folder}/long"), tar::EntryType::GNULongName),
        (format!("{folder}/hard"), tar::EntryType::Link),
        ("elsewhere/file".to_string(), regular),
    ] {
        // As the last member, and as the first.
        for order in [[body, &hostile(&path, kind)], [&hostile(&path, kind), body]] {
            env.write("hostile.tar", [&order.concat()[..], &[0; 2 * BLOCK]].concat());
            let (code, told) = run(&env, &["verify", "hostile.tar", "--level", "3"]);
            assert_eq!(code, Some(6), "{path}: {told}");
        }
    }
    assert!(!env.path("escaped").exists() && !env.path("../escaped").exists());
    env.write("none.tar", "text");
    env.write("empty.tar", "");
    env.write("zeros.tar", [0; 2 * BLOCK]);
    for none in ["none.tar", "empty.tar", "zeros.tar"] {
        assert_eq!(run(&env, &["verify", none]).0, Some(6), "{none}");
    }
    for none in ["missing.tar", "auditlake-data"] {
        assert_eq!(run(&env, &["verify", none]).0, Some(2), "{none}");
    }
}

#[test]
fn a_signed_archive_is_signed_by_the_key_that_was_given_and_by_no_other() {
    let env = grown(PLAIN);
    for name in ["key", "other"] {
        env.ok(["key", "signing", "create", name, "-q"]);
    }
    pack(&env, "unsigned.tar");
    env.write("auditlake.toml", format!("{PLAIN}[signing]\nkey = {{ file = \"key\" }}\n"));
    // None of the entries is signed: the archive's own signature vouches for them.
    assert!(pack(&env, "a.tar").contains(", signed"));
    let (code, told) = run(&env, &["verify", "a.tar", "--public-key", "key.pub"]);
    assert!(code == Some(0) && told.contains(", signed"), "{told}");
    for (archive, key, path) in [
        ("a.tar", "other.pub", "public-key.pem: it is not the public key"),
        ("unsigned.tar", "key.pub", "SHA256SUMS.sig: it is missing"),
    ] {
        let (code, told) = run(&env, &["verify", archive, "--public-key", key]);
        assert!(code == Some(6) && told.contains(path), "{archive} {key}: {told}");
    }
}

/// Runs a command in the unpacked archive; returns whether it succeeded, and its output.
fn outside(folder: &Path, program: &str, args: &[&str]) -> Option<(bool, String)> {
    let output = Command::new(program).args(args).current_dir(folder).output().ok()?;
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn a_stranger_unpacks_an_archive_checks_its_hashes_and_reads_its_rows() {
    let env = grown(PLAIN);
    env.ok(["key", "signing", "create", "key", "-q"]);
    env.write("auditlake.toml", format!("{PLAIN}[signing]\nkey = {{ file = \"key\" }}\n"));
    pack(&env, "a.tar");
    fs::create_dir(env.path("out")).unwrap();
    let mut unpacked = tar::Archive::new(fs::File::open(env.path("a.tar")).unwrap());
    unpacked.unpack(env.path("out")).unwrap();
    let folder = env.path("out/auditlake-2026-01-01-2026-02-01");
    if let Some((is_right, told)) = outside(&env.path("."), "tar", &["-tf", "a.tar"]) {
        assert!(is_right && told.lines().count() == members(&fs::read(env.path("a.tar")).unwrap()).len(), "{told}");
    }
    if let Some((is_right, told)) = outside(&folder, "sha256sum", &["-c", "SHA256SUMS"]) {
        assert!(is_right && told.lines().count() > 10, "{told}");
    }
    let text = fs::read_to_string(folder.join("README.txt")).unwrap();
    let command = text.lines().find(|line| line.trim().starts_with("openssl")).unwrap();
    let words: Vec<&str> = command.split_whitespace().collect();
    if let Some((is_right, told)) = outside(&folder, words[0], &words[1..]) {
        assert!(is_right && told.contains("Verified"), "{told}");
    }
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("schema/authentication.json")).unwrap()).unwrap();
    assert_eq!(schema["class_uid"], 3002);
    let columns = schema["columns"].as_array().unwrap();
    assert!(columns.iter().any(|column| column["column"] == "activity_id" && column["captions"]["1"] == "Logon"));
    // Its rows, as Parquet brings them back.
    let parquet: Vec<String> =
        crate::soundness::files(&folder).into_iter().filter(|path| path.ends_with(".parquet")).collect();
    assert_eq!(parquet.len(), 5, "{parquet:?}");
    let expected: Vec<Value> = SMALL[..4].iter().flat_map(|line| values(line)).map(|value| canonical(&value)).collect();
    for path in parquet.iter().filter(|path| !path.starts_with("revision")).map(|path| folder.join(path)) {
        let name = path.display().to_string();
        env.ok(["ingest", &name, "-q", "--lake", "again"]);
    }
    let again: Vec<Value> = values(&env.ok(["export", "--lake", "again"])).iter().map(canonical).collect();
    for event in &expected {
        assert!(again.iter().any(|found| found["metadata"]["uid"] == event["metadata"]["uid"]), "{event}");
    }
}
