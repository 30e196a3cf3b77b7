//! All reports: the embedded ones and the user's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use super::header::Report;
use crate::error::{Context, Error, Kind, Result};
use crate::sql::Conventions;
use crate::typed::nearest;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries");

/// The folder below `queries/` that holds the shared definitions, which are not reports.
const CONVENTIONS: &str = "conventions";

/// The reports that can be run.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Sorted by id.
    reports: Vec<Report>,
    conventions: Arc<Conventions>,
}

impl Catalog {
    /// Reads the embedded reports and, if given, every `*.sql` below `extra`; a report there with the id of an embedded
    /// one is an error, because the evidence of two different questions would carry one name.
    pub fn load(extra: Option<&Path>) -> Result<Catalog> {
        Catalog::parse(embedded()?, extra)
    }

    /// Parses `files`, given by path below `queries/` and text.
    pub(in crate::report) fn parse(files: Vec<(String, String)>, extra: Option<&Path>) -> Result<Catalog> {
        let conventions = Arc::new(Conventions::load()?);
        let is_report = |path: &str| path.ends_with(".sql") && !path.starts_with(CONVENTIONS);
        let own: Vec<_> = files.into_iter().filter(|(path, _)| is_report(path)).collect();

        let mut reports = Vec::new();
        for (path, text) in &own {
            let report = Report::parse(&format!("queries/{path}"), text, &conventions)?;
            reports.push(Report { is_own: false, ..report });
        }
        if let Some(folder) = extra {
            for path in sql_files(folder)? {
                let text = fs::read_to_string(&path)
                    .context(Kind::Usage, || format!("cannot read report {}", path.display()))?;
                reports.push(Report::parse(&path.display().to_string(), &text, &conventions)?);
            }
        }
        reports.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = reports.windows(2).find(|pair| pair[0].id == pair[1].id) {
            let (id, first, second) = (&pair[0].id, &pair[0].path, &pair[1].path);
            return Err(Error::usage(format!("cannot load reports: `{id}` is in {first} and in {second}"))
                .hint("give your own report another id"));
        }
        Ok(Catalog { reports, conventions })
    }

    /// Reads a report that is not in the catalogue: one that is checked, or one that ran once.
    pub fn read(&self, path: &str, text: &str) -> Result<Report> {
        Report::parse(path, text, &self.conventions)
    }

    pub fn conventions(&self) -> &Arc<Conventions> {
        &self.conventions
    }

    /// Reads a user's report from a named file.
    pub fn read_file(&self, path: &Path) -> Result<Report> {
        let text =
            fs::read_to_string(path).context(Kind::Usage, || format!("cannot read report {}", path.display()))?;
        self.read(&path.display().to_string(), &text)
    }

    /// Returns all reports, by id.
    pub fn list(&self) -> &[Report] {
        &self.reports
    }

    pub fn get(&self, id: &str) -> Result<&Report> {
        if let Ok(index) = self.reports.binary_search_by(|report| report.id.as_str().cmp(id)) {
            return Ok(&self.reports[index]);
        }
        let error = Error::usage(format!("no report `{id}`"));
        let nearest = nearest(id, self.reports.iter().map(|report| report.id.as_str()));
        Err(error.hint(match nearest {
            Some(nearest) => format!("did you mean `{nearest}`? `report list` lists them all"),
            None => "`report list` lists them all".to_string(),
        }))
    }
}

/// Returns the files of `queries/`.
pub(in crate::report) fn embedded() -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    collect(&EMBEDDED, &mut files)?;
    Ok(files)
}

fn collect(dir: &Dir<'_>, files: &mut Vec<(String, String)>) -> Result<()> {
    for file in dir.files() {
        let path = file.path().display().to_string();
        let text = file
            .contents_utf8()
            .ok_or_else(|| Error::new(Kind::Internal, format!("cannot read queries/{path}: not UTF-8")))?;
        files.push((path, text.to_string()));
    }
    dir.dirs().try_for_each(|dir| collect(dir, files))
}

pub(in crate::report) fn sql_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let cannot = || format!("cannot read reports in {}", folder.display());
        for entry in fs::read_dir(&folder).context(Kind::Usage, cannot)? {
            let path = entry.context(Kind::Usage, cannot)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_report_suggests() {
        let error = Catalog::load(None).unwrap().get("brute-force-by-usr").unwrap_err();
        assert_eq!(error.message(), "no report `brute-force-by-usr`");
        assert_eq!(error.hint_text(), Some("did you mean `brute-force-by-user`? `report list` lists them all"));
    }

    #[test]
    fn own_report_with_a_known_id_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let text = Catalog::load(None).unwrap().get("auth-outcome-summary").unwrap().text.clone();
        fs::write(folder.path().join("mine.sql"), &text).unwrap();
        let error = Catalog::load(Some(folder.path())).unwrap_err();
        assert!(error.message().starts_with("cannot load reports: `auth-outcome-summary` is in "), "{error}");
        fs::write(folder.path().join("mine.sql"), text.replace("\"auth-outcome-summary\"", "\"mine\"")).unwrap();
        assert_eq!(Catalog::load(Some(folder.path())).unwrap().get("mine").unwrap().id, "mine");
    }
}
