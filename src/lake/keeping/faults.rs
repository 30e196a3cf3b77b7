//! The faults of a lake, in the order in which they were found.

use serde::Serialize;

use crate::error::{Error, Kind, Result};

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, below the lake's folder.
    pub path: String,
    pub fault: String,
}

/// A bounded list of faults, and their total number.
#[derive(Debug, Default)]
pub struct Faults {
    most: usize,
    pub listed: Vec<Fault>,
    pub count: u64,
}

impl Faults {
    /// Lists the first `most` of them.
    pub fn new(most: usize) -> Faults {
        Faults { most, ..Faults::default() }
    }

    /// Returns an empty list with the same bound.
    pub fn empty(&self) -> Faults {
        Faults::new(self.most)
    }

    pub fn add(&mut self, path: impl ToString, fault: impl Into<String>) {
        self.count += 1;
        if self.listed.len() < self.most {
            self.listed.push(Fault { path: path.to_string(), fault: fault.into() });
        }
    }

    /// Takes the result of an attempt: damage is listed, and other trouble ends the check.
    pub fn take<T>(&mut self, path: impl ToString, attempt: Result<T>) -> Result<Option<T>> {
        match attempt {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == Kind::Integrity => {
                self.add(path, told(&error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub fn extend(&mut self, more: Faults) {
        self.count += more.count;
        let room = self.most.saturating_sub(self.listed.len());
        self.listed.extend(more.listed.into_iter().take(room));
    }
}

/// Writes an error with its cause, on one line.
fn told(error: &Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
