//! Values of the file, read by [`crate::typed`]: text with a unit, as on the command line.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::AccessLog;
use crate::error::Result as Read;
use crate::typed::{When, parse_duration, parse_size};

pub fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    read(from, parse_duration)
}

/// Reads a [`duration`], of which zero is an error.
pub fn some_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    match duration(from)? {
        Duration::ZERO => Err(D::Error::custom("a duration of `0` is too short here")),
        duration => Ok(duration),
    }
}

/// Reads [`some_duration`], or an empty text for none.
pub fn duration_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    optional(from, parse_duration)
}

pub fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match read(from, parse_size)? {
        0 => Err(D::Error::custom("a size of `0` is too small here")),
        size => Ok(size),
    }
}

/// Reads a [`size`], or an empty text for none.
pub fn size_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    optional(from, parse_size)
}

pub fn when_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<When>, D::Error> {
    optional(from, str::parse)
}

/// Reads true, false, or the word for the case between.
pub fn access_log<'de, D: Deserializer<'de>>(from: D) -> Result<AccessLog, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Switch(bool),
        Word(String),
    }
    match Written::deserialize(from) {
        Ok(Written::Switch(true)) => Ok(AccessLog::Always),
        Ok(Written::Switch(false)) => Ok(AccessLog::Never),
        Ok(Written::Word(word)) if word == "shared" => Ok(AccessLog::Shared),
        _ => Err(D::Error::custom("`log` is true, false or \"shared\"")),
    }
}

fn optional<'de, D: Deserializer<'de>, T>(from: D, parse: impl Fn(&str) -> Read<T>) -> Result<Option<T>, D::Error> {
    read(from, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) })
}

fn read<'de, D: Deserializer<'de>, T>(from: D, parse: impl Fn(&str) -> Read<T>) -> Result<T, D::Error> {
    let text = Cow::<str>::deserialize(from)?;
    parse(&text).map_err(|error| match error.hint_text() {
        Some(hint) => D::Error::custom(format!("{}; {hint}", error.message())),
        None => D::Error::custom(error.message()),
    })
}
