//! Keys of ours from where the configuration says.

use super::App;
use crate::error::{Error, Result};
use crate::source::{Key, KeySource};

/// Reads a key; `what` names it in messages ("the API key").
pub fn secret(app: &App, source: &KeySource, what: &'static str) -> Result<Key> {
    match source.clone() {
        KeySource::Environment(variable) => match std::env::var(&variable) {
            Ok(text) => Key::new(&text, what, &variable),
            Err(std::env::VarError::NotPresent) => {
                Err(Error::usage(format!("cannot get {what}: the environment has no {variable}")))
            }
            Err(std::env::VarError::NotUnicode(_)) => Key::new("\u{fffd}", what, &variable),
        },
        KeySource::File(path) => Key::from_file(&path, what),
        KeySource::Command(words) => app.wait(async move { Key::from_command(&words, what).await }),
    }
}
