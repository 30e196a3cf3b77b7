//! What a command does to the settings, and what is told about it.

use super::meta::Setting;
use super::settings::{Expanded, Settings, on_off};
use crate::render::Format;

/// What a person is told.
pub(super) enum Told {
    /// What was asked for.
    Answer(String),
    /// What was changed; scripts need not know.
    Notice(String),
}

impl Setting {
    /// Changes or shows a setting.
    pub(super) fn apply(self, settings: &mut Settings) -> Told {
        Told::Notice(match self {
            Setting::List => return Told::Answer(settings.list()),
            Setting::Format(None) => return Told::Answer(format!("{}\n", settings.format)),
            Setting::Format(Some(format)) => settings.choose(format),
            Setting::Toggle(format) if settings.format == format => settings.choose(Format::Table),
            Setting::Toggle(format) => settings.choose(format),
            Setting::Expanded(expanded) => {
                let toggled = if settings.expanded == Expanded::Off { Expanded::On } else { Expanded::Off };
                settings.expanded = expanded.unwrap_or(toggled);
                match settings.expanded {
                    Expanded::Off => "expanded is off".to_owned(),
                    Expanded::On => "expanded is on".to_owned(),
                    Expanded::Auto => "expanded is auto: on when a table is too wide".to_owned(),
                }
            }
            Setting::Timing(is_on) => turn("timing", &mut settings.is_timing_on, is_on),
            Setting::Header(is_on) => turn("header", &mut settings.header, is_on),
            Setting::Footer(is_on) => turn("footer", &mut settings.footer, is_on),
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
                let toggled = if settings.pager == super::Pager::Off { super::Pager::On } else { super::Pager::Off };
                settings.pager = pager.unwrap_or(toggled);
                format!("pager is {}", settings.pager.name())
            }
            Setting::MaxRows(None) => return Told::Answer(format!("{}\n", settings.max_rows.unwrap_or(0))),
            Setting::MaxRows(Some(rows)) => {
                settings.max_rows = rows;
                rows.map_or("all rows are shown".to_owned(), |rows| format!("{rows} rows are shown"))
            }
            Setting::Columns(0) => {
                settings.columns = None;
                "tables are as wide as the terminal".to_owned()
            }
            Setting::Columns(columns) => {
                settings.columns = Some(columns);
                format!("tables are {columns} columns wide")
            }
        })
    }
}

impl Settings {
    /// Who asks for a format wants to see it, whatever `\x` was.
    fn choose(&mut self, format: Format) -> String {
        self.expanded = if format == Format::Table { self.expanded } else { Expanded::Off };
        self.format = format;
        format!("format is {format}")
    }
}

fn turn(name: &str, switch: &mut bool, is_on: Option<bool>) -> String {
    *switch = is_on.unwrap_or(!*switch);
    format!("{name} is {}", on_off(*switch))
}
