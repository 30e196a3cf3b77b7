//! The written documentation against the program: tables that are generated, links that lead somewhere, a book without
//! loose pages.
//!
//! `AUDITLAKE_UPDATE_DOCS=1 cargo test docs::` writes the generated tables again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use auditlake::error::Kind;
use auditlake::report::{Catalog, backed, frameworks};
use toml::{Table, Value};

use crate::env::Env;

pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the text of a page, by its path from the top.
pub fn read(page: &str) -> String {
    fs::read_to_string(top().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Returns README, CONTRIBUTING, and every page of the book.
pub fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_string(), "CONTRIBUTING.md".to_string()];
    for entry in fs::read_dir(top().join("docs/src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            pages.push(format!("docs/src/{name}"));
        }
    }
    pages.sort();
    pages
}

/// Compares the text between `<!-- generated: NAME -->` and `<!-- end -->` with the expected one.
fn is_generated(page: &str, name: &str, expected: &str) {
    let text = read(page);
    let begin = format!("<!-- generated: {name} -->\n");
    let from = text.find(&begin).unwrap_or_else(|| panic!("{page} has no {begin}")) + begin.len();
    let to = from + text[from..].find("<!-- end -->").unwrap_or_else(|| panic!("{page}: {name} has no end"));
    if std::env::var_os("AUDITLAKE_UPDATE_DOCS").is_some() {
        fs::write(top().join(page), format!("{}{expected}{}", &text[..from], &text[to..])).unwrap();
        return;
    }
    let hint = "run `AUDITLAKE_UPDATE_DOCS=1 cargo test docs::`, and look at the difference";
    assert_eq!(&text[from..to], expected, "{page}: the table `{name}` is stale; {hint}");
}

/// Escapes text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[test]
fn every_report_is_listed_with_its_controls() {
    let env = Env::new();
    let listed: Vec<serde_json::Value> = serde_json::from_str(&env.ok(["report", "list", "--format", "json"])).unwrap();
    let catalog = Catalog::load(None).unwrap();
    let mut table = "| report | tier | kind | question | controls |\n|---|---|---|---|---|\n".to_string();
    for report in &listed {
        let text = |key: &str| cell(report[key].as_str().unwrap());
        let id = text("id");
        let mut controls = Vec::new();
        for (framework, ids) in &catalog.get(&id).unwrap().controls {
            controls.push(format!("{framework}: {}", ids.join(", ")));
        }
        let (tier, kind, question) = (&report["tier"], text("kind"), text("question"));
        table += &format!("| `{id}` | {tier} | {kind} | {question} | {} |\n", cell(&controls.join("; ")));
    }
    assert_eq!(listed.len(), catalog.list().len());
    is_generated("docs/src/report-list.md", "reports", &table);

    let mut table = String::new();
    for framework in frameworks() {
        table += &format!("\n### {} (`{}`)\n\n| control | | reports |\n|---|---|---|\n", framework.title, framework.id);
        for control in backed(framework, &catalog) {
            let reports: Vec<String> = control.reports.iter().map(|id| format!("`{id}`")).collect();
            let reports = if reports.is_empty() { "no report".to_string() } else { reports.join(", ") };
            table += &format!("| {} | {} | {reports} |\n", cell(&control.id), cell(&control.title));
        }
    }
    is_generated("docs/src/report-list.md", "controls", &format!("{table}\n"));
}

/// Returns the first sentence of the comment above each key of `default.toml`, by the key's path. A comment above
/// several keys belongs to all of them.
fn meanings(text: &str) -> BTreeMap<String, String> {
    let (mut meanings, mut section, mut comment) = (BTreeMap::new(), String::new(), String::new());
    let mut is_open = false;
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# ") {
            if !is_open {
                comment.clear();
            }
            is_open = true;
            comment += words;
            comment.push(' ');
            continue;
        }
        is_open = false;
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
            comment.clear();
        } else if line.is_empty() {
            comment.clear();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let end = comment.find(". ").map_or(comment.len(), |end| end + 1);
            let end = comment[..end].find(", with   ").unwrap_or(end);
            meanings.insert(format!("{section}{key}"), comment[..end].trim().to_string());
        }
    }
    meanings
}

fn flatten(table: &Table, above: &str, keys: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let path = format!("{above}{key}");
        match value {
            Value::Table(table) => flatten(table, &format!("{path}."), keys),
            Value::Array(items) if items.is_empty() => keys.push((path, "none".to_string())),
            Value::String(text) if text.is_empty() => keys.push((path, "none".to_string())),
            Value::String(text) => keys.push((path, format!("`\"{text}\"`"))),
            Value::Integer(number) => keys.push((path, format!("`{number}`"))),
            Value::Boolean(is_on) => keys.push((path, format!("`{is_on}`"))),
            other => panic!("{path}: {other:?} has no place in the table yet"),
        }
    }
}

