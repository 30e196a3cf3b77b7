//! A result file that a user names: either complete or absent.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::links::follow;
use super::temporary::{END, Naming, Temporary, hidden, is_temporary_of, sweep};
use super::{Unfinished, parent_of};
use crate::error::{Context, Error, Kind, Result};

const BUFFER_BYTES: usize = 256 << 10;
/// The mode of a new file, before the process's umask.
const NEW_MODE: u32 = 0o666;

/// A file that is being written. It appears, or replaces the existing one, when it is finished; dropped before, it
/// leaves everything as it was. Mode and owner of a file that is replaced stay.
///
/// Anything that is not a regular file (`/dev/null`, a pipe, `/dev/stdout`) is written as it is.
#[derive(Debug)]
pub struct Whole {
    /// The path as the user wrote it, for messages.
    path: PathBuf,
    /// The target of its links.
    target: PathBuf,
    naming: Naming,
    out: BufWriter<Sink>,
}

#[derive(Debug)]
enum Sink {
    Beside(Temporary),
    Direct(File),
}

impl Whole {
    /// Begins a file; an existing one is replaced when the new one is finished.
    pub fn begin(path: &Path) -> Result<Whole> {
        Whole::open(path, Naming::Replace, false)
    }

    /// Begins with the present content of the file.
    pub fn append(path: &Path) -> Result<Whole> {
        Whole::open(path, Naming::Replace, true)
    }

    /// Registers the temporary file with `unfinished`, for a process that ends without dropping this.
    pub fn known_to(mut self, unfinished: &Unfinished) -> Whole {
        if let Sink::Beside(temporary) = self.out.get_mut() {
            temporary.known_to(unfinished);
        }
        self
    }

    fn open(path: &Path, naming: Naming, is_append: bool) -> Result<Whole> {
        let cannot = || format!("cannot write {}", path.display());
        let known = match fs::metadata(path) {
            Ok(known) => Some(known),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).context(Kind::Unavailable, cannot),
        };
        if known.as_ref().is_some_and(|known| known.is_dir()) {
            return Err(Error::usage(format!("{}: it is a directory", cannot())).hint("name a file in it"));
        }
        let is_device = known.as_ref().is_some_and(|known| !known.is_file());
        let target = if is_device { path.to_path_buf() } else { follow(path)? };
        let sink = if is_device || target.starts_with("/proc") {
            // The file is opened for appending, since `/dev/stdout` may be a file with content.
            OpenOptions::new().append(true).open(path).map(Sink::Direct)
        } else {
            begin_beside(&target, known.as_ref(), is_append).map(Sink::Beside)
        };
        let sink = sink.map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            let error = Error::new(Kind::Unavailable, cannot()).caused_by(error);
            if is_missing { error.hint("the directory must exist") } else { error }
        })?;
        Ok(Whole { path: path.to_path_buf(), target, naming, out: BufWriter::with_capacity(BUFFER_BYTES, sink) })
    }

    /// Makes the written bytes the file's content, also after a power cut.
    pub fn finish(self) -> Result<()> {
        let Whole { path, target, naming, out } = self;
        let finished = out.into_inner().map_err(|error| error.into_error()).and_then(|sink| match sink {
            Sink::Direct(_) => Ok(()),
            Sink::Beside(temporary) => temporary.name(&target, naming).map(drop),
        });
        finished.context(Kind::Unavailable, || format!("cannot write {}", path.display()))
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Beside(temporary) => temporary.write(bytes),
            Sink::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Beside(temporary) => temporary.flush(),
            Sink::Direct(file) => file.flush(),
        }
    }
}

/// Writes a whole file; an existing one is replaced.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Whole::begin(path)?;
    file.write_all(bytes).context(Kind::Unavailable, || format!("cannot write {}", path.display()))?;
    file.finish()
}

