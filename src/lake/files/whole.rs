//! One file, either complete on the disk under its name, or absent.

use std::io::{self, Write};
use std::path::Path as FsPath;

use object_store::{Error, PutPayload, Result};

use super::layout::{Access, STAGING};
use crate::disk::{Naming, Temporary, make_dir_below, parent_of, set_mode};

pub const STORE: &str = "local disk";
/// Prefix of the name of an unfinished file, in `_staging/`, so that one list of names finds everything that was left
/// there; digits follow. It cannot occur in an object path, so no listing of objects shows the file.
const TEMPORARY_PREFIX: &str = "#";

/// The number of times that a file is written again when somebody clears its temporary file away.
const ATTEMPTS: u32 = 5;

/// Returns whether a name is that of an unfinished file.
pub fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY_PREFIX).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Writes one file so that it is either complete on the disk under its name, or absent.
///
/// Where locks lock nothing, a process that thinks we are dead may clear our temporary file away: then it is written again.
pub(in crate::lake) fn write(
    (root, access): (&FsPath, Access),
    name: &str,
    place: &FsPath,
    payload: &PutPayload,
    create: bool,
) -> Result<()> {
    let (parent, staging) = (parent_of(place), root.join(STAGING));
    let naming = if create { Naming::Create } else { Naming::Replace };
    let put = || {
        make_dir_below(root, &parent, Some(access.folder_mode()))?;
        make_dir_below(root, &staging, Some(access.folder_mode()))?;
        let mode = access.file_mode();
        let mut file = Temporary::create(&staging, mode, |number| format!("{TEMPORARY_PREFIX}{number}"))?;
        set_mode(file.file(), mode)?;
        for bytes in payload {
            file.write_all(bytes)?;
        }
        file.name(place, naming).map(drop)
    };
    let mut written = put();
    for _ in 1..ATTEMPTS {
        match written {
            Err(error) if error.kind() == io::ErrorKind::NotFound => written = put(),
            _ => break,
        }
    }
    written.map_err(|error| generic(name, error))
}

pub(in crate::lake) fn generic(name: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: name.into(), source: error.into() },
        io::ErrorKind::AlreadyExists => exists(name),
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path: name.into(), source: error.into() },
        _ => Error::Generic { store: STORE, source: format!("{name}: {error}").into() },
    }
}

fn exists(name: &str) -> Error {
    Error::AlreadyExists { path: name.into(), source: "the name is taken".into() }
}

pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Generic { store: STORE, source: error.into() }),
    }
}