#[test]
fn every_key_of_the_configuration_is_listed_with_its_default() {
    let text = Env::new().ok(["config", "default"]);
    let meanings = meanings(&text);
    let mut keys = Vec::new();
    flatten(&text.parse::<Table>().unwrap(), "", &mut keys);
    // They have no default, so they are comments there.
    for key in ["lake.key", "signing.key"] {
        assert!(text.contains("# key = { file = ") || text.contains("key = { file = "));
        keys.push((key.to_string(), "none".to_string()));
    }
    keys.sort();
    let mut table = "| key | default | |\n|---|---|---|\n".to_string();
    for (key, default) in keys {
        let meaning = meanings.get(&key).cloned().unwrap_or_else(|| match key.as_str() {
            "lake.key" => "The place of the lake's key, if it is not in the lake.".to_string(),
            "signing.key" => "The key that signs evidence and ledger entries.".to_string(),
            _ => panic!("`{key}` has no comment in default.toml"),
        });
        assert!(!meaning.is_empty(), "`{key}` has no comment in default.toml");
        table += &format!("| `{key}` | {} | {} |\n", cell(&default), cell(&meaning));
    }
    is_generated("docs/src/configuration.md", "configuration", &table);
}

#[test]
fn every_exit_code_is_explained() {
    let text = read("docs/src/exit-codes.md");
    let kinds = [
        Kind::Finding,
        Kind::Usage,
        Kind::Input,
        Kind::Unavailable,
        Kind::Conflict,
        Kind::Incomplete,
        Kind::Locked,
        Kind::Integrity,
        Kind::Cancelled,
        Kind::Internal,
    ];
    let mut expected: BTreeSet<u8> = kinds.iter().map(|kind| kind.exit_code()).collect();
    // These are not errors: success, and a signal other than ^C.
    expected.extend([0, 143]);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok());
    assert_eq!(rows.collect::<BTreeSet<u8>>(), expected);
}

/// Returns the targets of Markdown links and pictures, outside of blocks of code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = &line[at + 2..];
            links.push(target[..target.find(')').unwrap_or(target.len())].to_string());
        }
    }
    links
}

#[test]
fn every_link_leads_to_a_file() {
    let mut texts = pages();
    texts.extend(["SECURITY.md", "lake-format.md", "queries/README.md", "schemas/README.md"].map(String::from));
    let mut broken = Vec::new();
    for page in &texts {
        let folder = PathBuf::from(page).parent().unwrap().to_path_buf();
        for link in links(&read(page)) {
            let path = link.split('#').next().unwrap();
            if !link.contains("://") && !path.is_empty() && !top().join(&folder).join(path).exists() {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_is_in_the_summary_once() {
    let mut listed: Vec<String> =
        links(&read("docs/src/SUMMARY.md")).into_iter().map(|page| format!("docs/src/{page}")).collect();
    listed.sort();
    let written: Vec<String> =
        pages().into_iter().filter(|page| page.starts_with("docs/") && !page.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, written);
}

/// Long enough that two pages do not share a passage by chance.
const REPEATED_CHARACTERS: usize = 90;

#[test]
fn no_page_repeats_another() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut repeated = Vec::new();
    for page in pages() {
        let text = read(&page);
        let mut is_code = false;
        for paragraph in text.split("\n\n") {
            is_code ^= paragraph.matches("```").count() % 2 == 1;
            let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            if is_code || words.starts_with("```") || words.starts_with("<!--") || words.len() < REPEATED_CHARACTERS {
                continue;
            }
            if let Some(other) = seen.insert(words.clone(), page.clone()) {
                repeated.push(format!("{other} and {page}: {words}"));
            }
        }
    }
    assert!(repeated.is_empty(), "{}", repeated.join("\n"));
}

/// Finds numbers of issues in the form that comments and tests use.
fn issues(text: &str) -> BTreeSet<String> {
    let number = regex::Regex::new(r"#(\d{4,5})\b").unwrap();
    number.captures_iter(text).map(|found| found[1].to_string()).collect()
}

#[test]
fn every_upstream_fault_is_listed_and_every_remedy_exists() {
    let list = read("src/sql/engine/UPSTREAM.md");
    let path = regex::Regex::new(r"`([a-z_/]+\.rs)`").unwrap();
    let named: BTreeSet<String> = path.captures_iter(&list).map(|found| found[1].to_string()).collect();
    // Those without a folder are short for a file that the row names, or tests.
    for file in named.iter().filter(|file| file.contains('/')) {
        assert!(top().join("src/sql").join(file).exists(), "UPSTREAM.md names {file}");
    }
    let mut silent = Vec::new();
    for folder in ["engine", "engine/upstream", "engine/rules"] {
        for entry in fs::read_dir(top().join("src/sql").join(folder)).unwrap() {
            let name = format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap());
            let is_part = !name.ends_with(".rs") || name.ends_with("/mod.rs") || name.ends_with("/tests.rs");
            if !is_part && !named.contains(&name) {
                silent.push(name);
            }
        }
    }
    assert!(silent.is_empty(), "UPSTREAM.md does not say why there is {silent:?}");
    let tested = issues(&read("src/sql/engine/upstream/tests.rs"));
    let listed = issues(&list);
    let missing: Vec<_> = tested.difference(&listed).collect();
    assert!(missing.is_empty(), "UPSTREAM.md lacks the issues {missing:?}");
}
