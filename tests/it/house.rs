//! The house rules that a compiler does not know: who may use whom, and how a file begins.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of code in a file before its tests.
const MAX_LINES: usize = 400;

/// What each module may use, besides itself. `main` and `cli` may use everything.
fn may_use(module: &str) -> Option<&'static [&'static str]> {
    Some(match module {
        "error" | "clock" => &[],
        "failpoint" => &["error"],
        "typed" => &["error"],
        "signing" => &["error", "typed"],
        "disk" => &["error", "failpoint", "typed"],
        "schema" | "gen" => &["error", "typed", "clock"],
        "lake" => &["error", "typed", "clock", "failpoint", "disk", "signing", "schema"],
        "source" => &["error", "typed", "clock", "disk", "schema"],
        "redact" | "render" => &["error", "typed", "clock", "schema"],
        // Its tests decode synthetic entries.
        "decode" => &["error", "typed", "clock", "schema", "gen"],
        "ingest" => {
            &["error", "typed", "clock", "failpoint", "disk", "schema", "source", "decode", "redact", "lake", "render"]
        }
        // `event_json` writes a row as the line that it was.
        "sql" => &["error", "typed", "clock", "schema", "decode", "lake"],
        "jobs" => &["error", "typed", "clock", "disk"],
        "report" => &["error", "typed", "clock", "disk", "signing", "sql", "render"],
        "repl" => &["error", "typed", "clock", "sql", "render"],
        // Pages are read without SQL, and the log of reads is taken in like any other lines.
        "serve" => &["error", "typed", "clock", "disk", "schema", "decode", "redact", "lake", "ingest"],
        "config" => &[
            "error", "clock", "disk", "typed", "signing", "schema", "gen", "source", "decode", "redact", "lake",
            "render", "ingest", "sql", "jobs", "report", "repl", "serve",
        ],
        "main" | "lib" | "cli" => return None,
        other => panic!("`{other}` has no place in the house: name its layer in STYLE, lib.rs and here"),
    })
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(allowed) = may_use(&file.module) else { continue };
        for used in file.uses() {
            let module = &used.segments[0];
            if *module != file.module && !allowed.contains(&module.as_str()) {
                wrong.push(format!("{}:{} uses crate::{}", file.name, used.line, used.segments.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "sideways or up:\n{}", wrong.join("\n"));
}

#[test]
fn a_module_is_named_no_deeper_than_its_items() {
    let mut wrong = Vec::new();
    for file in sources() {
        for used in file.uses() {
            // `module::Type::function` names an item; `module::file::Item` reaches into a module.
            let is_deep = used.segments.len() > 2 && used.segments[1].starts_with(|c: char| c.is_lowercase());
            if used.segments[0] != file.module && is_deep {
                wrong.push(format!("{}:{} names crate::{}", file.name, used.line, used.segments.join("::")));
            }
        }
        if file.module != "lib" && file.code.contains("pub mod ") {
            wrong.push(format!("{} opens a file with `pub mod`", file.name));
        }
    }
    assert!(wrong.is_empty(), "deeper than module::Item:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_begins_with_what_it_is_for() {
    let silent: Vec<String> =
        sources().into_iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.name).collect();
    assert!(silent.is_empty(), "without `//!`:\n{}", silent.join("\n"));
}

#[test]
fn nothing_is_unfinished_and_nothing_unsafe() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (number, line) in file.code.lines().enumerate() {
            for word in ["todo!", "unimplemented!", "unsafe "] {
                if line.contains(word) {
                    wrong.push(format!("{}:{} says {word}", file.name, number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let all = sources();
    let tests = test_files(&all);
    let mut long = Vec::new();
    for file in all.iter().filter(|file| !tests.contains_key(&file.path)) {
        let before_tests = file.text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines = before_tests.lines().count();
        if lines > MAX_LINES {
            long.push(format!("{} has {lines} lines before its tests", file.name));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Each promise of SECURITY.md names a test; a test that was renamed or removed must not leave an empty promise.
#[test]
fn every_promise_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["src", "tests/it"] {
        for name in crate::soundness::files(&root.join(folder)).iter().filter(|name| name.ends_with(".rs")) {
            code.push_str(&fs::read_to_string(root.join(folder).join(name)).unwrap());
        }
    }
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1));
    let cells: Vec<&str> = rows.filter(|cell| cell.contains('`')).collect();
    assert!(cells.len() > 20, "the table was not found");
    let mut wrong = Vec::new();
    for cell in cells {
        for name in cell.split('`').skip(1).step_by(2) {
            if !code.contains(&format!("fn {name}(")) {
                wrong.push(name);
            }
        }
    }
    assert!(wrong.is_empty(), "no such test: {}", wrong.join(", "));
}

/// Files that a module declares for its tests only.
fn test_files(all: &[Source]) -> BTreeMap<PathBuf, ()> {
    let mut found = BTreeMap::new();
    for file in all {
        for part in file.code.split("#[cfg(test)]").skip(1) {
            let Some(name) = part.trim_start().strip_prefix("mod ").and_then(|rest| rest.split_once(';')) else {
                continue;
            };
            let folder = file.path.parent().unwrap();
            let stem = file.path.file_stem().unwrap();
            found.insert(folder.join(format!("{}.rs", name.0)), ());
            found.insert(folder.join(stem).join(format!("{}.rs", name.0)), ());
        }
    }
    found
}

struct Source {
    path: PathBuf,
    /// Below `src/`.
    name: String,
    /// The first folder, or the file's own name.
    module: String,
    text: String,
    /// The text with comments and strings blanked, line for line.
    code: String,
}

/// A path into our own crate, its raw identifiers plain.
struct Use {
    segments: Vec<String>,
    line: usize,
}

impl Source {
    fn uses(&self) -> Vec<Use> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("crate::") {
            if self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let line = self.code[..at].matches('\n').count() + 1;
            for segments in tree(&mut &self.code[at + "crate::".len()..]) {
                found.push(Use { segments, line });
            }
        }
        found.retain(|used| used.segments.first().is_some_and(|name| name.starts_with(|c: char| c.is_lowercase())));
        found
    }
}

/// Reads what follows `crate::`: a path, or a tree of them in braces.
fn tree(rest: &mut &str) -> Vec<Vec<String>> {
    *rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('{') {
        *rest = inner;
        let mut all = Vec::new();
        loop {
            *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if let Some(after) = rest.strip_prefix('}') {
                *rest = after;
                return all;
            }
            let before = rest.len();
            all.extend(tree(rest));
            assert!(rest.len() < before, "cannot read the imports at {:?}", &rest[..rest.len().min(60)]);
        }
    }
    let plain = rest.strip_prefix("r#").unwrap_or(rest);
    let end = plain.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(plain.len());
    let name = plain[..end].to_string();
    *rest = &plain[end..];
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        return vec![vec!["*".to_string()]];
    }
    let is_path = rest.strip_prefix("::").filter(|after| !after.trim_start().starts_with('<'));
    let tails = match is_path {
        Some(after) => {
            *rest = after;
            tree(rest)
        }
        None => {
            // `use x as y`
            if let Some(after) = rest.strip_prefix(" as ") {
                let end = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
                *rest = &after[end..];
            }
            vec![Vec::new()]
        }
    };
    tails.into_iter().map(|tail| std::iter::once(name.clone()).chain(tail).collect()).collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: Vec<Source> = crate::soundness::files(&root)
        .into_iter()
        .filter(|name| name.ends_with(".rs"))
        .map(|name| {
            let text = fs::read_to_string(root.join(&name)).unwrap();
            let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_string();
            Source { path: root.join(&name), code: blank(&text), name, module, text }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// Blanks comments, strings and characters, so that their words are not taken for code.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let is_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if !is_word && (rest.starts_with("r\"") || rest.starts_with("r#\"") || rest.starts_with("r##\"")) {
            let hashes = rest[1..].find('"').unwrap();
            let close = format!("\"{}", "#".repeat(hashes));
            let open = 2 + hashes;
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if rest.starts_with('"') {
            quoted(rest, '"')
        } else if rest.starts_with('\'') {
            character(rest)
        } else {
            0
        };
        for byte in &mut out[at..at + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length.max(rest.chars().next().map_or(1, char::len_utf8));
    }
    String::from_utf8(out).unwrap()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal; nothing when it is a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => quoted(rest, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn this_test_reads_imports_as_the_compiler_does() {
    let code =
        blank("use crate::{a::{B, c::D}, r#gen, e as f}; // crate::x\nlet s = \"crate::y\"; crate::g::h::<T>(); 'a'");
    let file = Source { path: PathBuf::new(), name: String::new(), module: "m".to_string(), text: String::new(), code };
    let paths: Vec<String> = file.uses().iter().map(|used| used.segments.join("::")).collect();
    assert_eq!(paths, ["a::B", "a::c::D", "gen", "e", "g::h"]);
}
