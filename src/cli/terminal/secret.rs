//! Secrets, from the place that the configuration names. None is an argument, so that `ps` shows none.

use crate::error::{Context, Error, Kind, Result};
use crate::source::{Environment, Key, KeySource, ask as ask_program, read_secret};

/// Gets a key of one word.
pub fn secret(source: &KeySource, what: &'static str, environment: &Environment) -> Result<Key> {
    Key::new(&ask(source, what, environment)?, what, &source.to_string())
}

/// Gets a secret, which messages call `what`; a program runs in this environment, and we wait for it.
pub fn ask(source: &KeySource, what: &'static str, environment: &Environment) -> Result<String> {
    match source {
        KeySource::Environment(variable) => from_environment(variable, what),
        KeySource::File(path) => read_secret(path, what),
        KeySource::Command(words) => {
            let (words, environment) = (words.clone(), environment.clone());
            let cannot = move || format!("cannot ask for {what}");
            // The program runs on a thread of its own, since our caller may be on one that must not block.
            let asked = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.context(Kind::Unavailable, cannot)?.block_on(ask_program(&words, what, &environment))
            });
            asked.join().unwrap_or_else(|_| Err(Error::new(Kind::Internal, cannot())))
        }
    }
}

fn from_environment(variable: &str, what: &str) -> Result<String> {
    let cannot = |why: &str| Err(Error::usage(format!("cannot get {what}: {why}")));
    match std::env::var(variable) {
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => cannot(&format!("the environment has no {variable}")),
        Err(std::env::VarError::NotUnicode(_)) => cannot(&format!("{variable} is not text")),
    }
}
