//! Every setting in one table: its names, its values, how it is changed and shown, and the effect of a change.

use super::settings::{Expanded, Pager, Settings, on_off, switch};
use super::spec::{EXPANDED, Kind, PAGER, SWITCH, max_rows};
use super::words::{Arguments, number};
use crate::error::{Error, Result};
use crate::render::Format;

/// A setting to change; an inner `None` toggles a switch.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    List,
    Format(Option<Format>),
    /// Switches between the table and this format.
    Toggle(Format),
    Expanded(Option<Expanded>),
    Timing(Option<bool>),
    Header(Option<bool>),
    Footer(Option<bool>),
    /// Rows alone: neither header nor footer.
    TuplesOnly(Option<bool>),
    Null(String),
    /// Whether NULL gets a line too in the format of one line per value.
    Nulls(Option<bool>),
    Separator(String),
    CsvSeparator(String),
    Pager(Option<Pager>),
    /// The outer `None` shows the limit, the inner one lifts it.
    MaxRows(Option<Option<usize>>),
    /// The width that tables are fitted to; 0 is the terminal's.
    Columns(usize),
    /// The zone in which times are shown.
    Zone(Option<chrono_tz::Tz>),
}

/// A setting by name.
pub(super) struct Spec {
    /// The name under which it is listed, then others.
    pub names: &'static [&'static str],
    pub values: Kind,
    make: fn(&Arguments<'_>) -> Result<Setting>,
    shown: fn(&Settings) -> String,
}

/// The settings of `\pset`.
pub(super) const SETTINGS: &[Spec] = &[
    Spec {
        names: &["format"],
        values: Kind::Format,
        make: |a| a.optional(str::parse).map(Setting::Format),
        shown: |settings| settings.format.to_string(),
    },
    Spec {
        names: &["expanded", "x"],
        values: EXPANDED,
        make: |a| a.optional(expanded).map(Setting::Expanded),
        shown: |settings| settings.expanded.name().to_owned(),
    },
    Spec {
        names: &["null"],
        values: Kind::Text,
        make: |a| Ok(Setting::Null(a.text()?.unwrap_or_default())),
        shown: |settings| format!("'{}'", settings.null.as_deref().unwrap_or_default()),
    },
    Spec {
        names: &["nulls"],
        values: SWITCH,
        make: |a| a.optional(switch).map(Setting::Nulls),
        shown: |settings| on_off(settings.nulls).to_owned(),
    },
    Spec {
        names: &["tuples_only", "t"],
        values: SWITCH,
        make: |a| a.optional(switch).map(Setting::TuplesOnly),
        shown: |settings| on_off(!settings.header && !settings.footer).to_owned(),
    },
    Spec {
        names: &["header", "headers"],
        values: SWITCH,
        make: |a| a.optional(switch).map(Setting::Header),
        shown: |settings| on_off(settings.header).to_owned(),
    },
    Spec {
        names: &["footer"],
        values: SWITCH,
        make: |a| a.optional(switch).map(Setting::Footer),
        shown: |settings| on_off(settings.footer).to_owned(),
    },
    Spec {
        names: &["fieldsep"],
        values: Kind::Text,
        make: |a| Ok(Setting::Separator(a.text()?.unwrap_or_default())),
        shown: |settings| format!("'{}'", settings.separator.as_deref().unwrap_or("|")),
    },
    Spec {
        names: &["csv_fieldsep"],
        values: Kind::Text,
        make: |a| Ok(Setting::CsvSeparator(a.text()?.unwrap_or_default())),
        shown: |settings| format!("'{}'", settings.csv_separator.as_deref().unwrap_or(",")),
    },
    Spec {
        names: &["pager"],
        values: PAGER,
        make: |a| a.optional(str::parse).map(Setting::Pager),
        shown: |settings| settings.pager.name().to_owned(),
    },
    Spec {
        names: &["columns", "width"],
        values: Kind::Text,
        make: |a| Ok(Setting::Columns(a.optional(number)?.unwrap_or(0))),
        shown: |settings| settings.columns.map_or("the terminal's".to_owned(), |columns| columns.to_string()),
    },
    Spec {
        names: &["tz", "timezone"],
        values: Kind::Zone,
        make: |a| a.optional(zone).map(Setting::Zone),
        shown: |settings| settings.zone.map_or("UTC", |zone| zone.name()).to_owned(),
    },
    Spec {
        names: &["maxrows"],
        values: Kind::Text,
        make: |a| a.optional(number).map(max_rows),
        shown: |settings| settings.max_rows.map_or("no limit".to_owned(), |rows| rows.to_string()),
    },
    Spec {
        names: &["timing"],
        values: SWITCH,
        make: |a| a.optional(switch).map(Setting::Timing),
        shown: |settings| on_off(settings.is_timing_on).to_owned(),
    },
];

