//! The one error type: the kind of trouble, a message, a hint, and the cause.
//!
//! The kind decides the exit code and the HTTP status in one table here, so that every command and every endpoint
//! answers the same trouble the same way. Messages are lower case, say what could not be done and name the object;
//! a hint says what to do next.

use std::error::Error as StdError;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of trouble that callers distinguish; each has one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A check found something: report findings, a difference, a lake that needs attention.
    Finding,
    /// The command line, a parameter or the configuration is wrong.
    Usage,
    /// The given statement or data cannot be used.
    Input,
    /// Storage, network or another program did not do its part.
    Unavailable,
    /// Another writer was first.
    Conflict,
    /// Done, but not completely: rejects above the limit, a truncated source, a gap in the coverage.
    Incomplete,
    /// Another run holds the lock.
    Locked,
    /// Stored data is not as it was written.
    Integrity,
    /// The user, a signal or a time limit stopped it.
    Cancelled,
    /// A bug of ours.
    Internal,
}

impl Kind {
    /// Returns the process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Finding => 1,
            Kind::Usage => 2,
            Kind::Input | Kind::Unavailable | Kind::Conflict | Kind::Internal => 3,
            Kind::Incomplete => 4,
            Kind::Locked => 5,
            Kind::Integrity => 6,
            Kind::Cancelled => 130,
        }
    }
}

/// An error as a user sees it. Boxed, so that a `Result` stays small.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    hint: Option<String>,
    place: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), hint: None, place: None, source: None }))
    }

    /// Makes an error: the command line, a parameter or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// Makes an error: the given statement or data cannot be used.
    pub fn input(message: impl Into<String>) -> Self {
        Error::new(Kind::Input, message)
    }

    /// Says what to do next; a later hint replaces an earlier one.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says where in a text of the user's the trouble is, `report.sql:4`; the first place, which is the innermost, stays.
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.0.place.get_or_insert_with(|| place.into());
        self
    }

    /// Keeps the cause, which is printed after the message.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Finds the error of ours that caused another one, which may have come through libraries.
    pub fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(ours) = error.downcast_ref::<Error>() {
                return Some(ours);
            }
            // An error that the system's error carries is not among its causes: those are its own.
            let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = match carried {
                Some(carried) => Some(carried),
                None => error.source(),
            };
        }
        None
    }

    /// Returns an error of the same kind, message and hint as one that somebody else holds; its cause stays behind.
    pub fn copy(&self) -> Self {
        let error = Error::new(self.kind(), self.to_string());
        match self.hint_text() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.0.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            // Many libraries repeat their cause in their own text; say each thing once.
            let text = error.to_string();
            write!(f, ": {text}")?;
            cause = error.source().filter(|next| !text.contains(&next.to_string()));
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Adds what we were doing where the object is known: path, table, line, version.
pub trait Context<T> {
    fn context<M: Into<String>>(self, kind: Kind, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context<M: Into<String>>(self, kind: Kind, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| {
            let cause: Box<dyn StdError + Send + Sync> = error.into();
            // Damaged data stays damaged data, whatever it keeps us from.
            let damage = Error::within(cause.as_ref()).filter(|ours| ours.kind() == Kind::Integrity);
            let hint = damage.and_then(|ours| ours.hint_text().map(str::to_string));
            let error = Error::new(damage.map_or(kind, Error::kind), message());
            match hint {
                Some(hint) => error.hint(hint).caused_by(cause),
                None => error.caused_by(cause),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_place_stays() {
        let error = Error::input("cannot run it").at("inner.sql:2").at("outer.sql:7");
        assert_eq!(error.to_string(), "inner.sql:2: cannot run it");
        assert_eq!(error.message(), "cannot run it");
    }

    #[test]
    fn a_cause_is_printed_once() {
        let io = std::io::Error::other("disk full");
        let error = Err::<(), _>(io).context(Kind::Unavailable, || "cannot write x").unwrap_err();
        assert_eq!(error.to_string(), "cannot write x: disk full");
        assert_eq!(error.kind().exit_code(), 3);
    }

    #[test]
    fn damage_stays_damage_whatever_it_keeps_us_from() {
        let damage = Error::new(Kind::Integrity, "x is not the file that was written").hint("restore it");
        let carried = std::io::Error::other(damage);
        let error = Err::<(), _>(carried).context(Kind::Input, || "cannot run the report").unwrap_err();
        assert_eq!((error.kind(), error.hint_text()), (Kind::Integrity, Some("restore it")));
    }
}
