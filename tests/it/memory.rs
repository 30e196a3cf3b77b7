//! Memory follows the bytes that are held, whatever shape they come in; and one event decides nothing for the others.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::env::Env;

const LIMIT_MIB: u64 = 512;

const DAY_MS: u64 = 86_400_000;

/// Runs an ingest: the peak of its resident memory in MiB, and its summary.
fn watched(env: &Env, args: &[&str]) -> (u64, Value) {
    // Not on a pipe: the summary of thousands of files fills it, and nobody reads before the end.
    let mut command = env.command(["ingest", "--summary-json", "summary.out", "--quiet"]);
    let mut child = command.args(args).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let kib =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.split_whitespace().next());
        peak = kib.map_or(peak, |kib| kib.parse::<u64>().unwrap() / 1024);
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let summary = fs::read(env.path("summary.out")).unwrap_or_else(|_| panic!("{}", env.text(&output)));
    let summary = serde_json::from_slice(&summary).unwrap();
    assert!(peak > 10, "nothing was measured");
    (peak, summary)
}

fn event(uid: u64, time_ms: u64, more: &str) -> String {
    format!("{{\"class_uid\":3002,\"time\":{time_ms},\"metadata\":{{\"uid\":\"{uid}\"}}{more}}}\n")
}

#[test]
fn many_small_files_take_no_more_than_few() {
    let env = Env::new();
    let mut peaks = Vec::new();
    for (folder, files) in [("few", 250), ("many", 2000)] {
        fs::create_dir(env.path(folder)).unwrap();
        for number in 0..files {
            fs::write(
                env.path(&format!("{folder}/{number:05}.json")),
                event(files * 10 + number, 1_767_225_600_000 + number, ""),
            )
            .unwrap();
        }
        let (peak, summary) = watched(&env, &[folder]);
        assert_eq!(summary["counts"]["accepted"], files, "{}", summary["counts"]);
        peaks.push(peak);
    }
    assert!(peaks[1] < LIMIT_MIB && peaks[1] < peaks[0] + 150, "{peaks:?} MiB for 250 and 2,000 files");
}

#[test]
fn events_of_very_many_months_take_little_and_odd_times_share_one_partition() {
    let env = Env::new();
    let mut text = String::new();
    for month in 0..600 {
        text += &event(month, month * 30 * DAY_MS + 1000, "");
    }
    env.write("months.json", &text);
    let (peak, summary) = watched(&env, &["months.json"]);
    assert_eq!(summary["counts"]["accepted"], 600, "{}", summary["counts"]);
    assert!(peak < LIMIT_MIB, "{peak} MiB for 600 months");

    let mut text = String::new();
    for month in 0..2000 {
        text += &event(month, 4_102_444_800_000 + month * 31 * DAY_MS, "");
    }
    env.write("far.json", &text);
    let (code, summary) = env.try_ingest(["far.json"]);
    assert_eq!((code, &summary["rejects"]["bad-time"]), (4, &2000.into()), "{summary}");
    env.write("far.json", text + &event(3000, 1_767_225_600_000, ""));
    let (peak, summary) = watched(&env, &["far.json", "--keep-odd-times", "--lake", "other"]);
    assert_eq!((&summary["counts"]["accepted"], &summary["files_written"]), (&2001.into(), &2.into()), "{summary}");
    assert!(peak < LIMIT_MIB, "{peak} MiB for 2,000 months");
}

#[test]
fn events_of_fifteen_megabytes_and_very_many_names_are_bounded() {
    let env = Env::new();
    let mut text = String::new();
    for uid in 0..8 {
        let large = "x".repeat(15 << 20);
        text += &event(uid, 1_767_225_600_000, &format!(",\"message\":\"{large}\",\"vendor_{uid}\":1"));
    }
    env.write("large.json", &text);
    let (peak, summary) = watched(&env, &["large.json"]);
    assert_eq!(summary["counts"]["accepted"], 8, "{}", summary["counts"]);
    assert!(peak < LIMIT_MIB, "{peak} MiB for 8 events of 15 MiB");

    let mut text = String::new();
    for uid in 0..4000_u64 {
        let mut names = String::new();
        (0..40).for_each(|name| write!(names, ",\"n{uid}_{name}\":{name}").unwrap());
        text += &event(uid, 1_767_225_600_000, &names);
    }
    env.write("names.json", &text);
    let (peak, summary) = watched(&env, &["names.json", "--lake", "other"]);
    assert_eq!(summary["counts"]["accepted"], 4000, "{}", summary["counts"]);
    assert!(peak < LIMIT_MIB, "{peak} MiB for 160,000 names");
}

/// Every file compared with every stream of the lake is a quarter of an hour for 50,000 of them, each night.
#[test]
fn a_known_file_costs_the_same_however_many_are_known() {
    let again = |files: u64| {
        let env = Env::new();
        fs::create_dir(env.path("in")).unwrap();
        for number in 0..files {
            // Of as many lengths as there are files.
            let more = format!(",\"message\":\"{}\"", "x".repeat(number as usize % 3500));
            fs::write(env.path(&format!("in/{number:05}.json")), event(number, 1_767_225_600_000 + number, &more))
                .unwrap();
        }
        assert_eq!(env.ingest(["in"])["counts"]["accepted"], files);
        let begun = Instant::now();
        let summary = env.ingest(["in"]);
        assert_eq!(summary["counts"]["read"], 0, "{}", summary["counts"]);
        begun.elapsed().as_secs_f64()
    };
    let (few, many) = (again(200), again(800));
    assert!(many < 8.0 * few + 1.0, "{few:.1} s for 200 known files, {many:.1} s for 800");
}
