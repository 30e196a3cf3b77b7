//! House rules that a compiler does not know: which module may use which, and how a file begins.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of code in a file before its tests.
const MAX_LINES: usize = 400;

/// Files in a folder, including its `mod.rs` and its tests. A folder with more should be divided.
const MAX_FILES: usize = 24;

/// Folders that are too full. The list only shrinks: a folder that is no longer too full leaves it.
const FULL: &[&str] = &["redact"];

/// Imports that close a circle between files or folders that lie in one folder, as `folder: from -> to`. The list only
/// shrinks: an import that is gone, or that closes no circle any more, leaves it.
const CLOSING: &[&str] = &[
    "cli/report: batch -> prepare",
    "cli/report: runs -> verify",
    "decode: columns -> text",
    "decode: table -> decoder",
    "decode: table -> scan",
    "decode: table -> walk",
    "redact: engine -> needle",
    "redact: engine -> option",
    "redact: engine -> place",
    "redact: engine -> prose",
    "redact: engine -> scan",
    "redact: engine -> shape",
    "redact: needle -> starts",
    "redact: needles -> needle",
    "redact: pair -> scan",
    "redact: rules -> written",
    "redact: span -> engine",
    "redact: value -> engine",
    "render: value -> read",
    "repl: command -> commands",
    "repl: command -> help",
    "repl: command -> setting",
    "repl: command -> spec",
    "repl: script -> shell",
    "repl: spec -> setting",
    "repl: variables -> split",
    "repl: words -> command",
    "report: catalog -> output",
    "report/catalog: header -> params",
    "report/catalog: header -> verdict",
    "report/catalog: month -> params",
    "report/evidence: input -> record",
    "report/evidence: reason -> facts",
    "report/folder: attest -> verify",
    "report/output: chart -> page",
    "report/output/page: index -> by_control",
    "report/runs: summary -> controls",
    "schema: ids -> load",
    "schema: tree -> load",
    "serve: search -> entries",
    "source: inflate -> bzip2",
    "source: inflate -> gzip",
    "source: inflate -> xz",
    "source: inflate -> zstd",
    "source: pass -> reader",
    "sql: conventions -> facts",
    "sql: event -> conventions",
    "sql: event -> facts",
    "sql: options -> conventions",
    "sql/dialect: parse -> tokens",
    "sql/engine/upstream: dependent -> subqueries",
    "sql/engine/upstream: further -> subqueries",
    "sql/error: names -> engine",
    "sql/event: columns -> template",
];

/// Returns the modules that each module may use, besides itself. `main` and `cli` may use everything.
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
        // Pages are read without SQL, and the log of reads is ingested like any other lines.
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
fn a_doc_comment_begins_with_a_verb_or_a_noun() {
    let mut wrong = Vec::new();
    for file in sources() {
        let mut is_within = false;
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim_start();
            let comment = line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! "));
            let first = comment.and_then(|comment| comment.split_whitespace().next());
            if !is_within
                && first.is_some_and(|word| ["What", "Who", "Whoever", "Whose", "Those", "Of"].contains(&word))
            {
                wrong.push(format!("{}:{} {line}", file.name, number + 1));
            }
            is_within = line.starts_with("///") || line.starts_with("//!");
        }
    }
    assert!(wrong.is_empty(), "begin with a verb or a noun:\n{}", wrong.join("\n"));
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

#[test]
fn no_folder_is_too_full() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for file in sources() {
        let (folder, _) = file.name.rsplit_once('/').unwrap_or(("", &file.name));
        *counts.entry(folder.to_string()).or_default() += 1;
    }
    let found: Vec<&str> =
        counts.iter().filter(|(_, files)| **files > MAX_FILES).map(|(folder, _)| folder.as_str()).collect();
    assert_eq!(found, FULL, "more than {MAX_FILES} files lie in one folder, or `FULL` names one that is mended");
}

