//! The scope of a view: which events it sees, and of which period.

use datafusion::common::ScalarValue;

use super::super::bind::Params;
use crate::error::{Error, Result};

/// The end of the visible events (C3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Horizon {
    /// Everything that the session sees.
    #[default]
    All,
    /// Events before this time, milliseconds.
    Before { time_ms: i64 },
}

impl Horizon {
    /// Returns the horizon up to and including `time_ms`: the next events are a millisecond later.
    pub fn up_to(time_ms: i64) -> Horizon {
        match time_ms.checked_add(1) {
            Some(time_ms) => Horizon::Before { time_ms },
            None => Horizon::All,
        }
    }

    /// Returns the first time that is not visible, microseconds.
    pub fn end_us(self) -> Result<Option<i64>> {
        match self {
            Horizon::All => Ok(None),
            Horizon::Before { time_ms } => match time_ms.checked_mul(1000) {
                Some(time_us) => Ok(Some(time_us)),
                None => Err(Error::usage(format!("the time {time_ms} ms is out of range"))),
            },
        }
    }
}

/// The schema before a view's name in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `event`: up to the horizon of the statement.
    Run,
    /// `always.event`: all events, also beyond the period. Only the log's own gaps may look there (C3).
    Always,
    /// `previous.event`: the events as if the period before were requested: `$from` is `$previous_from`, `$to` is `$from`.
    Previous,
    /// `logged.ledger`: the log's view alone, as if the run had been given no table.
    Logged,
}

impl Scope {
    pub fn of(schema: &str) -> Result<Scope> {
        match schema {
            "always" => Ok(Scope::Always),
            "previous" => Ok(Scope::Previous),
            "logged" => Ok(Scope::Logged),
            _ => Err(Error::input(format!("no schema `{schema}`"))
                .hint("a view is named alone, or as always.name, previous.name or logged.name")),
        }
    }
}

/// The conditions that decide, with the parameters, which rows a view has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    pub scope: Scope,
    pub horizon: Horizon,
    /// The time, milliseconds, of a view that is called as a function of one.
    pub as_of_ms: Option<i64>,
    /// The only visible class, and a list of it that is visible too.
    pub list: Option<(String, String)>,
}

impl Frame {
    pub fn new(horizon: Horizon) -> Frame {
        Frame { scope: Scope::Run, horizon, as_of_ms: None, list: None }
    }

    /// Returns the frame of a view that is named after `schema.`.
    pub fn within(&self, schema: Option<&str>, params: &Params) -> Result<Frame> {
        let Some(schema) = schema else { return Ok(self.clone()) };
        let scope = Scope::of(schema)?;
        let horizon = match scope {
            Scope::Run | Scope::Logged => self.horizon,
            Scope::Always => Horizon::All,
            Scope::Previous => match (time_ms(params, "previous_from"), time_ms(params, "from")) {
                (Some(_), Some(time_ms)) => Horizon::Before { time_ms },
                _ => {
                    return Err(
                        Error::usage("there is no period before").hint("a parameter of the type month makes one")
                    );
                }
            },
        };
        Ok(Frame { scope, horizon, ..self.clone() })
    }

    /// Returns the frame of a view that is called as a function of a time, microseconds.
    pub fn at(&self, as_of_us: i64) -> Frame {
        // Events have whole milliseconds, and one at this very time is visible (C3).
        let as_of_ms = as_of_us.div_euclid(1000);
        Frame { horizon: Horizon::up_to(as_of_ms), as_of_ms: Some(as_of_ms), ..self.clone() }
    }

    /// Returns the value that `$name` has here, if the statement or the frame gives one.
    pub fn value(&self, name: &str, params: &Params) -> Option<ScalarValue> {
        let name = match (self.scope, name) {
            (Scope::Previous, "from") => "previous_from",
            (Scope::Previous, "to") => "from",
            _ => name,
        };
        if let (Some(as_of_ms), "as_of") = (self.as_of_ms, name) {
            return Some(ScalarValue::TimestampMicrosecond(as_of_ms.checked_mul(1000), Some("UTC".into())));
        }
        params.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

fn time_ms(params: &Params, name: &str) -> Option<i64> {
    match params.iter().find(|(known, _)| known == name) {
        Some((_, ScalarValue::TimestampMicrosecond(Some(time_us), _))) => Some(time_us.div_euclid(1000)),
        _ => None,
    }
}