/// Writes a whole file where none exists; returns false, and changes nothing, when one does.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    let mut file = Whole::open(path, Naming::Create, false)?;
    file.write_all(bytes).context(Kind::Unavailable, || format!("cannot write {}", path.display()))?;
    match file.finish() {
        // Another process was first.
        Err(_) if fs::symlink_metadata(path).is_ok() => Ok(false),
        finished => finished.map(|()| true),
    }
}

/// Makes a new file in the folder of `target`, hidden, so that no pattern for results finds it, with mode and owner of
/// the file that it replaces.
fn begin_beside(target: &Path, known: Option<&Metadata>, is_append: bool) -> io::Result<Temporary> {
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy().into_owned();
    let folder = parent_of(target);
    sweep(&folder, |found| is_temporary_of(found, &name))?;
    let mode = known.map_or(NEW_MODE, |known| known.mode() & 0o777);
    let mut temporary = Temporary::create(&folder, mode, |number| hidden(&name, number, END))?;
    let Some(known) = known else { return Ok(temporary) };
    let ours = temporary.file().metadata()?;
    if (ours.uid(), ours.gid()) != (known.uid(), known.gid()) {
        // Only root may give files away; otherwise the new file belongs to the user, as with every program that
        // replaces files.
        match fchown(temporary.file(), Some(known.uid()), Some(known.gid())) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    temporary.file().set_permissions(fs::Permissions::from_mode(mode))?;
    if is_append {
        io::copy(&mut File::open(target)?, &mut temporary)?;
    }
    Ok(temporary)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::links::tests::give_away;
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_file_changes_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let mut half = Whole::begin(&path).unwrap();
        half.write_all(&vec![b'x'; 2 * BUFFER_BYTES]).unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(half);
        assert!(!path.exists());
        write(&path, b"one\n").unwrap();
        drop(Whole::begin(&path).unwrap());
        let mut more = Whole::append(&path).unwrap();
        more.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        more.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[test]
    fn links_modes_and_owners_stay_and_devices_are_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.csv"), folder.path().join("link.csv"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        let is_given = give_away(&real);
        symlink(&real, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!((fs::read_to_string(&real).unwrap().as_str(), mode(&real)), ("new", 0o640));
        assert_eq!(fs::metadata(&real).unwrap().uid() == super::super::links::tests::STRANGER, is_given);
        // A link that leads nowhere yet gets its file.
        symlink("later.csv", folder.path().join("to-come.csv")).unwrap();
        write(&folder.path().join("to-come.csv"), b"x").unwrap();
        assert!(folder.path().join("later.csv").is_file());
        write(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let hint = |path: &Path| Whole::begin(path).unwrap_err().hint_text().unwrap().to_string();
        assert_eq!(hint(&folder.path().join("no/such.csv")), "the directory must exist");
        assert_eq!(hint(folder.path()), "name a file in it");
    }

    #[test]
    fn a_file_is_created_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.sql");
        assert!(create(&path, b"one").unwrap());
        assert!(!create(&path, b"two").unwrap());
        symlink("nowhere", folder.path().join("link")).unwrap();
        assert!(!create(&folder.path().join("link"), b"two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn what_a_killed_writer_left_goes_with_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let first = Whole::begin(&path).unwrap();
        fs::write(folder.path().join(hidden("a.csv", 1, END)), "half").unwrap();
        let second = Whole::begin(&path).unwrap();
        // Two writers are alive.
        assert_eq!(names(folder.path()).len(), 2);
        first.finish().unwrap();
        second.finish().unwrap();
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[test]
    fn an_end_without_unwinding_removes_what_is_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = Unfinished::default();
        let file = Whole::begin(&folder.path().join("a")).unwrap().known_to(&unfinished);
        let done = Whole::begin(&folder.path().join("b")).unwrap().known_to(&unfinished);
        done.finish().unwrap();
        unfinished.remove();
        assert_eq!(names(folder.path()), ["b"]);
        drop(file);
    }
}