/// Parses `\pset name value`.
pub(super) fn pset(words: &[String]) -> Result<Setting> {
    let Some((name, values)) = words.split_first() else { return Ok(Setting::List) };
    let Some(spec) = SETTINGS.iter().find(|spec| spec.names.contains(&name.as_str())) else {
        let names: Vec<&str> = SETTINGS.iter().map(|spec| spec.names[0]).collect();
        return Err(Error::usage(format!("no setting `{name}`")).hint(format!("the settings are {}", names.join(", "))));
    };
    (spec.make)(&Arguments { name: &format!("\\pset {name}"), words: values, rest: "" })
}

/// Lists the settings for `\pset`.
pub(super) fn list(settings: &Settings) -> String {
    let output = settings.output.as_ref().map_or("the terminal".to_owned(), |output| output.target.to_string());
    let lines = SETTINGS.iter().map(|spec| (spec.names[0], (spec.shown)(settings)));
    lines.chain([("output", output)]).map(|(name, value)| format!("{name:<13} {value}\n")).collect()
}

pub(super) fn expanded(text: &str) -> Result<Expanded> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Expanded::Auto);
    }
    let is_on = switch(text).map_err(|_| Error::usage(format!("`{text}` is not on, off or auto")))?;
    Ok(if is_on { Expanded::On } else { Expanded::Off })
}

fn zone(text: &str) -> Result<chrono_tz::Tz> {
    text.parse().map_err(|_| {
        Error::usage(format!("`{text}` is not a time zone")).hint("write its name: `\\pset tz Europe/Berlin`, or UTC")
    })
}

/// A message to the user.
pub(super) enum Told {
    /// The answer to a question.
    Answer(String),
    /// A notice of a change; scripts do not print it.
    Notice(String),
}

impl Setting {
    /// Changes or shows a setting.
    pub(super) fn apply(self, settings: &mut Settings) -> Told {
        Told::Notice(match self {
            Setting::List => return Told::Answer(list(settings)),
            Setting::Format(None) => return Told::Answer(format!("{}\n", settings.format)),
            Setting::Format(Some(format)) => settings.choose(format),
            Setting::Toggle(format) if settings.format == format => settings.choose(Format::Table),
            Setting::Toggle(format) => settings.choose(format),
            Setting::Expanded(expanded) => {
                let toggled = if settings.expanded == Expanded::On { Expanded::Auto } else { Expanded::On };
                settings.expanded = expanded.unwrap_or(toggled);
                match settings.expanded {
                    Expanded::Auto => "expanded is auto: on when a result is too wide for a table".to_owned(),
                    other => format!("expanded is {}", other.name()),
                }
            }
            Setting::Timing(is_on) => turn("timing", &mut settings.is_timing_on, is_on),
            Setting::Header(is_on) => turn("header", &mut settings.header, is_on),
            Setting::Footer(is_on) => turn("footer", &mut settings.footer, is_on),
            Setting::Nulls(is_on) => turn("nulls", &mut settings.nulls, is_on),
            Setting::TuplesOnly(only) => {
                let only = only.unwrap_or(settings.header);
                (settings.header, settings.footer) = (!only, !only);
                format!("rows only is {}", on_off(only))
            }
            Setting::Null(text) => {
                settings.null = Some(text);
                format!("null is '{}'", settings.null.as_deref().unwrap_or_default())
            }
            Setting::Separator(text) => {
                settings.separator = Some(text);
                format!("the separator of lists is '{}'", settings.separator.as_deref().unwrap_or_default())
            }
            Setting::CsvSeparator(text) => {
                settings.csv_separator = Some(text).filter(|text| !text.is_empty());
                format!("the separator of csv is '{}'", settings.csv_separator.as_deref().unwrap_or(","))
            }
            Setting::Pager(pager) => {
                let toggled = if settings.pager == Pager::Off { Pager::On } else { Pager::Off };
                settings.pager = pager.unwrap_or(toggled);
                format!("pager is {}", settings.pager.name())
            }
            Setting::MaxRows(None) => return Told::Answer(format!("{}\n", settings.max_rows.unwrap_or(0))),
            Setting::MaxRows(Some(rows)) => {
                settings.max_rows = rows;
                rows.map_or("all rows are shown".to_owned(), |rows| format!("at most {rows} rows are shown"))
            }
            Setting::Columns(0) => {
                settings.columns = None;
                "tables are as wide as the terminal".to_owned()
            }
            Setting::Columns(columns) => {
                settings.columns = Some(columns);
                format!("tables are {columns} columns wide")
            }
            Setting::Zone(zone) => {
                settings.zone = zone.filter(|zone| *zone != chrono_tz::UTC);
                format!("times are shown in {}", settings.zone.map_or("UTC", |zone| zone.name()))
            }
        })
    }
}

impl Settings {
    /// Chooses a format: one that the user asks for is shown, whatever `\x` was.
    fn choose(&mut self, format: Format) -> String {
        if format != Format::Table && self.expanded == Expanded::On {
            self.expanded = Expanded::Auto;
        }
        self.format = format;
        format!("format is {format}")
    }
}

fn turn(name: &str, switch: &mut bool, is_on: Option<bool>) -> String {
    *switch = is_on.unwrap_or(!*switch);
    format!("{name} is {}", on_off(*switch))
}
