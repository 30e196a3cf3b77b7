//! Reads the class files and refuses what cannot become a table.
//!
//! Anything wrong with a file is an error that names file and line; nothing is guessed in its place.

use std::path::Path;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use include_dir::{Dir, include_dir};

use super::file::{ClassFile, ObjectsFile, is_name};
use super::tree::{Objects, Tree};
use super::{EventClass, FieldIds, MAX_LEAVES, OTHER, OWN_COLUMNS, Object, Ocsf, arrow};
use crate::error::{Context, Error, Kind, Result};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/schemas/ocsf-1.6.0");

const OBJECTS: &str = "objects";

/// Table names that the lake and the views use for themselves.
const TAKEN_TABLES: [&str; 3] = ["reject", "revision", "event"];

/// Column names that the lake's partitions use.
const TAKEN_COLUMNS: [&str; 2] = ["event_month", "event_day"];

/// One file: its origin, for errors, and its content.
pub struct Source {
    /// The path as people see it.
    path: String,
    /// The file's name without `.json`.
    stem: String,
    text: String,
}

impl Source {
    /// Makes an error about the line where the last of `words` is, each looked for after the one before, in quotes.
    pub fn error(&self, words: &[&str], message: impl AsRef<str>) -> Error {
        let mut at = 0;
        for word in words {
            at = self.text[at..].find(&format!("\"{word}\"")).map_or(at, |found| at + found);
        }
        let line = self.text[..at].matches('\n').count() + 1;
        Error::usage(format!("cannot use {}:{line}: {}", self.path, message.as_ref()))
    }

    pub fn name(&self) -> &str {
        &self.path
    }

    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.text).map_err(|error| {
            let text = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let text = text.strip_suffix(&place).unwrap_or(&text);
            Error::usage(format!("cannot use {}:{}: {text}", self.path, error.line()))
        })
    }
}

/// The classes read so far.
struct Loading {
    version: String,
    classes: Vec<Arc<EventClass>>,
    uids: HashSet<i64>,
    names: HashSet<String>,
}

pub fn load(extra: Option<&Path>) -> Result<Ocsf> {
    let mut loading =
        Loading { version: String::new(), classes: Vec::new(), uids: HashSet::new(), names: HashSet::new() };
    let mut objects = Objects::default();
    loading.folder(embedded(), &mut objects)?;
    if let Some(folder) = extra {
        // Objects of this folder replace ours from here on only: the embedded tables keep their columns.
        loading.folder(read_folder(folder)?, &mut objects)?;
    }
    loading.finish()
}

fn embedded() -> Vec<Source> {
    let source = |file: &include_dir::File<'_>| {
        let path = file.path();
        Source {
            path: format!("schemas/ocsf-1.6.0/{}", path.display()),
            stem: path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
            text: file.contents_utf8().unwrap_or_default().to_owned(),
        }
    };
    EMBEDDED.files().map(source).collect()
}

fn read_folder(folder: &Path) -> Result<Vec<Source>> {
    let unreadable = || format!("cannot read the schema folder {}", folder.display());
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder).context(Kind::Usage, unreadable)? {
        let path = entry.context(Kind::Usage, unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text =
                std::fs::read_to_string(&path).context(Kind::Usage, || format!("cannot read {}", path.display()))?;
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            sources.push(Source { path: path.display().to_string(), stem, text });
        }
    }
    // The order of a directory is arbitrary; which of two bad files is reported should not depend on it.
    sources.sort_by(|a, b| a.stem.cmp(&b.stem));
    Ok(sources)
}

impl Loading {
    fn folder(&mut self, sources: Vec<Source>, objects: &mut Objects) -> Result<()> {
        let (shared, classes): (Vec<_>, Vec<_>) = sources.into_iter().partition(|source| source.stem == OBJECTS);
        for source in shared {
            let file: ObjectsFile = source.parse()?;
            self.check_version(&source, &file.ocsf)?;
            objects.add(source, file);
        }
        for source in classes {
            let class = self.class(&source, source.parse()?, objects)?;
            self.classes.push(Arc::new(class));
        }
        Ok(())
    }

    fn check_version(&mut self, source: &Source, version: &str) -> Result<()> {
        if self.version.is_empty() {
            self.version = version.to_owned();
        }
        if self.version == version {
            Ok(())
        } else {
            Err(source.error(&["ocsf"], format!("it is for OCSF {version}, not {}", self.version)))
        }
    }

    fn class(&mut self, source: &Source, file: ClassFile, objects: &Objects) -> Result<EventClass> {
        self.check_version(source, &file.ocsf)?;
        let name = source.stem.clone();
        if !is_name(&name) {
            return Err(source
                .error(&[], format!("`{name}` cannot be a table's name"))
                .hint("the file's name is the table's: lower case letters, digits and `_`"));
        }
        if TAKEN_TABLES.contains(&name.as_str()) || !self.names.insert(name.clone()) {
            return Err(source.error(&[], format!("the table `{name}` already exists")));
        }
        match file.uid {
            Some(uid) if !self.uids.insert(uid) => {
                return Err(source.error(&["uid"], format!("a class with uid {uid} already exists")));
            }
            None if name != OTHER => return Err(source.error(&[], "the class has no `uid`")),
            _ => {}
        }
        for (column, _) in &file.attributes.0 {
            if OWN_COLUMNS.contains(&column.as_str()) || TAKEN_COLUMNS.contains(&column.as_str()) {
                return Err(source.error(&["attributes", column], format!("the column name `{column}` is reserved")));
            }
        }
        let root = Tree::new(source, objects, &file).build(&name)?;
        check_columns(source, &root)?;
        let arrow = arrow::schema(&root);
        let ids = FieldIds::of_class(source, &file, &root)?;
        Ok(EventClass {
            name,
            uid: file.uid,
            caption: file.caption,
            category_uid: file.category_uid,
            root: Arc::new(root),
            arrow,
            ids,
        })
    }

    fn finish(mut self) -> Result<Ocsf> {
        self.classes.sort_by_key(|class| (class.uid.is_none(), class.uid));
        let other = match self.classes.last() {
            Some(last) if last.name == OTHER => Arc::clone(last),
            _ => return Err(Error::new(Kind::Internal, format!("cannot find the embedded class `{OTHER}`"))),
        };
        let by_uid = self.classes.iter().enumerate().filter_map(|(at, class)| Some((class.uid?, at))).collect();
        let by_name: HashMap<_, _> =
            self.classes.iter().enumerate().map(|(at, class)| (class.name.clone(), at)).collect();
        Ok(Ocsf { version: self.version, classes: self.classes, by_uid, by_name, other })
    }
}

/// Checks the columns that every table must have, and the limit on its width.
fn check_columns(source: &Source, root: &Object) -> Result<()> {
    for (name, ocsf_type) in [("time", "timestamp_t"), ("class_uid", "integer_t")] {
        let found = root.index_of(name).map(|at| &root.attributes[at]);
        if !found.is_some_and(|a| a.ocsf_type == ocsf_type && !a.is_list) {
            return Err(source.error(&["attributes"], format!("a class needs `{name}` of type {ocsf_type}")));
        }
    }
    let leaves = arrow::leaves(root) + OWN_COLUMNS.len();
    if leaves <= MAX_LEAVES {
        Ok(())
    } else {
        Err(source
            .error(&["attributes"], format!("the class has {leaves} leaf columns, more than {MAX_LEAVES}"))
            .hint("name objects in `cut`, or rare members in `left_out`"))
    }
}
