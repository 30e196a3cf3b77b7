//! Which inputs an argument list means: files, directories, patterns, standard input.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::names::{COMPRESSED, ENDINGS, Name};
use crate::error::{Context, Error, Kind, Result};

/// A directory of ours has this one in it: its files are what was ingested, not what is to be.
const LEDGER: &str = "_ledger";

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A regular file, which can be read again.
    File(PathBuf),
    /// A named pipe or a device that was named by itself: what comes out of it comes once.
    Pipe(PathBuf),
    Stdin,
}

/// The files of a directory that are read.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Every file, whatever it is called.
    pub all: bool,
    /// Files whose name or whose path below the directory matches, and no others.
    pub include: Vec<Pattern>,
    /// Files and directories that are skipped.
    pub exclude: Vec<Pattern>,
}

/// The inputs of an argument list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// In the order given; of a directory sorted, of a rotated log the oldest file first; each input once.
    pub found: Vec<Input>,
    /// Paths in directories that are not read; a directory ends in a slash.
    pub passed_over: Vec<String>,
    pub unreadable: Vec<Unreadable>,
}

impl From<Input> for Inputs {
    fn from(input: Input) -> Inputs {
        Inputs { found: vec![input], ..Inputs::default() }
    }
}

/// An input that cannot be read, as is known before anything is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub name: String,
    pub why: String,
}

/// Finds the inputs that `args` mean.
///
/// Errors with [`Kind::Usage`] when an argument matches nothing. What is there and cannot be read spoils only itself.
pub fn expand(args: &[String], search: &Search) -> Result<Inputs> {
    let mut found = Found { search, inputs: Inputs::default(), has_stdin: false, seen: HashSet::new() };
    for arg in args {
        let path = Path::new(arg);
        if arg == "-" {
            if !std::mem::replace(&mut found.has_stdin, true) {
                found.inputs.found.push(Input::Stdin);
            }
        } else if path.symlink_metadata().is_ok() {
            // A name that exists is that name, even with a `*` in it.
            found.named(path)?;
        } else if arg.contains(['*', '?', '[']) {
            found.pattern(arg)?;
        } else {
            return Err(Error::usage(format!("cannot find `{arg}`")));
        }
    }
    Ok(found.inputs)
}

struct Found<'a> {
    search: &'a Search,
    inputs: Inputs,
    has_stdin: bool,
    /// Device and number of each file and directory: one may have several names, and links may make circles.
    seen: HashSet<(u64, u64)>,
}

