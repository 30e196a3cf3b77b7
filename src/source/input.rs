//! Which inputs an argument list means: files, directories, patterns, standard input.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};

/// What a directory is searched for; a file that is named by itself may be called anything.
const ENDINGS: [&str; 4] = [".json", ".jsonl", ".ndjson", ".log"];
const COMPRESSED: [&str; 3] = [".gz", ".zst", ".zstd"];

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    File(PathBuf),
    Stdin,
}

/// The inputs that `args` mean, in the order given, directories and patterns sorted, each input once.
///
/// Errors with [`Kind::Usage`] when an argument matches nothing.
pub fn expand(args: &[String]) -> Result<Vec<Input>> {
    let mut found = Found::default();
    for arg in args {
        if arg == "-" {
            if !std::mem::replace(&mut found.has_stdin, true) {
                found.inputs.push(Input::Stdin);
            }
        } else if Path::new(arg).exists() {
            // A name that exists is that name, even with a `*` in it.
            found.path(Path::new(arg), arg)?;
        } else if arg.contains(['*', '?', '[']) {
            found.pattern(arg)?;
        } else {
            return Err(Error::usage(format!("cannot find `{arg}`")));
        }
    }
    Ok(found.inputs)
}

#[derive(Default)]
struct Found {
    inputs: Vec<Input>,
    has_stdin: bool,
    /// By their real paths: one file may have several names, and links may make circles.
    files: HashSet<PathBuf>,
    directories: HashSet<PathBuf>,
}

impl Found {
    fn path(&mut self, path: &Path, arg: &str) -> Result<()> {
        if !path.is_dir() {
            return self.file(path);
        }
        if self.directory(path)? == 0 {
            return Err(Error::usage(format!("cannot find a file with events in `{arg}`")).hint(format!(
                "a directory is searched for {}, plain or with {}; name other files by themselves",
                ENDINGS.join(", "),
                COMPRESSED.join(", ")
            )));
        }
        Ok(())
    }

    fn pattern(&mut self, arg: &str) -> Result<()> {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
        let paths = glob::glob_with(arg, options).context(Kind::Usage, || format!("cannot use the pattern `{arg}`"))?;
        let mut is_empty = true;
        for path in paths {
            let path = path.context(Kind::Unavailable, || format!("cannot search for `{arg}`"))?;
            if path.is_dir() {
                is_empty &= self.directory(&path)? == 0;
            } else {
                self.file(&path)?;
                is_empty = false;
            }
        }
        if is_empty {
            return Err(Error::usage(format!("cannot find a file that matches `{arg}`")));
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let real = fs::canonicalize(path).context(Kind::Unavailable, || format!("cannot open {}", path.display()))?;
        if self.files.insert(real) {
            self.inputs.push(Input::File(path.to_owned()));
        }
        Ok(())
    }

    /// Adds the files below `path`; how many there are, those that were known included.
    fn directory(&mut self, path: &Path) -> Result<usize> {
        let cannot = || format!("cannot read the directory {}", path.display());
        let real = fs::canonicalize(path).context(Kind::Unavailable, cannot)?;
        if !self.directories.insert(real) {
            return Ok(1);
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).context(Kind::Unavailable, cannot)? {
            entries.push(entry.context(Kind::Unavailable, cannot)?);
        }
        entries.sort_by_key(|entry| entry.file_name());

        let mut count = 0;
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                count += self.directory(&path)?;
            } else if has_events(&name) {
                self.file(&path)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Whether a file of this name, found in a directory, is one of ours.
fn has_events(name: &str) -> bool {
    let plain = COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path, inputs: &[Input]) -> Vec<String> {
        let name = |input: &Input| match input {
            Input::File(path) => path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"),
            Input::Stdin => "-".to_owned(),
        };
        inputs.iter().map(name).collect()
    }

    #[test]
    fn directories_are_searched_in_order_and_each_file_counts_once() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("b/deep")).unwrap();
        fs::create_dir_all(root.join(".hidden")).unwrap();
        for name in [
            "z.log",
            "a.json",
            "b/c.ndjson.gz",
            "b/deep/d.jsonl.zst",
            "b/e.log.zstd",
            "b/f.txt",
            ".g.json",
            ".hidden/h.json",
            "notes.gz",
        ] {
            fs::write(root.join(name), b"{}").unwrap();
        }
        let arg = |name: &str| root.join(name).to_string_lossy().into_owned();

        let all = expand(&[arg(""), arg("a.json"), "-".into(), "-".into(), arg("b/../z.log")]).unwrap();
        assert_eq!(names(root, &all), ["a.json", "b/c.ndjson.gz", "b/deep/d.jsonl.zst", "b/e.log.zstd", "z.log", "-"]);
        let some = expand(&[arg("*.json"), arg("b/f.txt"), arg("b/d*")]).unwrap();
        assert_eq!(names(root, &some), ["a.json", "b/f.txt", "b/deep/d.jsonl.zst"]);
    }

    #[test]
    fn nothing_found_is_a_usage_error_that_names_the_argument() {
        let root = tempfile::tempdir().unwrap();
        for name in ["none.json", "*.json", "", "[.json"] {
            let arg = root.path().join(name).to_string_lossy().into_owned();
            let error = expand(std::slice::from_ref(&arg)).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{error}");
            assert!(error.to_string().contains(&arg), "{error}");
        }
    }

    #[test]
    fn links_in_a_circle_end() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("a.json"), b"{}").unwrap();
        std::os::unix::fs::symlink(root.path(), inner.join("up")).unwrap();
        std::os::unix::fs::symlink(inner.join("a.json"), inner.join("b.json")).unwrap();
        let all = expand(&[root.path().to_string_lossy().into_owned()]).unwrap();
        assert_eq!(names(root.path(), &all), ["inner/a.json"]);
    }
}
