//! `auditlake redact`: what would be replaced, and why; never the value.

use super::App;
use super::rows::{Column, batch, print};
use crate::error::{Error, Kind, Result};
use crate::render::{self, Format};
use crate::source::{self, Source};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files to look through; `-` is stdin
    #[arg(long = "explain", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<String>,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let (policy, version) = app.policy_with_key(b"explain")?;
    let mut found: Vec<(String, u64, u64, crate::redact::Finding)> = Vec::new();
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
    app.screen.say(format!("rules {version}; {} places would be redacted", found.len()));
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
