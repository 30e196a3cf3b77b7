//! `auditlake coverage`: the coverage of API sources, with gaps.

use super::super::App;
use super::super::terminal::rows::{Column, batch, print};
use super::super::terminal::value::{check_period, when};
use crate::error::{Error, Kind, Result};
use crate::lake::{Interval, PullState, Span};
use crate::render::{self, Format};
use crate::typed::When;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sources [default: all of the lake and of the configuration]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The beginning of the period, such as 2026-01-31, or 30d for 30 days ago [default: the first covered time]
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// The end of the period, excluded [default: the covered end]
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Output format of the table
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(app: &App, args: Args) -> Result<u8> {
    let at = |when: Option<When>| when.map(|when| when.millis(app.clock.now_ms())).transpose();
    let (since, until) = (at(args.since)?, at(args.until)?);
    check_period(since, until)?;
    let lake = app.open_lake()?;
    let pulls = &lake.state().pulls;
    let mut names: Vec<String> = pulls.keys().cloned().collect();
    names.extend(app.config.sources()?.into_iter().map(|source| source.name));
    names.sort();
    names.dedup();
    if let Some(wrong) = args.names.iter().find(|name| !names.contains(name)) {
        return Err(Error::usage(format!("neither the lake nor the configuration has a source `{wrong}`")));
    }
    names.retain(|name| args.names.is_empty() || args.names.contains(name));

    let mut rows: Vec<(String, Option<Span>)> = Vec::new();
    for name in &names {
        let pull = pulls.get(name).cloned().unwrap_or_default();
        // A range that is said to be covered but lies in the future is a hole.
        let last = until.map(|until| until - 1).or(pull.covered.last().map(|interval| interval.to_ms));
        let spans = pull.credible(app.clock.now_ms()).spans(since, last);
        // A source that was never pulled, without a period, is missing as a whole.
        let spans = if spans.is_empty() { vec![None] } else { spans.into_iter().map(Some).collect() };
        rows.extend(spans.into_iter().map(|span| (name.clone(), span)));
        say(app, name, &pull);
    }
    let is_whole = !rows.is_empty() && rows.iter().all(|(_, span)| span.is_some_and(|span| span.is_covered));
    if rows.is_empty() {
        app.screen.say("no coverage is known: no source was pulled, and files cannot prove that they are complete");
    }
    print(&app.screen, &table(&rows)?, args.format, render::Options::default())?;
    Ok(if is_whole { 0 } else { Kind::Incomplete.exit_code() })
}

fn say(app: &App, name: &str, pull: &PullState) {
    if pull.polls == 0 && pull.requests == 0 {
        app.screen.say(format!("{name}: never pulled"));
        return;
    }
    let late: u64 = pull.late.values().sum();
    let last = time(pull.last_ms);
    app.screen.say(format!(
        "{name}: {} polls, {} pages, {} entries received, {late} late; last told {last} ({})",
        pull.polls, pull.pages, pull.received, pull.last_state
    ));
}

fn time(time_ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(time_ms).map(|time| time.to_rfc3339()).unwrap_or_default()
}

fn table(rows: &[(String, Option<Span>)]) -> Result<arrow::array::RecordBatch> {
    let spans = || rows.iter().map(|(_, span)| span.as_ref());
    let bound = |value: fn(&Interval) -> Option<i64>| {
        Column::Time(spans().map(|span| value(&span?.interval)?.checked_mul(1000)).collect())
    };
    let state = |span: Option<&Span>| if span.is_some_and(|span| span.is_covered) { "covered" } else { "hole" };
    batch(vec![
        ("source", Column::Text(rows.iter().map(|(name, _)| Some(name.clone())).collect())),
        ("state", Column::Text(spans().map(|span| Some(state(span).to_string())).collect())),
        ("from_time", bound(|interval| interval.from_ms)),
        ("to_time", bound(|interval| interval.to_ms.checked_add(1))),
        ("late", Column::Number(spans().map(|span| Some(span.map_or(0, |span| span.late))).collect())),
    ])
}