impl Found<'_> {
    /// Adds the path that an argument or a pattern names.
    fn named(&mut self, path: &Path) -> Result<()> {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                self.unreadable(path, why(path, &error));
                return Ok(());
            }
        };
        if !metadata.is_dir() {
            self.file(path, &metadata, true);
            return Ok(());
        }
        let others = self.inputs.passed_over.len();
        if self.directory(path, path, &metadata) > 0 {
            return Ok(());
        }
        let others = &self.inputs.passed_over[others..];
        let hint = format!(
            "a directory is searched for {}, rotated or not, plain or with {}; --all and --include read other files",
            ENDINGS.join(", "),
            COMPRESSED.join(", ")
        );
        let holds = match others {
            [] => String::new(),
            [one] => format!(": it holds {one}"),
            [first, ..] => format!(": it holds {first} and {} more", others.len() - 1),
        };
        Err(Error::usage(format!("cannot find a file with events in `{}`{holds}", path.display())).hint(hint))
    }

    fn pattern(&mut self, arg: &str) -> Result<()> {
        let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::default() };
        let paths = glob::glob_with(arg, options).context(Kind::Usage, || format!("cannot use the pattern `{arg}`"))?;
        let mut is_empty = true;
        for path in paths {
            match path {
                Ok(path) => {
                    // A directory without events is one of those that match, and no reason to stop.
                    let _ = self.named(&path);
                }
                Err(error) => self.unreadable(error.path(), error.error().to_string()),
            }
            is_empty = false;
        }
        if is_empty {
            return Err(Error::usage(format!("cannot find a file that matches `{arg}`")));
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, metadata: &Metadata, is_named: bool) {
        let kind = metadata.file_type();
        if kind.is_file() {
            if self.is_new(metadata) {
                self.inputs.found.push(Input::File(path.to_owned()));
            }
        } else if kind.is_socket() {
            self.unreadable(path, "it is a socket".into());
        } else if is_named {
            self.inputs.found.push(Input::Pipe(path.to_owned()));
        } else {
            let what = if kind.is_fifo() { "a named pipe" } else { "a device" };
            self.unreadable(path, format!("it is {what}: name it by itself to read it"));
        }
    }

    /// Adds the files below `path`, which was found in `root`; how many there are, known and unreadable ones included.
    fn directory(&mut self, root: &Path, path: &Path, metadata: &Metadata) -> usize {
        if !self.is_new(metadata) {
            return 1;
        }
        let mut entries = Vec::new();
        match fs::read_dir(path) {
            Err(error) => {
                self.unreadable(path, error.to_string());
                return 1;
            }
            Ok(found) => {
                for entry in found {
                    match entry {
                        Ok(entry) => {
                            let name = entry.file_name().to_string_lossy().into_owned();
                            entries.push((Name::new(&name), name, entry.path()));
                        }
                        // Of a directory that cannot be listed to its end, what was listed is read.
                        Err(error) => self.unreadable(path, error.to_string()),
                    }
                }
            }
        }
        if path != root && entries.iter().any(|(_, name, path)| name == LEDGER && path.is_dir()) {
            self.pass_over(path, true);
            return 0;
        }
        entries.sort();
        let mut count = 0;
        for (sort, name, path) in entries {
            let is_hidden = name.starts_with('.') && !self.search.all;
            let below = path.strip_prefix(root).unwrap_or(&path);
            if self.search.exclude.iter().any(|pattern| is_match(pattern, &name, below)) {
                self.pass_over(&path, path.is_dir());
                continue;
            }
            let metadata = match path.metadata() {
                Ok(metadata) => metadata,
                Err(_) if is_hidden || !self.is_wanted(&sort, &name, below) => {
                    self.pass_over(&path, false);
                    continue;
                }
                Err(error) => {
                    self.unreadable(&path, why(&path, &error));
                    count += 1;
                    continue;
                }
            };
            if is_hidden || !(metadata.is_dir() || self.is_wanted(&sort, &name, below)) {
                self.pass_over(&path, metadata.is_dir());
            } else if metadata.is_dir() {
                count += self.directory(root, &path, &metadata);
            } else {
                self.file(&path, &metadata, false);
                count += 1;
            }
        }
        count
    }

    fn is_wanted(&self, sort: &Name, name: &str, below: &Path) -> bool {
        match &self.search.include[..] {
            [] => self.search.all || sort.has_events(),
            include => include.iter().any(|pattern| is_match(pattern, name, below)),
        }
    }

    fn is_new(&mut self, metadata: &Metadata) -> bool {
        self.seen.insert((metadata.dev(), metadata.ino()))
    }

    fn unreadable(&mut self, path: &Path, why: String) {
        self.inputs.unreadable.push(Unreadable { name: path.to_string_lossy().into_owned(), why });
    }

    fn pass_over(&mut self, path: &Path, is_directory: bool) {
        let slash = if is_directory { "/" } else { "" };
        self.inputs.passed_over.push(format!("{}{slash}", path.to_string_lossy()));
    }
}

fn is_match(pattern: &Pattern, name: &str, below: &Path) -> bool {
    pattern.matches(name) || pattern.matches_path(below)
}