#[test]
fn files_of_a_folder_import_each_other_in_no_circle() {
    let imports = sibling_imports(&sources());
    let listed: BTreeSet<&str> = CLOSING.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for (folder, edges) in &imports {
        let name = |(from, to): &(String, String)| format!("{folder}: {from} -> {to}");
        let open: BTreeSet<_> = edges.keys().filter(|edge| !listed.contains(name(edge).as_str())).cloned().collect();
        for (edge, lines) in edges {
            let is_listed = listed.contains(name(edge).as_str());
            // Without the listed imports nothing is closed, and each of them closes something.
            let closes = leads(&open, &edge.1, &edge.0);
            if closes && is_listed {
                met.insert(name(edge));
            } else if closes {
                wrong.push(format!("{} closes a circle: {}", name(edge), lines.join(", ")));
            }
        }
    }
    wrong
        .extend(CLOSING.iter().filter(|edge| !met.contains(**edge)).map(|edge| format!("{edge} closes none any more")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns whether imports lead from one file to another.
fn leads(imports: &BTreeSet<(String, String)>, from: &str, to: &str) -> bool {
    let (mut left, mut seen) = (vec![from], BTreeSet::from([from]));
    while let Some(at) = left.pop() {
        if at == to {
            return true;
        }
        left.extend(imports.iter().filter(|(a, b)| a == at && seen.insert(b)).map(|(_, b)| b.as_str()));
    }
    false
}

/// Returns for each folder which of the files and folders in it import which others, and in what lines. Tests are left out.
///
/// A re-export of a `mod.rs` counts as an import of the file that has it. An item that it defines itself belongs to the
/// folder as a whole, like the folder's name.
fn sibling_imports(all: &[Source]) -> BTreeMap<String, BTreeMap<(String, String), Vec<String>>> {
    let tests = test_files(all);
    let is_test =
        |file: &Source| tests.keys().any(|test| file.path == *test || file.path.starts_with(test.with_extension("")));
    let all: Vec<&Source> = all.iter().filter(|file| !is_test(file)).collect();
    let modules: BTreeSet<Vec<String>> = all.iter().map(|file| file.place()).collect();
    let mut doors: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for file in &all {
        for path in file.children(&modules) {
            let door = file.place().into_iter().chain(path.last().cloned()).collect();
            doors.insert(door, file.place().into_iter().chain(path).collect());
        }
    }
    let mut found: BTreeMap<String, BTreeMap<(String, String), Vec<String>>> = BTreeMap::new();
    for file in all {
        let from = file.place();
        for used in file.paths() {
            let to = home(used.segments, &modules, &doors);
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if shared > 0 && shared < from.len() && shared < to.len() {
                let edge = (from[shared].clone(), to[shared].clone());
                let line = format!("{}:{}", file.name, used.line);
                found.entry(from[..shared].join("/")).or_default().entry(edge).or_default().push(line);
            }
        }
    }
    found
}

/// Returns the module that has the item of a path, through any re-exports.
fn home(
    mut path: Vec<String>,
    modules: &BTreeSet<Vec<String>>,
    doors: &BTreeMap<Vec<String>, Vec<String>>,
) -> Vec<String> {
    // As many re-exports as folders can be nested.
    for _ in 0..8 {
        let length = (0..=path.len()).rev().find(|length| *length == 0 || modules.contains(&path[..*length])).unwrap();
        let rest = path.split_off(length);
        match rest.first().and_then(|name| doors.get(&[&path[..], std::slice::from_ref(name)].concat())) {
            Some(door) => path = [&door[..], &rest[1..]].concat(),
            None => return path,
        }
    }
    path
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

/// Returns files that a module declares for its tests only.
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
    /// The path below `src/`.
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

    /// Returns where its items are, below the crate.
    fn place(&self) -> Vec<String> {
        let name = self.name.trim_end_matches(".rs").trim_end_matches("/mod");
        name.split('/').map(str::to_string).collect()
    }

    /// Returns the code before its tests.
    fn before_tests(&self) -> &str {
        self.code.split("#[cfg(test)]\nmod tests {").next().unwrap()
    }

    /// Returns all paths into our own crate, including those that begin with `super`, from the crate on.
    fn paths(&self) -> Vec<Use> {
        let code = self.before_tests();
        let mut found: Vec<Use> = self.uses().into_iter().filter(|used| used.line <= code.lines().count()).collect();
        for (at, _) in code.match_indices("super::") {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = self.place();
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            let line = code[..at].matches('\n').count() + 1;
            for segments in tree(&mut rest) {
                found.push(Use { segments: base.iter().cloned().chain(segments).collect(), line });
            }
        }
        found
    }

    /// Returns its imports from files and folders that lie below it.
    fn children(&self, modules: &BTreeSet<Vec<String>>) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("use ") {
            let rest = &self.code[at + "use ".len()..];
            let mut rest = rest.strip_prefix("self::").unwrap_or(rest);
            let is_import =
                self.code[..at].trim_end().ends_with([';', '}', ')', ']']) || self.code[..at].ends_with("pub ");
            if is_import && rest.starts_with(|c: char| c.is_lowercase()) {
                found.extend(tree(&mut rest));
            }
        }
        let is_child = |path: &[String]| {
            let place = self.place().into_iter().chain(path.first().cloned()).collect::<Vec<_>>();
            path.len() > 1 && modules.contains(&place)
        };
        found.retain(|path| is_child(path));
        found
    }
}

/// Reads the text after `crate::`: a path, or a tree of them in braces.
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

/// Returns the length of a character literal; `None` when it is a lifetime.
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

#[test]
fn this_test_follows_imports_through_re_exports() {
    let source = |name: &str, code: &str| {
        let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_string();
        Source {
            path: PathBuf::from(name),
            name: name.to_string(),
            module,
            text: String::new(),
            code: code.to_string(),
        }
    };
    let all = [
        source("m/mod.rs", "mod a;\nmod b;\nmod c;\npub use self::b::{Inner, d::Deep};\nuse c::C;\n"),
        source("m/a.rs", "use super::{Inner, c};\nuse super::super::other::X;\n"),
        source("m/b/mod.rs", "mod d;\npub struct Inner;\n"),
        source("m/b/d.rs", "use super::super::C;\n#[cfg(test)]\nmod tests {\n    use super::super::super::a::A;\n}\n"),
        source("m/c.rs", "fn c() { crate::m::Deep::new() }\n"),
    ];
    let imports = sibling_imports(&all);
    let edges: Vec<String> = imports["m"].keys().map(|(from, to)| format!("{from} -> {to}")).collect();
    assert_eq!(edges, ["a -> b", "a -> c", "b -> c", "c -> b"]);
    assert_eq!(imports.len(), 1);
}
