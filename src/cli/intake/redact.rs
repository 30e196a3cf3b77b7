//! `auditlake redact`: what would be replaced, and why, never the value; and by which rules.

use super::super::App;
use super::super::terminal::rows::{Column, batch, print};
use crate::error::{Error, Kind, Result};
use crate::redact::{About, Finding};
use crate::render::{self, Format};
use crate::source::{self, Source};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files to examine; `-` is stdin
    #[arg(long = "explain", value_name = "FILE", required_unless_present = "rules", num_args = 1..)]
    files: Vec<String>,
    /// List the rules in force: those of the program, of the file and of the list in the configuration
    #[arg(long, conflicts_with = "files")]
    rules: bool,
    /// Output format of the findings or rules
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    // Rules are compiled first: one that cannot be used is reported before anything is listed.
    let (policy, version) = app.policy_with_key(b"explain")?;
    let about = app.rules()?.map(|rules| rules.about()).unwrap_or_default();
    let own: Vec<&str> =
        about.iter().filter(|rule| rule.is_own && rule.is_enabled).map(|rule| rule.name.as_str()).collect();
    let own = if own.is_empty() { String::new() } else { format!(", of your own {}", own.join(", ")) };
    let on = about.iter().filter(|rule| rule.is_enabled).count();
    let said = match version.as_str() {
        "" => "redaction is off, because `[redact] enabled` is false: secrets are stored as they are sent".to_string(),
        version => format!("rules {version}: {on} on{own}"),
    };
    if args.rules {
        app.screen.say(said);
        let text =
            |value: fn(&About) -> &str| Column::Text(about.iter().map(|rule| Some(value(rule).to_string())).collect());
        let table = batch(vec![
            ("rule", text(|rule| &rule.name)),
            ("kind", text(|rule| &rule.kind)),
            ("finds_by", text(|rule| rule.finds_by)),
            ("looks_for", text(|rule| &rule.looks_for)),
            ("state", text(|rule| if rule.is_enabled { "on" } else { "off" })),
            ("origin", text(|rule| if rule.is_own { &rule.origin } else { "the program" })),
        ])?;
        print(&app.screen, &table, args.format, render::Options::default())?;
        return Ok(0);
    }
    let mut found: Vec<(String, u64, u64, Finding)> = Vec::new();
    let inputs = source::expand(&args.files, &source::Search::default())?;
    if let Some(unreadable) = inputs.unreadable.first() {
        return Err(Error::new(Kind::Unavailable, format!("cannot read {}: {}", unreadable.name, unreadable.why)));
    }
    for input in inputs.found {
        let mut source = Source::open(&input, app.config.ingest().source)?;
        while let Some(chunk) = source.next()? {
            for line in &chunk.lines {
                let text = String::from_utf8_lossy(&chunk.bytes[line.range.clone()]);
                for finding in policy.explain(&text) {
                    let offset = line.offset + finding.range.start as u64;
                    found.push((source.name().to_string(), line.number, offset, finding));
                }
            }
        }
    }
    app.screen.say(format!("{said}; {} places would be redacted", found.len()));
    let table = batch(vec![
        ("source", Column::Text(found.iter().map(|found| Some(found.0.clone())).collect())),
        ("line", Column::Number(found.iter().map(|found| Some(found.1)).collect())),
        ("byte_offset", Column::Number(found.iter().map(|found| Some(found.2)).collect())),
        ("rule", Column::Text(found.iter().map(|found| Some(found.3.rule.clone())).collect())),
        ("kind", Column::Text(found.iter().map(|found| Some(found.3.kind.clone())).collect())),
        ("length", Column::Number(found.iter().map(|found| Some(found.3.range.len() as u64)).collect())),
    ])?;
    print(&app.screen, &table, args.format, render::Options::default())?;
    Ok(0)
}