/// Why a file that is there cannot be looked at.
fn why(path: &Path, error: &std::io::Error) -> String {
    match path.read_link() {
        Ok(target) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("it is a link to {}, which does not exist", target.display())
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn all(args: &[String]) -> Result<Inputs> {
        expand(args, &Search::default())
    }

    fn name<'p>(root: &Path, path: &'p str) -> &'p str {
        path.strip_prefix(root.to_str().unwrap()).map_or(path, |path| path.trim_start_matches('/'))
    }

    fn names(root: &Path, inputs: &Inputs) -> Vec<String> {
        let name = |input: &Input| match input {
            Input::File(path) | Input::Pipe(path) => name(root, path.to_str().unwrap()).to_owned(),
            Input::Stdin => "-".to_owned(),
        };
        inputs.found.iter().map(name).collect()
    }

    fn passed(root: &Path, inputs: &Inputs) -> Vec<String> {
        inputs.passed_over.iter().map(|path| name(root, path).to_owned()).collect()
    }

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"{}").unwrap();
        }
        root
    }

    #[test]
    fn directories_are_searched_in_order_and_each_file_counts_once() {
        let root = tree(&[
            "z.log",
            "a.json",
            "b/c.ndjson.gz",
            "b/deep/d.jsonl.zst",
            "b/e.log.zstd",
            "b/f.txt",
            ".g.json",
            ".hidden/h.json",
            "notes.gz",
        ]);
        let root = root.path();
        let arg = |name: &str| root.join(name).to_string_lossy().into_owned();

        let found = all(&[arg(""), arg("a.json"), "-".into(), "-".into(), arg("b/../z.log")]).unwrap();
        assert_eq!(
            names(root, &found),
            ["a.json", "b/c.ndjson.gz", "b/deep/d.jsonl.zst", "b/e.log.zstd", "z.log", "-"]
        );
        assert_eq!(passed(root, &found), [".g.json", ".hidden/", "b/f.txt", "notes.gz"]);
        let some = all(&[arg("*.json"), arg("b/f.txt"), arg("b/d*")]).unwrap();
        assert_eq!(names(root, &some), ["a.json", "b/f.txt", "b/deep/d.jsonl.zst"]);
        // A directory within one that was searched is no mistake.
        assert_eq!(names(root, &all(&[arg(""), arg("b/deep")]).unwrap()).len(), 5);
    }

    #[test]
    fn patterns_say_what_is_read_of_a_directory() {
        let root = tree(&["a.json", "b.txt", "old/c.json", "old/d.txt", ".e"]);
        let root = root.path();
        let arg = [root.to_string_lossy().into_owned()];
        let pattern = |text: &str| vec![Pattern::new(text).unwrap()];
        let found = |search: Search| expand(&arg, &search).unwrap();

        let everything = found(Search { all: true, ..Search::default() });
        assert_eq!(names(root, &everything), [".e", "a.json", "b.txt", "old/c.json", "old/d.txt"]);
        assert!(everything.passed_over.is_empty());
        let texts = found(Search { include: pattern("*.txt"), ..Search::default() });
        assert_eq!(names(root, &texts), ["b.txt", "old/d.txt"]);
        let below = found(Search { include: pattern("old/*"), exclude: pattern("*.json"), ..Search::default() });
        assert_eq!(names(root, &below), ["old/d.txt"]);
        let others = found(Search { exclude: pattern("old"), ..Search::default() });
        assert_eq!(
            (names(root, &others), passed(root, &others)),
            (vec!["a.json".into()], vec![".e".into(), "b.txt".into(), "old/".into()])
        );
    }

    #[test]
    fn nothing_found_is_a_usage_error_that_names_the_argument() {
        let root = tree(&["notes.txt", "x.bak"]);
        for name in ["none.json", "*.json", "", "[.json"] {
            let arg = root.path().join(name).to_string_lossy().into_owned();
            let error = all(std::slice::from_ref(&arg)).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{error}");
            assert!(error.to_string().contains(&arg), "{error}");
        }
        let error = all(&[root.path().to_string_lossy().into_owned()]).unwrap_err().to_string();
        assert!(error.contains("notes.txt and 1 more"), "{error}");
    }

    #[test]
    fn links_in_a_circle_end() {
        let root = tree(&["inner/a.json"]);
        let inner = root.path().join("inner");
        symlink(root.path(), inner.join("up")).unwrap();
        symlink(inner.join("a.json"), inner.join("b.json")).unwrap();
        let found = all(&[root.path().to_string_lossy().into_owned()]).unwrap();
        assert_eq!(names(root.path(), &found), ["inner/a.json"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_spoils_only_itself() {
        let root = tree(&["a.json", "z.json"]);
        let root = root.path();
        symlink("nowhere", root.join("b.json")).unwrap();
        symlink("nowhere", root.join("notes")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("c.log"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let arg = |name: &str| root.join(name).to_string_lossy().into_owned();
        let found = all(&[arg("")]).unwrap();
        assert_eq!(names(root, &found), ["a.json", "z.json"]);
        let unreadable: Vec<(&str, &str)> =
            found.unreadable.iter().map(|one| (name(root, &one.name), one.why.as_str())).collect();
        assert_eq!(
            unreadable,
            [
                ("b.json", "it is a link to nowhere, which does not exist"),
                ("c.log", "it is a named pipe: name it by itself to read it")
            ]
        );
        assert_eq!(passed(root, &found), ["notes"]);
        assert_eq!(all(&[arg("c.log")]).unwrap().found, [Input::Pipe(root.join("c.log"))]);
        assert_eq!(all(&[arg("b.json")]).unwrap().unreadable.len(), 1);
    }

    #[test]
    fn a_lake_within_a_directory_is_passed_over() {
        let root = tree(&["a.json", "lake/_ledger/0.json", "lake/authentication/_delta_log/0.json"]);
        let found = all(&[root.path().to_string_lossy().into_owned()]).unwrap();
        assert_eq!(
            (names(root.path(), &found), passed(root.path(), &found)),
            (vec!["a.json".into()], vec!["lake/".into()])
        );
    }
}
