//! Recall and precision of redaction, through the program: events that hold a secret each, and events that look as if.
//!
//! The forms in `tests/data/redaction` are filled from a fixed seed, ingested and exported; the secret must be gone with
//! all its parts, and evidence must come back as it came.

use std::collections::BTreeMap;
use std::fs;

use regex::{Captures, Regex};
use serde_json::{Value, json};

use crate::corpus::{BASE62, BASE64, Dice, HEX};
use crate::env::{Env, lines, values};

const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64URL: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

struct Case {
    group: String,
    form: String,
    /// An event, or a line that is not JSON.
    line: String,
    secrets: Vec<String>,
}

fn cases(file: &str, seed: u64) -> Vec<Case> {
    let path = format!("{}/tests/data/redaction/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap();
    let mut dice = Dice(seed);
    let forms = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    forms.enumerate().map(|(number, form)| case(number, form, &mut dice)).collect()
}

fn case(number: usize, form: &str, dice: &mut Dice) -> Case {
    let [group, place, text] = form.splitn(3, " | ").collect::<Vec<_>>()[..] else { panic!("{form}") };
    let filled = fill(text, dice);
    let marked = Regex::new("«([^»]*)»").unwrap();
    let mut secrets: Vec<String> = marked.captures_iter(&filled).map(|found| found[1].to_owned()).collect();
    let text = filled.replace(['«', '»'], "");
    let mut event = json!({
        "class_uid": 3002, "time": 1_767_225_600_000_u64 + number as u64, "metadata": {"uid": format!("case-{number}")}
    });
    match place {
        "message" => event["message"] = text.clone().into(),
        "url" => event["http_request"] = json!({"url": {"url_string": text}}),
        "cmd" => event["actor"] = json!({"process": {"cmd_line": text}}),
        "agent" => event["http_request"] = json!({"user_agent": text}),
        "headers" => event["http_request"] = json!({"http_headers": serde_json::from_str::<Value>(&text).unwrap()}),
        "json" => event["unmapped"] = serde_json::from_str(&text).expect(form),
        "event" => {
            let more: Value = serde_json::from_str(&text).unwrap();
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        "line" => return Case { group: group.into(), form: form.into(), line: text, secrets },
        _ => panic!("no place `{place}`: {form}"),
    }
    if ["json", "headers"].contains(&place) {
        secrets = secrets.iter().map(|secret| serde_json::from_str(&format!("\"{secret}\"")).unwrap()).collect();
    }
    Case { group: group.into(), form: form.into(), line: event.to_string(), secrets }
}

fn fill(form: &str, dice: &mut Dice) -> String {
    let blank = Regex::new(r"\{([ahHUdlwbg])(\d*)\}").unwrap();
    let value = |found: &Captures| {
        let length = found[2].parse().unwrap_or(0);
        match &found[1] {
            "a" => dice.of(BASE62, length),
            "h" => dice.of(HEX, length),
            "H" => dice.of(&HEX.to_uppercase(), length),
            "U" => dice.of(BASE32, length),
            "d" => dice.of("0123456789", length),
            "l" => dice.of(LOWER, length),
            "w" => dice.of(BASE64URL, length),
            "b" => dice.of(BASE64, length),
            _ => dice.uuid(),
        }
    };
    blank.replace_all(form, value).into_owned()
}

/// Returns what the program has stored for each case, by its uid; for lines that are not rows, by their number in the
/// input.
fn stored(cases: &[Case]) -> Vec<String> {
    let env = Env::new();
    let input: Vec<&str> = cases.iter().map(|case| case.line.as_str()).collect();
    env.write("in.ndjson", lines(&input));
    env.command(["ingest", "in.ndjson", "--max-rejects", "100%"]).output().unwrap();
    let mut found = vec![String::new(); cases.len()];
    for event in values(&env.ok(["export"])) {
        let number: usize = event["metadata"]["uid"].as_str().unwrap()["case-".len()..].parse().unwrap();
        found[number] = event.to_string();
    }
    for reject in values(&env.ok(["sql", "--format", "ndjson", "-c", "select line, excerpt from reject"])) {
        let number = reject["line"].as_u64().unwrap() as usize - 1;
        found[number] = reject["excerpt"].as_str().unwrap().to_owned();
    }
    found
}

/// Whether any part of the secret is left that would help a guess: a word of it, or twelve letters in a row.
fn is_left(secret: &str, stored: &str) -> bool {
    let plain = stored.replace("\\\"", "\"").replace("\\\\", "\\");
    let letters: Vec<char> = secret.chars().collect();
    if letters.len() > 12 && !secret.contains(' ') {
        return letters.windows(12).any(|part| plain.contains(&part.iter().collect::<String>()));
    }
    plain.contains(secret) || secret.split(' ').any(|word| word.len() > 4 && plain.contains(word))
}

#[test]
fn at_least_95_of_100_secrets_are_gone_in_every_group() {
    let cases = cases("secrets.txt", 0x5eed_0016);
    let stored = stored(&cases);
    let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    for (case, stored) in cases.iter().zip(&stored) {
        assert!(!stored.is_empty(), "nothing is stored of {}", case.form);
        for secret in &case.secrets {
            let is_gone = !is_left(secret, stored);
            let group = groups.entry(&case.group).or_default();
            group.0 += usize::from(is_gone);
            group.1 += 1;
            if !is_gone {
                missed.push(format!("{}\n    {secret}\n    {stored}", case.form));
            }
        }
    }
    eprintln!("{groups:?}\n{}", missed.join("\n"));
    for (group, (gone, all)) in groups {
        assert!(gone * 100 >= all * 95, "{group}: only {gone} of {all} are gone");
    }
}

#[test]
fn at_most_1_of_100_pieces_of_evidence_is_touched() {
    let cases = cases("evidence.txt", 0x5eed_0017);
    let stored = stored(&cases);
    let is_touched = |(case, stored): &(&Case, &String)| {
        serde_json::from_str::<Value>(stored).unwrap() != serde_json::from_str::<Value>(&case.line).unwrap()
    };
    let touched: Vec<_> = cases.iter().zip(&stored).filter(is_touched).collect();
    let told: Vec<String> = touched.iter().map(|(case, stored)| format!("{}\n    {stored}", case.form)).collect();
    eprintln!("{} of {} touched\n{}", touched.len(), cases.len(), told.join("\n"));
    assert!(touched.len() * 100 <= cases.len(), "{} of {} are touched", touched.len(), cases.len());
}
